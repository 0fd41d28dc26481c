"""A referral's way is its table; it closes with an outcome and after the follow-up; it survives FHIR."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import dumps, loads
from healthsvc.policy import load
from healthsvc.referral.resources import is_referral, stage_of, to_referral, to_request, to_task
from healthsvc.referral.rules import (
    EARLY_OUTCOMES,
    OVER,
    TRANSITIONS,
    Act,
    Direction,
    Late,
    Outcome,
    Reason,
    Referral,
    ReferralPolicy,
    Stage,
    check_closing,
    check_step,
    late,
    step,
)

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
POLICY = load(Path("absent")).fill(ReferralPolicy, "referral", AT.date())


@st.composite
def referrals(draw: Any) -> Referral:
    return Referral(
        id="referral-p1",
        person="p1",
        reason=draw(st.sampled_from(Reason)),
        hospital="Organization/h1",
        requester="Practitioner/d1",
        at=AT,
        urgent=draw(st.booleans()),
        direction=draw(st.sampled_from(Direction)),
        summary=draw(st.sampled_from(["", "胸痛两小时"])),
        department=draw(st.sampled_from(["", "心内科"])),
        stage=draw(st.sampled_from(Stage)),
        stay=draw(st.none() | st.just("Encounter/e1")),
        outcome=draw(st.none() | st.sampled_from(Outcome)),
        remark=draw(st.sampled_from(["", "床位已满"])),
        since=draw(st.none() | st.just(AT)),
    )


@given(referrals())
def test_a_referral_survives_fhir(referral: Referral) -> None:
    request, task = loads(dumps([to_request(referral), to_task(referral)]))
    assert is_referral(task)
    assert to_referral(request, task) == referral


@pytest.mark.parametrize(
    ("stage", "urgent", "days", "what"),
    [
        (Stage.REQUESTED, False, 3, None),
        (Stage.REQUESTED, False, 4, Late.NO_ANSWER),
        (Stage.REQUESTED, True, 15, Late.NOT_FOLLOWED_UP),
        (Stage.ACCEPTED, False, 14, None),
        (Stage.ACCEPTED, False, 15, Late.NOT_ADMITTED),
        (Stage.ADMITTED, True, 90, None),
        (Stage.DISCHARGED, False, 14, None),
        (Stage.DISCHARGED, False, 15, Late.NOT_FOLLOWED_UP),
        (Stage.TAKEN_BACK, False, 15, Late.NOT_FOLLOWED_UP),
        (Stage.FOLLOWED_UP, False, 15, Late.NOT_CLOSED),
        (Stage.REFUSED, False, 15, Late.NOT_CLOSED),
        (Stage.CLOSED, True, 900, None),
        (Stage.WITHDRAWN, True, 900, None),
    ],
)
def test_what_is_late_about_a_referral(stage: Stage, urgent: bool, days: int, what: Late | None) -> None:
    one = Referral("r", "p1", Reason.CRITICAL, "Organization/h1", "Practitioner/d1", AT, urgent, stage=stage)
    assert late(one, AT + timedelta(days=days), POLICY) is what
    if stage is Stage.DISCHARGED:  # it counts from the discharge, not from the referral
        assert late(replace(one, since=AT + timedelta(days=10)), AT + timedelta(days=15), POLICY) is None


@given(st.lists(st.sampled_from(Act), max_size=10))
def test_no_sequence_of_acts_leaves_the_table(acts: list[Act]) -> None:
    stage = Stage.REQUESTED
    for act in acts:
        if (stage, act) in TRANSITIONS:
            after = step(stage, act)
            check_step(stage, after)
            stage = after
        else:
            with pytest.raises(RuleViolation):
                step(stage, act)
    assert not any(before in OVER for before, _ in TRANSITIONS)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_closing_asks_for_an_outcome_and_for_the_follow_up(stage: Stage, outcome: Outcome | None) -> None:
    fine = outcome is not None and (stage in (Stage.FOLLOWED_UP, Stage.REFUSED) or outcome in EARLY_OUTCOMES)
    if fine:
        check_closing(stage, outcome)
    else:
        with pytest.raises(RuleViolation):
            check_closing(stage, outcome)


def test_stage_and_status_say_the_same() -> None:
    task = to_task(Referral("r", "p1", Reason.CRITICAL, "Organization/h1", "Practitioner/d1", AT))
    with pytest.raises(Invalid):
        stage_of(task | {"status": "completed"})
    with pytest.raises(Invalid):
        stage_of({key: value for key, value in task.items() if key != "businessStatus"})
