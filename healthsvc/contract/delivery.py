"""What was really given to the people under contract: visits, checkups, consultations."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, time, tzinfo
from typing import Final

from healthsvc.contract.fulfilment import Fulfilment, Given, OwnService, count
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement
from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.elements import concept, period, reference, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.healthfile.service import replaced, today
from healthsvc.store import Store
from healthsvc.visit.resources import VISIT_KIND, derived_id, is_visit, to_visit
from healthsvc.visit.rules import Status

CONSULTATION: Final = OwnService.CONSULTATION.value
CONSULTED: Final = ("type", f"{VISIT_KIND}|{CONSULTATION}")
"""How consultations are searched for."""
_MANY: Final = 40
"""From so many people on, everything is read at once instead of person by person."""
SUSPENDED: Final = (Status.ON_HOLD, Status.DRAFT)
NEVER: Final = (Status.CANCELLED, Status.ENTERED_IN_ERROR)


def fulfilment(store: Store, contract: str, on: date | None = None) -> Fulfilment:
    """Promised and delivered of one contract as of a day (today unless told)."""
    stored = store.read("Contract", contract)
    if not is_family_doctor(stored):
        raise NotFound("this Contract is not a family-doctor contract")
    return fulfilments(store, [to_agreement(stored)], on or today(store))[contract]


def fulfilments(store: Store, agreements: Sequence[Agreement], on: date) -> dict[str, Fulfilment]:
    """Promised and delivered of many contracts as of now, or of the end of another day; by contract id."""
    people = {one.person for one in agreements}
    at = store.at.astimezone(store.zone) if on == today(store) else datetime.combine(on, time.max, store.zone)
    given = _given_to(store, None if len(people) > _MANY else people)
    found = {}
    for one in agreements:
        files = (one.person, *(replaced(store, one.person) if len(people) <= _MANY else ()))
        found[one.id] = count(one, [service for file in files for service in given.get(file, ())], at)
    return found


def consult(store: Store, contract: str, at: datetime, by: str, about: str, *, remote: bool = True) -> Resource:
    """Record a consultation under a contract (by phone or at the station); gives the Encounter. Again for the same moment changes nothing.

    Args:
        store: an open writing transaction.
        contract: Contract id; it is in force on that day.
        at: when it was given, not in the future.
        by: ``Practitioner/x`` who gave it.
        about: what it was about, one sentence.
        remote: by phone or video; otherwise at the station.
    """
    agreement = to_agreement(store.read("Contract", contract))
    on = at.astimezone(store.zone).date()
    if at > store.at or not agreement.start <= on <= min(agreement.end, agreement.ended or agreement.end):
        raise RuleViolation("a consultation lies in the term of its contract and is not in the future", reason="contract-consultation-day")
    code = "VR" if remote else "AMB"
    return store.once(
        {
            "resourceType": "Encounter",
            "id": derived_id(f"consultation-{at:%Y%m%d%H%M}", agreement.person),
            "status": "finished",
            "class": {"system": V3_ACT_CODE, "code": code},
            "type": [concept(VISIT_KIND, CONSULTATION, "健康咨询")],
            "subject": reference("Patient", agreement.person),
            "participant": [{"individual": {"reference": by}}],
            "period": period(at, at),
            "reasonCode": [{"text": about}],
            **({"serviceProvider": {"reference": agreement.centre}} if agreement.centre else {}),
        }
    )


def _given_to(store: Store, people: set[str] | None) -> dict[str, list[Given]]:
    """Services by person; of everybody where ``people`` is None."""
    found: dict[str, list[Given]] = defaultdict(list)
    ids = [file for one in people for file in (one, *replaced(store, one))] if people is not None else []
    narrowed = {"patient": ids} if people is not None else {}
    if people is not None and not ids:
        return found
    for task in store.select("Task", **narrowed):
        if is_visit(task) and (one := _of_task(task, store)) is not None:
            found[task["for"]["reference"].rpartition("/")[2]].append(one)
    for record in store.select("Encounter", type=CONSULTED[1], **narrowed):
        consulted = consultation_of(record)
        if consulted is not None:
            person, when = consulted
            found[person].append(Given(CONSULTATION, day_of(when, store.zone)))
    return found


def consultation_of(record: Resource) -> tuple[str, str] | None:
    """Whom a consultation was given to (Patient id), and when as written; None where the Encounter is none that was given."""
    person, when = reference_id(record.get("subject"), "Patient"), record.get("period", {}).get("end")
    return None if person is None or not when or record.get("status") != "finished" else (person, str(when))


def _of_task(task: Resource, store: Store) -> Given | None:
    visit = to_visit(task)
    if visit.status in NEVER:
        return None
    closes = None if visit.status in SUSPENDED else visit.window.end
    made = visit.status is Status.COMPLETED
    on = day_of(task.get("executionPeriod", {}).get("end"), store.zone) or visit.window.end.astimezone(store.zone).date() if made else None
    return Given(visit.kind, on, closes, visit.status is Status.FAILED, visit.sources)


def day_of(text: object, zone: tzinfo) -> date | None:
    """The day of a FHIR date or dateTime in the site's zone; None where there is none."""
    if not isinstance(text, str):
        return None
    at = datetime.fromisoformat(text)
    return at.astimezone(zone).date() if at.tzinfo else at.date()
