"""The registry of R4: types, search parameters, compartments, extraction of index entries. A new type or parameter is data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from healthsvc.clock import DEFAULT_ZONE
from healthsvc.errors import Invalid
from healthsvc.fhir import derived, extract, facts, own, pinyin
from healthsvc.fhir.emit import Emit, Sink, emitter, name_parts
from healthsvc.fhir.index import Entries, StringEntry, TokenEntry
from healthsvc.fhir.json import Resource
from healthsvc.fhir.routes import Route, routes
from healthsvc.fhir.systems import BASE

HL7 = "http://hl7.org/fhir/SearchParameter/"
EVERYWHERE = ("Resource", "DomainResource")
KEPT_BY_THE_STORE = ("_id", "_lastUpdated")
"""Parameters that are columns of the stored resource and have no index entries."""
ITSELF = "{def}"
"""How a CompartmentDefinition says that the compartment's own resource is in it."""
DECEASED = "Patient.deceased.exists() and Patient.deceased != false"


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One search parameter as R4 or we define it. ``components``: code of the part's parameter, its kind and its expression."""

    code: str
    type: str
    """token, string, date, reference, quantity, number, uri, composite or special."""
    expression: str
    base: tuple[str, ...]
    targets: frozenset[str] = frozenset()
    components: tuple[tuple[str, str, str], ...] = ()
    id: str = ""
    description: str = ""

    @property
    def url(self) -> str:
        """The canonical url of the definition."""
        return f"{BASE}/SearchParameter/{self.id}" if self.id in own_ids() else HL7 + self.id


