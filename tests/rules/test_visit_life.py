"""A visit's life is its table; overdue is one function; a visit and its findings survive FHIR."""

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import dumps, loads
from healthsvc.policy import load
from healthsvc.visit import rules as rules_of_visits
from healthsvc.visit.findings import Findings, Mode, Pressure, check, ranges
from healthsvc.visit.observations import findings_of, observations_of, outputs_of
from healthsvc.visit.policy import VisitPolicy, in_force
from healthsvc.visit.resources import derived_id, is_visit, to_task, to_visit
from healthsvc.visit.rules import (
    FIRST,
    OPEN,
    TRANSITIONS,
    WAITING,
    Act,
    Kind,
    Priority,
    Standing,
    Status,
    Visit,
    Window,
    apply,
    check_step,
    quarter_of,
    resumed_window,
    standing,
)

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
POLICY: VisitPolicy = in_force(load(Path("absent")), AT.date())
moments = st.integers(-(6 * 365 * 86400), 4 * 365 * 86400).map(lambda seconds: AT + timedelta(seconds=seconds))
codes = st.sampled_from(["doctor", "nurse", "infusion"])


@st.composite
def visits(draw: Any) -> Visit:
    start = draw(moments)
    earliest = draw(st.none() | st.integers(0, 11).map(time))
    return Visit(
        id=draw(st.sampled_from(["checkup-p1-2026Q1", "round-x-3"])),
        kind=draw(st.sampled_from([kind.value for kind in Kind])),
        person="p1",
        window=Window(
            start, start + draw(st.timedeltas(timedelta(0), timedelta(days=90)).map(lambda d: timedelta(seconds=d // timedelta(seconds=1))))
        ),
        minutes=draw(st.integers(1, 480)),
        skills=frozenset(draw(st.sets(codes))),
        staff=draw(st.integers(1, 3)),
        earliest=earliest,
        latest=draw(st.none() | st.integers(12, 23).map(time)),
        owner=draw(st.none() | st.just("Practitioner/d1")),
        priority=draw(st.sampled_from(Priority)),
        sources=tuple(draw(st.lists(st.sampled_from(["Contract/c1", "EpisodeOfCare/e1"]), unique=True))),
        status=draw(st.sampled_from(Status)),
        reason=draw(st.none() | st.sampled_from(["admitted", "away", "refused"])),
        cause=draw(st.none() | st.just("Encounter/e9")),
        encounter=draw(st.none() | st.just("Encounter/e1")),
        subtype=draw(st.none() | st.just("annual-full")),
        title=draw(st.sampled_from(["", "每季上门体检"])),
    )


@given(visits())
def test_a_visit_survives_fhir(visit: Visit) -> None:
    task = loads(dumps(to_task(visit)))
    assert is_visit(task)
    assert to_visit(task) == visit


@given(visits(), visits())
def test_writing_a_visit_over_its_task_keeps_what_is_not_ours(visit: Visit, other: Visit) -> None:
    base = to_task(other) | {"note": [{"text": "kept"}]}
    base["input"].append({"type": {"text": "own"}, "valueString": "kept"})
    again = to_task(visit, base)
    assert to_visit(again) == visit
    assert again["note"] == [{"text": "kept"}]
    assert any(one["type"] == {"text": "own"} for one in again["input"])


@given(visits(), st.lists(st.sampled_from(Act), max_size=12))
def test_no_sequence_of_acts_leaves_the_table(visit: Visit, acts: list[Act]) -> None:
    for act in acts:
        if (visit.status, act) in TRANSITIONS:
            after = apply(visit, act)
            check_step(visit.status, after.status)
            visit = after
        else:
            with pytest.raises(RuleViolation) as refused:
                apply(visit, act)
            assert refused.value.reason == "visit-transition"


@given(st.sampled_from(Status), st.sampled_from(Status))
def test_any_door_may_do_what_an_act_can_do_and_nothing_else(old: Status, new: Status) -> None:
    possible = old is new or new in {after for (before, _), after in TRANSITIONS.items() if before is old}
    if possible:
        check_step(old, new)
    else:
        with pytest.raises(RuleViolation):
            check_step(old, new)


@pytest.mark.parametrize("status", [status for status in Status if status not in FIRST])
def test_a_visit_begins_as_requested(status: Status) -> None:
    with pytest.raises(RuleViolation):
        check_step(None, status)


@given(visits(), moments)
def test_standing_is_told_by_status_and_window_alone(visit: Visit, at: datetime) -> None:
    stands = standing(visit, at)
    assert (stands is Standing.OVERDUE) == (visit.status in WAITING and at > visit.window.end)
    assert (stands is Standing.DUE) == (visit.status in WAITING and visit.window.start <= at <= visit.window.end)
    if stands in (Standing.SUSPENDED, Standing.UNDER_WAY, Standing.UPCOMING):
        assert visit.status in OPEN


@given(visits(), moments, st.integers(0, 30))
def test_a_resumed_visit_has_its_days_of_grace(visit: Visit, at: datetime, grace: int) -> None:
    window = resumed_window(visit.window, at, grace)
    assert window.start == visit.window.start
    assert window.end >= max(visit.window.end, at + timedelta(days=grace)) - timedelta(0)


def test_the_quarter_of_a_day() -> None:
    assert [quarter_of(AT.date().replace(month=month, day=1)) for month in (1, 3, 4, 6, 7, 9, 10, 12)] == [
        f"2026Q{number}" for number in (1, 1, 2, 2, 3, 3, 4, 4)
    ]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"code": {"coding": [{"system": "http://example.org", "code": "x"}]}}, "Task.code"),
        ({"for": {}}, "Task.for"),
        ({"for": {"reference": "Group/1"}}, "Task.for"),
        ({"restriction": {}}, "Task.restriction.period.start"),
        ({"restriction": {"period": {"start": "2026-01-01", "end": "2026-01-02"}}}, "Task.restriction.period.start"),
        ({"input": []}, "Task.input"),
        ({"status": "ready"}, "Task.status"),
    ],
)
def test_a_task_that_is_no_complete_visit_is_refused_with_its_place(change: dict[str, Any], path: str) -> None:
    task = to_task(Visit("v1", Kind.FOLLOW_UP, "p1", Window(AT, AT), 20)) | change
    with pytest.raises(Invalid) as refused:
        to_visit(task)
    assert refused.value.issues[0].path == path


