"""The main job, end to end: roster, contract, hospital day, green channel, home bed, infusion, day plan, visit, FHIR, pages, audit.

Over real sockets against ``healthsvc serve`` in its own process, as a centre, a hospital and an auditor would use it.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from served import Served, run, served

from healthsvc.demo.people import people, write_roster
from healthsvc.fhir.systems import CITIZEN_ID
from integrations.hl7v2.replies import belongs, read_reply
from integrations.mllp.client import Client

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime.now(ZONE)
STATION = (121.605, 30.444)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A centre with twenty people on its roster, a doctor, a nurse and a station."""
    folder = tmp_path_factory.mktemp("main-job")
    roster = folder / "roster.csv"
    homes = [(STATION[0] + n * 0.0004, STATION[1] + n * 0.0003, "一社区", f"澜湾镇柳巷{n}号") for n in range(20)]
    write_roster(people(20, 7, NOW.date(), homes), roster)
    assert "20 created" in run("import", "roster", str(roster), "--data", str(folder / "data"))
    assert "20 unchanged" in run("import", "roster", str(roster), "--data", str(folder / "data"))
    with served(folder / "data") as here:
        with here.client("coordinator") as coordinator:
            found_centre(coordinator)
        yield here


def found_centre(client: httpx.Client) -> None:
    """Station and staff as one FHIR transaction, as another system would bring them in."""
    from integrations.demo import district

    one = district.Staff("d1", "程致远", "doctor", "s1")
    two = district.Staff("n1", "周砚秋", "nurse", "s1", infusion=True)
    kind = {"coding": [{"system": "https://healthsvc.example/fhir/CodeSystem/location-type", "code": "station"}]}
    place = {"longitude": STATION[0], "latitude": STATION[1]}
    resources: list[dict[str, Any]] = [
        {"resourceType": "Organization", "id": "lw-centre", "active": True, "name": "澜湾社区卫生服务中心"},
        {"resourceType": "Location", "id": "s1", "status": "active", "name": "一站", "type": [kind], "position": place},
        *(district.practitioner(who, n) for n, who in enumerate((one, two), 1)),
        *(district.role(who) for who in (one, two)),
    ]
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}}
        for resource in resources
    ]
    answer = client.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def doctor(world: Served) -> Iterator[httpx.Client]:
    with world.client("doctor") as client:
        yield client


@pytest.fixture(scope="module")
def line(world: Served) -> Iterator[Client]:
    with Client(world.host, world.port, belongs) as client:
        yield client


def search(client: httpx.Client, query: str) -> list[dict[str, Any]]:
    answer = client.get(f"/fhir/{query}")
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", []) if entry.get("search", {}).get("mode") != "outcome"]


def person(client: httpx.Client, number: int) -> dict[str, Any]:
    return sorted(search(client, "Patient?_count=50&active=true"), key=lambda one: one["name"][0]["text"])[number]


def citizen_id(patient: dict[str, Any]) -> str:
    return next(str(one["value"]) for one in patient["identifier"] if one["system"] == CITIZEN_ID)


def eventually(probe: Callable[[], Any], seconds: float = 60) -> Any:
    """The answer of a probe once it is not empty: effects follow the acknowledgement within seconds."""
    ends = time.monotonic() + seconds
    while not (found := probe()) and time.monotonic() < ends:
        time.sleep(0.05)
    assert found, "nothing happened"
    return found


def adt(patient: dict[str, Any], event: str, number: str, *, minutes: int, stay: str = "V1", extra: str = "", card: str = "") -> bytes:
    at = (NOW - timedelta(minutes=minutes)).strftime("%Y%m%d%H%M%S")
    name = patient["name"][0]["text"]
    birth = patient["birthDate"].replace("-", "")
    ids = f"{card or 'MR' + citizen_id(patient)[-4:]}^^^LWYY^PI~{citizen_id(patient)}^^^^NI"
    segments = [
        f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|{at}||ADT^{event}|{number}|P|2.4|||AL|AL|CHN",
        f"EVN|{event}|{at}",
        f"PID|1||{ids}||{name}||{birth}|{'M' if patient['gender'] == 'male' else 'F'}",
        *([extra] if extra else []),
        f"PV1|1|I|0912^01^01||||1001^测试医生|||||||||||{stay}|{stay}" + "|" * 25 + at,
    ]
    return ("\r".join(segments) + "\r").encode("gb18030")


