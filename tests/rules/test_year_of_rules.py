"""A year of 600 signed cadres by the rules alone, every day checked: windows, lives, lateness and what is owed fit together.

The same year on a real database, with fewer people, is tests/rooms/test_checkup_year.py.
"""

import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from healthsvc.checkup.resources import checkup_visit
from healthsvc.checkup.rules import CheckupPolicy, quarters
from healthsvc.contract.fulfilment import Given, count
from healthsvc.contract.rules import OVER, Act, Agreement, EndReason, Promise, State, end_early, step, term_end
from healthsvc.policy import load
from healthsvc.visit import rules as visits
from healthsvc.visit.rules import OPEN, Standing, Status, Visit, is_late, quarter_of, standing

ZONE = ZoneInfo("Asia/Shanghai")
FIRST, DAYS, PEOPLE = date(2026, 1, 1), 366, 600
POLICY = load().fill(CheckupPolicy, "checkup", FIRST)
GRACE = int(load().value("visit.resume_grace_days", FIRST))


class Life:
    """One person: contracts one after another, and the visits that they ask for."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.id, self.chance = f"p{number}", chance
        self.contracts: list[Agreement] = []
        self.visits: dict[str, Visit] = {}
        self.made: dict[str, date] = {}
        self.back: date | None = None
        self.sign(FIRST - timedelta(days=number % 365))

    def sign(self, start: date) -> None:
        """A contract of a year; its checkups, but for quarters that are already made."""
        made = [visit.id.rpartition("-")[2] for visit in self.visits.values() if visit.status is Status.COMPLETED]
        ends = term_end(start, 12)
        contract = f"{self.id}-{start}"
        self.contracts.append(
            Agreement(contract, self.id, "Practitioner/d", None, start, ends, State.ACTIVE, promises=(Promise("quarterly-checkup", 4),))
        )
        for quarter in quarters(start, ends, POLICY, made):
            visit = checkup_visit(self.id, quarter, 30, None, f"Contract/{contract}", ZONE)
            if visit.id not in self.visits or self.visits[visit.id].status is Status.CANCELLED:
                self.visits[visit.id] = visit

    def live(self, at: datetime) -> None:
        """What a day may bring."""
        on, contract = at.date(), self.contracts[-1]
        if contract.state is State.ACTIVE and contract.end < on:
            renewed = self.chance.random() < 0.8
            self.contracts[-1] = replace(contract, state=step(contract.state, Act.RENEW if renewed else Act.EXPIRE))
            if renewed:
                self.sign(contract.end + timedelta(days=1))
            else:
                self.call_off()
        if contract.state is State.ACTIVE and self.chance.random() < 0.0004:
            self.contracts[-1] = end_early(self.contracts[-1], Act.TERMINATE, on, EndReason.OWN_WISH)
            self.call_off()
        if self.back is not None and self.back <= on:
            self.back = None
            for id, one in self.visits.items():
                if one.status is Status.ON_HOLD:
                    self.visits[id] = replace(visits.apply(one, visits.Act.RESUME), window=visits.resumed_window(one.window, at, GRACE))
        elif self.back is None and self.chance.random() < 0.002:
            self.back = on + timedelta(days=self.chance.randrange(3, 60))
            for id, one in self.visits.items():
                if one.status in visits.WAITING:
                    self.visits[id] = visits.apply(one, visits.Act.SUSPEND, "admitted")
        for id, one in self.visits.items():
            stands = standing(one, at)
            if (stands is Standing.DUE and self.chance.random() < 0.03) or (stands is Standing.OVERDUE and self.chance.random() < 0.3):
                self.visits[id] = visits.apply(one, visits.Act.COMPLETE)
                self.made[id] = on

    def call_off(self) -> None:
        """Nothing is asked for any more."""
        for id, one in self.visits.items():
            if one.status in OPEN:
                self.visits[id] = visits.apply(one, visits.Act.CANCEL, "contract-ended")

    def check(self, at: datetime) -> None:
        """What must hold on every evening."""
        active = [one for one in self.contracts if one.state is State.ACTIVE]
        assert len(active) <= 1
        for before, after in pairwise(self.contracts):
            assert before.state in OVER
            assert min(before.end, before.ended or before.end) < after.start
        still_open = [one for one in self.visits.values() if one.status in OPEN]
        assert active or not still_open
        names = [quarter_of(one.window.start.date()) for one in still_open]
        assert len(set(names)) == len(names)
        for one in still_open:
            assert one.window.start <= one.window.end
            assert (standing(one, at) is Standing.OVERDUE) == (one.status in visits.WAITING and is_late(one.window.end, at))

    def owed(self, at: datetime) -> tuple[int, int]:
        """What is due and what is owed under the contract in force."""
        contract = self.contracts[-1]
        if contract.state is not State.ACTIVE:
            return 0, 0
        given = [
            Given("quarterly-checkup", self.made.get(id), None if one.status is Status.ON_HOLD else one.window.end, asked_by=one.sources)
            for id, one in self.visits.items()
            if one.status is not Status.CANCELLED
        ]
        told = count(contract, given, at)
        assert 0 <= told.missing <= told.due <= told.promised == 4
        return told.due, told.missing


def test_a_year_of_six_hundred_people() -> None:
    chance = random.Random(20260101)
    lives = [Life(number, chance) for number in range(PEOPLE)]
    for offset in range(DAYS):
        at = datetime.combine(FIRST + timedelta(days=offset), time(20), ZONE)
        for life in lives:
            life.live(at)
            life.check(at)
        if offset % 30 == 29:
            due, owed = (sum(numbers) for numbers in zip(*(life.owed(at) for life in lives), strict=True))
            assert 0 <= owed < due
    made = sum(len(life.made) for life in lives)
    assert made > 2.5 * PEOPLE
    assert sum(len(life.contracts) > 1 for life in lives) > 0.5 * PEOPLE
    assert {one.state for life in lives for one in life.contracts} == {State.ACTIVE, State.RENEWED, State.EXPIRED, State.TERMINATED}
