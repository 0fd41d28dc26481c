"""The doctor finds what is wrong and says how to mend it; a sound installation has no finding."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.backup.make import make
from healthsvc.commands import checks
from healthsvc.config import Settings
from healthsvc.documents.keys import Keyring
from healthsvc.documents.service import freeze_scan
from healthsvc.errors import Invalid, Unavailable
from healthsvc.installation import Installation, open_installation
from healthsvc.main import cli
from healthsvc.store import SYSTEM
from healthsvc.store.journal import Journal
from healthsvc.store.journals import LineJournal


@pytest.fixture
def here(tmp_path: Path) -> Any:
    (tmp_path / "c.pem").touch()
    opened = open_installation(settings=Settings(data=tmp_path / "data", backup_to=tmp_path / "to", mllp_certificate=tmp_path / "c.pem"))
    with opened.database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Patient", "id": "p", "name": [{"text": "某"}]})
    assert opened.database.signing_keys is not None
    Keyring.of(opened.database.signing_keys, clock.now())
    yield opened
    opened.close()


def amiss(check: Callable[[Installation], str], here: Installation) -> str:
    with pytest.raises(checks.Amiss) as found:
        check(here)
    return str(found.value)


def test_a_sound_installation_and_an_unknown_directory(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["doctor", "--json", "--data", str(tmp_path / "data")], env={"HEALTHSVC_DATABASE": None})
    found = {one["part"]: one for one in json.loads(done.stdout)}
    assert {
        "engine",
        "migrations",
        "address",
        "write-ahead log",
        "line journals",
        "clock",
        "keys",
        "signing keys",
        "retention",
        "certificates",
        "backups",
        "roads",
        "disk",
        "link profiles",
    } <= found.keys()
    assert [one for one in found.values() if not one["ok"]] == []
    assert done.exit_code == 0
    assert [path.name for path in (tmp_path / "data").rglob("*") if path.stat().st_mode & 0o077] == []


def test_keys_that_others_may_read(here: Installation) -> None:
    assert "readable by the service alone" in checks.keys(here)
    os.chmod(here.settings.sealing_folder / "first.json", 0o640)
    assert "chmod" in amiss(checks.keys, here)


def test_keys_of_sealed_documents_that_are_gone(here: Installation) -> None:
    """Without them the service would make a new key and go on, and nobody could verify what was sealed before."""
    folder = here.database.signing_keys
    assert folder is not None
    assert checks.seals(here) == "no document is sealed yet"
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        freeze_scan(store, b"%PDF-1.7 scan", title="协议", kind="contract", patient="p")
    assert checks.seals(here) == "1 signing keys of the documents looked at, all there"
    folder.rename(folder.with_name("away"))
    assert f"is not in {folder}" in amiss(checks.seals, here)
    Keyring.of(folder, clock.now())
    assert "put the folder back" in amiss(checks.seals, here), "a new key verifies nothing"
    shutil.rmtree(folder)
    folder.touch()
    with pytest.raises(Unavailable, match="Not a directory"):
        checks.seals(here)
    folder.unlink()
    folder.with_name("away").rename(folder)
    assert "all there" in checks.seals(here)
    if os.geteuid() != 0:
        folder.chmod(0)
        with pytest.raises(Unavailable, match="Permission denied"):
            checks.seals(here)
        folder.chmod(0o700)


def test_references_by_an_address_that_may_be_ours(here: Installation) -> None:
    assert "nothing is referred to" in checks.address(here)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        for number, subject in enumerate(("http://box:8080/fhir/Patient/p", "http://box:8080/fhir/Patient/nobody", "Patient/p")):
            store.put(
                {"resourceType": "Basic", "id": f"b{number}", "code": {"text": "x"}, "subject": {"reference": subject}},
            )
    said = checks.address(here)
    assert "1 references under http://box:8080/fhir name what is here too" in said
    assert "healthsvc fhir reindex" in said
    known = Settings(data=here.settings.data, public_url="https://clinic.example")
    assert checks.address(replace(here, settings=known)) == "others know this server as https://clinic.example"


def test_a_log_that_is_never_cut_back(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 MiB" in checks.log_size(here)
    monkeypatch.setattr(checks, "MUCH_WAL", 1000)
    assert "restart" in amiss(checks.log_size, here)


def test_a_journal_of_lines_that_is_another_databases(here: Installation) -> None:
    own = LineJournal.take(here.database, half=4096)
    assert checks.line_journals(here) == "1 beside the database, 0 messages wait in them"
    foreign = own.path.with_name(own.path.name.replace("line-0", "line-4"))
    Journal.make(foreign, b"of another place", half=4096)
    assert amiss(checks.line_journals, here).startswith(f"{foreign.name} is the journal of another database; move it away")
    foreign.write_bytes(b"x" * 9000)
    with pytest.raises(Invalid, match="no journal"):
        checks.line_journals(here)
    foreign.unlink()
    own.close()
    assert checks.line_journals(here) == "0 beside the database, 0 messages wait in them"


def test_a_journal_of_lines_whose_file_is_gone_is_named_until_somebody_forgets_it(here: Installation) -> None:
    own = LineJournal.take(here.database, half=4096)
    id, data = own._journal.id.hex(), str(here.settings.data)

    def forget(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["hl7", "forget-journal", *words, "--data", data])
        return result.exit_code, " ".join(result.output.split())

    aside = own.path.rename(own.path.with_name("aside"))
    assert f"gone: {id} (carried up to record 0)" in amiss(checks.line_journals, here)
    aside.rename(own.path)
    assert checks.line_journals(here) == "1 beside the database, 0 messages wait in them"
    assert forget(id, "--reason", "it is there")[0] != 0
    own.path.unlink()
    assert forget("00", "--reason", "no such")[0] != 0
    assert forget(id, "--reason", "disk was lost") == (0, f"journal {id} is forgotten")
    assert checks.line_journals(here) == "0 beside the database, 0 messages wait in them"
    own.close()


def test_a_clock_that_was_set_back(here: Installation) -> None:
    assert checks.clocks(here)
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
        assert "set back" in amiss(checks.clocks, here)


def test_the_age_of_the_backups(here: Installation, tmp_path: Path) -> None:
    assert "may not write" in amiss(checks.backup_age, here)
    (tmp_path / "to").mkdir()
    assert "no whole backup" in amiss(checks.backup_age, here)
    make(here.settings, tmp_path / "to", clock.utc_now() - timedelta(hours=3), keep=2)
    assert "3 h old without its keys" in checks.backup_age(here)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        assert "backup failed" in amiss(checks.backup_age, here)


def test_the_certificate_of_the_line(here: Installation) -> None:
    path = here.settings.mllp_certificate
    assert path is not None
    path.unlink()
    assert "No such file" in amiss(checks.certificates, here)
    path.write_text("no certificate")
    assert "PEM" in amiss(checks.certificates, here)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "line")])
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for days, fine in ((400, True), (10, False), (-1, False)):
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        made = made.not_valid_before(now - timedelta(days=900)).not_valid_after(now + timedelta(days=days))
        path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        assert "is not the key of" in amiss(checks.certificates, here)
        path.write_bytes(path.read_bytes() + pem)
        said = checks.certificates(here) if fine else amiss(checks.certificates, here)
        assert "hospital line until" in said if fine else "renew" in said


def test_a_variable_that_sets_nothing(here: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "zone Asia/Shanghai" in checks.settings(here.settings)
    monkeypatch.setenv("HEALTHSVC_BACKUPTO", "/mnt")
    with pytest.raises(checks.Amiss, match="HEALTHSVC_BACKUPTO"):
        checks.settings(here.settings)


def test_a_certificate_that_this_machine_has_not_is_told_once(tmp_path: Path) -> None:
    """After a restore elsewhere: its settings came back, the certificates that they name did not."""
    (tmp_path / "healthsvc.toml").write_text(f'mllp_certificate = "{tmp_path / "gone.pem"}"\n')
    done = CliRunner().invoke(cli, ["doctor", "--json", "--data", str(tmp_path)], env={"HEALTHSVC_DATABASE": None})
    found = {one["part"]: one["says"] for one in json.loads(done.stdout) if not one["ok"]}
    assert found.keys() == {"settings", "disk", "database"}
    assert "mllp_certificate: there is no such file" in found.pop("settings")
    assert set(found.values()) == {"not looked at: see settings"}
    assert done.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["healthsvc.toml"]


def test_roads_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "roads").mkdir(parents=True)
    (tmp_path / "roads" / "network.npz").write_bytes(b"no roads")
    done = CliRunner().invoke(cli, ["doctor", "--json", "--data", str(tmp_path)])
    roads = next(one for one in json.loads(done.stdout) if one["part"] == "roads")
    assert not roads["ok"], roads
    assert "load the extract again" in roads["says"]
    assert done.exit_code == 1


def test_postgresql_and_its_settings(postgres_url: str, tmp_path: Path) -> None:
    here = open_installation(settings=Settings(data=tmp_path / "data", database=postgres_url))
    assert "fsync" in amiss(checks.engine, here)  # the tests' server runs without it
    assert checks.clocks(here)
    assert checks.log_size(here) == checks.line_journals(here) == "kept by the server"
    here.close()
