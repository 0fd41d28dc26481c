"""Which stay an event speaks of: by its visit number, and where a hospital uses a number again, by the time.

A stay that has ended is reopened by A13 alone. What is told of a later admission under the same number is another stay; what comes late,
twice or in the wrong order of the former one still goes to the former one. Outpatient visits are often never ended: who is registered
again on another day has come again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import visit_number
from healthsvc.healthfile.resources import links
from healthsvc.healthfile.service import replaced, today
from healthsvc.store import Store
from healthsvc.store.lookup import holding_of, is_held, latest, pointing
from integrations.effects.by_rule import is_closed_by_rule
from integrations.effects.care import HospitalPolicy
from integrations.effects.moments import instant, is_apart
from integrations.effects.stay import OPEN, STAY, Move, opaque
from integrations.hl7v2.adt import Stay
from integrations.hl7v2.values import is_before

LATEST = 20
_BEGUN = (OPEN | {"finished"}) - {"planned"}


def encounter_id(
    store: Store, patient: str, stay: Stay, hospital: str, happened: datetime, event: Move | None = None, file: Resource | None = None
) -> str:
    """The Encounter id of the stay that an event speaks of; of a new one where none on file is meant.

    Args:
        store: the transaction.
        patient: Patient id.
        stay: what PV1 says.
        hospital: code of the hospital.
        happened: when the event happened.
        event: what an ADT event does to the stay; None for results, orders and the like, which open none.
        file: the person's file, where this transaction has just read it.
    """
    lasts = _lasts(store, stay, event)
    if not stay.number:
        return _without_number(store, [patient, *replaced(store, patient, file)], stay, hospital, happened, event, lasts)
    system = visit_number(hospital)
    known = theirs(store, patient, stay.number, hospital, file)
    meant = chosen([one for one in known if not _came_again(one, stay, happened, lasts, store.zone)], stay, happened, event, store.zone)
    if meant is not None:
        return str(meant["id"])
    id = f"{STAY}{opaque(system, stay.number)}"
    if known or is_held(store, "Encounter", (system, stay.number), STAY):  # used again: by the hospital, or for another person
        id = f"{STAY}{opaque(system, stay.number, patient)}"
    if any(one["id"] == id for one in known):
        began = stay.admitted.at if stay.admitted else happened
        id = f"{STAY}{opaque(system, stay.number, patient, str(int(began.timestamp())))}"
    return id


def theirs(store: Store, patient: str, number: str, hospital: str, file: Resource | None = None) -> list[Resource]:
    """A person's stays under a visit number of a hospital, those on files that were joined with theirs included."""
    known = holding_of(store, "Encounter", (visit_number(hospital), number), _files(store, patient, file))
    return [one for one in known if one["id"].startswith(STAY)]


def under(store: Store, number: str, hospital: str) -> list[Resource]:
    """Stays under a visit number of a hospital, whoever's, the last :data:`LATEST` that were filed.

    A hospital may count each person's stays, so that everybody has the number.
    """
    return [one for one in latest(store, "Encounter", (visit_number(hospital), number), LATEST) if one["id"].startswith(STAY)]


def _files(store: Store, patient: str, file: Resource | None) -> list[str]:
    """A person's file and every one that leads to it, also where only the former one says so (a FHIR client may link them so)."""
    found = [patient, *replaced(store, patient, file)]
    for id in found:  # grows meanwhile
        for other in pointing(store, "Patient", "link", id):
            if other not in found and id in links(store.find("Patient", other) or {}, "replaced-by"):
                found.append(other)
    return found


def newest(stays: Iterable[Resource], zone: tzinfo) -> Resource | None:
    """The stay that began last."""
    return max(stays, key=lambda one: _began(one, zone), default=None)


