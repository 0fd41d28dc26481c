"""The rooms' use cases as FHIR operations, over a socket, as a client of another maker would call them."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import fhir_client
from staffed import staffed

from healthsvc import clock
from healthsvc.fhir.conformance.operations import OPERATIONS
from healthsvc.fhir.consent import SignedConsent, to_consent
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.fhir.validation import validate
from healthsvc.greenchannel import service as channels
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as beds
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.infusion.resources import to_request
from healthsvc.infusion.rules.order import Order
from healthsvc.rest import use_cases
from healthsvc.store import SYSTEM, Database

NUMBER = "33029919300101901"
CITIZEN = NUMBER + check_digit(NUMBER)
D1, N1 = {"reference": "Practitioner/d1"}, {"reference": "Practitioner/n1"}


def parameters(*given: tuple[str, str, Any]) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": name, f"value{type}": value} for name, type, value in given]}


def today() -> date:
    return clock.now().astimezone(clock.zone(clock.DEFAULT_ZONE)).date()


@pytest.fixture
def patient(database: Database) -> str:
    with database.writing(SYSTEM, at=clock.now()) as store:
        for one in (staffed("d1", "doctor"), staffed("n1", "nurse")):
            store.put(one)
        numbers = (Identifier(CITIZEN_ID, CITIZEN),)
        file = Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1), identifiers=numbers)
        return str(register(store, file, "urn:test").patient["id"])


@pytest.fixture
def client(database: Database, tmp_path: Path, patient: str) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path, role="doctor") as opened:
        yield opened


def answered(response: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    resource: dict[str, Any] = response.json()
    assert [one.text for one in validate(resource, Registry.load()) if one.severity == "error"] == []
    return resource


def refused(response: httpx.Response, status: int) -> list[str]:
    outcome = answered(response, status)
    assert outcome["resourceType"] == "OperationOutcome"
    return [one["code"] for one in outcome["issue"]]


def signed(client: httpx.Client, patient: str | dict[str, Any], **change: Any) -> httpx.Response:
    who = {"reference": f"Patient/{patient}"} if isinstance(patient, str) else patient
    given = [("patient", "Reference", who), ("doctor", "Reference", D1), ("nurse", "Reference", N1), ("months", "PositiveInt", 12)]
    return client.post("/Contract/$sign", json=parameters(*given, *((name, *value) for name, value in change.items())))


def test_sign_a_contract(client: httpx.Client, patient: str) -> None:
    contract = answered(signed(client, patient, signature=("Code", "wet-scan")))
    assert (contract["resourceType"], contract["status"]) == ("Contract", "executed")
    assert contract["subject"] == [{"reference": f"Patient/{patient}"}]
    checkups = client.get("/Task", params={"patient": patient, "based-on": f"Contract/{contract['id']}"}).json()
    assert checkups["total"] == 4
    by_number = signed(client, {"identifier": {"system": CITIZEN_ID, "value": CITIZEN}})
    assert answered(by_number)["id"] == contract["id"], "signing the same again gives what is there"
    assert refused(signed(client, patient, start=("Date", (today() + timedelta(days=1)).isoformat())), 409) == ["conflict"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"resourceType": "Contract"}, 400, "structure"),
        (parameters(("doctor", "Reference", D1)), 422, "required"),
        (parameters(("patient", "Reference", {"reference": "Patient/x"}), ("doctor", "Reference", D1)), 404, "not-found"),
        (parameters(("patient", "Reference", {"display": "x"}), ("doctor", "Reference", D1)), 422, "invalid"),
        (parameters(("patient", "String", "x"), ("doctor", "Reference", D1)), 422, "structure"),
        (parameters(("patient", "Reference", D1), ("doctor", "Reference", D1), ("colour", "String", "x")), 422, "not-supported"),
        (parameters(("patient", "Reference", D1), ("doctor", "Reference", D1), ("doctor", "Reference", D1)), 422, "structure"),
        (parameters(("patient", "Reference", D1), ("doctor", "Reference", D1), ("start", "Date", "2026")), 422, "invalid"),
        (parameters(("patient", "Reference", D1), ("doctor", "Reference", D1), ("months", "PositiveInt", "x")), 422, "value"),
    ],
)
def test_what_is_asked_wrongly_is_named(client: httpx.Client, body: dict[str, Any], status: int, code: str) -> None:
    assert code in refused(client.post("/Contract/$sign", json=body), status)


def test_establish_a_home_bed(client: httpx.Client, patient: str, database: Database) -> None:
    now = clock.now()
    with database.writing(SYSTEM, at=now) as store:
        stroke = Diagnosis("I69.300", "脑梗死后遗症")
        found = Assessment(patient, "d1", today(), stroke, frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "同意建床")
        assessment = beds.assess(store, found)[0]["id"]
        store.put(to_consent(SignedConsent("c1", patient, "home-bed", now, risks_told=True, fees_told=True, copies=3)))
    asked = [
        ("patient", "Reference", {"reference": f"Patient/{patient}"}),
        ("assessment", "Reference", {"reference": f"ClinicalImpression/{assessment}"}),
        ("agreement", "Reference", {"reference": "Consent/c1"}),
        ("doctor", "Reference", D1),
        ("nurse", "Reference", N1),
        ("kind", "Code", "palliative"),
    ]
    assert refused(client.post("/EpisodeOfCare/$establish", json=parameters(*asked[:2], *asked[3:])), 422) == ["required"]
    bed = answered(client.post("/EpisodeOfCare/$establish", json=parameters(*asked)))
    assert (bed["resourceType"], bed["status"]) == ("EpisodeOfCare", "active")
    assert "palliative" in [one["code"] for one in bed["type"][0]["coding"]]
    assert client.get("/Task", params={"patient": patient, "based-on": f"EpisodeOfCare/{bed['id']}"}).json()["total"] > 10
    assert refused(client.post("/EpisodeOfCare/$establish", json=parameters(*asked[:-1], ("kind", "Code", "x"))), 422) == ["invalid"]
    how = [("reason", "Code", "better"), ("outcome", "Code", "improved")]
    blocked = client.post(f"/EpisodeOfCare/{bed['id']}/$discharge", json=parameters(*how))
    assert "homebed-no-discharge-diagnosis" in blocked.text
    icd = {"system": "http://hl7.org/fhir/sid/icd-10", "code": "I69.300", "display": "脑梗死后遗症"}
    ended = answered(client.post(f"/EpisodeOfCare/{bed['id']}/$discharge", json=parameters(*how, ("diagnosis", "Coding", icd))))
    assert (ended["status"], [one["role"]["coding"][0]["code"] for one in ended["diagnosis"]]) == ("finished", ["AD", "DD"])


def test_ask_the_gates_of_an_order(client: httpx.Client, patient: str, database: Database) -> None:
    now = clock.now()
    with database.writing(SYSTEM, at=now) as store:
        order = Order(patient, "d1", "salvia-injection", "丹参注射液", "10 mL", "5%葡萄糖", 250, 120, today(), 3, authored=today())
        store.put(to_request(order, "asked") | {"status": "draft"})
        store.put({"resourceType": "MedicationRequest", "id": "oral", "status": "active", "intent": "order",
                   "medicationCodeableConcept": {"text": "氨氯地平片"}, "subject": {"reference": f"Patient/{patient}"}})  # fmt: skip
    said = answered(client.get("/MedicationRequest/asked/$gates"))
    assert next(one for one in said["parameter"] if one["name"] == "open")["valueBoolean"] is False
    found = {}
    for gate in (one["part"] for one in said["parameter"] if one["name"] == "gate"):
        parts = {one["name"]: one for one in gate}
        found[parts["gate"]["valueCode"]] = (parts["outcome"]["valueCode"], parts["override"]["valueBoolean"])
    assert len(found) == 8
    assert found["drug-forbidden"] == ("failed", False)
    assert found["order"] == ("passed", False)
    assert found["drug-restricted"] == ("missing", True)
    assert client.get("/MedicationRequest/oral/$gates").status_code == 422
    assert client.get("/MedicationRequest/nothing/$gates").status_code == 404


def test_the_window_asks_by_a_number_in_the_body(database: Database, tmp_path: Path, patient: str) -> None:
    asked = parameters(("identifier", "Identifier", {"system": CITIZEN_ID, "value": CITIZEN}))
    with database.writing(SYSTEM, at=clock.now()) as store:
        channels.grant(store, patient, today())
    with fhir_client(database, tmp_path, role="hospital-window") as window:
        told = {one["name"]: one for one in answered(window.post("/Patient/$green-channel", json=asked))["parameter"]}
        assert told["entitled"]["valueBoolean"] is True
        assert told["reason"]["valueCoding"]["code"] == "lixiu"
        assert told["valid-to"]["valueDate"] > today().isoformat()
        unknown = parameters(("identifier", "Identifier", {"system": "urn:hospital", "value": "1"}))
        told = {one["name"]: one for one in answered(window.post("/Patient/$green-channel", json=unknown))["parameter"]}
        assert told["standing"]["valueCode"] == "unknown-person"
        assert refused(window.get("/Patient/$green-channel", params={"identifier": "x"}), 405) == ["not-supported"]
        assert refused(signed(window, patient), 403) == ["forbidden"]
        assert refused(window.get(f"/Patient/{patient}/$timeline"), 403) == ["forbidden"]
    with fhir_client(database, tmp_path, role="bureau") as bureau:
        assert refused(bureau.post("/Patient/$green-channel", json=asked), 403) == ["forbidden"]


def made(start: datetime, *more: tuple[str, str, Any]) -> dict[str, Any]:
    end = (start + timedelta(minutes=30)).isoformat()
    return parameters(("start", "DateTime", start.isoformat()), ("end", "DateTime", end), ("performer", "Reference", D1), *more)


def test_complete_a_visit_and_look_back(client: httpx.Client, patient: str) -> None:
    contract = answered(signed(client, patient))
    asked = client.get("/Task", params={"patient": patient, "based-on": f"Contract/{contract['id']}"}).json()["entry"]
    task = min((one["resource"] for one in asked), key=lambda one: one["restriction"]["period"]["end"])  # of the quarter that runs
    start = clock.now() - timedelta(hours=1)
    body = made(start, ("pulse", "Integer", 72), ("temperature", "Decimal", 36.5), ("advice", "String", "少盐"))
    pressure = [{"name": "systolic", "valueInteger": 170}, {"name": "diastolic", "valueInteger": 95}]
    body["parameter"].append({"name": "bp-left", "part": pressure})
    assert refused(client.post(f"/Task/{task['id']}/$complete", json=made(start, ("pulse", "Integer", 7200))), 422) == ["value"]
    assert refused(client.post("/Task/nobody/$complete", json=body), 404) == ["not-found"]
    bundle = answered(client.post(f"/Task/{task['id']}/$complete", json=body))
    kinds = [one["resource"]["resourceType"] for one in bundle["entry"]]
    assert kinds[:2] == ["Task", "Encounter"]
    assert kinds.count("Observation") >= 3
    assert bundle["entry"][0]["resource"]["status"] == "completed"
    assert refused(client.post(f"/Task/{task['id']}/$complete", json=body), 422) == ["business-rule"]
    line = answered(client.get(f"/Patient/{patient}/$timeline", params={"count": "3"}))
    assert len(line["parameter"]) == 3
    whole = answered(client.post(f"/Patient/{patient}/$timeline", json={"resourceType": "Parameters"}))
    events = [{part["name"]: part for part in one["part"]} for one in whole["parameter"]]
    assert {one["what"]["valueReference"]["reference"] for one in events} >= {f"Contract/{contract['id']}", f"Task/{task['id']}"}
    assert refused(client.get(f"/Patient/{patient}/$timeline", params={"count": "many"}), 422) == ["structure"]


def test_a_frozen_document_is_checked(client: httpx.Client, patient: str) -> None:
    contract = answered(signed(client, patient))
    (paper,) = (
        one["resource"]
        for one in client.get("/DocumentReference", params={"related": f"Contract/{contract['id']}", "type": "contract"}).json()["entry"]
    )
    told = answered(client.get(f"/DocumentReference/{paper['id']}/$verify"))
    assert {one["name"]: one.get("valueBoolean", one.get("valueString")) for one in told["parameter"]} == {
        "intact": True,
        "sha256": paper["identifier"][0]["value"],
        "kid": told["parameter"][2]["valueString"],
    }
    assert refused(client.get("/DocumentReference/nobody/$verify"), 404) == ["not-found"]


def test_every_published_operation_is_carried_out_and_named(client: httpx.Client) -> None:
    assert set(use_cases.ACTS) == {one.id for one in OPERATIONS}
    listed = {
        (one["type"], operation["name"], operation["definition"].rpartition("/")[2])
        for one in client.get("/metadata").json()["rest"][0]["resource"]
        for operation in one.get("operation", ())
    }
    assert {(one.resource, one.code, one.id) for one in OPERATIONS} <= listed


def test_a_person_is_referred_with_a_summary(client: httpx.Client, database: Database, patient: str) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Organization", "id": "h1", "name": "澜湾医院"})
    asked = parameters(
        ("patient", "Reference", {"reference": f"Patient/{patient}"}),
        ("hospital", "Reference", {"reference": "Organization/h1"}),
        ("requester", "Reference", D1),
        ("reason", "Code", "needs-test"),
        ("summary", "String", "待查"),
    )
    request = answered(client.post("/ServiceRequest/$refer", json=asked))
    assert request["reasonCode"][0]["coding"][0]["code"] == "needs-test"
    document = answered(client.get(f"/{request['supportingInfo'][0]['reference']}"))
    assert document["content"][0]["attachment"]["contentType"] == "application/fhir+json"
    wrong = {**asked, "parameter": [*asked["parameter"][:3], {"name": "reason", "valueCode": "whim"}]}
    assert client.post("/ServiceRequest/$refer", json=wrong).status_code == 422
    nowhere = parameters(("hospital", "Reference", {"reference": "Organization/none"}))["parameter"]
    elsewhere = {**asked, "parameter": [one for one in asked["parameter"] if one["name"] != "hospital"] + nowhere}
    assert client.post("/ServiceRequest/$refer", json=elsewhere).status_code == 404
