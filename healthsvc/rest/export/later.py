"""An export as long work: a worker carries it out page by page; its files are in the data directory, which API and workers share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from healthsvc.config import Settings
from healthsvc.errors import Unavailable
from healthsvc.rest.export import jobs
from healthsvc.rest.export.run import Exporter
from healthsvc.rest.site import Site
from healthsvc.store import Database, Store
from healthsvc.store.progress import cancel, underway
from healthsvc.store.work import Finish, Report, TakenAway, Work


def carry_out(data: Path, database: Database, work: Work, report: Report) -> Finish:
    """See one export through; what is on disk for certain stands in its row, so that whoever takes over goes on there.

    Raises:
        Unavailable: a process that may still live holds it.
    """
    id = str(work.asked["export"])
    exporter = Exporter(database, Site.of(Settings(data=data)), data)
    try:
        ended = exporter.see_through(id, report)
    except TakenAway:
        exporter.let_go(id)
        raise
    if ended is None:
        raise Unavailable("another process holds this export")

    def told(_: Store) -> Mapping[str, Any]:
        return {"export": id, "state": ended.state, "resources": ended.progress.resources}

    return told


def call_off(store: Store, id: str) -> None:
    """Cancel an export and the work that it is."""
    jobs.end(store, id, "cancelled")
    found = underway(store, jobs.KIND, id)
    if found is not None:
        cancel(store, found.id)


def leave_again(store: Store) -> int:
    """Leave exports to the workers that run and that no work is about (an older release has begun them); gives how many."""
    lost = [one for one in jobs.running(store) if underway(store, jobs.KIND, one.id) is None]
    for one in lost:
        jobs.leave(store, one.id)
    return len(lost)
