"""应急信息表 The emergency sheet: shown for a purpose, on a ground, and noted with both."""

from dataclasses import dataclass, replace

from healthsvc.access.rules import Action, allows
from healthsvc.consent.rules import Purpose
from healthsvc.consent.service import said
from healthsvc.emergency import disclosure, service
from healthsvc.emergency.disclosure import CONSENT, Extent
from healthsvc.emergency.resources import Reachable
from healthsvc.fhir.consent import is_consent, to_signed
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import age
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class Sheet:
    """What helpers at the door need, and no more. ``ground`` says why it may be shown, ``extent`` how much of it is."""

    name: str
    sex: str
    age: int | None
    address: str
    phones: tuple[str, ...]
    contacts: tuple[Reachable, ...]
    allergies: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    medicines: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    living: str = ""
    ground: str = ""
    extent: str = ""


def sheet(store: Store, patient: str, purpose: str) -> Sheet:
    """Show the emergency sheet; that it was shown, to whom, for which purpose and on which ground is noted.

    Raises:
        RuleViolation: no purpose of the policy, or neither consent nor an open alarm.
    """
    cares = allows(store.actor.roles, Action.READ_CLINICAL, "Patient") and store.find("Patient", patient) is not None
    with store.wholly():
        file = follow(store, patient)
        files = [str(file["id"]), *replaced(store, file["id"])]
        purposes = tuple(store.policy.value("emergency.sheet_purposes", today(store)))
        alarm = bool(service.open_alarms(store, files[0]))
        shown = disclosure.disclose(purpose, purposes, cares=cares, consent=consented(store, files), alarm=alarm)
        store.audit(
            "emergency-sheet", f"Patient/{file['id']}", patient=file["id"], outcome=shown.ground.value, purpose=f"{purpose} {shown.extent}"
        )
        person = to_person(file)
        known = Sheet(
            name=person.name,
            sex=person.sex,
            age=age(person.birth, today(store)) if person.birth else None,
            address=person.address,
            phones=person.phones,
            contacts=tuple(service.contacts(store, files[0])),
            living=person.living.value if person.living else "",
            ground=shown.ground.value,
            extent=shown.extent.value,
        )
        if shown.extent is Extent.REACHING:
            return known
        return replace(
            known,
            allergies=tuple(_names(store.select("AllergyIntolerance", patient=files))),
            conditions=tuple(_names(store.select("Condition", patient=files))),
            medicines=tuple(_names(store.select("MedicationStatement", patient=files, status="active"), "medicationCodeableConcept")),
            risks=tuple(tag.code for tag in person.tags),
        )


def consented(store: Store, files: list[str]) -> bool | None:
    """Whether the person agreed to sharing in emergencies: the latest word counts; None where nobody asked.

    Before consents were kept by purpose, they were signed like those to a treatment; these count where there is no other word.
    """
    told = said(store, files[0], Purpose.EMERGENCY_SHARING)
    if told is not None:
        return told
    found = [to_signed(one) for one in store.select("Consent", patient=files) if is_consent(one, CONSENT)]
    latest = max(found, key=lambda one: one.signed, default=None)
    return None if latest is None else latest.withdrawn is None


_OVER = frozenset({"inactive", "resolved", "refuted", "entered-in-error"})


def _names(resources: list[Resource], key: str = "code") -> list[str]:
    """What is in force, as written, each once."""
    names = []
    for one in resources:
        states = {code.get("code") for key_ in ("clinicalStatus", "verificationStatus") for code in one.get(key_, {}).get("coding", ())}
        if not states & _OVER:
            concept = one.get(key, {})
            names.append(concept.get("text") or next((c.get("display", "") for c in concept.get("coding", ())), ""))
    return list(dict.fromkeys(name for name in names if name))
