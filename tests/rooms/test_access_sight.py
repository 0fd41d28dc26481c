"""Whom one may see: area, contract, the visits of the day, and the broken glass, through every way into the store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from healthsvc.access import glass
from healthsvc.access.door import narrowed
from healthsvc.errors import Conflict, Forbidden, NotFound, RuleViolation
from healthsvc.fhir.systems import extension
from healthsvc.store import SYSTEM, Actor, Database, Store

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
EAST, WEST = "Organization/east", "Organization/west"
DOCTOR = Actor("Practitioner/d1", "陈一", frozenset({"doctor"}), "page", frozenset({EAST}))
NURSE = Actor("Practitioner/n1", "周二", frozenset({"nurse"}), "page", frozenset({EAST}))
CLERK = Actor("user/clerk", "徐三", frozenset({"coordinator"}), "page", frozenset({WEST}))
HEAD = Actor("user/head", "何四", frozenset({"centre-head"}), "page")


def _person(id: str, centre: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id, "name": [{"text": f"王{id}"}], "managingOrganization": {"reference": centre}, **more}


def _contract(id: str, patient: str, status: str) -> dict[str, Any]:
    return {
        "resourceType": "Contract",
        "id": id,
        "status": status,
        "subject": [{"reference": f"Patient/{patient}"}],
        "extension": [
            {"url": extension("signed-doctor"), "valueReference": {"reference": "Practitioner/d1"}},
            {"url": extension("paired-nurse"), "valueReference": {"reference": "Practitioner/n1"}},
        ],
    }


def _visit(id: str, patient: str, start: datetime, status: str = "planned") -> dict[str, Any]:
    home = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HH"}
    return {
        "resourceType": "Encounter",
        "id": id,
        "status": status,
        "class": home,
        "subject": {"reference": f"Patient/{patient}"},
        "participant": [{"individual": {"reference": "Practitioner/n1"}}],
        "period": {"start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat()},
    }


@pytest.fixture
def database(engine_url: str) -> Iterator[Database]:
    """p-east in the east; p-west in the west; of the west too: one signed with d1, one visited by n1 today, one visited long ago."""
    opened = Database.open(engine_url)
    with opened.writing(SYSTEM, at=AT) as store:
        for id in ("east", "west"):
            store.put({"resourceType": "Organization", "id": id, "name": id})
        store.put(_person("p-east", EAST))
        for id in ("p-west", "p-signed", "p-ended", "p-today", "p-old"):
            store.put(_person(id, WEST))
            store.put({"resourceType": "Basic", "id": f"note-{id}", "code": {"text": "x"}, "subject": {"reference": f"Patient/{id}"}})
        store.put(_contract("c1", "p-signed", "executed"))
        store.put(_contract("c2", "p-ended", "terminated"))
        store.put(_visit("v1", "p-today", AT + timedelta(hours=3)))
        store.put(_visit("v2", "p-old", AT - timedelta(days=9), "finished"))
        store.put({"resourceType": "List", "id": "plan", "status": "current", "mode": "working", "title": "日计划"})
    yield opened
    opened.close()


def _seen(database: Database, actor: Actor, at: datetime = AT) -> set[str]:
    with database.reading(actor, at=at) as store:
        return {one["id"] for one in narrowed(store).select("Patient")}


def test_one_sees_the_area_the_signed_and_those_of_the_day(database: Database) -> None:
    assert _seen(database, DOCTOR) == {"p-east", "p-signed"}
    assert _seen(database, NURSE) == {"p-east", "p-signed", "p-today"}
    assert _seen(database, NURSE, AT + timedelta(days=2)) == {"p-east", "p-signed"}
    assert _seen(database, CLERK) == {"p-west", "p-signed", "p-ended", "p-today", "p-old"}
    assert len(_seen(database, HEAD)) == 6


def test_nothing_of_others_is_found_by_any_way_in(database: Database) -> None:
    with database.reading(DOCTOR, at=AT) as opened:
        store = narrowed(opened)
        assert store.find("Patient", "p-west") is None
        assert store.get("Basic", "note-p-west") is None
        assert store.history("Patient", "p-west") == []
        assert store.version("Patient", "p-west", 1) is None
        with pytest.raises(NotFound):
            store.read("Encounter", "v1")
        assert [one["id"] for one in store.select("Basic")] == ["note-p-signed"]
        assert [one["id"] for one in store.search("Basic", "subject:Patient.name=王").resources] == ["note-p-signed"]
        assert {one.id for one in store.search("Organization", "_revinclude=Patient:organization").included} == {"p-east", "p-signed"}
        assert {one["id"] for one in store.search("Organization", "_has:Patient:organization:name=王p-old").resources} == set()
        assert store.find("List", "plan") is not None
        with store.wholly():
            assert store.find("Patient", "p-west") is not None
        assert store.find("Patient", "p-west") is None


def test_nobody_changes_moves_or_takes_what_they_may_not_see(database: Database) -> None:
    def attempt(store: Store, resource: dict[str, Any]) -> None:
        with pytest.raises(Forbidden), store.savepoint():
            store.put(resource)

    with database.writing(DOCTOR, at=AT) as opened:
        store = narrowed(opened)
        attempt(store, _person("p-west", EAST))
        attempt(store, {"resourceType": "Basic", "id": "new", "code": {"text": "x"}, "subject": {"reference": "Patient/p-west"}})
        with pytest.raises(Forbidden):
            store.delete("Basic", "note-p-west")
    with database.writing(DOCTOR, at=AT) as opened, pytest.raises(Forbidden), narrowed(opened).savepoint():
        opened.put(_person("p-east", WEST))
    with database.reading(SYSTEM, at=AT) as store:
        assert store.read("Patient", "p-west")["managingOrganization"]["reference"] == WEST
        assert store.read("Patient", "p-east")["managingOrganization"]["reference"] == EAST
        assert store.find("Basic", "new") is None


def test_a_broken_glass_shows_one_person_for_a_while_and_is_reviewed_by_another(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as opened:
        store = narrowed(opened)
        with pytest.raises(RuleViolation), store.savepoint():
            glass.break_glass(store, "p-west", "急")
        with pytest.raises(NotFound), store.savepoint():
            glass.break_glass(store, "nobody", "家属来电称昏倒在家")
        look = glass.break_glass(store, "p-west", "家属来电称昏倒在家")
    assert _seen(database, DOCTOR) == {"p-east", "p-signed", "p-west"}
    with database.reading(DOCTOR, at=AT) as opened:
        assert narrowed(opened).find("Basic", "note-p-west") is not None
    assert _seen(database, NURSE) == {"p-east", "p-signed", "p-today"}
    assert _seen(database, DOCTOR, look.until) == {"p-east", "p-signed"}

    with database.writing(DOCTOR, at=AT) as store, pytest.raises(RuleViolation), store.savepoint():
        glass.review(store, look.id, justified=True)
    with database.writing(HEAD, at=AT) as store:
        assert [one.reason for one in glass.looks(store)] == ["家属来电称昏倒在家"]
        glass.review(store, look.id, justified=False, note="应先电话联系")
        with pytest.raises(Conflict), store.savepoint():
            glass.review(store, look.id, justified=True)
        assert glass.looks(store) == []
        assert [(one.justified, one.reviewer) for one in glass.looks(store, waiting=False)] == [(False, "user/head")]


def test_an_area_is_a_tree_and_whoever_sees_a_county_sees_its_communities(database: Database) -> None:
    """City, county, street, community, station: what is hung below comes into sight at once, what is hung elsewhere goes."""
    levels = ("city", "county", "street", "community")
    with database.writing(SYSTEM, at=AT) as store:
        for above, id in zip((None, *levels), levels, strict=False):
            part = {} if above is None else {"partOf": {"reference": f"Organization/{above}"}}
            store.put({"resourceType": "Organization", "id": id, "name": id, **part})
        store.put({"resourceType": "Organization", "id": "station", "name": "站", "partOf": {"reference": "Organization/community"}})
        store.put({"resourceType": "Organization", "id": "other", "name": "他", "partOf": {"reference": "Organization/city"}})
        for id in (*levels, "station", "other"):
            store.put(_person(f"p-{id}", f"Organization/{id}"))
            store.put({"resourceType": "Basic", "id": f"note-p-{id}", "code": {"text": "x"}, "subject": {"reference": f"Patient/p-{id}"}})

    def of(area: str) -> Actor:
        return Actor("user/officer", "吴五", frozenset({"coordinator"}), "page", frozenset({f"Organization/{area}"}))

    assert _seen(database, of("city")) == {"p-city", "p-county", "p-street", "p-community", "p-station", "p-other"}
    assert _seen(database, of("county")) == {"p-county", "p-street", "p-community", "p-station"}
    assert _seen(database, of("community")) == {"p-community", "p-station"}
    assert _seen(database, of("station")) == {"p-station"}
    with database.reading(of("street"), at=AT) as store:
        narrowed(store)
        assert {one["id"] for one in store.select("Basic")} == {"note-p-street", "note-p-community", "note-p-station"}
        assert store.find("Patient", "p-county") is None
        assert store.find("Patient", "p-station") is not None
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Organization", "id": "community", "name": "c", "partOf": {"reference": "Organization/other"}})
        store.put({"resourceType": "Organization", "id": "city", "name": "c", "partOf": {"reference": "Organization/city"}})
    assert _seen(database, of("street")) == {"p-street"}
    assert _seen(database, of("other")) == {"p-other", "p-community", "p-station"}
