"""Every route that names a person, tried from their own area, from another, by whoever visits them today, and past a broken glass.

Made from the route table: a route with a parameter that is neither known here to name a person nor listed as naming none fails the test.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from conftest import NO_FACTOR
from eligible import eligible
from serving import serving
from test_web_bedside import _staff
from world import PASSWORD, build

from healthsvc import clock
from healthsvc.access import accounts, door, glass
from healthsvc.access.door import writing_as
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.fhir.consent import SignedConsent
from healthsvc.healthfile.service import today
from healthsvc.homebed import service as homebeds
from healthsvc.infusion import service as infusions
from healthsvc.infusion.rules.order import Approval, FirstDose, Order
from healthsvc.installation import Installation, open_installation
from healthsvc.referral import service as referrals
from healthsvc.referral.rules import Reason
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.resources import to_visit
from integrations.hospitals.shelf import shelf
from integrations.operating.desk import Desk
from integrations.origin import origin

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "wire"))
from test_role_matrix import required, routes

PERSON = re.compile(r"^/people/\{id\}|^/channels/\{id\}|\{patient\}|^/fhir/Patient/\{id")
RECORDS = (
    (re.compile(r"^/contracts/\{id\}|^/api/contract/\{contract\}"), "Contract"),
    (re.compile(r"^/visits/\{id\}|^/api/(visit|checkup|infusion/visits)/\{task\}|^/fhir/Task/\{id"), "Task"),
    (re.compile(r"^/forms/\{response\}|^/fhir/QuestionnaireResponse/\{id"), "QuestionnaireResponse"),
    (
        re.compile(r"^/documents/\{id\}|^/attachments/\{type\}/\{id\}|^/api/documents/\{document\}|^/fhir/DocumentReference/\{id"),
        "DocumentReference",
    ),
    (re.compile(r"^/reports/\{id\}"), "DiagnosticReport"),
    (re.compile(r"^/referrals/\{id\}|^/api/referral/\{referral\}"), "ServiceRequest"),
    (re.compile(r"^/beds/\{bed\}|^/api/homebed/\{bed\}|^/fhir/EpisodeOfCare/\{id"), "EpisodeOfCare"),
    (re.compile(r"^/infusions/\{course\}|^/api/infusion/courses/\{course\}|^/fhir/MedicationRequest/\{id"), "MedicationRequest"),
)
"""Which record a parameter means; the person's first one is tried."""
FHIR = re.compile(r"^/fhir/\{(of|type):fhirtype\}/\{id:fhirid\}|^/(api/hl7/)?origin/\{type\}/\{id\}")
NOBODY = re.compile(
    r"^/(account|users|tokens|help|figures|operate|reminders|glass/review|cds-services|mustvisits)/|^/api/(dayplan|indicators|ledgers|mustvisit)"
    r"|^/api/checkup/(day|decisions|reminders)|^/api/circle/station|^/fhir/(\$|CodeSystem|Group|Measure|Questionnaire/|Subscription|ValueSet)"
    r"|^/fhir/\{type:fhirtype\}(/(\$validate|_history|_search))?$"
)
"""Names no person, or a work list by its own id; searches and lists are narrowed in SQL (tests/rooms/test_access_sight.py)."""
ELSEWHERE = re.compile(
    r"^/pocket/|^/(api/)?emergency/|^/(api/contract/)?cards/\{token\}|^/infusions/(overrides|reactions)|^/api/infusion/(hospital-orders|overrides|returns)"
    r"|^/api/homebed/applications"
)
"""An alarm is answered whoever looks after the person; the others have ids of their own and are tried in the tests of their rooms."""
WHO = ("own", "duty", "glass", "other")
NOT_THERE = (401, 403, 404, 410)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    data = tmp_path_factory.mktemp("areas")
    (data / "policy").mkdir()
    (data / "policy" / "access.toml").write_text(NO_FACTOR, encoding="utf-8")
    opened = open_installation(settings=Settings(data=data))
    now = clock.now()
    person = build(opened.database, now).first
    with opened.database.writing(SYSTEM, at=now) as store:
        for area in ("east", "west"):
            store.put({"resourceType": "Organization", "id": area, "name": area})
        store.put(store.read("Patient", person) | {"managingOrganization": {"reference": "Organization/east"}})
        for who in WHO:
            practitioner = "Practitioner/doctor-2" if who == "duty" else None
            area = "Organization/east" if who == "own" else "Organization/west"
            accounts.create_user(store, f"a-{who}", "doctor", practitioner=practitioner, areas=[area], password=PASSWORD)
        tasks = [to_visit(one) for one in store.select("Task", patient=person, status="requested")]
        visit = next(one for one in tasks if one.kind == "quarterly-checkup")
        visits.plan(store, visit, now + timedelta(minutes=20), now + timedelta(minutes=60), ["Practitioner/doctor-2"])
        _records(store, person, now)
    looker = Actor("user/a-glass", "", frozenset({"doctor"}), "page", frozenset({"Organization/west"}))
    with opened.database.writing(looker, at=now) as store:
        glass.break_glass(store, person, "夜间急诊需要病史")
    yield opened, person
    opened.close()


