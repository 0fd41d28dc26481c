"""A course becomes doses with windows, gaps and the time that the nurse is bound."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import RuleViolation
from healthsvc.infusion.rules.course import bound_minutes, doses, drip_minutes
from healthsvc.infusion.rules.order import Order
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.policy import load

ON = date(2026, 11, 23)
POLICY = load(Path("absent")).fill(InfusionPolicy, "infusion", ON)
ZONE = ZoneInfo("Asia/Shanghai")
ORDER = Order("p1", "dr-1", "ambroxol", "氨溴索", "30 mg", "0.9%氯化钠", 100, 120, ON, 3)


def test_the_nurse_is_bound_for_preparation_drip_and_observation() -> None:
    assert drip_minutes(250, 120) == 125
    assert drip_minutes(100, 90) == 67
    assert bound_minutes(ORDER, POLICY) == 15 + 50 + 30


def test_once_a_day_for_three_days() -> None:
    laid = doses(ORDER, POLICY, ZONE)
    assert [dose.on for dose in laid] == [ON, ON + timedelta(days=1), ON + timedelta(days=2)]
    assert laid[0].earliest == datetime(2026, 11, 23, 7, 30, tzinfo=ZONE)
    assert laid[0].latest == datetime(2026, 11, 23, 20, 0, tzinfo=ZONE)
    assert [dose.gap_minutes for dose in laid] == [0, 1320, 1320]


def test_every_twelve_hours() -> None:
    laid = doses(replace(ORDER, times_a_day=2, days=2), POLICY, ZONE)
    assert [(d.earliest.strftime("%d %H:%M"), d.latest.strftime("%d %H:%M")) for d in laid] == [
        ("23 07:30", "23 08:29"),
        ("23 19:30", "23 20:00"),
        ("24 07:30", "24 08:29"),
        ("24 19:30", "24 20:00"),
    ]
    assert all(later.earliest - sooner.latest >= timedelta(minutes=later.gap_minutes) for sooner, later in pairwise(laid))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"days": 8}, "infusion-course-too-long"),
        ({"days": 0}, "infusion-course-too-long"),
        ({"times_a_day": 3}, "infusion-rhythm-not-at-home"),
        ({"volume_ml": 501}, "infusion-volume-too-large"),
        ({"rate_ml_h": 181}, "infusion-rate-too-high"),
        ({"rate_ml_h": 0}, "infusion-rate-too-high"),
    ],
)
def test_what_does_not_belong_at_home_is_refused(change: dict[str, int], reason: str) -> None:
    with pytest.raises(RuleViolation) as refused:
        doses(replace(ORDER, **change), POLICY, ZONE)
    assert refused.value.reason == reason


def test_a_twelve_hour_rhythm_needs_an_evening() -> None:
    with pytest.raises(RuleViolation) as refused:
        doses(replace(ORDER, times_a_day=2), replace(POLICY, latest_start="16:45"), ZONE)
    assert refused.value.reason == "infusion-rhythm-not-at-home"


def test_a_drip_without_rate_has_no_length() -> None:
    with pytest.raises(RuleViolation) as refused:
        drip_minutes(100, 0)
    assert refused.value.reason == "infusion-rate-missing"


@given(st.integers(1, 7), st.integers(1, 2), st.integers(1, 500), st.integers(1, 180))
def test_doses_follow_each_other_and_windows_are_whole(days: int, times: int, volume: int, rate: int) -> None:
    laid = doses(replace(ORDER, days=days, times_a_day=times, volume_ml=volume, rate_ml_h=rate), POLICY, ZONE)
    assert [dose.number for dose in laid] == list(range(1, days * times + 1))
    for dose in laid:
        assert dose.earliest <= dose.latest
        assert dose.bound_minutes * 60 >= volume * 3600 / rate
    for sooner, later in pairwise(laid):
        assert later.latest - sooner.latest >= timedelta(minutes=later.gap_minutes), "whoever comes last today can still be served tomorrow"
