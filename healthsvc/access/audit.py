"""审计 the trace of every act: walk the chain, and show it as FHIR AuditEvents."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Row, func, select

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Database, Store
from healthsvc.store import audit as chain
from healthsvc.store.stored import micros, moment
from healthsvc.store.tables import AuditRow

_AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_INTERACTIONS = {
    "create": "C", "read": "R", "vread": "R", "update": "U", "patch": "U", "delete": "D", "history": "R", "search": "E", "operation": "E",
}  # fmt: skip
"""Action of the audit -> AuditEvent.action, for those that are FHIR interactions."""
_SIGN_IN = {"sign-in": ("110122", "Login"), "sign-out": ("110123", "Logout")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the chain found."""

    rows: int
    head: str
    """Hash of the last row (over those of all chains, where there are several); keep it elsewhere and a cut-off end shows too."""
    faults: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether no row was changed, removed or moved."""
        return not self.faults


def verify(database: Database) -> Verdict:
    """Walk the whole chain and say where a row was changed, removed or put in another order."""
    database.reads.flush()
    with database.engine.connect() as connection:
        faults = tuple(chain.verify(connection))
        rows = connection.execute(select(func.count()).select_from(_AUDIT)).scalar_one()
        heads = [hash for _, _, hash in chain.heads(connection)] or [chain.GENESIS]
    return Verdict(int(rows), (heads[0] if len(heads) == 1 else blake2b(b"".join(heads), digest_size=16).digest()).hex(), faults)


def anchor(store: Store) -> bool:
    """Tie the chains of the audit together: a row that names their heads (a timer asks); False where there is but one chain."""
    told = chain.anchor_text(store.connection)
    if told is not None:
        store.audit(chain.ANCHOR, told)
    return told is not None


def audit_events(
    store: Store,
    *,
    patient: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Resource]:
    """Acts as AuditEvents, newest first.

    Args:
        patient: id of a Patient: who has seen or changed anything of this person.
        actor: ``user/x``, ``Practitioner/x``, ``token/x``, ``link/x``.
        action: as written in the row: read, search, create, update, delete, sign-in, ...
        since, until: half-open range of time.
        before: rows before this number (the id of the last AuditEvent of the page before).
        limit: how many at most.
    """
    query = select(_AUDIT).order_by(_AUDIT.c.seq.desc()).limit(limit)
    for column, value in ((_AUDIT.c.patient, patient), (_AUDIT.c.actor, actor), (_AUDIT.c.action, action)):
        if value is not None:
            query = query.where(column == value)
    if since is not None:
        query = query.where(_AUDIT.c.at >= micros(since))
    if until is not None:
        query = query.where(_AUDIT.c.at < micros(until))
    if before is not None:
        query = query.where(_AUDIT.c.seq < before)
    return [_event(row, store) for row in store.connection.execute(query)]


def _event(row: Row[Any], store: Store) -> Resource:
    event: Resource = {
        "resourceType": "AuditEvent",
        "id": str(row.seq),
        **_kind(row.action),
        "recorded": moment(row.at).astimezone(store.zone).isoformat(timespec="milliseconds"),
        "outcome": "0" if row.outcome == "success" else "4",
        "agent": [{"who": _who(row.actor), "requestor": True, "media": {"system": code_system("door"), "code": row.door}}],
        "source": {"observer": {"display": "healthsvc"}},
    }
    if row.purpose:
        event["purposeOfEvent"] = [{"text": row.purpose}]
    entities = []
    if row.subject:
        entities.append({"what": _what(row.subject, row.version)})
    if row.patient and row.subject != f"Patient/{row.patient}":
        entities.append({"what": {"reference": f"Patient/{row.patient}"}})
    if entities:
        event["entity"] = entities
    return event


def _kind(action: str) -> Resource:
    if action in _INTERACTIONS:
        return {
            "type": {"system": _EVENT_TYPE, "code": "rest", "display": "RESTful Operation"},
            "subtype": [{"system": _INTERACTION, "code": action}],
            "action": _INTERACTIONS[action],
        }
    if action in _SIGN_IN:
        code, display = _SIGN_IN[action]
        kind = {"system": _DICOM, "code": "110114", "display": "User Authentication"}
        return {"type": kind, "subtype": [{"system": _DICOM, "code": code, "display": display}], "action": "E"}
    return {
        "type": {"system": _DICOM, "code": "110100", "display": "Application Activity"},
        "subtype": [{"system": code_system("act"), "code": action}],
        "action": "E",
    }


def _who(actor: str) -> Resource:
    return {"reference": actor} if actor.startswith("Practitioner/") else {"identifier": {"system": code_system("actor"), "value": actor}}


def _what(subject: str, version: int | None) -> Resource:
    """A resource by its versioned reference; anything else (what was searched, an account) as text."""
    if subject[:1].isupper() and subject.count("/") == 1 and "?" not in subject:
        return {"reference": f"{subject}/_history/{version}" if version else subject}
    return {"display": subject}
