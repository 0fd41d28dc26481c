"""Long reads of a real standby: never with less than the primary knew, and of the primary where the standby lags or is gone."""

from collections.abc import Iterator

import postgres
import pytest
from sqlalchemy import text

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from healthsvc.store import replica as replica_module

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Database, postgres.Cluster]]:
    with postgres.cluster() as primary:
        standby = primary.standby()
        standby.start()
        try:
            database = Database.open(primary.url, validate=lambda _: [], replica=standby.url, replica_patience=5.0)
            yield database, standby
            database.close()
        finally:
            standby.stop()
            standby.remove()


def put(database: Database, id: str) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Basic", "id": id, "code": {"text": "x"}})


def asked(database: Database, *, long: bool = True) -> tuple[set[str], bool]:
    """The ids that a read sees, and whether a standby has answered."""
    with database.reading(SYSTEM, at=clock.now(), long=long) as store:
        seen = {str(one["id"]) for one in store.select("Basic")}
        return seen, bool(store.connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())


def test_whoever_reads_sees_what_was_just_written_and_the_standby_answers(pair: tuple[Database, postgres.Cluster]) -> None:
    database, _ = pair
    for number in range(10):
        put(database, f"a{number}")
        seen, far = asked(database)
        assert f"a{number}" in seen
        assert far
    assert asked(database, long=False)[1] is False, "everyday reads stay where they were"


def test_a_standby_that_lags_or_is_gone_costs_nobody_anything(
    pair: tuple[Database, postgres.Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, standby = pair
    assert database.replica is not None
    monkeypatch.setattr(database.replica, "_patience", 0.05)
    with database.replica.engine.connect() as connection:
        connection.execute(text("SELECT pg_wal_replay_pause()"))
    put(database, "late")
    seen, far = asked(database)
    assert ("late" in seen, far) == (True, False), "the primary answers"
    with database.replica.engine.connect() as connection:
        connection.execute(text("SELECT pg_wal_replay_resume()"))
    monkeypatch.setattr(database.replica, "_patience", 5.0)
    assert asked(database)[1]
    standby.stop()
    monkeypatch.setattr(replica_module, "REST_SECONDS", 0.0)
    seen, far = asked(database)
    assert ("late" in seen, far) == (True, False)
    standby.start()
    assert asked(database)[1], "it is asked again"
