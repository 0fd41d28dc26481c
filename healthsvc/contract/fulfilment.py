"""签而有约 What a contract promised and what has really been given: pure counting, so that every figure asks the same function."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from healthsvc.contract.rules import Agreement
from healthsvc.visit.rules import is_late


class OwnService(StrEnum):
    """What a contract may promise beside visits: given by phone or at the station, no Task asks for it."""

    CONSULTATION = "consultation"


@dataclass(frozen=True, slots=True)
class Given:
    """One service that was asked for or given: a visit, a checkup, a consultation."""

    service: str
    """Code of CodeSystem visit-kind."""
    on: date | None
    """The day on which it was given; None: not (yet)."""
    closes: datetime | None = None
    """When its window closes, where it is asked for and can be done; None while it is suspended, and for what was never asked for."""
    lost: bool = False
    """Written off without having been done."""
    asked_by: tuple[str, ...] = ()
    """What asked for it: ``Contract/x``, ``EpisodeOfCare/x`` ..."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One promise and what has become of it."""

    service: str
    promised: int
    delivered: int
    due: int
    """How many should have been delivered by the day asked for."""

    @property
    def missing(self) -> int:
        """How many are behind by the day asked for."""
        return max(0, min(self.due, self.promised) - self.delivered)


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """What a contract promised and what has been delivered, item by item (签而不约 shows here)."""

    items: tuple[Delivered, ...]

    @property
    def promised(self) -> int:
        """All promised services."""
        return sum(item.promised for item in self.items)

    @property
    def delivered(self) -> int:
        """Delivered ones; more of one service never makes up for less of another."""
        return sum(min(item.delivered, item.promised) for item in self.items)

    @property
    def due(self) -> int:
        """Promised ones whose time had come by the day asked for."""
        return sum(min(item.due, item.promised) for item in self.items)

    @property
    def missing(self) -> int:
        """How many are behind."""
        return sum(item.missing for item in self.items)

    @property
    def rate(self) -> float:
        """Delivered of promised, 0 to 1; a contract that promises nothing fulfils it."""
        return self.delivered / self.promised if self.promised else 1.0

    @property
    def rate_so_far(self) -> float:
        """Delivered of what was due by the day asked for, 0 to 1."""
        return 1 - self.missing / self.due if self.due else 1.0


def count(agreement: Agreement, given: Iterable[Given], at: datetime) -> Fulfilment:
    """Count promised, delivered and due of a contract as of a moment.

    What another contract asked for counts there; what nobody's contract asked for (a follow-up after a bad result, a consultation) counts
    where its day lies in the term. A service of which fewer were asked for than promised is due by and by over the term, so that a promise
    that nobody ever planned shows as missing.

    Args:
        agreement: the contract.
        given: services of its person, of whatever contract.
        at: as of this moment, in the zone of the site.
    """
    on = at.date()
    own = [one for one in given if _belongs(one, agreement)]
    items = []
    for promise in agreement.promises:
        kind = [one for one in own if one.service == promise.service]
        made = sum(one.on is not None and one.on <= on for one in kind)
        late = sum((one.on is None or one.on > on) and (one.lost or (one.closes is not None and is_late(one.closes, at))) for one in kind)
        asked = sum(f"Contract/{agreement.id}" in one.asked_by for one in kind)
        due = made + late
        if asked < promise.times:
            due = max(due, _by_and_by(promise.times, agreement, on))
        items.append(Delivered(promise.service, promise.times, made, due))
    return Fulfilment(tuple(items))


def together(of: Iterable[Fulfilment]) -> Fulfilment:
    """Many contracts as one figure, service by service; one person's surplus never makes up for another's lack."""
    sums: dict[str, list[int]] = {}
    for one in of:
        for item in one.items:
            held = sums.setdefault(item.service, [0, 0, 0])
            due = min(item.due, item.promised)
            for place, number in enumerate((item.promised, min(item.delivered, item.promised), due)):
                held[place] += number
    return Fulfilment(tuple(Delivered(service, *numbers) for service, numbers in sorted(sums.items())))


def _belongs(one: Given, agreement: Agreement) -> bool:
    if f"Contract/{agreement.id}" in one.asked_by:
        return True
    if any(source.startswith("Contract/") for source in one.asked_by) or one.on is None:
        return False
    return agreement.start <= one.on <= min(agreement.end, agreement.ended or agreement.end)


def _by_and_by(times: int, agreement: Agreement, on: date) -> int:
    """How many of a promise are due when it is spread evenly over the term."""
    last = min(on, agreement.end, agreement.ended or agreement.end)
    gone, whole = (last - agreement.start).days + 1, (agreement.end - agreement.start).days + 1
    return max(0, times * gone // whole)
