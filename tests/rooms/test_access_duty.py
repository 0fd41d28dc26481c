"""Whoever is sent to somebody outside their area ends the visit, and writes all that belongs to it, though with it their sight ends."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import embedded
import pytest

from healthsvc.access.door import narrowed
from healthsvc.errors import Forbidden, NotFound
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.rules import Visit, Window

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
WHO = "Practitioner/d2"
DUTY = Actor(WHO, "", frozenset({"doctor"}), "page", frozenset({"Organization/west"}))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(embedded.made(tmp_path), rooms=ROOMS)
    with opened.writing(SYSTEM, at=AT) as store:
        for area in ("east", "west"):
            store.put({"resourceType": "Organization", "id": area, "name": area})
        for id in ("p1", "p2"):
            store.put(
                {"resourceType": "Patient", "id": id, "name": [{"text": id}], "managingOrganization": {"reference": "Organization/east"}}
            )
        store.put({"resourceType": "Practitioner", "id": "d2", "active": True, "name": [{"text": "代班"}]})
        visit = Visit("v1", "follow-up", "p1", Window(AT - timedelta(days=1), AT + timedelta(days=3)), 30)
        visits.request(store, visit)
        visits.plan(store, visit, AT - timedelta(minutes=30), AT + timedelta(minutes=10), [WHO])
    yield opened
    opened.close()


ENDS: dict[str, Callable[[Store], object]] = {
    "it is done": lambda store: visits.complete(store, "v1", Findings(AT - timedelta(minutes=20), AT), WHO),
    "nobody was at home": lambda store: visits.miss(store, "v1", "not-home"),
    "it is called off": lambda store: visits.cancel(store, "v1", "not-needed"),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_visit_is_ended_by_whoever_was_sent(database: Database, how: str) -> None:
    with database.writing(DUTY, at=AT) as store:
        ENDS[how](narrowed(store))
    with database.reading(SYSTEM, at=AT) as store:
        assert store.read("Task", "v1")["status"] not in ("requested", "accepted") or how != "it is done"


def test_nobody_else_is_seen_by_it_and_no_file_is_moved(database: Database) -> None:
    with database.writing(DUTY, at=AT) as store:
        narrowed(store)
        visits.complete(store, "v1", Findings(AT - timedelta(minutes=20), AT), WHO)
        with pytest.raises(NotFound):
            store.read("Patient", "p2")
        with pytest.raises(Forbidden), store.savepoint():
            store.put({**store.read("Patient", "p2"), "active": True} if store.find("Patient", "p2") else _of("p2"))
        with pytest.raises(Forbidden), store.savepoint():
            store.put({**store.read("Patient", "p1"), "managingOrganization": {"reference": "Organization/east"}, "active": True})


def _of(id: str) -> dict[str, object]:
    return {"resourceType": "Patient", "id": id, "name": [{"text": id}]}
