"""What an ADT message tells besides: allergies, which the gates of an infusion look at, and who pays."""

import re
from typing import Final

from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from integrations.effects.care import Outcome
from integrations.effects.scene import Scene, joined
from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps.care import AL1_ALLERGY, IAM_ALLERGY
from integrations.hl7v2.maps.row import ERASED, View, pour
from integrations.hl7v2.maps.visit import IN1_COVERAGE, PID_COVERAGE, PV1_COVERAGE
from integrations.hl7v2.values import clean, coded, is_before

_NO_ALLERGY: Final = re.compile(
    r"(?:否认|暂无|尚无|没有|未发现|未见|无)(?:有|任何|明确|明显|已知|特殊|药物|药品|食物|食品|其他|其它|及|和|与|或|、|/|，|,)*过敏(?:史|原|源|药物|物|反应|记录)*"
    r"|(?:药物|食物|药物及食物|药物、食物)?过敏(?:史|原|源|药物|物)*[：:为]*(?:无|否认|未发现)"
    r"|否认|未发现|未见|NKA|NKDA|NKFA|NONE|NO KNOWN (?:DRUG |FOOD )?ALLERG(?:Y|IES)",
    re.IGNORECASE,
)
"""Words in the place of an allergen which say that there is none: taken for one, they would stop every infusion."""
_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


def background(scene: Scene, patient: str, outcome: Outcome) -> None:
    """Write allergies (AL1, IAM) and payment (IN1, PV1-20, PID-35) of a message."""
    view = View(scene.hospital, scene.zone, scene.profile.nothing)
    for segment in scene.message.segments:
        if segment.name in ("AL1", "IAM"):
            _allergy(scene, segment, view, patient, outcome)
        elif segment.name == "IN1":
            made = pour({"resourceType": "Coverage"}, segment, IN1_COVERAGE, view, nulls=True)
            if len(made) - (ERASED in made) > 1:
                own = next((one["value"] for one in made.get("identifier", ())), "") or str(made.get("subscriberId", ""))
                _cover(scene, made, own or clean(segment[1].text) or "1", patient, outcome)
    pay = pour({"resourceType": "Coverage"}, scene.message["PV1"], PV1_COVERAGE, view)
    pour(pay, scene.message["PID"], PID_COVERAGE, view)
    if "type" in pay:
        _cover(scene, pay, "payment", patient, outcome)


def _cover(scene: Scene, told: Resource, number: str, patient: str, outcome: Outcome) -> None:
    id = scene.id("coverage", patient, number)
    known = scene.store.find("Coverage", id)
    if "payor" not in told:  # R4 wants one: where nobody is named, how it is paid
        named = (known or {}).get("payor", [])
        told["payor"] = _unnamed(told) if named == _unnamed(known or {}) or not named else named
    span = told.get("period", {})
    if "start" in span and "end" in span and is_before(span["end"], span["start"]):
        del span["end"]  # R4 per-1
    told |= {"id": id, "status": "active", "beneficiary": reference("Patient", patient)}
    made = joined(known, told)
    if made != known:
        outcome.wrote(scene.store.put(made))


def _unnamed(cover: Resource) -> list[Resource]:
    return [{"display": cover.get("type", {}).get("text") or "未注明"}]


def _allergy(scene: Scene, segment: Segment, view: View, patient: str, outcome: Outcome) -> None:
    """One allergy; what a doctor of ours has confirmed or refuted under the same id is not undone by being told again."""
    what = coded(segment[3], view.nothing)
    if not what:
        return
    words = (what.text or what.code).strip(" 。.")
    if _NO_ALLERGY.fullmatch(words) or scene.profile.no_allergy.intersection((words.casefold(), what.code.casefold())):
        outcome.remarks.append(f"{segment.name}-3 says that no allergy is known; that is kept with the message")
        return
    id = scene.id("allergy", patient, what.code or what.text)
    known = scene.store.find("AllergyIntolerance", id)
    told: Resource = {"resourceType": "AllergyIntolerance", "id": id, "patient": reference("Patient", patient)}
    pour(told, segment, AL1_ALLERGY if segment.name == "AL1" else IAM_ALLERGY, view, nulls=True)
    deleted = segment.name == "IAM" and clean(segment[6].component(1).text).upper() == "D"
    inactive = segment.name == "IAM" and clean(segment[17].component(1).text).upper() == "I"
    told["verificationStatus"] = {"coding": [{"system": _VERIFICATION, "code": "entered-in-error" if deleted else "confirmed"}]}
    if not deleted:  # R4 ait-2: what was an error has no clinical status
        told["clinicalStatus"] = {"coding": [{"system": _CLINICAL, "code": "inactive" if inactive else "active"}]}
    if known is not None and not deleted and not inactive:
        told |= {key: known[key] for key in ("verificationStatus", "clinicalStatus") if key in known}
    made = joined(known, told, ("identifier", "reaction", "category"))
    if deleted:
        made.pop("clinicalStatus", None)
    if made != known:
        outcome.wrote(scene.store.put(made))
