"""Hot tables laid out by county on a real PostgreSQL: beside writers, row by row, each person's file in one part, and moved with them."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import postgres
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, String, text
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.backup import postgresql
from healthsvc.backup.contents import differences
from healthsvc.commands import checks
from healthsvc.errors import Conflict, Invalid, NotFound
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.installation import open_installation
from healthsvc.main import cli
from healthsvc.store import SYSTEM, Database, Store, migrate
from healthsvc.store.audit import verify
from healthsvc.store.tables import HOT, LAID_OUT, metadata
from healthsvc.store.tenancy import home, lay, tend
from healthsvc.store.tenancy.within import Laid

pytestmark = pytest.mark.postgres
AT = datetime(2026, 11, 28, 3, tzinfo=UTC)


def organization(id: str, kind: str, above: str | None = None) -> Resource:
    part = {} if above is None else {"partOf": {"reference": f"Organization/{above}"}}
    kinds = [{"coding": [{"system": code_system("organization-type"), "code": kind}]}]
    return {"resourceType": "Organization", "id": id, "name": id, "type": kinds, **part}


def person(id: str, organization: str | None) -> Resource:
    managed = {} if organization is None else {"managingOrganization": {"reference": f"Organization/{organization}"}}
    return {"resourceType": "Patient", "id": id, "name": [{"text": f"测试{id}"}], "birthDate": "1930-01-01", **managed}


def note(id: str, of: str) -> Resource:
    return {"resourceType": "Basic", "id": id, "code": {"text": "x"}, "subject": {"reference": f"Patient/{of}"}}


def tree(store: Store) -> None:
    """A city of two counties with a community each; one person everywhere, two in the first county, each with a note."""
    store.put(organization("city", "city"))
    for county in ("east", "west"):
        store.put(organization(county, "county", "city"))
        store.put(organization(f"{county}-1", "centre", county))
    for id, where in (("p-city", "city"), ("p-east", "east-1"), ("p-east2", "east"), ("p-west", "west-1"), ("p-none", None)):
        store.put(person(id, where))
        store.put(note(f"n-{id}", id))
        store.put({**note(f"n-{id}", id), "code": {"text": "y"}})
    store.put({"resourceType": "Group", "id": "of-two", "type": "person", "actual": True, "member": [_member("p-east"), _member("p-west")]})


def _member(id: str) -> dict[str, Any]:
    return {"entity": {"reference": f"Patient/{id}"}}


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    opened = Database.open(migrated_url, validate=lambda _: [])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tree_laid_out(postgres_server: str, migrated_template: str) -> str:
    """Name of a database in which the tree is laid out, to be copied; that writers notice it is shown beside them."""
    url = postgres.made(postgres_server, migrated_template)
    opened = Database.open(url, validate=lambda _: [])
    with opened.writing(SYSTEM, at=AT) as store:
        tree(store)
    lay_out(opened)
    opened.close()
    return url.rpartition("/")[2]


@pytest.fixture
def laid(postgres_server: str, tree_laid_out: str) -> Iterator[Database]:
    opened = Database.open(postgres.made(postgres_server, tree_laid_out), validate=lambda _: [])
    yield opened
    opened.close()


def lay_out(database: Database) -> None:
    with lay.alone(database.engine.url.render_as_string(hide_password=False)) as engine:
        lay.lay_out(engine, "county")


def rows(database: Database, sql: str) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.execute(text(sql)).all())


def parts(database: Database) -> dict[str, int]:
    """Type/id of every resource -> its part, by the directory; the rows of all tables must be there."""
    with database.engine.connect() as connection:
        assert tend.faults(connection) == {}
    told = rows(database, "SELECT t.text, d.id, d.part FROM directory d JOIN term t ON t.id = d.type")
    return {f"{type}/{id}": part for type, id, part in told}


def put(database: Database, *resources: Resource) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        for one in resources:
            store.put(one)


def test_tables_are_laid_out_and_every_file_is_in_the_part_of_its_county(laid: Database) -> None:
    found = parts(laid)
    assert {id: found[f"Patient/{id}"] for id in ("p-city", "p-east", "p-east2", "p-west", "p-none")} == {
        "p-city": 0, "p-east": 1, "p-east2": 1, "p-west": 2, "p-none": 0,
    }  # fmt: skip
    assert all(found[f"Basic/n-{id}"] == found[f"Patient/{id}"] for id in ("p-city", "p-east", "p-east2", "p-west", "p-none"))
    assert found["Organization/east"] == 0
    assert found["Group/of-two"] == 0, "what is about people of two counties is in the common part"
    kinds = {relkind for (relkind,) in rows(laid, f"SELECT relkind FROM pg_class WHERE relname IN {tuple(LAID_OUT)}")}
    assert kinds == {"p"}
    with laid.reading(SYSTEM, at=AT) as store:
        assert [one.version for one in store.history("Basic", "n-p-east")] == [2, 1]
        assert len(store.select("Basic")) == 5


def test_what_is_written_afterwards_goes_to_its_part_and_ids_stay_unique_over_all(laid: Database) -> None:
    put(laid, person("p-new", "west-1"), note("n-new", "p-new"), note("early", "p-late"))
    assert parts(laid)["Basic/early"] == 0
    put(laid, person("p-late", "east"))
    found = parts(laid)
    assert (found["Patient/p-new"], found["Basic/n-new"]) == (2, 2)
    assert found["Basic/early"] == 1, "what was there before the person goes to the person"
    put(laid, note("n-new", "p-late"))
    assert parts(laid)["Basic/n-new"] == 1, "a record that is another person's now has moved"
    with laid.writing(SYSTEM, at=clock.now()) as store:
        store.delete("Basic", "n-new")
    put(laid, note("n-new", "p-new"))
    assert parts(laid)["Basic/n-new"] == 2
    with pytest.raises(Conflict), laid.writing(SYSTEM, at=clock.now()) as store:
        store.connection.execute(
            text(
                "INSERT INTO resource (type, id, version, deleted, updated, hash, body, part) "
                "SELECT type, id, 1, false, 0, '', '', 0 FROM directory LIMIT 1"
            )
        )


def test_a_transfer_moves_the_whole_file_in_its_transaction(laid: Database) -> None:
    with pytest.raises(ZeroDivisionError), laid.writing(SYSTEM, at=clock.now()) as store:  # noqa: PT012
        store.put(person("p-east", "west"))
        raise ZeroDivisionError
    assert parts(laid)["Basic/n-p-east"] == 1
    with laid.writing(SYSTEM, at=clock.now()) as store:
        store.put(note("n-2", "p-east"))
        store.put(person("p-east", "west"))
        store.put({**note("n-2", "p-east"), "code": {"text": "afterwards"}})
    found = parts(laid)
    assert (found["Patient/p-east"], found["Basic/n-p-east"], found["Basic/n-2"]) == (2, 2, 2)
    assert found["Group/of-two"] == 2, "both of its people are of one county now"
    assert rows(laid, "SELECT DISTINCT h.part FROM history h JOIN directory d ON d.pk = h.pk WHERE d.id = 'n-p-east'") == [(2,)]


def test_whoever_writes_about_a_person_and_whoever_moves_them_wait_for_each_other(laid: Database) -> None:
    begun, errors = threading.Event(), []

    def transfer() -> None:
        try:
            begun.set()
            put(laid, person("p-east", "west"))
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    mover = threading.Thread(target=transfer)
    with laid.writing(SYSTEM, at=clock.now()) as store:
        store.put(note("n-2", "p-east"))
        mover.start()
        begun.wait()
        mover.join(0.3)
        assert mover.is_alive(), "the transfer waits for the record"
    mover.join()
    assert errors == []
    assert parts(laid)["Basic/n-2"] == 2


def test_a_new_county_gets_its_partition_and_its_people(laid: Database) -> None:
    put(laid, organization("north", "county", "city"), organization("east-1", "centre", "north"))
    with laid.engine.connect() as connection:
        assert tend.without_partition(connection, "county") == ["north"]
    with laid.plainly() as connection:
        assert tend.add(connection, "north") == 3
    with laid.engine.connect() as connection:
        assert tend.unsettled(laid, connection) == [("east-1", 3)]
    assert list(tend.settle(laid, "east-1", 3)) == [1]
    found = parts(laid)
    assert (found["Patient/p-east"], found["Basic/n-p-east"], found["Patient/p-east2"]) == (3, 3, 1)
    with laid.engine.connect() as connection:
        assert tend.unsettled(laid, connection) == []
        connection.execute(text("ANALYZE"))
        told = {one.part: one for one in tend.places(connection)}
    assert told[3].organization == "north"
    assert told[3].resources == 2
    assert told[3].bytes > 0
    assert told[0].organization is None


def test_tables_are_laid_out_beside_writers_who_notice_nothing(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        tree(store)
    stop, errors, written = threading.Event(), [], []

    def work(number: int) -> None:
        at = 0
        while not stop.is_set():
            at += 1
            try:
                id = f"w{number}-{at}"
                put(database, person(id, ("east-1", "west-1")[at % 2]), note(f"n-{id}", id))
                put(database, {**note(f"n-{id}", id), "code": {"text": "again"}})
                if at % 3 == 0:
                    put(database, person(id, ("west", "east")[at % 2]))
                written.append(id)
            except BaseException as error:  # noqa: BLE001 - told below
                errors.append(error)
                return

    writers = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(2)]
    for one in writers:
        one.start()
    while len(written) < 10 and not errors:
        stop.wait(0.01)
    try:
        lay_out(database)
        before = len(written)
        while len(written) < before + 10 and not errors:
            stop.wait(0.01)
    finally:
        stop.set()
        for one in writers:
            one.join()
    assert errors == []
    found = parts(database)
    for id in written:
        wanted = (2, 1)[int(id.rpartition("-")[2]) % 2] if int(id.rpartition("-")[2]) % 3 == 0 else (1, 2)[int(id.rpartition("-")[2]) % 2]
        assert found[f"Patient/{id}"] == found[f"Basic/n-{id}"] == wanted
    with database.reading(SYSTEM, at=AT) as store:
        assert all(len(store.history("Basic", f"n-{id}")) == 2 for id in written)


def test_a_run_that_was_ended_goes_on_and_one_that_finds_a_difference_switches_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        tree(store)
    monkeypatch.setattr(lay, "PORTION", 5)
    url = database.engine.url.render_as_string(hide_password=False)

    def stop_at(step: str, at: int) -> lay.Progress:
        def told(name: str, done: int, _total: int) -> None:
            if name == step and done >= at:
                raise KeyboardInterrupt

        return told

    for step, at in (("copy resource", 5), ("copy audit", 5), ("index", 3), ("compare resource", 1), ("compare audit", 1)):
        with pytest.raises(KeyboardInterrupt), lay.alone(url) as engine:
            lay.lay_out(engine, "county", stop_at(step, at))
        put(database, person("p-east", "west"), note(f"n-{step.replace(' ', '-')}", "p-east"))
    with lay.alone(url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE history_laid SET body = 'x' WHERE pk = (SELECT min(pk) FROM history_laid)"))
        connection.execute(text("DELETE FROM laying WHERE name LIKE 'compared%'"))
    with pytest.raises(Conflict, match="history"), lay.alone(url) as engine:
        lay.lay_out(engine, "county")
    assert rows(database, "SELECT relkind FROM pg_class WHERE relname = 'resource'") == [("r",)]
    with lay.alone(url) as engine:
        with pytest.raises(Conflict, match="under way"), lay.alone(url):
            pass
        lay.give_up(engine)
        lay.lay_out(engine, "county")
        assert lay.drop_before(engine)
        assert not lay.drop_before(engine)
    found = parts(database)
    assert (found["Patient/p-east"], found["Basic/n-index"]) == (2, 2)
    with pytest.raises(Invalid, match="organizations have the type"), lay.alone(url) as engine:
        lay.lay_out(engine, "planet")


def test_an_act_is_where_its_person_was_and_the_chains_hold(laid: Database) -> None:
    with laid.engine.begin() as connection:
        assert list(verify(connection)) == []
        connection.execute(text("DELETE FROM audit WHERE seq = (SELECT min(seq) FROM audit WHERE part = 2)"))
        assert list(verify(connection)) != [], "a row that is gone is missed in whatever part it was"
        connection.rollback()
    laid.laid = Laid()
    put(laid, note("n-2", "p-east"), person("p-east", "west"))
    with laid.writing(SYSTEM, at=clock.now()) as store:
        store.audit("read", "Patient/p-east", patient="p-east")
        store.audit("search", "Patient?name")
    told = rows(laid, "SELECT DISTINCT action, subject, part FROM audit WHERE subject IN ('Basic/n-2', 'Patient/p-east', 'Patient?name')")
    assert set(told) == {
        ("create", "Patient/p-east", 1), ("create", "Basic/n-2", 2), ("update", "Patient/p-east", 2), ("read", "Patient/p-east", 2),
        ("search", "Patient?name", 0),
    }, "an act goes to where its person is when it is committed, and stays"  # fmt: skip
    with laid.engine.connect() as connection:
        assert list(verify(connection)) == []


def test_a_release_that_knows_no_parts_is_refused_and_one_that_does_is_not(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        tree(store)
    url = database.engine.url.render_as_string(hide_password=False)
    known = migrate.scripts()
    older = [script for script in known if script.revision < lay.NEEDS]

    def opens(program: list[Any]) -> None:
        monkeypatch.setattr(migrate, "scripts", lambda: program)
        try:
            Database.open(url, validate=lambda _: []).close()
        finally:
            monkeypatch.setattr(migrate, "scripts", lambda: known)

    opens(older)
    lay_out(database)
    with pytest.raises(Invalid, match=f"only for versions that know step {lay.NEEDS}: run the newer healthsvc"):
        opens(older)
    opens([script for script in known if script.revision <= lay.NEEDS])
    with database.plainly() as connection:
        migrate.demand(connection, known[0].revision)
    with pytest.raises(Invalid, match=lay.NEEDS):
        opens(older)


def test_nothing_is_laid_out_where_nobody_asked(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        tree(store)
    assert rows(database, "SELECT count(*) FROM resource WHERE part <> 0") == [(0,)]
    assert rows(database, "SELECT count(*) FROM directory") == [(0,)]
    with database.engine.connect() as connection:
        assert not home.is_laid_out(connection)
        assert tend.places(connection) == []


def test_the_command_lays_out_adds_and_says_what_is_where(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        tree(store)
    monkeypatch.setenv("HEALTHSVC_DATABASE", database.engine.url.render_as_string(hide_password=False))

    def said(*words: str, code: int = 0) -> str:
        got = CliRunner().invoke(cli, ["partition", "--data", str(tmp_path), *words])
        assert got.exit_code == code, got.output
        return got.stdout

    assert "not laid out" in said("--show")
    said()
    told = json.loads(said("--check", "--json"))
    assert (told["laid_out"], told["faults"]) == (True, {})
    assert [one["organization"] for one in told["parts"]] == [None, "east", "west"]
    put(database, organization("north", "county", "city"), organization("east-1", "centre", "north"))
    with closing(open_installation(tmp_path)) as here, pytest.raises(checks.Amiss, match="no partition yet"):
        checks.partitions(here)
    assert "north" in said()
    assert parts(database)["Patient/p-east"] == 3
    said("--drop-before")
    with closing(open_installation(tmp_path)) as here:
        assert checks.partitions(here) == "3 counties and the common part"
    with database.plainly() as connection:
        connection.execute(text("UPDATE history SET part = 2 WHERE part = 3"))
    assert "in two parts" in CliRunner().invoke(cli, ["partition", "--data", str(tmp_path), "--show", "--check"]).stderr


def test_a_backup_of_laid_out_tables_comes_back_as_it_was(laid: Database, postgres_url: str) -> None:
    url = laid.engine.url.render_as_string(hide_password=False)
    with postgresql.reading(url) as connection:
        name, told, _ = postgresql.snapshot(connection)
        saved = b"".join(postgresql.dump(url, name))
    postgresql.restore(postgres_url, BytesIO(saved))
    assert differences(told, postgresql.contents_of(postgres_url)) == []
    again = Database.open(postgres_url, validate=lambda _: [])
    put(again, person("p-east", "west"), note("n-new", "p-east"))
    found = parts(again)
    again.close()
    assert (found["Basic/n-p-east"], found["Basic/n-new"]) == (2, 2)


def test_the_schema_is_the_declared_one_and_later_steps_run_on_it(laid: Database) -> None:
    with lay.alone(laid.engine.url.render_as_string(hide_password=False)) as engine:
        lay.drop_before(engine)
    with laid.engine.begin() as connection:
        opts = {"compare_type": True, "include_object": lambda _one, name, kind, *_: kind != "table" or name in HOT}
        context = MigrationContext.configure(connection, opts=opts)
        changed = [one[0] for one in compare_metadata(context, metadata)]
        step = Operations(context)
        for table in HOT:
            step.add_column(table, Column("of_later", String(), nullable=True))
        step.create_index("ix_of_later", "resource", ["of_later"])
        step.drop_index("ix_resource_updated", "resource")
    assert sorted(changed) == ["add_constraint", "remove_constraint"], "type and id are unique together with the part"
    put(laid, person("p-new", "west"))
    assert parts(laid)["Patient/p-new"] == 2


def test_a_county_that_was_joined_with_another_gives_its_people_away_and_its_number_stays(laid: Database) -> None:
    put(laid, {**organization("east", "street", "west")})
    with laid.engine.connect() as connection:
        assert tend.no_longer(connection, "county") == ["east"]
        assert tend.unsettled(laid, connection) == [], "until somebody says so, everybody stays"
    with pytest.raises(NotFound), laid.plainly() as connection:
        tend.dissolve(connection, "nobody")
    with laid.plainly() as connection:
        tend.dissolve(connection, "east")
    put(laid, person("p-new", "east-1"))
    settled(laid)
    found = parts(laid)
    assert {found[f"Patient/{id}"] for id in ("p-east", "p-east2", "p-new", "p-west")} == {2}
    assert found["Basic/n-p-east"] == 2
    assert found["Group/of-two"] == 2
    with laid.engine.connect() as connection:
        assert tend.no_longer(connection, "county") == []
        assert list(verify(connection)) == []
        assert {one.part for one in tend.places(connection)} == {0, 1, 2}, "acts of its time are where they were"
    put(laid, organization("east", "county", "city"))
    with laid.plainly() as connection:
        assert tend.add(connection, "east") == 3, "and where it comes again it is a new one"
    settled(laid)
    assert parts(laid)["Patient/p-east"] == 3


def settled(database: Database) -> None:
    """What a later run of the command does."""
    with database.engine.connect() as connection:
        left = tend.unsettled(database, connection)
    for organization, part in left:
        list(tend.settle(database, organization, part))
    with database.engine.connect() as connection:
        assert tend.unsettled(database, connection) == []


def test_people_whose_organization_came_below_a_county_while_the_tables_were_laid_out_are_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        tree(store)
        store.put(organization("lost", "centre"))
        store.put(person("p-early", "lost"))

    def hang(step: str, _done: int, _total: int) -> None:
        if step == "index":
            put(database, organization("lost", "centre", "east"), person("p-late", "lost"))

    with lay.alone(database.engine.url.render_as_string(hide_password=False)) as engine:
        lay.lay_out(engine, "county", hang)
    settled(database)
    found = parts(database)
    assert (found["Patient/p-early"], found["Patient/p-late"]) == (1, 1)


def test_who_writes_by_what_was_known_before_is_waited_for_when_an_organization_moves(laid: Database) -> None:
    put(laid, organization("east-1", "centre", "west"))
    writes, go_on = threading.Event(), threading.Event()

    def write() -> None:
        with laid.writing(SYSTEM, at=clock.now()) as store:
            store.put(person("p-slow", "east-1"))
            writes.set()
            go_on.wait(10)

    writer = threading.Thread(target=write)
    writer.start()
    writes.wait(10)
    mover = threading.Thread(target=settled, args=(laid,))
    mover.start()
    mover.join(0.5)
    assert mover.is_alive(), "the last of the old part may still come"
    go_on.set()
    writer.join()
    mover.join()
    assert parts(laid)["Patient/p-slow"] == 2
    assert rows(laid, "SELECT part FROM tenant_home WHERE organization = 'east-1'") == [(2,)]


def test_two_who_saw_the_tree_differently_keep_nobody_from_writing(laid: Database) -> None:
    with laid.plainly() as connection:
        connection.execute(text("INSERT INTO tenant_home VALUES ('east-1', 2, TRUE)"))
    put(laid, person("p-new", "east-1"))
    settled(laid)
    assert parts(laid)["Patient/p-new"] == 1


def test_a_database_that_was_laid_out_before_the_mark_existed_is_marked_when_it_is_opened(laid: Database) -> None:
    marks = next(one for one in migrate.scripts() if "laid_out_tables_are_marked" in one.path)
    with laid.engine.begin() as connection:
        command.downgrade(migrate.configuration(connection), str(marks.down_revision))
        connection.execute(text("UPDATE schema_promise SET oldest = '0001'"))
    Database.open(laid.engine.url.render_as_string(hide_password=False), validate=lambda _: []).close()
    assert rows(laid, "SELECT oldest FROM schema_promise") == [(lay.NEEDS,)]
