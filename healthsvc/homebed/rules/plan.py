"""诊疗计划与护理计划: what the doctor orders and the nurse means to reach while the bed is open."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class PlanKind(StrEnum):
    """诊疗计划, 护理计划."""

    TREATMENT = "treatment"
    NURSING = "nursing"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the doctor's plan: what, how much, how often, by which way, from when to when."""

    what: str
    start: date
    dose: str = ""
    frequency: str = ""
    route: str = ""
    end: date | None = None
    stopped: bool = False
    """Stopped before its end, or with it; an item that is neither over nor stopped is an open order."""

    def open(self, on: date) -> bool:
        """Whether it stands as an order beyond a day; one whose last day that is has come to its end."""
        return not self.stopped and (self.end is None or self.end > on)


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the nurse's plan: nursing diagnosis, goal, measures, and how it went."""

    diagnosis: str
    goal: str
    measures: str
    evaluation: str = ""
    evaluated: date | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan of one bed. A treatment plan has items, a nursing plan has goals."""

    bed: str
    patient: str
    kind: PlanKind
    author: str
    """Practitioner id."""
    on: date
    items: tuple[Item, ...] = ()
    goals: tuple[Goal, ...] = ()
    closed: bool = False


def open_items(plan: Plan | None, on: date) -> int:
    """How many orders of the plan are still open on a day."""
    return sum(item.open(on) for item in plan.items) if plan is not None and not plan.closed else 0
