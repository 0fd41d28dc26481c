"""A year of signed cadres, day by day: people fall ill, come home, go away, change doctors, die; and every evening what must hold, holds.

The short form has 60 people, the long one 600. What is checked is read from what was stored that day, so that a day costs what happened
in it and not what is on file.
"""

import random
from collections import Counter
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from healthsvc.checkup.calendar import is_workday
from healthsvc.checkup.ladder import escalate
from healthsvc.checkup.reminders import acknowledge, open_reminders
from healthsvc.contract import cards, delivery, renewal
from healthsvc.contract import service as contracts
from healthsvc.contract.found import in_force, running
from healthsvc.contract.fulfilment import together
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, EndReason, State
from healthsvc.demo.people import people
from healthsvc.documents.service import verify_all
from healthsvc.fhir.json import loads
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register, update_demographics
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.store.stored import micros
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import OPEN, Kind, Standing, Status, Visit, quarter_of, standing

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2026, 1, 5)
DOCTORS = ("Practitioner/d1", "Practitioner/d2", "Practitioner/d3")
A_WEEK = 7


class Mirror:
    """What is on file, kept up from the rows that each day has written."""

    def __init__(self) -> None:
        self.contracts: dict[str, Agreement] = {}
        self.visits: dict[str, Visit] = {}
        self.dead: set[str] = set()

    def take_in(self, store: Store) -> int:
        """Read what has been written at the store's moment."""
        rows = store.connection.execute(
            text(
                "SELECT t.text, r.id, r.version, r.body FROM resource r JOIN term t ON t.id = r.type "
                "WHERE r.updated >= :since AND NOT r.deleted"
            ),
            {"since": micros(store.at)},
        )
        number = 0
        for type, id, version, kept in rows:
            number += 1
            body = store.opened(type, id, version, kept)
            if type == "Contract" and is_family_doctor(one := loads(body)):
                self.contracts[id] = to_agreement(one)
            elif type == "Task" and is_visit(one := loads(body)):
                self.visits[id] = to_visit(one)
            elif type == "Patient" and is_deceased(loads(body)):
                self.dead.add(id)
        return number

    def check(self, on: date) -> None:
        """What must hold on every evening."""
        active = [one for one in self.contracts.values() if one.state is State.ACTIVE]
        assert max(Counter(one.person for one in active).values(), default=0) <= 1
        doctors = {one.person: one.doctor for one in active}
        assert not doctors.keys() & self.dead
        quarters: Counter[tuple[str, str]] = Counter()
        for visit in self.visits.values():
            if visit.status not in OPEN:
                continue
            assert visit.person not in self.dead
            if visit.kind == Kind.QUARTERLY_CHECKUP:
                assert visit.owner == doctors[visit.person], "a checkup is with the doctor of the contract in force"
                quarters[visit.person, quarter_of(visit.window.start.astimezone(ZONE).date())] += 1
        assert max(quarters.values(), default=0) <= 1

    def standing(self, what: Standing, at: datetime) -> list[Visit]:
        """Visits that stand like this."""
        return sorted((one for one in self.visits.values() if standing(one, at) is what), key=lambda one: (one.window.end, one.id))


@pytest.mark.parametrize("size", [60, pytest.param(600, marks=pytest.mark.long)])
def test_a_year_in_the_life_of_a_district(database: Database, size: int) -> None:
    chance, mirror, away = random.Random(20260105), Mirror(), dict[str, date]()
    with database.writing(SYSTEM, at=datetime.combine(FIRST, time(8), ZONE)) as store:
        for doctor in DOCTORS:
            store.put({"resourceType": "Practitioner", "id": doctor.partition("/")[2], "name": [{"text": "医生"}]})
        persons = [str(register(store, one, "urn:test").patient["id"]) for one in people(size, 1, FIRST)]
        for number, person in enumerate(persons):
            contracts.sign(store, person, DOCTORS[number % 3], None, FIRST)
        mirror.take_in(store)
    for offset in range(1, 372):
        on = FIRST + timedelta(days=offset)
        with database.writing(SYSTEM, at=datetime.combine(on, time(15), ZONE)) as store:
            _a_day(store, on, persons, away, chance, mirror)
            mirror.take_in(store)
            mirror.check(on)
            if offset % 90 == 0:
                _check_against_the_store(store, on, mirror)
    with database.reading(SYSTEM, at=datetime.combine(on, time(16), ZONE)) as store:
        _what_the_year_has_brought(store, mirror, size)


