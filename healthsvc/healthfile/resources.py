"""A person's file as FHIR Patient. What a Patient carries beyond these values is kept when it is written again."""

from copy import deepcopy
from datetime import date
from typing import Any, Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, code_system, extension, profile
from healthsvc.healthfile import background, positions
from healthsvc.healthfile.datum import Coordinate, Datum
from healthsvc.healthfile.names import split
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Identifier, Living, Person, Position, RiskTag

PROFILE: Final = profile("cadre-patient")
CONTACT_ROLE: Final = code_system("contact-role")
CADRE_CATEGORY: Final = code_system("cadre-category")
LIVING: Final = code_system("living-arrangement")
RISK_TAG: Final = code_system("risk-tag")
SEX_CODE: Final = code_system("gbt-2261-1")
GEOLOCATION: Final = positions.GEOLOCATION
_V2_TYPE: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"

_CATEGORY: Final = extension("cadre-category")
_UNIT: Final = extension("managing-unit")
_AREA: Final = extension("residence-area")
_TAG: Final = extension("risk-tag")
_RESETTLED: Final = extension("resettled")
_LIVING: Final = extension("living-arrangement")
_SEX: Final = extension("sex-as-recorded")
_CONVERTED: Final = extension("upgraded-from-15-digits")
_OURS: Final = frozenset({_CATEGORY, _UNIT, _AREA, _TAG, _RESETTLED, _LIVING, _SEX}) | background.URLS


def to_patient(person: Person, id: str, base: Resource | None = None) -> Resource:
    """Write a person as a Patient; ``base`` is the Patient as it was, whose other elements stay."""
    patient: Resource = deepcopy(base) if base else {"resourceType": "Patient", "meta": {"profile": [PROFILE]}, "active": True}
    patient["id"] = id
    former = [one for one in _kept(base, "identifier") if one.get("use") == "old"]
    _set(patient, "identifier", [_identifier(one, base) for one in person.identifiers] + former)
    patient["name"] = [_name(person.name, base), *_kept(base, "name")[1:]]
    patient["gender"] = person.sex
    if person.birth:
        patient["birthDate"] = person.birth.isoformat()
    lines = {one.get("value"): one for one in _kept(base, "telecom") if one.get("system") == "phone"}
    other = [one for one in _kept(base, "telecom") if one.get("system") != "phone"]
    _set(patient, "telecom", [lines.get(phone) or {"system": "phone", "value": phone} for phone in person.phones] + other)
    _set(patient, "address", _addresses(person, base))
    roles = {role.value for role in ContactRole}
    foreign = [one for one in _kept(base, "contact") if not roles & _codes(one.get("relationship"), CONTACT_ROLE)]
    _set(patient, "contact", [_contact(one, base) for one in person.contacts] + foreign)
    _set(patient, "extension", _extensions(person, base) + [one for one in _kept(base, "extension") if one.get("url") not in _OURS])
    if person.doctor != next((one["reference"] for one in _kept(base, "generalPractitioner") if one.get("reference")), None):
        _set(patient, "generalPractitioner", [{"reference": person.doctor}] if person.doctor else None)
    _set(patient, "managingOrganization", {"reference": person.centre} if person.centre else None)
    if person.background.marital != background.read(patient).marital:
        told = person.background.marital
        _set(patient, "maritalStatus", _concept(background.MARITAL, told) if told else None)
    if person.deceased:
        patient.pop("deceasedBoolean", None)
        if not str(patient.get("deceasedDateTime", "")).startswith(person.deceased.isoformat()):
            patient["deceasedDateTime"] = person.deceased.isoformat()
    return patient


