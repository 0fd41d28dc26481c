"""From one FHIR value to index entries: a token, strings, a date range, a reference, a quantity or a uri."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from healthsvc.clock import DEFAULT_ZONE
from healthsvc.fhir import dates
from healthsvc.fhir.index import DateEntry, Entries, QuantityEntry, ReferenceEntry, StringEntry, TokenEntry, UriEntry
from healthsvc.fhir.numbers import ATOM, precise, quantity_range, range_of, sampled_range
from healthsvc.fhir.reference import canonical, parse
from healthsvc.fhir.routes import Route
from healthsvc.fhir.text import fold, has_han


@dataclass(slots=True)
class Sink:
    """Where entries are collected while one resource is walked."""

    out: Entries = field(default_factory=Entries)
    zone: str = DEFAULT_ZONE
    bases: frozenset[str] = frozenset()
    root: Any = None


Emit: TypeAlias = Callable[[Any, Sink], None]

TEXTS = frozenset({"string", "markdown", "code", "id", "uri", "url", "canonical", "oid", "uuid"})
URIS = frozenset({"uri", "url", "canonical", "oid", "uuid"})
QUANTITIES = frozenset({"Quantity", "SimpleQuantity", "MoneyQuantity", "Age", "Count", "Distance", "Duration"})
NUMBERS = frozenset({"decimal", "integer", "positiveInt", "unsignedInt"})
DATES = frozenset({"date", "dateTime", "instant"})
CURRENCY = "urn:iso:std:iso:4217"


def emitter(param: str, kind: str, route: Route, in_compartment: bool = False) -> Emit | None:
    """The function that indexes the values of a route for a parameter of that kind; None: R4 gives such values no meaning there."""
    name = route.type.name
    if kind == "token":
        return token(param, route)
    if kind == "string":
        return string(param, name)
    if kind == "date":
        return when(param, name)
    if kind == "reference":
        return reference(param, route, in_compartment)
    if kind in ("quantity", "number"):
        return quantity(param, name)
    if kind == "uri":
        return uri(param) if name in TEXTS else None
    return position(param) if kind == "special" and name == "Location.position" else None


def token(param: str, route: Route) -> Emit | None:
    """Codes, concepts, identifiers, contact points and booleans."""
    name = route.type.name
    if name == "boolean":
        return lambda value, sink: sink.out.tokens.append(TokenEntry(param, None, "true" if value else "false"))
    if name in TEXTS or name in NUMBERS or name in DATES:
        return code(param, route)
    return {"Coding": coding, "CodeableConcept": concept, "Identifier": identifier, "ContactPoint": contact}.get(name, lambda _: None)(
        param
    )


def code(param: str, route: Route) -> Emit:
    """A bare code; its system is the one that the required value set implies."""
    systems = {one: system for system, codes in route.binding.by_system.items() for one in codes} if route.binding else {}

    def emit(value: Any, sink: Sink) -> None:
        text = str(value)
        sink.out.tokens.append(TokenEntry(param, systems.get(text), text))

    return emit


def coding(param: str) -> Emit:
    """A Coding; its display can be found by ``:text``."""
    text_param = f"{param}:text"

    def emit(value: Any, sink: Sink) -> None:
        if "code" in value:
            sink.out.tokens.append(TokenEntry(param, value.get("system"), value["code"]))
        if display := value.get("display"):
            sink.out.strings.append(StringEntry(text_param, fold(display), display))

    return emit


def concept(param: str) -> Emit:
    """A CodeableConcept: each coding, and the text for ``:text``."""
    text_param = f"{param}:text"
    each = coding(param)

    def emit(value: Any, sink: Sink) -> None:
        for one in value.get("coding", ()):
            each(one, sink)
        if text := value.get("text"):
            sink.out.strings.append(StringEntry(text_param, fold(text), text))

    return emit


def identifier(param: str) -> Emit:
    """An Identifier by system and value; with its type also for ``:of-type`` (system, ``type|value``)."""
    of_type, text_param = f"{param}:of-type", f"{param}:text"

    def emit(value: Any, sink: Sink) -> None:
        if (number := value.get("value")) is None:
            return
        sink.out.tokens.append(TokenEntry(param, value.get("system"), number))
        if kind := value.get("type"):
            for one in kind.get("coding", ()):
                if "code" in one:
                    sink.out.tokens.append(TokenEntry(of_type, one.get("system"), f"{one['code']}|{number}"))
            if text := kind.get("text"):
                sink.out.strings.append(StringEntry(text_param, fold(text), text))

    return emit


def contact(param: str) -> Emit:
    """A phone number or address; the system is ``phone``, ``email`` ... A number written with spaces is found without them too."""

    def emit(value: Any, sink: Sink) -> None:
        if (text := value.get("value")) is None:
            return
        system = value.get("system")
        sink.out.tokens.append(TokenEntry(param, system, text))
        if system != "email" and (bare := text.translate(GAPS)) != text:
            sink.out.tokens.append(TokenEntry(param, system, bare))

    return emit


GAPS = str.maketrans("", "", " -()（）－\u00a0")


def string(param: str, name: str) -> Emit | None:
    """Texts; a name or an address gives its parts and the whole."""
    if name in TEXTS:

        def emit(value: Any, sink: Sink) -> None:
            sink.out.strings.append(StringEntry(param, fold(value), value))

        return emit
    parts = {"HumanName": name_parts, "Address": address_parts}.get(name)
    if parts is None:
        return None

    def emit_parts(value: Any, sink: Sink) -> None:
        for one in parts(value):
            sink.out.strings.append(StringEntry(param, fold(one), one))

    return emit_parts


def name_parts(value: dict[str, Any]) -> list[str]:
    """Text, family, each given name, prefixes and suffixes, and family with given names joined as people write them."""
    family, given = value.get("family"), [one for one in value.get("given", ()) if one]
    found = [value.get("text"), family, *given, *value.get("prefix", ()), *value.get("suffix", ())]
    if family and given:
        found.append(family + "".join(given) if has_han(family) else " ".join([*given, family]))
    return [one for one in found if one]


def address_parts(value: dict[str, Any]) -> list[str]:
    """Text, lines, district, city, province, postal code and country, and all joined from the large to the small in Chinese addresses."""
    get = value.get
    parts = [*get("line", ()), get("district"), get("city"), get("state"), get("postalCode"), get("country")]
    kept = [one for one in parts if one]
    text = get("text")
    if not text and len(kept) > 1:
        chinese = any(map(has_han, kept))
        lines = [one for one in get("line", ()) if one]
        text = "".join(filter(None, [get("state"), get("city"), get("district"), *lines])) if chinese else " ".join(kept)
    return [text, *kept] if text else kept


def when(param: str, name: str) -> Emit | None:
    """A date, period or timing as a half-open range."""
    if name in DATES:

        def emit(value: Any, sink: Sink) -> None:
            sink.out.dates.append(DateEntry(param, *dates.span(value, sink.zone)))

        return emit
    if name == "Period":

        def emit_period(value: Any, sink: Sink) -> None:
            if "start" in value or "end" in value:
                sink.out.dates.append(DateEntry(param, *dates.period(value, sink.zone)))

        return emit_period
    if name != "Timing":
        return None

    def emit_timing(value: Any, sink: Sink) -> None:
        spans = [dates.span(one, sink.zone) for one in value.get("event", ()) if one]
        bounds = value.get("repeat", {}).get("boundsPeriod")
        if bounds:
            spans.append(dates.period(bounds, sink.zone))
        if spans:
            sink.out.dates.append(DateEntry(param, min(low for low, _ in spans), max(high for _, high in spans)))

    return emit_timing


def reference(param: str, route: Route, in_compartment: bool) -> Emit | None:
    """A Reference, a canonical or uri, or a resource that stands inside (Bundle.entry)."""
    if route.type.name in URIS:

        def emit_url(value: Any, sink: Sink) -> None:
            sink.out.references.append(ReferenceEntry(param, None, None, value))
            url, version = canonical(value)
            if version:
                sink.out.references.append(ReferenceEntry(param, None, None, url))

        return emit_url
    if route.type.name == "Resource":

        def emit_inner(value: Any, sink: Sink) -> None:
            sink.out.references.append(ReferenceEntry(param, value.get("resourceType"), value.get("id"), None))

        return emit_inner
    return pointing(param, route.target, in_compartment) if route.type.name == "Reference" else None


def pointing(param: str, target: str | None, in_compartment: bool) -> Emit:
    """A Reference element. What points into the resource itself (``#id``) is not indexed; an identifier is, for ``:identifier``."""
    by_identifier = identifier(f"{param}:identifier")

    def emit(value: Any, sink: Sink) -> None:
        text = value.get("reference")
        if text and text[0] != "#":
            to = parse(text)
            if target is None or target == (to.type or value.get("type")):
                own = to.base is None or to.base in sink.bases
                kind, name = (to.type, to.id) if own else (None, None)
                sink.out.references.append(ReferenceEntry(param, kind, name, None if to.relative else text))
                if in_compartment and kind == "Patient" and name:
                    sink.out.patients.append(name)
        if "identifier" in value and (target is None or value.get("type", target) == target):
            by_identifier(value["identifier"], sink)

    return emit


def quantity(param: str, name: str) -> Emit | None:
    """Numbers and quantities as ranges of their written precision."""
    if name in NUMBERS:
        return lambda value, sink: sink.out.quantities.append(QuantityEntry(param, *precise(value), None, None))
    if name == "Money":

        def emit_money(value: Any, sink: Sink) -> None:
            if "value" in value:
                sink.out.quantities.append(QuantityEntry(param, *precise(value["value"]), CURRENCY, value.get("currency")))

        return emit_money
    read = {"Range": range_of, "SampledData": sampled_range}.get(name, quantity_range if name in QUANTITIES else None)
    if read is None:
        return None

    def emit(value: Any, sink: Sink) -> None:
        found = read(value)
        if found:
            sink.out.quantities.append(QuantityEntry(param, *found))

    return emit


def uri(param: str) -> Emit:
    """A uri, compared exactly."""
    return lambda value, sink: sink.out.uris.append(UriEntry(param, value))


def position(param: str) -> Emit:
    """A place on the map: ``near:latitude`` and ``near:longitude`` in degrees (WGS-84)."""

    def emit(value: Any, sink: Sink) -> None:
        for axis in ("latitude", "longitude"):
            if axis in value:
                degrees = float(value[axis])
                sink.out.quantities.append(QuantityEntry(f"{param}:{axis}", degrees, degrees + ATOM, None, "deg"))

    return emit
