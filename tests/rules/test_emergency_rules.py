"""The chain of calls with a fake clock: in order, in parallel where severe, on time, to the end; and never past whoever takes it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.emergency.resources import chain, is_alarm, to_alarm, to_task
from healthsvc.emergency.rules import Act, Alarm, Callee, EmergencyPolicy, Line, Status, add, escalate, groups, joins, next_look, replay
from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import dumps, loads
from healthsvc.healthfile.rules import Contact, ContactRole, Person
from healthsvc.policy import load

AT = datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC)
POLICY = load(Path("absent")).fill(EmergencyPolicy, "emergency", date(2026, 11, 22))
SON, DAUGHTER = Callee("family", 0), Callee("family", 1)
UNIT, WORKER, DOCTOR = Callee("former-unit"), Callee("community-worker"), Callee("community-doctor")
EVERYBODY = (SON, DAUGHTER, UNIT, WORKER, DOCTOR)


def raised(kind: str = "help") -> Alarm:
    return add(Alarm("a1", "p1", kind, "81890"), Line(Act.RAISE, AT, "81890"))


def seconds(alarm: Alarm, until: int, callees: tuple[Callee, ...] = EVERYBODY, start: int = 0) -> Alarm:
    """Let a fake clock tick second by second."""
    for second in range(start, until + 1):
        for line in escalate(alarm, callees, POLICY, AT + timedelta(seconds=second)):
            alarm = add(alarm, line)
    return alarm


def called(alarm: Alarm) -> list[tuple[int, str]]:
    return [(int((line.at - AT).total_seconds()), line.who) for line in alarm.log if line.act is Act.CALL]


def test_the_first_is_called_in_the_same_second() -> None:
    assert called(seconds(raised(), 0)) == [(0, "family-0"), (0, "family-1")]


def test_the_chain_goes_on_when_nobody_answers() -> None:
    alarm = seconds(raised(), 1000)
    assert called(alarm) == [
        (0, "family-0"), (0, "family-1"), (60, "former-unit-0"), (120, "community-worker-0"), (180, "community-doctor-0"),
        (270, "family-0"), (270, "family-1"), (330, "former-unit-0"), (390, "community-worker-0"), (450, "community-doctor-0"),
    ]  # fmt: skip
    assert alarm.status is Status.EXHAUSTED
    assert alarm.log[-1] == Line(Act.EXHAUST, AT + timedelta(seconds=540), text="nobody answered")


def test_a_severe_alarm_calls_the_doctor_at_once() -> None:
    alarm = seconds(raised("sudden-illness"), 95)
    assert called(alarm) == [(0, "family-0"), (0, "family-1"), (0, "community-doctor-0"), (90, "former-unit-0")]
    assert [len(group) for group in groups(alarm, EVERYBODY, POLICY)] == [3, 1, 1]


def test_whoever_takes_it_stops_the_chain() -> None:
    alarm = add(seconds(raised(), 30), Line(Act.TAKE, AT + timedelta(seconds=31), "family-1"))
    assert seconds(alarm, 500, start=32) == alarm
    assert alarm.taken_by == "family-1"
    over = add(alarm, Line(Act.HAND_OVER, AT + timedelta(seconds=40), "community-doctor-0"))
    assert over.taken_by == "community-doctor-0"
    closed = add(over, Line(Act.CLOSE, AT + timedelta(seconds=900), "community-doctor-0", text="helped-at-home"))
    assert closed.status is Status.CLOSED
    assert next_look(closed, POLICY) is None


def test_a_notifier_that_fails_brings_the_next_at_once() -> None:
    alarm = seconds(raised(), 3)
    for who in ("family-0", "family-1"):
        alarm = add(alarm, Line(Act.NOT_REACHED, AT + timedelta(seconds=3), who, 1, "webhook: 503"))
    assert called(seconds(alarm, 4, start=4))[-1] == (4, "former-unit-0")


def test_one_of_two_not_reached_is_not_enough() -> None:
    alarm = add(seconds(raised(), 3), Line(Act.NOT_REACHED, AT + timedelta(seconds=3), "family-0", 1, "x"))
    assert len(called(seconds(alarm, 59, start=4))) == 2


def test_nobody_on_file_is_exhausted_at_once() -> None:
    alarm = seconds(raised(), 0, ())
    assert (alarm.status, alarm.log[-1].text) == (Status.EXHAUSTED, "no contact on file")


def test_the_same_moment_twice_adds_nothing() -> None:
    alarm = seconds(raised(), 60)
    assert escalate(alarm, EVERYBODY, POLICY, AT + timedelta(seconds=60)) == ()


def test_a_watch_that_slept_catches_up() -> None:
    """After an hour without a look, the chain goes on from where it stood; nobody is skipped."""
    alarm = seconds(raised(), 0)
    for line in escalate(alarm, EVERYBODY, POLICY, AT + timedelta(hours=1)):
        alarm = add(alarm, line)
    assert called(alarm)[-1] == (3600, "former-unit-0")
    assert next_look(alarm, POLICY) == AT + timedelta(seconds=3660)


def test_a_second_press_joins() -> None:
    alarm = seconds(raised(), 5)
    assert joins(alarm, AT + timedelta(seconds=6), POLICY)
    exhausted = seconds(alarm, 600, start=6)
    assert joins(exhausted, AT + timedelta(seconds=900), POLICY)
    assert not joins(exhausted, AT + timedelta(hours=1), POLICY)
    assert add(alarm, Line(Act.REPEAT, AT + timedelta(seconds=6), "81890")).status is Status.RINGING


@pytest.mark.parametrize(("act", "reason"), [(Act.HAND_OVER, "emergency-transition"), (Act.RAISE, "emergency-transition")])
def test_what_cannot_follow_is_refused(act: Act, reason: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        add(raised(), Line(act, AT, "x"))
    assert refused.value.reason == reason


def test_time_does_not_run_back() -> None:
    with pytest.raises(RuleViolation) as refused:
        add(raised(), Line(Act.TAKE, AT - timedelta(seconds=1), "x"))
    assert refused.value.reason == "emergency-time-order"


@given(
    st.sampled_from(["help", "fall"]),
    st.lists(st.sampled_from(EVERYBODY), unique=True).map(tuple),
    st.lists(st.integers(0, 200), max_size=40),
)
def test_everybody_is_called_once_a_round_and_an_alarm_never_hangs(kind: str, callees: tuple[Callee, ...], gaps: list[int]) -> None:
    alarm, at = raised(kind), AT
    for gap in [0, *gaps, *[100] * 14]:
        at += timedelta(seconds=gap)
        for line in escalate(alarm, callees, POLICY, at):
            alarm = add(alarm, line)
    assert alarm.status is Status.EXHAUSTED
    calls = [(line.who, line.round) for line in alarm.log if line.act is Act.CALL]
    assert sorted(calls) == sorted((callee.key, round_) for callee in callees for round_ in range(1, POLICY.rounds + 1))
    assert replay(alarm, alarm.log) == alarm
    written = loads(dumps(to_task(alarm)))
    assert is_alarm(written)
    assert to_alarm(written) == alarm


def test_the_chain_is_read_from_the_file_and_the_doctor_stands_in() -> None:
    contacts = (
        Contact(ContactRole.COMMUNITY_WORKER, "社工", "13800000003"),
        Contact(ContactRole.FAMILY, "儿子", "13800000001", "儿子"),
        Contact(ContactRole.FAMILY, "女儿", "13800000002", "女儿"),
        Contact(ContactRole.FORMER_UNIT, "单位", ""),
    )
    found = chain(Person("测试甲", contacts=contacts), ("医生", "13800000009"))
    assert [one.callee.key for one in found] == ["family-0", "family-1", "community-worker-0", "community-doctor-0"]
    assert found[-1].phone == "13800000009"


def test_an_alarm_without_log_is_refused() -> None:
    task = to_task(raised())
    with pytest.raises(Invalid):
        to_alarm(task | {"extension": []})
    with pytest.raises(RuleViolation):
        replay(raised(), [replace(raised().log[0], act=Act.CALL)])
