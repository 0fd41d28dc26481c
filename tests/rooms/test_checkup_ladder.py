"""The ladder: each rung once, to whom it names, until somebody has seen it or the visit is made."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.checkup.ladder import Rung, escalate, reached, rungs
from healthsvc.checkup.reminders import acknowledge, open_reminders
from healthsvc.contract import service as contracts
from healthsvc.errors import RuleViolation
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.policy import load
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings

LADDER = rungs(load().value("checkup.ladder", date(2026, 1, 1)))
D1 = "Practitioner/d1"


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 2, tzinfo=UTC)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(-60, 60))
def test_a_rung_that_has_been_reached_stays_reached(closes: date, offset: int) -> None:
    today, tomorrow = (reached(closes, closes + timedelta(days=days), LADDER) for days in (offset, offset + 1))
    assert set(today) <= set(tomorrow)
    assert [rung.days for rung in today] == [days for days in (-7, 1, 7, 14) if days <= offset]


def signed(store: Store) -> tuple[str, date]:
    store.put({"resourceType": "Practitioner", "id": "d1"})
    store.put({"resourceType": "Organization", "id": "bureau", "name": "示例区"})
    store.put({"resourceType": "Organization", "id": "centre", "name": "示例中心", "partOf": {"reference": "Organization/bureau"}})
    patient = str(register(store, Person("测试甲", centre="Organization/centre"), "urn:test").patient["id"])
    contracts.sign(store, patient, D1, None, date(2026, 1, 5))
    return patient, visits.open_visits(store, patient)[0].window.end.astimezone(store.zone).date()


def test_everybody_is_told_once_and_in_order(database: Database) -> None:
    with database.writing(SYSTEM, at=at(date(2026, 1, 5))) as store:
        _, closes = signed(store)
    expected = {-8: [], -7: [D1], -6: [], 1: [D1], 2: [], 7: ["Organization/centre"], 14: ["Organization/bureau"], 20: []}
    for offset, recipients in expected.items():
        on = closes + timedelta(days=offset)
        with database.writing(SYSTEM, at=at(on)) as store:
            assert [one["recipient"][0]["reference"] for one in escalate(store, on)] == recipients
            assert escalate(store, on) == []
    with database.reading(SYSTEM, at=at(on)) as store:
        assert len(open_reminders(store)) == 4
        assert len(open_reminders(store, D1)) == 2


def test_a_missed_day_is_made_up_for(database: Database) -> None:
    with database.writing(SYSTEM, at=at(date(2026, 1, 5))) as store:
        _, closes = signed(store)
        assert len(escalate(store, closes + timedelta(days=8))) == 3


def test_seen_once_and_stopped_when_the_visit_is_made(database: Database) -> None:
    with database.writing(SYSTEM, at=at(date(2026, 1, 5))) as store:
        patient, closes = signed(store)
        first, second = escalate(store, closes + timedelta(days=1))
        assert acknowledge(store, first["id"])["status"] == "completed"
        assert acknowledge(store, first["id"])["meta"]["versionId"] == "2"
        visits.complete(store, visits.open_visits(store, patient)[0].id, Findings(store.at, store.at, pulse=70), D1)
        assert escalate(store, closes + timedelta(days=30)) == []
        assert store.read("Communication", second["id"])["status"] == "stopped"
        with pytest.raises(RuleViolation):
            acknowledge(store, second["id"])


def test_who_is_in_hospital_is_not_called_late(database: Database) -> None:
    with database.writing(SYSTEM, at=at(date(2026, 1, 5))) as store:
        patient, closes = signed(store)
        visits.suspend(store, patient, "admitted")
        assert escalate(store, closes + timedelta(days=30)) == []


def test_a_rung_without_anybody_to_tell_is_left_out() -> None:
    assert reached(date(2026, 1, 31), date(2026, 2, 28), (Rung(7, "centre"), Rung(-7, "doctor"))) == (Rung(-7, "doctor"), Rung(7, "centre"))


@pytest.mark.parametrize(("centre", "part_of", "told"), [(None, None, [D1, D1, D1, D1]), ("centre", None, [D1, D1, "c", "c"])])
def test_where_a_level_is_not_known_the_next_lower_one_is_told(
    database: Database, centre: str | None, part_of: str | None, told: list[str]
) -> None:
    with database.writing(SYSTEM, at=datetime(2026, 1, 5, 1, tzinfo=UTC)) as store:
        store.put({"resourceType": "Practitioner", "id": D1.partition("/")[2]})
        store.put({"resourceType": "Organization", "id": "c", "name": "示例中心"})
        organization = "Organization/c" if centre else None
        patient = str(register(store, Person("测试甲", centre=organization), "urn:test").patient["id"])
        contracts.sign(store, patient, D1, None, date(2026, 1, 5))
        first = min(visits.open_visits(store, patient), key=lambda one: one.window.end)
        found = escalate(store, first.window.end.astimezone(store.zone).date() + timedelta(days=20))
    recipients = [one["recipient"][0]["reference"] for one in found if one["basedOn"][0]["reference"] == f"Task/{first.id}"]
    assert recipients == [one if "/" in one else f"Organization/{one}" for one in told]
