"""Takes application answers back to hospitals by the lines that they have open to us, for links that have no line of ours to them."""

import asyncio
import concurrent.futures
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select, update

from healthsvc import clock
from healthsvc.store import Actor, Database
from healthsvc.store.bell import OUTBOX as OUTBOX_RINGS
from healthsvc.store.outbox import OUTBOX, payload_of
from integrations.leading import Rounds
from integrations.mllp.server import Server
from integrations.owing import RETURNING

log = structlog.get_logger()
IDLE_SECONDS: Final = 0.5
MOST: Final = 200
WRITE_SECONDS: Final = 5.0
_ACTOR: Final = Actor("system/returning", "hospital line", frozenset({"system"}), "hl7")


class Returning:
    """One thread of the process whose lines these are. An answer whose hospital has no line open waits until it has."""

    def __init__(
        self, database: Database, server: Server, loop: asyncio.AbstractEventLoop, now: Callable[[], datetime] = clock.utc_now
    ) -> None:
        self._database, self._server, self._loop, self._now = database, server, loop, now
        self._rounds = Rounds("returning", self.round, IDLE_SECONDS, database=database, topic=OUTBOX_RINGS)
        self.start, self.stop = self._rounds.start, self._rounds.stop

    def round(self) -> int:
        """Write what is due to the lines that are open, each link's answers in their order; gives how many went out."""
        links = {state.link for state in self._server.states() if state.link}
        if not links:
            return 0
        kinds = [f"{RETURNING}{link}" for link in sorted(links)]
        wanted = select(OUTBOX).where(OUTBOX.c.kind.in_(kinds), OUTBOX.c.state == "due").order_by(OUTBOX.c.id).limit(MOST)
        with self._database.reading(_ACTOR, at=self._now()) as store:
            rows = store.connection.execute(wanted).all()
        return sum(self._return(row) for row in rows)

    def _return(self, row: object) -> int:
        """Write one; it counts as done once it is on its way, in the same transaction, so that no other process writes it, too."""
        id, kind = row.id, row.kind  # type: ignore[attr-defined]
        message = payload_of(self._database.sealer, row)["message"].encode("latin-1")
        with self._database.writing(_ACTOR, at=self._now()) as store:
            ours = update(OUTBOX).where(OUTBOX.c.id == id, OUTBOX.c.state == "due").values(state="done", attempts=OUTBOX.c.attempts + 1)
            if store.connection.execute(ours).rowcount == 0:
                return 0
            said: concurrent.futures.Future[bool] = concurrent.futures.Future()
            self._loop.call_soon_threadsafe(lambda: said.set_result(self._server.say(kind.removeprefix(RETURNING), message)))
            if not said.result(WRITE_SECONDS):
                store.connection.execute(update(OUTBOX).where(OUTBOX.c.id == id).values(state="due"))
                return 0
        log.info("hl7 application answer returned", link=kind.removeprefix(RETURNING), message=id)
        return 1
