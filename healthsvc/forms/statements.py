"""What a form says that is no measurement: illnesses, allergies, medicines, family history, operations, vaccinations, stays, beds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any, Final

from healthsvc.fhir.elements import derived_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import ICD10, SNOMED, V3_ACT_CODE
from healthsvc.fhir.text import fold
from healthsvc.forms.rules import Answers, Code, Item, Kind

_HL7: Final = "http://terminology.hl7.org/CodeSystem"
NO_KNOWN_ALLERGY: Final = {"system": SNOMED, "code": "409137002", "display": "No known drug allergy"}
_NOT_ILL: Final = frozenset({"none", "other"})
_NONE_IN_WORDS: Final = ("无", "没有", "否认", "none", "None")
OWNER: Final = {"AllergyIntolerance": "patient", "FamilyMemberHistory": "patient", "Immunization": "patient", "EpisodeOfCare": "patient"}
"""Where a type names the person, if not in ``subject``."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whose answers, by whom, when, in which response."""

    response: str
    patient: str
    base: str
    """What the ids of measurements are made of: the visit's Task id, or the response's id."""
    at: str
    """FHIR dateTime."""
    encounter: str = ""
    performer: str = ""
    amended: bool = False

    @property
    def uri(self) -> str:
        """What goes into meta.source of everything that came of it."""
        return f"urn:healthsvc:form:{self.response}"


def statements(items: Sequence[Item], given: Answers, source: Source) -> Iterator[Resource]:
    """All statements of a form's answers."""
    for item in items:
        for answer in given.get(item.link, ()):
            if item.extract in _MAKERS:
                parts = _parts(item, answer)
                made = _MAKERS[item.extract](parts, source)
                if made is not None:
                    yield made | {"meta": {"source": source.uri}}
            elif isinstance(answer, Mapping):
                yield from statements(item.items, answer, source)


def retracted(resource: Resource) -> Resource:
    """A statement or measurement that the amended form no longer makes."""
    kind = resource["resourceType"]
    if kind in ("Condition", "AllergyIntolerance"):
        name = "condition-ver-status" if kind == "Condition" else "allergyintolerance-verification"
        bare = {key: value for key, value in resource.items() if key != "clinicalStatus"}
        return bare | {"verificationStatus": {"coding": [{"system": f"{_HL7}/{name}", "code": "entered-in-error"}]}}
    return resource | {"status": "entered-in-error"}


def _parts(item: Item, answer: Any) -> dict[str, Any]:
    """The parts that make a statement: of a group by their names, of a single answer its code."""
    if item.kind is not Kind.GROUP:
        return {"code": answer}
    return {one.part: answer[one.link][0] for one in item.items if one.part and answer.get(one.link)}


def _condition(parts: dict[str, Any], source: Source) -> Resource | None:
    code = parts.get("code")
    if code is None or (isinstance(code, Code) and code.code in _NOT_ILL) or (isinstance(code, str) and code.startswith(_NONE_IN_WORDS)):
        return None
    made = _framed("Condition", code, source, "condition")
    made |= {"clinicalStatus": _status("condition-clinical", "active"), "verificationStatus": _status("condition-ver-status", "confirmed")}
    made |= {"recordedDate": source.at}
    return made | _dated("onsetDateTime", parts)


def _allergy(parts: dict[str, Any], source: Source) -> Resource | None:
    drug, group = parts.get("code"), parts.get("class")
    if drug is None and group is None:
        return None
    made = _framed("AllergyIntolerance", drug or group, source, "allergy", beside=group)
    made |= {"clinicalStatus": _status("allergyintolerance-clinical", "active")}
    made |= {"verificationStatus": _status("allergyintolerance-verification", "confirmed")}
    made |= {"type": "allergy", "category": ["medication"], "recordedDate": source.at}
    if isinstance(group, Code) and group.code not in _NOT_ILL:
        coding = {"system": group.system, "code": group.code, "display": group.zh}
        made["code"]["coding"] = [coding, *made["code"].get("coding", [])] if drug is not None else [coding]
        words = [group.zh, str(drug) if drug is not None else ""]
        made["code"]["text"] = " ".join(word for word in words if word)
    if parts.get("note"):
        made["reaction"] = [{"manifestation": [{"text": parts["note"]}]}]
    return made


def _no_allergy(parts: dict[str, Any], source: Source) -> Resource | None:
    if parts["code"] is not True:
        return None
    return {
        "resourceType": "AllergyIntolerance",
        "id": derived_id("no-drug-allergy", source.patient),
        "clinicalStatus": _status("allergyintolerance-clinical", "active"),
        "verificationStatus": _status("allergyintolerance-verification", "confirmed"),
        "category": ["medication"],
        "code": {"coding": [dict(NO_KNOWN_ALLERGY)], "text": "无药物过敏史"},
        "patient": {"reference": f"Patient/{source.patient}"},
        "recordedDate": source.at,
    }


