"""Decisions are written down with all that they were made from, and come out the same when they are made again."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.checkup import answered, deciding
from healthsvc.checkup.followup import Disease, FollowUpPolicy, Reading, Result, decide, grade
from healthsvc.checkup.record import Decided, decide_again, to_decided, to_guidance
from healthsvc.contract import service as contracts
from healthsvc.errors import Invalid
from healthsvc.fhir.json import dumps, loads
from healthsvc.fhir.systems import ICD10
from healthsvc.forms import service as forms
from healthsvc.forms.rules import Code
from healthsvc.forms.tables import FORMS
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.policy import load
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Kind, Status

AT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
POLICY = load(Path("absent")).fill(FollowUpPolicy, "checkup", ON)
D1 = "Practitioner/d1"


def person(store: Store, *icd: str) -> str:
    store.put({"resourceType": "Practitioner", "id": "d1"})
    patient = str(register(store, Person("测试甲", birth=date(1930, 1, 1)), "urn:test").patient["id"])
    for code in icd:
        store.create(
            {
                "resourceType": "Condition",
                "subject": {"reference": f"Patient/{patient}"},
                "code": {"coding": [{"system": ICD10, "code": code}]},
            }
        )
    return patient


def code(form: str, link: str, wanted: str) -> Code:
    item = next(one for one in FORMS[form].walk() if one.link == link)
    return next(one.code for one in item.options if one.code.code == wanted)


readings = st.builds(
    Reading,
    st.integers(35, 110),
    st.none() | st.integers(60, 260),
    st.none() | st.integers(30, 160),
    st.none() | st.decimals(1, 40, places=1),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([(), ("chest-pain",), ("chest-pain", "vomiting")]),
)


@given(st.sampled_from(Disease), readings, st.none() | st.sampled_from(Result), st.booleans())
def test_a_decision_survives_fhir_and_comes_out_the_same(disease: Disease, reading: Reading, previous: Result | None, known: bool) -> None:
    outcome = decide(disease, reading, previous, POLICY, known=known)
    decided = Decided(disease, "1", reading, previous, POLICY, known, outcome)
    back = to_decided(loads(dumps(to_guidance(decided, "v1", "p1", None, AT, []))))
    assert back == decided
    assert decide_again(back).same


def test_another_outcome_and_another_version_are_told() -> None:
    outcome = decide(Disease.HYPERTENSION, Reading(90, 160, 80), None, POLICY)
    decided = Decided(Disease.HYPERTENSION, "1", Reading(90, 160, 80), None, POLICY, True, outcome)
    tampered = decide_again(replace(decided, outcome=replace(outcome, result=Result.CONTROLLED)))
    assert not tampered.same
    assert "result: recorded controlled, now not-controlled" in tampered.differences
    assert "not in this release" in decide_again(replace(decided, version="0")).differences[0]
    with pytest.raises(Invalid):
        to_decided({"moduleCanonical": "https://healthsvc.example/fhir/rule/hypertension|1", "contained": []})


@pytest.mark.parametrize(
    ("systolic", "diastolic", "expected"),
    [(139, 89, 0), (140, 80, 1), (130, 90, 1), (160, 80, 2), (150, 100, 2), (180, 80, 3), (150, 110, 3), (None, None, 0)],
)
def test_the_grade_of_a_pressure(systolic: int | None, diastolic: int | None, expected: int) -> None:
    assert grade(systolic, diastolic, load(Path("absent")).value("checkup.grades", ON)) == expected


def follow_up_form(store: Store, patient: str, answers: Mapping[str, Any], id: str, name: str = "hypertension-follow-up") -> None:
    made = forms.response_of(FORMS[name], patient, answers, store.at.astimezone(store.zone), id=id, author={"reference": D1})
    store.put(made)


def test_a_form_by_itself_is_judged_and_two_bad_ones_refer(database: Database) -> None:
    bad = {"bp-left": [{"systolic-left": [168], "diastolic-left": [88]}]}
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store, "I10")
        follow_up_form(store, patient, bad, "f1")
        (review,) = visits.open_visits(store, patient)
        assert (review.subtype, review.owner) == ("review", D1)
        again = deciding.replay(store, "decision-hypertension-f1")
        assert again.same
    with database.writing(SYSTEM, at=AT + timedelta(days=3)) as store:
        follow_up_form(store, patient, {"weight": [Decimal(60)]}, "f2")  # not measured: neither makes a row nor breaks one
    with database.writing(SYSTEM, at=AT + timedelta(days=10)) as store:
        follow_up_form(store, patient, bad, "f3")
        (advice,) = deciding.advised(store, patient)
        assert (advice.next, advice.reasons[-1]) == ("refer", "second-in-a-row")
        assert len(visits.open_visits(store, patient)) == 1, "one follow-up is planned in these days already"
        assert [one.same for one in deciding.replay_all(store, patient)] == [True] * 3


def test_a_checkup_is_completed_with_its_form_and_measured_once(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store, "I10")
        contracts.sign(store, patient, D1, None, date(2026, 10, 1))
        task = f"checkup-{patient}-2026Q4"
        name = answered.form_for(visits.read(store, task), [])
        assert name == "health-check-basic"
        answers = {
            "bp-left": [{"systolic-left": [172], "diastolic-left": [88]}],
            "weight": [Decimal("61.5")],
            "adherence": [code(name, "adherence", "intermittent")],
            "adverse-reaction": [True],
            "danger-sign": [code(name, "danger-sign", "chest-pain")],
            "advice": ["按时服药"],
            "next-on": [date(2026, 12, 5)],
        }
        made = answered.complete_with_form(store, task, name, answers, AT - timedelta(minutes=30), AT, [D1])
        assert made.task["status"] == "completed"
        pressures = store.select("Observation", patient=patient, code="85354-9")
        assert [one["id"] for one in pressures] == [f"bp-left-{task}"[:64]] or len(pressures) == 1
        assert store.select("QuestionnaireResponse", patient=patient)[0]["encounter"]["reference"] == f"Encounter/{made.encounter['id']}"
        extra = [one for one in visits.open_visits(store, patient) if one.kind == Kind.FOLLOW_UP]
        assert [one.subtype for one in extra] == ["refer-urgently"]
        assert all(one.same for one in deciding.replay_all(store, patient))
        bad = {"bp-left": [{"systolic-left": [1720], "diastolic-left": [88]}]}
        with pytest.raises(Invalid), store.savepoint():
            answered.complete_with_form(store, f"checkup-{patient}-2027Q1", "health-check-basic", bad, AT, AT, [D1])
        assert visits.read(store, f"checkup-{patient}-2027Q1").status is Status.REQUESTED
