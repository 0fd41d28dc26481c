"""Plans as long work: left by whoever asks, worked out by a worker, kept as the proposals of their days."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, Final

from healthsvc import clock
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan import service
from healthsvc.dayplan.watching import compiling, watched
from healthsvc.policy import Policy
from healthsvc.store import Database, Store
from healthsvc.store.progress import underway
from healthsvc.store.work import Finish, Leaving, Report, TakenAway, Work, defer

DAY: Final = "dayplan-day"
WEEK: Final = "dayplan-week"
COMPILING: Final = "compiling"
"""Step of the first plan of a machine: the search is compiled, which takes about half a minute once."""
_WHOLE: Final = 100
"""Progress is told in percent of the proposals that the budget buys."""


def ask_for_day(store: Store, on: date, seconds: float, seed: int = 1, *, begin: bool = False) -> str:
    """Leave the planning of a day to a worker; gives the id of the work.

    ``begin``: where nobody has planned the day yet the plan is in force at once, since there is nothing that it could change.
    """
    service.refuse_past(store, on)
    return defer(store, DAY, {"on": on.isoformat(), "seconds": seconds, "seed": seed, "begin": begin}, about=on.isoformat())


def ask_for_week(store: Store, first: date, days: int, seconds: float, seed: int = 1) -> str:
    """Leave the planning of consecutive days to a worker; gives the id of the work."""
    service.refuse_past(store, first)
    return defer(store, WEEK, {"first": first.isoformat(), "days": days, "seconds": seconds, "seed": seed}, about=first.isoformat())


def day_underway(store: Store, on: date) -> Work | None:
    """The planning of a day that has not ended, whoever asked for it."""
    return underway(store, DAY, on.isoformat())


def week_underway(store: Store, first: date) -> Work | None:
    """The planning of the days from ``first`` that has not ended, whoever asked for it."""
    return underway(store, WEEK, first.isoformat())


def propose_day(data: Path, database: Database, work: Work, report: Report) -> Finish:
    """Work out the plan that was asked for; its effect is the proposal of the day, or the plan (see :func:`ask_for_day`)."""
    on, seconds = date.fromisoformat(str(work.asked["on"])), float(work.asked["seconds"])
    report(0, _WHOLE)
    times = travel_times(data, database.policy, on)
    with _watching(database.policy, on, seconds, report):
        plan = service.propose(database, work.actor, on, times, at=clock.now(), seconds=seconds, seed=int(work.asked["seed"]))

    def keep(store: Store) -> Mapping[str, Any]:
        told = {"on": on.isoformat(), "left_over": len(plan.left_over)}
        if work.asked.get("begin") and plan.base == 0 and service.read_plan(store, on) is None:
            service.accept(store, plan)
            return told | {"in_force": True}
        kept = service.keep_proposal(store, plan)
        return told | {"in_force": False, "version": int(kept["meta"]["versionId"])}

    return keep


def propose_week(data: Path, database: Database, work: Work, report: Report) -> Finish:
    """Work out the plans of consecutive days at once; their effect is a proposal for each."""
    first, days, seconds = date.fromisoformat(str(work.asked["first"])), int(work.asked["days"]), float(work.asked["seconds"])
    report(0, _WHOLE)
    times = travel_times(data, database.policy, first)
    how: dict[str, Any] = {"days": days, "seconds": seconds, "seed": int(work.asked["seed"])}
    with _watching(database.policy, first, seconds, report):
        week = service.propose_week(database, work.actor, first, times, at=clock.now(), **how)

    def keep(store: Store) -> Mapping[str, Any]:
        kept = {plan.on.isoformat(): int(service.keep_proposal(store, plan)["meta"]["versionId"]) for plan in week.days}
        return {"first": first.isoformat(), "versions": kept, "left_over": sum(len(plan.left_over) for plan in week.days)}

    return keep


@contextmanager
def _watching(policy: Policy, on: date, seconds: float, report: Report) -> Iterator[None]:
    budget = max(1, round(seconds * service.policy_of(policy, on).proposals_a_second))
    done = 0

    def searched(made: int) -> None:
        nonlocal done
        done = min(_WHOLE - 1, _WHOLE * made // budget)
        report(done, _WHOLE)

    def compiles(at_it: bool) -> None:
        with suppress(TakenAway, Leaving):  # a compiler is not to be torn away from its work; the search hears the same in a moment
            report(done, _WHOLE, COMPILING if at_it else "")

    with compiling(compiles), watched(searched):
        yield
