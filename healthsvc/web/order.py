"""先后 in which order lists of work stand: by priority, then by due day; one household together."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, TypeVar

from healthsvc.visit.rules import Priority, Visit

T = TypeVar("T")
_RANK: Final = {priority: rank for rank, priority in enumerate(reversed(Priority))}


def pressing(visit: Visit) -> tuple[int, datetime]:
    """The most pressing first, then what is due first."""
    return _RANK[visit.priority], visit.window.end


def bundled(rows: Iterable[T], address: Callable[[T], str]) -> list[list[T]]:
    """Rows with those of one household behind the first of it; the order of first members stays. An empty address is nobody's household."""
    houses: list[list[T]] = []
    known: dict[str, list[T]] = {}
    for row in rows:
        key = "".join(address(row).split())
        house = known.get(key) if key else None
        if house is None:
            house = []
            houses.append(house)
            if key:
                known[key] = house
        house.append(row)
    return houses
