"""What the rooms write is valid R4 and conforms to the published profiles."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from healthsvc.checkup import selfcare
from healthsvc.checkup.resources import self_care_observation
from healthsvc.contract import rules as contract
from healthsvc.contract.resources import to_care_team, to_contract
from healthsvc.dayplan.day import DayLeft, DayPlan, DayRoute, DayStop
from healthsvc.dayplan.resources import to_list
from healthsvc.fhir import profiles, systems
from healthsvc.fhir.consent import SignedConsent, to_consent
from healthsvc.fhir.json import Resource
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.greenchannel import resources as green
from healthsvc.greenchannel import rules as green_rules
from healthsvc.healthfile import rules as file
from healthsvc.healthfile.resources import to_patient
from healthsvc.homebed import resources as beds
from healthsvc.homebed.rules import bed as bed_rules
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.infusion import records
from healthsvc.infusion import resources as infusion
from healthsvc.infusion.rules.bedside import Act, Bedside, Entry, Step, Vitals
from healthsvc.infusion.rules.order import Approval, Companion, DoubleCheck, FirstDose, Order, Override, RescueKit, SkinTest
from healthsvc.referral import resources as referrals
from healthsvc.referral import rules as referral
from healthsvc.visit import rules as visits
from healthsvc.visit.resources import encounter_of, to_task

AT = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
DAY = date(2026, 3, 5)


def person() -> file.Person:
    return file.Person(
        name="单国强",
        sex="male",
        sex_code="1",
        birth=date(1930, 1, 2),
        identifiers=(file.Identifier(systems.CITIZEN_ID, "330299193001029019", True),),
        phones=("057400000000",),
        address="浙江省宁波市海曙区",
        position=file.Position(29.87, 121.55),
        contacts=(file.Contact(file.ContactRole.FAMILY, "单小强", "057400000001", "儿子"),),
        category=file.Category.LIXIU,
        managing_unit="某局",
        residence_area="月湖街道",
        resettled=False,
        living=file.Living.ALONE,
        tags=(file.RiskTag("age-90", "年满90周岁"),),
        doctor="Practitioner/d1",
        centre="Organization/c1",
    )


def agreement() -> contract.Agreement:
    signed = (
        contract.Signed(contract.Side.PROXY, contract.SignatureKind.DRAWN, AT, "单小强", "儿子"),
        contract.Signed(contract.Side.DOCTOR, contract.SignatureKind.CERTIFIED, AT),
    )
    return contract.Agreement(
        "k1", "p1", "Practitioner/d1", "Practitioner/n1", DAY, date(2027, 3, 4), contract.State.TERMINATED, "Organization/c1", "K-1",
        promises=(contract.Promise("quarterly-checkup", 4),), signatures=signed, predecessor="Contract/k0",
        end_reason=contract.EndReason.OWN_WISH, ended=DAY,
    )  # fmt: skip


def visit() -> visits.Visit:
    window = visits.Window(AT, AT + timedelta(days=90))
    return visits.Visit(
        "checkup-p1-2026Q1", visits.Kind.QUARTERLY_CHECKUP, "p1", window, 45, frozenset({"doctor"}), earliest=time(8), latest=time(17),
        owner="Practitioner/d1", sources=("Contract/k1",), status=visits.Status.ON_HOLD, reason="admitted", cause="Encounter/e1",
        subtype="annual-full", title="每季上门体检",
    )  # fmt: skip


def bed() -> bed_rules.Bed:
    over = bed_rules.Discharge(DAY, "better", "improved", bed_rules.Diagnosis("I69.3", "脑梗死后遗症"), "好转")
    return bed_rules.Bed(
        id="b1", patient="p1", status=bed_rules.Status.FINISHED, kind=bed_rules.BedKind.TREATMENT, start=DAY, last_day=DAY, doctor="d1",
        nurse="n1", diagnosis=bed_rules.Diagnosis("I69.3", "脑梗死后遗症"), assessment="a1", consent="c1", stable=True, round_days=7,
        held_for=None, previous="b0", discharge=over,
    )  # fmt: skip


def order() -> Order:
    return Order(
        patient="p1", prescriber="d1", drug_code="X1", drug_name="某药", dose="2 g", solvent="0.9% 氯化钠", volume_ml=250, rate_ml_h=125,
        start=DAY, days=5, times_a_day=1, indication="肺部感染", batch="B1", authored=DAY,
    )  # fmt: skip


def course() -> Resource:
    return infusion.to_request(
        order(), "m1", approval=Approval("d1", AT, "同意"), first_dose=FirstDose(DAY, "某医院", "X1", "B1"),
        skin_test=SkinTest(AT, "X1", "B1", True), overrides=[Override("first-dose", "d1", "病情需要", AT)], consent="c2", nurse="n1",
    )  # fmt: skip


def administration() -> Resource:
    log = (
        Entry(Act.ARRIVE, AT, "n1"),
        Entry(Act.IDENTIFY, AT, "n1", matched=("name", "birth-date")),
        Entry(Act.CLEAR, AT, "n1"),
        Entry(Act.MEASURE, AT, "n1", vitals=Vitals(120, 80, 70, Decimal("36.5"), 97)),
    )
    evidence = records.OfTheDay(
        Companion(True, True, "n1", DAY), DoubleCheck("n1", "n2", AT), RescueKit(DAY, "n1", frozenset({"adrenaline"}))
    )
    given = records.Given("p1", "m1", "t1", Bedside(Step.MEASURED, log), evidence)
    return records.to_administration(given, {"text": "某药"})


def referred() -> referral.Referral:
    return referral.Referral(
        "r1", "p1", referral.Reason.CRITICAL, "Organization/h1", "Practitioner/d1", AT, True, summary="x", department="心内科"
    )


def channel() -> green.Channel:
    decision = green_rules.Decision(frozenset(green_rules.Right), (green_rules.Reason.LIXIU,), DAY, date(2027, 3, 4))
    return green.Channel("p1", decision, granted_by="d1")


def assessment() -> Assessment:
    return Assessment("p1", "d1", DAY, bed().diagnosis, frozenset({"hemiplegia"}), frozenset(), True, 12, True, True, "建议建床")


def foreign() -> Resource:
    """A Task as a client of another maker has it: a profile of theirs, and a wrong one of ours."""
    declared = ["https://elsewhere.example/StructureDefinition/task", systems.profile("cadre-patient")]
    return {"resourceType": "Task", "intent": "order", "meta": {"profile": declared, "source": "urn:elsewhere"}}


def plan() -> DayPlan:
    who = ("Practitioner/d1",)
    stop = DayStop("t1", "p1", "follow-up", "随访", who, AT, AT, AT + timedelta(minutes=45), 7.5, "estimate", 30.0, why=("near",))
    route = DayRoute("Practitioner/d1", "医生", "Location/s1", AT, AT + timedelta(hours=2), (stop,), (AT, AT + timedelta(minutes=30)))
    left = DayLeft("t2", "p2", "follow-up", "随访", ("no-staff",), "无人可派", "nobody is free")
    return DayPlan(DAY, AT, (route,), (left,), {"travel-minutes": 7.5})


def impression() -> Resource:
    return beds.to_impression(assessment(), "a1")


def scores() -> Resource:
    answers = {item.value: max(points) for item, points in selfcare.POINTS.items()}
    score = selfcare.assess(answers, {"light": 4, "moderate": 9, "cannot": 19})
    return self_care_observation(score, "p1", "t1", "Encounter/e1", AT)


WRITTEN: dict[str, tuple[Any, list[str]]] = {
    "person": (lambda: to_patient(person(), "p1"), ["cadre-patient"]),
    "person of a feed": (lambda: to_patient(file.Person("张三"), "p2"), ["cadre-patient"]),
    "contract": (lambda: to_contract(agreement()), ["family-doctor-contract"]),
    "care team": (lambda: to_care_team(agreement(), True), ["care-pair"]),
    "day plan": (lambda: to_list(plan()), ["day-plan"]),
    "visit asked for by nobody's contract": (lambda: to_task(replace(visit(), sources=())), ["visit-task"]),
    "visit taken over from a client": (lambda: to_task(visit(), foreign()), ["visit-task", "quarterly-checkup-task"]),
    "checkup": (lambda: to_task(visit()), ["visit-task", "quarterly-checkup-task"]),
    "visit": (lambda: encounter_of(visit(), "finished", AT, AT + timedelta(hours=1), ["Practitioner/d1"]), ["home-visit"]),
    "green channel": (lambda: green.to_flag(channel()), ["green-channel-flag"]),
    "home bed": (lambda: beds.with_history(beds.to_episode(bed()), None, DAY), ["home-bed-episode"]),
    "assessment": (impression, ["home-bed-assessment-impression"]),
    "course": (course, ["infusion-course"]),
    "stopped course": (lambda: infusion.stopped(course(), "reaction", True), ["infusion-course"]),
    "infusion": (administration, ["infusion-given"]),
    "referral": (lambda: referrals.to_request(referred()), ["referral-request"]),
    "referral task": (lambda: referrals.to_task(referred()), []),
    "consent": (lambda: to_consent(SignedConsent("c1", "p1", "home-bed", AT, "family", "儿子", copies=3)), ["signed-consent"]),
    "self-care": (scores, []),
}


@pytest.mark.parametrize("what", sorted(WRITTEN))
def test_what_the_rooms_write_conforms(what: str) -> None:
    make, names = WRITTEN[what]
    resource = make()
    assert [(one.path, one.text) for one in validate(resource, Registry.load())] == []
    assert [(one.path, one.text) for one in profiles.check(resource, names)] == []
    declared = resource.get("meta", {}).get("profile", [])
    assert [url for url in declared if url.startswith(systems.BASE)] == [systems.profile(name) for name in names]
    assert Registry.load().extract(resource).tokens


def refused(resource: Resource, name: str) -> list[tuple[str | None, str]]:
    return [(one.path, one.code) for one in profiles.check(resource, [name]) if one.severity == "error"]


@pytest.mark.parametrize(
    ("what", "change", "path", "code"),
    [
        ("person", {"name": [{"family": "单"}]}, "Patient.name[0].text", "required"),
        ("person", {"gender": None}, "Patient.gender", "required"),
        ("person", {"contact": [{"name": {"text": "x"}}]}, "Patient.contact[0].relationship", "required"),
        ("contract", {"status": "disputed"}, "Contract.status", "code-invalid"),
        ("contract", {"type": {"text": "x"}}, "Contract.type", "value"),
        ("contract", {"subject": [{"reference": "Group/1"}]}, "Contract.subject[0].reference", "structure"),
        ("contract", {"applies": {"start": "2026-01-01"}}, "Contract.applies.end", "required"),
        ("green channel", {"extension": []}, "Flag.extension", "required"),
        ("green channel", {"code": {"text": "x"}}, "Flag.code", "code-invalid"),
        ("home bed", {"careManager": {"reference": "PractitionerRole/x"}}, "EpisodeOfCare.careManager.reference", "structure"),
        ("checkup", {"restriction": {"period": {"start": "2026-01-01"}}}, "Task.restriction.period.end", "required"),
        ("course", {"dosageInstruction": [{}, {}]}, "MedicationRequest.dosageInstruction", "structure"),
    ],
)
def test_what_does_not_conform_is_named(what: str, change: Resource, path: str, code: str) -> None:
    make, names = WRITTEN[what]
    resource = {key: value for key, value in {**make(), **change}.items() if value is not None}
    assert (path, code) in refused(resource, names[0])


def test_a_narrower_profile_asks_more() -> None:
    other = to_task(visit()) | {"code": {"coding": [{"system": systems.code_system("visit-kind"), "code": "home-bed-round"}]}}
    assert refused(other, "visit-task") == []
    assert refused(other, "quarterly-checkup-task") == [("Task.code", "value")]


def test_extensions_of_ours_have_their_type_and_code() -> None:
    wrong = to_patient(person(), "p1")
    url = systems.extension("cadre-category")
    for value in (
        {"valueString": "lixiu"},
        {"valueCodeableConcept": {"coding": [{"system": systems.code_system("cadre-category"), "code": "x"}]}},
    ):
        wrong["extension"] = [{"url": url, **value}]
        assert [one[0] for one in refused(wrong, "cadre-patient")] == ["Patient.extension[0]"]
    wrong["extension"] = [{"url": systems.extension("nonsense"), "valueString": "x"}]
    assert [one.severity for one in profiles.check(wrong)] == ["warning"]


def test_validation_asks_the_profiles_that_a_resource_declares() -> None:
    wrong = to_patient(person(), "p1")
    del wrong["gender"]
    assert [one.path for one in validate(wrong)] == ["Patient.gender"]
    assert validate(wrong, profile_checks=False) == []
    wrong["meta"] = {"profile": [systems.profile("nonsense")]}
    assert [one.severity for one in validate(wrong)] == ["warning"]
    wrong["meta"] = {"profile": [systems.profile("visit-task")]}
    assert [one.path for one in validate(wrong)] == ["Patient.meta.profile"]
