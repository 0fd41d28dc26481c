"""The gates of an order and the rules of the bedside and of the bed's record, tried through every door of the FHIR API."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from fhirserver import fhir_client
from staffed import staffed
from test_no_way_round import World, doors, reasons

from healthsvc.fhir.consent import SignedConsent, to_consent
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.systems import extension
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import applications, notes, plans
from healthsvc.homebed import service as beds
from healthsvc.homebed.rules.application import Application
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.rules.note import Note, NoteKind
from healthsvc.homebed.rules.plan import Item, Plan, PlanKind
from healthsvc.infusion import bedside, hospital, overrides, signatures
from healthsvc.infusion import service as infusions
from healthsvc.infusion.records import OfTheDay, given_id, to_administration
from healthsvc.infusion.rules.bedside import Act, Entry
from healthsvc.infusion.rules.gates import AT_ORDER, REASONS, Gate
from healthsvc.infusion.rules.order import Approval, Companion, DoubleCheck, FirstDose, Order, Override, RescueKit, SkinTest
from healthsvc.rooms import ROOMS
from healthsvc.store import Actor, Database, Store
from healthsvc.visit.service import open_visits

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
STAMP = AT.isoformat()
DOCTOR = Actor("Practitioner/d1", "医生", frozenset({"doctor"}), "page")
KIT_ITEMS = (
    "adrenaline", "antihistamine", "dexamethasone", "oxygen-or-bag", "tourniquet", "bp-cuff", "spare-infusion-set", "disinfectant",
    "sharps-box",
)  # fmt: skip
KIT = RescueKit(ON, "n1", frozenset(KIT_ITEMS), date(2027, 6, 1))
CHECK = DoubleCheck("n1", "d1", AT - timedelta(minutes=20))
GOOD = OfTheDay(Companion(True, True, "n1", ON), CHECK, KIT)


def somebody(store: Store, name: str, allergy: str | None, start: date | None = ON) -> str:
    """A person with a home bed from a day on (None: without one) and, where told, what the file says of allergies."""
    patient = str(register(store, Person(name, category=Category.LIXIU, birth=date(1930, 1, 1)), "urn:test").patient["id"])
    if allergy is not None:
        active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
        about = {"code": {"text": allergy}, "patient": {"reference": f"Patient/{patient}"}}
        store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, **about})
    if start is not None:
        pneumonia = Diagnosis("J15.900", "肺炎恢复期")
        found = Assessment(patient, "d1", start, pneumonia, frozenset({"recurrent-infection"}), frozenset(), True, 20, True, True, "建床")
        signed = AT - timedelta(days=(ON - start).days, hours=1)
        agreed = SignedConsent(f"ag-{patient}", patient, "home-bed", signed, risks_told=True, fees_told=True, copies=3)
        beds.establish(store, patient, found, agreed, "d1", "n1", start)
    return patient


def filled(database: Database) -> dict[str, Any]:
    with database.writing(DOCTOR, at=AT) as store:
        nurses = (staffed("n1", "nurse", "infusion", text="主管护师"), staffed("n2", "nurse"))
        for one in (staffed("d1", "doctor"), staffed("d2", "doctor"), *nurses):
            store.put(one)
        store.put({"resourceType": "Organization", "id": "h1", "name": "示范医院"})
        patient = somebody(store, "测试甲", "无")
        bed = beds.open_bed(store, patient)
        assert bed is not None
        consent = SignedConsent("c1", patient, "infusion", AT - timedelta(hours=1), risks_told=True)
        order = Order(patient, "d1", "ceftriaxone", "头孢曲松钠", "2.0 g", "0.9%氯化钠", 100, 120, ON, 2, indication="不能口服", batch="B1")
        course = infusions.order_course(
            store,
            order,
            consent=consent,
            approval=Approval("d2", AT - timedelta(hours=1), "同意"),
            first_dose=FirstDose(date(2026, 11, 22), "示范医院", "ceftriaxone"),
            skin_test=SkinTest(AT - timedelta(hours=2), "ceftriaxone", "B1", True),
            overrides=[],
            nurse="n1",
        ).request
        store.put(to_consent(replace(consent, id="c2", withdrawn=AT - timedelta(minutes=5))))
        dose = open_visits(store, patient, "home-infusion")[0].id
        bedside.take(store, dose, Entry(Act.ARRIVE, AT - timedelta(minutes=4), "n1"))
        bedside.take(store, dose, Entry(Act.IDENTIFY, AT - timedelta(minutes=3), "n1", matched=("name", "birth-date")))
        proposal = hospital.propose(store, hospital.HospitalOrder(patient, "h1", "1", "氨溴索"))
        plan = plans.keep_plan(store, Plan(bed.id, patient, PlanKind.TREATMENT, "d1", ON, (Item("换药", ON),)))
        parts = (("complaint", "咳嗽"),)
        hour = timedelta(hours=1)
        note = notes.keep_note(store, Note("note1", bed.id, patient, NoteKind.ROUND, "d1", AT, AT - hour, AT - hour, parts))
        signed = signatures.sign(store, dose)
        other = somebody(store, "测试己", "无")
        restricted = replace(order, patient=other, drug_code="doxofylline", drug_name="多索茶碱", batch=None)
        infusions.order_course(
            store,
            restricted,
            consent=replace(consent, id="c3", patient=other),
            first_dose=FirstDose(date(2026, 11, 22), "示范医院", "doxofylline"),
            overrides=[Override(Gate.RESTRICTED, "d2", "电话同意", AT)],
        )
        apply = Application("", patient, ON, "测试丙", "女儿", "0574-00001111", summary="慢阻肺")
        applied = applications.apply(store, replace(apply, patient=somebody(store, "测试庚", "无", None)))
        people = {
            "nobody": somebody(store, "测试乙", "无", None),
            "ending": somebody(store, "测试丙", "无", ON - timedelta(days=89)),
            "unasked": somebody(store, "测试丁", None),
            "allergic": somebody(store, "测试戊", "头孢过敏"),
        }
        return {
            "course": course, "given": store.read("MedicationAdministration", given_id(dose)), "dose": dose, "proposal": proposal,
            "plan": plan, "note": note, "signed": signed, "override": overrides.overridden(store, other)[0], "applied": applied,
            "people": people,
        }  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("home")
    with time_machine.travel(AT, tick=True):
        database = Database.open(f"sqlite:///{folder}/healthsvc.sqlite", rooms=ROOMS)
        known = filled(database)
        with fhir_client(database, folder, role="doctor") as client:
            yield World(database, client, known)
        database.close()


def forged(it: dict[str, Any], drop: str = "", patient: str = "", **change: Any) -> Resource:
    """The course under another id: without one of its proofs, for another person, or with something changed."""
    course = deepcopy(it["course"]) | {"id": "forged"} | change
    course["extension"] = [one for one in course["extension"] if not drop or not one["url"].endswith(drop)]
    if patient:
        course["subject"] = {"reference": f"Patient/{it['people'][patient]}"}
    return course


def proof(it: dict[str, Any], name: str, **parts: Any) -> Resource:
    """The course with one part of a proof changed (None: taken away)."""
    course = forged(it)
    for one in course["extension"]:
        if one["url"] == extension(name):
            for url, value in parts.items():
                kept = [part for part in one["extension"] if part["url"] != url]
                one["extension"] = kept + ([{"url": url, **value}] if value else [])
    return course


def drug(code: str, text: str) -> Resource:
    coding = {"system": "https://healthsvc.example/fhir/CodeSystem/drug", "code": code}
    return {"coding": [coding], "text": text}


def consented(it: dict[str, Any], id: str) -> Resource:
    course = forged(it, "infusion-consent")
    course["extension"].append({"url": extension("infusion-consent"), "valueReference": {"reference": f"Consent/{id}"}})
    return course


ORDER: dict[tuple[Gate, str], Callable[[dict[str, Any]], Resource]] = {
    (Gate.CARE, "missing"): lambda it: forged(it, patient="nobody"),
    (Gate.CARE, "failing"): lambda it: forged(it, patient="ending"),
    (Gate.ORDER, "missing"): lambda it: {key: value for key, value in forged(it).items() if key not in ("requester", "meta")},
    (Gate.ORDER, "failing"): lambda it: forged(it, requester={"reference": "Practitioner/n1"}),
    (Gate.FORBIDDEN, "missing"): lambda it: forged(it, medicationCodeableConcept=drug("x", "某药")),
    (Gate.FORBIDDEN, "failing"): lambda it: forged(it, medicationCodeableConcept=drug("benzylpenicillin", "青霉素钠")),
    (Gate.RESTRICTED, "missing"): lambda it: forged(it, "infusion-approval"),
    (Gate.RESTRICTED, "failing"): lambda it: proof(it, "infusion-approval", text=None),
    (Gate.FIRST_DOSE, "missing"): lambda it: forged(it, "infusion-first-dose"),
    (Gate.FIRST_DOSE, "failing"): lambda it: proof(it, "infusion-first-dose", reaction={"valueBoolean": True}),
    (Gate.SKIN_TEST, "missing"): lambda it: forged(it, "infusion-skin-test"),
    (Gate.SKIN_TEST, "failing"): lambda it: proof(it, "infusion-skin-test", negative={"valueBoolean": False}),
    (Gate.ALLERGY, "missing"): lambda it: forged(it, patient="unasked"),
    (Gate.ALLERGY, "failing"): lambda it: forged(it, patient="allergic"),
    (Gate.CONSENT, "missing"): lambda it: forged(it, "infusion-consent"),
    (Gate.CONSENT, "failing"): lambda it: consented(it, "c2"),
}


def tried(world: World, old: Resource | None, new: Resource | None, wanted: set[str]) -> None:
    """Try every door; each refuses with one of the reasons, and nothing is written."""
    before, through = world.written(), []
    for door, method, url, body, media in doors(old, new):
        answer = world.client.request(method, url, content=None if body is None else dumps(body), headers={"content-type": media})
        assert "batch" in door or answer.status_code in (403, 409, 422), f"{door}: {answer.status_code}\n{answer.text[:500]}"
        found = reasons(answer.json())
        if not found or not found <= wanted:
            through.append(f"{door}: {answer.status_code} {answer.text[:600]}")
    assert through == []
    assert world.written() == before, "nothing was written"


@pytest.mark.parametrize(("gate", "how"), sorted(ORDER))
def test_a_shut_gate_of_an_order_is_shut_at_every_door(world: World, gate: Gate, how: str) -> None:
    tried(world, None, ORDER[gate, how](world.known), {REASONS[gate]})


def test_every_gate_of_an_order_is_tried_without_and_against_its_evidence() -> None:
    assert set(ORDER) == {(gate, how) for gate in AT_ORDER for how in ("missing", "failing")}


BEDSIDE: dict[str, tuple[OfTheDay, Gate]] = {
    "no companion": (replace(GOOD, companion=None), Gate.COMPANION),
    "a child as companion": (replace(GOOD, companion=Companion(True, False, "n1", ON)), Gate.COMPANION),
    "nobody has checked": (replace(GOOD, double_check=None), Gate.DOUBLE_CHECK),
    "one has checked twice": (replace(GOOD, double_check=DoubleCheck("n1", "n1", AT)), Gate.DOUBLE_CHECK),
    "no kit": (replace(GOOD, kit=None), Gate.NURSE_AND_KIT),
    "a kit that has expired": (replace(GOOD, kit=replace(KIT, expires=ON - timedelta(days=1))), Gate.NURSE_AND_KIT),
    "a kit of yesterday": (replace(GOOD, kit=replace(KIT, on=ON - timedelta(days=1))), Gate.NURSE_AND_KIT),
}


def cleared(world: World, evidence: OfTheDay, *acts: Act, by: str = "n1") -> Resource:
    """The record as a client would forge it: with further steps and this evidence."""
    with world.database.reading(DOCTOR, at=AT) as store:
        given = bedside.where(store, world.known["dose"])
    log = (*given.bedside.log, *(Entry(act, AT, by) for act in acts))
    forged = replace(given, bedside=replace(given.bedside, log=log), evidence=evidence)
    made = to_administration(forged, world.known["course"]["medicationCodeableConcept"])
    return world.known["given"] | {"extension": made["extension"], "performer": made["performer"]}


@pytest.mark.parametrize("what", sorted(BEDSIDE))
def test_a_shut_gate_of_the_bedside_is_shut_at_every_door(world: World, what: str) -> None:
    evidence, gate = BEDSIDE[what]
    tried(world, world.known["given"], cleared(world, evidence, Act.CLEAR), {REASONS[gate]})


def test_an_unqualified_nurse_clears_nothing_at_any_door(world: World) -> None:
    tried(world, world.known["given"], cleared(world, GOOD, Act.CLEAR, by="n2"), {REASONS[Gate.NURSE_AND_KIT]})


def late(resource: Resource, **change: Any) -> Resource:
    return deepcopy(resource) | change


RECORDS: dict[str, tuple[Callable[[dict[str, Any]], tuple[Resource | None, Resource | None]], str]] = {
    "a hospital's order becomes a course": (
        lambda it: (it["proposal"], late(it["proposal"], intent="order", status="active")),
        "infusion-proposal",
    ),
    "a hospital's order is deleted": (lambda it: (it["proposal"], None), "infusion-proposal"),
    "somebody else confirms an override": (
        lambda it: (it["override"], late(it["override"], status="final")),
        "infusion-override-other-doctor",
    ),
    "an override is rewritten": (lambda it: (it["override"], late(it["override"], detail="x")), "infusion-override-kept"),
    "an override is deleted": (lambda it: (it["override"], None), "infusion-override-kept"),
    "a check signed for another": (lambda it: (None, late(it["signed"], id="forged")), "infusion-signature-other"),
    "a signed check is deleted": (lambda it: (it["signed"], None), "infusion-signature-kept"),
    "a bedside record is deleted": (lambda it: (it["given"], None), "infusion-keep"),
    "a drug list by a doctor": (
        lambda it: (
            None,
            {
                "resourceType": "CodeSystem", "id": "infusion-drugs", "status": "active", "content": "complete", "version": "1",
                "publisher": "x", "concept": [{"code": "a", "display": "A", "property": [{"code": "verdict", "valueCode": "allowed"}]}],
            },
        ),
        "infusion-drug-list-role",
    ),
    "an application is registered without a bed": (
        lambda it: (it["applied"], late(it["applied"], status="completed")),
        "homebed-application-bed",
    ),
    "an application is deleted": (lambda it: (it["applied"], None), "homebed-application-keep"),
    "a nurse's treatment plan": (lambda it: (it["plan"], late(it["plan"], author={"reference": "Practitioner/n1"})), "homebed-plan-author"),
    "a plan is deleted": (lambda it: (it["plan"], None), "homebed-plan-keep"),
    "a note is rewritten": (
        lambda it: (it["note"], late(it["note"], event=[it["note"]["event"][0] | {"period": {"start": STAMP, "end": STAMP}}])),
        "homebed-note-keep",
    ),
    "a note is deleted": (lambda it: (it["note"], None), "homebed-note-keep"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(RECORDS))
def test_the_records_are_kept_at_every_door(world: World, what: str) -> None:
    attempt, reason = RECORDS[what]
    old, new = attempt(world.known)
    if new is not None and new["id"] == "infusion-drugs":
        answer = world.client.put("/CodeSystem/infusion-drugs", content=dumps(new), headers={"content-type": "application/fhir+json"})
        assert answer.status_code == 403
        assert reasons(answer.json()) == {reason}
        return
    tried(world, old, new, {reason})
