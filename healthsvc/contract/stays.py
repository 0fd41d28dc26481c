"""住院与居家服务 What a hospital stay means for the care at home, through whatever door it is told: a hospital's message, FHIR, a page.

An admission holds the visits at home and calls for one in the ward, the end of the stay takes them up and calls for a follow-up. The home
bed, the infusions and the referral follow the same Encounter in their own rooms. This stands here because the contract room is the
uppermost of those that have something open for a person.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import ADMITTED_STATES, inpatient_classes, is_of_class
from healthsvc.healthfile.resources import is_deceased
from healthsvc.healthfile.service import follow, is_same_person
from healthsvc.homebed import service as beds
from healthsvc.infusion import service as infusions
from healthsvc.referral import service as referrals
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit import ward
from healthsvc.visit.asking import ask, call_off
from healthsvc.visit.resources import derived_id

_TAKEN_BACK: Final = frozenset({"cancelled", "entered-in-error"})


def follow_stay(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Hold, ask for, call off and take up visits as a stay in a ward begins, ends, is taken back or turns out to be another person's."""
    classes = inpatient_classes(store)
    before, after = ward.inside(old, classes), ward.inside(new, classes)
    if _is_nothing_to_us(old, new, classes, before=before, after=after):
        return
    was, now = _person(old, store), _person(new, store)
    stay = str((new or old or {})["id"])
    moved = before and after and was is not None and was != now
    if moved and was is not None and now is not None:
        beds.resume(store, was, ended=stay)
        beds.suspend(store, now)
        infusions.stop_all(store, now, ward.ADMITTED)
    if before and (moved or not after) and was is not None:
        take_up(store, was, stay, new)
        if moved:
            call_off(store, derived_id("admission-visit", stay), "admission-cancelled")
    if after and (moved or not before) and now is not None and new is not None:
        _admitted(old, new, store, now)
    elif _status(new) in _TAKEN_BACK and _status(old) not in _TAKEN_BACK and old is not None:
        for asked in ("admission-visit", "follow-up"):
            call_off(store, derived_id(asked, stay), "admission-cancelled")
    elif (
        _status(new) == "finished" and _status(old) in ADMITTED_STATES and now is not None and new is not None and is_of_class(new, classes)
    ):
        discharged(store, now, new)


def _is_nothing_to_us(old: Resource | None, new: Resource | None, classes: Collection[str], *, before: bool, after: bool) -> bool:
    """Whether a write leaves the care at home as it is, without asking whose the stay is: most are details, or outpatient visits."""
    if old is not None and new is not None and _status(old) == _status(new) and before == after:
        return old.get("subject") == new.get("subject")
    ends = _status(new) in _TAKEN_BACK or (_status(new) == "finished" and is_of_class(new, classes))
    return not before and not after and not ends


def _admitted(old: Resource | None, new: Resource, store: Store, patient: str) -> None:
    stay = str(new["id"])
    ward.hold(store, patient, stay)
    if _status(old) == "finished":
        call_off(store, derived_id("follow-up", stay), "discharge-cancelled")
    asked = store.find("Task", derived_id("admission-visit", stay))
    theirs = asked is None or is_same_person(store, reference_id(asked.get("for"), "Patient") or "", patient)
    days = ward.policy_of(store).admission_visit_days
    ask(store, patient, "admission-visit", stay, _moment(new, "start", store), days, key="" if theirs else _apart(stay, patient))


def _apart(stay: str, patient: str) -> str:
    """The key of a visit to somebody in a stay that was another person's before."""
    return f"{stay}-{patient}"[:64]


def take_up(store: Store, patient: str, stay: str, new: Resource | None) -> None:
    """Take the held visits of a person up again as a stay ends, unless another still has the person."""
    if ward.in_a_ward(store, ward.files_of(store, patient), apart=stay) is None:
        visits.resume(store, patient, max(_moment(new, "end", store), store.at), ward.ADMITTED)


def discharged(store: Store, patient: str, stay: Resource) -> None:
    """Somebody is back from hospital: nobody goes to the ward any more; the referral that led there asks for its own follow-up, otherwise
    the stay does."""
    id = str(stay["id"])
    for asked in (id, _apart(id, patient)):
        call_off(store, derived_id("admission-visit", asked), "discharged")
    if referrals.discharged(store, patient, f"Encounter/{stay['id']}") is None:
        ask(store, patient, "follow-up", str(stay["id"]), _moment(stay, "end", store), ward.policy_of(store).discharge_followup_days)


def _person(encounter: Resource | None, store: Store) -> str | None:
    """The file that stands for the stay's person; None where there is none here, or the person has died."""
    id = reference_id((encounter or {}).get("subject"), "Patient")
    if id is None or store.find("Patient", id) is None:
        return None
    survivor = follow(store, id)
    return None if is_deceased(survivor) else str(survivor["id"])


def _status(encounter: Resource | None) -> str:
    return str((encounter or {}).get("status", ""))


def _moment(encounter: Resource | None, end: str, store: Store) -> datetime:
    """When the stay began or ended, where that is told to the hour; else now."""
    told = str((encounter or {}).get("period", {}).get(end, ""))
    return datetime.fromisoformat(told) if len(told) > len("2026-01-01") else store.at
