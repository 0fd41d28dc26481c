"""The search against a naive one in memory: parameters x modifiers x prefixes x order x inclusion x page size, in both plans."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import made
from search_oracle import World, sort_value
from sqlalchemy import create_engine

from healthsvc.fhir.json import Resource, loads
from healthsvc.store import SYSTEM, Database
from healthsvc.store.search import plan as search_plan
from healthsvc.store.search import rows as search_rows
from healthsvc.store.search import search

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
NAMES = ("王小二", "王大山", "单田芳", "Wang Xiao", "José García", "jose GARCIA", "欧阳修远")
CODES = (("http://loinc.org", "8480-6"), ("http://loinc.org", "8462-4"), ("urn:local", "8480-6"), (None, "bp"))
DAYS = ("2026", "2026-03", "2026-03-01", "2026-03-02", "2026-03-01T23:30:00+08:00", "2026-03-01T23:30:00Z", "2025-12-31", "2026-03-15")
UNITS = (("http://unitsofmeasure.org", "mm[Hg]"), ("http://unitsofmeasure.org", "kg"))
PROFILES = ("urn:p", "http://x.example/fhir/p", "http://x.example/fhir/p/deep", "http://x.example/fhir/pq", "http://x.example/fhir|2")
TAGS = ({"system": "urn:tag", "code": "a"}, {"system": "urn:tag", "code": "b"}, {"code": "a"})
NUMBERS = ("120", "120.0", "119.96", "80", "7.5", "7.50", "100")


def _coding(pick: random.Random) -> dict[str, Any]:
    system, code = pick.choice(CODES)
    return {"code": code, **({"system": system} if system else {}), **({"display": pick.choice(NAMES)} if pick.random() < 0.3 else {})}


def _quantity(pick: random.Random) -> dict[str, Any]:
    system, code = pick.choice(UNITS)
    called = {"unit": "mmHg"} if code == "mm[Hg]" else {}
    return {"value": loads(pick.choice(NUMBERS)), "system": system, "code": code, **called}


def _some(pick: random.Random, share: float, **elements: Any) -> dict[str, Any]:
    return {key: value for key, value in elements.items() if pick.random() < share}


def _resources(seed: int) -> list[Resource]:
    """About a hundred resources that share few values, so that searches hit and sorts tie."""
    pick = random.Random(seed)
    made: list[Resource] = [{"resourceType": "Organization", "id": f"o{n}", "name": NAMES[n], "active": n == 1} for n in range(3)]
    made += [{"resourceType": "Practitioner", "id": f"d{n}", "name": [{"text": NAMES[n]}]} for n in range(3)]
    for n in range(25):
        names = [{"text": pick.choice(NAMES)} for _ in range(pick.choice((1, 1, 2)))]
        optional = _some(
            pick,
            0.6,
            gender=pick.choice(("male", "female", "unknown")),
            birthDate=pick.choice(("1930", "1930-05", "1930-05-01", "1941-01-02")),
            managingOrganization={"reference": f"Organization/o{pick.randrange(4)}"},
            generalPractitioner=[{"reference": f"Practitioner/d{pick.randrange(3)}"}, {"reference": f"Organization/o{pick.randrange(3)}"}],
            identifier=[{"system": "urn:x", "value": str(n % 7)}, {"value": "plain"}],
        )
        meta = _some(pick, 0.5, profile=[pick.choice(PROFILES)], tag=[pick.choice(TAGS)], security=[pick.choice(TAGS)])
        optional |= {"meta": meta} if meta else {}
        if pick.random() < 0.4:
            kind = {"coding": [{"system": "urn:types", "code": pick.choice(("MR", "NI"))}]}
            optional["identifier"] = [*optional.get("identifier", []), {"type": kind, "system": "urn:x", "value": str(n % 3)}]
        made.append({"resourceType": "Patient", "id": f"p{n}", "name": names, **optional})
    for n in range(60):
        optional = _some(
            pick,
            0.7,
            subject=pick.choice(({"reference": f"Patient/p{pick.randrange(27)}"}, {"identifier": {"system": "urn:x", "value": "3"}})),
            effectiveDateTime=pick.choice(DAYS),
            valueQuantity=_quantity(pick),
            component=[{"code": {"coding": [_coding(pick)]}, "valueQuantity": _quantity(pick)} for _ in range(2)],
            performer=[{"reference": f"Practitioner/d{pick.randrange(3)}"}],
        )
        if pick.random() < 0.2:
            optional.pop("effectiveDateTime", None)
            optional["effectivePeriod"] = pick.choice(
                ({"start": "2026-03-01"}, {"end": "2026-03-01"}, {"start": "2026-02", "end": "2026-03-02"})
            )
        code = {"coding": [_coding(pick) for _ in range(pick.choice((1, 2)))], **_some(pick, 0.3, text=pick.choice(NAMES))}
        status = pick.choice(("final", "final", "final", "amended"))
        made.append({"resourceType": "Observation", "id": f"ob{n}", "status": status, "code": code, **optional})
    for n in range(2):
        entry = [{"item": {"reference": f"Patient/p{pick.randrange(27)}"}} for _ in range(6)]
        made.append({"resourceType": "List", "id": f"l{n}", "status": "current", "mode": "working", "entry": entry})
    for n in range(20):
        optional = _some(pick, 0.7, owner={"reference": f"Practitioner/d{pick.randrange(3)}"}, authoredOn=pick.choice(DAYS[4:6]))
        task = {
            "status": pick.choice(("requested", "completed")),
            "intent": "order",
            "for": {"reference": f"Patient/p{pick.randrange(25)}"},
        }
        made.append({"resourceType": "Task", "id": f"t{n}", **task, **optional})
    return made


ENGINES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgres),
    pytest.param("partitions", marks=(pytest.mark.postgres, pytest.mark.long)),
]


@pytest.fixture(scope="module", params=ENGINES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Database]]:
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("oracle")
        url = f"sqlite:///{path}/healthsvc.sqlite"
    elif request.param == "partitions":
        request.getfixturevalue("scattered")
        url = made(request.getfixturevalue("postgres_server"), request.getfixturevalue("laid_out_template"))
    else:
        server: str = request.getfixturevalue("postgres_server")
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE oracle")
        engine.dispose()
        url = server.rsplit("/", 1)[0] + "/oracle"
    database = Database.open(url, validate=lambda resource: [])
    resources = _resources(20261122)
    with database.writing(SYSTEM, at=AT) as store:
        for one in resources:
            store.put(one)
        # what was deleted or replaced must never be found again
        store.put({"resourceType": "Patient", "id": "gone", "name": [{"text": NAMES[0]}], "gender": "male"})
        store.delete("Patient", "gone")
        store.put({**resources[6], "gender": "other", "name": [{"text": "before"}]})
        store.put(resources[6])
    yield World(resources), database
    database.close()


_name = st.sampled_from((*NAMES, "王", "wang", "jose", "garcia", "x", "田"))
_code = st.sampled_from(
    ("8480-6", "http://loinc.org|8480-6", "|bp", "bp", "urn:local|", "8462-4,bp", "http://loinc.org|8462-4,urn:local|8480-6")
)
_prefix = st.sampled_from(("", "eq", "ne", "gt", "lt", "ge", "le"))
_date_prefix = st.sampled_from(("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb"))
_day = st.builds(str.__add__, _date_prefix, st.sampled_from(DAYS))
_unit = st.sampled_from(("", "|http://unitsofmeasure.org|mm[Hg]", "||kg", "||mmHg", "|http://unitsofmeasure.org|mmHg"))
_number = st.builds(lambda prefix, number, unit: prefix + number + unit, _prefix, st.sampled_from(NUMBERS), _unit)
_yes_no = st.sampled_from(("true", "false"))


def _pair(name: str, values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.just(name), values)


PATIENT = st.one_of(
    *(
        _pair(name, _name)
        for name in ("name", "name:exact", "name:contains", "organization.name", "general-practitioner:Practitioner.name:contains")
    ),
    *(_pair(name, st.sampled_from(("male", "female", "male,female", "other"))) for name in ("gender", "gender:not")),
    *(_pair(f"{name}:missing", _yes_no) for name in ("gender", "birthdate", "organization", "identifier", "general-practitioner")),
    _pair("birthdate", st.builds(str.__add__, _date_prefix, st.sampled_from(("1930", "1930-05", "1930-05-01", "1935")))),
    _pair("identifier", st.sampled_from(("urn:x|3", "|plain", "plain", "urn:x|", "4,5"))),
    _pair("organization", st.sampled_from(("o1", "Organization/o2", "Organization/o3,o0"))),
    _pair("general-practitioner", st.sampled_from(("d1", "o1", "Practitioner/d0", "Organization/o0,d2"))),
    _pair("general-practitioner:Organization", st.sampled_from(("o1", "o2"))),
    _pair("_id", st.sampled_from(("p1", "p1,p2,p9,gone", "x"))),
    _pair("_has:Observation:patient:code", _code),
    _pair("_has:Task:patient:status", st.sampled_from(("requested", "completed"))),
    _pair("active", _yes_no),
    _pair("_has:Task:patient:owner.name", _name),
    _pair("organization.active", _yes_no),
    _pair("identifier:of-type", st.sampled_from(("urn:types|MR|1", "urn:types|NI|2", "urn:types|MR|1,urn:types|NI|0", "urn:other|MR|1"))),
    _pair("_list", st.sampled_from(("l0", "l1", "l0,l1", "l9"))),
    *(_pair(f"_profile{modifier}", st.sampled_from((*PROFILES, "http://x.example/fhir"))) for modifier in ("", ":above", ":below")),
    *(_pair(name, st.sampled_from(("a", "urn:tag|a", "|a", "urn:tag|", "b,a"))) for name in ("_tag", "_security", "_tag:not")),
    *(_pair(f"{name}:missing", _yes_no) for name in ("_profile", "_tag", "_security")),
)
OBSERVATION = st.one_of(
    *(_pair(name, _code) for name in ("code", "code:not", "combo-code", "component-code")),
    _pair("code:text", _name),
    _pair("date", _day),
    _pair("value-quantity", _number),
    _pair("combo-value-quantity", _number),
    *(_pair(name, st.sampled_from(("final", "amended", "final,amended"))) for name in ("status", "status:not")),
    *(
        _pair(f"{name}:missing", _yes_no)
        for name in ("date", "value-quantity", "patient", "component-code", "combo-code", "combo-code-value-quantity")
    ),
    _pair("patient", st.sampled_from(("p1", "Patient/p2", "p3,p4,p5"))),
    _pair("subject:Patient", st.sampled_from(("p1", "p2"))),
    _pair("subject:identifier", st.sampled_from(("urn:x|3", "3", "urn:x|4"))),
    _pair("patient.name", _name),
    _pair("subject:Patient.gender:not", st.sampled_from(("male", "female"))),
    _pair("patient.organization.name", _name),
    _pair("patient.birthdate:missing", _yes_no),
    _pair("patient._has:Task:patient:status", st.sampled_from(("requested", "completed"))),
    *(
        _pair(
            name, st.builds(lambda code, number: f"{code}${number}", st.sampled_from(("8480-6", "http://loinc.org|8480-6", "bp")), _number)
        )
        for name in ("code-value-quantity", "component-code-value-quantity", "combo-code-value-quantity")
    ),
)
SORTS = {
    "Patient": ("name", "-name", "birthdate", "-birthdate", "gender", "-gender", "organization", "-_id", "_id"),
    "Observation": (
        "date",
        "-date",
        "code",
        "-code",
        "combo-code",
        "value-quantity",
        "-value-quantity",
        "-combo-value-quantity",
        "component-value-quantity",
        "patient",
        "status",
        "-_id",
    ),
}
INCLUDES = {
    "Patient": (
        ("_include", "Patient:organization"),
        ("_include", "Patient:general-practitioner"),
        ("_include", "Patient:general-practitioner:Organization"),
        ("_revinclude", "Observation:patient"),
        ("_revinclude", "Task:patient"),
        ("_include:iterate", "Task:owner"),
    ),
    "Observation": (
        ("_include", "Observation:patient"),
        ("_include", "Observation:performer"),
        ("_include:iterate", "Patient:organization"),
        ("_include:iterate", "Patient:general-practitioner"),
        ("_revinclude:iterate", "Task:patient"),
    ),
}


@st.composite
def searches(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]], list[str], list[tuple[str, str]], int]:
    type = draw(st.sampled_from(("Patient", "Observation")))
    filters = draw(st.lists(PATIENT if type == "Patient" else OBSERVATION, max_size=3))
    sort = draw(st.lists(st.sampled_from(SORTS[type]), max_size=2, unique_by=lambda one: one.removeprefix("-")))
    includes = draw(st.lists(st.sampled_from(INCLUDES[type]), max_size=2, unique=True))
    return type, filters, sort, includes, draw(st.sampled_from((3, 11, 100)))


@pytest.mark.parametrize(("ceiling", "probed"), [(4000, 300), (4000, 0), (6, 300)])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=searches())
def test_the_search_finds_what_the_oracle_finds(
    world: tuple[World, Database],
    ceiling: int,
    probed: int,
    asked: tuple[str, list[tuple[str, str]], list[str], list[tuple[str, str]], int],
) -> None:
    oracle, database = world
    type, filters, sort, includes, count = asked
    query = [*filters, *([("_sort", ",".join(sort))] if sort else []), *includes, ("_total", "accurate")]
    expected = oracle.search(type, filters, sort)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_rows, "CEILING", ceiling)
        patch.setattr(search_plan, "CEILING", ceiling)
        patch.setattr(search_rows, "PROBED", probed)
        patch.setattr(search_rows, "_ESTIMATES", {})
        found, included, page = [], set(), None
        with database.reading(SYSTEM, at=AT) as store:
            while True:
                got = search(store, type, query, count=count, page=page, strict=True)
                assert got.total == len(expected)
                found += [one.id for one in got.matches]
                ours = oracle.included([one for one in expected if one.id in {hit.id for hit in got.matches}], includes)
                assert {(one.type, one.id) for one in got.included} == ours
                included |= ours
                page = got.next
                if page is None:
                    break
    if len(sort) == 1 and sort[0].removeprefix("-") in ("code", "combo-code", "gender", "organization", "patient", "status"):
        # codes that are the same in two systems stand in the order in which the store met the systems
        value = {one.id: sort_value(one, sort[0].removeprefix("-"), sort[0].startswith("-"), whole=True) for one in expected}
        assert [value[id] for id in found] == [value[one.id] for one in expected]
        assert len(found) == len(set(found)) == len(expected)
        return
    assert found == [one.id for one in expected]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("identifier:of-type", "urn:types|MR|1,urn:types|NI|0"),
        ("_list", "l0,l1"),
        ("_profile:below", "http://x.example/fhir"),
        ("_profile:above", "http://x.example/fhir/p/deep"),
        ("_tag", "urn:tag|a"),
        ("_security", "|a"),
    ],
)
def test_what_is_drawn_seldom_is_there_to_be_found(world: tuple[World, Database], name: str, value: str) -> None:
    oracle, database = world
    expected = [one.id for one in oracle.search("Patient", [(name, value)], [])]
    assert expected
    with database.reading(SYSTEM, at=AT) as store:
        assert [one.id for one in search(store, "Patient", [(name, value)], strict=True).matches] == expected