def to_person(patient: Resource) -> Person:
    """Read a person from any Patient, ours or a client's; what is not there stays empty."""
    name: Resource = next(iter(patient.get("name", [])), {})
    extensions: dict[str, list[Resource]] = {}
    for entry in patient.get("extension", []):
        extensions.setdefault(entry.get("url", ""), []).append(entry)

    def one(url: str, key: str) -> Any:
        return extensions.get(url, [{}])[0].get(key)

    category = _code(one(_CATEGORY, "valueCodeableConcept"), CADRE_CATEGORY)
    living = _code(one(_LIVING, "valueCodeableConcept"), LIVING)
    address: Resource = next(iter(patient.get("address", [])), {})
    return Person(
        name=name.get("text") or f"{name.get('family', '')}{''.join(name.get('given', []))}",
        sex=patient.get("gender", "unknown"),
        sex_code=_code(one(_SEX, "valueCodeableConcept"), SEX_CODE) or "",
        birth=_date(patient.get("birthDate")),
        identifiers=tuple(
            Identifier(number.get("system", ""), number["value"], any(ext.get("url") == _CONVERTED for ext in number.get("extension", [])))
            for number in patient.get("identifier", [])
            if number.get("value") and number.get("use") != "old"
        ),
        phones=tuple(phone["value"] for phone in patient.get("telecom", []) if phone.get("system") == "phone" and phone.get("value")),
        address=address.get("text", ""),
        position=_position(address),
        contacts=tuple(_read_contacts(patient)),
        category=Category(category) if category in {item.value for item in Category} else None,
        managing_unit=(one(_UNIT, "valueReference") or {}).get("display", ""),
        residence_area=(one(_AREA, "valueCodeableConcept") or {}).get("text", ""),
        resettled=one(_RESETTLED, "valueBoolean"),
        living=Living(living) if living in {item.value for item in Living} else None,
        tags=tuple(_read_tags(extensions.get(_TAG, []))),
        doctor=next((gp["reference"] for gp in patient.get("generalPractitioner", []) if gp.get("reference")), None),
        centre=patient.get("managingOrganization", {}).get("reference"),
        deceased=_date(patient.get("deceasedDateTime")),
        background=background.read(patient),
    )


def is_deceased(patient: Resource) -> bool:
    """Whether the file says that the person has died."""
    return bool(patient.get("deceasedDateTime")) or patient.get("deceasedBoolean") is True


def links(patient: Resource, kind: str) -> list[str]:
    """Ids of the files here that this one ``replaces`` or is ``replaced-by``."""
    others = [one.get("other", {}).get("reference", "") for one in patient.get("link", []) if one.get("type") == kind]
    return [other.removeprefix("Patient/") for other in others if other.startswith("Patient/")]


def _identifier(number: Identifier, base: Resource | None) -> Resource:
    known = next((i for i in _kept(base, "identifier") if (i.get("system"), i.get("value")) == (number.system, number.value)), None)
    if known is not None:
        return deepcopy(known)
    written: Resource = {"system": number.system, "value": number.value}
    if number.system == CITIZEN_ID:
        written = {"use": "official", "type": {"coding": [{"system": _V2_TYPE, "code": "NNCHN"}]}, **written}
    if number.converted:
        written["extension"] = [{"url": _CONVERTED, "valueBoolean": True}]
    return written


def _name(text: str, base: Resource | None) -> Resource:
    """The name as text, split where that is certain; one that stays the same keeps all that a client wrote of it."""
    former: Resource = next(iter(_kept(base, "name")), {})
    if base is not None and to_person(base).name == text:
        return {**deepcopy(former), "text": text}
    parts = split(text)
    rest = {key: value for key, value in former.items() if key not in ("text", "family", "given", "prefix", "suffix", "_family", "_given")}
    return {**rest, "text": text, **({"family": parts[0], "given": [parts[1]]} if parts else {})}


def _addresses(person: Person, base: Resource | None) -> list[Resource]:
    kept = _kept(base, "address")
    home: Resource = deepcopy(kept[0]) if kept else {"use": "home"}
    _set(home, "text", person.address or None)
    others = [one for one in home.get("extension", []) if one.get("url") != GEOLOCATION]
    if person.position:
        others.append(_geolocation(person.position))
    _set(home, "extension", others)
    there = set(home) - {"use"}
    return ([home] if there else []) + kept[1:]


def _contact(contact: Contact, base: Resource | None) -> Resource:
    for former in _kept(base, "contact"):
        if _read_contacts({"contact": [former]}) == [contact]:
            return deepcopy(former)
    relationship: list[Resource] = [{"coding": [{"system": CONTACT_ROLE, "code": contact.role.value}]}]
    if contact.relation:
        relationship.append({"text": contact.relation})
    written: Resource = {"relationship": relationship, "name": {"text": contact.name}}
    if contact.phone:
        written["telecom"] = [{"system": "phone", "value": contact.phone}]
    return written


def _read_contacts(patient: Resource) -> list[Contact]:
    found = []
    for one in patient.get("contact", []):
        code = next(iter(_codes(one.get("relationship"), CONTACT_ROLE)), None)
        if code in {role.value for role in ContactRole}:
            phone = next((t.get("value", "") for t in one.get("telecom", []) if t.get("system") == "phone"), "")
            relation = next((r["text"] for r in one.get("relationship", []) if r.get("text")), "")
            found.append(Contact(ContactRole(code), one.get("name", {}).get("text", ""), phone, relation))
    return found


