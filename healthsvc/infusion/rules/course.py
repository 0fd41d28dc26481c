"""From an ordered course to its doses: when each may start, how long the nurse is bound, how far apart two must be. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from math import ceil

from healthsvc.errors import RuleViolation
from healthsvc.infusion.rules.order import Order
from healthsvc.infusion.rules.parameters import InfusionPolicy


@dataclass(frozen=True, slots=True)
class Dose:
    """One infusion of a course: it may start between ``earliest`` and ``latest`` (both included)."""

    number: int
    earliest: datetime
    latest: datetime
    bound_minutes: int
    gap_minutes: int
    """Least time between the start of the dose before and the start of this one; 0 for the first."""

    @property
    def on(self) -> date:
        """The day of the dose."""
        return self.earliest.date()


def drip_minutes(volume_ml: int, rate_ml_h: int) -> int:
    """Minutes that the drip runs, rounded up.

    Raises:
        RuleViolation: volume or rate is not positive.
    """
    if volume_ml <= 0 or rate_ml_h <= 0:
        raise RuleViolation("an infusion needs a volume (mL) and a rate (mL/h) above zero", reason="infusion-rate-missing")
    return ceil(volume_ml * 60 / rate_ml_h)


def drops_a_minute(rate_ml_h: int, drops_per_ml: int) -> int:
    """Drops a minute for a rate in mL/h with an infusion set of so many drops a mL, to the nearest whole drop.

    Raises:
        RuleViolation: rate or drop factor is not positive.
    """
    if rate_ml_h <= 0 or drops_per_ml <= 0:
        raise RuleViolation("a drip rate needs a rate (mL/h) and a drop factor (drops/mL) above zero", reason="infusion-rate-missing")
    return (2 * rate_ml_h * drops_per_ml + 60) // 120


def bound_minutes(order: Order, policy: InfusionPolicy) -> int:
    """Minutes that the nurse is bound: preparing, the drip, and the observation after it (she stays the whole time)."""
    return policy.prepare_minutes + drip_minutes(order.volume_ml, order.rate_ml_h) + policy.observe_minutes


def doses(order: Order, policy: InfusionPolicy, zone: tzinfo) -> tuple[Dose, ...]:
    """Lay a course out: ``days`` times ``times_a_day`` doses, evenly over 24 hours, inside the hours in which infusions may start.

    Once a day: any time in those hours. Several times a day: the first of the day in a window at the beginning, each later one
    24 h / times later; the window is as wide as the slack that the policy gives the gap.

    Raises:
        RuleViolation: the course is too long, too large, or its rhythm does not fit into the hours; the reason code says which.
    """
    _check_size(order, policy)
    opens, closes = time.fromisoformat(policy.earliest_start), time.fromisoformat(policy.latest_start)
    interval = timedelta(hours=24) / order.times_a_day
    slack = interval * policy.gap_slack_share
    bound, gap = bound_minutes(order, policy), interval - slack
    laid: list[Dose] = []
    for day in range(order.days):
        on = order.start + timedelta(days=day)
        opening, closing = datetime.combine(on, opens, zone), datetime.combine(on, closes, zone)
        for turn in range(order.times_a_day):
            earliest = opening + turn * interval
            latest = closing if order.times_a_day == 1 else min(earliest + slack, closing)
            if earliest > closing:
                raise RuleViolation(
                    f"{order.times_a_day} doses a day do not fit between {policy.earliest_start} and {policy.latest_start}; "
                    "order a drug that is given less often, or have it given in a ward",
                    reason="infusion-rhythm-not-at-home",
                )
            number = len(laid) + 1
            laid.append(Dose(number, earliest, latest, bound, int(gap.total_seconds() // 60) if number > 1 else 0))
    return tuple(laid)


def _check_size(order: Order, policy: InfusionPolicy) -> None:
    limits = (
        (order.days, policy.course_max_days, "days", "infusion-course-too-long"),
        (order.times_a_day, policy.max_times_a_day, "doses a day", "infusion-rhythm-not-at-home"),
        (order.volume_ml, policy.volume_max_ml, "mL", "infusion-volume-too-large"),
        (order.rate_ml_h, policy.rate_max_ml_h, "mL/h", "infusion-rate-too-high"),
    )
    for value, most, unit, reason in limits:
        if not 0 < value <= most:
            raise RuleViolation(f"an infusion at home has between 1 and {most} {unit}, not {value}; order less, or a ward", reason=reason)
