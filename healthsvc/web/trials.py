"""What a change would bring, as a page tells it: broken rules in words, the price before and after, who comes when instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from healthsvc.dayplan import words
from healthsvc.dayplan.board.trial import Trial, is_serious
from healthsvc.dayplan.day import DayPlan, DayStop
from healthsvc.dayplan.difference import Change
from healthsvc.store import Store
from healthsvc.web.faces import faces

TIERS: Final = (
    ("visits", "未排入的服务"),
    ("breaks", "缺少的休息"),
    ("continuity", "换人与圈外"),
    ("travel", "路程、等待和晚到"),
    ("fairness", "工作量不均"),
)
"""Tiers of the objective in the order of their weight; prices are minutes of travel."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that the change breaks; ``serious``: nobody may overrule it."""

    who: str
    text: str
    text_en: str
    serious: bool


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of one tier before and after, minutes of travel."""

    title: str
    before: float
    after: float

    @property
    def more(self) -> float:
        """What it costs more; negative: less."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Told:
    """One change of a visit: who and when, before and after ("" where it was or will be unplanned)."""

    person: str
    title: str
    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a change would bring on a day. ``version``: of the plan that it was tried on."""

    on: date
    version: int
    broken: tuple[Broken, ...]
    tiers: tuple[Tier, ...]
    changes: tuple[Told, ...]

    @property
    def refused(self) -> bool:
        """Whether a rule stands in the way that nobody may overrule."""
        return any(one.serious for one in self.broken)

    @property
    def more(self) -> float:
        """What it costs more in all; negative: less."""
        return sum(one.more for one in self.tiers)


def outcome_of(trial: Trial, store: Store, names: Mapping[str, str]) -> Outcome:
    """A tried change as it is shown."""
    people = _people(trial.changes, store)
    stops = {stop.task: stop for stop in trial.plan.stops()} | {one.task: one.before for one in trial.changes if one.before}
    tasks = {one.visit for one in trial.conflicts if one.visit} - set(stops)
    people |= _faces_of_tasks(tasks, store)
    known = faces(store, {stop.person for stop in stops.values() if any(one.visit == stop.task for one in trial.conflicts)})
    broken = []
    for one in trial.conflicts:
        zh, en = words.conflict(one.code, one.minutes)
        practitioner = (one.caregiver or "").partition("#")[0]
        stop = stops.get(one.visit or "")
        person = known[stop.person].name if stop and stop.person in known else people.get(one.visit or "", "")
        who = " · ".join(part for part in (person, names.get(practitioner, "")) if part)
        broken.append(Broken(who, zh, en, is_serious(one)))
    return Outcome(trial.plan.on, trial.version, tuple(broken), _tiers(trial.before, trial.after), told(trial.changes, store, names))


def outcome_between(before: DayPlan | None, after: DayPlan, changes: Sequence[Change], store: Store, names: Mapping[str, str]) -> Outcome:
    """A proposed plan beside the one in force."""
    return Outcome(after.on, after.base, (), _tiers(before.figures if before else {}, after.figures), told(changes, store, names))


def told(changes: Sequence[Change], store: Store, names: Mapping[str, str]) -> tuple[Told, ...]:
    """Changes with the people that they concern."""
    people = _people(changes, store)
    found = []
    for one in changes:
        stop = one.after or one.before
        assert stop is not None
        found.append(Told(people.get(one.task, ""), stop.title, stop.kind, _when(one.before, names), _when(one.after, names)))
    return tuple(found)


def _people(changes: Sequence[Change], store: Store) -> dict[str, str]:
    stops = [stop for one in changes if (stop := one.after or one.before) is not None]
    known = faces(store, {stop.person for stop in stops})
    return {stop.task: known[stop.person].name for stop in stops if stop.person in known}


def _faces_of_tasks(tasks: set[str], store: Store) -> dict[str, str]:
    found = {}
    for task in sorted(tasks):
        patient = str((store.find("Task", task) or {}).get("for", {}).get("reference", "")).rpartition("/")[2]
        face = faces(store, [patient]).get(patient) if patient else None
        if face is not None:
            found[task] = face.name
    return found


def _when(stop: DayStop | None, names: Mapping[str, str]) -> str:
    return f"{stop.start:%H:%M} {'、'.join(names.get(one, one) for one in stop.staff)}" if stop else ""


def _tiers(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[Tier, ...]:
    return tuple(Tier(title, before.get(name, 0.0), after.get(name, 0.0)) for name, title in TIERS)
