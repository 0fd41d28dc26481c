"""What the measures look at: people, contracts, visits, beds, doses and rights as of one day. Values only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from healthsvc.visit.rules import Status


@dataclass(frozen=True, slots=True)
class Member:
    """A cadre who has a file, and by which traits figures are told apart."""

    id: str
    resettled: bool
    category: str
    completeness: int
    unit: str = ""
    """管理单位: the unit that keeps the personnel file."""
    area: str = ""
    """居住社区."""
    doctor: str = ""
    """``Practitioner/x``: the responsible doctor."""
    centre: str = ""
    """``Organization/x``: the community health centre that keeps the file."""
    counted: bool = True
    """Alive and with an active file on the day; the others stay known because their visits and beds of the period still count."""


@dataclass(frozen=True, slots=True)
class Promised:
    """One service of a contract: how often promised, delivered, and due by the day asked for."""

    service: str
    times: int
    delivered: int
    due: int


@dataclass(frozen=True, slots=True)
class Term:
    """A contract in force from one day to another, both included."""

    ref: str
    person: str
    start: date
    end: date
    promises: tuple[Promised, ...] = ()


@dataclass(frozen=True, slots=True)
class Called:
    """A visit that was asked for, and when it was made (None: not by the day asked for)."""

    ref: str
    person: str
    kind: str
    opens: datetime
    due: datetime
    status: Status
    done: datetime | None = None
    sources: tuple[str, ...] = ()
    reason: str = ""

    @property
    def settled(self) -> datetime:
        """When it counts: when it was made or when its window closed, whichever came first."""
        return min(self.done, self.due) if self.done else self.due

    @property
    def in_time(self) -> bool:
        """Whether it was made before its window closed."""
        return self.done is not None and self.done <= self.due


@dataclass(frozen=True, slots=True)
class Stay:
    """A home bed from its first to its last day."""

    ref: str
    person: str
    start: date
    end: date | None
    first_round_due: datetime | None = None
    first_round_made: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dose:
    """One infusion that ran: on which day, and whether there was a reaction."""

    ref: str
    person: str
    on: date
    reaction: bool


@dataclass(frozen=True, slots=True)
class Right:
    """A green channel from one day to another."""

    ref: str
    person: str
    start: date
    end: date | None


@dataclass(frozen=True, slots=True)
class Used:
    """One use of a green-channel right at a hospital; ``honoured`` None: nothing to compare it with, so it cannot be judged."""

    ref: str
    person: str
    on: date
    honoured: bool | None
    right: str = ""
    why: str = ""
    """Why it was not honoured, or cannot be judged."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the measures look at, as of one day."""

    on: date
    at: datetime
    """The last moment of that day."""
    period: tuple[date, date]
    """First and last day of what is counted over time; the last day is ``on`` at the latest."""
    members: tuple[Member, ...]
    terms: tuple[Term, ...] = ()
    visits: tuple[Called, ...] = ()
    stays: tuple[Stay, ...] = ()
    doses: tuple[Dose, ...] = ()
    rights: tuple[Right, ...] = ()
    uses: tuple[Used, ...] = ()
    survivors: Mapping[str, str] = field(default_factory=dict)
    """Id of a file that was merged -> id of the file that carries on."""

    def in_period(self, on: date) -> bool:
        """Whether a day lies in the period."""
        return self.period[0] <= on <= self.period[1]

    def settled(self) -> "Facts":
        """The facts about cadres alone, each under the file that carries on; what is about others is left out."""
        known = {one.id for one in self.members}

        def ours(found: Iterable[Any]) -> tuple[Any, ...]:
            named = (one if one.person in known else replace(one, person=self.survivors.get(one.person, one.person)) for one in found)
            return tuple(one for one in named if one.person in known)

        return replace(
            self,
            terms=ours(self.terms),
            visits=ours(self.visits),
            stays=ours(self.stays),
            doses=ours(self.doses),
            rights=ours(self.rights),
            uses=ours(self.uses),
        )
