"""Who acts, and which room decides over which resources."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from healthsvc.errors import Issue
from healthsvc.fhir.index import Entries
from healthsvc.fhir.json import Resource

if TYPE_CHECKING:
    from healthsvc.store.store import Store
    from healthsvc.store.stored import Stored


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or system in whose name a transaction runs; goes into the audit."""

    id: str
    """Stable id: ``Practitioner/x``, ``user/x``, ``link/x`` or ``system``."""
    name: str = ""
    roles: frozenset[str] = field(default_factory=frozenset)
    door: str = "system"
    """Through which door it came: rest, page, hl7, command, timer, system."""
    areas: frozenset[str] | None = None
    """``Organization/x`` whose people it looks after; None: everybody in this installation."""
    scopes: frozenset[str] | None = None
    """SMART scopes of the token that it came with; None: whatever its roles allow."""
    patient: str | None = None
    """Id of the Patient whom its ``patient/`` scopes are about."""
    client: str | None = None
    """Id of the registered program through which it came; None: through none."""

    def as_json(self) -> dict[str, Any]:
        """For work that goes on in its name after its transaction."""
        areas = None if self.areas is None else sorted(self.areas)
        scopes = None if self.scopes is None else sorted(self.scopes)
        told = {"id": self.id, "name": self.name, "roles": sorted(self.roles), "door": self.door, "areas": areas}
        return {**told, "scopes": scopes, "patient": self.patient, "client": self.client}

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Self:
        """Back again."""
        areas = None if value["areas"] is None else frozenset(value["areas"])
        scopes = None if value.get("scopes") is None else frozenset(value["scopes"])
        through = value.get("patient"), value.get("client")
        return cls(value["id"], value["name"], frozenset(value["roles"]), value["door"], areas, scopes, *through)


SYSTEM = Actor("system", "healthsvc", frozenset({"system"}))
"""The product itself: timers, set-up."""

Admit = Callable[[Resource | None, Resource | None, "Store"], None]
"""``admit(old, new, store)`` is called before every write, whatever the door; ``new`` is None for a deletion. It refuses by raising
:class:`healthsvc.errors.Refusal`, and may write what must follow through ``store`` in the same transaction."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room of the house: the resource types that it answers for and the one function that admits a write."""

    name: str
    types: frozenset[str]
    admit: Admit


class Deference(Protocol):
    """What a writer with an older word leaves as somebody else has made it since."""

    def over(self, old: "Stored", new: Resource) -> Resource:
        """What is to be written instead of ``new`` over the current version ``old``."""


class Language(Protocol):
    """What the store needs to know of FHIR; the registry of R4 facts gives it."""

    def is_type(self, name: str) -> bool:
        """Whether R4 has such a resource type."""

    def extract(self, resource: Resource) -> Entries:
        """The search index entries of a resource."""


Validate = Callable[[Resource], list[Issue]]
