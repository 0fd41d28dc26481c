"""One row of a mapping table, and how a segment is poured into a FHIR resource by such rows."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cache
from typing import Any, Final

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Segment

ERASED: Final = "_erased"
"""Key under which a resource in the making names the elements that a null deletes; it goes where that is put over what is on file."""
_LASTING: Final = frozenset(
    {"identifier", "masterIdentifier", "code", "medicationCodeableConcept", "payor", "participant", "note", "status"}
)
"""What no feed deletes: by what a thing is known, what it is, and what several fields make together."""
_PART = re.compile(r"([A-Za-z]+)(\[\])?")


@dataclass(frozen=True, slots=True)
class View:
    """Under what a segment is read: whose numbers and codes these are, the zone of times without one, words that mean nothing."""

    hospital: str
    zone: tzinfo
    nothing: frozenset[str] = field(default_factory=frozenset)


Take = Callable[[Segment, int, View], Any]
"""Reads a field as a piece of FHIR; None, empty text and empty list mean that it says nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field and the element that it becomes."""

    field: int
    """Position in the segment, from 1."""
    path: str
    """Where the piece goes: ``code``, ``dosageInstruction[].route``; ``[]`` at the end adds to a list, inside a path it means the last."""
    take: Take | None = None
    """None: the reader of the family has its own way to this element; a test holds it to its word."""
    shown: str = ""
    """The element as the page names it, where the piece put at ``path`` is larger."""
    note: str = ""
    also: tuple[int, ...] = ()
    """Further fields that are read together with this one (a unit beside its number)."""

    @property
    def element(self) -> str:
        """The element without list marks, as FHIRPath writes it."""
        return (self.shown or self.path).replace("[]", "")


def pour(resource: Resource, segment: Segment, rows: Iterable[Row], view: View, *, nulls: bool = False) -> Resource:
    """Write what a segment says into a resource (in place), row by row; a single element that is there already stays.

    With ``nulls`` it also notes under :data:`ERASED` what the segment deletes; such a resource must go through ``scene.joined``.
    """
    for row in rows:
        if row.take is None or not (row.also or segment[row.field].raw):
            continue  # most fields of most segments are empty
        value = row.take(segment, row.field, view)
        if value not in (None, "", [], {}):
            _place(resource, row.path, value)
        elif nulls and segment[row.field].is_null and "." not in row.path and (name := row.path.removesuffix("[]")) not in _LASTING:
            resource[ERASED] = resource.get(ERASED, frozenset()) | {name}
    return resource


@cache
def _steps(path: str) -> list[tuple[str, str]]:
    return _PART.findall(path)


def _place(resource: Resource, path: str, value: Any) -> None:
    parts = _steps(path)
    here: Any = resource
    for name, many in parts[:-1]:
        if many:
            entries = here.setdefault(name, [])
            if not entries:
                entries.append({})
            here = entries[-1]
        else:
            here = here.setdefault(name, {})
    name, many = parts[-1]
    if many:
        added = value if isinstance(value, list) else [value]
        held = here.setdefault(name, [])
        held += [one for one in added if one not in held]
    else:
        here.setdefault(name, value)
