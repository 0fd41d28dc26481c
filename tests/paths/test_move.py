"""From SQLite to PostgreSQL: the demonstration's district is carried over, killed on the way, gone on with and compared row by row."""

import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import postgres
import pytest
from served import run, served
from sqlalchemy import create_engine, text

from healthsvc import clock
from healthsvc.circle.town import town
from healthsvc.config import Settings
from healthsvc.documents import verify as verify_document
from healthsvc.errors import Conflict, Invalid, Unavailable
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, moving
from integrations.demo import story

pytestmark = pytest.mark.postgres
DISK_MIB = 160
ROOT = Path(__file__).resolve().parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from healthsvc.store import moving
moving.PORTION = 300
calls = 0
def told(table, done, total):
    global calls
    calls += done > 0
    if calls == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
moving.move(Path(sys.argv[1]), sys.argv[2], told)
"""


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small installation with people, contracts and beds of the demonstration."""
    data = tmp_path_factory.mktemp("district") / "data"
    patch = pytest.MonkeyPatch()
    patch.setattr(story, "PEOPLE", 30)
    patch.setattr(story, "BEDS", 3)
    here, places, told = open_installation(data), town(), story.Told()
    at = datetime.now(clock.zone()) - timedelta(days=1)
    staff = story.settle(here, places, at, told)
    story.bring_in(here, places, data, at, told, lambda *_: None)
    story.sign_contracts(here, staff, at, told, lambda *_: None)
    story.open_channels(here, at, told)
    here.close()
    patch.undo()
    return data


def test_killed_on_the_way_it_goes_on_and_every_row_is_there(district: Path, postgres_url: str) -> None:
    source = district / "healthsvc.sqlite"
    for portions in (1, 7):  # twice, once early and once among the large tables
        killed = subprocess.run([sys.executable, "-c", KILLED, str(source), postgres_url, str(portions)], cwd=ROOT, check=False)
        assert killed.returncode == -9
        with pytest.raises(Invalid, match="holds part of an installation"):  # whoever served it would serve a part, and add to it
            open_installation(settings=Settings(data=district, database=postgres_url))
    engine = create_engine(postgres_url)
    with engine.connect() as connection:
        over = connection.execute(text("SELECT sum(rows) FROM moving")).scalar_one()
    told = run("move", "--to", postgres_url, "--data", str(district))
    assert "each as it was; the audit is intact" in told
    with engine.connect() as connection:
        assert connection.execute(text("SELECT to_regclass('moving')")).scalar_one() is None
        assert 0 < over < connection.execute(text("SELECT count(*) FROM ix_token")).scalar_one() * 20
    engine.dispose()
    with pytest.raises(Conflict, match="not empty"):
        moving.move(source, postgres_url)
    _lives(district, postgres_url)


def _lives(data: Path, url: str) -> None:
    """The installation goes on there: what is sealed is read, documents are as they were signed, new rows get numbers of their own."""
    embedded = open_installation(data)
    there = open_installation(settings=Settings(data=data, database=url))
    with embedded.database.reading(SYSTEM, at=clock.now()) as old, there.database.reading(SYSTEM, at=clock.now()) as new:
        for type in ("Patient", "Contract", "Task", "Flag", "Practitioner"):
            ours, theirs = old.select(type), new.select(type)
            assert ours
            assert sorted(ours, key=str) == sorted(theirs, key=str)
        papers = new.select("DocumentReference")
        assert papers
        assert all(verify_document(new, one["id"]).intact for one in papers)
    with there.database.writing(SYSTEM, at=clock.now()) as store:
        made = store.create({"resourceType": "Basic", "code": {"text": "new"}})
        store.audit("look", "Basic")
    with there.database.reading(SYSTEM, at=clock.now()) as store:
        assert store.read("Basic", made["id"])["code"] == {"text": "new"}
    embedded.close()
    there.close()


def test_a_target_whose_disk_is_full_says_so_and_is_gone_on_with(district: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "PORTION", 300)
    with postgres.cluster(disk_mib=DISK_MIB) as server:
        with ExitStack() as full:

            def told(table: str, done: int, total: int) -> None:
                if (table, done) == ("history", 0):
                    full.enter_context(server.full())

            with pytest.raises(Unavailable) as refused:
                moving.move(district / "healthsvc.sqlite", server.url, told)
        assert "disk" in refused.value.text, refused.value.text
        assert moving.move(district / "healthsvc.sqlite", server.url).sound


def test_what_differs_is_found(district: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = moving._compare

    def tampered(reading, target, table):  # type: ignore[no-untyped-def]
        if table.name == "claim":
            target.execute(text("UPDATE claim SET holder = 'x' WHERE key = (SELECT min(key) FROM claim)"))
        return real(reading, target, table)

    monkeypatch.setattr(moving, "_compare", tampered)
    found = moving.move(district / "healthsvc.sqlite", postgres_url)
    assert not found.sound
    [wrong] = [one for one in found.tables if not one.same]
    assert (wrong.table, wrong.rows, wrong.rows_there) == ("claim", wrong.rows, wrong.rows)
    assert wrong.first == "row 1"
    monkeypatch.undo()
    assert moving.move(district / "healthsvc.sqlite", postgres_url, again=True).sound


def test_a_source_that_changed_a_target_that_is_full_and_a_source_in_use_are_refused(
    district: Path, postgres_url: str, migrated_url: str
) -> None:
    source = district / "healthsvc.sqlite"
    with pytest.raises(Invalid, match="--to postgresql"):
        moving.move(source, "sqlite:///x")
    with pytest.raises(Conflict, match="not empty"):
        moving.move(source, migrated_url)
    subprocess.run([sys.executable, "-c", KILLED, str(source), postgres_url, "2"], cwd=ROOT, check=False)
    here = open_installation(district)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        store.create({"resourceType": "Basic", "code": {"text": "meanwhile"}})
    here.close()
    with pytest.raises(Conflict, match="--again"):
        moving.move(source, postgres_url)
    with served(district):
        run("move", "--to", postgres_url, "--again", "--data", str(district), expect=2)
    assert moving.move(source, postgres_url, again=True).sound
