"""The clock of the green channel: from a hospital's events to how long somebody waited to be seen, to pay, to get the medicine."""

from datetime import datetime

from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.honour import note_wait
from healthsvc.greenchannel.rules import Right
from healthsvc.greenchannel.waits import Told, Use
from healthsvc.store import Store
from integrations.effects.care import Outcome

OUTPATIENT = ("AMB", "EMER")


def waited(
    store: Store, patient: str, encounter: str | None, right: Right, ended: datetime, hospital: str, outcome: Outcome, began: str = ""
) -> None:
    """The waiting for one right has ended in a visit: note how long it took since ``began`` (FHIR dateTime; the registration unless told).

    Without a visit, or without a moment before it, there is nothing to measure; that is remarked and nothing else happens.
    """
    visit: Resource = (store.find("Encounter", encounter) if encounter else None) or {}
    if visit.get("class", {}).get("code") not in OUTPATIENT or ended > store.at:
        return
    began = began or str(visit.get("period", {}).get("start", ""))
    if len(began) <= len("2026-01-01") or datetime.fromisoformat(began) > ended:
        outcome.remarks.append(f"the wait for {right} cannot be timed: no moment stands before it")
        return
    minutes = int((ended - datetime.fromisoformat(began)).total_seconds() // 60)
    name = (visit.get("serviceProvider") or {}).get("display") or hospital
    try:
        outcome.wrote(note_wait(store, Use(patient, right, ended, name, None, minutes, told=Told.EVENTS, encounter=encounter)))
    except Refusal as refusal:
        outcome.remarks.append(f"the wait for {right} was not noted: {refusal.text}")