def acknowledged(line: Client, message: bytes) -> str:
    return read_reply(line.send(message)).code or "none"


def test_nothing_is_open_without_signing_in(world: Served) -> None:
    with world.client(None) as nobody:
        assert nobody.get("/fhir/Patient").status_code == 401
        assert nobody.get("/api/visit/due").status_code == 401
        page = nobody.get("/", follow_redirects=True)
        assert page.url.path == "/sign-in"
        assert nobody.get("/livez").status_code == 200
        assert nobody.get("/readyz").status_code == 200


def test_the_roster_is_in_the_file_with_contacts_unit_and_tags(doctor: httpx.Client) -> None:
    patients = search(doctor, "Patient?_count=50")
    assert len(patients) == 20
    for patient in patients:
        assert {contact["relationship"][0]["coding"][0]["code"] for contact in patient["contact"]} == {
            "family", "former-unit", "community-worker", "community-doctor",
        }  # fmt: skip
        urls = {extension["url"].rsplit("/", 1)[1] for extension in patient["extension"]}
        assert {"cadre-category", "managing-unit", "residence-area", "risk-tag"} <= urls


def test_signing_makes_four_checkups_and_a_second_contract_is_refused(doctor: httpx.Client) -> None:
    patient = person(doctor, 0)["id"]
    wanted = {
        "patient": patient,
        "doctor": "Practitioner/d1",
        "nurse": "Practitioner/n1",
        "start": (NOW - timedelta(days=5)).date().isoformat(),
    }
    signed = doctor.post("/api/contract/sign", json=wanted)
    assert signed.status_code == 201, signed.text
    assert len(search(doctor, f"Task?patient={patient}&code=quarterly-checkup")) == 4
    second = doctor.post("/api/contract/sign", json=wanted | {"start": NOW.date().isoformat()})
    assert second.status_code in (409, 422)
    # by another door: a plain FHIR write obeys the same rule
    body = signed.json() | {"id": "another"}
    assert doctor.put("/fhir/Contract/another", json=body).status_code in (409, 422)
    assert len(search(doctor, f"Contract?patient={patient}&status=executed")) == 1


def test_an_admission_suspends_visits_and_calls_the_doctor_and_a_discharge_resumes_them(doctor: httpx.Client, line: Client) -> None:
    patient = person(doctor, 0)
    id = patient["id"]
    before = len(search(doctor, f"Task?patient={id}&code=quarterly-checkup&status=requested"))
    assert before == 4
    message = adt(patient, "A01", "M1", minutes=300)
    assert acknowledged(line, message) == "AA"
    assert acknowledged(line, message) == "AA"  # the same again: the same answer, no second effect
    eventually(lambda: len(search(doctor, f"Task?patient={id}&code=quarterly-checkup&status=on-hold")) == before)
    raised = eventually(lambda: search(doctor, f"Task?patient={id}&code=admission-visit"))
    assert len(raised) == 1
    assert raised[0]["owner"]["reference"] == "Practitioner/d1"
    stays = search(doctor, f"Encounter?patient={id}&class=IMP")
    assert [stay["status"] for stay in stays] == ["in-progress"]
    assert acknowledged(line, adt(patient, "A03", "M2", minutes=60)) == "AA"
    eventually(lambda: len(search(doctor, f"Task?patient={id}&code=quarterly-checkup&status=requested")) == before)
    assert search(doctor, f"Task?patient={id}&code=follow-up&status=requested")
    assert search(doctor, f"Encounter?patient={id}&class=IMP")[0]["status"] == "finished"


