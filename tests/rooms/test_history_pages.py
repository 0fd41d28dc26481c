"""A page of a history costs what it gives, however much was written before it."""

from pathlib import Path

import pytest
from sqlalchemy import text

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from healthsvc.store.budget import Exceeded, bounded
from healthsvc.store.search.versions import Window, history, total

VERSIONS = 20_000
STEPS = 6_000
"""Steps of SQLite's machine for a page; to look at every version takes over thirty times as many."""


def test_a_page_of_a_history_reads_no_other(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/long.sqlite", validate=lambda _: [])
    with database.writing(SYSTEM, at=clock.now()) as store:
        pks = [store.write({"resourceType": type, "id": "x", "code": {"text": "x"}}).pk for type in ("Basic", "Observation")]
    many = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<:many) "
        "INSERT INTO history (pk, version, type, deleted, updated, body) SELECT pk, i, type, 0, i*1000, body FROM resource, n WHERE pk=:pk"
    )
    with database.engine.begin() as connection:
        for pk in pks:
            connection.execute(many, {"pk": pk, "many": VERSIONS})
        connection.execute(text(f"UPDATE resource SET version={VERSIONS + 1}"))
    with database.reading(SYSTEM, at=clock.now()) as store:
        for types, pk in ((["Basic"], None), (["Basic", "Observation"], None), (["Basic"], pks[0])):
            after, seen = None, []
            for _ in range(4):
                with bounded(store, STEPS):
                    found, after = history(store, types, Window(), count=20, after=after, pk=pk)
                seen += [(one.updated, one.pk, one.version) for one in found]
            assert len(seen) == len(set(seen)) == 80
            assert seen == sorted(seen, reverse=True)
        with bounded(store, STEPS):
            newest = (VERSIONS - 9) * 1000
            assert total(store, ["Basic", "Observation"], Window(since=newest), freely=True) == 22
        with pytest.raises(Exceeded), bounded(store, STEPS):
            total(store, ["Basic"], Window(), freely=False)
        assert total(store, ["Basic"], Window(), pk=pks[0], freely=True) == VERSIONS + 1
    database.close()
