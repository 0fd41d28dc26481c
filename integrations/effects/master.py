"""The hospital's own directory: its departments and staff, so that a name beside a stay or a referral leads somewhere."""

from healthsvc.fhir.elements import reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, hospital_number
from integrations.effects.care import ORIGIN, Outcome
from integrations.effects.scene import Scene, joined
from integrations.effects.stay import hospital_on_file, opaque, organization_id
from integrations.hl7v2.master import Department, Keyed, Staff, read_master
from integrations.hl7v2.values import Coded


def master(scene: Scene) -> Outcome:
    """MFN: staff and departments added, changed, gone."""
    told = read_master(scene.message, scene.header, scene.profile)
    outcome = Outcome(happened=scene.store.at)
    outcome.wrote(hospital_organization(scene))
    for department in told.departments:
        outcome.wrote(*_department(scene, department))
    for one in told.staff:
        outcome.wrote(*_staff(scene, one))
    for entry in told.keyed:
        _by_key(scene, entry, outcome)
    return outcome


def _by_key(scene: Scene, told: Keyed, outcome: Outcome) -> None:
    """Who or what stands under a key ends or is taken up again; of a key that two things have nobody knows which is meant.

    A key that entries came under (MFE-4) goes before a number that somebody has.
    """
    found: dict[str, list[Resource]] = {}
    for what, prefix, types in (
        ("staff", "staff", ("Practitioner", "PractitionerRole")),
        ("department", "unit", ("Organization", "HealthcareService")),
    ):
        named = scene.store.select(types[0], identifier=f"{hospital_number(scene.hospital)}/{prefix}-key|{told.number}")
        ids = [str(one["id"]) for one in named] or [f"{prefix}-{opaque(scene.hospital, told.number)}"]
        known = [one for id in ids for type in types if (one := scene.store.find(type, id)) is not None]
        if known and told.what in ("", what):
            found[what] = known
    if len(found) != 1:
        said = "names both a member of staff and a department" if found else "is not on file"
        outcome.remarks.append(f"the key of an entry (MFE-4) {said}; nothing was changed")
        return
    [known] = found.values()
    outcome.wrote(*(scene.store.put({**one, "active": told.active}) for one in known))


def hospital_organization(scene: Scene) -> Resource:
    """The hospital of a link as Organization, made where none is on file; what somebody has written there stays."""
    known = hospital_on_file(scene.store, scene.hospital)
    if known is not None:
        return known
    return scene.store.put(
        {
            "resourceType": "Organization",
            "id": organization_id(scene.hospital),
            "identifier": [{"system": f"{BASE}/NamingSystem/hospital", "value": scene.hospital}],
            "active": True,
            "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "prov"}]}],
            "name": scene.profile.title or scene.hospital,
        }
    )


def _department(scene: Scene, told: Department) -> list[Resource]:
    """A department is an Organization within the hospital and the HealthcareService that it gives."""
    store, id = scene.store, f"unit-{opaque(scene.hospital, told.number)}"
    above = f"unit-{opaque(scene.hospital, told.parent)}" if told.parent and told.parent != told.number else ""
    whole = above if above and store.find("Organization", above) else str(hospital_organization(scene)["id"])
    numbers = _numbers(scene, "unit", told.number, told.key)
    shared: Resource = {"meta": ORIGIN, "identifier": numbers, "active": told.active, "name": told.name}
    kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "dept"}]}
    unit = {"resourceType": "Organization", "id": id, **shared, "type": [kind], "partOf": reference("Organization", whole)}
    service = {"resourceType": "HealthcareService", "id": id, **shared, "providedBy": reference("Organization", id)}
    return [store.put(joined(store.find(one["resourceType"], id), one)) for one in (unit, service)]


def _numbers(scene: Scene, series: str, number: str, key: str) -> list[Resource]:
    """The number of a directory entry, and the key under which the hospital's master file holds it where that is another."""
    system = f"{hospital_number(scene.hospital)}/{series}"
    return [{"system": system, "value": number}, *([{"system": f"{system}-key", "value": key}] if key else [])]


def _staff(scene: Scene, told: Staff) -> list[Resource]:
    store, id = scene.store, f"staff-{opaque(scene.hospital, told.number)}"
    person: Resource = {
        "resourceType": "Practitioner",
        "id": id,
        "meta": ORIGIN,
        "identifier": _numbers(scene, "staff", told.number, told.key),
        "active": told.active,
        "name": [{"text": told.name}],
    }
    if told.phone:
        person["telecom"] = [{"system": "phone", "value": told.phone, "use": "work"}]
    role: Resource = {
        "resourceType": "PractitionerRole",
        "id": id,
        "meta": ORIGIN,
        "active": told.active,
        "practitioner": reference("Practitioner", id),
        "organization": reference("Organization", str(hospital_organization(scene)["id"])),
    }
    if told.department:
        unit = f"unit-{opaque(scene.hospital, told.department.code)}"
        if told.department.code and store.find("HealthcareService", unit):
            role |= {"organization": reference("Organization", unit), "healthcareService": [reference("HealthcareService", unit)]}
        role["specialty"] = [{"text": told.department.text or told.department.code}]
    if told.title:
        role["code"] = [{"text": told.title}]
    if told.speciality:
        role.setdefault("specialty", []).append({"text": _words(told.speciality)})
    return [store.put(joined(store.find(one["resourceType"], id), one)) for one in (person, role)]


def _words(code: Coded) -> str:
    return code.text or code.code