def test_a_cancelled_admission_leaves_nothing_on_hold(doctor: httpx.Client, line: Client) -> None:
    patient = person(doctor, 1)
    doctor.post("/api/contract/sign", json={"patient": patient["id"], "doctor": "Practitioner/d1", "nurse": "Practitioner/n1"})
    assert acknowledged(line, adt(patient, "A01", "C1", minutes=200, stay="V2")) == "AA"
    eventually(lambda: search(doctor, f"Task?patient={patient['id']}&status=on-hold"))
    assert acknowledged(line, adt(patient, "A11", "C2", minutes=190, stay="V2")) == "AA"
    eventually(lambda: not search(doctor, f"Task?patient={patient['id']}&status=on-hold"))
    assert search(doctor, f"Encounter?patient={patient['id']}&class=IMP")[0]["status"] == "cancelled"


def test_an_abnormal_result_raises_a_follow_up(doctor: httpx.Client, line: Client) -> None:
    patient = person(doctor, 2)
    doctor.post("/api/contract/sign", json={"patient": patient["id"], "doctor": "Practitioner/d1", "nurse": "Practitioner/n1"})
    at = (NOW - timedelta(minutes=30)).strftime("%Y%m%d%H%M%S")
    message = "\r".join(
        [
            f"MSH|^~\\&|LIS|LWYY|HEALTHSVC|LW|{at}||ORU^R01|R1|P|2.4|||AL|AL|CHN",
            f"PID|1||MR{citizen_id(patient)[-4:]}^^^LWYY^PI~{citizen_id(patient)}^^^^NI||{patient['name'][0]['text']}",
            "PV1|1|O",
            f"OBR|1|P1|F1|BIO^生化|||{at}|||||||||||||||{at}|||F",
            "OBX|1|NM|K^钾||6.8|mmol/L|3.5-5.3|HH|||F",
            "OBX|2|ST|GLU^葡萄糖||5.0|mmol/L|3.9-6.1|M|||F",
            "",
        ]
    ).encode()
    assert acknowledged(line, message) == "AA"
    report = eventually(lambda: search(doctor, f"DiagnosticReport?patient={patient['id']}"))[0]
    assert len(report["result"]) == 2
    potassium = search(doctor, f"Observation?patient={patient['id']}&value-quantity=gt6")
    assert [one["valueQuantity"]["value"] for one in potassium] == [6.8]
    assert eventually(lambda: search(doctor, f"Task?patient={patient['id']}&code=follow-up"))


def test_a_merge_joins_two_files_and_later_events_follow(doctor: httpx.Client, line: Client) -> None:
    patient = person(doctor, 3)
    stranger = {
        "name": [{"text": patient["name"][0]["text"]}], "birthDate": patient["birthDate"], "gender": patient["gender"], "identifier": [],
    }  # fmt: skip
    at = (NOW - timedelta(minutes=90)).strftime("%Y%m%d%H%M%S")
    head = f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|{at}||ADT^{{}}|{{}}|P|2.4|||AL|AL|CHN\rEVN|{{}}|{at}\r"
    known = f"PID|1||MR{citizen_id(patient)[-4:]}^^^LWYY^PI~{citizen_id(patient)}^^^^NI||{stranger['name'][0]['text']}\r"
    other = f"PID|1||MRX9^^^LWYY^PI||{stranger['name'][0]['text']}||{patient['birthDate'].replace('-', '')}\r"
    assert acknowledged(line, (head.format("A04", "J1", "A04") + other + "PV1|1|O\r").encode()) == "AA"
    eventually(lambda: search(doctor, "Patient?identifier=MRX9"))
    assert acknowledged(line, (head.format("A40", "J2", "A40") + known + "MRG|MRX9^^^LWYY^PI\r").encode()) == "AA"
    retired = eventually(lambda: [one for one in search(doctor, "Patient?identifier=MRX9") if not one.get("active", True)])
    assert [link["type"] for link in retired[0]["link"]] == ["replaced-by"]
    assert retired[0]["link"][0]["other"]["reference"] == f"Patient/{patient['id']}"
    assert acknowledged(line, (head.format("A04", "J3", "A04") + other + "PV1|1|O|||||||||||||||||V77\r").encode()) == "AA"
    eventually(lambda: search(doctor, f"Encounter?patient={patient['id']}&identifier=V77"))


