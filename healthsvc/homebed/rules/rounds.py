"""The doctor's rounds 查床: the first within a day, then one each interval, until the last day of the bed."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from healthsvc.homebed.rules.parameters import HomeBedPolicy


@dataclass(frozen=True, slots=True)
class Round:
    """One doctor's round: the day on which it is due, and between which moments it may be made."""

    due: date
    start: datetime
    end: datetime
    first: bool = False


def interval(stable: bool, infusing: bool, policy: HomeBedPolicy) -> int:
    """Days between rounds: shorter while infusions run, longer only when the doctor has marked the illness stable."""
    usual = policy.round_days_stable if stable else policy.round_days
    return min(usual, policy.round_days_infusing) if infusing else usual


def suggest(last: date | None, established: date, stable: bool, infusing: bool, worse: bool, policy: HomeBedPolicy) -> tuple[date, str]:
    """The day by which the doctor should come again, and why: ``first``, ``worse``, ``infusing``, ``stable`` or ``usual``.

    ``worse``: the last round found a danger sign, a reaction or a complication; then it is as if infusions ran, whatever the mark says.
    """
    if last is None:
        return established + timedelta(days=1), "first"
    days = interval(stable and not worse, infusing or worse, policy)
    why = "worse" if worse else "infusing" if infusing else "stable" if stable else "usual"
    return last + timedelta(days=days), why


def first_round(established: datetime, policy: HomeBedPolicy, zone: tzinfo) -> Round:
    """The first round: from establishment on, due 24 hours later."""
    end = established + timedelta(hours=policy.first_round_hours)
    return Round(end.astimezone(zone).date(), established, end, first=True)


def rounds(after: date, not_before: datetime, end: date, every_days: int, policy: HomeBedPolicy, zone: tzinfo) -> tuple[Round, ...]:
    """The rounds that follow one made (or due) on the day ``after``, one each interval, up to and including the day ``end``.

    Each is due at the closing hour of its day and may be made some days earlier, but not before ``not_before``. A round whose day has
    passed by then is due on the next day instead.
    """
    opens, closes = time.fromisoformat(policy.round_opens), time.fromisoformat(policy.round_closes)
    early = timedelta(days=min(policy.round_early_days, every_days - 1))
    due = max(after + timedelta(days=every_days), not_before.astimezone(zone).date() + timedelta(days=1))
    laid = []
    while due <= end:
        opening = datetime.combine(due - early, opens, zone)
        laid.append(Round(due, max(opening, not_before), datetime.combine(due, closes, zone)))
        due += timedelta(days=every_days)
    return tuple(laid)
