"""What the search index keeps of a resource: one entry per value of a search parameter.

The registry extracts them (``healthsvc.fhir.registry``), the store writes them into six typed tables.

Parameter names carry what modifiers and composites need:

- ``code:text`` (strings): display and text of codes, for ``:text``; ``identifier:of-type`` (tokens, code ``TYPE|VALUE``) for ``:of-type``;
- ``subject:identifier`` (tokens): the identifier in a reference, for ``:identifier``;
- ``code-value-quantity$SYSTEM|CODE`` (any table): the second part of a composite, under the token of its first part;
- ``near:latitude`` and ``near:longitude`` (quantities): degrees of Location.position.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class TokenEntry(NamedTuple):
    """A code, an identifier or a boolean."""

    param: str
    system: str | None
    """The code system or identifier system (of a bare ``code`` the one that its required value set implies); None where there is none."""
    code: str


class StringEntry(NamedTuple):
    """A text, folded for comparison (NFKC, case-folded, accents dropped, runs of space made one)."""

    param: str
    folded: str
    exact: str


class DateEntry(NamedTuple):
    """A moment or period as a half-open range of microseconds since 1970 UTC: ``low <= t < high``."""

    param: str
    low: int
    high: int


class ReferenceEntry(NamedTuple):
    """A reference. Relative and own absolute references give type and id; others give the url only."""

    param: str
    type: str | None
    id: str | None
    url: str | None
    """The reference as written where it is absolute, canonical or logical (``urn:...``); None for a relative one."""


class QuantityEntry(NamedTuple):
    """A number or quantity as a half-open range (its written precision gives the range)."""

    param: str
    low: float
    high: float
    system: str | None
    code: str | None
    """The unit code, or the unit's text where there is no code; None for bare numbers."""
    unit: str | None = None
    """What the unit is called where that is not its code: ``mmHg`` for ``mm[Hg]``."""


class UriEntry(NamedTuple):
    """A URI, compared exactly."""

    param: str
    uri: str


@dataclass(slots=True)
class Entries:
    """All index entries of one resource, and the compartments that it belongs to."""

    tokens: list[TokenEntry] = field(default_factory=list)
    strings: list[StringEntry] = field(default_factory=list)
    dates: list[DateEntry] = field(default_factory=list)
    references: list[ReferenceEntry] = field(default_factory=list)
    quantities: list[QuantityEntry] = field(default_factory=list)
    uris: list[UriEntry] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    """Ids of the Patients in whose compartment the resource is (CompartmentDefinition patient)."""
