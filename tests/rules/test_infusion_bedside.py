"""The bedside: no path to a running drip without all gates, no path past a reaction. Stateful."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from healthsvc.errors import RuleViolation
from healthsvc.infusion.rules.bedside import (
    TRANSITIONS,
    Act,
    Bedside,
    Entry,
    Step,
    Vitals,
    apply,
    late_checks,
    next_check,
    out_of_limits,
    possible,
)
from healthsvc.infusion.rules.checks import Outcome
from healthsvc.infusion.rules.gates import Gate, GateResult
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.policy import load

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
POLICY = load(Path("absent")).fill(InfusionPolicy, "infusion", date(2026, 11, 23))
WELL = Vitals(135, 75, 72, Decimal("36.6"), 97)
OPEN = tuple(GateResult(gate, Outcome.PASSED, "") for gate in Gate)
TWO = ("name", "birth-date")


def step(bedside: Bedside, act: Act, minute: int, **given: Any) -> Bedside:
    text = given.pop("text", "记录" if act in {Act.REFUSE, Act.REACT, Act.REFER, Act.REPORT} else "")
    vitals = given.pop("vitals", WELL if act in {Act.MEASURE, Act.END} else None)
    matched = given.pop("matched", TWO if act is Act.IDENTIFY else ())
    if act is Act.CLEAR:
        given.setdefault("results", OPEN)
    return apply(bedside, Entry(act, AT + timedelta(minutes=minute), "nu-1", text, vitals, matched), POLICY, **given)


def walk(*acts: tuple[Act, int]) -> Bedside:
    bedside = Bedside()
    for act, minute in acts:
        bedside = step(bedside, act, minute)
    return bedside


START = ((Act.ARRIVE, 0), (Act.IDENTIFY, 2), (Act.CLEAR, 5), (Act.MEASURE, 8), (Act.PUNCTURE, 10))


def test_the_usual_way() -> None:
    done = walk(*START, (Act.CHECK, 24), (Act.CHECK, 40), (Act.END, 55), (Act.CHECK, 70), (Act.OBSERVE, 85), (Act.LEAVE, 86))
    assert done.step is Step.LEFT
    assert done.infused
    assert not done.reacted
    assert late_checks(done, POLICY) == ()


def test_the_way_after_a_reaction() -> None:
    reacting = walk(*START, (Act.CHECK, 20), (Act.REACT, 25))
    assert possible(reacting) == (Act.STOP,)
    done = reacting
    for act, minute in ((Act.STOP, 25), (Act.ALARM, 26), (Act.REFER, 40), (Act.REPORT, 60), (Act.LEAVE, 70)):
        assert possible(done) == (act,)
        done = step(done, act, minute)
    assert done.step is Step.LEFT


def test_checks_every_fifteen_minutes_and_late_ones_are_kept() -> None:
    running = walk(*START)
    assert next_check(running, POLICY) == AT + timedelta(minutes=25)
    late = step(step(running, Act.CHECK, 27), Act.CHECK, 50)
    assert late_checks(late, POLICY) == (AT + timedelta(minutes=42),)
    ended = step(late, Act.END, 90)
    assert late_checks(ended, POLICY) == (AT + timedelta(minutes=42), AT + timedelta(minutes=65))
    assert next_check(ended, POLICY) is None
    assert next_check(Bedside(), POLICY) is None


@pytest.mark.parametrize("gate", list(Gate))
def test_one_shut_gate_keeps_everything_shut(gate: Gate) -> None:
    before = walk(*START[:2])
    results = [replace(result, outcome=Outcome.FAILED) if result.gate is gate else result for result in OPEN]
    with pytest.raises(RuleViolation) as refused:
        step(before, Act.CLEAR, 5, results=results)
    assert refused.value.reason is not None
    assert refused.value.reason.startswith("infusion-")
    with pytest.raises(RuleViolation) as refused:
        step(before, Act.CLEAR, 5, results=[result for result in OPEN if result.gate is not gate])
    assert refused.value.reason == "infusion-gate-not-asked"


@pytest.mark.parametrize(
    ("before", "act", "minute", "given", "reason"),
    [
        (START[:1], Act.IDENTIFY, 2, {"matched": ("name", "name")}, "infusion-not-identified"),
        (START[:1], Act.IDENTIFY, -1, {}, "infusion-time-order"),
        (START[:2], Act.PUNCTURE, 3, {}, "infusion-step-out-of-order"),
        (START[:3], Act.PUNCTURE, 6, {}, "infusion-step-out-of-order"),
        (START[:3], Act.MEASURE, 6, {"vitals": None}, "infusion-vitals-missing"),
        (START[:4], Act.PUNCTURE, 36, {}, "infusion-gates-too-old"),
        (START[:4], Act.PUNCTURE, 10, {"not_before": AT + timedelta(minutes=11)}, "infusion-gap-too-short"),
        (START[:4], Act.PUNCTURE, 10, {"not_after": AT + timedelta(minutes=9)}, "infusion-dose-too-late"),
        (START, Act.REACT, 12, {"text": " "}, "infusion-text-missing"),
        (START, Act.LEAVE, 12, {}, "infusion-step-out-of-order"),
        ((*START, (Act.END, 60)), Act.OBSERVE, 89, {}, "infusion-observation-too-short"),
        ((*START, (Act.END, 60)), Act.LEAVE, 95, {}, "infusion-step-out-of-order"),
        ((*START, (Act.REACT, 60)), Act.CHECK, 61, {}, "infusion-step-out-of-order"),
        ((*START, (Act.REACT, 60)), Act.PUNCTURE, 61, {}, "infusion-step-out-of-order"),
    ],
)
def test_what_may_not_be_has_its_reason(
    before: tuple[tuple[Act, int], ...], act: Act, minute: int, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RuleViolation) as refused:
        step(walk(*before), act, minute, **given)
    assert refused.value.reason == reason


def test_vital_signs_outside_the_limits_can_be_measured_again() -> None:
    high = step(walk(*START[:3]), Act.MEASURE, 6, vitals=replace(WELL, systolic=181))
    with pytest.raises(RuleViolation) as refused:
        step(high, Act.PUNCTURE, 7)
    assert refused.value.reason == "infusion-vitals-out-of-limits"
    assert step(step(high, Act.MEASURE, 12), Act.PUNCTURE, 13).step is Step.RUNNING
    assert out_of_limits(replace(WELL, spo2=None, temperature=Decimal("38.6")), POLICY.start_limits) == ("temperature",)


def test_a_refused_visit_infuses_nothing() -> None:
    refused = step(walk(*START[:2]), Act.REFUSE, 4)
    assert possible(refused) == (Act.LEAVE,)
    assert not step(refused, Act.LEAVE, 5).infused


def test_no_step_leads_from_a_reaction_back_to_the_drip() -> None:
    reached, todo = set(), [Step.REACTING]
    while todo:
        here = todo.pop()
        reached.add(here)
        todo += [after for (before, _), after in TRANSITIONS.items() if before is here and after not in reached]
    assert reached == {Step.REACTING, Step.STOPPED, Step.ALARMED, Step.REFERRED, Step.REPORTED, Step.LEFT}


class AtTheBedside(RuleBasedStateMachine):
    """Somebody presses any button at any time, with good or bad evidence."""

    def __init__(self) -> None:
        super().__init__()
        self.bedside = Bedside()
        self.minute = 0
        self.reasons: set[str | None] = set()

    @rule(
        act=st.sampled_from(Act),
        minutes=st.integers(-1, 40),
        shut=st.none() | st.sampled_from(Gate),
        identifiers=st.sampled_from([(), ("name",), TWO]),
        vitals=st.sampled_from([None, WELL, replace(WELL, pulse=140)]),
        text=st.sampled_from(["", "皮疹"]),
    )
    def press(self, act: Act, minutes: int, shut: Gate | None, identifiers: tuple[str, ...], vitals: Vitals | None, text: str) -> None:
        results = tuple(replace(r, outcome=Outcome.MISSING) if r.gate is shut else r for r in OPEN)
        at = AT + timedelta(minutes=self.minute + minutes)
        try:
            after = apply(self.bedside, Entry(act, at, "nu-1", text, vitals, identifiers), POLICY, results=results)
        except RuleViolation as refused:
            self.reasons.add(refused.reason)
            return
        if act is Act.CLEAR:
            assert shut is None
        self.bedside, self.minute = after, self.minute + minutes

    @rule()
    def the_next_usual_step(self) -> None:
        """Walk on properly, so that the deep states are reached."""
        usual = next((act for act in possible(self.bedside) if act not in {Act.REFUSE, Act.CHECK}), None)
        if usual is not None:
            self.minute += 30 if usual is Act.OBSERVE else 1
            with suppress(RuleViolation):
                self.bedside = step(self.bedside, usual, self.minute)

    @invariant()
    def a_drip_ran_only_behind_all_gates(self) -> None:
        acts = [entry.act for entry in self.bedside.log]
        if Act.PUNCTURE in acts:
            before = acts[: acts.index(Act.PUNCTURE)]
            assert before[:3] == [Act.ARRIVE, Act.IDENTIFY, Act.CLEAR]
            assert set(before[3:]) == {Act.MEASURE}
            assert acts.count(Act.PUNCTURE) == 1

    @invariant()
    def after_a_reaction_there_is_one_way(self) -> None:
        acts = [entry.act for entry in self.bedside.log]
        if Act.REACT in acts:
            after = acts[acts.index(Act.REACT) + 1 :]
            assert after == [Act.STOP, Act.ALARM, Act.REFER, Act.REPORT, Act.LEAVE][: len(after)]

    @invariant()
    def every_refusal_has_a_reason_code(self) -> None:
        assert None not in self.reasons

    @invariant()
    def time_never_runs_back(self) -> None:
        times = [entry.at for entry in self.bedside.log]
        assert times == sorted(times)


TestAtTheBedside = AtTheBedside.TestCase
TestAtTheBedside.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
