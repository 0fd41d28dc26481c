"""Does what was left to be done: on SQLite by looking, on PostgreSQL as a worker of procrastinate.

procrastinate hands each id to one worker, waits for the next by LISTEN, and notices workers that have died. What it lost all the same (a
row whose id never reached it, work whose holder is gone) is handed to it again; doing a piece of work twice does nothing the second time.
"""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from healthsvc.store.bell import WORK
from healthsvc.store.postgres import ServerUse, connect_arguments, conninfo
from healthsvc.store.work import Kind, open_to_take, run
from healthsvc.store.work_queue import QUEUE, TASK, prepare
from integrations.leading import Rounds

log = structlog.get_logger()
LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 2
"""Pieces of work that one process does at the same time."""
SWEEP_SECONDS: Final = 5.0
LOST_AFTER: Final = timedelta(seconds=10)
"""A row that has waited for so long has been lost on the way."""
SILENT_SECONDS: Final = 30.0
"""A worker that has given no sign for so long is dead."""


class Looking:
    """The embedded runner: one piece of work after the other."""

    def __init__(self, database: Database, kinds: Mapping[str, Kind]) -> None:
        self._database, self._kinds = database, kinds
        self._rounds = Rounds("long-work", self.look, LOOK_SECONDS, database=database, topic=WORK)

    def start(self) -> None:
        """Begin; returns at once."""
        self._rounds.start()

    def leave(self) -> None:
        """Leave the piece at hand to another at its next step, and take no other; returns at once."""
        self._rounds.stopping.set()

    def stop(self) -> None:
        """Leave the piece at hand, then end."""
        self._rounds.stop()

    def look(self) -> bool:
        """Do the oldest piece that nobody is at; whether there was one."""
        with self._database.reading(SYSTEM, at=clock.utc_now()) as store:
            ids = open_to_take(store.connection, store.at)
        return bool(ids) and run(self._database, ids[0], self._kinds, self._rounds.stopping) is not None


class Queued:
    """A worker of procrastinate, in a thread with an event loop of its own."""

    def __init__(self, database: Database, kinds: Mapping[str, Kind]) -> None:
        self._database, self._kinds = database, kinds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._ended: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="long-work", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        prepare(self._database.engine)
        self._thread.start()

    def leave(self) -> None:
        """Leave what is at hand to others at its next step, and take nothing else; returns at once."""
        self._stopping.set()
        if self._loop is not None and self._ended is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)

    def stop(self) -> None:
        """Leave what is at hand, then end."""
        self.leave()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._serve())
            except Exception as error:  # noqa: BLE001 - the server may be away; what was left is still there
                log.error("long work stumbled and goes on", error=type(error).__name__)
                self._stopping.wait(LOOK_SECONDS)

    async def _serve(self) -> None:
        import procrastinate

        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        if self._stopping.is_set():
            return
        url, use = conninfo(self._database.engine.url), ServerUse()
        pool: dict[str, Any] = {"min_size": 1, "max_size": 3, "timeout": use.connect_seconds, "kwargs": connect_arguments(use)}
        connector = procrastinate.PsycopgConnector(conninfo=url, **pool)
        app: Any = procrastinate.App(connector=connector)

        def work(id: str) -> None:
            run(self._database, id, self._kinds, self._stopping)

        task = app.task(name=TASK, queue=QUEUE)(work)
        async with app.open_async():
            options = {"queues": [QUEUE], "concurrency": AT_ONCE, "install_signal_handlers": False, "delete_jobs": "always"}
            working = asyncio.create_task(app.run_worker_async(**options, fetch_job_polling_interval=LOOK_SECONDS * 2))
            ended = asyncio.create_task(self._ended.wait())
            sweeping = asyncio.create_task(self._sweep(app, task))
            try:
                await asyncio.wait({working, ended, sweeping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (sweeping, ended, working):
                    one.cancel()  # a worker that is cancelled finishes what is at hand
                found = await asyncio.gather(working, ended, sweeping, return_exceptions=True)
            for result in found:
                if isinstance(result, Exception):
                    raise result

    async def _sweep(self, app: Any, task: Any) -> None:
        """Hand over again what was lost."""
        from procrastinate.exceptions import AlreadyEnqueued

        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for job in await app.job_manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=SILENT_SECONDS):
                await app.job_manager.retry_job(job)
            for id in await asyncio.to_thread(self._lost):
                with contextlib.suppress(AlreadyEnqueued):
                    await task.configure(queueing_lock=id).defer_async(id=id)

    def _lost(self) -> list[str]:
        with self._database.reading(SYSTEM, at=clock.utc_now()) as store:
            return open_to_take(store.connection, store.at, LOST_AFTER)


def runner(database: Database, kinds: Mapping[str, Kind]) -> Looking | Queued:
    """The one for this engine."""
    return Looking(database, kinds) if database.engine.dialect.name == "sqlite" else Queued(database, kinds)
