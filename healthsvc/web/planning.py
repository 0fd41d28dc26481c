"""The day plan as the first page shows it: what was left over and why, and the call that plans the day."""

from dataclasses import dataclass
from datetime import date

from healthsvc.healthfile.rules import Person
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A visit that found no place in the day, and why, in words."""

    task: str
    person: Person
    kind: str
    title: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planning:
    """The plan of a day."""

    left_over: tuple[LeftOver, ...]


def planning_of(store: Store, on: date) -> Planning | None:
    """The plan of a day, or None where nobody has planned it."""
    return None


def planned(store: Store, on: date) -> None:
    """Plan a day."""
