"""Microsoft's fixtures against leaks out of a compartment: two patients with everything that belongs to them, and every way to ask."""

import json
import re
import secrets
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import working
from serving import serving

from healthsvc import clock
from healthsvc.access import accounts, tokens
from healthsvc.access.rules import DIRECTORY_TYPES
from healthsvc.access.smart import clients, grants
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM, Database

OURS, THEIRS = "D", "A"
AREA = "Organization/smart-organization-D1"
PASSWORD = "lantern-willow-48"
_ID = re.compile(rf"[A-Za-z]+/(?:smart|own)-[a-z0-9]+-{THEIRS}[A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A server that holds both patients, and who asks it."""

    url: str
    area: httpx.Client
    """Looks after the people of one patient's organization, and may export."""
    app: httpx.Client
    """A program that was let in for one patient."""
    page: httpx.Client
    theirs: frozenset[str]
    """``Type/id`` of whatever belongs to the other patient."""
    ours: frozenset[str]


@pytest.fixture(scope="module")
def place(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("leaks")
    kept = {whose: load(data, shared, whose) for whose in (OURS, THEIRS)}
    here = open_installation(settings=Settings(data=data))
    with serving(create_app(here)) as url, working(here.database, data):
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            narrow = tokens.issue_token(store, "centre-head", "area", 1, [AREA])
            accounts.create_user(store, "quyu", "centre-head", areas=[AREA], password=PASSWORD, must_change=False)
        with client(url, narrow) as area, client(url, of_patient(here)) as app, httpx.Client(base_url=url) as page:
            sign_in(page)
            yield Place(url, area, app, page, kept[THEIRS], kept[OURS])
    here.close()


def load(data: Path, shared: Path, whose: str) -> frozenset[str]:
    """Write the fixtures as they are (not all of them are valid R4); gives what belongs to the patient."""
    plain = Database.open(f"sqlite:///{data}/healthsvc.sqlite", validate=lambda _: [])
    of_the_patient = set()
    with plain.writing(SYSTEM, at=clock.now()) as store:
        for resource in resources(shared, whose):
            reference = f"{resource['resourceType']}/{resource['id']}"
            store.put(resource)
            if f"Patient/smart-patient-{whose}" in reference + json.dumps(resource) or "indirect" in reference:
                of_the_patient.add(reference)
    plain.close()
    return frozenset(one for one in of_the_patient if one.partition("/")[0] not in DIRECTORY_TYPES)


def client(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=f"{url}/fhir", headers={"authorization": f"Bearer {token}"}, timeout=60)


def resources(shared: Path, whose: str) -> list[dict[str, Any]]:
    """The fixture, each resource once, and what it lacks: documents with their bytes, consents, a task, a list."""
    folder = shared / "fhir" / "microsoft-fhir-server" / "R4"
    bundle = json.loads((folder / f"SmartPatient{whose}.json").read_text(encoding="utf-8-sig"))
    found = {f"{one['resource']['resourceType']}/{one['resource']['id']}": one["resource"] for one in bundle["entry"]}
    patient = {"reference": f"Patient/smart-patient-{whose}"}
    data = b64encode(f"bytes of {whose}".encode()).decode()
    document = {"reference": f"DocumentReference/own-document-{whose}"}
    attachment = {"contentType": "text/plain", "url": f"Binary/own-binary-{whose}"}
    more: list[dict[str, Any]] = [
        {"resourceType": "DocumentReference", "status": "current", "subject": patient, "content": [{"attachment": attachment}]},
        {"resourceType": "Task", "status": "requested", "intent": "order", "for": patient},
        {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": patient},
        {"resourceType": "List", "status": "current", "mode": "working", "subject": patient, "entry": [{"item": document}]},
        {"resourceType": "Basic", "code": {"text": "x"}, "subject": patient},
        {"resourceType": "GuidanceResponse", "status": "success", "moduleUri": "http://example.org/m", "subject": patient},
    ]
    names = ("own-document", "own-task", "own-flag", "own-list", "own-basic", "own-guidance")
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": data}
    made = [{**one, "id": f"{name}-{whose}"} for name, one in zip(names, more, strict=True)]
    made.append({**binary, "id": f"own-binary-{whose}", "securityContext": patient})
    made.append({**binary, "id": f"own-indirect-{whose}", "securityContext": document})
    return [*found.values(), *made]


def of_patient(here: Installation) -> str:
    """An access token with ``patient/`` scopes for our patient."""
    verifier = secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    scopes = frozenset({"patient/*.rs"})
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        accounts.create_user(store, "dangshiren", "doctor", password=PASSWORD, must_change=False)
        clients.register(store, "app", name="App", scopes=scopes, redirects=["http://127.0.0.1:9/back"])
        known = clients.client_of(store, "app")
        agreed = {"redirect": "http://127.0.0.1:9/back", "challenge": challenge, "patient": f"smart-patient-{OURS}"}
        code = grants.agree(store, known, "dangshiren", scopes, **agreed)
        return grants.exchange(store, known, code, "http://127.0.0.1:9/back", verifier).access


def sign_in(page: httpx.Client) -> None:
    page.get("/sign-in")
    answer = page.post("/sign-in", data={"login": "quyu", "password": PASSWORD})
    assert answer.status_code == 303, answer.text


QUESTIONS = (
    "{type}?_count=500",
    "{type}?_include=*&_count=500",
    "{type}?_revinclude=*&_count=500",
    "{type}?_include=*&_revinclude=*&_include:iterate=*&_count=500",
    "{type}?_id={theirs}",
    "{type}?_total=accurate&_summary=count",
    "{type}/_history?_count=500",
    "{type}/{theirs}",
    "{type}/{theirs}/_history",
    "{type}/{theirs}/_history/1",
    "Patient/smart-patient-A/{type}",
)
MORE = (
    "?_type=Patient,Observation,Device,Binary,Basic&_count=500",
    "_history?_count=500",
    "Patient/smart-patient-A/$everything?_count=500",
    "Patient/smart-patient-D/$everything?_count=500",
    "Patient/$everything?_count=500",
    "Patient/smart-patient-A/*",
    "Encounter/smart-encounter-A1/Condition",
    "Practitioner/smart-practitioner-A/Observation",
    "Device/smart-device-A1/Observation",
    "Organization?_revinclude=Patient:organization&_revinclude:iterate=*",
    "Organization?_has:Patient:organization:_id=smart-patient-A",
    "Organization?_has:Patient:organization:name=SMARTGivenName1",
    "Practitioner?_has:Observation:performer:_id=smart-observation-A1",
    "Observation?subject:Patient._id=smart-patient-A",
    "Observation?patient=smart-patient-A",
    "Observation?subject=Patient/smart-patient-A&_include=Observation:subject",
    "DiagnosticReport?result._id=smart-observation-A1",
    "Patient?_has:Observation:subject:_has:DiagnosticReport:result:_id=smart-diagnosticreport-A1",
    "Patient?_has:Device:patient:_id=smart-device-A1",
    "Patient?_list=own-list-A",
    "List?item=DocumentReference/own-document-A",
    "Device?patient=smart-patient-A",
    "Binary?security-context=Patient/smart-patient-A",
    "Binary?security-context:DocumentReference.patient=smart-patient-A",
)


def said(answer: httpx.Response) -> set[str]:
    """Whatever resource an answer carries, bundles unpacked, and how many it counts."""
    if answer.status_code >= 400 or not answer.content:
        return set()
    body = answer.json()
    entries = [one.get("resource", {}) for one in body.get("entry", ())] if body["resourceType"] == "Bundle" else [body]
    return {f"{one['resourceType']}/{one['id']}" for one in entries if "id" in one and one["resourceType"] != "OperationOutcome"}


@pytest.mark.parametrize("who", ["area", "app"])
def test_nothing_of_the_other_patient_is_told_by_any_question(place: Place, who: str) -> None:
    asker: httpx.Client = getattr(place, who)
    assert len(place.theirs) > 20
    leaked: dict[str, set[str]] = {}
    seen: set[str] = set()
    for reference in sorted(place.theirs):
        type, _, id = reference.partition("/")
        for question in QUESTIONS:
            asked = question.format(type=type, theirs=id)
            answer = asker.get(asked)
            assert answer.status_code < 500, (asked, answer.text)
            seen |= said(answer)
            if told := said(answer) & place.theirs:
                leaked[asked] = told
            if "_summary=count" in asked and answer.status_code == 200:
                ours = sum(one.startswith(f"{type}/") for one in place.ours)
                assert answer.json()["total"] <= max(ours, 9 if type == "Device" else 0), asked
    for asked in MORE:
        answer = asker.get(asked)
        assert answer.status_code < 500, (asked, answer.text)
        if told := said(answer) & place.theirs:
            leaked[asked] = told
        assert "_has:Patient" not in asked or not said(answer) or "smart-organization-A1" not in answer.text.partition('"link"')[0], asked
    assert leaked == {}
    for where in sorted({f"{one.partition('/')[0]}/_history" for one in place.theirs} | {"_history"}):
        answer = asker.get(f"{where}?_count=500")
        if answer.status_code == 200:
            listed = len(answer.json().get("entry", ()))
            assert asker.get(f"{where}?_summary=count").json()["total"] == listed, "a history counts what it would list"
    missing = {one for one in place.ours if one not in seen and who == "area"} - {"GuidanceResponse/own-guidance-D"}
    assert {one for one in missing if one.split("/")[0] in {name.split("/")[0] for name in place.theirs}} == set(), "what is theirs is seen"


def test_bytes_are_seen_with_the_person_or_document_that_they_belong_to(place: Place) -> None:
    for asker in (place.area, place.app):
        assert asker.get(f"Binary/own-binary-{OURS}").status_code == 200
        assert asker.get(f"Binary/own-binary-{THEIRS}").status_code in (403, 404)
        assert asker.get(f"Binary/own-indirect-{THEIRS}").status_code in (403, 404)
    assert place.area.get(f"Binary/own-indirect-{OURS}").status_code == 200
    mine = {"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="}
    belongs = {**mine, "securityContext": {"reference": f"Patient/smart-patient-{OURS}"}}
    assert place.area.post("Binary", json=belongs).status_code == 201
    assert place.area.post("Binary", json={**mine, "securityContext": {"reference": f"Patient/smart-patient-{THEIRS}"}}).status_code == 403
    assert place.area.post("Binary", json=mine).status_code == 403, "bytes of nobody could be anybody's"


@pytest.mark.parametrize("scope", ["$export", "Patient/$export", "Group/g/$export"])
def test_an_export_holds_only_whom_one_looks_after(place: Place, scope: str) -> None:
    if scope.startswith("Group"):
        members = [{"entity": {"reference": f"Patient/smart-patient-{whose}"}} for whose in (OURS, THEIRS)]
        group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members}
        assert place.area.put("Group/g", json=group).status_code in (200, 201), "one of ours is in it"
    begun = place.area.get(scope, headers={"prefer": "respond-async", "accept": "application/fhir+json"})
    assert begun.status_code == 202, begun.text
    where = begun.headers["content-location"]
    for _ in range(200):
        told = place.area.get(where)
        if told.status_code == 200:
            break
        time.sleep(0.1)
    assert told.status_code == 200, told.text
    lines = [line for file in told.json()["output"] for line in place.area.get(file["url"]).text.splitlines()]
    exported = {f"{one['resourceType']}/{one['id']}" for one in map(json.loads, lines)}
    assert exported & place.theirs == set()
    assert f"Patient/smart-patient-{OURS}" in exported


def test_pages_and_their_search_show_nobody_else(place: Place) -> None:
    for address in ("smart-patient-A", "smart-patient-D"):
        answer = place.page.get(f"/people/{address}")
        assert answer.status_code in ((200,) if address.endswith("D") else (403, 404)), address
    csrf = re.search(r'name="csrf" value="([^"]+)"', place.page.get("/people").text)
    assert csrf is not None
    found = place.page.post("/people", data={"q": "SMARTGivenName", "csrf": csrf[1]})
    assert found.status_code == 200
    assert "smart-patient-A" not in found.text
    for address in ("/start", "/figures", "/duplicates", "/people"):
        assert _ID.search(place.page.get(address).text) is None, address