def _extensions(person: Person, base: Resource | None) -> list[Resource]:
    """Our extensions; one that says the same as before keeps what a client wrote beside it (the unit's reference, a display)."""
    former = [one for one in _kept(base, "extension") if one.get("url") in _OURS - {_TAG}]
    plain = [next((deepcopy(known) for known in former if _covers(known, one)), one) for one in _plain_extensions(person)]
    known_tags = {tag: one for one in _kept(base, "extension") if one.get("url") == _TAG for tag in _read_tags([one])}
    return plain + [known_tags.get(tag) or _tag(tag) for tag in person.tags]


def _covers(known: Any, told: Any) -> bool:
    """Whether ``known`` says all that ``told`` says."""
    if isinstance(told, dict):
        return isinstance(known, dict) and all(key in known and _covers(known[key], value) for key, value in told.items())
    if isinstance(told, list):
        return isinstance(known, list) and len(known) == len(told) and all(map(_covers, known, told))
    return bool(known == told)


def _tag(tag: RiskTag) -> Resource:
    coding: Resource = {"system": RISK_TAG, "code": tag.code}
    if tag.by_hand:
        coding["userSelected"] = True
    return {"url": _TAG, "valueCodeableConcept": {"coding": [coding], **({"text": tag.reason} if tag.reason else {})}}


def _plain_extensions(person: Person) -> list[Resource]:
    written: list[Resource] = []
    if person.category:
        written.append({"url": _CATEGORY, "valueCodeableConcept": _concept(CADRE_CATEGORY, person.category.value)})
    if person.managing_unit:
        written.append({"url": _UNIT, "valueReference": {"display": person.managing_unit}})
    if person.residence_area:
        written.append({"url": _AREA, "valueCodeableConcept": {"text": person.residence_area}})
    if person.resettled is not None:
        written.append({"url": _RESETTLED, "valueBoolean": person.resettled})
    if person.living:
        written.append({"url": _LIVING, "valueCodeableConcept": _concept(LIVING, person.living.value)})
    if person.sex_code:
        written.append({"url": _SEX, "valueCodeableConcept": _concept(SEX_CODE, person.sex_code)})
    return written + background.to_extensions(person.background)


def _read_tags(extensions: list[Resource]) -> list[RiskTag]:
    found = []
    for one in extensions:
        concept = one.get("valueCodeableConcept", {})
        for coding in concept.get("coding", []):
            if coding.get("system") == RISK_TAG and coding.get("code"):
                found.append(RiskTag(coding["code"], concept.get("text", ""), bool(coding.get("userSelected"))))
    return found


def _geolocation(at: Position) -> Resource:
    lon, lat = at.given or (at.longitude, at.latitude)
    written = positions.geolocation(Coordinate(at.longitude, at.latitude, Datum(at.datum), at.source, lon, lat))
    if not at.source:
        written["extension"].pop()  # nobody said where it comes from: FHIR's own word that it is WGS-84 remains
    return written


def _position(address: Resource) -> Position | None:
    for one in address.get("extension", []):
        at = positions.to_coordinate(one) if one.get("url") == GEOLOCATION else None
        if at is not None:
            told = any(part.get("url") == positions.ORIGIN for part in one["extension"])
            given = None if at.datum is Datum.WGS84 else (at.given_lon, at.given_lat)
            return Position(at.lat, at.lon, str(at.datum), at.source if told else "", given)
    return None


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _code(concept: Any, system: str) -> str | None:
    return next(iter(_codes([concept] if concept else [], system)), None)


def _codes(concepts: Any, system: str) -> set[str]:
    return {c["code"] for concept in concepts or [] for c in concept.get("coding", []) if c.get("system") == system and c.get("code")}


def _date(text: Any) -> date | None:
    """A whole date; "1930" or "1930-05" is a legal FHIR date, but not a birthday."""
    return date.fromisoformat(text[:10]) if isinstance(text, str) and len(text) >= 10 else None


def _kept(base: Resource | None, key: str) -> list[Resource]:
    return list((base or {}).get(key, []))


def _set(resource: Resource, key: str, value: Any) -> None:
    if value in (None, []):
        resource.pop(key, None)
    else:
        resource[key] = value
