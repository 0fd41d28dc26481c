"""A frozen document stays as it was sealed, through whatever door somebody comes."""

from typing import Final

from healthsvc.documents.resources import binary_of, is_frozen
from healthsvc.documents.service import judge
from healthsvc.errors import Conflict, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.store import Room, Store

_AFTER: Final = {"current": frozenset({"superseded", "entered-in-error"}), "superseded": frozenset({"entered-in-error"})}


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit only what is sealed by our own key, and afterwards no change but that another has taken its place."""
    if (new or old or {}).get("resourceType") == "Binary":
        if old is not None and store.holder(_key(old["id"])) is not None:
            raise RuleViolation("the bytes of a frozen document are not changed or deleted", reason="document-frozen", path="Binary")
        return
    if old is not None and is_frozen(old):
        _keep(old, new, store.is_undoing)
    elif new is not None and is_frozen(new):
        _check_seal(new, store)


def _keep(old: Resource, new: Resource | None, undoing: bool) -> None:
    if new is None:
        raise RuleViolation(
            "a frozen document is not deleted; mark it entered-in-error", reason="document-frozen", path="DocumentReference"
        )
    rest = {key for key in {*old, *new} - {"status", "meta"} if old.get(key) != new.get(key)}
    if rest or old.get("meta", {}).get("profile") != new.get("meta", {}).get("profile"):
        raise RuleViolation("a frozen document keeps what it says; freeze a new one", reason="document-frozen", path="DocumentReference")
    if not undoing and new["status"] != old["status"] and new["status"] not in _AFTER.get(old["status"], ()):
        raise RuleViolation(
            f"a frozen document that is {old['status']} does not become {new['status']}",
            reason="document-frozen",
            path="DocumentReference.status",
        )


def _check_seal(entry: Resource, store: Store) -> None:
    """Nobody but this installation seals; a document from elsewhere comes without our extension."""
    binary = binary_of(entry)
    verdict = judge(store, entry, _binary(store, binary))
    if not verdict.intact:
        raise RuleViolation(
            f"this document is not sealed by this installation: {verdict.findings[0]}; send it without the extension document-seal",
            reason="document-seal",
            path="DocumentReference.extension",
        )
    try:
        store.claim(_key(binary), f"DocumentReference/{entry['id']}")
    except Conflict:
        raise Conflict("these bytes belong to another frozen document", reason="document-seal") from None


def _binary(store: Store, id: str) -> Resource | None:
    with store.wholly():
        return store.find("Binary", id)


def _key(binary: str) -> str:
    return f"frozen:{binary}"


ROOM: Final = Room("documents", frozenset({"DocumentReference", "Binary"}), admit)
