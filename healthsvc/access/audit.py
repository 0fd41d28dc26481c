"""审计 the trace of every act: walk the chain, and show it as FHIR AuditEvents."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import structlog
from sqlalchemy import Row, delete, func, select

from healthsvc.access.looks import LIST
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Database, Store
from healthsvc.store import audit as chain
from healthsvc.store.stored import micros, moment
from healthsvc.store.tables import AuditRow
from healthsvc.store.witness import Witness

log = structlog.get_logger()
_AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
MOST_FORGOTTEN = 100_000
"""Rows that one run takes out at most: others write meanwhile."""
_EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_INTERACTIONS = {
    "create": "C", "read": "R", "vread": "R", "update": "U", "patch": "U", "delete": "D", "history": "R", "search": "E", "operation": "E",
}  # fmt: skip
"""Action of the audit -> AuditEvent.action, for those that are FHIR interactions."""
_SIGN_IN = {"sign-in": ("110122", "Login"), "sign-out": ("110123", "Logout")}


@dataclass(frozen=True, slots=True)
class AuditPolicy:
    """How long acts are kept (access.toml)."""

    audit_keep_days: int
    audit_least_days: int


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


def verify(database: Database, witness: Witness | None = None) -> Verdict:
    """Walk the whole chain and say where a row was changed, removed or put in another order, or an end is missing that was witnessed."""
    database.reads.flush()
    with database.engine.connect() as connection:
        faults = (*chain.verify(connection), *(witness.faults(connection) if witness is not None else ()))
        rows = connection.execute(select(func.count()).select_from(_AUDIT)).scalar_one()
        heads = [hash for _, _, hash in chain.heads(connection)] or [chain.GENESIS]
    return Verdict(int(rows), (heads[0] if len(heads) == 1 else blake2b(b"".join(heads), digest_size=16).digest()).hex(), faults)


def bear_witness(database: Database, witness: Witness, at: datetime) -> bool:
    """Write down outside the database where the audit ends now; False where it has not grown."""
    with database.engine.connect() as connection:
        noted = witness.note(connection, at)
    if noted is not None:
        log.info("audit ends", heads=" ".join(f"{seq}:{hash}" for seq, hash in noted.heads))
    return noted is not None


def forget(store: Store) -> int:
    """Take out the oldest acts once their time is over, so many at once, and note after which hashes the chains go on; gives how many.

    The newest row of each chain always stays. How long acts are kept: ``access.audit_keep_days``, never shorter than the law's
    ``access.audit_least_days``.
    """
    policy = store.policy.fill(AuditPolicy, "access", store.at.date())
    until = micros(store.at - timedelta(days=max(policy.audit_keep_days, policy.audit_least_days)))
    connection = store.connection
    ends = [seq for _, seq, _ in chain.heads(connection)]
    first = connection.execute(select(func.min(_AUDIT.c.seq))).scalar()
    if first is None:
        return 0
    young = connection.execute(select(_AUDIT.c.seq).where(_AUDIT.c.at >= until).order_by(_AUDIT.c.seq).limit(1)).scalar()
    last = min(min(ends) - 1, first + MOST_FORGOTTEN, *([young - 1] if young is not None else []))
    goes = _AUDIT.c.seq <= last
    newest = select(func.max(_AUDIT.c.seq)).where(goes).group_by(_AUDIT.c.chain)
    told = [
        f"{seq}:{bytes(hash).hex()}"
        for seq, hash in connection.execute(select(_AUDIT.c.seq, _AUDIT.c.hash).where(_AUDIT.c.seq.in_(newest)))
    ]
    gone = connection.execute(delete(_AUDIT).where(goes)).rowcount if told else 0
    if gone:
        store.audit(chain.FORGET, " ".join(told), purpose=f"{gone} acts whose time is over")
    return int(gone)


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
    outcome: str | None = None,
    entity: str | None = None,
    limit: int = 50,
) -> list[Resource]:
    """Acts as AuditEvents, newest first.

    Args:
        patient: id of a Patient: who has seen or changed anything of this person.
        actor: ``user/x``, ``Practitioner/x``, ``token/x``, ``link/x``.
        action: as written in the row: read, search, create, update, delete, sign-in, ...
        since, until: half-open range of time.
        before: rows before this number (the id of the last AuditEvent of the page before).
        outcome: ``0`` what succeeded, ``4`` what did not.
        entity: a reference or a name as an AuditEvent shows it: ``Patient/x``, ``user/x``, ``GET /people/{id}``.
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
    if outcome is not None:
        query = query.where(_AUDIT.c.outcome == "success" if outcome == "0" else _AUDIT.c.outcome != "success")
    if entity is not None:
        query = query.where((_AUDIT.c.subject == entity) | (_AUDIT.c.patient == entity.removeprefix("Patient/")))
    return [_event(row, store) for row in store.connection.execute(query)]


def act_of(subtype: str) -> str:
    """The action of the audit that a subtype of AuditEvent means: ``sign-in`` or DICOM's 110122, with or without its system."""
    code = subtype.rpartition("|")[2]
    return next((act for act, (known, _) in _SIGN_IN.items() if known == code), code)


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
        "action": "R" if action == LIST else "E",
    }


def _who(actor: str) -> Resource:
    return {"reference": actor} if actor.startswith("Practitioner/") else {"identifier": {"system": code_system("actor"), "value": actor}}


def _what(subject: str, version: int | None) -> Resource:
    """A resource by its versioned reference; anything else (what was searched, an account) as text."""
    if subject[:1].isupper() and subject.count("/") == 1 and "?" not in subject:
        return {"reference": f"{subject}/_history/{version}" if version else subject}
    return {"display": subject}
