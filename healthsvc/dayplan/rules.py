"""排班: what a visit is worth on a day, when it may begin, and why it found no place. The tiers are prices in minutes of travel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from healthsvc.dayplan.problem import Window
from healthsvc.visit.rules import Standing, Visit


@dataclass(frozen=True, slots=True)
class DayPlanPolicy:
    """Policy parameters ``dayplan.*``; see healthsvc/policy/dayplan.toml for what each means and who says so."""

    must_price: int
    overdue_price: int
    overdue_day_price: int
    priority_prices: dict[str, Any]
    due_price: int
    soon_price: int
    soon_days: int
    continuity_price: int
    travel_price: float
    waiting_price: float
    balance_price: float
    mode: str
    rest_minutes: int
    rest_from: str
    rest_to: str
    rest_price: int
    candidates_per_staff: int


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody on duty that day. Times are minutes after midnight."""

    id: str
    """Practitioner id."""
    name: str
    skills: frozenset[str]
    station: str
    """Location id of the station where the day starts and ends."""
    shift: Window
    mode: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """A visit of that day that no plan moves: under way, made, or confirmed. Minutes after midnight."""

    start: float
    staff: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A visit that may be made on the day, with what the planner needs beside it."""

    visit: Visit
    standing: Standing
    preferred: frozenset[str] = frozenset()
    """Practitioner ids of those who should come: the signed doctor, the paired nurse."""
    fixed: Fixed | None = None


class Why(StrEnum):
    """Why a visit is not in the plan."""

    NO_POSITION = "no-position"
    NO_PATH = "no-path"
    NO_STAFF = "no-staff"
    NO_TIME = "no-time"
    NO_ROOM = "no-room"
    CAN_WAIT = "can-wait"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A visit without a place in the plan, the constraint that kept it out, and what would let it in."""

    visit: str
    """Task id."""
    person: str
    """Patient id."""
    why: Why
    zh: str
    en: str


_WORDS: Mapping[Why, tuple[str, str]] = {
    Why.NO_POSITION: ("住址没有坐标，无法计算路程；请在健康档案中标注位置", "the home has no position on the map; set it in the health file"),
    Why.NO_PATH: ("所有站点都无路可达该住址；请核实位置或道路数据", "no station has a way to this home; check its position or the road data"),
    Why.NO_STAFF: ("当日没有具备所需资质的人员在岗（{}）", "nobody on duty has the skills it needs ({})"),
    Why.NO_TIME: ("可上门的时段与在岗人员的班次不相交", "its time of day and the shifts of those who could come do not meet"),
    Why.NO_ROOM: ("具备资质的人员当日已排满，还差 {} 分钟", "those who could come are full; {} more minutes would let it in"),
    Why.CAN_WAIT: ("窗口期到 {} 才截止，先排更紧迫的上门", "its window stays open until {}; more pressing visits come first"),
    Why.CHANGED: ("排班期间该上门已被修改，请重新排班", "it was changed while the plan was being made; plan again"),
}


def left_out(wanted: Wanted, why: Why, what: str = "") -> LeftOut:
    """A left-out visit with its reason in words, Chinese and English."""
    zh, en = _WORDS[why]
    return LeftOut(wanted.visit.id, wanted.visit.person, why, zh.format(what), en.format(what))


def price(wanted: Wanted, on: date, policy: DayPlanPolicy) -> float:
    """What leaving this visit out of the day costs, in minutes of travel.

    A visit that cannot move (its window ends that day, an infusion) outweighs all others; then what is overdue, the longer the dearer;
    then urgency; then what falls due within ``soon_days``.
    """
    visit = wanted.visit
    ends = visit.window.end.date()
    extra = float(policy.priority_prices.get(visit.priority.value, 0))
    if wanted.standing is Standing.OVERDUE:
        return extra + policy.overdue_price + policy.overdue_day_price * (on - ends).days
    if visit.window.start.date() == ends == on:
        return extra + policy.must_price
    left = (ends - on).days
    soon = policy.soon_price * max(0.0, 1 - left / policy.soon_days)
    return extra + policy.due_price + soon


def starts(wanted: Wanted, on: date) -> Window | None:
    """Between which minutes of the day a visit may begin; None where its window leaves no moment of the day.

    An overdue visit may begin at any time of day that it allows: better late than not at all.
    """
    visit = wanted.visit
    low = _minute(visit.earliest) if visit.earliest else 0.0
    high = _minute(visit.latest) if visit.latest else 24 * 60.0
    if wanted.standing is not Standing.OVERDUE:
        low, high = max(low, minutes(visit.window.start, on)), min(high, minutes(visit.window.end, on))
    return Window(low, high) if low <= high else None


def minutes(at: datetime, on: date) -> float:
    """A moment as minutes after the midnight that begins the day (negative before it, beyond 1440 after it), in the moment's own zone."""
    return (at.date() - on).days * 1440.0 + _minute(at.timetz())


def _minute(at: time) -> float:
    return at.hour * 60 + at.minute + at.second / 60


def clock(text: str) -> float:
    """``HH:MM`` as minutes after midnight."""
    return _minute(time.fromisoformat(text))