def _records(store: Store, person: str, now: datetime) -> None:
    """A home bed, a course of infusions, a referral: so that their routes have something to show."""
    on = today(store)
    for one in (_staff("dr-1", "doctor"), _staff("dr-2", "doctor"), _staff("nu-1", "nurse", "infusion", title="主管护师")):
        store.once(one)
    found = eligible(person, "dr-1", on)
    agreed = SignedConsent("agreed", person, "home-bed", now - timedelta(hours=2), risks_told=True, fees_told=True, copies=3)
    homebeds.establish(store, person, found, agreed, "dr-1", "nu-1", on)
    infusions.order_course(  # from tomorrow: in the evening today's first dose is over
        store,
        Order(
            person,
            "dr-1",
            "ambroxol",
            "盐酸氨溴索",
            "30 mg",
            "0.9%氯化钠",
            100,
            120,
            on + timedelta(days=1),
            1,
            indication="不能口服",
            batch="B1",
        ),
        consent=SignedConsent("c-1", person, "infusion", now - timedelta(hours=1), risks_told=True),
        approval=Approval("dr-2", now - timedelta(hours=1), "同意"),
        first_dose=FirstDose(on - timedelta(days=1), "示范医院", "ambroxol"),
        nurse="nu-1",
    )
    store.put({"resourceType": "Organization", "id": "lanwan", "name": "澜湾医院"})
    subject = {"reference": f"Patient/{person}"}
    store.put({"resourceType": "DiagnosticReport", "id": "told", "status": "final", "code": {"text": "心电图"}, "subject": subject})
    referrals.refer(store, person, Reason.NEEDS_TEST, "Organization/lanwan", "Practitioner/doctor-1", summary="复查")


@contextmanager
def browsers(url: str) -> Iterator[dict[str, tuple[httpx.Client, str]]]:
    opened: dict[str, tuple[httpx.Client, str]] = {}
    try:
        for who in WHO:
            client = httpx.Client(base_url=url, headers={"accept": "text/html"}, timeout=60)
            assert client.post("/sign-in", data={"login": f"a-{who}", "password": PASSWORD}).status_code == 303
            found = re.search(r'name="csrf" value="([^"]+)"', client.get("/account/password").text)
            assert found is not None
            opened[who] = (client, found[1])
        yield opened
    finally:
        for client, _ in opened.values():
            client.close()


class Undone(Exception):
    """Ends a transaction that shall leave nothing behind."""


@contextmanager
def undone(database: Database, actor: Actor, whole: bool = False) -> Iterator[Store]:
    """As the door's own, but what was written goes: what one of them does, the next must not find."""
    with suppress(Undone), writing_as(database, actor, whole) as store:
        yield store
        raise Undone


