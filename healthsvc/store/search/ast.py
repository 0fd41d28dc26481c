"""What a search asks for, as a tree: leaves compare one search parameter, branches combine, follow a reference, or ask who refers here.

Parameters stand as interned texts (``Task.patient``); a leaf has several where a search covers several resource types.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Op: TypeAlias = Literal["eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
Kind: TypeAlias = Literal["token", "string", "date", "reference", "quantity", "uri"]
"""Which of the six index tables holds a parameter."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Codes: system None is any, an empty text is none; code None is any."""

    params: tuple[str, ...]
    wanted: tuple[tuple[str | None, str | None], ...]


@dataclass(frozen=True, slots=True)
class Strings:
    """Texts that start with, contain or are exactly one of ``wanted`` (folded, but for ``exact``)."""

    params: tuple[str, ...]
    mode: Literal["starts", "contains", "exact"]
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dates:
    """A moment or period against the half-open range ``low <= t < high``, microseconds since 1970 UTC."""

    params: tuple[str, ...]
    op: Op
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Quantities:
    """A number against ``value``, written so precisely that it stands for ``low <= x < high``; the unit None is any."""

    params: tuple[str, ...]
    op: Op
    value: float
    low: float
    high: float
    system: str | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class References:
    """References: (type, id), any type where the type is None; an empty type: the url in place of the id."""

    params: tuple[str, ...]
    wanted: tuple[tuple[str | None, str], ...]


@dataclass(frozen=True, slots=True)
class Uris:
    """URIs: the very same, one of the paths above it, or anything below it."""

    params: tuple[str, ...]
    mode: Literal["exact", "above", "below"]
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Present:
    """There is some value of the parameter."""

    kind: Kind
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """The resource has one of these ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfType:
    """The resource is of one of these types."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """When the current version was written."""

    op: Op
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Near:
    """A place within so many metres of a point, degrees WGS-84."""

    params: tuple[str, str]
    """Latitude, longitude."""
    latitude: float
    longitude: float
    metres: float


@dataclass(frozen=True, slots=True)
class Chained:
    """A reference leads to a resource of ``target`` that fulfils ``inner``."""

    params: tuple[str, ...]
    target: str
    inner: "Node"


@dataclass(frozen=True, slots=True)
class Under:
    """A reference leads to one of these resources of ``target``, or to one below them by their own reference ``parent``, however deep."""

    params: tuple[str, ...]
    target: str
    ids: tuple[str, ...]
    parent: str


@dataclass(frozen=True, slots=True)
class Referred:
    """Some resource of type ``source`` that fulfils ``inner`` refers here by ``param``."""

    source: str
    param: str
    inner: "Node"


@dataclass(frozen=True, slots=True)
class Exactly:
    """These rows and no others (what a check outside SQL has let through)."""

    pks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """The inner node over everything there is, whatever the actor may see: for the conditions that say what one may see."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Not:
    """Everything else, resources without any value included."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """Each of these."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of these; none at all if there are none."""

    nodes: tuple["Node", ...]


Leaf: TypeAlias = Tokens | Strings | Dates | Quantities | References | Uris
Node: TypeAlias = Leaf | Present | Ids | OfType | Updated | Near | Chained | Under | Referred | Exactly | Whole | Not | All | Any

NOTHING = Any(())
Restrict: TypeAlias = Callable[[str], "Node | None"]
"""What an actor may see of a resource type: None is everything, :data:`NOTHING` nothing. Applied to whatever a search selects,
passes through (chains, ``_has``) or includes."""


@dataclass(frozen=True, slots=True, eq=False)
class Narrower:
    """A restriction that lets pass no more than another, its base (None: everything)."""

    base: Restrict | None
    restrict: Restrict

    def __call__(self, type: str) -> "Node | None":
        """What may be seen of a type."""
        return self.restrict(type)


COMPARTMENT = "#patient"


def in_patient_compartment(type: str, patients: tuple[str, ...]) -> Node:
    """Resources of a type that belong to one of these patients (a Patient belongs to itself)."""
    member = References((f"{type}.{COMPARTMENT}",), tuple(("Patient", id) for id in patients))
    return Any((Ids(patients), member)) if type == "Patient" else member
