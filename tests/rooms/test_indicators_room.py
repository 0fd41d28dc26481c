"""Figures from a real database: a small district whose every number can be counted by hand; exports over a real socket."""

import csv
import io
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from openpyxl import load_workbook
from roomserver import room_client
from staffed import staffed

from healthsvc.contract import service as contracts
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.consent import SignedConsent
from healthsvc.greenchannel import service as channels
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as homebeds
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.indicators import service
from healthsvc.indicators.endpoints import router
from healthsvc.indicators.figure import ALL, RESETTLED, By, Part
from healthsvc.indicators.ledgers import LEDGERS, ledger
from healthsvc.indicators.service import Asked
from healthsvc.rooms import ROOMS
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


def by_code(store: Store, on: date, part: Part = ALL, known: date | None = None) -> dict[str, tuple[int, int | None]]:
    found = service.divided(store, Asked(on, known=known), part.by or By.RESETTLED)
    return {one.code: (one.numerator, one.denominator) for one in found if one.part == part}


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
        found = by_code(store, on)
        assert found["signing"] == (2, 3)
        assert found["checkup-quarter"] == (1, 2)
        assert found["green-channel"] == (2, 3)
        assert found["home-beds"] == (1, None)
        assert found["first-round"] == (1, 1)
        assert found["infusions"] == (0, None)
        assert by_code(store, on, RESETTLED)["signing"] == (1, 1)
        assert by_code(store, on, RESETTLED)["checkup-quarter"] == (0, 1)
        signing = service.figure(store, "signing", Asked(on))
        assert set(signing.people) == {people["甲"], people["乙"]}
        assert signing.missing == (people["丙"],)
        with pytest.raises(NotFound):
            service.figure(store, "happiness", Asked(on))
        with pytest.raises(Invalid):
            service.figures(store, Asked(on, known=on - timedelta(days=1)))
        told = service.explained(store, "completeness", Asked(on))
        assert told["parameters"]["indicators.complete_from"] == 80
        assert told["rule"]["version"] == "1"
        assert told["denominator"] == sum(one["denominator"] for one in told["parts"]["unit"]) == 3
    late = date(2026, 4, 15)
    with database.reading(SYSTEM, at=datetime(2026, 4, 16, tzinfo=UTC)) as store:
        fulfilment = service.figures(store, Asked(late))[0]
        assert fulfilment.denominator is not None
        assert 0 < fulfilment.numerator < fulfilment.denominator
        assert fulfilment.missing[0] in people.values()
        # nobody was on file the day before; what we know today of that day is another question
        assert by_code(store, date(2026, 2, 1))["signing"] == (0, 0)
        assert by_code(store, date(2026, 2, 1), known=late)["signing"] == (0, 3)
        assert len(service.reports(store, Asked(late))) == len(service.figures(store, Asked(late)))


def test_a_figure_of_a_past_day_stays_what_it_was(engine_url: str, tmp_path: Path) -> None:
    """Life goes on for months: visits, death, a merge, withdrawals, late entries. Every day's figures can be had again on any later day."""
    database = Database.open(engine_url, rooms=ROOMS, signing_keys=tmp_path / "keys")
    with database.writing(SYSTEM, at=AT) as store:
        people = district(store)
        other = str(register(store, Person("=测试甲一", category=Category.LIXIU), "urn:test2").patient["id"])
    then: dict[date, object] = {}
    for number in range(0, 90, 6):
        noon = AT + timedelta(days=number, hours=3)
        with database.writing(SYSTEM, at=noon) as store:
            if number % 12 == 0 and (waiting := [one for one in open_visits(store, people["甲"]) if one.window.start <= noon]):
                complete(store, waiting[0].id, found(noon - timedelta(days=1)), "Practitioner/dr-1")
            if number == 18:
                store.put(store.read("Patient", people["乙"]) | {"deceasedDateTime": (noon - timedelta(days=2)).isoformat()})
            if number == 30:
                merge(store, other, people["甲"])
            if number == 42:
                channels.withdraw(store, people["甲"], noon.date())
        on = (noon + timedelta(hours=8)).date()
        with database.reading(SYSTEM, at=datetime.combine(on, time(15, 59), UTC)) as store:
            then[on] = shown(store, on)
    assert len({str(one) for one in then.values()}) > 8
    fresh = Database.open(engine_url, rooms=ROOMS, signing_keys=tmp_path / "keys")
    for again in (database, fresh):
        with again.reading(SYSTEM, at=AT + timedelta(days=200)) as store:
            assert {on: shown(store, on) for on in then} == then
        again.close()