def _a_day(store: Store, on: date, persons: list[str], away: dict[str, date], chance: random.Random, mirror: Mirror) -> None:
    if on.toordinal() % A_WEEK == 0 or on >= FIRST.replace(year=FIRST.year + 1):
        renewal.expire_due(store, on)
        renewal.remind(store, on)
        escalate(store, on)
        for reminder in open_reminders(store)[:5]:
            acknowledge(store, reminder["id"])
    for person in [one for one, back in away.items() if back <= on]:
        del away[person]
        visits.resume(store, person, store.at)
    busy = len(persons) / 40
    for _ in range(_happens(0.10 * busy, chance)):
        person = chance.choice(persons)
        if person not in away and person not in mirror.dead:
            away[person] = on + timedelta(days=chance.randrange(3, 40))
            visits.suspend(store, person, chance.choice(["admitted", "away"]))
    if chance.random() < 0.01 * busy:
        update_demographics(store, chance.choice(persons), Person("", deceased=on))
    if chance.random() < 0.04 * busy and (current := contracts.active(store, chance.choice(persons))) is not None and current.start <= on:
        other = chance.choice([one for one in DOCTORS if one != current.doctor])
        what = chance.random()
        if what < 0.5:
            contracts.transfer(store, current.id, other, None, on)
        elif what < 0.8:
            contracts.renew(store, current.id)
        else:
            contracts.terminate(store, current.id, EndReason.OWN_WISH, on)
    if is_workday(on):
        _work(store, on, chance, mirror)


def _work(store: Store, on: date, chance: random.Random, mirror: Mirror) -> None:
    """The late ones first, then some of those that are due."""
    mirror.take_in(store)
    late, due = mirror.standing(Standing.OVERDUE, store.at), mirror.standing(Standing.DUE, store.at)
    for visit in [*late[:40], *chance.sample(due, min(max(1, len(due) // 30), len(due)))]:
        reason = "not-at-home" if visit in late else None
        if reason and chance.random() < 0.05:
            visits.miss(store, visit.id, "refused")
            continue
        pressure = Pressure(chance.randrange(110, 175), chance.randrange(60, 95))
        visits.complete(store, visit.id, Findings(store.at, store.at, bp_left=pressure, late_reason=reason), visit.owner or DOCTORS[0])


def _happens(rate: float, chance: random.Random) -> int:
    return int(rate) + (chance.random() < rate % 1)


def _check_against_the_store(store: Store, on: date, mirror: Mirror) -> None:
    """The mirror and the pages say the same, and "overdue" is one thing."""
    assert {one["id"] for one in in_force(store)} == {one.id for one in mirror.contracts.values() if one.state is State.ACTIVE}
    assert {one.id for one in visits.overdue(store, store.at)} == {one.id for one in mirror.standing(Standing.OVERDUE, store.at)}
    for visit, stands in visits.standings(store, on):
        assert (stands is Standing.OVERDUE) == (visit.window.end.astimezone(ZONE).date() < on)


def _what_the_year_has_brought(store: Store, mirror: Mirror, size: int) -> None:
    made = [one for one in mirror.visits.values() if one.status is Status.COMPLETED and one.kind == Kind.QUARTERLY_CHECKUP]
    assert len(made) > 2.5 * size
    ended = Counter(one.state for one in mirror.contracts.values())
    for state in (State.EXPIRED, State.TERMINATED, State.TRANSFERRED, State.RENEWED):
        assert ended[state] > 0, state
    yearly = Counter((one.person, one.window.start.astimezone(ZONE).year) for one in made if one.subtype == "annual-full")
    assert max(yearly.values()) == 1, "one full check a year"
    found = verify_all(store)
    assert len(found) >= size
    assert all(one.intact for one in found)
    signed = running(store, today := store.at.astimezone(ZONE).date())
    for one in signed:
        assert cards.current_card(store, one.person) is not None
    counted = together(delivery.fulfilments(store, signed, today).values())
    assert 0 < counted.delivered <= counted.promised
    assert {one.state for one in mirror.contracts.values() if one.person in mirror.dead} <= {
        State.TERMINATED, State.TRANSFERRED, State.EXPIRED, State.RENEWED,
    }  # fmt: skip
