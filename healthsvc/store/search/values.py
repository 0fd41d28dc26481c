"""One search value as a leaf of the tree: how a token, a date, a quantity or a reference is written in a search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from healthsvc.errors import Refusal
from healthsvc.fhir import dates
from healthsvc.fhir.numbers import precise
from healthsvc.fhir.reference import parse as parse_reference
from healthsvc.fhir.text import fold
from healthsvc.store.search import ast
from healthsvc.store.search.text import plain, prefixed, split
from healthsvc.store.stored import micros

LONGEST = 500
"""Characters of a text that the index keeps (``writes.LONGEST``): a longer search value is cut the same way."""
APPROXIMATE = 10
"""``ap`` widens a range by a tenth of the value, or of its distance from now (R4 3.1.1.4.4 recommends 10 %)."""
METRES = {"": 1000.0, "km": 1000.0, "m": 1.0, "[mi_us]": 1609.347, "[mi_i]": 1609.344}
NEAR_DEFAULT = "5"
"""Kilometres meant by ``near`` without a distance (R4 leaves it to the server)."""


class BadValue(Refusal):
    """A search value that cannot be read."""

    status = 400
    issue_code = "value"


Codes: TypeAlias = Callable[[str, str], Sequence[tuple[str, str]]]
"""A modifier of :data:`CHOSEN` and a value of it -> system and code of all that is meant."""
CHOSEN = frozenset({"in", "not-in", "above", "below"})
"""Modifiers of a token that name a value set (its url or ``ValueSet/id``), or a code and all that stands above or below it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the meaning of a value depends on."""

    zone: str
    at: datetime
    bases: frozenset[str] = frozenset()
    """Urls of this server: absolute references under them are ours, and filed so."""
    called: frozenset[str] = frozenset()
    """Urls by which this request calls us. What is stored is never filed by them: whoever sends a request writes them as they like."""
    codes: Codes | None = None
    """None where no value sets and code systems are at hand."""
    derives: Callable[[], bool] = lambda: True
    """Whether what the index keeps besides values (:mod:`healthsvc.fhir.derived`) is there of every resource."""


Params: TypeAlias = tuple[str, ...]


def tokens(params: Params, values: Sequence[str]) -> ast.Node:
    """``code``, ``system|code``, ``|code``, ``system|``."""
    return ast.Tokens(params, tuple(map(_token, values)))


def _token(text: str) -> tuple[str | None, str | None]:
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) == 1:
        return None, parts[0][:LONGEST]
    return parts[0], "|".join(parts[1:])[:LONGEST] or None


def of_type(params: Params, values: Sequence[str]) -> ast.Node:
    """``system|code|value`` of an identifier's type and value."""
    wanted = []
    for text in values:
        parts = [plain(part) for part in split(text, "|")]
        if len(parts) != 3:
            raise BadValue("':of-type' is written system|code|value", path=_code(params))
        wanted.append((parts[0] or None, f"{parts[1]}|{parts[2]}"[:LONGEST]))
    return ast.Tokens(tuple(f"{one}:of-type" for one in params), tuple(wanted))


def strings(params: Params, values: Sequence[str]) -> ast.Node:
    """Starts with, however it is written."""
    return ast.Strings(params, "starts", _folded(params, values))


def containing(params: Params, values: Sequence[str]) -> ast.Node:
    """Contains, however it is written."""
    return ast.Strings(params, "contains", _folded(params, values))


def _folded(params: Params, values: Sequence[str]) -> tuple[str, ...]:
    """Texts as the index has them. One of blanks alone would be the beginning of every text, which nobody means who searches."""
    folded = tuple(fold(plain(one))[:LONGEST] for one in values)
    if not all(folded):
        raise BadValue("there is nothing to look for but blanks", path=_code(params))
    return folded


def exact(params: Params, values: Sequence[str]) -> ast.Node:
    """Exactly as written."""
    return ast.Strings(params, "exact", tuple(plain(one)[:LONGEST] for one in values))


def texts(params: Params, values: Sequence[str]) -> ast.Node:
    """``:text`` of a code: the words shown for it start so."""
    return strings(tuple(f"{one}:text" for one in params), values)


