"""Replaced one by one: steps only add, the program of before goes on on the schema of after, and what takes away waits to be told."""

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from healthsvc import clock
from healthsvc.access.accounts import create_user
from healthsvc.errors import Invalid
from healthsvc.jobs import Job, run_due
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, migrate
from healthsvc.store.audit import verify
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.worker import Worker

BEFORE_THE_FIRST_RELEASE = frozenset({"0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011"})
"""Numbers of steps that no running site has ever gone through one by one."""
Schema = dict[str, dict[str, Any]]

EXPAND = '''
"""What a later release might add."""
import sqlalchemy as sa
from alembic import op
revision = "9001_later"
down_revision = "{head}"
branch_labels = depends_on = None
def upgrade():
    op.create_table("of_later", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("said", sa.String()))
    for table in ("resource", "history", "audit", "claim", "outbox", "inbox", "followed", "firing", "lease", "access_user", "term"):
        op.add_column(table, sa.Column("of_later", sa.String(), nullable=True))
        op.add_column(table, sa.Column("counted_later", sa.Integer(), nullable=False, server_default="0"))
    for table in ("ix_token", "ix_string", "ix_date", "ix_reference", "ix_quantity", "ix_uri"):
        op.add_column(table, sa.Column("of_later", sa.String(), nullable=True))
    op.create_index("ix_of_later", "resource", ["of_later"])
'''
CONTRACT = '''
"""What a release after that might take away."""
from alembic import op
revision = "9002_gone"
down_revision = "9001_later"
branch_labels = depends_on = None
contract = True
def upgrade():
    op.drop_table("of_later")
'''


def test_no_step_takes_away_what_the_release_before_uses(tmp_path: Path) -> None:
    """Seen in what a step does to the tables, whatever way it is written."""
    engine = create_engine(f"sqlite:///{tmp_path}/steps.sqlite")
    before: Schema = {}
    wrong = []
    for script in migrate.scripts():
        with engine.begin() as connection:
            command.upgrade(migrate.configuration(connection), script.revision)
        after = schema(engine)
        if script.revision[:4] not in BEFORE_THE_FIRST_RELEASE and not migrate.contracts(script):
            wrong += [f"{script.revision}: {said}" for said in taken_away(before, after)]
        before = after
    engine.dispose()
    assert wrong == [], "make it an expanding step, or one of its own that says `contract = True`"


