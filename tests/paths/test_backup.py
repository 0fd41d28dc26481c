"""Backups: made beside a busy writer, restored and proved; whatever is missing, changed, open or of another version is found."""

import fcntl
import io
import json
import os
import shutil
import sqlite3
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import NullPool, create_engine, make_url

from healthsvc import clock
from healthsvc.backup import postgresql
from healthsvc.backup.keeper import Keeper
from healthsvc.backup.make import Made, backups, make, mark_of
from healthsvc.backup.manifest import FORMAT, Manifest
from healthsvc.backup.parts import pack, unpack
from healthsvc.backup.restore import restore
from healthsvc.config import Settings
from healthsvc.documents import Document, Paragraph, Section, freeze
from healthsvc.emergency.journal import Call, Journal
from healthsvc.errors import Conflict, Invalid, Refusal, Unavailable
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM

AT = datetime(2026, 11, 28, 2, tzinfo=UTC)


@contextmanager
def site(folder: Path, database: str | None = None) -> Iterator[Installation]:
    """An installation with a person, a frozen document, a waiting alarm and a hospital's line."""
    here = open_installation(settings=Settings(data=folder, database=database))
    try:
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            store.put({"resourceType": "Patient", "id": "p1", "name": [{"text": "备份某"}]})
            paper = Document("协议", (Section("约定", (Paragraph("第一条"),)),), AT, issuer="示范中心")
            freeze(store, paper, kind="contract", patient="p1")
        Journal(folder / "alarms").open("a1", Call("button", "81890", AT, patient="p1"))
        (folder / "hospitals").mkdir()
        (folder / "hospitals" / "one.toml").write_text('title = "第一医院"\n')
        (folder / "healthsvc.toml").write_text('notify_secret = "keep me apart"\n')
        yield here
    finally:
        here.close()


@contextmanager
def busy(here: Installation) -> Iterator[Callable[[], int]]:
    """Somebody writes as fast as they can; gives how many they have written."""
    stop, written = threading.Event(), [0]

    def work() -> None:
        while not stop.is_set():
            with here.database.writing(SYSTEM, at=clock.now()) as store:
                store.put({"resourceType": "Patient", "id": f"w{written[0]}", "name": [{"text": f"写{written[0]}"}]})
            written[0] += 1

    writer = threading.Thread(target=work)
    writer.start()
    try:
        while written[0] < 20:
            stop.wait(0.01)
        yield lambda: written[0]
    finally:
        stop.set()
        writer.join()