def test_the_hospital_window_answers_by_http_and_hl7_with_the_reason(world: Served, doctor: httpx.Client, line: Client) -> None:
    lixiu = next(one for one in search(doctor, "Patient?_count=50&active=true") if "lixiu" in str(one["extension"]))
    assert doctor.post("/api/greenchannel/grant", json={"patient": lixiu["id"]}).status_code == 201
    with world.client("hospital-window") as window:
        answer = window.post("/api/greenchannel/answer", json={"citizen_id": citizen_id(lixiu)}).json()
        assert answer["entitled"] is True
        assert {right["code"] for right in answer["rights"]} == {"consultation", "settlement", "dispensing"}
        assert answer["reason"] == "lixiu"
        assert window.get(f"/fhir/Patient/{lixiu['id']}").status_code == 403
    at = NOW.strftime("%Y%m%d%H%M%S")
    query = (
        f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|{at}||QBP^Q22|Q1|P|2.5|||AL|AL|CHN\r"
        f"QPD|Q22^Find Candidates^HL7|T1|@PID.3.1^{citizen_id(lixiu)}\rRCP|I\r"
    )
    told = line.send(query.encode()).decode()
    assert "RSP^K22" in told
    assert "|OK|" in told
    assert lixiu["name"][0]["text"] in told
    assert "lixiu" in told.lower()