def test_the_lint_sees_what_it_is_to_see(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/lint.sqlite")

    def done(*statements: str) -> list[str]:
        with engine.begin() as connection:
            for name in inspect(connection).get_table_names():
                connection.execute(text(f"DROP TABLE {name}"))
            connection.execute(text("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c TEXT NOT NULL)"))
        before = schema(engine)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        return taken_away(before, schema(engine))

    assert done("ALTER TABLE t ADD COLUMN d TEXT", "CREATE INDEX i ON t (b)", "CREATE TABLE u (a INTEGER)") == []
    assert done("ALTER TABLE t ADD COLUMN d TEXT NOT NULL DEFAULT ''") == []
    assert done("ALTER TABLE t RENAME COLUMN b TO d") == ["t.b is gone"]
    assert done("ALTER TABLE t DROP COLUMN b") == ["t.b is gone"]
    assert done("ALTER TABLE t RENAME TO u") == ["table t is gone"]
    assert done("CREATE UNIQUE INDEX i ON t (b)") == ["t must be unique in b"]
    again = "CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER, c TEXT NOT NULL, d TEXT NOT NULL)"
    assert done("DROP TABLE t", again) == ["t.b has another type", "t.d must be given"]
    assert done("DROP TABLE t", "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL, c TEXT NOT NULL)") == ["t.b must be given"]
    engine.dispose()


def schema(engine: Engine) -> Schema:
    """Tables with their columns and what must be unique."""
    found: Schema = {}
    look = inspect(engine)
    for table in look.get_table_names():
        unique = {tuple(one["column_names"]) for one in look.get_unique_constraints(table)}
        unique |= {tuple(str(name) for name in one["column_names"]) for one in look.get_indexes(table) if one["unique"]}
        columns = {
            column["name"]: (str(column["type"]), column["nullable"] or column["default"] is not None) for column in look.get_columns(table)
        }
        found[table] = {"columns": columns, "unique": unique}
    return found


def taken_away(before: Schema, after: Schema) -> list[str]:
    """What a program of before would stumble over, one sentence each."""
    wrong = []
    for table, was in before.items():
        now = after.get(table)
        if now is None:
            wrong.append(f"table {table} is gone")
            continue
        for name, (kind, optional) in was["columns"].items():
            if name not in now["columns"]:
                wrong.append(f"{table}.{name} is gone")
            elif now["columns"][name][0] != kind:
                wrong.append(f"{table}.{name} has another type")
            elif optional and not now["columns"][name][1]:
                wrong.append(f"{table}.{name} must be given")
        wrong += [f"{table}.{name} must be given" for name in now["columns"].keys() - was["columns"].keys() if not now["columns"][name][1]]
        wrong += [f"{table} must be unique in {', '.join(columns)}" for columns in now["unique"] - was["unique"]]
    return wrong


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program of a later release, as far as its migrations go; between ``with later:`` it is the one that runs."""
    folder = tmp_path / "later"
    shutil.copytree(migrate.VERSIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9001_later.py").write_text(EXPAND.format(head=migrate.head()))

    class Later:
        def __enter__(self) -> None:
            monkeypatch.setattr(migrate, "VERSIONS", folder)

        def __exit__(self, *_: object) -> None:
            monkeypatch.undo()

        def contracts(self) -> None:
            (folder / "versions" / "9002_gone.py").write_text(CONTRACT)

    return Later()


def test_the_program_of_before_goes_on_while_a_later_one_expands(bare_url: str, later: Any) -> None:
    """It is writing when the schema grows under it, and it starts anew on the grown one: all that it does, it still does."""
    old = Database.open(bare_url, rooms=ROOMS)
    stop, errors, written = threading.Event(), [], [0]

    def work() -> None:
        while not stop.is_set():
            try:
                with old.writing(SYSTEM, at=clock.now()) as store:
                    store.put({"resourceType": "Patient", "id": f"w{written[0]}", "name": [{"text": f"写{written[0]}"}]})
                written[0] += 1
            except Exception as error:  # noqa: BLE001 - told below
                errors.append(error)
                return

    writer = threading.Thread(target=work, daemon=True)
    writer.start()
    while written[0] < 5 and not errors:
        stop.wait(0.01)
    other = create_engine(bare_url)
    with later:
        try:
            migrate.upgrade(other)
        except BaseException:
            stop.set()
            raise
    before = written[0]
    while written[0] < before + 5 and not errors:
        stop.wait(0.01)
    stop.set()
    writer.join()
    assert errors == []
    use(old, "a")
    old.close()
    again = Database.open(bare_url, rooms=ROOMS)
    use(again, "b")
    again.close()
    with other.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "9001_later"
    other.dispose()


def use(database: Database, mark: str) -> None:
    """A little of all that a process does with the tables."""
    at = datetime(2026, 11, 28, 3, tzinfo=UTC)
    with database.writing(SYSTEM, at=at) as store:
        person = {"resourceType": "Patient", "id": f"p{mark}", "name": [{"text": "升级某"}], "birthDate": "1930-01-01"}
        store.put(person)
        store.put(person | {"gender": "male"})
        store.put({"resourceType": "Observation", "id": f"o{mark}", "status": "final", "code": {"text": "x"}} | observed(mark))
        store.claim(f"contract:{mark}", f"Contract/{mark}")
        store.outbox("test", mark, {"a": 1})
        create_user(store, f"user{mark}", "doctor")
    with database.reading(SYSTEM, at=at) as store:
        assert len(store.history("Patient", f"p{mark}")) == 2
        assert store.select("Observation", patient=f"p{mark}", value_quantity="5.5")
        assert store.select("Patient", name="升级", birthdate="1930-01-01")
        assert store.holder(f"contract:{mark}") == f"Contract/{mark}"
    inbox = Inbox(database, shelf(None))
    text_ = f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120080000||ADT^A04|R{mark}|P|2.4|||AL|AL|CHN|UNICODE UTF-8\r"
    text_ += f"EVN|A04|20261120080000\rPID|1||MR{mark}^^^LWYY^PI||升级某\rPV1|1|O|||||||||||||||||V{mark}\r"
    assert [one.code.value for one in inbox.take_all([text_.encode()], "127.0.0.1:2575", "127.0.0.1")] == ["AA"]
    assert Worker(database, shelf(None), "test").drain() == 1
    assert run_due(database, Job(f"job{mark}", "0 0 * * *", lambda _: None), at)
    with database.engine.connect() as connection:
        assert list(verify(connection)) == []


def observed(mark: str) -> dict[str, Any]:
    return {"subject": {"reference": f"Patient/p{mark}"}, "valueQuantity": {"value": 5.5}, "effectiveDateTime": "2026-11-28"}


def test_taking_away_waits_until_it_is_told_and_then_the_program_of_before_says_so(postgres_url: str, later: Any) -> None:
    Database.open(postgres_url, rooms=ROOMS).close()
    engine = create_engine(postgres_url)
    later.contracts()
    with later:
        assert migrate.pending(engine) == (["9001_later"], ["9002_gone"])
        migrate.upgrade(engine)
        assert migrate.pending(engine) == ([], ["9002_gone"])
        assert inspect(engine).has_table("of_later")
    Database.open(postgres_url, rooms=ROOMS).close()
    with later:
        migrate.upgrade(engine, contract=True)
        assert not inspect(engine).has_table("of_later")
        assert migrate.pending(engine) == ([], [])
    with pytest.raises(Invalid, match="9002_gone"):
        Database.open(postgres_url, rooms=ROOMS)
    engine.dispose()