@given(st.text(st.sampled_from("abc-0123456789"), min_size=1, max_size=120))
def test_a_derived_id_fits_fhir_and_is_steady(base: str) -> None:
    made = derived_id("visit", base)
    assert len(made) <= 64
    assert made == derived_id("visit", base)


readings = st.builds(
    Findings,
    start=st.just(AT),
    end=st.just(AT + timedelta(minutes=30)),
    bp_left=st.none() | st.builds(Pressure, st.integers(100, 200), st.integers(50, 99)),
    bp_right=st.none() | st.builds(Pressure, st.integers(100, 200), st.integers(50, 99)),
    pulse=st.none() | st.integers(40, 150),
    temperature=st.none() | st.decimals(35, 41, places=2),
    weight=st.none() | st.decimals(35, 100, places=1),
    glucose=st.none() | st.decimals(3, 20, places=1),
    glucose_fasting=st.booleans(),
    spo2=st.none() | st.integers(80, 100),
    danger_signs=st.lists(st.sampled_from(["chest-pain", "dyspnoea"]), unique=True).map(tuple),
    adverse_reaction=st.booleans(),
    complication=st.booleans(),
)


@given(readings)
def test_findings_survive_fhir(found: Findings) -> None:
    visit = Visit("v1", Kind.FOLLOW_UP, "p1", Window(AT, AT), 20)
    observations = loads(dumps(observations_of(visit, found, "Encounter/e1", ("Practitioner/d1",))))
    task = loads(
        dumps(
            {
                "output": outputs_of(found, observations),
                "executionPeriod": {"start": found.start.isoformat(), "end": found.end.isoformat()},
            }
        )
    )
    again = findings_of(task, observations, AT)
    for name in ("start", "end", "bp_left", "bp_right", "pulse", "temperature", "weight", "glucose", "spo2"):
        assert getattr(again, name) == getattr(found, name)
    assert (again.danger_signs, again.adverse_reaction, again.complication) == (
        found.danger_signs,
        found.adverse_reaction,
        found.complication,
    )
    if found.glucose is not None:
        assert again.glucose_fasting == found.glucose_fasting


def test_a_decimal_keeps_its_precision() -> None:
    visit = Visit("v1", Kind.FOLLOW_UP, "p1", Window(AT, AT), 20)
    (weight,) = observations_of(visit, Findings(AT, AT, weight=Decimal("50.0")), "Encounter/e1", ())
    assert b'"value":50.0,' in dumps(weight)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"pulse": 5}, "pulse"),
        ({"temperature": Decimal("365")}, "temperature"),
        ({"bp_left": Pressure(80, 120)}, "bp_left"),
        ({"bp_right": Pressure(420, 90)}, "systolic_right"),
        ({"glucose": Decimal(110)}, "glucose"),
        ({"spo2": 101}, "spo2"),
        ({"end": AT - timedelta(minutes=1)}, "end"),
        ({"start": AT.replace(tzinfo=None)}, "start"),
    ],
)
def test_a_number_that_nobody_can_have_refuses_the_visit(values: dict[str, Any], wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(Findings(**({"start": AT, "end": AT, "mode": Mode.HOME} | values)), ranges(POLICY.ranges))
    assert wrong in {issue.path for issue in refused.value.issues}


def test_an_unusual_number_is_only_a_warning() -> None:
    warnings = check(Findings(AT, AT, pulse=130, bp_left=Pressure(210, 100)), ranges(POLICY.ranges))
    assert {issue.path for issue in warnings} == {"pulse", "systolic_left"}
    assert {issue.severity for issue in warnings} == {"warning"}


def test_lateness_is_told_by_one_function() -> None:
    """Nobody else compares a moment with the end of a visit's window, and no visit is stored as overdue."""
    code = Path(rules_of_visits.__file__).parents[1]
    compares = re.compile(r"(?:visit|task|one|window)\.window\.end\s*<|[<>]=?\s*(?:visit|task)\.window\.end\b|\.due\s*<\s*facts")
    planning = {"homebed/visits.py", "infusion/visits.py", "dayplan/formats/uhhc.py"}  # look for a slot, say nothing about lateness
    found = [
        str(path.relative_to(code))
        for path in sorted(code.rglob("*.py"))
        if str(path.relative_to(code)) not in planning and compares.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
    assert "overdue" not in {status.value for status in Status}
