"""A day's plan as long work: left by whoever asks, worked out by a worker, kept as the proposal of the day."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from healthsvc import clock
from healthsvc.circle.providers import travel_times
from healthsvc.dayplan import service
from healthsvc.store import Database, Store
from healthsvc.store.work import Finish, Report, Work, defer

DAY: Final = "dayplan-day"


def ask_for_day(store: Store, on: date, seconds: float, seed: int) -> str:
    """Leave the planning of a day to a worker; gives the id of the work."""
    return defer(store, DAY, {"on": on.isoformat(), "seconds": seconds, "seed": seed})


def propose_day(data: Path, database: Database, work: Work, report: Report) -> Finish:
    """Work out the plan that was asked for; its effect is the proposal of the day."""
    on = date.fromisoformat(str(work.asked["on"]))
    report(0, 2)
    times = travel_times(data, database.policy, on)
    plan = service.propose(
        database, work.actor, on, times, at=clock.now(), seconds=float(work.asked["seconds"]), seed=int(work.asked["seed"])
    )
    report(1, 2)

    def keep(store: Store) -> Mapping[str, Any]:
        kept = service.keep_proposal(store, plan)
        return {"on": on.isoformat(), "version": int(kept["meta"]["versionId"]), "left_over": len(plan.left_over)}

    return keep
