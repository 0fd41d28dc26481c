"""人员资质 What the staff directory says of somebody: doctor, nurse or both, since when, until when. Other rooms ask here."""

from collections.abc import Iterator
from datetime import date

from healthsvc.fhir.elements import codes, day
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Standing
from healthsvc.store import Store

QUALIFICATION = code_system("staff-qualification")
ROLE = code_system("care-role")


def standing(store: Store, practitioner: str, on: date) -> Standing | None:
    """What the directory says of somebody; None where it does not know them or they have left.

    A role comes from Practitioner.qualification (CodeSystem staff-qualification) or from an active PractitionerRole (CodeSystem
    care-role); one whose period is over, or has not begun, says nothing.
    """
    found = store.find("Practitioner", practitioner)
    if found is None or not found.get("active", True):
        return None
    roles: set[str] = set()
    since: dict[str, date] = {}
    for code, period in _held(store, found):
        began = day(period["start"], "period.start") if "start" in period else None
        ended = day(period["end"], "period.end") if "end" in period else None
        if (began is not None and on < began) or (ended is not None and ended < on):
            continue
        roles.add(code)
        if began is not None:
            since[code] = min(began, since.get(code, began))
    return Standing(practitioner, frozenset(roles), since)


def _held(store: Store, practitioner: Resource) -> Iterator[tuple[str, Resource]]:
    for one in practitioner.get("qualification", ()):
        for code in codes(one.get("code"), QUALIFICATION):
            yield code, one.get("period", {})
    for role in store.select("PractitionerRole", practitioner=practitioner["id"]):
        if role.get("active", True):
            for code in codes(role.get("code", []), ROLE):
                yield code, role.get("period", {})
