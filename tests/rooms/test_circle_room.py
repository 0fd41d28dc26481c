"""The circle on a real database: positions with their origin, answers kept once with their provenance, coverage, siting."""

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from healthsvc.circle import service, town
from healthsvc.circle.providers import travel_times
from healthsvc.circle.rules import Basis, Verdict
from healthsvc.errors import Invalid
from healthsvc.fhir.systems import code_system, extension
from healthsvc.healthfile.datum import Datum, distance, from_wgs84
from healthsvc.healthfile.positions import ORIGIN, to_coordinate
from healthsvc.healthfile.resources import GEOLOCATION
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.policy import Policy, load
from healthsvc.store import Actor, Database, Store

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HEAD = Actor("Practitioner/co-1", "协调员", frozenset({"coordinator"}), "page")
TOWN = town.town()


def station(store: Store, index: int, code: str = "station") -> str:
    place = TOWN.stations[index]
    store.put(
        {
            "resourceType": "Location",
            "id": place.id,
            "status": "active",
            "name": place.name,
            "type": [{"coding": [{"system": code_system("service-point"), "code": code}]}],
        }
    )
    service.locate_station(store, place.id, place.lon, place.lat, "WGS-84", "test")
    return place.id


def person(store: Store, index: int, **values: Any) -> str:
    """A person in one of the town's homes."""
    place = TOWN.homes[index]
    told = {"category": Category.LIXIU, "residence_area": place.community, **values}
    id = str(register(store, Person(name=f"测试{index}", address=place.address, **told), "urn:test").patient["id"])
    service.locate_home(store, id, place.lon, place.lat, "WGS-84", "test")
    return id


@pytest.fixture
def district(database: Database) -> tuple[Database, list[str]]:
    """Five stations and forty people of the embedded town."""
    with database.writing(HEAD, at=AT) as store:
        for index in range(5):
            station(store, index)
        people = [person(store, index) for index in range(40)]
    return database, people


def test_a_home_given_in_gcj02_is_kept_in_wgs84_with_what_was_given(database: Database) -> None:
    place = TOWN.homes[0]
    shown = from_wgs84(place.lon, place.lat, Datum.GCJ02)
    with database.writing(HEAD, at=AT) as store:
        id = str(register(store, Person(name="测试"), "urn:test").patient["id"])
        patient = service.locate_home(store, id, *shown, "gcj02", "map application")
        (kept,) = (one for one in patient["address"][0]["extension"] if one["url"] == GEOLOCATION)
        at = to_coordinate(kept)
        assert at is not None
        assert distance(at.lon, at.lat, place.lon, place.lat) < 0.02
        assert (at.datum, at.source, at.given_lon, at.given_lat) == (Datum.GCJ02, "map application", *shown)
        for datum, source in ((None, "x"), ("", "x"), ("mars", "x"), ("WGS-84", " ")):
            with pytest.raises(Invalid) as refused:
                service.locate_home(store, id, place.lon, place.lat, datum, source)
            assert refused.value.reason in {"datum-undeclared", "source-undeclared"}
            assert "121" not in refused.value.text


def test_an_origin_that_contradicts_the_position_is_refused_at_every_door(database: Database) -> None:
    place = TOWN.homes[0]

    def patient(lon: float, lat: float, *origin: dict[str, Any]) -> dict[str, Any]:
        parts = [{"url": "latitude", "valueDecimal": lat}, {"url": "longitude", "valueDecimal": lon}]
        located = {"url": GEOLOCATION, "extension": [*parts, *({"url": ORIGIN, "extension": list(o)} for o in [origin] if o)]}
        return {"resourceType": "Patient", "id": "p1", "name": [{"text": "测试"}], "address": [{"use": "home", "extension": [located]}]}

    shown = from_wgs84(place.lon, place.lat, Datum.GCJ02)
    told = (
        {"url": "datum", "valueCode": "GCJ-02"},
        {"url": "source", "valueString": "x"},
        {"url": "given-longitude", "valueDecimal": shown[0]},
        {"url": "given-latitude", "valueDecimal": shown[1]},
    )
    with database.writing(HEAD, at=AT) as store:
        store.put(patient(place.lon, place.lat, *told))
        with pytest.raises(Invalid) as refused:
            store.put(patient(*shown, *told))
        assert refused.value.reason == "datum-mismatch"
        with pytest.raises(Invalid, match="no datum is declared"):
            store.put(patient(place.lon, place.lat, told[1]))
        store.put(patient(place.lon, place.lat))


