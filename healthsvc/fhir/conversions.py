"""FHIRPath's conversions and arithmetic functions."""

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from healthsvc.fhir import moments
from healthsvc.fhir.items import BOOLEAN, DECIMAL, INTEGER, STRING, Item, Items, truth

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0", "0.0"})
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?").fullmatch
QUANTITY = re.compile(
    r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|(years?|months?|weeks?|days?|hours?|minutes?|seconds?|milliseconds?))?"
).fullmatch
UCUM = "http://unitsofmeasure.org"


def to_boolean(item: Item) -> Item | None:
    """true, yes, 1 ... or None."""
    word = str(item.value).lower()
    return Item(True, BOOLEAN) if word in TRUE_WORDS else Item(False, BOOLEAN) if word in FALSE_WORDS else None


def to_integer(item: Item) -> Item | None:
    """A whole number, or a text that is one."""
    if type(item.value) in (int, bool):
        return Item(int(item.value), INTEGER)
    whole = isinstance(item.value, str) and re.fullmatch(r"[+-]?\d+", item.value)
    return Item(int(item.value), INTEGER) if whole else None


def to_decimal(item: Item) -> Item | None:
    """A number, or a text that is one."""
    if isinstance(item.value, (int, Decimal, float)):
        return Item(Decimal(str(int(item.value) if isinstance(item.value, bool) else item.value)), DECIMAL)
    return Item(Decimal(item.value), DECIMAL) if isinstance(item.value, str) and NUMBER(item.value) else None


def to_string(item: Item) -> Item | None:
    """Any single value as text."""
    if isinstance(item.value, dict):
        return Item(f"{item.value['value']} '{item.value.get('code', '1')}'", STRING) if item.type == "Quantity" else None
    return Item(str(item.value).lower() if isinstance(item.value, bool) else str(item.value), STRING)


def to_moment(kind: str) -> Callable[[Item], Item | None]:
    """A date, dateTime or time from a text."""

    def convert(item: Item) -> Item | None:
        if not isinstance(item.value, str) or moments.parts(item.value, kind == "time") is None:
            return None
        return Item(item.value.partition("T")[0] if kind == "date" else item.value, kind)

    return convert


def to_quantity(item: Item) -> Item | None:
    """A number with or without a unit."""
    if item.type == "Quantity":
        return item
    if isinstance(item.value, str):
        found = QUANTITY(item.value)
        return quantity(Decimal(found[1]), found[2] or found[3] or "1") if found else None
    return quantity(Decimal(str(int(item.value) if isinstance(item.value, bool) else item.value)), "1")


def quantity(value: Decimal, unit: str) -> Item:
    """A FHIR Quantity in UCUM."""
    return Item({"value": value, "system": UCUM, "code": unit}, "Quantity")


CONVERT: dict[str, Callable[[Item], Item | None]] = {
    "Boolean": to_boolean,
    "Integer": to_integer,
    "Decimal": to_decimal,
    "String": to_string,
    "Date": to_moment("date"),
    "DateTime": to_moment("dateTime"),
    "Time": to_moment("time"),
    "Quantity": to_quantity,
}


def converted(name: str) -> Callable[[Items, list[Items]], Items]:
    """``toInteger()`` and its like: empty where it cannot be done."""
    convert = CONVERT[name]

    def run(focus: Items, args: list[Items]) -> Items:
        found = convert(focus[0]) if len(focus) == 1 and focus[0].value is not None else None
        return [found] if found else []

    return run


def convertible(name: str) -> Callable[[Items, list[Items]], Items]:
    """``convertsToInteger()`` and its like."""
    run = converted(name)
    return lambda focus, args: truth(bool(run(focus, args))) if focus else []


def number_of(items: Items) -> Decimal | None:
    """The number in a single item."""
    value = items[0].value if len(items) == 1 else None
    return Decimal(str(value)) if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) else None


def whole(function: Callable[[Decimal], int]) -> Callable[[Items, list[Items]], Items]:
    """ceiling, floor, truncate."""

    def run(focus: Items, args: list[Items]) -> Items:
        number = number_of(focus)
        return [] if number is None else [Item(function(number), INTEGER)]

    return run


def decimal(function: Callable[..., float | Decimal]) -> Callable[[Items, list[Items]], Items]:
    """Functions with a decimal result; no answer where there is none in numbers."""

    def run(focus: Items, args: list[Items]) -> Items:
        numbers = [number_of(focus), *map(number_of, args)]
        if None in numbers:
            return []
        try:
            found = function(*numbers)
        except (ValueError, InvalidOperation, ArithmeticError):
            return []
        return [Item(Decimal(str(found)), DECIMAL)] if not isinstance(found, complex) else []

    return run


def absolute(focus: Items, args: list[Items]) -> Items:
    """The number without its sign, of its own type."""
    return [] if number_of(focus) is None else [focus[0]._replace(value=abs(focus[0].value))]


def rounded(focus: Items, args: list[Items]) -> Items:
    """Rounded half away from zero, to so many places."""
    number = number_of(focus)
    places = int(args[0][0].value) if args else 0
    return [] if number is None else [Item(number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP), DECIMAL)]


def power(focus: Items, args: list[Items]) -> Items:
    """A power; whole numbers stay whole."""
    base, exponent = number_of(focus), number_of(args[0])
    if base is None or exponent is None:
        return []
    if type(focus[0].value) is int and type(args[0][0].value) is int and exponent >= 0:
        return [Item(focus[0].value ** args[0][0].value, INTEGER)]
    found = float(base) ** float(exponent)
    return [] if isinstance(found, complex) else [Item(Decimal(str(found)), DECIMAL)]


FUNCTIONS: dict[str, Callable[[Items, list[Items]], Items]] = {
    **{f"to{name}": converted(name) for name in CONVERT},
    **{f"convertsTo{name}": convertible(name) for name in CONVERT},
    "abs": absolute,
    "ceiling": whole(math.ceil),
    "floor": whole(math.floor),
    "truncate": whole(math.trunc),
    "round": rounded,
    "power": power,
    "exp": decimal(math.exp),
    "ln": decimal(math.log),
    "sqrt": decimal(math.sqrt),
    "log": decimal(lambda value, base: math.log(value, base)),
}
