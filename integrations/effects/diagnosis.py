"""The diagnoses of a stay (DG1) as Conditions, and in the stay what each of them is to it: that of the admission, the main one."""

from collections.abc import Iterable

from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from integrations.effects.stay import opaque
from integrations.hl7v2.adt import Diagnosis
from integrations.hl7v2.maps.take import codings

VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


_ROLES = "http://terminology.hl7.org/CodeSystem/diagnosis-role"
_V2_0052 = "http://terminology.hl7.org/CodeSystem/v2-0052"
_USES = {
    **dict.fromkeys(("A", "AD", "ADMITTING", "入院", "入院诊断", "初步诊断"), ("AD", "Admission diagnosis")),
    **dict.fromkeys(("DD", "出院", "出院诊断"), ("DD", "Discharge diagnosis")),
}
"""DG1-6 to diagnosis-role; HL7's map has the A of table 0052 alone, whose F and W are no word of that code system."""


def diagnosed(store: Store, encounter: str, diagnoses: Iterable[Diagnosis]) -> list[Resource]:
    """Encounter.diagnosis after a message: what is told again says its part and rank anew, what is deleted goes, all others stay."""
    held = (store.find("Encounter", encounter) or {}).get("diagnosis", ())
    entries = {(one["condition"]["reference"], _text(one)): one for one in held}
    for one in diagnoses:
        if not one.code:
            continue
        named = f"Condition/{_id(encounter, one)}"
        made: Resource = {"condition": {"reference": named}, **_use(one), **({"rank": one.rank} if one.rank else {})}
        if one.deleted:
            entries = {key: entry for key, entry in entries.items() if key[0] != named}
        elif _text(made) or not any(key[0] == named for key in entries):
            entries.pop((named, ""), None)
            entries[named, _text(made)] = made
    return list(entries.values())


def _text(entry: Resource) -> str:
    return str(entry.get("use", {}).get("text", ""))


def _use(diagnosis: Diagnosis) -> Resource:
    kind = diagnosis.kind
    if not kind:
        return {}
    words = kind.text or kind.code
    for said in (kind.code.upper(), kind.text):
        if said in _USES:
            code, display = _USES[said]
            return {"use": {"coding": [{"system": _ROLES, "code": code, "display": display}], "text": words}}
    coding = [{"system": _V2_0052, "code": kind.code.upper()}] if kind.code.upper() in ("F", "W") else []
    return {"use": {**({"coding": coding} if coding else {}), "text": words}}


def _id(encounter: str, diagnosis: Diagnosis) -> str:
    return f"dx-{opaque(encounter, diagnosis.code.code, diagnosis.code.text)}"


def conditions(store: Store, patient: str, encounter: str, diagnoses: Iterable[Diagnosis], hospital: str) -> list[Resource]:
    """Write the diagnoses of a stay as Conditions, once each: the same diagnosis told again changes nothing."""
    written = []
    for diagnosis in diagnoses:
        code = diagnosis.code
        if not code:
            continue  # DG1-3 held only delimiters
        id = _id(encounter, diagnosis)
        concept: Resource = {"text": code.text or code.code}
        if codes := codings(code, hospital, "diagnosis"):
            concept["coding"] = codes
        category = {"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}
        told: Resource = {
            **diagnosis.more,
            "resourceType": "Condition",
            "id": id,
            "category": [{"coding": [category]}],
            "code": concept,
            "subject": {"reference": f"Patient/{patient}"},
            "encounter": {"reference": f"Encounter/{encounter}"},
            "verificationStatus": {"coding": [{"system": VERIFICATION, "code": "confirmed"}]},
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        }
        if diagnosis.deleted:
            if store.get("Condition", id) is None:
                continue
            told["verificationStatus"] = {"coding": [{"system": VERIFICATION, "code": "entered-in-error"}]}
            del told["clinicalStatus"]  # R4 con-5
        written.append(store.put(told))
    return written


def doubted(store: Store, encounter: str) -> list[Resource]:
    """The diagnoses of a stay that never was (A11): nobody stands for them any more, and nobody has said that they are wrong."""
    written = []
    for known in store.select("Condition", encounter=encounter):
        said = [one.get("code") for one in known.get("verificationStatus", {}).get("coding", ())]
        if known["id"].startswith("dx-") and said == ["confirmed"]:
            doubt = {"coding": [{"system": VERIFICATION, "code": "unconfirmed"}]}
            written.append(store.put(known | {"verificationStatus": doubt}))
    return written