def test_beside_a_busy_writer_and_back_again(tmp_path: Path, engine_url: str, request: pytest.FixtureRequest) -> None:
    postgres = engine_url.startswith("postgresql")
    with site(tmp_path / "data", engine_url if postgres else None) as here:
        with busy(here) as written:
            before = written()
            made = make(here.settings, tmp_path / "to", AT, keep=3, keys_to=tmp_path / "keys")
            after = written()
            while written() < after + 5:
                threading.Event().wait(0.01)
        total = written()
    assert made.folder.name == "healthsvc-20261128T020000Z"
    assert made.keys is not None
    target = None
    if postgres:
        target = engine_url.rsplit("/", 1)[0] + "/restored"
        admin = create_engine(engine_url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS restored")
            connection.exec_driver_sql("CREATE DATABASE restored")
        admin.dispose()
        rehearsed = restore(made.folder, tmp_path / "back", database=target, keys=made.keys, keep=False)
        assert rehearsed.findings == ()
        assert not (tmp_path / "back").exists(), "and the database is empty again, or the next line would be refused"
    done = restore(made.folder, tmp_path / "back", database=target, keys=made.keys)
    assert (done.findings, done.documents) == ((), 1)
    back = open_installation(settings=Settings(data=tmp_path / "back", database=target))
    with back.database.reading(SYSTEM, at=clock.now()) as store:
        assert store.read("Patient", "p1")["name"] == [{"text": "备份某"}]
        saved = sum(store.find("Patient", f"w{number}") is not None for number in range(total))
    back.close()
    assert before <= saved <= after + 1 < total
    assert Journal(tmp_path / "back" / "alarms").waiting() == ["a1"]
    assert (tmp_path / "back" / "hospitals" / "one.toml").is_file()
    assert "apart" in (tmp_path / "back" / "healthsvc.toml").read_text()
    assert not any("secret" in name or "keys" in name for name in (path.name for path in made.folder.iterdir()))


@pytest.mark.postgres
def test_beside_another_s_schema_that_may_not_be_read(tmp_path: Path, postgres_url: str) -> None:
    """A user of a schema of their own, which `search_path` names, in a database that others use too."""
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    url = make_url(postgres_url)
    with admin.connect() as connection:
        connection.exec_driver_sql('CREATE ROLE "Care" LOGIN')
        connection.exec_driver_sql("ALTER ROLE \"Care\" SET search_path = 'Eigen'")
        for name in (url.database, "backup_elsewhere"):
            if name != url.database:
                connection.exec_driver_sql(f"CREATE DATABASE {name}")
            with create_engine(url.set(database=name), isolation_level="AUTOCOMMIT", poolclass=NullPool).connect() as there:
                there.exec_driver_sql('CREATE SCHEMA "Eigen" AUTHORIZATION "Care"')
                there.exec_driver_sql("CREATE SCHEMA other")
                there.exec_driver_sql("CREATE TABLE other.theirs (x int)")
    ours, elsewhere = (
        url.set(username="Care", database=name).render_as_string(hide_password=False) for name in (url.database, "backup_elsewhere")
    )
    with site(tmp_path / "data", ours) as here:
        made = make(here.settings, tmp_path / "to", AT, keep=3, keys_to=tmp_path / "keys")
    for keep in (False, True):
        done = restore(made.folder, tmp_path / "back", database=elsewhere, keys=made.keys, keep=keep)
        assert (done.findings, done.documents) == ((), 1)
    with create_engine(url.set(database="backup_elsewhere"), poolclass=NullPool).connect() as there:
        assert there.exec_driver_sql("SELECT count(*) FROM other.theirs").scalar_one() == 0
    admin.dispose()


@pytest.fixture
def made(tmp_path: Path) -> Made:
    with site(tmp_path / "data") as here:
        return make(here.settings, tmp_path / "to", AT, keep=3, keys_to=tmp_path / "keys")


def refused(made: Made, tmp_path: Path) -> str:
    """What a restore says; nothing may be left where it would have gone."""
    with pytest.raises(Refusal) as told:
        restore(made.folder, tmp_path / "back", keys=made.keys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "keys", "to"]
    return told.value.text


@pytest.mark.parametrize("name", ["database.sqlite.gz", "site.tar.gz", "alarms.tar.gz", "manifest.json"])
def test_a_flipped_byte_and_a_missing_part_are_found(made: Made, tmp_path: Path, name: str) -> None:
    path = made.folder / name
    whole = path.read_bytes()
    for place in (len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert name in refused(made, tmp_path)
    path.write_bytes(whole[:-1])
    assert name in refused(made, tmp_path)
    path.unlink()
    assert name in refused(made, tmp_path)


def test_another_version_is_refused(made: Made, tmp_path: Path) -> None:
    rewritten = json.loads((made.folder / "manifest.json").read_bytes()) | {"format": FORMAT + 1}
    (made.folder / "manifest.json").write_text(json.dumps(rewritten))
    assert "form" in refused(made, tmp_path)
    later = replace(made.manifest, version="9.0", contents=replace(made.manifest.contents, migration="9999"))
    later.write(made.folder)
    assert "9.0" in refused(made, tmp_path)


def test_what_does_not_agree_with_the_manifest_is_told(made: Made, tmp_path: Path) -> None:
    rows = made.manifest.contents.rows
    told = replace(made.manifest.contents, rows={**rows, "resource": rows["resource"] + 1}, audit_head="00")
    replace(made.manifest, contents=told).write(made.folder)
    found = restore(made.folder, tmp_path / "back", keys=made.keys).findings
    assert any(f"table resource: {rows['resource']} instead of {rows['resource'] + 1}" in one for one in found)
    assert any("audit ends" in one for one in found)


def test_what_was_changed_before_the_backup_is_told(tmp_path: Path) -> None:
    with site(tmp_path / "data") as here:
        here.database.close()
        with sqlite3.connect(tmp_path / "data" / "healthsvc.sqlite") as plain:
            plain.execute("UPDATE audit SET actor = 'somebody else' WHERE seq = 1")
        plain.close()
        made = make(here.settings, tmp_path / "to", AT, keep=3)
    found = restore(made.folder, tmp_path / "back").findings
    assert any("audit row 1" in one for one in found)
    assert any("signing-keys are not there" in one for one in found)
    assert any("sealing-keys are not there" in one for one in found)
    assert made.manifest.left_out["keys"]


def test_the_target_must_be_empty_and_the_keys_lie_apart(made: Made, tmp_path: Path) -> None:
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "something").write_text("of somebody")
    with pytest.raises(Conflict, match="not empty"):
        restore(made.folder, tmp_path / "back", keys=made.keys)
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["something"]
    with pytest.raises(Invalid, match="keys"):
        make(Settings(data=tmp_path / "data"), tmp_path / "to", AT, keep=3, keys_to=tmp_path / "to" / "keys")


def test_closed_to_a_public_key_nothing_lies_open(tmp_path: Path) -> None:
    ours, another = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    with site(tmp_path / "data") as here:
        made = make(here.settings, tmp_path / "to", AT, keep=3, keys_to=tmp_path / "keys", to=ours.to_public())
    assert made.keys is not None
    for path in (*made.folder.glob("*.age"), made.keys):
        assert path.read_bytes().startswith(b"age-encryption.org/v1")
    assert {path.suffix for path in made.folder.iterdir()} == {".age", ".json"}
    for wrong in (None, another):
        with pytest.raises(Invalid):
            restore(made.folder, tmp_path / "back", keys=made.keys, identity=wrong)
        assert not (tmp_path / "back").exists()
    assert restore(made.folder, tmp_path / "back", keys=made.keys, identity=ours).findings == ()


def test_so_many_are_kept_and_what_was_killed_is_swept(made: Made, tmp_path: Path) -> None:
    settings, target = Settings(data=tmp_path / "data"), tmp_path / "to"
    (target / f".healthsvc-20260101T000000Z.{mark_of(settings.data)}.partial").mkdir()
    (tmp_path / "data" / ".backup-killed").mkdir()
    (target / "healthsvc-notes").mkdir()
    for day in range(1, 4):
        last = make(settings, target, AT + timedelta(days=day), keep=2)
    assert last.removed == ("healthsvc-20261129T020000Z",)
    assert [folder.name for folder, _ in backups(target)] == ["healthsvc-20261201T020000Z", "healthsvc-20261130T020000Z"]
    assert {path.name for path in target.iterdir()} == {"healthsvc-20261201T020000Z", "healthsvc-20261130T020000Z", "healthsvc-notes"}
    assert not (tmp_path / "data" / ".backup-killed").exists()


def test_installations_that_share_a_folder_leave_each_other_s_backups_alone(made: Made, tmp_path: Path) -> None:
    target, other = tmp_path / "to", Settings(data=tmp_path / "other")
    ours = made.manifest.keys
    with site(other.data):
        under_way = target / ".healthsvc-20261201T020000Z.aaaaaaaa.partial"
        under_way.mkdir()
        made_there = [make(other, target, AT + timedelta(days=day), keep=1) for day in range(3)]
    assert made_there[0].folder.name.startswith(f"{made.folder.name}-"), "made in the same second"
    assert made_there[2].removed == (made_there[1].folder.name,)
    assert [folder for folder, _ in backups(target, ours)] == [made.folder], "theirs do not count as ours"
    assert [folder for folder, _ in backups(target)] == [made_there[2].folder, made.folder]
    assert under_way.is_dir(), "another's that is being made"


def test_a_disk_that_is_full_leaves_no_backup_behind(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        make(Settings(data=tmp_path / "data"), tmp_path / "to", AT + timedelta(days=1), keep=3)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "to").iterdir()] == [made.folder.name]