def date_range(text: str, setting: Setting, path: str | None) -> tuple[ast.Op, int, int]:
    """Prefix and half-open range of a searched date; ``ap`` is already widened."""
    op, bare = prefixed(plain(text))
    try:
        low, high = dates.span(bare.replace(" ", "+"), setting.zone)
    except Refusal as error:
        raise BadValue(error.text, path=path) from None
    if op == "ap":
        gap = abs(micros(setting.at) - (low + high) // 2) // APPROXIMATE
        return op, low - gap, high + gap
    return op, low, high


def moments(params: Params, values: Sequence[str], setting: Setting) -> ast.Node:
    """Dates with prefixes."""
    return either([ast.Dates(params, *date_range(one, setting, _code(params))) for one in values])


def quantities(params: Params, values: Sequence[str]) -> ast.Node:
    """``5.4``, ``5.4|system|code``, ``5.4||unit``, each with a prefix."""
    return either([_quantity(params, one) for one in values])


def _quantity(params: Params, text: str) -> ast.Quantities:
    number, *unit = [plain(part) for part in split(text, "|")]
    if len(unit) not in (0, 2):
        raise BadValue("a quantity is written number or number|system|code", path=_code(params))
    op, bare = prefixed(number)
    try:
        value = Decimal(bare)
    except InvalidOperation:
        raise BadValue(
            "this is not a number; write for example 5.4, ge100 or 5.4|http://unitsofmeasure.org|mg", path=_code(params)
        ) from None
    if not value.is_finite():
        raise BadValue("this is not a number", path=_code(params))
    low, high = precise(value)
    if op == "ap":
        margin = abs(float(value)) / APPROXIMATE
        low, high = min(low, float(value) - margin), max(high, float(value) + margin)
    system, code = unit or (None, None)
    return ast.Quantities(params, op, float(value), low, high, system or None, code or None)


def references(params: Params, values: Sequence[str], setting: Setting, types: Sequence[str]) -> ast.Node:
    """``id``, ``Type/id``, a url; ``types`` are the types that a bare id may mean (several or none: any)."""
    only = types[0] if len(types) == 1 else None
    return ast.References(params, tuple(form for one in values for form in _reference(plain(one), setting, only)))


def _reference(text: str, setting: Setting, only: str | None) -> list[tuple[str | None, str]]:
    found = parse_reference(text)
    if found.type is not None and found.id is not None:
        if found.base is None or found.base in setting.bases:
            return [(found.type, found.id)]
        return [(found.type, found.id), ("", text)] if found.base in setting.called else [("", text)]
    return [("", text)] if ":" in text or "/" in text else [(only, text)]


def uris(params: Params, values: Sequence[str]) -> ast.Node:
    """The very same URI."""
    return ast.Uris(params, "exact", tuple(plain(one)[:LONGEST] for one in values))


def uris_below(params: Params, values: Sequence[str]) -> ast.Node:
    """The URI and all that are under its path."""
    return ast.Uris(params, "below", tuple(plain(one)[:LONGEST] for one in values))


def uris_above(params: Params, values: Sequence[str]) -> ast.Node:
    """The URI and those whose path it is under."""
    return ast.Uris(params, "above", tuple(path for one in values for path in _paths(plain(one)[:LONGEST])))


def _paths(uri: str) -> list[str]:
    """``http://a/b/c`` -> itself, ``http://a/b``, ``http://a``."""
    scheme, mark, rest = uri.partition("://")
    parts = rest.split("/")
    return [scheme + mark + "/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def near(params: Params, values: Sequence[str]) -> ast.Node:
    """``latitude|longitude|distance|unit``: km unless told otherwise."""
    nodes = []
    for text in values:
        latitude, longitude, distance, unit, *rest = [*split(plain(text), "|"), *[""] * (4 - min(4, len(split(text, "|"))))]
        try:
            metres = float(distance or NEAR_DEFAULT) * METRES[unit]
            place = float(latitude), float(longitude)
        except (ValueError, KeyError):
            rest = [""]
            place, metres = (0.0, 0.0), 0.0
        if rest or not (-90 <= place[0] <= 90 and -180 <= place[1] <= 180 and metres >= 0):
            raise BadValue("'near' is written latitude|longitude|distance|unit, degrees and km, m or [mi_us]", path="near")
        nodes += [ast.Near((f"{one}:latitude", f"{one}:longitude"), *place, metres) for one in params]
    return either(nodes)


Reader: TypeAlias = Callable[[Params, Sequence[str]], ast.Node]

MODIFIED: dict[str, dict[str, Reader]] = {
    "token": {"text": texts, "of-type": of_type},
    "string": {"contains": containing, "exact": exact, "text": containing},
    "uri": {"above": uris_above, "below": uris_below},
}
"""Modifiers that read the value in another way; ``:not``, ``:missing``, ``:identifier`` and ``:[Type]`` are the parser's."""
PLAIN: dict[str, Reader] = {
    "token": tokens,
    "string": strings,
    "quantity": quantities,
    "number": quantities,
    "uri": uris,
    "special": near,
}


def either(nodes: Sequence[ast.Node]) -> ast.Node:
    """One of several; one alone stands for itself."""
    return nodes[0] if len(nodes) == 1 else ast.Any(tuple(nodes))


def _code(params: Params) -> str | None:
    return params[0].partition(".")[2] if params else None
