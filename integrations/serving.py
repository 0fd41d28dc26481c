"""Serve: the API and pages, the hospital lines, the workers and the timers, in one process or one each."""

import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from healthsvc import __version__, clock
from healthsvc.access.audit import bear_witness
from healthsvc.access.configured import note_policy
from healthsvc.access.door import session_life
from healthsvc.app import create_app
from healthsvc.backup.collector import BackupCollector
from healthsvc.backup.keeper import Keeper
from healthsvc.circle.providers import use as use_roads
from healthsvc.errors import Refusal
from healthsvc.fhir.validation import warm_up
from healthsvc.indicators.warming import warm
from healthsvc.installation import Installation, publish_conformance
from healthsvc.jobs import Job, Timers
from healthsvc.jobs_desk import Timetable
from healthsvc.monitoring import tracing
from healthsvc.monitoring.collector import StoreCollector
from healthsvc.monitoring.probes import router as probes
from healthsvc.monitoring.site import SiteCollector
from healthsvc.occupancy import shared
from healthsvc.rest.errors import install as install_errors
from healthsvc.store import reindex
from healthsvc.store.checkpoints import Checkpoints
from healthsvc.store.sealing.reseal import step
from healthsvc.store.work_queue import prepare
from healthsvc.timetable import jobs
from integrations import unended
from integrations.address import Address
from integrations.alarms.scout import Scout
from integrations.alarms.watch import Watch
from integrations.api import Api
from integrations.beside import Beside
from integrations.couriers import Couriers
from integrations.feeds import Feeds
from integrations.folder import Folders
from integrations.herald.herald import Herald
from integrations.hospitals.shelf import Shelf
from integrations.http import router
from integrations.https import context_of
from integrations.inbox import Inbox
from integrations.listening import feeds_of
from integrations.longwork.kinds import kinds
from integrations.longwork.runner import runner
from integrations.notify import notifier_for
from integrations.operating import retiring
from integrations.operating.collector import LineCollector
from integrations.operating.desk import Desk
from integrations.operating.lines import warn_of_silence
from integrations.operating.open_lines import OpenLines
from integrations.operating.profiles import Profiles
from integrations.origin import origin
from integrations.pulse import WORD_SECONDS
from integrations.repeating import Repeating
from integrations.roads.valhalla import Valhalla
from integrations.roles import Role
from integrations.subscribers.teller import Teller
from integrations.telling import Telling
from integrations.worker import Worker

log = structlog.get_logger()
SEALING_BREATH, SEALING_REST = 0.2, 60.0
"""Seconds between two portions, so that others write in between; and until it is looked at again whether there is a new key."""
API_SHARE, LINES_SHARE = 0.5, 0.25
"""Of the time that a stop may take once doors close: how much open requests get, and how much the lines for what they have taken."""
AHEAD_SECONDS = 2.0
"""Figures that nobody waits for are not worth a longer stop."""
INDEX_BREATH = 0.05
"""Seconds between two portions of what an older release has indexed otherwise."""
WITNESS_REST = 60.0
"""So much of the audit's end may be cut off unseen, in seconds."""
SWITCH_SECONDS = 0.001
"""After so long Python takes the interpreter from a thread that others wait for (5 ms unless told otherwise). A hospital's answer waits for
it after each statement, behind every search and page that is being worked out."""


