"""A message that came under the wrong person: what it wrote is withdrawn, and with the right numbers it has its effect anew.

For results, orders, drugs, documents, appointments, problems, charges and stays; a referral is withdrawn in its own room. What is withdrawn
stays readable in the history as entered in error. Who the person is (Patient) is left as it is, since other messages may have said the
same. All of it is audited, in the file that was wrong, too.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import select

from healthsvc.errors import Conflict, Invalid, NotFound, Refusal
from healthsvc.fhir.elements import concept
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.inbox_rows import opened
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import OPEN, Status
from integrations.ahead import profile_of
from integrations.arrival import State
from integrations.hl7v2.masking import masked
from integrations.hospitals.shelf import Shelf
from integrations.keep import INBOX
from integrations.operating.inbox_desk import reason_of, take_edited
from integrations.reading import read

WITHDRAWN: Final = "entered-in-error"
_BY_STATUS: Final = frozenset(
    {
        *("Account", "Appointment", "ChargeItem", "Coverage", "DiagnosticReport", "DocumentReference", "Encounter"),
        *("MedicationAdministration", "MedicationDispense", "MedicationRequest", "Observation", "Procedure", "ServiceRequest", "Specimen"),
    }
)
_WHOSE: Final = "say whose it is: --set PID-3.1=NUMBER, and --set PID-3(2).1=... where the message gives the person more numbers"
_IDENTIFIES: Final = re.compile(r"PID(\[1\])?-(2|3|19)\b", re.IGNORECASE)
_BY_VERIFICATION: Final = {
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
}
"""R4 con-5, ait-2: what was entered in error has no clinical status."""


def refile(store: Store, shelf: Shelf, id: int, changes: Sequence[tuple[str, str]], reason: str) -> tuple[int, int]:
    """Withdraw what a message wrote and take it in with other values (``PID-3``); gives how many were withdrawn, and the new number.

    Raises:
        Invalid: no reason, no change of PID, or a position that is none. NotFound: it is no message that has written anything, or is about
            several persons. Conflict: the changed message would not be taken, or it is a referral.
    """
    told = reason_of(reason)
    if not any(_IDENTIFIES.match(position) for position, _ in changes):
        raise Invalid(
            _WHOSE,
            path="PID-3",
            reason="whose",
        )
    row = store.connection.execute(select(INBOX).where(INBOX.c.id == id, INBOX.c.state == State.DONE.value)).first()
    provenance = store.find("Provenance", f"hl7-provenance-{id}")
    if row is None or row.raw is None or provenance is None:
        raise NotFound("this message has written nothing of one person, or was put right already; for one about several use --mend alone")
    if row.event.startswith("REF"):
        raise Conflict(
            "a referral does not change its person: withdraw it on the page of referrals, and let the hospital refer the right person anew",
            path="RF1-6",
            reason="referral-keep",
        )
    wrong = _patient(store, id)
    new = take_edited(store, shelf, row, changes, told, action="hl7-misfiled")
    withdrawn = withdraw_all(store, targets(provenance))
    store.delete("Binary", f"hl7-message-{id}")  # it shows the one person's particulars to whoever may see the other's file
    store.delete("Provenance", provenance["id"])
    if wrong:
        store.audit("hl7-misfiled", f"inbox/{id}", patient=wrong, purpose=told)
    return withdrawn, new


def numbers(store: Store, shelf: Shelf, id: int) -> tuple[tuple[str, str], ...]:
    """By which numbers a message names its person: position, and the number masked; empty where it cannot be moved to somebody else."""
    row = store.connection.execute(select(INBOX).where(INBOX.c.id == id, INBOX.c.state == State.DONE.value)).first()
    provenance = store.find("Provenance", f"hl7-provenance-{id}")
    if row is None or row.raw is None or provenance is None or row.event.startswith("REF") or not any(map(_is_care, targets(provenance))):
        return ()
    try:
        message, _ = read(opened(store.sealer, row.raw, row.hash), profile_of(row, shelf))
    except Refusal:
        return ()
    found = []
    for position, shown in dict(masked(message)).get("PID", []):
        if position == 3:
            found += [(f"PID-3({at}).1", one) for at, one in enumerate(shown.split(message.cut.repetition or "~"), start=1) if one]
        elif position in (2, 19):
            found.append((f"PID-{position}.1" if position == 2 else "PID-19", shown))
    return tuple(found)


def _is_care(target: tuple[str, str]) -> bool:
    return target[0] in _BY_STATUS or target[0] in _BY_VERIFICATION


def targets(provenance: Resource) -> list[tuple[str, str]]:
    """What a message wrote: type and id, each once, however often it wrote it."""
    return list(dict.fromkeys((type, id) for type, id, *_ in (one["reference"].split("/") for one in provenance["target"])))


def withdraw_all(store: Store, targets: Sequence[tuple[str, str]]) -> int:
    """Withdraw what a message wrote, the visits that it asked for last; gives how many were withdrawn."""
    because = {f"{type}/{id}" for type, id in targets if type != "Task"}
    last = sorted(targets, key=lambda one: one[0] == "Task")
    return sum(withdraw(store, type, id, because) for type, id in last)


def withdraw(store: Store, type: str, id: str, because: Collection[str] = ()) -> bool:
    """Mark one thing as entered in error; False where there is nothing to withdraw (a person's file, a visit that was made).

    A visit goes only where all that it was asked for is withdrawn (``because``); one that was merely held goes on.
    """
    known = store.find(type, id)
    if known is None:
        return False
    if type in _BY_STATUS and known.get("status") != WITHDRAWN:
        store.put(known | {"status": WITHDRAWN})
    elif type in _BY_VERIFICATION:
        left = {key: value for key, value in known.items() if key != "clinicalStatus"}
        store.put(left | {"verificationStatus": concept(_BY_VERIFICATION[type], WITHDRAWN)})
    elif is_visit(known) and to_visit(known).status in OPEN | {Status.CANCELLED} and _asked_for(known, because):
        store.delete(type, id)  # asked for again, of the right person, if the message calls for it
    else:
        return False
    return True


def _asked_for(task: Resource, because: Collection[str]) -> bool:
    sources = to_visit(task).sources
    return bool(sources) and set(sources) <= set(because)


def _patient(store: Store, id: int) -> str | None:
    binary: Any = store.find("Binary", f"hl7-message-{id}")
    reference = (binary or {}).get("securityContext", {}).get("reference", "")
    return reference.partition("/")[2] or None
