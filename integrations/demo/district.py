"""Found the invented district: the centre, its stations, the designated hospital, the doctors and nurses and when they are on duty."""

from dataclasses import dataclass
from typing import Final

from healthsvc.circle.town import Place, Town
from healthsvc.fhir.elements import concept, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import INSTITUTION_CODE, STAFF_NUMBER, code_system
from healthsvc.healthfile.datum import Coordinate, Datum
from healthsvc.healthfile.positions import position
from healthsvc.store import Store

CENTRE: Final = "lw-centre"
CENTRE_NAME: Final = "澜湾社区卫生服务中心"
HOSPITAL_CODE: Final = "lw-h1"
_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_SHIFT: Final = ("08:00:00", "17:00:00")

# invented people; the nurses marked so have the licence for infusions at home
_DOCTORS: Final = ("程致远", "陆怀瑾", "沈若谷", "顾明夷", "方静姝")
_NURSES: Final = (
    ("周砚秋", True),
    ("苏念慈", True),
    ("林知夏", True),
    ("叶清和", False),
    ("何采薇", True),
    ("江映雪", True),
    ("白露生", False),
)


@dataclass(frozen=True, slots=True)
class Staff:
    """Somebody who visits: Practitioner id, name, role (doctor, nurse), home station."""

    id: str
    name: str
    role: str
    station: str
    infusion: bool = False

    @property
    def reference(self) -> str:
        """``Practitioner/id``."""
        return f"Practitioner/{self.id}"


def staff(town: Town) -> tuple[Staff, ...]:
    """The twelve who visit, spread over the stations."""
    stations = [place.id for place in town.stations]
    doctors = [Staff(f"lw-doctor-{n}", name, "doctor", stations[(n - 1) % len(stations)]) for n, name in enumerate(_DOCTORS, 1)]
    nurses = [
        Staff(f"lw-nurse-{n}", name, "nurse", stations[(n - 1) % len(stations)], licence) for n, (name, licence) in enumerate(_NURSES, 1)
    ]
    return (*doctors, *nurses)


def found(store: Store, town: Town) -> tuple[Staff, ...]:
    """Write the district's organisations, places and staff, once; gives the staff."""
    store.once(_organization(CENTRE, CENTRE_NAME, "centre", "LWWSFWZX0001"))
    store.once(_organization(HOSPITAL_CODE, town.hospital.name, "hospital", "LWYY00000001"))
    for place in town.stations:
        store.once(_location(place, "station", CENTRE))
    store.once(_location(town.hospital, "hospital", HOSPITAL_CODE))
    people = staff(town)
    for number, one in enumerate(people, 1):
        store.once(practitioner(one, number))
        store.once(role(one))
    return people


def _organization(id: str, name: str, kind: str, code: str) -> Resource:
    return {
        "resourceType": "Organization",
        "id": id,
        "identifier": [{"system": INSTITUTION_CODE, "value": code}],
        "active": True,
        "type": [concept(code_system("organization-type"), kind)],
        "name": name,
    }


def _location(place: Place, kind: str, organization: str) -> Resource:
    return {
        "resourceType": "Location",
        "id": place.id,
        "status": "active",
        "name": place.name,
        "mode": "instance",
        "type": [concept(code_system("location-type"), kind)],
        "address": {"text": place.address, "district": place.community},
        "position": position(Coordinate(place.lon, place.lat, Datum.WGS84, "虚构城镇", place.lon, place.lat)),
        "managingOrganization": reference("Organization", organization),
    }


def practitioner(one: Staff, number: int) -> Resource:
    """A member of the staff as Practitioner with qualifications."""
    qualifications = [
        {"code": {**concept(code_system("staff-qualification"), one.role), "text": "执业医师" if one.role == "doctor" else "主管护师"}}
    ]
    if one.infusion:
        qualifications.append({"code": {**concept(code_system("staff-qualification"), "infusion"), "text": "居家输液资质"}})
    return {
        "resourceType": "Practitioner",
        "id": one.id,
        "identifier": [{"system": STAFF_NUMBER, "value": f"LW{number:04d}"}],
        "active": True,
        "name": [{"text": one.name}],
        "qualification": [{**entry, "period": {"start": "2016-07-01"}} for entry in qualifications],
    }


def role(one: Staff) -> Resource:
    """Where, when and with which skills somebody works, as PractitionerRole."""
    skills = [one.role, *(["infusion"] if one.infusion else [])]
    return {
        "resourceType": "PractitionerRole",
        "id": f"role-{one.id}",
        "active": True,
        "practitioner": {**reference("Practitioner", one.id), "display": one.name},
        "organization": reference("Organization", CENTRE),
        "code": [concept(code_system("care-role"), one.role)],
        "specialty": [concept(code_system("care-skill"), skill) for skill in skills],
        "location": [reference("Location", one.station)],
        "availableTime": [{"daysOfWeek": _DAYS, "availableStartTime": _SHIFT[0], "availableEndTime": _SHIFT[1]}],
    }
