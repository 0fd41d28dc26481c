"""FHIRPath's binary operators, with its three-valued logic: an empty side leaves the answer open."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from healthsvc.errors import Invalid, NotSupported
from healthsvc.fhir import dates
from healthsvc.fhir.items import DECIMAL, STRING, Item, Items, Path, Scope, literal_type, truth

COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MATH: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "div": operator.floordiv,
    "mod": operator.mod,
}
DATES = frozenset({"date", "dateTime", "instant"})


def binary(sign: str, left: Path, right: Path) -> Path:
    """An operator between two expressions."""
    if sign in ("and", "or", "xor", "implies"):
        return logic(sign, left, right)
    if sign == "|":
        return lambda focus, scope: distinct(left(focus, scope) + right(focus, scope))
    between = BETWEEN.get(sign) or (comparison(sign) if sign in COMPARE else arithmetic(sign))
    return lambda focus, scope: between(left(focus, scope), right(focus, scope))


def known(items: Items) -> bool | None:
    """Truth of a collection: its boolean, True for another single value, None if empty."""
    if not items:
        return None
    return items[0].value if len(items) == 1 and type(items[0].value) is bool else True


def logic(sign: str, left: Path, right: Path) -> Path:
    """and, or, xor, implies; the right side is not looked at where the left decides."""

    def run(focus: Items, scope: Scope) -> Items:
        one = known(left(focus, scope))
        if (sign == "and" and one is False) or (sign == "or" and one is True) or (sign == "implies" and one is False):
            return truth(sign != "and")
        other = known(right(focus, scope))
        if sign == "xor":
            return [] if one is None or other is None else truth(one != other)
        if sign == "and":
            return truth(False) if other is False else [] if None in (one, other) else truth(True)
        if other is True:
            return truth(True)
        if sign == "or":
            return [] if None in (one, other) else truth(False)
        return [] if None in (one, other) else truth(False)

    return run


def plain(item: Item) -> Any:
    """A value for comparing: dates as ranges, numbers as numbers, primitives without a value by their companion."""
    if item.value is None:
        return ("without value", str(item.more))
    if isinstance(item.value, (float, Decimal)):
        return Decimal(str(item.value))
    return item.value


def moment(item: Item, other: Item) -> Any:
    """A date as its range where either side is one."""
    if isinstance(item.value, str) and (item.type in DATES or other.type in DATES):
        try:
            return dates.span(item.value)
        except Invalid:
            return item.value
    return plain(item)


def same(one: Item, other: Item) -> bool:
    """Equality of two values."""
    return bool(moment(one, other) == moment(other, one))


def equal(left: Items, right: Items) -> Items:
    """``=``: empty where either side is."""
    if not left or not right:
        return []
    return truth(len(left) == len(right) and all(map(same, left, right)))


def not_equal(left: Items, right: Items) -> Items:
    """``!=``."""
    return [one._replace(value=not one.value) for one in equal(left, right)]


def equivalent(left: Items, right: Items) -> Items:
    """``~``: order does not count, texts are compared without case."""
    folded = [sorted(str(plain(one)).casefold() for one in side) for side in (left, right)]
    return truth(folded[0] == folded[1])


def not_equivalent(left: Items, right: Items) -> Items:
    """``!~``."""
    return truth(not equivalent(left, right)[0].value)


def is_in(left: Items, right: Items) -> Items:
    """``in``."""
    return truth(any(same(left[0], one) for one in right)) if left else []


def has(left: Items, right: Items) -> Items:
    """``contains``."""
    return is_in(right, left)


def joined(left: Items, right: Items) -> Items:
    """``&``: texts joined, an empty side is an empty text."""
    return [Item("".join(str(side[0].value) for side in (left, right) if side), STRING)]


def comparison(sign: str) -> Callable[[Items, Items], Items]:
    """``<`` and its like: numbers, texts, dates (open where ranges overlap) and quantities of one unit."""
    test = COMPARE[sign]

    def run(left: Items, right: Items) -> Items:
        if len(left) != 1 or len(right) != 1:
            return []
        one, other = moment(left[0], right[0]), moment(right[0], left[0])
        if isinstance(one, dict) and isinstance(other, dict):
            if (
                (one.get("system"), one.get("code")) != (other.get("system"), other.get("code"))
                or "value" not in one
                or "value" not in other
            ):
                return []
            return truth(test(one["value"], other["value"]))
        if isinstance(one, tuple) and isinstance(other, tuple):
            return ordered(sign, one, other)
        try:
            return truth(test(one, other))
        except TypeError:
            return []

    return run


def ordered(sign: str, one: tuple[Any, Any], other: tuple[Any, Any]) -> Items:
    """Order of two ranges of time; equal ranges are equal, overlapping ones leave it open."""
    if one == other:
        return truth(sign in ("<=", ">="))
    if one[1] <= other[0]:
        return truth(sign in ("<", "<="))
    return truth(sign in (">", ">=")) if other[1] <= one[0] else []


def arithmetic(sign: str) -> Callable[[Items, Items], Items]:
    """``+`` also joins texts; a division by zero has no answer."""

    def run(left: Items, right: Items) -> Items:
        if len(left) != 1 or len(right) != 1:
            return []
        one, other = plain(left[0]), plain(right[0])
        if sign == "/":
            return [Item(Decimal(one) / Decimal(other), DECIMAL)] if other else []
        if sign in ("div", "mod") and not other:
            return []
        value = MATH[sign](one, other)
        return [Item(value, literal_type(value))]

    if sign != "/" and sign not in MATH:
        raise NotSupported(f"FHIRPath operator {sign} is not offered")
    return run


def distinct(items: Items) -> Items:
    """Every value once, in order of first appearance."""
    found: Items = []
    seen: set[str] = set()
    for one in items:
        mark = f"{type(one.value).__name__} {one.value!r} {one.more!r}"
        if mark not in seen:
            seen.add(mark)
            found.append(one)
    return found


BETWEEN: dict[str, Callable[[Items, Items], Items]] = {
    "=": equal,
    "!=": not_equal,
    "~": equivalent,
    "!~": not_equivalent,
    "in": is_in,
    "contains": has,
    "&": joined,
}
