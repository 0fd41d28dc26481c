"""Reads of tables laid out by county: PostgreSQL opens no other partition, and what is found is what was found before."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from postgres import made
from test_tenancy import lay_out, note, organization, person

from healthsvc.access.door import narrowed
from healthsvc.access.rules import DIRECTORY_TYPES
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry
from healthsvc.rest.permitted import restriction
from healthsvc.store import SYSTEM, Actor, Database, Store, driver
from healthsvc.store.chronicle import dates, ids
from healthsvc.store.search import search
from healthsvc.store.search.compartment import everything
from healthsvc.store.search.parts import ALWAYS
from healthsvc.store.search.rows import Rows
from healthsvc.store.search.versions import Window, history
from healthsvc.store.tenancy.within import within

AT = datetime(2026, 11, 28, 3, tzinfo=UTC)
COUNTIES = ("east", "west", "north")
_OPENED = re.compile(r"\b((?:resource|history|ix_[a-z]+)_p(\d+))\b(?!_)(?!.*never executed)")


def observation(id: str, of: str, value: int) -> Resource:
    return {
        "resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{of}"}, "effectiveDateTime": f"2026-11-{value % 28 + 1:02d}", "valueQuantity": {"value": value},
    }  # fmt: skip


def fill(store: Store) -> None:
    """Three counties with some people each; a doctor of the east is responsible for one of the west."""
    store.put(organization("city", "city"))
    store.put({"resourceType": "Practitioner", "id": "d"})
    for county in COUNTIES:
        store.put(organization(county, "county", "city"))
        store.put(organization(f"{county}-1", "centre", county))
        for number in range(12):
            id = f"{county}-p{number}"
            mine = {"generalPractitioner": [{"reference": "Practitioner/d"}]} if id == "west-p0" else {}
            number_ = {"identifier": [{"system": "urn:x", "value": f"N{id}"}]}
            store.put({**person(id, f"{county}-1"), **mine, **number_})
            for day in range(3):
                store.put(observation(f"o-{id}-{day}", id, day + number))
            store.put(note(f"n-{id}", id))


@pytest.fixture(scope="module")
def laid(postgres_server: str, migrated_template: str) -> Iterator[Database]:
    database = Database.open(made(postgres_server, migrated_template), validate=lambda _: [])
    with database.writing(SYSTEM, at=AT) as store:
        fill(store)
    lay_out(database)
    database.laid = type(database.laid)()
    yield database
    database.close()


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[int]]:
    """The parts that PostgreSQL has opened for whatever is read inside, as it says itself."""
    found: set[int] = set()
    run = driver.run

    def explaining(connection: Any, sql: str, args: Any, **how: bool) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            for (line,) in connection.exec_driver_sql(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", args).all():
                found.update(int(number) for _, number in _OPENED.findall(line))
        return run(connection, sql, args, **how)

    with monkeypatch.context() as patch:
        for module in ("search.rows", "chronicle", "writes", "terms"):
            patch.setattr(f"healthsvc.store.{module}.run", explaining)
        yield found


def officer(*areas: str, id: str = "user/officer") -> Actor:
    return Actor(id, "吴五", frozenset({"coordinator"}), "page", frozenset(f"Organization/{one}" for one in areas))


@pytest.mark.postgres
@pytest.mark.parametrize(
    "query",
    [
        "Observation?code=8867-4&_sort=-date&_count=5",
        "Observation?date=ge2026-11-02&_count=50",
        "Observation?patient.name=测试east-p3",
        "Patient?name=测试&_count=3",
        "Patient?_id=east-p1,west-p1",
        "Patient?organization=Organization/east-1&_revinclude=Observation:subject",
        "Observation?_include=Observation:subject&_count=4",
        "Patient?_has:Observation:patient:value-quantity=gt8",
        "Basic?_lastUpdated=ge2026",
    ],
)
def test_an_officer_of_a_county_has_no_other_partition_opened(laid: Database, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    type, _, rest = query.partition("?")
    with laid.reading(officer("east"), at=AT) as store:
        narrowed(store)
        for restrict in (store.restrict, restriction(store)):  # of the rooms and pages, and of the FHIR API
            with opened(monkeypatch) as parts:
                page = search(store, type, rest, restrict=restrict)
            assert page.matches
            assert all("east" in one.id for one in page.matches)
            assert parts == {0, 1}


@pytest.mark.postgres
def test_an_officers_histories_and_whole_files_open_no_other_partition(laid: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with laid.reading(officer("east"), at=AT) as store:
        restrict = restriction(narrowed(store))
        with opened(monkeypatch) as parts:
            versions, _ = history(store, ["Observation", "Basic"], Window(), count=200, restrict=restrict)
        assert parts == {0, 1}
        assert len(versions) == 48
        assert all("east" in one.id for one in versions)
        registry = cast(Registry, laid.language)
        with opened(monkeypatch) as parts:
            for person, members in (("east-p2", 4), ("west-p2", 0)):
                found, _, _ = everything(store, registry, person, ["Observation", "Basic"], lambda _: None, count=10, restrict=restrict)
                assert len(found) == members
        assert parts <= {0, 1}


@pytest.mark.postgres
def test_whoever_is_responsible_for_somebody_elsewhere_sees_them_and_nobody_else_there(
    laid: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with laid.reading(officer("east", id="Practitioner/d"), at=AT) as store:
        narrowed(store)
        with opened(monkeypatch) as parts:
            seen = {one["id"] for one in store.select("Patient")}
    assert seen == {*(f"east-p{number}" for number in range(12)), "west-p0"}
    assert parts == {0, 1, 2}
    with laid.reading(officer("city"), at=AT) as store:
        assert len(narrowed(store).select("Patient")) == 36


@pytest.mark.postgres
def test_what_is_asked_of_one_person_opens_the_persons_part_alone(laid: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with laid.reading(SYSTEM, at=AT) as store:
        for read in (
            lambda: search(store, "Observation", "patient=west-p2&_sort=date").matches,
            lambda: search(store, "Observation", "subject=Patient/west-p2&code=8867-4").matches,
            lambda: dates(store, "Observation", ["west-p2"], "date"),
            lambda: ids(store, "Basic", ["west-p2"]),
        ):
            with opened(monkeypatch) as parts:
                assert len(read()) in (1, 3, 4)
            assert parts == {0, 2}
        with opened(monkeypatch) as parts:
            assert store.read("Observation", "o-north-p1-1")["status"] == "final"
        assert parts == {3}, "the directory leads there"
        with opened(monkeypatch) as parts:  # as the FHIR API reads one resource, or a version of it
            stored, patient = Rows(store).with_patient("Observation", "o-north-p2-1") or (None, None)
            assert stored is not None
            assert (stored.resource["status"], patient) == ("final", "north-p2")
            assert Rows(store).patient(stored) == "north-p2"
            assert Rows(store).with_patient("Observation", "nobody") is None
        assert parts == {3}
        members, _, _ = everything(store, cast(Registry, laid.language), "west-p2", ["Observation", "Basic"], lambda _: None, count=10)
        assert len(members) == 4


@pytest.mark.postgres
def test_a_person_is_found_by_number_and_name_over_everything(laid: Database) -> None:
    with laid.reading(SYSTEM, at=AT) as store:
        for county in COUNTIES:
            assert [one["id"] for one in store.select("Patient", identifier=f"urn:x|N{county}-p5")] == [f"{county}-p5"]
        assert len(store.select("Patient", name="测试")) == 36
        assert len(store.select("Observation", _sort="-date")) == 108


@pytest.mark.postgres
def test_a_process_that_does_not_know_yet_finds_the_same(laid: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laid.laid, "_is", False)
    monkeypatch.setattr(laid.laid, "_look", float("inf"))
    with laid.reading(officer("east"), at=AT) as store:
        narrowed(store)
        assert len(store.select("Observation", code="8867-4")) == 36
        assert store.find("Patient", "west-p1") is None
    with laid.reading(SYSTEM, at=AT) as store:
        assert len(store.select("Observation", patient="west-p2")) == 3


def test_a_statement_is_narrowed_in_each_of_its_tables() -> None:
    sql = "SELECT c.pk FROM ix_token c CROSS JOIN resource r WHERE r.pk=c.pk AND r.pk IN (SELECT pk FROM resource WHERE id=?)"
    assert within(sql, (0, 3)) == (
        "SELECT c.pk FROM (SELECT * FROM ix_token WHERE part IN (0, 3)) c CROSS JOIN (SELECT * FROM resource WHERE part IN (0, 3)) r "
        "WHERE r.pk=c.pk AND r.part=c.part AND r.pk IN (SELECT pk FROM (SELECT * FROM resource WHERE part IN (0, 3)) resource WHERE id=?)"
    )
    derived = "SELECT s.pk FROM (SELECT DISTINCT pk FROM (SELECT x.pk FROM ix_uri x) AS d) AS c CROSS JOIN ix_date s WHERE s.pk=c.pk"
    assert within(derived, None) == derived, "what is no table has no part"


def test_a_record_that_names_its_person_is_in_their_compartment_whatever_its_type() -> None:
    """So what is asked of one person can be looked for with the person alone."""
    registry = Registry.load()

    def paths(type: str, codes: tuple[str, ...]) -> set[str]:
        told = [found.expression for code in codes if (found := registry.parameter(type, code)) is not None]
        parts = (re.sub(r"\.where\(resolve\(\) is \w+\)|[()]", "", one).strip() for each in told for one in each.split("|"))
        return {one for one in parts if one.startswith(f"{type}.")}

    for type in sorted(registry.types - {"Patient"}):
        if theirs := registry.patient_compartment(type):
            assert type not in DIRECTORY_TYPES, "what says nothing of a person is in the common part"
            assert paths(type, ALWAYS) <= paths(type, theirs), type
