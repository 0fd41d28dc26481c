"""到某一时刻: the blocks of operations.md, word for word, on a server of its own: archive, base backup, back to a moment, on from there."""

import json
import re
import subprocess
import time
from datetime import datetime
from pathlib import Path

import postgres
import pytest
from hospital import LISTEN, PEER, Hospital, citizen, segment
from sqlalchemy import text
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.access.audit import bear_witness
from healthsvc.installation import Installation, open_installation
from healthsvc.main import cli
from healthsvc.store.sealing.keys import rotate

pytestmark = pytest.mark.postgres
DOCUMENT = Path(__file__).resolve().parents[2] / "healthsvc" / "docs" / "operations.md"
MOMENT = "2026-11-28 10:15:00+08"
"""As it stands in the document."""


def blocks(places: dict[str, str]) -> list[str]:
    """The blocks of the section in their order, with this machine's places in them."""
    section = DOCUMENT.read_text(encoding="utf-8").split("### 到某一时刻")[1].split("\n## ")[0]
    found = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    for told, here in places.items():
        assert any(told in one for one in found), told
        found = [one.replace(told, here) for one in found]
    return found


def told(here: Installation, messages: list[str]) -> list[str]:
    """A hospital sends messages; gives its answers' codes."""
    hospital = Hospital(here.database)
    answers = [hospital.inbox.take_now(one.encode(), LISTEN, PEER).decode().split("\r")[1].split("|")[1] for one in messages]
    hospital.worker.drain()
    hospital.inbox.stop()
    return answers


def stands(here: Installation) -> tuple[int, int, int]:
    """How many messages, files and stays there are."""
    with here.database.engine.connect() as connection:
        of = "SELECT count(*) FROM resource r JOIN term t ON t.id = r.type WHERE t.text = :type"
        counted = [connection.execute(text(of), {"type": type}).scalar_one() for type in ("Patient", "Encounter")]
        return (connection.execute(text("SELECT count(*) FROM inbox")).scalar_one(), *counted)


def amiss(data: Path) -> list[str]:
    """What the doctor finds."""
    done = CliRunner().invoke(cli, ["doctor", "--json", "--data", str(data)], env={"HEALTHSVC_DATABASE": None})
    found = [one["part"] for one in json.loads(done.stdout) if not one["ok"]]
    assert done.exit_code == bool(found)
    return found


def test_back_to_a_moment_as_it_is_written(tmp_path: Path) -> None:
    one = postgres.Cluster("-c full_page_writes=on", on_disk=True)  # and all else as the server has it unless told otherwise
    try:
        where = {"/mnt/wal": f"{one.folder}/wal", "/mnt/base": f"{one.folder}/base", "/var/lib/postgresql/15/main": f"{one.folder}/data"}
        where |= {"/var/lib/healthsvc": str(tmp_path / "data"), " healthsvc\n": " postgres\n"}
        one.shell(f"mkdir {one.folder}/wal {one.folder}/base")
        configuration, weekly, back, asked, after = blocks(where)
        with (one.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(configuration)
        one.start()
        data = tmp_path / "data"
        data.mkdir()
        (data / "healthsvc.toml").write_text(f'database = "{one.url}"\n')
        here = open_installation(data)
        ward = Hospital(here.database)
        said = [
            ward.message("ADT^A01", f"N{n}", segment("PV1", _2="I", _19=f"V{n}"), citizen=citizen(900 + n), id=f"G{n}") for n in range(6)
        ]
        assert set(told(here, said[:2])) == {"AA"}
        one.shell(weekly)
        assert set(told(here, said[2:4])) == {"AA"}
        before = stands(here)
        time.sleep(0.1)
        moment = datetime.now(clock.zone())
        time.sleep(0.1)
        rotate(here.settings.sealing_folder)
        assert set(told(here, said[4:])) == {"AA"}
        assert stands(here) == (6, 6, 6)
        bear_witness(here.database, here.witness, clock.now())
        ward.inbox.stop()
        here.close()
        one.shell("psql -Atc 'SELECT pg_switch_wal()' postgres")
        one.stop("fast")  # which waits until everything is archived
        one.shell(back.replace(MOMENT, moment.isoformat(sep=" ")))
        one.start()
        ends = time.monotonic() + 60
        while one.shell(asked) != "f\n":
            assert time.monotonic() < ends
            time.sleep(0.1)

        assert amiss(data) == ["audit", "sealing"], "the witness has seen what is gone now; the newer key has not closed everything yet"
        aside, admin, _ = after.split("\n")[1:4]
        subprocess.run(["sh", "-euc", aside], check=True)
        assert admin == "healthsvc-admin doctor"
        assert amiss(data) == ["sealing"]
        again = open_installation(data)
        assert stands(again) == before == (4, 4, 4)
        assert set(told(again, said)) == {"AA"}, "the hospital sends all of the day again"
        assert stands(again) == (6, 6, 6)
        again.close()
    finally:
        if one.runs():
            one.stop()
        one.remove()