def test_the_timer_s_backup(tmp_path: Path) -> None:
    with site(tmp_path / "data") as here:
        keeper = Keeper(here.settings, here.policy, tmp_path / "to")
        keeper.start()
        keeper.ask()
        ends = threading.Event()
        while not backups(tmp_path / "to"):
            ends.wait(0.02)
        keeper.stop()
    assert len(backups(tmp_path / "to")) == 1
    assert asdict(Manifest.read(backups(tmp_path / "to")[0][0]))["engine"] == "sqlite"


def test_without_the_programs_of_postgresql_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "_PLACES", ())
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(Unavailable, match="postgresql-client"):
        postgresql.program("pg_dump")


@pytest.mark.parametrize("name", ["../out", "/out", "site/../../out", "link", "folder", "there"])
def test_nothing_of_an_archive_lands_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    """Names that lead out, links and folders, and a link that lies there already; nothing of it needs a newer Python than Debian 12 has."""
    archive, into = tmp_path / "site.tar.gz", tmp_path / "into"
    into.mkdir()
    (into / "there").symlink_to(tmp_path / "out")
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = {"link": (tarfile.SYMTYPE, "../out"), "folder": (tarfile.DIRTYPE, "")}.get(name, (tarfile.REGTYPE, ""))
        entry.size = 4 if entry.isreg() else 0
        tar.addfile(entry, io.BytesIO(b"evil"))
    with archive.open("rb") as source, pytest.raises((Invalid, OSError)):
        unpack(source, into)
    assert not (tmp_path / "out").exists()
    assert [path.name for path in into.iterdir()] == ["there"]


