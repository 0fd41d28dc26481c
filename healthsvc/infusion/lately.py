"""近期输液反应 Reactions of the last days, for whoever is responsible: the day's first page shows them beside the visits."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from healthsvc.fhir.elements import codes, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import responsible_doctor
from healthsvc.infusion.reaction import REACTION
from healthsvc.infusion.records import is_given, to_given
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.rules.bedside import Act
from healthsvc.infusion.service import policy_of
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class Reacted:
    """One reaction at home: whose, to what, how it showed itself, and whether its report has been made."""

    event: str
    person: str
    course: str
    task: str
    drug: str
    text: str
    at: datetime
    reported: bool
    concerns: frozenset[str]
    """``Practitioner/x`` of the responsible doctor, of whoever ordered the course, and of whoever stood at the bed."""


def reactions_lately(store: Store, on: date, mine: str | None = None) -> list[Reacted]:
    """Reactions of the days before and of this day, the newest first.

    Args:
        store: an open transaction.
        on: the last day; how many days before it count is policy (``infusion.reaction_shown_days``).
        mine: only those that concern this member of the staff (``Practitioner/x``).
    """
    since = datetime.combine(on - timedelta(days=policy_of(store).reaction_shown_days), time(), store.zone)
    until = datetime.combine(on + timedelta(days=1), time(), store.zone)
    found = [_reacted(store, one) for one in store.select("AdverseEvent", date=f"ge{since.isoformat()}") if _is_reaction(one)]
    shown = [one for one in found if one is not None and one.at < until and (mine is None or mine in one.concerns)]
    return sorted(shown, key=lambda one: (one.at, one.event), reverse=True)


def _is_reaction(event: Resource) -> bool:
    return "infusion-reaction" in codes(event.get("event"), REACTION)


def _reacted(store: Store, event: Resource) -> Reacted | None:
    """What is to be shown of one event; None where it is of no infusion that is on file here."""
    given_id = next((id for one in event.get("suspectEntity", ()) if (id := reference_id(one["instance"], "MedicationAdministration"))), "")
    record = store.find("MedicationAdministration", given_id)
    if record is None or not is_given(record):
        return None
    given = to_given(record)
    seen = given.bedside.last(Act.REACT)
    if seen is None:
        return None
    order = to_order(store.read("MedicationRequest", given.course))
    doctor = responsible_doctor(store, given.patient)
    staff = {f"Practitioner/{id}" for id in (order.prescriber, *(entry.by for entry in given.bedside.log)) if id}
    return Reacted(
        event=str(event["id"]),
        person=given.patient,
        course=given.course,
        task=given.task,
        drug=order.drug_name,
        text=seen.text,
        at=seen.at,
        reported="recordedDate" in event,
        concerns=frozenset({*staff, *([doctor] if doctor else [])}),
    )
