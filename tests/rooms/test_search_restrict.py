"""What an actor may not see is not found, by whatever road a search takes to it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from healthsvc.errors import Refusal
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.store.search import ast, may_see, search, select_all
from healthsvc.store.search.versions import Window, history

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
MINE = ("p1", "p2")


def within(type: str) -> ast.Node | None:
    """Two patients' compartments; the directory is open, Basic is closed."""
    if type == "Basic":
        return ast.NOTHING
    return None if type in ("Practitioner", "Organization") else ast.in_patient_compartment(type, MINE)


@pytest.fixture
def store(engine_url: str) -> Iterator[Store]:
    database = Database.open(engine_url)
    with database.writing(SYSTEM, at=AT) as writing:
        writing.put({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "陈一"}]})
        for number in range(1, 5):
            name = f"p{number}"
            doctor = [{"reference": "Practitioner/d1"}]
            writing.put({"resourceType": "Patient", "id": name, "name": [{"text": f"王{number}"}], "generalPractitioner": doctor})
            patient = {"reference": f"Patient/{name}"}
            writing.put({"resourceType": "Task", "id": f"t{number}", "status": "requested", "intent": "order", "for": patient})
            code = {"coding": [{"system": "urn:x", "code": f"c{number}"}]}
            writing.put({"resourceType": "Observation", "id": f"o{number}", "status": "final", "code": code, "subject": patient})
            writing.put({"resourceType": "Basic", "id": f"b{number}", "code": {"text": "x"}, "subject": patient})
    with database.reading(SYSTEM, at=AT) as reading:
        yield reading
    database.close()


def _ids(store: Store, type: str | None, query: str) -> list[str]:
    page = search(store, type, query, restrict=within)
    assert page.next is None
    assert page.total == len(page.matches)
    return sorted(one.id for one in page.matches)


def test_selected(store: Store) -> None:
    assert _ids(store, "Patient", "") == ["p1", "p2"]
    assert _ids(store, "Task", "_sort=-_id") == ["t1", "t2"]
    assert _ids(store, "Task", "patient=p3") == []
    assert _ids(store, "Task", "_id=t3,t1") == ["t1"]
    assert _ids(store, "Practitioner", "") == ["d1"]
    assert _ids(store, "Basic", "") == []
    assert _ids(store, None, "_type=Patient,Basic,Practitioner,Task") == ["d1", "p1", "p2", "t1", "t2"]


def test_passed_through(store: Store) -> None:
    assert _ids(store, "Task", "patient.name=王") == ["t1", "t2"]
    assert _ids(store, "Practitioner", "_has:Patient:general-practitioner:name=王3") == []
    assert _ids(store, "Practitioner", "_has:Patient:general-practitioner:name=王1") == ["d1"]
    assert _ids(store, "Practitioner", "_has:Patient:general-practitioner:_has:Observation:patient:code=c4") == []
    assert _ids(store, "Practitioner", "_has:Patient:general-practitioner:_has:Observation:patient:code=c2") == ["d1"]
    assert _ids(store, "Patient", "_has:Basic:patient:_id=b1") == []


def test_brought_along(store: Store) -> None:
    page = search(store, "Practitioner", "_revinclude=Patient:general-practitioner&_revinclude:iterate=*", restrict=within)
    assert sorted(one.id for one in page.included) == ["o1", "o2", "p1", "p2", "t1", "t2"]
    page = search(store, "Practitioner", "_revinclude=*&_revinclude:iterate=*")
    assert len(page.included) == 16


def test_read_and_history(store: Store) -> None:
    seen = {id: may_see(store, stored, within) for id in ("t1", "t3") if (stored := store.get("Task", id)) is not None}
    assert seen == {"t1": True, "t3": False}
    versions, position = history(store, ["Task", "Basic"], Window(), count=10, restrict=within)
    assert (sorted(one.id for one in versions), position) == (["t1", "t2"], None)


def test_the_rooms_select_in_python_words(store: Store) -> None:
    assert [one["id"] for one in select_all(store, "Task", {"patient": ["p1", "p3"], "status__not": "completed"})] == ["t1", "t3"]
    assert select_all(store, "Observation", {"code": "urn:x|c1", "_sort": "-date"})[0]["id"] == "o1"
    assert store.select("Patient", name="王2")[0]["id"] == "p2"
    with pytest.raises(Refusal):
        select_all(store, "Task", {"nonsense": 1})
