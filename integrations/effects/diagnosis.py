"""The diagnoses of a stay (DG1) as Conditions."""

from collections.abc import Iterable

from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from integrations.effects.stay import opaque
from integrations.hl7v2.adt import Diagnosis
from integrations.hl7v2.maps.take import codings

_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def conditions(store: Store, patient: str, encounter: str, diagnoses: Iterable[Diagnosis], hospital: str) -> list[Resource]:
    """Write the diagnoses of a stay as Conditions, once each: the same diagnosis told again changes nothing."""
    written = []
    for diagnosis in diagnoses:
        code = diagnosis.code
        if not code:
            continue  # DG1-3 held only delimiters
        id = f"dx-{opaque(encounter, code.code, code.text)}"
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
            "verificationStatus": {"coding": [{"system": _VERIFICATION, "code": "confirmed"}]},
            "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        }
        if diagnosis.deleted:
            if store.get("Condition", id) is None:
                continue
            told["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": "entered-in-error"}]}
            del told["clinicalStatus"]  # R4 con-5
        written.append(store.put(told))
    return written


def doubted(store: Store, encounter: str) -> list[Resource]:
    """The diagnoses of a stay that never was (A11): nobody stands for them any more, and nobody has said that they are wrong."""
    written = []
    for known in store.select("Condition", encounter=encounter):
        said = [one.get("code") for one in known.get("verificationStatus", {}).get("coding", ())]
        if known["id"].startswith("dx-") and said == ["confirmed"]:
            doubt = {"coding": [{"system": _VERIFICATION, "code": "unconfirmed"}]}
            written.append(store.put(known | {"verificationStatus": doubt}))
    return written
