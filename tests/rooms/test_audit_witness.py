"""The audit keeps what it was told: a changed, removed or moved row and a cut-off end are found; old rows go by policy."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from healthsvc.access.audit import bear_witness, forget, verify
from healthsvc.errors import Unavailable
from healthsvc.store import SYSTEM, Database
from healthsvc.store.stored import micros
from healthsvc.store.witness import Witness

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def database(engine_url: str, tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(engine_url, sealing_keys=tmp_path / "keys")
    yield opened
    opened.close()


@pytest.fixture
def witness(database: Database, tmp_path: Path) -> Witness:
    return Witness(tmp_path / "apart" / "witness", database.sealer)


def act(database: Database, *names: str, at: datetime = AT) -> None:
    for name in names:
        with database.writing(SYSTEM, at=at) as store:
            store.audit("look", f"thing/{name}")


def damage(database: Database, sql: str) -> None:
    with database.plainly() as connection:
        connection.execute(text(sql))


def test_what_nobody_has_touched_is_sound(database: Database, witness: Witness) -> None:
    act(database, "a", "b")
    assert bear_witness(database, witness, AT)
    assert not bear_witness(database, witness, AT), "nothing new"
    act(database, "c")
    assert bear_witness(database, witness, AT + timedelta(minutes=1))
    assert verify(database, witness).sound


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE audit SET actor='other' WHERE subject='thing/b'", "content was changed"),
        ("DELETE FROM audit WHERE subject='thing/b'", "removed or moved"),
        ("DELETE FROM audit WHERE subject IN ('thing/d', 'thing/c')", "cut off"),
        ("DELETE FROM audit", "cut off"),
        ("UPDATE audit SET seq = seq + 100 WHERE subject='thing/b'", "removed or moved"),
    ],
)
def test_what_somebody_has_touched_is_found(database: Database, witness: Witness, sql: str, said: str) -> None:
    act(database, "a", "b", "c", "d", "e")
    damage(database, "DELETE FROM audit WHERE subject='thing/e'")  # what no witness has seen cannot be missed
    bear_witness(database, witness, AT)
    damage(database, sql)
    assert any(said in one for one in verify(database, witness).faults), verify(database, witness).faults


def test_a_chain_that_was_written_anew_is_found(database: Database, witness: Witness) -> None:
    act(database, "a", "b", "c")
    bear_witness(database, witness, AT)
    damage(database, "DELETE FROM audit")
    sequence = "audit_seq_seq" if database.engine.dialect.name == "postgresql" else ""
    if sequence:
        damage(database, f"ALTER SEQUENCE {sequence} RESTART WITH 1")
    act(database, "a", "x", "c")
    assert [one for one in verify(database, witness).faults if "written anew" in one]


def test_a_witness_that_was_changed_says_so(database: Database, witness: Witness) -> None:
    for name in "abc":
        act(database, name)
        bear_witness(database, witness, AT)
    path = witness.path
    lines = path.read_bytes().splitlines(keepends=True)
    for changed in (lines[:1] + lines[2:], [lines[0].replace(b"2026", b"2027"), *lines[1:]], [b"?\n", *lines[1:]]):
        path.write_bytes(b"".join(changed))
        assert any(one.startswith("witness, line") for one in verify(database, witness).faults)
    path.write_bytes(b"".join(lines) + b'{"at": "20')
    assert verify(database, witness).sound, "half a line of a power cut counts for nothing"


def test_old_rows_go_by_policy_and_the_rest_stays_sound(database: Database, witness: Witness) -> None:
    act(database, "a", "b", at=AT - timedelta(days=2000))
    bear_witness(database, witness, AT - timedelta(days=2000))
    act(database, "c", "d")
    bear_witness(database, witness, AT)
    with database.writing(SYSTEM, at=AT) as store:
        assert forget(store) == 2
    with database.writing(SYSTEM, at=AT) as store:
        assert forget(store) == 0
    assert verify(database, witness).sound
    with database.engine.connect() as connection:
        acts = connection.execute(text("SELECT action, subject FROM audit ORDER BY seq")).all()
    assert [one.action for one in acts] == ["look", "look", "audit-forget"]
    damage(database, "DELETE FROM audit WHERE subject='thing/c'")
    assert not verify(database, witness).sound


def test_a_young_audit_is_never_forgotten(database: Database) -> None:
    act(database, "a", at=AT - timedelta(days=100))
    with database.writing(SYSTEM, at=AT) as store:
        assert forget(store) == 0


LOOK = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from healthsvc.store import SYSTEM, Database
database = Database.open(sys.argv[1], sealing_keys=Path(sys.argv[2]))
database.reads.before_answer = True
with database.reading(SYSTEM, at=datetime.now(UTC)) as store:
    store.audit("read", "Patient/p")
print("answered", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_look_is_on_the_disk_before_it_is_answered_where_the_site_wants_it(engine_url: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOOK, engine_url, str(tmp_path / "keys")], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout == "answered\n"
    opened = Database.open(engine_url, sealing_keys=tmp_path / "keys")
    with opened.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM audit WHERE subject='Patient/p'")).scalar_one() == 1
    opened.close()


def test_a_look_that_cannot_be_noted_is_refused_there(tmp_path: Path) -> None:
    opened = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite")
    opened.reads.before_answer = True
    with opened.plainly() as connection:
        connection.execute(text("ALTER TABLE audit RENAME TO gone"))
    with pytest.raises(Unavailable, match="noted"), opened.reading(SYSTEM, at=AT) as store:
        store.audit("read", "Patient/p")
    with opened.plainly() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO audit"))
    opened.close()


def test_a_writer_may_look_within_its_own_transaction(tmp_path: Path) -> None:
    opened = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite")
    opened.reads.before_answer = True
    with opened.writing(SYSTEM, at=AT), opened.reading(SYSTEM, at=AT) as store:
        store.audit("read", "Patient/p")
    opened.close()
    assert os.path.exists(tmp_path / "healthsvc.sqlite")


def test_the_moment_is_what_is_told(database: Database) -> None:
    act(database, "a")
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT at FROM audit")).scalar_one() == micros(AT)
