"""Which of the open visits a day should take on at all. Pure.

A checkup's window is open for weeks: if every day took all it could, the first day would be full and the last one empty. So a day
takes what is
overdue, pressing, already planned or closes today, and of the rest its share: one working day's part of each window. The share is filled
street by street, beginning with what is due soonest, so that visits to one street fall together. What is planned already counts into the
share: a day that is planned again, because a nurse is ill or one more visit comes in, takes on nothing new that can wait.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from healthsvc.checkup.calendar import is_workday
from healthsvc.dayplan.model import skip_price
from healthsvc.dayplan.rules import Call, Day, DayPolicy, Duty
from healthsvc.visit.rules import Priority

STREET = 6
"""Most visits that are taken on together because they lie near one that is due."""


@dataclass(frozen=True, slots=True)
class Share:
    """``today``: taken on; ``later``: left to another day of their windows; ``beyond``: more than the staff on duty can possibly make."""

    today: tuple[Call, ...]
    later: tuple[Call, ...]
    beyond: tuple[Call, ...]


def share(day: Day, policy: DayPolicy, named: Collection[str] = ()) -> Share:
    """Divide the calls of a day. ``named``: tasks that its plan in force names already, if only as left over; they stay in it."""
    return share_days((day,), policy, named)


def share_days(days: Sequence[Day], policy: DayPolicy, named: Collection[str] = ()) -> Share:
    """Divide the calls of several days that are planned at once; every task once, as on the first day on which it can be made."""
    first: dict[str, Call] = {}
    pressing: set[str] = set()
    chances: dict[str, int] = {}
    for day in days:
        for call in day.calls:
            first.setdefault(call.task.id, call)
            chances[call.task.id] = chances.get(call.task.id, 0) + (len(days) == 1 or is_workday(day.on))
            if is_pressing(call) or call.task.id in named:
                pressing.add(call.task.id)
    must = [call for task, call in first.items() if task in pressing]
    rest = [call for task, call in first.items() if task not in pressing]
    ahead = [call for call in must if not _closes(call)]
    parts = [chances[call.task.id] / days_left(call, days[0].on) for call in rest]
    parts += [_open_days(call, days) / days_left(call, days[0].on) for call in ahead]
    quota = max(0, math.ceil(sum(min(1.0, part) for part in parts) - 1e-9) - len(ahead))
    taken = _street_by_street(rest, quota, days[0])
    chosen = {call.task.id for call in taken}
    today, beyond = _what_fits(must + taken, [duty for day in days for duty in day.duties], policy)
    return Share(today, tuple(call for call in rest if call.task.id not in chosen), beyond)


def is_pressing(call: Call) -> bool:
    """It cannot wait for another day: overdue, closing, urgent, or already planned for the day."""
    return call.held is not None or _closes(call)


def _closes(call: Call) -> bool:
    """It has to be made now, whatever other days take on."""
    return bool(call.overdue_days) or call.last_day or call.task.priority is not Priority.ROUTINE


def _open_days(call: Call, days: Sequence[Day]) -> int:
    """On how many of the days that are planned at once it could be made: one that is planned already stands in its own day only."""
    last = call.task.window.end.date()
    return max(1, sum(is_workday(day.on) and day.on <= last for day in days))


def days_left(call: Call, on: date) -> int:
    """Working days from ``on`` to the last day of the window, both counted; at least one."""
    return max(1, _workdays(on, call.task.window.end.date()))


@lru_cache(maxsize=4096)
def _workdays(first: date, last: date) -> int:
    """Days that are worked from the first to the last, holidays and their make-up days minded."""
    return sum(is_workday(first + timedelta(days=k)) for k in range((last - first).days + 1))


def _street_by_street(calls: list[Call], quota: int, day: Day) -> list[Call]:
    """``quota`` calls: the one due soonest and those nearest to it, then the next."""
    waiting = sorted(calls, key=lambda call: (call.task.window.end, call.task.id))
    minutes = next(iter(day.travel.values()))
    taken: list[Call] = []
    while waiting and len(taken) < quota:
        seed = waiting[0]
        near = sorted(waiting, key=lambda call: (minutes[seed.place, call.place], call.task.window.end, call.task.id))
        group = near[: min(STREET, quota - len(taken))]
        chosen = {call.task.id for call in group}
        taken += group
        waiting = [call for call in waiting if call.task.id not in chosen]
    return taken


def _what_fits(calls: list[Call], duties: list[Duty], policy: DayPolicy) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
    """The dearest calls, as many for each kind of skill as the people who have it could make without travelling at all."""
    room = {id(duty): duty.ends - duty.starts - (duty.rest[2] if duty.rest else 0.0) for duty in duties}
    today, beyond = [], []
    used: dict[frozenset[str], float] = {}
    for call in sorted(calls, key=lambda call: (-skip_price(call, policy), call.task.window.end, call.task.id)):
        skills = call.task.skills
        able = sum(room[id(duty)] for duty in duties if skills <= duty.skills)
        minutes = used.get(skills, 0.0) + call.task.minutes
        if minutes > able and able > 0 and call.held is None:
            beyond.append(call)
        else:
            used[skills] = minutes
            today.append(call)
    return tuple(today), tuple(beyond)