def test_what_is_packed_comes_out_as_it_was_and_shut_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile.TarFile, "extract")
    (tmp_path / "key").write_bytes(b"k" * 3_000_000)
    (tmp_path / "key").chmod(0o666)
    os.utime(tmp_path / "key", (1_700_000_000, 1_700_000_000))
    packed = pack([("a/b/key", tmp_path / "key")], tmp_path / "site.tar.gz")
    with packed.open("rb") as source:
        assert unpack(source, tmp_path / "into") == ["a/b/key"]
    out = tmp_path / "into" / "a" / "b" / "key"
    assert out.read_bytes() == b"k" * 3_000_000
    assert out.stat().st_mtime == 1_700_000_000
    assert [oct(path.stat().st_mode & 0o022) for path in (out, out.parent, out.parent.parent)] == ["0o0"] * 3


def test_every_flipped_byte_of_an_archive_of_keys_is_found(tmp_path: Path) -> None:
    """No manifest holds its checksum: it lies elsewhere. What the flip leaves as it was may pass, another key may not."""
    (tmp_path / "key").write_bytes(b"0123456789abcdef" * 8)
    whole = pack([("keys/key", tmp_path / "key")], tmp_path / "k.tar.gz").read_bytes()
    passed = 0
    for number, damaged in enumerate([bytes([*whole[:at], whole[at] ^ 4, *whole[at + 1 :]]) for at in range(len(whole))]):
        into = tmp_path / f"{number}"
        try:
            unpack(io.BytesIO(damaged), into)
        except Invalid:
            continue
        passed += 1
        assert (into / "keys" / "key").read_bytes() == b"0123456789abcdef" * 8
    assert passed < 20, "the name and the time in the head of gzip are no part of what is packed"
    for length in range(len(whole)):
        with pytest.raises(Invalid):
            unpack(io.BytesIO(whole[:length]), tmp_path / "cut")


