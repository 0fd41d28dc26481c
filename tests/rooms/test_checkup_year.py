"""A year of signed cadres, day by day: people fall ill, come home, change doctors, die; and what must hold, holds."""

import random
from collections import Counter
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from healthsvc.checkup.calendar import is_workday
from healthsvc.contract import renewal
from healthsvc.contract import service as contracts
from healthsvc.contract.resources import to_agreement
from healthsvc.contract.rules import EndReason, State
from healthsvc.demo.people import people
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register, update_demographics
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure
from healthsvc.visit.resources import to_visit
from healthsvc.visit.rules import OPEN, Kind, Standing, Status, quarter_of

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 1, 5)
DOCTORS = ("Practitioner/d1", "Practitioner/d2", "Practitioner/d3")
PEOPLE = 40


def test_a_year_in_the_life_of_a_district(database: Database) -> None:
    chance = random.Random(20260105)
    with database.writing(SYSTEM, at=datetime.combine(FIRST, time(8), ZONE)) as store:
        for doctor in DOCTORS:
            store.put({"resourceType": "Practitioner", "id": doctor.partition("/")[2]})
        persons = [str(register(store, one, "urn:test").patient["id"]) for one in people(PEOPLE, 1, FIRST)]
        for number, person in enumerate(persons):
            contracts.sign(store, person, DOCTORS[number % 3], None, FIRST)
    away: dict[str, date] = {}
    for offset in range(0, 370):
        on = FIRST + timedelta(days=offset)
        with database.writing(SYSTEM, at=datetime.combine(on, time(15), ZONE)) as store:
            happened = _a_day(store, on, persons, away, chance)
            if happened or offset % 30 == 0:
                _check(store, on)
    with database.reading(SYSTEM, at=datetime.combine(on, time(16), ZONE)) as store:
        made = Counter(to_visit(task).kind for task in store.select("Task", status="completed"))
        assert made[Kind.QUARTERLY_CHECKUP] > 2.5 * PEOPLE
        ended = Counter(to_agreement(one).state for one in store.select("Contract"))
        assert ended[State.EXPIRED] > 0
        assert ended[State.TERMINATED] > 0
        assert ended[State.TRANSFERRED] > 0


def _a_day(store: Store, on: date, persons: list[str], away: dict[str, date], chance: random.Random) -> bool:
    happened = bool(renewal.expire_due(store, on))
    for person in [one for one, back in away.items() if back <= on]:
        del away[person]
        visits.resume(store, person, store.at, "admitted")
        happened = True
    if chance.random() < 0.10:
        person = chance.choice(persons)
        if person not in away and not is_deceased(store.read("Patient", person)):
            away[person] = on + timedelta(days=chance.randrange(3, 40))
            visits.suspend(store, person, "admitted")
            happened = True
    if chance.random() < 0.02:
        update_demographics(store, chance.choice(persons), Person("", deceased=on))
        happened = True
    if chance.random() < 0.04 and (current := contracts.active(store, chance.choice(persons))) is not None:
        other = chance.choice([one for one in DOCTORS if one != current.doctor])
        if chance.random() < 0.7:
            contracts.transfer(store, current.id, other, None, on)
        else:
            contracts.terminate(store, current.id, EndReason.OWN_WISH, on)
        happened = True
    if not is_workday(on):
        return happened
    late = visits.overdue(store, on)
    for visit in [*late, *chance.sample(due := visits.due(store, on), min(3, len(due)))]:
        reason = "not-at-home" if visit in late else None
        if reason and chance.random() < 0.05:
            visits.miss(store, visit.id, "refused")
            continue
        pressure = Pressure(chance.randrange(110, 175), chance.randrange(60, 95))
        visits.complete(store, visit.id, Findings(store.at, store.at, bp_left=pressure, late_reason=reason), visit.owner or DOCTORS[0])
        happened = True
    return happened


def _check(store: Store, on: date) -> None:
    active = [one for contract in store.select("Contract", status="executed") if (one := to_agreement(contract)).state is State.ACTIVE]
    assert max(Counter(one.person for one in active).values(), default=0) <= 1
    assert all(one.end >= on for one in active)
    doctors = {one.person: one.doctor for one in active}
    quarters: Counter[tuple[str, str]] = Counter()
    for task in store.select("Task", status=[status.value for status in OPEN]):
        visit = to_visit(task)
        assert not is_deceased(store.read("Patient", visit.person))
        if visit.kind == Kind.QUARTERLY_CHECKUP:
            assert visit.owner == doctors[visit.person]
            quarters[visit.person, quarter_of(visit.window.start.astimezone(ZONE).date())] += 1
        if visit.status is Status.ON_HOLD:
            assert visit.encounter is None or store.read("Encounter", visit.encounter.partition("/")[2])["status"] == "cancelled"
    assert max(quarters.values(), default=0) <= 1
    for visit, stands in visits.standings(store, on):
        assert (stands is Standing.OVERDUE) == (visit.window.end.astimezone(ZONE).date() < on)
