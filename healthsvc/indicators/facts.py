"""What the measures look at: people, contracts, visits, beds, doses and rights as of one day. Values only."""

from dataclasses import dataclass
from datetime import date, datetime

from healthsvc.visit.rules import Visit


@dataclass(frozen=True, slots=True)
class Member:
    """A living cadre with an active file."""

    id: str
    resettled: bool
    category: str | None
    completeness: int


@dataclass(frozen=True, slots=True)
class Term:
    """A contract in force from one day to another, both included."""

    person: str
    start: date
    end: date
    promised: int = 0
    delivered: int = 0
    due: int = 0
    """Promised items whose time had come by the day asked for."""


@dataclass(frozen=True, slots=True)
class Made:
    """A visit, and when it was made (None: not by the day asked for)."""

    visit: Visit
    done: datetime | None


@dataclass(frozen=True, slots=True)
class Stay:
    """A home bed from its first to its last day."""

    person: str
    start: date
    end: date | None
    first_round_due: datetime | None = None
    first_round_made: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dose:
    """One infusion that ran: on which day, and whether there was a reaction."""

    person: str
    on: date
    reaction: bool


@dataclass(frozen=True, slots=True)
class Right:
    """A green channel from one day to another."""

    person: str
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Used:
    """One use of a green-channel right at a hospital, and whether it was honoured."""

    person: str
    on: date
    honoured: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the measures look at, as of one day."""

    on: date
    at: datetime
    """The last moment of that day."""
    quarter: tuple[date, date]
    members: tuple[Member, ...]
    terms: tuple[Term, ...] = ()
    visits: tuple[Made, ...] = ()
    stays: tuple[Stay, ...] = ()
    doses: tuple[Dose, ...] = ()
    rights: tuple[Right, ...] = ()
    uses: tuple[Used, ...] = ()
