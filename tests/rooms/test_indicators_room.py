"""Figures from a real database: a small district whose every number can be counted by hand; exports over a real socket."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from roomserver import room_client
from staffed import staffed

from healthsvc.contract import service as contracts
from healthsvc.errors import NotFound
from healthsvc.fhir.consent import SignedConsent
from healthsvc.greenchannel import service as channels
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as homebeds
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.indicators import service
from healthsvc.indicators.endpoints import router
from healthsvc.indicators.ledgers import LEDGERS, ledger
from healthsvc.indicators.rules import Figure, Group
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit.findings import Findings
from healthsvc.visit.service import complete, open_visits

AT = datetime(2026, 2, 2, 2, 0, tzinfo=UTC)
ON = date(2026, 2, 2)


def district(store: Store) -> dict[str, str]:
    """Four cadres: 甲 signed and visited, 乙 (resettled) signed and not visited, 丙 neither, 丁 has died."""
    for one in (staffed("dr-1", "doctor"), staffed("nu-1", "nurse")):
        store.put(one)
    names = {"甲": False, "乙": True, "丙": False, "丁": False}
    people = {
        name: str(register(store, Person(f"=测试{name}", category=Category.LIXIU, resettled=away), "urn:test").patient["id"])
        for name, away in names.items()
    }
    store.put(store.read("Patient", people["丁"]) | {"deceasedDateTime": "2026-01-01"})
    for name in "甲乙":
        contracts.sign(store, people[name], "Practitioner/dr-1", "Practitioner/nu-1", ON)
        channels.grant(store, people[name], ON)
    found = Assessment(
        people["甲"], "dr-1", ON, Diagnosis("I69.300", "脑梗死后遗症"), frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "建床"
    )
    agreed = SignedConsent("ag-1", people["甲"], "home-bed", AT - timedelta(hours=1), risks_told=True, fees_told=True, copies=3)
    homebeds.establish(store, people["甲"], found, agreed, "dr-1", "nu-1", ON)
    return people


def visited(store: Store, patient: str, kind: str, at: datetime) -> None:
    task = open_visits(store, patient, kind)[0].id
    complete(store, task, Findings(at, at + timedelta(minutes=30)), "Practitioner/dr-1")


def by_code(figures: list[Figure], group: Group = Group.ALL) -> dict[str, tuple[int, int | None]]:
    return {one.code: (one.numerator, one.denominator) for one in figures if one.group is group}


def test_the_figures_of_a_small_district(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        people = district(store)
    with database.writing(SYSTEM, at=AT + timedelta(hours=3)) as store:
        visited(store, people["甲"], "home-bed-round", AT + timedelta(hours=2))
        first = open_visits(store, people["甲"], "quarterly-checkup")[0].window
    seen = max(first.start.astimezone(UTC), AT) + timedelta(hours=5)
    with database.writing(SYSTEM, at=seen + timedelta(hours=1)) as store:
        visited(store, people["甲"], "quarterly-checkup", seen)
    on = (seen + timedelta(hours=8)).date()
    with database.reading(SYSTEM, at=seen + timedelta(hours=2)) as store:
        found = by_code(service.figures(store, on))
        assert found["signing"] == (2, 3)
        assert found["checkup-quarter"] == (1, 2)
        assert found["green-channel"] == (2, 3)
        assert found["home-beds"] == (1, None)
        assert found["first-round"] == (1, 1)
        assert found["infusions"] == (0, None)
        assert by_code(service.figures(store, on), Group.RESETTLED)["signing"] == (1, 1)
        assert by_code(service.figures(store, on), Group.RESETTLED)["checkup-quarter"] == (0, 1)
        signing = service.figure(store, "signing", on)
        assert set(signing.people) == {people["甲"], people["乙"]}
        assert signing.missing == (people["丙"],)
        with pytest.raises(NotFound):
            service.figure(store, "happiness", on)
    late = date(2026, 4, 15)
    with database.reading(SYSTEM, at=datetime(2026, 4, 16, tzinfo=UTC)) as store:
        figures = service.figures(store, late)
        fulfilled = by_code(figures)["fulfilment"]
        assert fulfilled[1] is not None
        assert 0 < fulfilled[0] < fulfilled[1]
        assert figures[0].missing[0] in people.values()
        assert by_code(service.figures(store, date(2026, 2, 1)))["signing"] == (0, 3)
        reports = service.measure_reports(store, late)
        assert len(reports) == len(figures)


def test_ledgers_and_exports(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        people = district(store)
        for name in LEDGERS:
            table = ledger(store, name, ON, ON + timedelta(days=300))
            assert len(table.columns) == len(table.rows[0]) if table.rows else True
        assert len(ledger(store, "contracts", ON, ON).rows) == 2
        assert len(ledger(store, "green-channels", ON, ON).rows) == 2
        assert len(ledger(store, "home-beds", ON, ON).rows) == 1
        assert ledger(store, "home-beds", date(2025, 1, 1), date(2025, 1, 2)).rows == ()
        with pytest.raises(NotFound):
            ledger(store, "gossip", ON, ON)
    with room_client(database, tmp_path, router) as client:
        told = client.get("/api/indicators", params={"on": ON.isoformat()}).json()
        assert told[0]["code"] == "fulfilment"
        assert "people" not in told[0]
        shown = client.get("/api/indicators/signing/people", params={"on": ON.isoformat()}).json()
        assert set(shown["people"]) == {people["甲"], people["乙"]}
        book = load_workbook(io.BytesIO(client.get("/api/indicators.xlsx", params={"on": ON.isoformat()}).content))
        assert book.sheetnames == ["考核指标"]
        text = client.get("/api/ledgers/contracts.csv", params={"first": ON.isoformat(), "last": ON.isoformat()})
        rows = list(csv.reader(io.StringIO(text.content.decode("utf-8-sig"))))
        assert {row[1] for row in rows[1:]} == {"'=测试甲", "'=测试乙"}
        assert client.get("/api/indicators/measure-reports").json()["resourceType"] == "Bundle"
        assert client.get("/api/ledgers").json()[0]["name"] == "visits"
        wrong = client.get("/api/ledgers/visits.csv", params={"first": "2026-02-02", "last": "2026-02-01"})
        assert wrong.status_code == 422
        people_file = client.get("/api/indicators/signing/people.csv", params={"on": ON.isoformat()})
        assert people_file.content.count(b"\r\n") == 4
    with room_client(database, tmp_path, router, "bureau") as bureau:
        assert bureau.get("/api/indicators").status_code == 200
        assert bureau.get("/api/indicators/signing/people").status_code == 403
        assert bureau.get("/api/ledgers/visits.csv", params={"first": "2026-02-01", "last": "2026-02-01"}).status_code == 403
