"""One version of a resource on its way to the disk: its bytes, its rows, its index entries, and the county where they belong."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from healthsvc.fhir.index import Entries
from healthsvc.fhir.json import Resource, dumps
from healthsvc.store import writes
from healthsvc.store.stored import Stored, stamped
from healthsvc.store.tenancy import home

if TYPE_CHECKING:
    from healthsvc.store.store import Store


def keep(
    store: "Store", type: str, id: str, bare: Resource, digest: bytes, old: Stored | None, old_digest: bytes | None
) -> tuple[Stored, Sequence[str]]:
    """Write what has been admitted; gives the version as stored and the ids of the Patients whom it is about."""
    version, updated = (1 if old is None else old.version + 1), store.at_micros
    body = dumps(stamped(bare, version, store.at.astimezone(store.zone)))
    kept = store.sealer.close_body(type, id, version, body)
    entries, before = store.database.indexed.entries(bare, digest, old, old_digest)
    on_server = store.connection.dialect.name != "sqlite"
    own = home.part_of_person(store.connection, store.terms, bare) if on_server and type == "Patient" else None
    if old is None:
        patient = None if own is not None else store.terms.find("Patient")
        people = None if patient is None else (patient, entries.patients)
        row = (store.terms.intern(type), id, version, False, updated, digest, kept)
        pk, part = writes.insert_current(store.connection, row, people, own or 0)
    else:
        pk, part = old.pk, old.part or 0
        writes.replace_current(store.connection, old, updated=updated, hash=digest, body=kept)
    writes.write_index(store.connection, store.terms, type, pk, entries, before, part=part)
    if on_server:
        part = _moved(store, Stored(pk, type, id, version, updated, False, body, part), own, entries, before, is_new=old is None)
    return Stored(pk, type, id, version, updated, False, body, part), entries.patients


def _moved(store: "Store", stored: Stored, own: int | None, entries: Entries, before: Entries | None, *, is_new: bool) -> int:
    """See that the rows are where they belong now; gives the part."""
    part = stored.part or 0
    if own is not None:
        if own != part or (is_new and own):  # what was written about a person before the person was, is there already
            home.move_person(store.connection, store.terms, stored.id, stored.pk, own)
            store.forget()
        return own
    if is_new or (before is not None and before.patients == entries.patients):
        return part
    wanted = home.part_of(store.connection, store.terms, entries.patients)
    if wanted != part:
        home.move(store.connection, [stored.pk], wanted)
    return wanted