def test_keys_that_came_back_damaged_or_open_nothing_are_told(made: Made, tmp_path: Path) -> None:
    assert made.keys is not None
    whole = made.keys.read_bytes()
    made.keys.write_bytes(whole[: len(whole) // 2])
    assert "cannot be unpacked" in refused(made, tmp_path)
    made.keys.write_bytes(whole)
    folder = tmp_path / "data" / "sealing-keys"
    told = json.loads((folder / "first.json").read_text())
    (folder / "first.json").write_text(json.dumps(told | {"key": told["key"][::-1].lstrip("=").ljust(44, "=")}))
    data = tmp_path / "data"
    pack([(path.relative_to(data).as_posix(), path) for path in data.glob("*-keys/*")], made.keys)
    found = restore(made.folder, tmp_path / "back", keys=made.keys).findings
    assert any("sealed values do not open" in one for one in found), found


def test_a_sealed_value_that_was_damaged_before_the_backup_is_told(tmp_path: Path) -> None:
    with site(tmp_path / "data") as here:
        with here.database.plainly() as connection:
            (body,) = connection.exec_driver_sql("SELECT body FROM resource WHERE id = 'p1'").one()
            connection.exec_driver_sql("UPDATE resource SET body = ? WHERE id = 'p1'", (body[:-1] + bytes([body[-1] ^ 1]),))
        made = make(here.settings, tmp_path / "to", AT, keep=3, keys_to=tmp_path / "keys")
    [found] = restore(made.folder, tmp_path / "back", keys=made.keys).findings
    assert found.startswith("resource: 1 of ")


def test_a_machine_without_the_certificates_that_the_settings_name(tmp_path: Path) -> None:
    """It is restored and verified all the same, and told what has to be mended before it can serve there; a rehearsal has no settings."""
    with site(tmp_path / "data") as here:
        (tmp_path / "data" / "healthsvc.toml").write_text(f'https_certificate = "{tmp_path / "gone.pem"}"\nhttps_client_required = true\n')
        made = make(here.settings, tmp_path / "to", AT, keep=3, keys_to=tmp_path / "keys")
    assert restore(made.folder, tmp_path / "rehearsal", keys=made.keys, keep=False).findings == ()
    done = restore(made.folder, tmp_path / "back", keys=made.keys)
    [found] = done.findings
    assert done.documents == 1
    assert found.startswith("before it can serve here: a setting is wrong: https_certificate: there is no such file")
    assert (tmp_path / "back" / "healthsvc.sqlite").is_file()


def test_a_backup_that_fails_after_its_keys_leaves_none_behind(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for owner, name in ((Manifest, "write"), (os, "rename")):
        (tmp_path / "keys" / f".healthsvc-20260101T000000Z.{mark_of(tmp_path / 'data')}.partial").mkdir()
        monkeypatch.setattr(owner, name, full)
        with pytest.raises(Unavailable, match="No space left"):
            make(Settings(data=tmp_path / "data"), tmp_path / "to", AT + timedelta(days=1), keep=3, keys_to=tmp_path / "keys")
        monkeypatch.undo()
        assert list((tmp_path / "to").iterdir()) == [made.folder]
        assert list((tmp_path / "keys").iterdir()) == [made.keys]


def test_what_a_killed_restore_left_is_removed_by_the_next(made: Made, tmp_path: Path) -> None:
    """It holds keys beside what they open. One that is under way is left alone."""
    left, other = tmp_path / ".back.restore-killed", tmp_path / ".back.restore-underway"
    for folder in (left, other):
        (folder / "sealing-keys").mkdir(parents=True)
    handle = os.open(other, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert restore(made.folder, tmp_path / "back", keys=made.keys).findings == ()
    os.close(handle)
    assert not left.exists()
    assert other.exists()
