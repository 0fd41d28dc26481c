"""A long roster as long work: left sealed in the database by whoever sent it, imported by a worker in their name."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from healthsvc import clock
from healthsvc.healthfile.roster import Report, import_roster, length
from healthsvc.policy import Policy
from healthsvc.store import Database, Store
from healthsvc.store.work import Finish, Work, defer, paper_of
from healthsvc.store.work import Report as Tell

ROSTER: Final = "roster-import"
MOST_PROBLEMS: Final = 500
"""Lines with something to mend that are kept with the work; how many more there are is said."""


def is_long(policy: Policy, on: date, path: Path) -> bool:
    """Whether a roster has more rows than are imported while one waits.

    Raises:
        Refusal: the file as a whole cannot be read.
    """
    return length(path) > int(policy.value("healthfile.roster_at_once_rows", on))


def ask_for_import(store: Store, path: Path) -> str:
    """Leave a roster to a worker; gives the id of the work. Nothing of the sender's file name is kept but its ending."""
    return defer(store, ROSTER, {"ending": path.suffix}, paper=path.read_bytes())


def take_in(database: Database, work: Work, report: Tell) -> Finish:
    """Import it, a hundred rows in a transaction: what is in is in, also where the work is called off or begun again later."""
    with database.reading(work.actor, at=clock.now()) as store:
        content = paper_of(store, work.id)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"roster{work.asked['ending']}"
        path.touch(mode=0o600)
        path.write_bytes(content)
        found = import_roster(database, path, actor=work.actor, at=clock.now(clock.zone(database.zone)), progress=report)
    return lambda _: _told(found)


def _told(report: Report) -> Mapping[str, Any]:
    told = report.as_json()
    return {**told, "problems": told["problems"][:MOST_PROBLEMS], "moreProblems": max(0, len(told["problems"]) - MOST_PROBLEMS)}
