"""What the index keeps besides the values of a resource, so that a search need not look at all resources to find few.

- ``birthdate:missing`` (a token): the resource has no value of a parameter for which that is asked: ``birthdate:missing=true``;
- ``name:inside`` (strings): what of a name stands behind each of its characters, so that ``name:contains`` is a search for beginnings.
  A trigram index would not do: most Chinese names and what is looked for in them have two or three characters.
"""

from typing import Final

from healthsvc.fhir.index import Entries, StringEntry, TokenEntry

_PERSON: Final = ("identifier", "name", "birthdate", "gender", "address", "phone", "telecom")
ABSENCE: Final[dict[str, tuple[str, ...]]] = {
    "Patient": (
        *_PERSON,
        "general-practitioner",
        "organization",
        "managing-unit",
        "residence-area",
        "cadre-category",
        "living-arrangement",
    ),
    "Practitioner": _PERSON[:2],
    "Observation": ("date", "patient", "subject", "code", "category", "status", "value-quantity"),
    "DiagnosticReport": ("date", "patient", "subject", "code", "status"),
    "Condition": ("patient", "subject", "onset-date", "code", "clinical-status"),
    "Encounter": ("patient", "subject", "date", "class", "status"),
    "Task": ("patient", "subject", "owner", "code", "status", "intent"),
    "MedicationRequest": ("patient", "subject", "code", "status", "intent"),
    "Contract": ("patient", "signed-doctor", "paired-nurse", "applies"),
}
"""Parameters of which it is kept that a resource has no value: those that few lack. What most lack would cost a row in each."""
INSIDE: Final = frozenset({("Patient", "name"), ("Practitioner", "name"), ("RelatedPerson", "name"), ("Person", "name")})
"""Texts that are looked into: short ones, since each character costs a row."""
MISSING: Final = "true"
LONGEST: Final = 500
"""Characters of a text that the index looks into (``writes.LONGEST``)."""


def absence(param: str) -> str:
    """The name under which it is kept that a parameter has no value."""
    return f"{param}:missing"


def inside(param: str) -> str:
    """The name under which the rests of a text are kept."""
    return f"{param}:inside"


def add(type: str, entries: Entries) -> None:
    """Add these entries to those of a resource."""
    wanted = ABSENCE.get(type)
    if wanted is not None:
        kinds = (entries.tokens, entries.strings, entries.dates, entries.references, entries.quantities, entries.uris)
        there = {one.param.removesuffix(":identifier") for kind in kinds for one in kind}
        entries.tokens += [TokenEntry(absence(one), None, MISSING) for one in wanted if one not in there]
    entries.strings += [
        StringEntry(inside(one.param), one.folded[place:], one.folded[place:])
        for one in entries.strings
        if (type, one.param) in INSIDE
        for place in range(1, min(len(one.folded), LONGEST))
    ]