def chosen(known: Sequence[Resource], stay: Stay, happened: datetime, event: Move | None, zone: tzinfo) -> Resource | None:
    """Of a person's stays under one number the one that an event speaks of; None where it speaks of none of them."""
    if not known:
        return None
    moment = stay.admitted.fhir if stay.admitted else happened.isoformat()
    newest_first = sorted(known, key=lambda one: _began(one, zone), reverse=True)
    if stay.admitted and (same := next((one for one in newest_first if _start(one) == moment), None)):
        return same
    for one, older in zip(newest_first, [*newest_first[1:], None], strict=True):
        start = _start(one)
        if not start or not is_before(moment, start):
            begins = event is not Move.CANCEL_DISCHARGE and (event is Move.ADMIT or stay.admitted is not None)
            return None if begins and _is_over_before(one, moment) else one
        if older is None or _is_over_before(older, moment):
            return one  # between the two: the beginning of the later one is corrected
    return None


def _is_over_before(encounter: Resource, moment: str) -> bool:
    """Whether a stay had ended before a moment; where one is only known by its day, the days decide, and its first day does not count."""
    end = str(encounter.get("period", {}).get("end", ""))
    if encounter["status"] != "finished" or not end:
        return False
    if len(end) > len("2026-01-01") and len(moment) > len("2026-01-01"):
        return is_before(end, moment)
    return end[:10] <= moment[:10] and _start(encounter)[:10] < moment[:10]


def _lasts(store: Store, stay: Stay, event: Move | None) -> timedelta | None:
    """How long a visit lasts at most of which this is a registration; None where it is none, or lasts until it is ended."""
    if event is not Move.ADMIT:
        return None
    hours = store.policy.fill(HospitalPolicy, "hospital", today(store)).visit_hours.get(stay.code)
    return None if hours is None else timedelta(hours=hours)


def _came_again(one: Resource, stay: Stay, happened: datetime, lasts: timedelta | None, zone: tzinfo) -> bool:
    """Whether a registration is another visit than this one of the same class, which lasts no longer than a day or so, ended or not."""
    if lasts is None or one.get("class", {}).get("code") != stay.code or not _start(one):
        return False
    began = stay.admitted.fhir if stay.admitted else happened.isoformat()
    return one["status"] in _BEGUN and is_apart(_start(one), began, lasts, zone)


def _start(encounter: Resource) -> str:
    return str(encounter.get("period", {}).get("start", ""))


def _began(encounter: Resource, zone: tzinfo) -> datetime:
    """When a stay began; long ago where that is not known."""
    start = _start(encounter)
    return instant(start, zone) if start else datetime.min.replace(tzinfo=UTC)


def _without_number(
    store: Store, files: Sequence[str], stay: Stay, hospital: str, happened: datetime, event: Move | None, lasts: timedelta | None
) -> str:
    """A hospital that gives no number: the person's open stay there (on any of these files, theirs first), else one by the day it began."""
    here = [
        one
        for file in files
        for one in store.select("Encounter", patient=file)
        if one["id"].startswith(STAY) and _hospital(one) == hospital and _of_class(one, stay)
    ]
    open_ones = [
        one for one in here if (one["status"] in OPEN or is_closed_by_rule(one)) and not _came_again(one, stay, happened, lasts, store.zone)
    ]
    if open_ones:
        if stay.admitted and (same := next((one for one in open_ones if _start(one) == stay.admitted.fhir), None)):
            return str(same["id"])
        return str(max(open_ones, key=lambda one: _began(one, store.zone))["id"])
    over = newest((one for one in here if one["status"] == "finished"), store.zone)
    if over is not None and event is Move.CANCEL_DISCHARGE:
        return str(over["id"])
    began = stay.admitted.at if stay.admitted else happened
    id = f"{STAY}{opaque(hospital, files[0], stay.code, began.date().isoformat())}"
    same = next((one for one in here if one["id"] == id), None)
    if same is not None and event is Move.ADMIT and _is_over_before(same, began.isoformat()):
        id = f"{STAY}{opaque(hospital, files[0], stay.code, began.isoformat())}"  # out and in again on one day
    return id


def _of_class(encounter: Resource, stay: Stay) -> bool:
    return not stay.class_told or encounter.get("class", {}).get("code") == stay.code


def _hospital(encounter: Resource) -> str:
    return str(encounter.get("serviceProvider", {}).get("identifier", {}).get("value"))