def found(end: datetime) -> Findings:
    return Findings(end - timedelta(minutes=30), end, late_reason="staff")


def shown(store: Store, on: date) -> object:
    """All of a day's figures, with everybody behind them."""
    found = service.divided(store, Asked(on), By.UNIT)
    return [(one.code, one.part, one.numerator, one.denominator, one.people, one.missing, one.excluded) for one in found]


def test_what_was_rolled_back_is_not_remembered(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        people = district(store)
    with suppress(RuntimeError), database.writing(SYSTEM, at=AT + timedelta(hours=1)) as store:
        store.put(store.read("Patient", people["丙"]) | {"active": False})
        assert by_code(store, ON)["signing"] == (2, 2)
        raise RuntimeError
    with database.reading(SYSTEM, at=AT + timedelta(hours=1)) as store:
        assert by_code(store, ON)["signing"] == (2, 3)


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
        assert {row["patient"] for row in shown["people"] if row["standing"] == "met"} == {people["甲"], people["乙"]}
        assert [row["name"] for row in shown["people"] if row["standing"] == "missing"] == ["=测试丙"]
        assert client.get("/api/indicators/signing", params={"on": ON.isoformat()}).json()["rule"]["version"] == "1"
        away = client.get("/api/indicators/signing/people", params={"on": ON.isoformat(), "by": "resettled", "value": "resettled"})
        assert [row["patient"] for row in away.json()["people"]] == [people["乙"]]
        assert client.get("/api/indicators/signing/people", params={"by": "unit"}).status_code == 422
        book = load_workbook(io.BytesIO(client.get("/api/indicators.xlsx", params={"on": ON.isoformat()}).content))
        assert book.sheetnames == ["考核指标"]
        text = client.get("/api/ledgers/contracts.csv", params={"first": ON.isoformat(), "last": ON.isoformat()})
        rows = list(csv.reader(io.StringIO(text.content.decode("utf-8-sig"))))
        assert {row[1] for row in rows[1:]} == {"'=测试甲", "'=测试乙"}
        for path in (
            "/api/indicators.pdf",
            "/api/indicators/signing/people.pdf",
            "/api/ledgers/contracts.pdf?first=2026-01-01&last=2026-12-31",
        ):
            paper = client.get(path, params={"on": ON.isoformat()} if "?" not in path else None)
            assert paper.content.startswith(b"%PDF-"), paper.text
            assert paper.headers["content-type"] == "application/pdf"
        assert client.get("/api/indicators/measure-reports").json()["resourceType"] == "Bundle"
        assert client.get("/api/ledgers").json()[0]["name"] == "visits"
        wrong = client.get("/api/ledgers/visits.csv", params={"first": "2026-02-02", "last": "2026-02-01"})
        assert wrong.status_code == 422
        people_file = client.get("/api/indicators/signing/people.csv", params={"on": ON.isoformat()})
        assert people_file.content.count(b"\r\n") == 4
    with room_client(database, tmp_path, router, "bureau") as bureau:
        assert bureau.get("/api/indicators").status_code == 200
        masked = bureau.get("/api/indicators/signing/people", params={"on": ON.isoformat()})
        assert {row["name"] for row in masked.json()["people"]} == {"=***"}
        for id in people.values():
            assert id not in masked.text
        masked_file = bureau.get("/api/indicators/signing/people.csv", params={"on": ON.isoformat()})
        assert "测试" not in masked_file.text
        assert "'=***" in masked_file.text
        ledger_file = bureau.get("/api/ledgers/home-beds.csv", params={"first": ON.isoformat(), "last": ON.isoformat()})
        rows = list(csv.DictReader(io.StringIO(ledger_file.content.decode("utf-8-sig"))))
        assert [row["姓名"] for row in rows] == ["'=***"], "masked"
        assert [row["诊断"] for row in rows] == [""], "nothing of anybody's health"
        assert all(id not in ledger_file.text for id in people.values())
    with database.reading(SYSTEM, at=AT) as store:
        assert {row[1] for row in ledger(store, "contracts", ON, ON, named=False).rows} == {"=***"}, "statistics need no names"
        away = ledger(store, "contracts", ON, ON, Part(By.RESETTLED, "resettled"))
        assert [row[1] for row in away.rows] == ["=测试乙"]
        assert sum(len(ledger(store, "contracts", ON, ON, Part(By.RESETTLED, one)).rows) for one in ("local", "resettled")) == 2
