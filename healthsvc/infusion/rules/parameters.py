"""The policy parameters ``infusion.*`` that the rules need."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class InfusionPolicy:
    """Values in force on a day. Times are ``HH:MM`` of the site's zone, volumes mL, spans as named."""

    drug_list: dict[str, Any]
    order_valid_days: int
    order_roles: tuple[str, ...]
    course_max_days: int
    volume_max_ml: int
    rate_max_ml_h: int
    first_dose_valid_days: int
    skin_test_valid_hours: int
    consent_kinds: tuple[str, ...]
    nurse_years: int
    nurse_titles: tuple[str, ...]
    title_words: dict[str, str]
    order_qualification: str
    kit_items: tuple[str, ...]
    double_check_valid_minutes: int
    absolute_gates: tuple[str, ...]
    override_roles: tuple[str, ...]
    prepare_minutes: int
    observe_minutes: int
    check_minutes: int
    check_grace_minutes: int
    check_alarm_minutes: int
    reaction_alarm_minutes: int
    reaction_shown_days: int
    drop_factors: tuple[int, ...]
    double_check_signed: bool
    earliest_start: str
    latest_start: str
    round_within_days: int
    max_times_a_day: int
    gap_slack_share: float
    start_limits: dict[str, Any]
    clear_valid_minutes: int
    clock_ahead_minutes: int
