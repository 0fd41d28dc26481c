"""A small invented town for the pages: staff, people at home, contracts, a hospital stay, results, visits due, overdue, planned."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from healthsvc.access import accounts
from healthsvc.circle import town
from healthsvc.contract import service as contracts
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, LOINC, UCUM, V3_ACT_CODE, code_system
from healthsvc.greenchannel import service as greenchannel
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Identifier, Living, Person, Position, RiskTag
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure
from healthsvc.visit.rules import Priority, Visit, Window

_HL7 = "http://terminology.hl7.org/CodeSystem"
PASSWORD = "bamboo-lantern-7"
NAMES = (
    "单国强",
    "欧阳静怡",
    "曾广仁",
    "仇慕华",
    "解明远",
    "覃秀兰",
    "尉迟恭良",
    "任长庚",
    "查文渊",
    "朴正男",
    "盖世英",
    "区启明",
    "陈桂芳",
    "周立平",
    "吴玉珍",
    "郑学勤",
    "孙惠民",
    "赵守义",
    "钱思齐",
    "李望舒",
    "王德全",
    "冯自强",
    "褚青松",
    "卫淑贤",
)
DOCTORS = ("程致和", "陆怀远")
NURSES = ("苏念安", "叶知秋")


@dataclass(frozen=True, slots=True)
class World:
    """What tests need to know of it."""

    day: date
    first: str
    """Patient id of 单国强: lixiu, contract, green channel, a hospital stay, results, visits."""
    due: str
    """Task id of a visit that doctor 1 has planned for today."""
    citizen_id: str


def build(database: Database, at: datetime) -> World:
    """Write the town; ``at`` is the present moment."""
    day = at.date()
    with database.writing(SYSTEM, at=at) as store:
        _places(store)
        _staff(store)
        _accounts(store)
        people = [_person(store, number, name) for number, name in enumerate(NAMES)]
        for number, id in enumerate(people[:20]):
            doctor, nurse = number % 2 + 1, number % 2 + 1
            contracts.sign(store, id, f"Practitioner/doctor-{doctor}", f"Practitioner/nurse-{nurse}", day - timedelta(days=40 + number))
        for id in people[:9]:
            greenchannel.grant(store, id, day)
        _hospital(store, people[0], at)
        _past_visits(store, people, at)
        _overdue(store, people, at)
        due = _planned(store, people, at)
    return World(day, people[0], due, citizen_id(0))


def citizen_id(number: int) -> str:
    """A number with a true check digit in an area code part that is used for tests."""
    body = f"330299{1928 + number % 20}{number % 12 + 1:02d}{number % 27 + 1:02d}9{number % 100:02d}"
    return body + check_digit(body)


def _places(store: Store) -> None:
    for place in town.town().stations:
        store.once(_location(place.id, place.name, place.lon, place.lat, "station"))


def _location(id: str, name: str, lon: float, lat: float, kind: str) -> dict[str, object]:
    return {
        "resourceType": "Location",
        "id": id,
        "name": name,
        "status": "active",
        "position": {"longitude": lon, "latitude": lat},
        "type": [{"coding": [{"system": "https://healthsvc.example/fhir/CodeSystem/location-type", "code": kind}]}],
    }


def _staff(store: Store) -> None:
    for role, names in (("doctor", DOCTORS), ("nurse", NURSES)):
        for number, name in enumerate(names, 1):
            phone = [{"system": "phone", "value": f"0574-0000{number:04d}"}]
            id = f"{role}-{number}"
            store.once({"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": name}], "telecom": phone})
            store.once(_role(id, role, town.town().stations[2 * number - 1].id))


def _role(practitioner: str, role: str, station: str) -> dict[str, object]:
    return {
        "resourceType": "PractitionerRole",
        "id": f"role-{practitioner}",
        "active": True,
        "practitioner": {"reference": f"Practitioner/{practitioner}"},
        "code": [{"coding": [{"system": code_system("care-role"), "code": role}]}],
        "specialty": [{"coding": [{"system": code_system("care-skill"), "code": role}]}],
        "location": [{"reference": f"Location/{station}"}],
        "availableTime": [{"availableStartTime": "08:00:00", "availableEndTime": "17:00:00"}],
    }


def _accounts(store: Store) -> None:
    accounts.create_user(store, "doctor1", "doctor", name=DOCTORS[0], practitioner="Practitioner/doctor-1", password=PASSWORD)
    for login, role in (("coordinator1", "coordinator"), ("window1", "hospital-window"), ("operator1", "operator"), ("auditor1", "auditor"),
                        ("bureau1", "bureau"), ("hotline1", "hotline"),
                        ("admin1", "security-admin"), ("system1", "system-admin")):  # fmt: skip
        accounts.create_user(store, login, role, name={"coordinator1": "徐协调"}.get(login, login), password=PASSWORD)


def _person(store: Store, number: int, name: str) -> str:
    homes = town.town().homes
    home = homes[number * 17 % len(homes)]
    id_number = citizen_id(number)
    person = Person(
        name,
        sex="male" if number % 2 == 0 else "female",
        birth=date(int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14])),
        identifiers=(Identifier(CITIZEN_ID, id_number), Identifier(HEALTH_FILE_NUMBER, f"33029900100100{number:03d}")),
        phones=(f"0574-1234{number:04d}",),
        address=home.address,
        position=Position(home.lat, home.lon),
        contacts=(
            Contact(ContactRole.FAMILY, "家属" + name[0], f"0574-2234{number:04d}", "女儿"),
            Contact(ContactRole.FORMER_UNIT, "原单位老周", "0574-33330001"),
            Contact(ContactRole.COMMUNITY_WORKER, "社区小何", "0574-33330002"),
        ),
        category=Category.LIXIU if number < 9 else Category.TUIXIU,
        managing_unit="市纺织机械厂",
        residence_area="拾光社区",
        living=Living.ALONE if number % 4 == 0 else Living.WITH_FAMILY,
        tags=(RiskTag("cannot-care-for-self", "评估", True),) if number == 0 else (),
        doctor=f"Practitioner/doctor-{number % 2 + 1}",
    )
    return str(register(store, person, "urn:test").patient["id"])


def _hospital(store: Store, patient: str, at: datetime) -> None:
    start, end = at - timedelta(days=30), at - timedelta(days=21)
    subject = {"reference": f"Patient/{patient}"}
    store.put(
        {
            "resourceType": "Encounter",
            "id": "stay-1",
            "status": "finished",
            "class": {"system": V3_ACT_CODE, "code": "IMP"},
            "subject": subject,
            "period": {"start": start.isoformat(), "end": end.isoformat()},
            "serviceProvider": {"display": "澜湾医院"},
            "location": [{"location": {"display": "老干部病房 3 床"}}],
            "reasonCode": [{"text": "慢性阻塞性肺疾病急性加重"}],
        }
    )
    taken = (start + timedelta(days=1)).isoformat()
    wanted = (("2160-0", "肌酐", "132", "umol/L", "H"), ("2823-3", "钾", "3.9", "mmol/L", ""), ("718-7", "血红蛋白", "112", "g/L", "L"))
    results = [store.put(_result(subject, taken, *one)) for one in wanted]
    store.put(
        {
            "resourceType": "DiagnosticReport",
            "id": "report-1",
            "status": "final",
            "code": {"text": "生化全套"},
            "subject": subject,
            "effectiveDateTime": taken,
            "result": [{"reference": f"Observation/{one['id']}"} for one in results],
        }
    )
    active = {"coding": [{"system": f"{_HL7}/condition-clinical", "code": "active"}]}
    for number, text in enumerate(("高血压", "慢性阻塞性肺疾病")):
        condition = {"resourceType": "Condition", "id": f"condition-{number}", "clinicalStatus": active, "subject": subject}
        store.put({**condition, "code": {"text": text}})
    active = {"coding": [{"system": f"{_HL7}/allergyintolerance-clinical", "code": "active"}]}
    allergy = {"resourceType": "AllergyIntolerance", "id": "allergy-1", "clinicalStatus": active, "code": {"text": "青霉素"}}
    store.put({**allergy, "patient": subject, "recordedDate": "2019-03-01"})


def _result(subject: dict[str, str], taken: str, code: str, name: str, value: str, unit: str, mark: str) -> dict[str, object]:
    observation: dict[str, object] = {
        "resourceType": "Observation",
        "id": f"lab-{code}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}], "text": name},
        "subject": subject,
        "effectiveDateTime": taken,
        "valueQuantity": {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit},
    }
    if mark:
        observation["interpretation"] = [{"coding": [{"system": f"{_HL7}/v3-ObservationInterpretation", "code": mark}]}]
    return observation


def _visit(
    id: str, kind: str, person: str, start: datetime, end: datetime, minutes: int, owner: int, priority: Priority = Priority.ROUTINE
) -> Visit:
    return Visit(id, kind, person, Window(start, end), minutes, owner=f"Practitioner/doctor-{owner}", priority=priority)


def _past_visits(store: Store, people: list[str], at: datetime) -> None:
    for number in range(6):
        when = at.replace(hour=9, minute=30) - timedelta(days=14 * (number + 1))
        visit = _visit(f"past-{number}", "home-nursing", people[0], when - timedelta(days=3), when + timedelta(days=3), 40, 1)
        visits.request(store, visit)
        found = Findings(
            when, when + timedelta(minutes=35), bp_left=Pressure(152 - 3 * number, 88 - number), pulse=72 + number, weight=Decimal("61.5"),
            glucose=Decimal("6.4") + number, advice="低盐饮食，按时服药。" if number == 0 else "",
        )  # fmt: skip
        visits.complete(store, visit.id, found, "Practitioner/nurse-1")


def _overdue(store: Store, people: list[str], at: datetime) -> None:
    for number in range(5):
        end = at - timedelta(days=3 + 4 * number)
        priority = Priority.URGENT if number == 0 else Priority.ROUTINE
        visits.request(
            store, _visit(f"late-{number}", "follow-up", people[number + 2], end - timedelta(days=7), end, 20, number % 2 + 1, priority)
        )


def _planned(store: Store, people: list[str], at: datetime) -> str:
    day = at.date()
    slots = ((1, 8, 30), (1, 9, 20), (1, 10, 15), (1, 14, 10), (2, 8, 40), (2, 9, 45), (2, 11, 0))
    first = ""
    for number, (doctor, hour, minute) in enumerate(slots):
        start = datetime.combine(day, time(hour, minute), store.zone)
        kind = ("home-bed-round", "home-nursing", "follow-up")[number % 3]
        visit = _visit(f"today-{number}", kind, people[number], start - timedelta(days=5), start + timedelta(days=9), 30, doctor)
        visits.request(store, visit)
        team = [f"Practitioner/doctor-{doctor}"] + (["Practitioner/nurse-1"] if number == 3 else [])
        visits.plan(store, visit, start, start + timedelta(minutes=30), team)
        first = first or visit.id
    return first