class Registry:
    """All that the server knows about R4. Get it by :meth:`load`; types are compiled when they are first used."""

    def __init__(self, unions: Mapping[tuple[str, str], tuple[str, ...]] = own.UNIONS, *, derives: bool = True) -> None:
        self._unions = unions
        self._derives = derives
        self.types = facts.resource_types()
        """Names of all concrete resource types."""
        self._rows: dict[str, list[list[Any]]] = {}
        self._kinds = {}
        for row in (*facts.read("search"), *own.rows()):
            self._kinds[row[0]] = (row[1], row[2])
            for base in row[3]:
                self._rows.setdefault(base, []).append(row)
        self._parameters: dict[str, dict[str, SearchParameter]] = {}
        self._plans: dict[str, Emit] = {}

    @staticmethod
    @cache
    def load() -> "Registry":
        """The registry (made once)."""
        return Registry()

    def is_type(self, name: str) -> bool:
        """Whether R4 has a resource type of that name."""
        return name in self.types

    def parameter(self, type: str, code: str) -> SearchParameter | None:
        """The search parameter of a type, ``_id`` and its like included; None if there is none."""
        return self.parameters(type).get(code)

    def parameters(self, type: str) -> dict[str, SearchParameter]:
        """All search parameters of a resource type by code."""
        if type not in self._parameters:
            rows = [row for base in (*EVERYWHERE, type) for row in self._rows.get(base, ())]
            self._parameters[type] = {row[1]: self._made(row) for row in rows} if type in self.types else {}
        return self._parameters[type]

    def filed_under(self, type: str, code: str) -> tuple[str, ...]:
        """The names under which the index has the values of a parameter: its own, or those of the parameters that it unites."""
        return tuple(f"{type}.{one}" for one in self._unions.get((type, code), (code,)))

    def _made(self, row: list[Any]) -> SearchParameter:
        name, code, kind, bases, expression, targets, components, text = row
        parts = tuple((*self._kinds[part], how) for part, how in components)
        return SearchParameter(code, kind, expression, tuple(bases), frozenset(targets), parts, name, text)

    def patient_compartment(self, type: str) -> tuple[str, ...]:
        """Codes of the reference parameters that put a resource of this type into a Patient's compartment (none: never in one)."""
        return self.compartment("Patient", type) or own.COMPARTMENT.get(type, ())

    def compartment(self, of: str, type: str) -> tuple[str, ...]:
        """The same for any compartment: Patient, Encounter, Practitioner, RelatedPerson, Device (its own resource is always in)."""
        return tuple(code for code in facts.compartment(of).get(type, ()) if code != ITSELF)

    def element_type(self, type: str, path: str) -> tuple[str, ...]:
        """The types that an element may have: ``("Patient", "name.family")`` -> ``("string",)``; none if there is no such element."""
        found = routes(f"{type}.{path}", type)
        return tuple(dict.fromkeys(route.type.name for route in found))

    def summary_elements(self, type: str) -> frozenset[str]:
        """The JSON names at the top of a resource that ``_summary=true`` keeps (with choice elements spelled out)."""
        shape = facts.shape(type)
        return frozenset({"resourceType"} | {key for key, (element, _) in shape.keys.items() if element.summary or element.min > 0})

    def mandatory_elements(self, type: str) -> frozenset[str]:
        """The JSON names at the top of a resource that ``_elements`` must keep whatever was asked."""
        shape = facts.shape(type)
        return frozenset({"resourceType"} | {key for key, (element, _) in shape.keys.items() if element.min > 0 or element.modifier})

    def has_element(self, type: str, name: str) -> bool:
        """Whether a resource of the type can have an element of this name at its top (``deceased`` stands for its forms)."""
        return any(key in (name, f"_{name}") or element.name == name for key, (element, _) in facts.shape(type).keys.items())

    def extract(self, resource: Resource, *, zone: str = DEFAULT_ZONE, bases: Iterable[str] = ()) -> Entries:
        """All index entries of a valid resource, each once.

        ``zone`` is where dates without a zone are meant; ``bases`` are our own base urls, so that absolute references to us are relative.
        ``_id`` and ``_lastUpdated`` are not among the entries: the store keeps them as columns.

        Raises:
            Invalid: the resource is not of an R4 type or its structure is broken (validate first).
        """
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or kind not in self.types:
            raise Invalid("this is not an R4 resource type", path="resourceType")
        plan = self._plans.get(kind) or self.compile(kind)
        sink = Sink(Entries(), zone, frozenset(bases), resource)
        try:
            plan(resource, sink)
        except (AttributeError, TypeError, KeyError, ArithmeticError) as error:
            raise Invalid(
                f"this {kind} cannot be indexed because its structure is broken ({type(error).__name__}); validate it first"
            ) from error
        if kind == "Patient" and "id" in resource:
            sink.out.patients.insert(0, resource["id"])
        if self._derives:
            derived.add(kind, sink.out)
        return extract.distinct(sink.out)

    def compile(self, type: str) -> Emit:
        """Compile the extraction of one type (done by itself on first use)."""
        root = extract.Branch()
        members = frozenset((*self.patient_compartment(type), *own.SECURED.get(type, ())))
        for one in self.parameters(type).values():
            if one.code in KEPT_BY_THE_STORE or (type, one.code) in self._unions:
                continue
            if one.expression == DECEASED:
                root.emits.append(deceased)
                continue
            for route in routes(one.expression, type):
                emit = self._emitter(one, route, type, one.code in members)
                if emit:
                    root.add(route, emit)
        self._plans[type] = root.compiled()
        return self._plans[type]

    def _emitter(self, one: SearchParameter, route: Route, type: str, in_compartment: bool) -> Emit | None:
        if one.components:
            parts = [extract.part(kind, how, route, type) for _, kind, how in one.components]
            made = [part for part in parts if part]
            return extract.composite(one.code, made[0], made[1:]) if len(made) == len(parts) else None
        if one.code == own.PINYIN:
            return in_pinyin
        return emitter(one.code, one.type, route, in_compartment)


def in_pinyin(value: Any, sink: Sink) -> None:
    """A HumanName in pinyin, full and initials."""
    whole = value.get("text") or next(reversed(name_parts(value)), "")
    for spelling in pinyin.spellings(whole, value.get("family")):
        sink.out.strings.append(StringEntry(own.PINYIN, spelling, spelling))


def deceased(value: Any, sink: Sink) -> None:
    """Whether the person has died: R4 means "exists and is not false"."""
    dead = value.get("deceasedBoolean", False) or "deceasedDateTime" in value
    sink.out.tokens.append(TokenEntry("deceased", None, "true" if dead else "false"))


@cache
def own_ids() -> frozenset[str]:
    """Ids of our own search parameters."""
    return frozenset(row[0] for row in own.rows())


__all__ = ["Registry", "SearchParameter"]