def test_the_area_decides_at_every_route_that_names_a_person(here: tuple[Installation, str], monkeypatch: pytest.MonkeyPatch) -> None:
    installation, person = here
    monkeypatch.setattr(door, "writing_as", undone)
    app = create_app(installation, wiring={"origin": partial(origin, shelf=shelf()), "desk": Desk(shelf())})
    with installation.database.reading(SYSTEM, at=clock.now()) as store:
        kinds = {kind for _, kind in RECORDS}
        ids = {kind: str(found[0]["id"]) for kind in kinds if (found := store.select(kind, patient=person))}
        name = store.read("Patient", person)["name"][0]["text"]
    assert kinds - {"QuestionnaireResponse"} <= set(ids)
    unknown, let_in, shut_out, told = [], [], [], []
    tried = seen = written = 0
    with serving(app) as url, browsers(url) as by:
        for route in routes(app):
            if "{" not in route.path or NOBODY.match(route.path) or ELSEWHERE.match(route.path):
                continue
            if required(route) is None or "clinical" not in str(required(route)):
                continue
            kind = (
                "Patient"
                if PERSON.search(route.path) or FHIR.match(route.path)
                else next((k for at, k in RECORDS if at.match(route.path)), None)
            )
            if kind is None:
                unknown.append(route.path)
                continue
            id = person if kind == "Patient" else ids.get(kind)
            if id is None:
                continue
            path = re.sub(r"\{(id|patient|contract|task|response|document|referral|bed|course)(:\w+)?\}", id, route.path, count=1)
            path = re.sub(r"\{(of|type):?\w*\}", "Patient", path, count=1) if FHIR.match(route.path) else path
            path = re.sub(r"\{type:fhirtype\}", "Observation", path)
            path = path.replace("{type}", str(kind)).replace("{turn}", "1")
            path = re.sub(r"\{version:fhirid\}", "1", path)
            path = re.sub(r"\{(name|kind)\}", "personal-information" if "/forms/" in path else "x", path)
            for method in sorted(route.methods):
                tried += 1
                answers = {who: ask(by[who], method, path) for who in WHO}
                place = f"{method} {route.path}"
                if answers["other"].status_code < 400 and not empty(answers["other"], path):
                    let_in.append((place, answers["other"].status_code))
                if name in answers["other"].text:
                    told.append(place)
                if method == "GET" and answers["own"].status_code < 400:
                    seen += 1
                    shut_out += [(place, who, answers[who].status_code) for who in ("duty", "glass") if answers[who].status_code >= 400]
                elif method != "GET" and answers["own"].status_code not in NOT_THERE:
                    written += 1
                    shut_out += [
                        (place, who, answers[who].status_code) for who in ("duty", "glass") if answers[who].status_code in NOT_THERE
                    ]
    assert unknown == [], "say in this file whom the parameter names, or that it names nobody"
    assert (let_in, told, shut_out) == ([], [], [])
    assert tried > 80
    assert written > 40, "whoever visits today, or has broken the glass, is asked for the same as in one's own area"
    assert seen > 35, "what one sees in one's own area is what the others are measured by"


def ask(by: tuple[httpx.Client, str], method: str, path: str) -> httpx.Response:
    client, csrf = by
    if method == "GET":
        return client.get(path, headers={"accept": "application/fhir+json"} if path.startswith("/fhir") else None)
    if path.startswith("/fhir"):
        return client.request(
            method, path, json={"resourceType": path.split("/")[2]}, headers={"x-csrf-token": csrf, "accept": "application/fhir+json"}
        )
    return client.request(method, path, data={"csrf": csrf}, headers={"x-csrf-token": csrf})


def empty(answer: httpx.Response, path: str) -> bool:
    """A search within a compartment that one may not see finds nothing, like any other; $validate judges what was sent."""
    if not path.startswith("/fhir"):
        return False
    told = answer.json()
    return told["resourceType"] == "OperationOutcome" or (told["resourceType"] == "Bundle" and told.get("total", 0) == 0)
