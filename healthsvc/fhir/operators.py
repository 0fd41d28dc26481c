"""FHIRPath's binary operators, with its three-valued logic: an empty side leaves the answer open."""

import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from healthsvc.errors import Invalid, NotSupported
from healthsvc.fhir import moments
from healthsvc.fhir.items import DECIMAL, STRING, Item, Items, Path, Scope, literal_type, truth
from healthsvc.fhir.text import fold

COMPARE: dict[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MATH: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "div": operator.floordiv,
    "mod": operator.mod,
}


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


def same(one: Item, other: Item) -> bool | None:
    """Equality of two values; None where dates do not say enough."""
    if is_dated(one, other):
        is_time = "time" in (one.type, other.type)
        if moments.are_moments(one.value, other.value, is_time):
            found = moments.order(one.value, other.value, is_time)
            return None if found is None else found == 0
    if one.type == other.type == "Quantity" and isinstance(one.value, dict) and isinstance(other.value, dict):
        return measure(one) == measure(other)
    return bool(plain(one) == plain(other))


def is_dated(one: Item, other: Item) -> bool:
    """Whether two texts are to be compared as dates or times."""
    texts = isinstance(one.value, str) and isinstance(other.value, str)
    return texts and (one.type in moments.DATE_TYPES or other.type in moments.DATE_TYPES)


def measure(item: Item) -> tuple[Any, Any]:
    """Number and unit of a quantity; words for spans of time count as their UCUM units where those say the same."""
    value = item.value
    unit = value.get("code") or value.get("unit") or "1"
    return plain(Item(value.get("value"), DECIMAL)), SPANS.get(unit.removesuffix("s") if unit.removesuffix("s") in SPANS else unit, unit)


SPANS = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}


def equal(left: Items, right: Items) -> Items:
    """``=``: empty where either side is."""
    if not left or not right:
        return []
    if len(left) != len(right):
        return truth(False)
    verdicts = list(map(same, left, right))
    return truth(False) if False in verdicts else [] if None in verdicts else truth(True)


def not_equal(left: Items, right: Items) -> Items:
    """``!=``."""
    return [one._replace(value=not one.value) for one in equal(left, right)]


def equivalent(left: Items, right: Items) -> Items:
    """``~``: order does not count, texts are compared without case, numbers as precisely as the less precise one."""
    if len(left) != len(right):
        return truth(False)
    rest = list(right)
    for one in left:
        found = next((place for place, other in enumerate(rest) if alike(one, other)), None)
        if found is None:
            return truth(False)
        del rest[found]
    return truth(True)


def alike(one: Item, other: Item) -> bool:
    """Equivalence of two values."""
    if isinstance(one.value, str) and isinstance(other.value, str) and not is_dated(one, other):
        return fold(one.value) == fold(other.value)
    a, b = plain(one), plain(other)
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        try:
            places = min(-exponent(Decimal(a)), -exponent(Decimal(b)))
            return round(Decimal(a), places) == round(Decimal(b), places)
        except (TypeError, ValueError, ArithmeticError):
            return False
    return same(one, other) is True


def exponent(number: Decimal) -> int:
    """Exponent of a number without trailing zeros."""
    found = number.normalize().as_tuple().exponent
    return min(found, 0) if isinstance(found, int) else 0


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
    """``<`` and its like: numbers, texts, dates (open where one says less) and quantities of one unit."""
    test = COMPARE[sign]

    def run(left: Items, right: Items) -> Items:
        if len(left) != 1 or len(right) != 1:
            return []
        one, other = left[0], right[0]
        if is_dated(one, other):
            found = moments.order(one.value, other.value, "time" in (one.type, other.type))
            return [] if found is None else truth(test(found, 0))
        if isinstance(one.value, dict) and isinstance(other.value, dict):
            (a, unit), (b, other_unit) = measure(one), measure(other)
            if unit != other_unit or not isinstance(a, (int, Decimal)) or not isinstance(b, (int, Decimal)):
                return []
            return truth(test(a, b))
        try:
            return truth(test(plain(one), plain(other)))
        except TypeError:
            return []

    return run


def arithmetic(sign: str) -> Callable[[Items, Items], Items]:
    """``+`` also joins texts; a division by zero has no answer."""

    def run(left: Items, right: Items) -> Items:
        if len(left) != 1 or len(right) != 1:
            return []
        one, other = plain(left[0]), plain(right[0])
        try:
            if sign == "/":
                return [Item(Decimal(one) / Decimal(other), DECIMAL)] if other else []
            if sign in ("div", "mod") and not other:
                return []
            value = MATH[sign](one, other)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise Invalid(f"FHIRPath {sign} cannot work on what it was given here") from error
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
