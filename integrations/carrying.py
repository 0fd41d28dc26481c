"""Carries what is in the anteroom into the inbox, some milliseconds behind the answers, and tells the workers."""

import threading
from typing import Final

import structlog

from healthsvc.errors import Refusal
from healthsvc.store import Database
from healthsvc.store.anteroom import Anteroom
from healthsvc.store.bell import INBOX

log = structlog.get_logger()
SOON_SECONDS: Final = 0.02
"""So long a message waits for others, so that many are carried by one statement; its line has been answered before."""
LATE_SECONDS: Final = 0.3
"""So long it waits at most, when many come: what is carried together shares the pages of the indexes."""
MANY: Final = 50
AGAIN_SECONDS: Final = 1.0
"""After so long it is tried again, where the database did not take it."""


class Carrier:
    """One thread of the process that takes messages in. ``come`` says that there is something to carry."""

    def __init__(self, database: Database, anteroom: Anteroom) -> None:
        self._database = database
        self._anteroom = anteroom
        self._come = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox-carrier", daemon=True)
        self.come = self._come.set

    def start(self) -> None:
        """Begin, with what an earlier process may have left."""
        self._come.set()
        self._thread.start()

    def stop(self) -> None:
        """Carry what is left, then end."""
        self._stopping.set()
        self._come.set()
        self._thread.join()

    def _run(self) -> None:
        stopping, pause = False, SOON_SECONDS
        while not stopping:
            self._come.wait()
            self._come.clear()
            stopping = self._stopping.wait(pause)
            carried = self._carry()
            pause = min(2 * pause, LATE_SECONDS) if carried > MANY else SOON_SECONDS

    def _carry(self) -> int:
        try:
            with self._database.plainly() as connection:
                carried = self._anteroom.carry(connection)
        except Refusal as refusal:
            log.error("messages stay in the anteroom of the inbox for now", reason=refusal.text)
            self._stopping.wait(AGAIN_SECONDS)
            self._come.set()
            return 0
        if carried:
            self._database.bell.ring(INBOX)
        return carried
