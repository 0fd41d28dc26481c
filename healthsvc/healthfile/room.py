"""What every write of a Patient must pass, through whatever door it comes."""

from typing import Final

from healthsvc.errors import Conflict, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile import citizen_id
from healthsvc.healthfile.merging import check_citizen_ids
from healthsvc.healthfile.resources import links, to_person
from healthsvc.healthfile.service import claims_of, follow, merge_key, policy_of, today
from healthsvc.healthfile.whereabouts import ROOM as WHEREABOUTS
from healthsvc.store import Room, Store

__all__ = ["ROOM", "WHEREABOUTS"]


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a file: a new citizen id must be a possible one, no two files share one, and a file is replaced by one other only."""
    _admit_links(old, new, store)
    held = claims_of(old) if old else set()
    wanted = claims_of(new) if new else set()
    if new is not None and wanted - held:
        known = {one.value for one in to_person(old).identifiers} if old else set()
        for number in to_person(new).identifiers:
            if number.system == CITIZEN_ID and number.value not in known:
                citizen_id.read(number.value, today(store), policy_of(store).oldest_age)
    holder = f"Patient/{(new or old or {}).get('id')}"
    for key in held - wanted:
        store.release(key, holder)
    for key in wanted - held:
        try:
            store.claim(key, holder)
        except Conflict:
            raise Conflict(
                "another health file has this citizen id or file number; update that file, or merge the two",
                reason="patient-duplicate",
            ) from None


def _admit_links(old: Resource | None, new: Resource | None, store: Store) -> None:
    before = links(old, "replaced-by") if old else []
    after = links(new, "replaced-by") if new else []
    if before == after:
        return
    id = (new or old or {}).get("id", "")
    if len(after) > 1 or after == [id]:
        raise RuleViolation("a file is replaced by one other file", reason="patient-merge-one", path="Patient.link")
    store.release(merge_key(id))
    for survivor in after:
        kept = store.find("Patient", survivor)
        if kept is not None and new is not None:
            check_citizen_ids(store, new, kept)
        if kept is not None and follow(store, survivor)["id"] == id:
            raise RuleViolation(
                "these files would replace each other; undo the earlier merge first", reason="patient-merge-circle", path="Patient.link"
            )
        store.claim(merge_key(id), f"Patient/{survivor}")


ROOM: Final = Room("healthfile", frozenset({"Patient"}), admit)