@pytest.mark.parametrize(("lon", "lat"), [(121.47, 31.23), (87.62, 43.83)])
def test_exchanged_numbers_without_an_origin_are_refused_at_every_door(database: Database, lon: float, lat: float) -> None:
    parts = [{"url": "latitude", "valueDecimal": lon}, {"url": "longitude", "valueDecimal": lat}]
    address = {"use": "home", "extension": [{"url": GEOLOCATION, "extension": parts}]}
    with database.writing(HEAD, at=AT) as store:
        for wrong in (
            {"resourceType": "Patient", "id": "p1", "name": [{"text": "测试"}], "address": [address]},
            {"resourceType": "Location", "id": "w", "status": "active", "position": {"longitude": lat, "latitude": lon}},
        ):
            with pytest.raises(Invalid, match="seem exchanged") as refused:
                store.put(wrong)
            assert refused.value.reason == "not-on-earth"


def test_a_site_may_ask_that_every_position_in_the_mainland_says_its_datum(database: Database) -> None:
    strict = [p for p in load() if p.name != "circle.declared"]
    (known,) = (p for p in load() if p.name == "circle.declared")
    database.policy = Policy([*strict, dataclasses.replace(known, value="always")])

    def ward(lon: float, lat: float) -> dict[str, Any]:
        return {"resourceType": "Location", "id": "w", "status": "active", "position": {"longitude": lon, "latitude": lat}}

    with database.writing(HEAD, at=AT) as store:
        with pytest.raises(Invalid) as refused:
            store.put(ward(121.47, 31.23))
        assert refused.value.reason == "datum-undeclared"
        store.put(ward(-83.69, 42.25))


def test_answers_are_kept_once_with_engine_mode_speed_network_and_date(district: tuple[Database, list[str]]) -> None:
    database, people = district
    times = travel_times(None, database.policy, AT.date())
    with database.writing(HEAD, at=AT) as store:
        found = service.measure(store, times)
        kept = {one["subject"]["reference"]: one for one in store.select("Observation")}
        assert len(found.answers) == len(kept) == len(people)
        report = store.read("MeasureReport", "circle-walk-2026-11-22")
        populations = {one["code"]["coding"][0]["code"]: one["count"] for one in report["group"][0]["population"]}
        assert populations["people"] == len(people)
        assert populations["inside"] == found.total.inside > 0
    with database.writing(HEAD, at=LATER) as store:
        service.measure(store, times)
        assert {one["meta"]["versionId"] for one in store.select("Observation")} == {"1"}
        for answer in found.answers:
            told = service.answer_of(store, answer.home.id)
            assert told is not None
            for part in ("station", "home", "snap_metres"):
                assert getattr(told[0], part) == getattr(answer, part)
            for part in ("travel", "verdict", "doubts"):
                assert getattr(told[0].membership, part) == getattr(answer.membership, part)
            assert told[1]["engine"] == "healthsvc roads"
            assert (told[1]["mode"], told[1]["kmh"]) == ("walk", 4.0)
            assert told[1]["network"] == times.status().roads["sha256"]  # type: ignore[index]
            assert told[1]["data_date"] == town.DATA_DATE
        again, missing = service.coverage_kept(store)
        assert missing == 0
        assert (again.total, again.by_community, again.by_group) == (found.total, found.by_community, found.by_group)


def test_the_daily_job_measures_what_there_is(database: Database, district: tuple[Database, list[str]]) -> None:
    with database.writing(HEAD, at=AT) as store:
        assert service.refresh(store, None) is not None
        assert service.coverage_kept(store)[1] == 0
        for place in TOWN.stations:
            store.delete("Location", place.id)
        assert service.refresh(store, None) is None


