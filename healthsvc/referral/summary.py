"""转诊单摘要: what the hospital has to know of a person who is referred, as a FHIR document, frozen at the moment of the referral."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final

from healthsvc.fhir.conformance.publish import CODE_TABLES
from healthsvc.fhir.elements import derived_id, first_moment, is_active, words_of
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.systems import BASE, LOINC
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.referral.rules import Direction, Referral
from healthsvc.store import Store

_REFERRAL_NOTE: Final = {"system": LOINC, "code": "57133-1", "display": "Referral note"}
_SECTIONS: Final = {
    "reason": ("42349-1", "转诊原因 Reason for referral"),
    "problems": ("11450-4", "健康问题 Problem list"),
    "allergies": ("48765-2", "过敏史 Allergies"),
    "medicines": ("10160-0", "用药 Medication use"),
    "vitals": ("8716-3", "体征 Vital signs"),
    "results": ("30954-2", "检验与评估 Results and assessments"),
}
_OVER: Final = frozenset({"entered-in-error", "cancelled", "stopped"})
_NONE: Final = '<div xmlns="http://www.w3.org/1999/xhtml"><p>无记录 nothing recorded</p></div>'


def document_id(referral: str) -> str:
    """Id of the DocumentReference that holds a referral's summary."""
    return derived_id("summary", referral)


def freeze(store: Store, referral: Referral) -> Resource:
    """Write the summary down as a DocumentReference (a document Bundle inside, with its SHA-1 as FHIR wants it); once a referral."""
    known = store.find("DocumentReference", document_id(referral.id))
    if known is not None:
        return known
    bundle = document(store, referral)
    raw = dumps(bundle)
    return store.put(
        {
            "resourceType": "DocumentReference",
            "id": document_id(referral.id),
            "status": "current",
            "docStatus": "final",
            "type": {"coding": [dict(_REFERRAL_NOTE)], "text": "转诊单"},
            "subject": {"reference": f"Patient/{referral.person}"},
            "date": store.at.isoformat(),
            "author": [{"reference": referral.requester}],
            "description": "转诊摘要",
            "content": [
                {
                    "attachment": {
                        "contentType": "application/fhir+json",
                        "language": "zh-CN",
                        "data": b64encode(raw).decode(),
                        "size": len(raw),
                        "hash": b64encode(hashlib.sha1(raw, usedforsecurity=False).digest()).decode(),
                        "title": f"转诊摘要 {today(store)}",
                        "creation": store.at.isoformat(),
                    }
                }
            ],
            "context": {"related": [{"reference": f"ServiceRequest/{referral.id}"}]},
        }
    )


def document(store: Store, referral: Referral) -> Resource:
    """The summary as a Bundle of type document: Composition first, then everything that it points at."""
    file = follow(store, referral.person)
    files = [file["id"], *replaced(store, file["id"])]
    months = int(store.policy.value("referral.summary_months", today(store)))
    parts = dict(_parts(store, files, store.at - timedelta(days=round(months * 30.44))))
    when = store.at.isoformat()
    reason = next((one.zh for one in CODE_TABLES["referral-reason"].codes if one.code == referral.reason), str(referral.reason))
    why = f"{reason} {referral.summary}".strip()
    sections = [_section("reason", [], why)]
    sections += [_section(name, found, "") for name, found in parts.items()]
    composition: Resource = {
        "resourceType": "Composition",
        "id": derived_id("composition", referral.id),
        "status": "final",
        "type": {"coding": [dict(_REFERRAL_NOTE)]},
        "subject": {"reference": f"Patient/{file['id']}"},
        "date": when,
        "author": [{"reference": referral.requester}],
        "title": "转诊摘要 Referral summary" if referral.direction is Direction.UP else "下转摘要 Summary for the community",
        "section": sections,
    }
    directory = [one for reference in (referral.requester, referral.hospital) if (one := _named(store, reference)) is not None]
    held = [file, *directory, *(one for found in parts.values() for one in found)]
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": f"{BASE}/NamingSystem/referral-summary", "value": referral.id},
        "timestamp": when,
        "entry": [{"fullUrl": f"{BASE}/{one['resourceType']}/{one['id']}", "resource": one} for one in (composition, *held)],
    }


