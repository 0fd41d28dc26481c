"""同户 lists of work keep one household together."""

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


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
