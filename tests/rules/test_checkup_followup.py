"""Every row of the follow-up table of hypertension and diabetes, and the self-care form."""

from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.checkup.followup import Disease, FollowUpPolicy, Next, Reading, Result, classify, decide, is_needed
from healthsvc.checkup.resources import (
    ICD10_DIABETES,
    ICD10_HYPERTENSION,
    class_observation,
    has_code,
    self_care_observation,
    to_result,
    to_self_care,
)
from healthsvc.checkup.selfcare import POINTS, Item, Level, assess
from healthsvc.errors import Invalid
from healthsvc.policy import load

ON = date(2026, 11, 22)
SHIPPED = load(Path("absent"))
POLICY = SHIPPED.fill(FollowUpPolicy, "checkup", ON)
BANDS: dict[str, int] = SHIPPED.value("checkup.selfcare_bands", ON)
H, D = Disease.HYPERTENSION, Disease.DIABETES


def pressure(systolic: int, diastolic: int, age: int = 90, **more: Any) -> Reading:
    return Reading(age, systolic, diastolic, **more)


def sugar(value: str, fasting: bool = True, **more: Any) -> Reading:
    return Reading(90, glucose=Decimal(value), fasting=fasting, **more)


@pytest.mark.parametrize(
    ("disease", "reading", "result"),
    [
        (H, pressure(149, 89), Result.CONTROLLED),
        (H, pressure(150, 89), Result.NOT_CONTROLLED),
        (H, pressure(149, 90), Result.NOT_CONTROLLED),
        (H, pressure(139, 89, age=64), Result.CONTROLLED),
        (H, pressure(140, 89, age=64), Result.NOT_CONTROLLED),
        (H, pressure(140, 89, age=65), Result.CONTROLLED),
        (H, pressure(179, 109), Result.NOT_CONTROLLED),
        (H, pressure(180, 80), Result.EMERGENCY),
        (H, pressure(130, 110), Result.EMERGENCY),
        (H, pressure(120, 70, danger_signs=("chest-pain",)), Result.EMERGENCY),
        (H, pressure(120, 70, adverse_reaction=True), Result.ADVERSE_REACTION),
        (H, pressure(160, 95, adverse_reaction=True, complication=True), Result.COMPLICATION),
        (H, Reading(90), Result.NOT_MEASURED),
        (H, Reading(90, 140, None), Result.NOT_MEASURED),
        (D, sugar("6.9"), Result.CONTROLLED),
        (D, sugar("7.0"), Result.NOT_CONTROLLED),
        (D, sugar("3.95"), Result.NOT_CONTROLLED),
        (D, sugar("4.0"), Result.CONTROLLED),
        (D, sugar("3.9"), Result.EMERGENCY),
        (D, sugar("16.7"), Result.EMERGENCY),
        (D, sugar("16.6"), Result.NOT_CONTROLLED),
        (D, sugar("9.9", fasting=False), Result.CONTROLLED),
        (D, sugar("10.0", fasting=False), Result.NOT_CONTROLLED),
        (D, pressure(185, 80), Result.EMERGENCY),
        (D, Reading(90), Result.NOT_MEASURED),
    ],
)
def test_the_class_of_a_result(disease: Disease, reading: Reading, result: Result) -> None:
    assert classify(disease, reading, POLICY)[0] is result


@pytest.mark.parametrize(
    ("reading", "previous", "follows", "days"),
    [
        (pressure(130, 80), None, Next.NEXT_QUARTER, None),
        (pressure(160, 80), None, Next.REVIEW, 14),
        (pressure(160, 80), Result.CONTROLLED, Next.REVIEW, 14),
        (pressure(160, 80), Result.NOT_CONTROLLED, Next.REFER, 14),
        (pressure(160, 80), Result.ADVERSE_REACTION, Next.REFER, 14),
        (pressure(130, 80, adverse_reaction=True), None, Next.REVIEW, 14),
        (pressure(130, 80, adverse_reaction=True), Result.ADVERSE_REACTION, Next.REFER, 14),
        (pressure(130, 80, complication=True), None, Next.REFER, 14),
        (pressure(190, 80), None, Next.REFER_URGENTLY, 14),
        (pressure(130, 80), Result.NOT_CONTROLLED, Next.NEXT_QUARTER, None),
        (Reading(90), None, Next.MEASURE, 14),
    ],
)
def test_what_follows_from_a_result(reading: Reading, previous: Result | None, follows: Next, days: int | None) -> None:
    decision = decide(H, reading, previous, POLICY)
    assert (decision.next, decision.within_days, decision.rule) == (follows, days, "hypertension/1")
    assert bool(decision.reasons) == (decision.result is not Result.CONTROLLED)


