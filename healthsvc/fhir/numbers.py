"""Numbers as ranges: ``5.4`` stands for everything that rounds to it, from 5.35 up to 5.45."""

import math
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

NO_LIMIT = math.inf
ATOM = 1e-9
"""Width of the range of a number that is meant exactly."""

Found: TypeAlias = tuple[float, float, str | None, str | None, str | None]
"""Low, high (half-open), system and code of the unit, and its text where that is not its code."""
LONGEST_UNIT = 64
"""Characters of a unit's text by which it can be searched."""


def precise(value: int | float | Decimal) -> tuple[float, float]:
    """The half-open range of numbers that would be written like this one: 100 is 99.5 up to 100.5, 1.0E2 is 95 up to 105."""
    if type(value) is int:
        return beside(float(value), 0.5)
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    exponent = number.as_tuple().exponent
    try:
        return beside(float(number), 0.5 * 10.0 ** (exponent if isinstance(exponent, int) else 0))
    except OverflowError:
        return -NO_LIMIT, NO_LIMIT


def beside(middle: float, half: float) -> tuple[float, float]:
    """The range around a number; more digits than a float holds still give a range that is not empty."""
    low, high = middle - half, middle + half
    return (low, high) if low < high else (middle, math.nextafter(middle, NO_LIMIT))


def unit_of(value: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    """System and code of a quantity's unit (its text where there is no code), and what it is called where that is not its code."""
    code, unit = value.get("code"), value.get("unit")
    return value.get("system"), code or unit, unit if code and unit and unit != code and len(unit) <= LONGEST_UNIT else None


def quantity_range(value: dict[str, Any]) -> Found | None:
    """A Quantity; a comparator opens one end."""
    number = value.get("value")
    if number is None:
        return None
    low, high = precise(number)
    comparator = value.get("comparator")
    if comparator in ("<", "<="):
        low, high = -NO_LIMIT, float(number) if comparator == "<" else high
    elif comparator in (">", ">="):
        low, high = float(number) if comparator == ">" else low, NO_LIMIT
    return low, high, *unit_of(value)


def range_of(value: dict[str, Any]) -> Found | None:
    """A Range; an end that is missing is open."""
    low, high = value.get("low", {}), value.get("high", {})
    if "value" not in low and "value" not in high:
        return None
    first = precise(low["value"])[0] if "value" in low else -NO_LIMIT
    last = precise(high["value"])[1] if "value" in high else NO_LIMIT
    return first, last, *unit_of(low or high)


def sampled_range(value: dict[str, Any]) -> Found | None:
    """SampledData from its smallest to its largest sample; letters (E, L, U) mark samples that could not be measured."""
    origin = value.get("origin", {})
    try:
        samples = [Decimal(one) for one in value.get("data", "").split() if one not in ("E", "L", "U")]
    except InvalidOperation:
        return None
    if not samples or "value" not in origin:
        return None
    factor, zero = Decimal(value.get("factor", 1)), Decimal(origin["value"])
    ends = [float(zero + factor * one) for one in (min(samples), max(samples))]
    return min(ends), max(ends) + ATOM, *unit_of(origin)
