"""What a write must pass that came from a phone, whatever the door: the signature of a visit is kept."""

from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.pocket.signature import admit_signature
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a Provenance: the signature of a visit does not change."""
    if not store.is_undoing:
        admit_signature(old, new)


ROOM: Final = Room("pocket", frozenset({"Provenance"}), admit)