@given(st.sampled_from(Disease), st.integers(60, 260), st.integers(30, 160), st.decimals(1, 40, places=1), st.sampled_from([None, *Result]))
def test_a_worse_number_never_has_a_milder_consequence(
    disease: Disease, systolic: int, diastolic: int, glucose: Decimal, previous: Result | None
) -> None:
    order = list(Next)
    now = decide(disease, Reading(90, systolic, diastolic, max(glucose, Decimal("4.0"))), previous, POLICY)
    worse = decide(disease, Reading(90, systolic + 10, diastolic + 10, max(glucose, Decimal("4.0")) + 1), previous, POLICY)
    assert order.index(worse.next) >= order.index(now.next)


def test_no_second_follow_up_where_one_is_planned() -> None:
    review = decide(H, pressure(160, 80), None, POLICY)
    assert is_needed(review, ON, ())
    assert is_needed(review, ON, (date(2026, 12, 7), ON))
    assert not is_needed(review, ON, (date(2026, 12, 6),))
    assert not is_needed(decide(H, pressure(130, 80), None, POLICY), ON, ())


def test_a_decision_is_kept_with_rule_version_and_reasons() -> None:
    from datetime import UTC, datetime

    from healthsvc.visit.rules import Visit, Window

    at = datetime(2026, 11, 22, tzinfo=UTC)
    visit = Visit("v1", "follow-up", "p1", Window(at, at), 20)
    kept = class_observation(decide(H, pressure(160, 95), None, POLICY), visit.id, visit.person, "Encounter/e1", at, ["Observation/o1"])
    assert to_result(kept) is Result.NOT_CONTROLLED
    assert kept["method"]["coding"][0]["code"] == "hypertension/1"
    assert kept["note"] == [{"text": "systolic>=150; diastolic>=90"}]


@pytest.mark.parametrize(
    ("code", "status", "known"),
    [("I10", "active", H), ("I10.x00", "active", H), ("E11.9", None, D), ("I10", "resolved", None), ("J44", "active", None)],
)
def test_a_disease_is_known_by_its_code(code: str, status: str | None, known: Disease | None) -> None:
    condition: dict[str, Any] = {"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]}}
    if status:
        condition["clinicalStatus"] = {"coding": [{"code": status}]}
    assert has_code(condition, ICD10_HYPERTENSION) == (known is H)
    assert has_code(condition, ICD10_DIABETES) == (known is D)


def test_every_answer_that_the_form_offers_adds_up() -> None:
    for points in product(*(POINTS[item] for item in Item)):
        score = assess(dict(zip((item.value for item in Item), points, strict=True)), BANDS)
        total = sum(points)
        assert score.total == total <= 37
        expected = Level.INDEPENDENT if total <= 3 else Level.LIGHT if total <= 8 else Level.MODERATE if total <= 18 else Level.CANNOT
        assert score.level is expected


@pytest.mark.parametrize("change", [{"eating": 1}, {"grooming": 10}, {"sleeping": 0}, {"moving": None}])
def test_an_answer_that_the_form_does_not_offer_is_refused(change: dict[str, Any]) -> None:
    answers = {item.value: 0 for item in Item} | change
    with pytest.raises(Invalid) as refused:
        assess({name: points for name, points in answers.items() if points is not None}, BANDS)
    assert refused.value.issues[0].path == next(iter(change))


def test_a_score_survives_fhir() -> None:
    from datetime import UTC, datetime

    score = assess({"eating": 3, "grooming": 1, "dressing": 0, "toilet": 5, "moving": 1}, BANDS)
    assert to_self_care(self_care_observation(score, "p1", "v1", None, datetime(2026, 11, 22, tzinfo=UTC))) == score
    assert (score.total, score.level) == (10, Level.MODERATE)