def _family(parts: dict[str, Any], source: Source) -> Resource | None:
    who, code = parts.get("relation"), parts.get("code")
    if not isinstance(who, Code) or code is None:
        return None
    made = _framed("FamilyMemberHistory", code, source, "family", beside=who)
    condition = {"code": made.pop("code")}
    relation = {"coding": [{"system": who.system, "code": who.code}], "text": who.zh}
    return made | {"status": "completed", "date": source.at, "relationship": relation, "condition": [condition]}


def _procedure(parts: dict[str, Any], source: Source) -> Resource | None:
    if parts.get("code") is None:
        return None
    made = _framed("Procedure", parts["code"], source, "procedure", beside=parts.get("onset"))
    return made | {"status": "completed"} | _dated("performedDateTime", parts)


def _medication(parts: dict[str, Any], source: Source) -> Resource | None:
    if parts.get("code") is None:
        return None
    made = _framed("MedicationStatement", parts["code"], source, "medication")
    made["medicationCodeableConcept"] = made.pop("code")
    made |= {"status": "active", "dateAsserted": source.at}
    dosage = " ".join(str(parts[name]) for name in ("use", "dose") if parts.get(name))
    if dosage:
        made["dosage"] = [{"text": dosage}]
    if isinstance(parts.get("adherence"), Code):
        made["note"] = [{"text": f"服药依从性：{parts['adherence'].zh}"}]
    if parts.get("onset"):
        made["effectivePeriod"] = {"start": parts["onset"].isoformat()}
    return made


def _immunization(parts: dict[str, Any], source: Source) -> Resource | None:
    if parts.get("code") is None or parts.get("onset") is None:
        return None
    made = _framed("Immunization", parts["code"], source, "immunization", beside=parts["onset"])
    made["vaccineCode"] = made.pop("code")
    made |= {"status": "completed", "occurrenceDateTime": parts["onset"].isoformat(), "primarySource": False}
    return made | ({"note": [{"text": f"接种机构：{parts['place']}"}]} if parts.get("place") else {})


def _stay(parts: dict[str, Any], source: Source) -> Resource | None:
    if parts.get("onset") is None:
        return None
    made = _framed("Encounter", str(parts.get("place", "")), source, "stay", beside=parts["onset"])
    del made["code"]
    ended = parts.get("end")
    made |= {"status": "finished", "class": {"system": V3_ACT_CODE, "code": "IMP"}, "type": [{"text": "住院史（本人陈述）"}]}
    made["period"] = {"start": parts["onset"].isoformat()} | ({"end": ended.isoformat()} if ended else {})
    if parts.get("note"):
        made["reasonCode"] = [{"text": parts["note"]}]
    if parts.get("place"):
        made["serviceProvider"] = {"display": parts["place"]}
    return made | ({"identifier": [{"value": parts["number"]}]} if parts.get("number") else {})


def _bed(parts: dict[str, Any], source: Source) -> Resource | None:
    if parts.get("onset") is None:
        return None
    made = _framed("EpisodeOfCare", str(parts.get("place", "")), source, "former-bed", beside=parts["onset"])
    del made["code"]
    ended = parts.get("end")
    made |= {"status": "finished", "type": [{"text": " ".join(word for word in ("家庭病床史", str(parts.get("note", ""))) if word)}]}
    made["period"] = {"start": parts["onset"].isoformat()} | ({"end": ended.isoformat()} if ended else {})
    return made | ({"managingOrganization": {"display": parts["place"]}} if parts.get("place") else {})


def _framed(kind: str, what: Any, source: Source, prefix: str, beside: Any = None) -> Resource:
    """What a statement is about; its id says the same for the same person, thing and (where it may recur) day or relative."""
    key = "|".join(filter(None, (_key(what), _key(beside))))
    digest = blake2b(key.encode(), digest_size=6).hexdigest()
    owner = OWNER.get(kind, "subject")
    return {
        "resourceType": kind,
        "id": derived_id(f"{prefix}-{digest}", source.patient),
        owner: {"reference": f"Patient/{source.patient}"},
        "code": concept(what),
    }


def concept(what: Any) -> Resource:
    """A code with its words, or words alone."""
    if isinstance(what, Code):
        return {"coding": [{"system": what.system, "code": what.code, "display": what.zh}], "text": what.zh}
    return {"text": str(what)}


def _key(what: Any) -> str:
    if isinstance(what, Code):
        return f"{'icd' if what.system == ICD10 else what.system}|{what.code}"
    return what.isoformat() if isinstance(what, date) else fold(str(what)).strip() if what is not None else ""


def _dated(name: str, parts: dict[str, Any]) -> Resource:
    return {name: parts["onset"].isoformat()} if parts.get("onset") else {}


def _status(system: str, code: str) -> Resource:
    return {"coding": [{"system": f"{_HL7}/{system}", "code": code}]}


_MAKERS: Final = {
    "condition": _condition,
    "allergy": _allergy,
    "no-allergy": _no_allergy,
    "family": _family,
    "procedure": _procedure,
    "medication": _medication,
    "immunization": _immunization,
    "stay": _stay,
    "bed": _bed,
}
