"""What a bulk export is to hold, as its kick-off request says it."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from healthsvc.errors import Forbidden, NotSupported, Refusal
from healthsvc.fhir import dates
from healthsvc.rest.call import Call
from healthsvc.rest.parameters import pairs
from healthsvc.rest.permitted import may_read
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search import ast
from healthsvc.store.search.condition import condition
from healthsvc.store.search.parse import shown

FORMATS = frozenset({"application/fhir+ndjson", "application/fhir ndjson", "application/ndjson", "ndjson"})
_BETWEEN = re.compile(r",(?=[A-Z][A-Za-z]+\?)")
"""What parts the queries of one ``_typeFilter``; the other commas stand within values."""
SUPPORTING = frozenset({"Organization", "Practitioner", "PractitionerRole", "Location", "HealthcareService"})
"""Types outside of the Patient compartment that an export of patients may ask for by name: records refer to them."""
MOST_PATIENTS = 1000


@dataclass(frozen=True, slots=True)
class Terms:
    """One export. ``scope`` is system, patient or group."""

    scope: str
    group: str | None
    types: tuple[str, ...]
    since: int | None = None
    """Microseconds since 1970 UTC."""
    filters: tuple[tuple[str, str], ...] = ()
    """(type, query): of a type that is named here only what one of its queries selects."""
    elements: tuple[str, ...] = ()
    patients: tuple[str, ...] = ()
    request: str = ""
    """The address of the kick-off."""

    def as_json(self) -> dict[str, Any]:
        """For the row of the export."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Self:
        """Back from the row."""
        fields: dict[str, Any] = {name: tuple(map(_frozen, one)) if isinstance(one, list) else one for name, one in value.items()}
        return cls(**fields)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def terms_of(site: Site, store: Store, call: Call, scope: str, group: str | None, request: str) -> Terms:
    """Read a kick-off.

    Raises:
        Refusal: a parameter is not known or cannot be read.
        Forbidden: a type is named that the role may not read.
    """
    given = pairs(call)
    known = ("_outputFormat", "_since", "_type", "_elements", "_typeFilter", "patient")
    for name, _ in given:
        if name not in known and call.handling is not False:
            raise NotSupported(f"$export takes no {shown(name)}; there are {', '.join(known)}", path=shown(name))
    values = {name: [value for other, value in given if other == name and value] for name in known}
    if values["_outputFormat"] and values["_outputFormat"][-1].partition(";")[0].strip() not in FORMATS:
        raise NotSupported("an export is written as application/fhir+ndjson only", path="_outputFormat")
    if values["patient"] and scope == "system":
        raise NotSupported("patient narrows an export of patients or of a group, not one of the system", path="patient")
    patients = tuple(one.removeprefix("Patient/") for text in values["patient"] for one in text.split(","))
    if len(patients) > MOST_PATIENTS:
        raise NotSupported(f"an export is narrowed to at most {MOST_PATIENTS} patients; make a Group of more", path="patient")
    filters = tuple(_filter(site, store, one, call) for text in values["_typeFilter"] for one in _BETWEEN.split(text) if one)
    types = _types(site, store, scope, [one.strip() for text in values["_type"] for one in text.split(",") if one.strip()])
    idle = next((of for of, _ in filters if values["_type"] and of not in types), None)
    if idle is not None and call.handling is not False:
        raise NotSupported(f"_typeFilter narrows {idle}, which _type does not name", path="_typeFilter")
    elements = tuple(one.strip() for text in values["_elements"] for one in text.split(",") if one.strip())
    return Terms(scope, group, types, _since(values["_since"], store), filters, elements, patients, request)


def _since(values: Sequence[str], store: Store) -> int | None:
    try:
        return dates.span(values[-1].replace(" ", "+"), store.zone.key)[0] if values else None
    except Refusal as error:
        raise Refusal(f"_since takes an instant: {error.text}", path="_since") from None


def _filter(site: Site, store: Store, text: str, call: Call) -> tuple[str, str]:
    type, _, query = text.partition("?")
    if not site.registry.is_type(type):
        raise NotSupported("_typeFilter is written Type?query", path="_typeFilter")
    condition(store, type, query, call.bases)
    return type, query


def _types(site: Site, store: Store, scope: str, asked: Sequence[str]) -> tuple[str, ...]:
    """The types in the order in which they are written: those that are asked for, else all that there are and that may be read."""
    if not site.registry.types.issuperset(asked):
        raise NotSupported("_type names something that is not an R4 resource type", path="_type")
    outside = [] if scope == "system" else [one for one in asked if not of_patients(site, one) and one not in SUPPORTING]
    if outside:
        raise NotSupported(f"{outside[0]} is not in the Patient compartment; export it from the system", path="_type")
    barred = [one for one in asked if not may_read(store, one)]
    if barred:
        raise Forbidden(f"your role does not allow read-clinical on {barred[0]}; ask an administrator for another role", reason="role")
    stored = [one for one in sorted(site.registry.types) if store.terms.find(one) is not None]
    every = [one for one in stored if scope == "system" or of_patients(site, one)]
    return tuple(dict.fromkeys(asked)) or tuple(one for one in every if may_read(store, one))


def of_patients(site: Site, type: str) -> bool:
    """Whether resources of a type belong to patients."""
    return type == "Patient" or bool(site.registry.patient_compartment(type))


def selects(site: Site, store: Store, terms: Terms, type: str) -> ast.Node | None:
    """The condition on resources of a type; None: all of them."""
    nodes: list[ast.Node] = []
    if terms.since is not None:
        nodes.append(ast.Updated("ge", terms.since, terms.since + 1))
    queries = [condition(store, type, query) for of, query in terms.filters if of == type]
    if queries:
        nodes.append(ast.Any(tuple(queries)))
    if terms.scope != "system" and of_patients(site, type):
        nodes.append(_belongs(store, terms, type))
    return ast.All(tuple(nodes)) if nodes else None


def members(store: Store, terms: Terms) -> ast.Node | None:
    """The condition on the Patients whose records are meant; None: everybody's."""
    return None if terms.scope == "system" or not (terms.patients or terms.group) else _belongs(store, terms, "Patient")


def _belongs(store: Store, terms: Terms, type: str) -> ast.Node:
    """Belongs to some patient, to one of those that are named, to an active member of the group."""
    whose: list[ast.Node] = [ast.Ids(terms.patients)] if terms.patients else []
    if terms.group is not None:
        left = tuple(_inactive(store, terms.group))
        whose.append(ast.Referred("Group", "Group.member", ast.Ids((terms.group,))))
        whose += [ast.Not(ast.Ids(left))] if left else []
    if type == "Patient":
        return ast.All(tuple(whose))
    member = (f"{type}.{ast.COMPARTMENT}",)
    return ast.Chained(member, "Patient", ast.All(tuple(whose))) if whose else ast.Present("reference", member)


def _inactive(store: Store, group: str) -> list[str]:
    """Members that have left."""
    found = store.find("Group", group) or {}
    gone = [one for one in found.get("member", ()) if one.get("inactive") is True]
    return [one["entity"]["reference"].removeprefix("Patient/") for one in gone if "reference" in one.get("entity", {})]
