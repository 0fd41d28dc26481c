"""Long reads of a real standby: never with less than the primary knew, and of the primary where the standby lags or is gone."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import postgres
import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Actor, Database
from healthsvc.store import replica as replica_module
from healthsvc.store.replica import LONG, USUAL, Read

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Database, postgres.Cluster]]:
    with postgres.cluster() as primary:
        standby = primary.standby()
        standby.start()
        try:
            database = Database.open(primary.url, validate=lambda _: [], replica=standby.url, replica_patience=5.0, replica_bound=30.0)
            yield database, standby
            database.close()
        finally:
            standby.stop()
            standby.remove()


def put(database: Database, id: str) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Basic", "id": id, "code": {"text": "x"}})


def asked(database: Database, read: Read = LONG, actor: Actor = SYSTEM) -> tuple[set[str], bool]:
    """The ids that a read sees, and whether a standby has answered."""
    with database.reading(actor, at=clock.now(), read=read) as store:
        seen = {str(one["id"]) for one in store.select("Basic")}
        return seen, bool(store.connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one())


def test_whoever_reads_sees_what_was_just_written_and_the_standby_answers(pair: tuple[Database, postgres.Cluster]) -> None:
    database, _ = pair
    for number in range(10):
        put(database, f"a{number}")
        seen, far = asked(database)
        assert f"a{number}" in seen
        assert far
    assert asked(database, USUAL)[1] is False, "everyday reads stay where they were"


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


NEAR = Read("near")
OTHER = Actor("user/other")


@contextmanager
def paused(database: Database) -> Iterator[None]:
    """The standby hears everything and replays nothing."""
    assert database.replica is not None
    with database.replica.engine.connect() as connection:
        connection.execute(text("SELECT pg_wal_replay_pause()"))
    try:
        yield
    finally:
        with database.replica.engine.connect() as connection:
            connection.execute(text("SELECT pg_wal_replay_resume()"))


def waited(database: Database) -> None:
    """Until the standby has everything."""
    assert asked(database)[1]


def test_a_search_may_be_behind_but_nobody_misses_what_they_have_written(pair: tuple[Database, postgres.Cluster]) -> None:
    database, _ = pair
    put(database, "before")
    waited(database)
    assert asked(database, NEAR, OTHER)[1], "what somebody else does not matter to is answered by the standby"
    with paused(database):
        put(database, "mine")
        seen, far = asked(database, NEAR)
        assert ("mine" in seen, far) == (True, False), "who has written is answered by the primary until the standby has it"
        seen, far = asked(database, NEAR, OTHER)
        assert ("mine" in seen, far) == (False, True), "others may see it later, within the bound"
        seen, far = asked(database, Read("near", just_wrote=True), OTHER)
        assert ("mine" in seen, far) == (True, False), "perhaps they wrote through another process"
    waited(database)
    assert asked(database, NEAR) == (asked(database)[0], True), "now the standby has it, too"


def test_a_standby_that_is_further_behind_than_the_bound_answers_nobody(
    pair: tuple[Database, postgres.Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, standby = pair
    assert database.replica is not None
    waited(database)
    monkeypatch.setattr(database.replica, "bound", 0.2)
    with paused(database):
        put(database, "older")
        time.sleep(0.3)
        seen, far = asked(database, NEAR, OTHER)
        assert ("older" in seen, far) == (True, False)
    waited(database)
    assert asked(database, NEAR, OTHER)[1]
    standby.stop()
    seen, far = asked(database, NEAR, OTHER)
    assert ("older" in seen, far) == (True, False), "gone between two questions"
    assert asked(database, NEAR, OTHER)[1] is False
    monkeypatch.setattr(database.replica, "bound", 0.0)
    standby.start()
    database.replica._left_alone = 0.0
    assert asked(database, NEAR, OTHER)[1] is False, "without a bound, searches stay with the primary"


def test_few_reads_ask_the_primary(pair: tuple[Database, postgres.Cluster], monkeypatch: pytest.MonkeyPatch) -> None:
    database, _ = pair
    waited(database)
    assert database.replica is not None
    asked(database, NEAR, OTHER)
    questions: list[int] = []
    monkeypatch.setattr(database.replica, "_ask", lambda _: questions.append(1))
    assert all(asked(database, NEAR, OTHER)[1] for _ in range(20))
    assert questions == []


def test_searches_and_lists_of_the_api_go_there_and_a_client_is_told_to_say_that_it_wrote(
    pair: tuple[Database, postgres.Cluster], tmp_path: Path
) -> None:
    database, standby = pair
    settings = Settings(data=tmp_path, database=database.engine.url.render_as_string(hide_password=False))
    settings.database_replica, settings.database_replica_behind_seconds = standby.url, 30
    here = open_installation(settings=settings)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        bearer = {"authorization": f"Bearer {issue_token(store, 'doctor')}"}
    waited(database)
    answered: list[bool] = []
    event.listen(here.database.replica.engine, "begin", lambda _: answered.append(True))  # type: ignore[union-attr]
    with TestClient(create_app(here), headers=bearer) as client:
        other = {"authorization": bearer["authorization"]}
        assert client.get("/fhir/Basic").status_code == 200
        assert answered, "a search is answered by the standby"
        with paused(database):
            made = client.post("/fhir/Basic", json={"resourceType": "Basic", "code": {"text": "x"}})
            assert made.status_code == 201, made.text
            assert "healthsvc-wrote=1; Max-Age=30" in made.headers["set-cookie"]
            found = client.get("/fhir/Basic", params={"_id": made.json()["id"]}).json()
            assert found["total"] == 1
            assert client.post("/fhir/Basic/_search", headers=other).headers.get("set-cookie") is None, "a search writes nothing"
    here.close()