def test_whoever_moves_has_no_answer_until_measured_again(district: tuple[Database, list[str]]) -> None:
    database, people = district
    times = travel_times(None, database.policy, AT.date())
    with database.writing(HEAD, at=AT) as store:
        service.measure(store, times)
        away = TOWN.homes[500]
        service.locate_home(store, people[0], away.lon, away.lat, "WGS-84", "test")
        assert service.answer_of(store, people[0]) is None
        assert service.coverage_kept(store)[1] == 1
        assert service.measure_home(store, times, people[0]) is not None
        assert service.coverage_kept(store)[1] == 0


def test_who_counts_the_living_with_an_active_file_and_who_has_no_position(district: tuple[Database, list[str]]) -> None:
    database, people = district
    with database.writing(HEAD, at=AT) as store:
        register(store, Person(name="没有位置"), "urn:test")
        store.put({**store.read("Patient", people[0]), "deceasedDateTime": "2026-01-01"})
        store.put({**store.read("Patient", people[1]), "active": False})
        located, unlocated = service.homes(store)
        assert (len(located), unlocated) == (len(people) - 2, 1)
        assert {"lixiu"} <= {group for home in located for group in home.groups}


def test_only_service_points_in_use_are_stations(database: Database) -> None:
    with database.writing(HEAD, at=AT) as store:
        station(store, 0)
        station(store, 1, "ward")
        closed = station(store, 2)
        store.put({**store.read("Location", closed), "status": "inactive"})
        typed = {"coding": [{"system": code_system("organization-type"), "code": "station"}]}
        store.put({"resourceType": "Organization", "id": "o1", "name": "站", "type": [typed]})
        by_owner = {**store.read("Location", station(store, 3)), "managingOrganization": {"reference": "Organization/o1"}}
        by_owner.pop("type")
        store.put(by_owner)
        assert [one.id for one in service.stations(store)] == [TOWN.stations[0].id, TOWN.stations[3].id]


def test_an_address_far_from_the_data_is_estimated_and_says_so(district: tuple[Database, list[str]]) -> None:
    database, people = district
    times = travel_times(None, database.policy, AT.date())
    with database.writing(HEAD, at=AT) as store:
        service.locate_home(store, people[0], 121.6005, 30.4765, "WGS-84", "test")
        answer = service.measure_home(store, times, people[0])
        assert answer is not None
        assert answer.membership.travel.basis is Basis.ESTIMATE
        assert answer.membership.verdict in {Verdict.ESTIMATED_INSIDE, Verdict.ESTIMATED_OUTSIDE}
        (kept,) = store.select("Observation")
        assert "估算" in kept["interpretation"][0]["text"]
        told = service.answer_of(store, people[0])
        assert told is not None
        assert told[1]["engine"] == "estimate"
        found = service.coverage_now(store, times)
        assert found.total.estimated_inside + found.total.estimated_outside == 1


def test_a_study_is_kept_as_a_list_of_places(district: tuple[Database, list[str]]) -> None:
    database, _ = district
    times = travel_times(None, database.policy, AT.date())
    with database.writing(HEAD, at=AT) as store:
        before = service.coverage_now(store, times).total
        found = service.study(store, times, count=2)
        assert found.proven
        assert found.already_inside == before.inside
        assert found.already_inside + len(found.gained) + len(found.outside) + len(found.unreachable) == before.people
        listed = service.keep_study(store, found, times)
        assert [one["item"]["reference"] for one in listed["entry"]] == ["#place-1", "#place-2"]
        figures = next(one for one in listed["extension"] if one["url"] == extension("siting-study"))["extension"]
        assert {"url": "proven", "valueBoolean": True} in figures
        for index, place in enumerate(found.places):
            store.put({"resourceType": "Location", "id": f"new-{index}", "status": "active", "name": place.name, "type": _type()})
            service.locate_station(store, f"new-{index}", place.lon, place.lat, "WGS-84", "study")
        assert service.coverage_now(store, times).total.inside == before.inside + len(found.gained)


def _type() -> list[dict[str, Any]]:
    return [{"coding": [{"system": code_system("service-point"), "code": "station"}]}]