def test_bed_infusion_day_plan_and_a_made_visit(world: Served, doctor: httpx.Client) -> None:
    patient = person(doctor, 4)["id"]
    doctor.post("/api/contract/sign", json={"patient": patient, "doctor": "Practitioner/d1", "nurse": "Practitioner/n1"})
    today = NOW.date().isoformat()
    assessment = {
        "patient": patient, "doctor": "d1", "on": today, "diagnosis": {"code": "I69.3", "text": "脑梗死后遗症"}, "criteria": ["hemiplegia"],
        "stable": True, "self_care": 15, "home_suitable": True, "carer": True, "indication": "长期卧床，需定期巡诊",
    }  # fmt: skip
    consent = {
        "id": "bed-consent-1", "patient": patient, "kind": "home-bed", "signed": (NOW - timedelta(minutes=5)).isoformat(),
        "signer": "patient", "risks_told": True, "fees_told": True, "copies": 3,
    }  # fmt: skip
    wanted = {"patient": patient, "assessment": assessment, "consent": consent, "doctor": "d1", "nurse": "n1"}
    no_agreement = doctor.post("/api/homebed", json=wanted | {"consent": consent | {"copies": 1}})
    assert no_agreement.status_code == 422
    bed = doctor.post("/api/homebed", json=wanted)
    assert bed.status_code == 201, bed.text
    rounds = search(doctor, f"Task?patient={patient}&code=home-bed-round&_sort=period&_count=100")
    first = min(datetime.fromisoformat(task["restriction"]["period"]["end"]) for task in rounds)
    assert first <= datetime.now(UTC) + timedelta(hours=24)
    tomorrow = (NOW + timedelta(days=1)).date().isoformat()
    order = {
        "patient": patient, "prescriber": "d1", "drug_code": "benzylpenicillin", "drug_name": "青霉素钠", "dose": "1.6 MU", "solvent": "NS",
        "volume_ml": 100, "rate_ml_h": 120, "start": tomorrow, "days": 2, "indication": "肺部感染", "authored": today,
    }  # fmt: skip
    refused = doctor.post("/api/infusion/courses", json={"order": order})
    assert refused.status_code == 422
    assert "infusion-drug-forbidden" in refused.text
    none_known = {
        "resourceType": "AllergyIntolerance", "patient": {"reference": f"Patient/{patient}"},
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "716186003", "display": "No known allergy"}]},
    }  # fmt: skip
    assert doctor.post("/fhir/AllergyIntolerance", json=none_known).status_code == 201
    agreed = consent | {"id": "infusion-consent-1", "kind": "infusion"}
    proof = {"on": (NOW - timedelta(days=1)).date().isoformat(), "institution": "澜湾医院", "drug_code": "ambroxol"}
    allowed = order | {
        "drug_code": "ambroxol",
        "drug_name": "盐酸氨溴索注射液",
        "dose": "30 mg",
    }
    course = doctor.post("/api/infusion/courses", json={"order": allowed, "consent": agreed, "first_dose": proof, "nurse": "n1"})
    assert course.status_code == 201, course.text
    doses = search(doctor, f"Task?patient={patient}&code=home-infusion")
    assert len(doses) == 2
    plan = run("plan", "day", tomorrow, "--data", str(world.data), "--seconds", "0.5", "--json")
    planned = search(doctor, f"Task?patient={patient}&code=home-infusion&status=accepted")
    assert planned, plan
    encounter = doctor.get(f"/fhir/{planned[0]['encounter']['reference']}").json()
    assert encounter["status"] == "planned"
    assert encounter["participant"][0]["individual"]["reference"] == "Practitioner/n1"
    done = min(rounds, key=lambda task: task["restriction"]["period"]["end"])
    made = {
        "findings": {
            "start": (NOW - timedelta(minutes=40)).isoformat(), "end": (NOW - timedelta(minutes=10)).isoformat(),
            "bp_left": {"systolic": 132, "diastolic": 78}, "pulse": 72, "temperature": "36.5",
        },
        "by": ["Practitioner/d1"],
    }  # fmt: skip
    completed = doctor.post(f"/api/visit/{done['id']}/complete", json=made)
    assert completed.status_code == 200, completed.text
    assert search(doctor, f"Observation?patient={patient}&code=85354-9")
    assert doctor.get(f"/fhir/Task/{done['id']}").json()["status"] == "completed"
    page = doctor.get(f"/api/healthfile/{patient}/timeline")
    assert page.status_code == 200, page.text


def test_fhir_reads_searches_histories_and_refuses_a_stale_update(doctor: httpx.Client) -> None:
    patient = person(doctor, 5)
    url = f"/fhir/Patient/{patient['id']}"
    answer = doctor.get(url)
    assert answer.headers["etag"] == f'W/"{patient["meta"]["versionId"]}"'
    changed = answer.json() | {"language": "zh-CN"}
    assert doctor.put(url, json=changed, headers={"if-match": 'W/"999"'}).status_code == 412
    assert doctor.put(url, json=changed, headers={"if-match": answer.headers["etag"]}).status_code == 200
    history = doctor.get(f"{url}/_history").json()
    assert history["type"] == "history"
    assert len(history["entry"]) >= 2
    assert doctor.get("/fhir/metadata").json()["fhirVersion"] == "4.0.1"
    assert doctor.get("/fhir/Patient?nonsense=1", headers={"prefer": "handling=strict"}).status_code == 400


def test_every_look_and_write_is_audited_and_the_chain_holds(world: Served, doctor: httpx.Client) -> None:
    patient = person(doctor, 6)["id"]
    doctor.get(f"/fhir/Patient/{patient}")
    with world.client("auditor") as auditor:
        events = eventually(lambda: search(auditor, f"AuditEvent?patient=Patient/{patient}&action=R"), 5)
    assert events
    assert "intact" in run("audit", "verify", "--data", str(world.data))
