"""The rows of exports: begun, taken by a process, led on step by step, done, cancelled, forgotten."""

import json
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import delete, func, insert, select, update

from healthsvc.errors import Refusal
from healthsvc.rest.export.terms import Terms
from healthsvc.store import Actor, Store
from healthsvc.store.export_tables import ExportRow
from healthsvc.store.stored import micros
from healthsvc.store.work import defer

EXPORT = ExportRow.__table__  # type: ignore[attr-defined]
KIND: Final = "bulk-export"
"""The kind of long work that an export is."""
LEASE = timedelta(seconds=20)
"""How long a process that says nothing is waited for before another goes on with its export."""


class TooMany(Refusal):
    """The caller has as many exports running as the policy allows."""

    status = 429
    issue_code = "throttled"


@dataclass(frozen=True, slots=True)
class ExportPolicy:
    """Filled from ``policy/rest.toml``."""

    export_keep_hours: int
    export_at_once: int
    export_page_resources: int
    export_file_resources: int

    @classmethod
    def of(cls, store: Store) -> Self:
        """As in force today."""
        return store.policy.fill(cls, "rest", store.today)


@dataclass(slots=True)
class File:
    """One file: ``kind`` is output or deleted; ``size`` bytes are on disk for certain, sealed (``files.py``)."""

    kind: str
    type: str
    name: str
    count: int = 0
    size: int = 0


@dataclass(slots=True)
class Progress:
    """How far an export is: the type at hand, the position behind its last page, the files."""

    phase: str = "output"
    """output, then deleted, then done."""
    place: int = 0
    """Index of the type at hand."""
    after: str | None = None
    files: list[File] = field(default_factory=list)
    withheld: int = 0
    """Patients who are left out because they have refused or withdrawn that their records are handed on."""

    @property
    def resources(self) -> int:
        """Resources that are written."""
        return sum(one.count for one in self.files)


@dataclass(frozen=True, slots=True)
class Job:
    """One export."""

    id: str
    actor: Actor
    terms: Terms
    at: int
    state: str
    progress: Progress
    created: int
    finished: int | None
    error: str | None


def begin(store: Store, terms: Terms) -> str:
    """A new export of the state of this moment, in the name of the store's actor; gives its id.

    Raises:
        TooMany: others of the same actor are still running.
    """
    running = select(func.count()).select_from(EXPORT).where(EXPORT.c.actor == store.actor.id, EXPORT.c.state == "running")
    if store.connection.execute(running).scalar_one() >= ExportPolicy.of(store).export_at_once:
        raise TooMany("as many of your exports are running as one caller may have; wait for one or cancel it")
    asked = {"terms": terms.as_json(), "actor": store.actor.as_json()}
    row = {
        "id": uuid.uuid4().hex, "actor": store.actor.id, "asked": json.dumps(asked, ensure_ascii=False), "at": micros(store.at),
        "state": "running", "progress": json.dumps(asdict(Progress())), "holder": "", "until": 0, "created": micros(store.at),
    }  # fmt: skip
    store.connection.execute(insert(EXPORT), row)
    leave(store, str(row["id"]))
    store.audit("export", f"{terms.scope}/{terms.group or ''}?{'&'.join(terms.types)}")
    return str(row["id"])


def leave(store: Store, id: str) -> None:
    """Leave an export to the workers."""
    defer(store, KIND, {"export": id}, about=id)


def running(store: Store) -> list[Job]:
    """The exports that have not ended."""
    return [_job(row) for row in store.connection.execute(select(EXPORT).where(EXPORT.c.state == "running")).all()]


def job(store: Store, id: str) -> Job | None:
    """An export by its id."""
    row = store.connection.execute(select(EXPORT).where(EXPORT.c.id == id)).one_or_none()
    return None if row is None else _job(row)


def _job(row: Any) -> Job:
    asked, progress = json.loads(row.asked), json.loads(row.progress)
    actor = Actor.of_json(asked["actor"])
    files = [File(**one) for one in progress.pop("files")]
    terms = Terms.of_json(asked["terms"])
    return Job(row.id, actor, terms, row.at, row.state, Progress(**progress, files=files), row.created, row.finished, row.error)


def take(store: Store, holder: str, id: str) -> Job | None:
    """An export, now held by ``holder``; None where another may still be at it, or where it has ended."""
    now = micros(store.at)
    free = (EXPORT.c.state == "running") & ((EXPORT.c.until < now) | (EXPORT.c.holder.in_((holder, ""))))
    held = update(EXPORT).where(EXPORT.c.id == id, free).values(holder=holder, until=now + micros_of(LEASE))
    return job(store, id) if store.connection.execute(held).rowcount == 1 else None


def keep(store: Store, job: Job, holder: str, progress: Progress) -> bool:
    """Write down how far an export has come; False: it was cancelled or another process has taken it over."""
    done = progress.phase == "done"
    values = {
        "progress": json.dumps(asdict(progress)), "until": micros(store.at) + micros_of(LEASE),
        "state": "done" if done else "running", "finished": micros(store.at) if done else None,
    }  # fmt: skip
    mine = (EXPORT.c.id == job.id) & (EXPORT.c.holder == holder) & (EXPORT.c.state == "running")
    return store.connection.execute(update(EXPORT).where(mine).values(**values)).rowcount == 1


def let_go(store: Store, job: Job, holder: str) -> None:
    """Another may go on with it at once."""
    mine = (EXPORT.c.id == job.id) & (EXPORT.c.holder == holder) & (EXPORT.c.state == "running")
    store.connection.execute(update(EXPORT).where(mine).values(holder="", until=0))


def end(store: Store, id: str, state: str, error: str | None = None) -> None:
    """Cancel an export, or write down that it failed."""
    values = {"state": state, "error": error, "finished": micros(store.at), "holder": ""}
    store.connection.execute(update(EXPORT).where(EXPORT.c.id == id).values(**values))


def forget(store: Store, folder: Path) -> int:
    """Remove what the policy keeps no longer, rows and files; gives how many exports."""
    since = micros(store.at - timedelta(hours=ExportPolicy.of(store).export_keep_hours))
    old = store.connection.execute(select(EXPORT.c.id).where(EXPORT.c.finished < since)).scalars().all()
    for id in old:
        remove(folder, id)
        store.connection.execute(delete(EXPORT).where(EXPORT.c.id == id))
    return len(old)


def remove(folder: Path, id: str) -> None:
    """Remove the files of an export."""
    shutil.rmtree(folder / id, ignore_errors=True)


def micros_of(length: timedelta) -> int:
    """A length of time in microseconds."""
    return length // timedelta(microseconds=1)
