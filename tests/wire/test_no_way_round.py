"""Every rule of a room, tried through every door of the FHIR API: refused with the same reason, and nothing has changed."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonpatch
import pytest
from eligible import eligible
from fhirserver import fhir_client

from healthsvc import clock
from healthsvc.contract import service as contracts
from healthsvc.documents import Document, freeze
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.systems import CITIZEN_ID, code_system, extension
from healthsvc.forms import service as forms
from healthsvc.forms.tables import FORMS
from healthsvc.greenchannel import service as channels
from healthsvc.greenchannel.resources import flag_id
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as beds
from healthsvc.infusion import service as infusions
from healthsvc.infusion.rules.order import Approval, FirstDose, Order, SkinTest
from healthsvc.referral import service as referrals
from healthsvc.referral.resources import task_id
from healthsvc.referral.rules import Reason
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Kind, Visit, Window

NUMBER = "33029919300101901"
CITIZEN = NUMBER + check_digit(NUMBER)
OTHER_NUMBER = "33029919300101902"
OTHER = OTHER_NUMBER + check_digit(OTHER_NUMBER)
DOCTOR = Actor("Practitioner/d1", "医生", frozenset({"doctor"}), "page")
NOW = clock.now()
TODAY = NOW.astimezone(clock.zone(clock.DEFAULT_ZONE)).date()
TOMORROW = TODAY + timedelta(days=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class World:
    """What stands in the store, by a short name, and the client of a doctor."""

    database: Database
    client: httpx.Client
    known: dict[str, Resource]

    def now(self, type: str, id: str) -> Resource | None:
        with self.database.reading(SYSTEM, at=clock.now()) as store:
            return store.find(type, id)

    def written(self) -> int:
        """How many writes there have been."""
        with self.database.reading(SYSTEM, at=clock.now()) as store:
            counted = "SELECT (SELECT count(*) FROM resource) + (SELECT count(*) FROM history)"
            return int(store.connection.exec_driver_sql(counted).scalar_one())


def staff(store: Store) -> None:
    qualified = code_system("staff-qualification")
    for id, codes, text in (("d1", ("doctor",), ""), ("d2", ("doctor",), ""), ("n1", ("nurse", "infusion"), "主管护师")):
        held = [
            {
                "code": {"coding": [{"system": qualified, "code": one}], **({"text": text} if text else {})},
                "period": {"start": "2010-07-01"},
            }
            for one in codes
        ]
        store.put({"resourceType": "Practitioner", "id": id, "active": True, "qualification": held})


def a_bed(store: Store, patient: str) -> Resource:
    found = eligible(patient, "d1", TODAY)
    signed = SignedConsent("agreed", patient, "home-bed", NOW - HOUR, risks_told=True, fees_told=True, copies=3)
    return beds.establish(store, patient, found, signed, "d1", "n1", TODAY)


def a_course(store: Store, patient: str) -> Resource:
    none_known = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
    about = {"code": {"text": "无"}, "patient": {"reference": f"Patient/{patient}"}}
    store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": none_known, **about})
    order = Order(
        patient, "d1", "ceftriaxone", "头孢曲松钠", "2.0 g", "0.9%氯化钠", 100, 120, TOMORROW, 2, indication="不能口服", batch="B1"
    )
    return infusions.order_course(
        store,
        order,
        consent=SignedConsent("c1", patient, "infusion", NOW - HOUR, risks_told=True),
        approval=Approval("d2", NOW - HOUR, "同意"),
        first_dose=FirstDose(TODAY, "示范医院", "ceftriaxone"),
        skin_test=SkinTest(NOW - HOUR, "ceftriaxone", "B1", True),
        nurse="n1",
    ).request


def visit(id: str, patient: str, kind: Kind = Kind.FOLLOW_UP, start: datetime = NOW - 30 * DAY, days: int = 10) -> Visit:
    return Visit(id, kind, patient, Window(start, start + days * DAY), 30, frozenset({"doctor"}), owner="Practitioner/d1")


def filled(database: Database) -> dict[str, Resource]:
    with database.writing(DOCTOR, at=NOW) as store:
        staff(store)
        numbers = (Identifier(CITIZEN_ID, CITIZEN),)
        file = Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1), identifiers=numbers)
        patient = register(store, file, "urn:test").patient
        young = register(store, Person("测试乙", category=Category.TUIXIU, birth=date(TODAY.year - 61, 1, 1)), "urn:test").patient
        id = str(patient["id"])
        ended = contracts.sign(store, str(young["id"]), "Practitioner/d1", None, TODAY)
        ended = contracts.terminate(store, str(ended["id"]), contracts.EndReason.OWN_WISH, TODAY)
        contract = contracts.sign(store, id, "Practitioner/d1", "Practitioner/n1", TODAY)
        bed, course = a_bed(store, id), a_course(store, id)
        late = visits.request(store, visit("late", id))
        visits.request(store, visit("done", id))
        visits.start(store, "done", NOW - 25 * DAY, ["Practitioner/d1"])
        found = visits.Findings(NOW - 25 * DAY, NOW - 25 * DAY + HOUR, pulse=70)
        made = visits.complete(store, "done", found, "Practitioner/d1")
        planned = visits.request(store, visit("planned", id, start=NOW))
        visits.plan(store, "planned", NOW + HOUR, NOW + 2 * HOUR, ["Practitioner/d1"])
        plain = store.put({"resourceType": "Task", "id": "plain", "status": "requested", "intent": "order", "code": {"text": "x"}})
        fallen = {"resourceType": "Flag", "id": "other", "status": "active", "code": {"text": "跌倒风险"}}
        other = store.put(fallen | {"subject": {"reference": f"Patient/{young['id']}"}})
        dose = next(one for one in visits.open_visits(store, id) if one.kind == Kind.HOME_INFUSION)
        checkup = next(one for one in visits.open_visits(store, id) if one.kind == Kind.QUARTERLY_CHECKUP)
        flag = channels.grant(store, id, TODAY)
        store.put({"resourceType": "Organization", "id": "h1", "name": "示范医院"})
        referred = referrals.refer(store, id, Reason.NEEDS_TEST, "Organization/h1", "Practitioner/d1")
        paper = freeze(store, Document("建床协议书", (), NOW), kind="home-bed-agreement", patient=id)
        form = forms.response_of(FORMS["health-check-basic"], id, {"weight": [60]}, NOW, id="answered")
        answered = store.put(form)
        second = register(store, Person("测试甲", identifiers=(Identifier(CITIZEN_ID, OTHER),)), "urn:test").patient
        return {
            "answered": answered, "second": second,
            "frozen": paper.reference, "bytes": store.read("Binary", f"{paper.id}-pdf"),
            "patient": store.read("Patient", id), "young": store.read("Patient", str(young["id"])), "contract": contract, "ended": ended,
            "bed": bed, "course": course, "late": late, "done": made.task, "made": made.encounter, "plain": plain, "other": other,
            "planned": store.read("Task", str(planned["id"])), "encounter": store.read("Encounter", "visit-planned"), "flag": flag,
            "dose": store.read("Task", dose.id), "checkup": store.read("Task", checkup.id),
            "referral": store.read("Task", task_id(referred.id)),
        }  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("world")
    database = Database.open(f"sqlite:///{folder}/healthsvc.sqlite", rooms=ROOMS)
    known = filled(database)
    with fhir_client(database, folder, role="doctor") as client:
        yield World(database, client, known)
    database.close()


def bundled(kind: str, method: str, url: str, resource: Resource | None = None) -> Resource:
    entry: Resource = {"request": {"method": method, "url": url}}
    return {"resourceType": "Bundle", "type": kind, "entry": [entry | ({"resource": resource} if resource else {})]}


def doors(old: Resource | None, new: Resource | None) -> Iterator[tuple[str, str, str, Any, str]]:
    """Name of the door, method, address, body and media type of one write: a creation, a change or (without ``new``) a deletion."""
    one: Resource = new or old or {}
    type, url, fhir = one["resourceType"], f"{one['resourceType']}/{one['id']}", "application/fhir+json"
    if new is None:
        yield "delete", "DELETE", f"/{url}", None, fhir
        for kind in ("transaction", "batch"):
            yield kind, "POST", "/", bundled(kind, "DELETE", url), fhir
        return
    yield "put", "PUT", f"/{url}", new, fhir
    for kind in ("transaction", "batch"):
        yield f"{kind} put", "POST", "/", bundled(kind, "PUT", url, new), fhir
    if old is None:
        yield "post", "POST", f"/{type}", new, fhir
        yield "transaction post", "POST", "/", bundled("transaction", "POST", type, new), fhir
        return
    yield (
        "json patch",
        "PATCH",
        f"/{url}",
        jsonpatch.make_patch(json.loads(dumps(old)), json.loads(dumps(new))).patch,
        "application/json-patch+json",
    )
    yield "merge patch", "PATCH", f"/{url}", merging(old, new), "application/merge-patch+json"
    yield "conditional put", "PUT", f"/{type}?_id={one['id']}", new, fhir


def merging(old: Resource, new: Resource) -> Resource:
    """The merge patch (RFC 7396) from one to the other."""
    made: Resource = {key: None for key in old if key not in new}
    for key, value in new.items():
        if old.get(key) != value:
            both = isinstance(value, dict) and isinstance(old.get(key), dict)
            made[key] = merging(old[key], value) if both else value
    return made


def reasons(answer: Any) -> set[str]:
    """The reason codes anywhere in an answer."""
    if isinstance(answer, list):
        return {code for one in answer for code in reasons(one)}
    if not isinstance(answer, dict):
        return set()
    own = {answer["code"]} if answer.get("system") == code_system("reason") else set()
    return own.union(*(reasons(inner) for inner in answer.values()))


def without(resource: Resource, *names: str) -> Resource:
    return {key: value for key, value in resource.items() if key not in names}


def with_extension(resource: Resource, name: str, **value: Any) -> Resource:
    kept = [one for one in resource.get("extension", []) if one["url"] != extension(name)]
    return resource | {"extension": [*kept, {"url": extension(name), **value}]}


def weighing(response: Resource, kilograms: int) -> Resource:
    return response | {"status": "amended", "item": [{"linkId": "weight", "answer": [{"valueDecimal": kilograms}]}]}


def signed_as(contract: Resource, kind: str, person: Resource) -> Resource:
    """The same contract with another person, its signatures said to be of another kind."""
    made = deepcopy(contract) | {"id": "second", "subject": [ref(person)]}
    for signer in made["signer"]:
        for one in signer["signature"][0]["extension"]:
            one |= {"valueCode": kind} if one["url"] == extension("signature-kind") else {}
    return made


def stage(code: str) -> Resource:
    return {"coding": [{"system": code_system("referral-stage"), "code": code}]}


def far(days: int) -> str:
    return (TODAY + timedelta(days=days)).isoformat()


def noon(days: int) -> str:
    return datetime.combine(TODAY + timedelta(days=days), time(4), UTC).isoformat()


TRIES: dict[str, tuple[Any, str]] = {
    "a second file for one citizen": (lambda it: (None, it["patient"] | {"id": "twin"}), "patient-duplicate"),
    "a number of somebody else": (lambda it: (it["young"], it["young"] | {"identifier": it["patient"]["identifier"]}), "patient-duplicate"),
    "an impossible number in a form": (lambda it: (None, weighing(it["answered"], 1) | {"id": "new"}), "form-answers"),
    "an impossible number by amendment": (lambda it: (it["answered"], weighing(it["answered"], 900)), "form-answers"),
    "a finished form is deleted": (lambda it: (it["answered"], None), "form-keep"),
    "a finished form is opened again": (lambda it: (it["answered"], it["answered"] | {"status": "in-progress"}), "form-transition"),
    "a finished form becomes somebody else's": (lambda it: (it["answered"], it["answered"] | {"subject": ref(it["young"])}), "form-keep"),
    "the files of two citizens are joined": (
        lambda it: (it["second"], it["second"] | {"link": [{"other": ref(it["patient"]), "type": "replaced-by"}]}),
        "patient-merge-citizen-ids",
    ),
    "a referral is closed without an outcome": (
        lambda it: (it["referral"], it["referral"] | {"status": "completed", "businessStatus": stage("closed")}),
        "referral-outcome",
    ),
    "a referral comes back without having gone": (
        lambda it: (it["referral"], it["referral"] | {"status": "in-progress", "businessStatus": stage("discharged")}),
        "referral-transition",
    ),
    "a referral is deleted": (lambda it: (it["referral"], None), "referral-keep"),
    "a referral becomes something else": (lambda it: (it["referral"], it["referral"] | {"code": {"text": "x"}}), "referral-keep"),
    "a frozen document says something else": (lambda it: (it["frozen"], it["frozen"] | {"date": noon(1)}), "document-frozen"),
    "a frozen document loses its seal": (
        lambda it: (it["frozen"], without(it["frozen"], "extension", "meta")),
        "document-frozen",
    ),
    "a frozen document is deleted": (lambda it: (it["frozen"], None), "document-frozen"),
    "the bytes of a frozen document are changed": (lambda it: (it["bytes"], it["bytes"] | {"data": "AAAA"}), "document-frozen"),
    "the bytes of a frozen document are deleted": (lambda it: (it["bytes"], None), "document-frozen"),
    "a document that somebody else sealed": (lambda it: (None, it["frozen"] | {"id": "forged"}), "document-seal"),
    "a second active contract": (lambda it: (None, it["contract"] | {"id": "second"}), "contract-second-active"),
    "a contract that nobody signed": (
        lambda it: (None, without(it["contract"], "signer") | {"id": "second", "subject": [ref(it["young"])]}),
        "contract-not-signed",
    ),
    "a certified signature without its proof": (
        lambda it: (None, signed_as(it["contract"], "certified", it["young"])),
        "contract-certified-proof",
    ),
    "a signature carried over where nothing renews by itself": (
        lambda it: (None, signed_as(it["contract"], "carried-over", it["young"])),
        "contract-carried-over",
    ),
    "a signed contract is handed to another doctor": (
        lambda it: (it["contract"], with_extension(it["contract"], "signed-doctor", valueReference={"reference": "Practitioner/d2"})),
        "contract-doctor",
    ),
    "an ended contract comes to life": (lambda it: (it["ended"], it["contract"] | {"id": it["ended"]["id"]}), "contract-transition"),
    "a contract in force is deleted": (lambda it: (it["contract"], None), "contract-delete"),
    "an ended contract is deleted": (lambda it: (it["ended"], None), "contract-delete"),
    "a contract becomes something else": (lambda it: (it["contract"], without(it["contract"], "type", "meta")), "contract-type"),
    "a second open checkup of a quarter": (lambda it: (None, it["checkup"] | {"id": "again"}), "visit-open-twice"),
    "a late visit without a reason": (lambda it: (it["late"], it["late"] | {"status": "completed"}), "visit-late-reason"),
    "a visit that begins as done": (lambda it: (None, it["late"] | {"id": "new", "status": "completed"}), "visit-transition"),
    "a done visit is planned again": (lambda it: (it["done"], it["done"] | {"status": "accepted"}), "visit-transition"),
    "a done visit is deleted": (lambda it: (it["done"], None), "visit-keep"),
    "a visit changes its person": (lambda it: (it["late"], it["late"] | {"for": ref(it["young"])}), "visit-person"),
    "a finished visit begins again": (lambda it: (it["made"], it["made"] | {"status": "in-progress"}), "visit-transition"),
    "a finished visit is called off": (lambda it: (it["made"], it["made"] | {"status": "cancelled"}), "visit-transition"),
    "a finished visit's record is deleted": (lambda it: (it["made"], None), "visit-keep"),
    "a finished visit becomes something else": (lambda it: (it["made"], without(it["made"], "type", "meta")), "visit-keep"),
    "an infusion without a course": (lambda it: (None, without(it["dose"], "basedOn") | {"id": "alone"}), "infusion-no-course"),
    "an infusion on a course that is not": (
        lambda it: (None, it["dose"] | {"id": "alone", "basedOn": [{"reference": "MedicationRequest/none"}]}),
        "infusion-no-course",
    ),
    "any Task becomes an infusion": (
        lambda it: (it["plain"], without(it["dose"], "basedOn") | {"id": "plain"}),
        "infusion-no-course",
    ),
    "an infusion leaves its course": (lambda it: (it["dose"], without(it["dose"], "basedOn")), "infusion-no-course"),
    "an infusion is done without its record": (
        lambda it: (it["dose"], it["dose"] | {"status": "completed", "executionPeriod": {"start": noon(1), "end": noon(1)}}),
        "infusion-no-record",
    ),
    "a course without its skin test": (
        lambda it: (
            None,
            it["course"] | {"id": "forged", "extension": [one for one in it["course"]["extension"] if "skin-test" not in one["url"]]},
        ),
        "infusion-skin-test-invalid",
    ),
    "an order is changed in force": (lambda it: (it["course"], it["course"] | {"authoredOn": far(-1)}), "infusion-order-fixed"),
    "a course is deleted": (lambda it: (it["course"], None), "infusion-keep"),
    "rights that no rule gives": (
        lambda it: (None, it["flag"] | {"id": flag_id(it["young"]["id"]), "subject": ref(it["young"])}),
        "greenchannel-not-entitled or greenchannel-one-flag",
    ),
    "any Flag becomes a green channel": (
        lambda it: (it["other"], it["flag"] | {"id": "other", "subject": ref(it["young"])}),
        "greenchannel-one-flag",
    ),
    "rights that nobody approved": (
        lambda it: (
            None,
            it["flag"] | {"id": flag_id(it["young"]["id"]), "subject": ref(it["young"]), "author": {"reference": "Practitioner/nobody"}},
        ),
        "greenchannel-no-approver or greenchannel-one-flag",
    ),
    "a reason that does not hold": (
        lambda it: (it["flag"], with_extension(it["flag"], "green-channel-reason", valueCode="veteran")),
        "greenchannel-not-entitled",
    ),
    "rights for ever": (lambda it: (it["flag"], it["flag"] | {"period": {"start": far(0)}}), "greenchannel-too-long"),
    "rights for ever, with an approver": (
        lambda it: (it["flag"], it["flag"] | {"period": {"start": far(0)}, "author": {"reference": "Practitioner/d1"}}),
        "greenchannel-too-long",
    ),
    "a green channel is deleted": (lambda it: (it["flag"], None), "greenchannel-keep"),
    "a home bed beyond its days": (
        lambda it: (it["bed"], with_extension(it["bed"], "home-bed-last-day", valueDate=far(90))),
        "homebed-too-long",
    ),
    "a home bed with a longer period": (
        lambda it: (it["bed"], it["bed"] | {"period": it["bed"]["period"] | {"end": far(120)}}),
        "homebed-too-long",
    ),
    "a home bed closed without a reason": (lambda it: (it["bed"], it["bed"] | {"status": "finished"}), "homebed-no-discharge"),
    "a second open home bed": (lambda it: (None, it["bed"] | {"id": "second"}), "homebed-second-open"),
    "a home bed is handed to another": (lambda it: (it["bed"], it["bed"] | {"patient": ref(it["young"])}), "homebed-keep"),
    "a home bed is deleted": (lambda it: (it["bed"], None), "homebed-keep"),
    "a home bed without an assessment": (
        lambda it: (
            None,
            with_extension(it["bed"], "home-bed-assessment", valueReference={"reference": "ClinicalImpression/none"})
            | {"id": "second", "patient": ref(it["young"])},
        ),
        "homebed-not-assessed",
    ),
}
"""What is tried: from what, to what, and the reason for which it must be refused."""


def ref(resource: Resource) -> Resource:
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


@pytest.mark.parametrize("what", sorted(TRIES))
def test_no_door_leads_round(world: World, what: str) -> None:
    attempt, reason = TRIES[what]
    old, new = (None if one is None else deepcopy(one) for one in attempt(world.known))
    before, through = world.written(), []
    for door, method, url, body, media in doors(old, new):
        answer = world.client.request(method, url, content=None if body is None else dumps(body), headers={"content-type": media})
        assert "batch" in door or answer.status_code in (409, 422), f"{door}: {answer.status_code}\n{answer.text[:500]}"
        found = reasons(answer.json())
        if not found or not found <= set(reason.split(" or ")):
            through.append(f"{door}: {answer.status_code} {answer.text[:600]}")
    assert through == []
    assert world.written() == before, "nothing was written"
    if old is not None:
        assert world.now(old["resourceType"], old["id"]) == old
