"""A visit goes to another day: out of one plan and into another, tried together and kept together or not at all."""

from dataclasses import dataclass
from datetime import date, datetime

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.board.trial import Move, Trial, refuse_broken, try_moves
from healthsvc.dayplan.hand import Conflict
from healthsvc.dayplan.resources import pinned_tasks
from healthsvc.dayplan.service import accept_all, check_version
from healthsvc.errors import Invalid
from healthsvc.store import Actor, Database, Store
from healthsvc.visit import service as visits


@dataclass(frozen=True, slots=True)
class Passage:
    """What moving a visit to another day would bring: on the day that it leaves, and on the day to which it goes."""

    leaves: Trial
    comes: Trial

    @property
    def trials(self) -> tuple[Trial, Trial]:
        """Both days."""
        return self.leaves, self.comes


def try_passage(
    database: Database, actor: Actor, on: date, to: date, travel: TravelTimes, move: Move, *, at: datetime, travel_there: TravelTimes
) -> Passage:
    """Try to move a visit from the plan of one day into that of another.

    Args:
        database: where the plans are.
        actor: in whose name.
        on: the day on which the visit is planned.
        to: the day to which it shall go.
        travel: travel times of the first day.
        move: the visit, who comes, and when on the other day (None: as soon as it fits best).
        at: the moment.
        travel_there: travel times of the other day.

    Raises:
        Invalid: both days are the same, or nobody is named who comes.
        NotFound: the visit cannot be made on the other day (its window, no position, in hospital).
    """
    if on == to or not move.staff:
        raise Invalid("another day needs another day and somebody who comes", path="to")
    leaves = try_moves(database, actor, on, travel, [Move(move.task, ())], at=at)
    comes = try_moves(database, actor, to, travel_there, [move], at=at, moving=[move.task])
    with database.reading(actor, at=at) as store:
        closes = visits.read(store, move.task).window.end.astimezone(store.zone).date()
        if move.task in pinned_tasks(store, on):
            leaves = leaves.with_conflicts(Conflict("pinned", move.task, None))
        if store.today <= closes < to:  # one that is overdue already may go to any day
            comes = comes.with_conflicts(Conflict("after-window", move.task, None))
    return Passage(leaves, comes)


def keep_passage(store: Store, passage: Passage, versions: tuple[int, int] | None = None, *, force: bool = False) -> None:
    """Make both tried plans the plans of their days. ``versions``: those that were looked at (None: those that were tried on).

    Raises:
        RuleViolation: the change breaks a rule on one of the days.
        PreconditionFailed, Conflict: one of the plans, or a visit in it, has changed since.
    """
    refuse_broken([one for trial in passage.trials for one in trial.conflicts], force=force)
    for trial, version in zip(passage.trials, versions or (passage.leaves.version, passage.comes.version), strict=True):
        check_version(store, trial.plan.on, version)
    accept_all(store, [trial.plan for trial in passage.trials])
