"""查看留痕 what an answer has shown leaves its trace, also where the page or endpoint notes nothing itself; and so does what was refused.

The door asks after every answer (:func:`note`). Whoever notes more exactly whom an answer shows (a page its list, an export its file) is
left alone; otherwise the row says which address was answered, and whose records were read for it or, beyond
``access.audit_named_people``, how many. Nothing of a person stands in it but the id of the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import Request

from healthsvc import clock
from healthsvc.access.accounts import ANONYMOUS
from healthsvc.access.rules import DIRECTORY_TYPES, Action
from healthsvc.errors import Forbidden, Refusal
from healthsvc.store import Actor, Database, Store
from healthsvc.store.audit import Act
from healthsvc.store.stored import micros

LIST: Final = "list"
"""The action of a row that says which list was shown, and of how many people."""
REFUSED: Final = "refused"
FIRST_DO: Final = frozenset({"password-must-change", "factor-wanted", "factor-must-enrol"})
"""Reasons that lead somebody on while they sign in; nothing was tried that they may not."""
_NAMES_NOBODY: Final = frozenset({Action.SELF, Action.DIRECTORY})
_MOST_KEPT: Final = 4096
"""Parts of open pages that are remembered at most."""


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """How looks are noted (access.toml)."""

    audit_named_people: int
    audit_refresh_minutes: int


def note(store: Store, request: Request) -> None:
    """Note what this answer shows, unless something was noted in its transaction or its kind says nothing of a person."""
    if store.acts or _names_nobody(request):
        return
    address, policy = address_of(request), store.policy.fill(LookPolicy, "access", store.at.date())
    people = store.looked.people
    if _is_refresh(request, store, (store.actor.id, address, people), timedelta(minutes=policy.audit_refresh_minutes)):
        return
    listed(store, people, address, most=policy.audit_named_people)


def listed(store: Store, people: Iterable[str], what: str, *, most: int | None = None) -> None:
    """Note that these people were shown together, in the transaction that read them.

    Args:
        people: ids of the Patients.
        what: which list it was; never a word that was typed or read.
        most: of more people only the number is noted (default: ``access.audit_named_people``).
    """
    store.acts += _acts(store.database, store.actor, store.at, people, what, most)


def named(store: Store, people: Iterable[str], what: str) -> int:
    """Note each of these people, unless they are too many (``access.audit_named_people``), beside a row of its own that says which list
    it was; gives how many they are."""
    ids = tuple(dict.fromkeys(people))
    store.acts += [act for act in _acts(store.database, store.actor, store.at, ids, what, None) if act.action != LIST]
    return len(ids)


def noted(database: Database, actor: Actor, people: Iterable[str], what: str) -> None:
    """As :func:`listed`, for what is answered out of several transactions, or while the database is away: it is written once it is back."""
    database.reads.note(_acts(database, actor, clock.now(), people, what, None), wait=False)


def _acts(database: Database, actor: Actor, at: datetime, people: Iterable[str], what: str, most: int | None) -> list[Act]:
    ids, moment = tuple(dict.fromkeys(people)), micros(at)
    if most is None:
        most = database.policy.fill(LookPolicy, "access", at.date()).audit_named_people
    acts = [Act(moment, actor.id, actor.door, "read", f"Patient/{id}", None, id, "success", what) for id in ids] if len(ids) <= most else []
    if len(ids) == 1 and acts:
        return acts
    return [Act(moment, actor.id, actor.door, LIST, what, None, None, "success", f"{len(ids)} files"), *acts]


def refused(request: Request, refusal: Refusal) -> None:
    """Note that somebody was refused what they may not; others' mistakes are none of the audit's."""
    if isinstance(refusal, Forbidden) and refusal.reason not in FIRST_DO:
        actor: Actor = getattr(request.state, "actor", ANONYMOUS)
        note_refusal(request.app.state.database, actor, address_of(request), refusal)


def note_refusal(database: Database, actor: Actor, address: str, refusal: Refusal) -> None:
    """A refusal has no transaction of its own (it is rolled back), so it is handed to the writer of the reads' trace."""
    at = micros(clock.now())
    database.reads.note([Act(at, actor.id, actor.door, REFUSED, address, None, None, "failure", refusal.reason)], wait=False)


def address_of(request: Request) -> str:
    """Method and pattern of the address (``GET /people/{id}``), never the address itself."""
    pattern = getattr(request.scope.get("route"), "path", None)
    if not isinstance(pattern, str):
        pattern = "/fhir" if request.url.path.startswith("/fhir") else "an address that nobody answers"
    elif request.url.path.startswith("/fhir/") and not pattern.startswith("/fhir"):
        pattern = "/fhir" + pattern
    return f"{request.method} {pattern}"


def _names_nobody(request: Request) -> bool:
    if request.url.path.startswith("/fhir/") and request.path_params.get("type", request.url.path.split("/")[2]) in DIRECTORY_TYPES:
        return True
    return getattr(request.state, "granted", None) in _NAMES_NOBODY


def _is_refresh(request: Request, store: Store, shown: tuple[str, str, tuple[str, ...]], within: timedelta) -> bool:
    """Whether a part of an open page asks for itself again (every other second, some) and shows the same people as it did just now."""
    if request.headers.get("hx-request") != "true" or request.method != "GET":
        return False
    state = request.app.state
    kept: dict[tuple[str, str, tuple[str, ...]], datetime] = getattr(state, "looks_kept", None) or {}
    before = kept.get(shown)
    if before is not None and store.at - before < within:
        return True
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[shown] = store.at
    state.looks_kept = kept
    return False
