"""A probe for one code or one reference goes by the key of its table, where the entries of a code stand together."""

from pathlib import Path

import pytest

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from healthsvc.store.search import ast
from healthsvc.store.search.rows import Rows
from healthsvc.store.search.sql import Writer

LOINC = "http://loinc.org"
CODE = ast.Tokens(("Observation.code",), ((LOINC, "1000-0"),))
PERSON = ast.References(("Observation.subject",), (("Patient", "a"),))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    opened = Database.open(f"sqlite:///{tmp_path / 'probe.sqlite'}")
    code = {"coding": [{"system": LOINC, "code": "1000-0"}]}
    with opened.writing(SYSTEM, at=clock.now()) as store:
        store.create({"resourceType": "Patient"})
        store.create({"resourceType": "Observation", "status": "final", "code": code, "subject": {"reference": "Patient/a"}})
    return opened


@pytest.mark.parametrize(("node", "key"), [(CODE, "code=? AND system=?"), (PERSON, "target=? AND target_type=?")])
def test_the_whole_key_is_used(database: Database, node: ast.Node, key: str) -> None:
    with database.reading(SYSTEM, at=clock.now()) as store:
        test = Writer(Rows(store), None).test(node, "s")
        rows = store.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT s.pk FROM ix_date s WHERE {test.sql}", test.args)
        assert any(f"USING PRIMARY KEY (param=? AND {key} AND pk=?)" in row[3] for row in rows), (
            "the index by pk would meet a page of its own at each probe"
        )
    database.close()


def test_what_knows_less_than_the_key_goes_by_the_pk(database: Database) -> None:
    any_system = ast.Tokens(("Observation.code",), ((None, "1000-0"),))
    with database.reading(SYSTEM, at=clock.now()) as store:
        test = Writer(Rows(store), None).test(any_system, "s")
        rows = store.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT s.pk FROM ix_date s WHERE {test.sql}", test.args)
        assert any("ix_token_pk" in row[3] for row in rows)
    database.close()