class Serving:
    """The chosen roles of one installation, each in threads of its own; ``start`` returns when all are ready."""

    def __init__(
        self,
        installation: Installation,
        http: Address,
        mllp: Address,
        roles: Iterable[Role] = tuple(Role),
        probes: Address | None = None,
        doors: Sequence[socket.socket] = (),
        *,
        folders: bool | None = None,
    ) -> None:
        """Not begun yet.

        Args:
            installation: whose roles they are.
            http: where the API listens.
            mllp: where hospitals connect.
            roles: what this process does.
            probes: where a process answers /livez, /readyz and /metrics by themselves; the API answers them anyway.
            doors: listening sockets that the process which started this one shares among several; their figures go to that one.
            folders: whether it looks after watched folders; unless told otherwise it does with the lines.
        """
        self.installation = installation
        self.roles = frozenset(roles)
        self.http = http
        self.mllp = mllp
        self.probes = probes
        self.folders = Role.FEEDS in self.roles if folders is None else folders
        self._doors = doors
        self.draining = threading.Event()
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        self._stops: list[tuple[str, Callable[[], None]]] = []
        self._scheme = "http"
        self._grace = installation.settings.stop_seconds - installation.settings.drain_seconds
        self._leaving: list[Callable[[], None]] = []

    def start(self) -> None:
        """Start what was chosen: lines first, so that the pages can show them; the API last."""
        here = self.installation
        sys.setswitchinterval(SWITCH_SECONDS)
        if here.database.engine.dialect.name == "sqlite":
            held = ExitStack()
            held.enter_context(shared(here.settings.data))
            self._stops.append(("data directory", held.close))
            checkpoints = Checkpoints(here.database)
            checkpoints.start()
            self._stops.append(("checkpoints", checkpoints.stop))
        if self.roles & {Role.API, Role.WORKER}:
            warm_up()  # before the first line is open: what is compiled at its first use holds up everybody's answers
        if here.settings.valhalla:
            use_roads(partial(Valhalla, here.settings.valhalla))
        profiles = Profiles(here.database, here.settings.data / "hospitals")
        shelf = profiles.shelf
        if tracing.start(here.settings, __version__):
            self._stops.append(("tracing", partial(tracing.stop, self._grace)))
        self._watch(profiles)
        inbox = Inbox(here.database, shelf)
        if Role.FEEDS in self.roles:
            feeds = self._feeds(shelf)
            inbox = feeds.inbox
        elif Role.API in self.roles:
            inbox.start()
            self._stops.append(("inbox", inbox.stop))
        if self.folders:
            folders = Folders(inbox, shelf, here.settings.message_limit)
            folders.start()
            self._stops.append(("folders", folders.stop))
        if Role.WORKER in self.roles:
            worker = self._worker(shelf)
            worker.start()
            self._stops.append(("worker", worker.stop))
            herald, couriers = Herald(here.database, shelf, self.holder), Couriers(here.database, shelf, self.holder)
            for begin in (herald.start, couriers.follow):
                begin()
                profiles.tell(begin)
            self._stops += [("herald", herald.stop), ("couriers", couriers.stop)]
            public = here.settings.public_url
            teller = Teller(here.database, self.holder, f"{public.rstrip('/')}/fhir" if public else None)
            teller.start()
            self._stops.append(("subscriptions", teller.stop))
            long = runner(here.database, kinds(here.settings.data))
            long.start()
            self._leaving.append(long.leave)
            self._stops.append(("long work", long.stop))
            watch = Watch(here.database, notifier_for(here.settings), here.settings.data)
            watch.start()
            self._stops.append(("watch", watch.stop))
            scout = Scout(here.database, here.settings.data)
            scout.start()
            self._stops.append(("scout", scout.stop))
        silence = Job("hospital-lines", "* * * * *", partial(warn_of_silence, shelf=shelf))
        own = (silence, retiring.job(), unended.job(shelf), *(self._backups() if Role.TIMERS in self.roles else ()))
        timed = (*jobs(session_life(here.settings), here.settings.data), *own)
        if Role.TIMERS in self.roles:
            timers = Timers(here.database, timed)
            timers.start()
            self._stops.append(("timers", timers.stop))
            sealing = Repeating("sealing", partial(step, here.database), breath=SEALING_BREATH, rest=SEALING_REST)
            witness = Repeating("audit witness", self._bear_witness, breath=WITNESS_REST, rest=WITNESS_REST, last=True)
            index = Repeating("index", partial(reindex.step, here.database), breath=INDEX_BREATH, rest=SEALING_REST)
            for one in (sealing, witness, *(() if here.database.index_is_current else (index,))):
                one.start()
                self._stops.append((one.name, one.stop))
        if Role.API in self.roles:
            publish_conformance(here.database)
            note_policy(here.database, clock.now())
            prepare(here.database.engine)
            desk, timetable = Desk(shelf, lambda: profiles.trouble, profiles.files), Timetable(here.database, timed)
            wiring: dict[str, Any] = {"origin": partial(origin, shelf=shelf), "desk": desk, "timetable": timetable}
            post = router(inbox, here.settings.request_limit, here.settings.message_limit)
            context = context_of(here.settings)
            self._scheme = "http" if context is None else "https"
            app = create_app(here, wiring=wiring, routers=[post], draining=self.draining)
            api = Api(app, self.http, context, grace=self._grace * API_SHARE)
            self.http = Address(self.http.host, api.start())
            self._leaving.append(api.leave)
            ahead = threading.Thread(target=warm, args=[here.database], name="figures-ahead", daemon=True)
            ahead.start()
            self._stops.append(("figures ahead", partial(ahead.join, AHEAD_SECONDS)))
            self._stops.append(("api", api.stop))
        profiles.start()
        self._stops.append(("link profiles", profiles.stop))
        gc.collect()
        gc.freeze()  # what stands ready now stays: to look through all of it for garbage would stop every thread for a fifth of a second

    def _watch(self, profiles: Profiles) -> None:
        """What monitoring may ask of this process."""
        here = self.installation
        if Role.API not in self.roles and self.probes is None:
            return
        lines = LineCollector(here.database, profiles.shelf, lambda: profiles.trouble)
        collectors: list[Collector] = [lines, StoreCollector(here.database), SiteCollector(here.settings)]
        if here.settings.backup_to is not None:
            collectors.append(BackupCollector(here.settings, here.settings.backup_to))
        for collector in collectors:
            REGISTRY.register(collector)
            self._stops.append(("collector", partial(REGISTRY.unregister, collector)))
        if self.probes is not None:
            alone = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
            alone.include_router(probes(here.database, self.draining))
            install_errors(alone)
            api = Api(alone, self.probes)
            self.probes = Address(self.probes.host, api.start())
            self._stops.append(("probes", api.stop))

    def _worker(self, shelf: Shelf) -> Worker | Beside:
        here = self.installation
        alone = here.database.engine.dialect.name != "sqlite" or (os.cpu_count() or 1) == 1
        return Worker(here.database, shelf, self.holder) if alone else Beside(here, shelf, self.holder, here.settings.worker_process_from)

    def _backups(self) -> tuple[Job, ...]:
        """The nightly backup, where the site has said where it goes."""
        here = self.installation
        if here.settings.backup_to is None:
            return ()
        keeper = Keeper(here.settings, here.policy, here.settings.backup_to)
        keeper.start()
        self._stops.append(("backups", keeper.stop))
        return (Job("backup", here.settings.backup_at, keeper.ask),)

    def _bear_witness(self) -> bool:
        return bear_witness(self.installation.database, self.installation.witness, clock.now(clock.zone(self.installation.database.zone)))

    def _feeds(self, shelf: Shelf) -> Feeds:
        """Open the hospital line."""
        here = self.installation
        feeds = feeds_of(here, shelf, self.mllp, self._doors)
        self.mllp = Address(self.mllp.host, feeds.start())
        self._stops.append(("feeds", partial(feeds.stop, self._grace * LINES_SHARE)))
        lines = OpenLines(here.database, self.holder, str(self.mllp), feeds.lines, refused=feeds.refused)
        lines.start()
        self._stops.append(("open lines", lines.stop))
        if self._doors:
            telling = Repeating("telling", Telling(feeds.lines).tell, breath=WORD_SECONDS, rest=WORD_SECONDS, last=True)
            telling.start()
            self._stops.append(("telling", telling.stop))
        return feeds

    def stop(self) -> None:
        """Say that this process is stopping; then take nothing new, finish what was begun, write what waits."""
        self.draining.set()
        for leave in self._leaving:
            leave()
        if self._stops and (Role.API in self.roles or self.probes is not None):
            threading.Event().wait(self.installation.settings.drain_seconds)
        for name, stop in reversed(self._stops):
            try:
                stop()
            except (Refusal, SQLAlchemyError) as error:  # the database is away: leases end by themselves, and the others stop all the same
                log.warning("stopped without the database", role=name, error=type(error).__name__)
            else:
                log.info("stopped", role=name)
        self._stops.clear()
        self._leaving.clear()
        gc.unfreeze()

    def where(self) -> str:
        """Where to reach it."""
        found = [f"{self._scheme}://{self.http}"] if Role.API in self.roles else []
        found += [f"mllp://{self.mllp}"] if Role.FEEDS in self.roles else []
        found += [f"probes=http://{self.probes}"] if self.probes else []
        return " ".join(found) or ", ".join(sorted(self.roles))
