"""Carries exports out, page by page, in a worker.

Each page is on disk before its row says so; after a crash the file is cut back to what the row knows, and the export goes on from there,
in this process or in another. What is written is the state of the moment of the kick-off: of a resource that has changed since, the
version that was in force then. What has been deleted since is left out.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson
import structlog

from healthsvc import clock
from healthsvc.access import handing_on
from healthsvc.access.door import reading_as
from healthsvc.errors import Refusal, Unavailable
from healthsvc.rest.export import files, jobs
from healthsvc.rest.export.jobs import ExportPolicy, File, Job, Progress
from healthsvc.rest.export.terms import members, of_patients, selects
from healthsvc.rest.permitted import restriction
from healthsvc.rest.shape import shaped
from healthsvc.rest.site import Site
from healthsvc.store import Actor, Database, Store
from healthsvc.store.replica import LONG
from healthsvc.store.search import ast, search
from healthsvc.store.search.versions import as_of, deleted
from healthsvc.store.work import Leaving, Report, TakenAway

log = structlog.get_logger()
EXPORTER = Actor("system/export", "bulk export", frozenset({"system"}), "system")
FOLDER = "exports"


class Exporter:
    """One process's way to write exports."""

    def __init__(self, database: Database, site: Site, data: Path, now: Callable[[], datetime] = clock.now) -> None:
        self.database = database
        self.site = site
        self.folder = data / FOLDER
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._now = now

    def see_through(self, id: str, report: Report) -> Job | None:
        """Work at an export until it has ended, and tell how many of its types are written; None where another is at it."""
        with self.database.writing(EXPORTER, at=self._now()) as store:
            job = jobs.take(store, self.holder, id)
        if job is not None:
            self._carry_out(job, report)
        with self.database.reading(EXPORTER, at=self._now()) as store:
            found = jobs.job(store, id)
        return None if found is None or (job is None and found.state == "running") else found

    def let_go(self, id: str) -> None:
        """Nobody waits for it here any more: its files go, unless another process has taken it over."""
        with self.database.reading(EXPORTER, at=self._now()) as store:
            found = jobs.job(store, id)
        if found is None or found.state == "cancelled":
            jobs.remove(self.folder, id)

    def _carry_out(self, job: Job, report: Report) -> None:
        try:
            progress, types = job.progress, len(job.terms.types)
            while progress.phase != "done":
                report(min(progress.place, types), max(1, types))
                progress = self.step(job, progress)
                with self.database.writing(EXPORTER, at=self._now()) as store:
                    if not jobs.keep(store, job, self.holder, progress):
                        raise TakenAway("this export was cancelled, or another process has taken it over")
            log.info("export", export=job.id, phase=progress.phase, resources=progress.resources)
        except Leaving:
            with self.database.writing(EXPORTER, at=self._now()) as store:
                jobs.let_go(store, job, self.holder)
            raise
        except (TakenAway, Unavailable):
            raise
        except Refusal as refusal:
            self._failed(job, refusal.text)
        except Exception as error:  # noqa: BLE001 - whoever waits for it is told; the cause is named without a value
            log.error("export failed", export=job.id, kind=type(error).__name__)
            self._failed(job, f"the export could not be written ({type(error).__name__})")

    def step(self, job: Job, progress: Progress) -> Progress:
        """One page more on disk, and the position after it."""
        with reading_as(self.database, job.actor, read=LONG) as store:
            policy = ExportPolicy.of(store)
            whole = store.restrict  # whoever asks: an export is handed on, and each page asks anew what the persons let be
            store.restrict = handing_on.narrowed_by(whole, handing_on.limit(store, job.actor.areas or ()))
            if progress.phase == "output":
                after = self._page(store, job, progress, policy, sees_all=whole is None)
                return after if after.phase == "output" else replace(after, withheld=_withheld(self.site, store, job, whole))
            return self._deleted(store, job, progress, policy)

    def _page(self, store: Store, job: Job, progress: Progress, policy: ExportPolicy, *, sees_all: bool) -> Progress:
        if progress.place >= len(job.terms.types):
            # a deleted record is in nobody's compartment: only whoever may see everything is told of it
            told = job.terms.since is not None and job.terms.scope == "system" and sees_all
            return Progress("deleted" if told else "done", 0, None, progress.files)
        type = job.terms.types[progress.place]
        found = search(
            store,
            type,
            [("_total", "none")],
            count=policy.export_page_resources,
            page=progress.after,
            restrict=restriction(store),
            within=selects(self.site, store, job.terms, type),
            count_max=policy.export_page_resources,
        )
        versions = [version for one in found.matches if (version := as_of(store, one, job.at)) is not None]
        elements = job.terms.elements
        lines = [shaped(self.site.registry, one.body, "false", elements) if elements else one.body for one in versions]
        now = self._write(job, progress.files, "output", type, lines, policy)
        place = progress.place if found.next is not None else progress.place + 1
        return Progress("output", place, found.next, now)

    def _deleted(self, store: Store, job: Job, progress: Progress, policy: ExportPolicy) -> Progress:
        if progress.place >= len(job.terms.types):
            return Progress("done", 0, None, progress.files, progress.withheld)
        type, after = job.terms.types[progress.place], int(progress.after or 0)
        gone = deleted(store, type, job.terms.since or 0, job.at, after, policy.export_page_resources)
        entries = [{"request": {"method": "DELETE", "url": f"{type}/{id}"}} for _, id in gone]
        lines = [orjson.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})] if entries else []
        now = self._write(job, progress.files, "deleted", "Bundle", lines, policy)
        if len(gone) == policy.export_page_resources:
            return Progress("deleted", progress.place, str(gone[-1][0]), now, progress.withheld)
        return Progress("deleted", progress.place + 1, None, now, progress.withheld)

    def _write(self, job: Job, known: Sequence[File], kind: str, type: str, lines: Sequence[bytes], policy: ExportPolicy) -> list[File]:
        """Append lines to the last file, or to a new one where that is full or of another type."""
        written = list(known)
        if not lines:
            return written
        last = written[-1] if written else None
        full = last is None or (last.kind, last.type) != (kind, type) or last.count >= policy.export_file_resources
        if last is None or full or files.is_plain(self.folder / job.id / last.name):
            number = 1 + sum((one.kind, one.type) == (kind, type) for one in written)
            last = File(kind, type, f"{type}.{number}.ndjson" if kind == "output" else f"deleted.{number}.ndjson")
        else:
            written.pop()
        folder = self.folder / job.id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        size = files.append(folder / last.name, last.size, b"".join(line + b"\n" for line in lines), self.database.sealer)
        return [*written, File(kind, type, last.name, last.count + len(lines), size)]

    def _failed(self, job: Job, text: str) -> None:
        with self.database.writing(EXPORTER, at=self._now()) as store:
            jobs.end(store, job.id, "failed", text)
        jobs.remove(self.folder, job.id)


def _withheld(site: Site, store: Store, job: Job, whole: ast.Restrict | None) -> int:
    """How many of the patients of an export have not let their records be handed on."""
    agreeing = handing_on.agreeing(store, job.actor.areas or ())
    if agreeing is None or not any(of_patients(site, one) for one in job.terms.types):
        return 0
    meant, actors_own = members(store, job.terms), whole("Patient") if whole is not None else None
    nodes = tuple(one for one in (ast.Not(ast.Whole(agreeing)), meant, actors_own) if one is not None)
    return search(store, "Patient", [("_summary", "count")], within=ast.All(nodes)).total or 0
