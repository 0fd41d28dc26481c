"""The doctor's rounds 查床: the first within a day, then one each interval."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from healthsvc.homebed.rules.parameters import HomeBedPolicy


@dataclass(frozen=True, slots=True)
class Round:
    """One doctor's round: between which moments it may be made."""

    number: int
    start: datetime
    end: datetime


def interval(stable: bool, infusing: bool, policy: HomeBedPolicy) -> int:
    """Days between rounds: shorter while infusions run, longer only when the doctor has marked the illness stable."""
    usual = policy.round_days_stable if stable else policy.round_days
    return min(usual, policy.round_days_infusing) if infusing else usual


def rounds(established: datetime, end: date, every_days: int, policy: HomeBedPolicy, zone: tzinfo) -> tuple[Round, ...]:
    """The rounds of a bed: the first within 24 hours of establishment, then one each interval until the last day.

    ``end`` is the last day of the bed. A later round is due at the closing hour of its day and may be made some days earlier.
    """
    opens, closes = time.fromisoformat(policy.round_opens), time.fromisoformat(policy.round_closes)
    first_due = established + timedelta(hours=policy.first_round_hours)
    laid = [Round(1, established, first_due)]
    start = established.astimezone(zone).date()
    due = start + timedelta(days=every_days)
    early = min(policy.round_early_days, every_days - 1)
    while due <= end:
        opening = datetime.combine(due - timedelta(days=early), opens, zone)
        laid.append(Round(len(laid) + 1, max(opening, first_due), datetime.combine(due, closes, zone)))
        due += timedelta(days=every_days)
    return tuple(laid)