def _parts(store: Store, files: list[str], since: datetime) -> Iterator[tuple[str, list[Resource]]]:
    yield "problems", [one for one in store.select("Condition", patient=files) if _counts(one)]
    yield "allergies", [one for one in store.select("AllergyIntolerance", patient=files) if _counts(one)]
    yield "medicines", [one for one in store.select("MedicationStatement", patient=files) if _counts(one)]
    vitals: dict[str, Resource] = {}
    results: dict[str, Resource] = {}
    for one in store.select("Observation", patient=files):
        when = str(one.get("effectiveDateTime", ""))
        if not _counts(one) or not when or _at(when, store) < since:
            continue
        kinds = {c.get("code") for concept in one.get("category", ()) for c in concept.get("coding", ())}
        latest = vitals if "vital-signs" in kinds else results
        key = _key(one)
        if key not in latest or _at(when, store) > _at(latest[key]["effectiveDateTime"], store):
            latest[key] = one
    yield "vitals", list(vitals.values())
    yield "results", [one for one in results.values() if "social-history" not in dumps(one.get("category", [])).decode()]


def _section(name: str, found: list[Resource], text: str) -> Resource:
    code, title = _SECTIONS[name]
    lines = [text] if text else [_line(one) for one in found]
    told = "".join(f"<li>{escape(line)}</li>" for line in lines)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><ul>{told}</ul></div>' if lines else _NONE
    made: Resource = {"title": title, "code": {"coding": [{"system": LOINC, "code": code}]}, "text": {"status": "generated", "div": div}}
    if found:
        made["entry"] = [{"reference": f"{one['resourceType']}/{one['id']}"} for one in found]
    return made


def _line(resource: Resource) -> str:
    """One resource in words."""
    named = resource.get("code") or resource.get("medicationCodeableConcept") or {}
    words = [words_of(named)]
    parts = resource.get("component") or [resource]
    words.append("/".join(value for part in parts if (value := _value(part))))
    when = str(resource.get("effectiveDateTime") or resource.get("onsetDateTime") or "")[:10]
    words += [one["text"] for one in resource.get("dosage", ()) if one.get("text")]
    return " ".join(word for word in (*words, f"({when})" if when else "") if word)


def _value(element: Resource) -> str:
    if "valueQuantity" in element:
        quantity = element["valueQuantity"]
        return f"{_number(quantity)} {quantity.get('unit', '')}".strip()
    for kind, (one, other), between in (("valueRange", ("low", "high"), "–"), ("valueRatio", ("numerator", "denominator"), ":")):
        if kind in element:
            ends = (element[kind].get(one, {}), element[kind].get(other, {}))
            return f"{between.join(map(_number, ends))} {ends[0].get('unit', '')}".strip()
    if "valueCodeableConcept" in element:
        return words_of(element["valueCodeableConcept"])
    found: Any = next((element[key] for key in ("valueInteger", "valueString", "valueBoolean") if key in element), "")
    return str(found)


def _number(quantity: Resource) -> str:
    return f"{quantity.get('comparator', '')}{quantity.get('value', '')}"


def _named(store: Store, reference: str) -> Resource | None:
    kind, _, id = reference.partition("/")
    return store.find(kind, id) if kind in ("Practitioner", "Organization") and id else None


def _counts(resource: Resource) -> bool:
    return resource.get("status") not in _OVER and is_active(resource)


def _key(observation: Resource) -> str:
    codes = [f"{c.get('system')}|{c.get('code')}" for c in observation.get("code", {}).get("coding", ())]
    site = [str(c.get("code")) for c in observation.get("bodySite", {}).get("coding", ())]
    return " ".join([*(codes or [words_of(observation.get("code", {}))]), *site])


def _at(text: object, store: Store) -> datetime:
    return first_moment(text, store.zone) or datetime.min.replace(tzinfo=store.zone)
