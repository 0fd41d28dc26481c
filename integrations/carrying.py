"""Carries what is answered into the inbox, from its anteroom or from a journal, some milliseconds behind the answers; tells the workers."""

import threading
from collections.abc import Callable
from typing import Final

import structlog

from healthsvc.errors import Refusal
from healthsvc.store import Database
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

    def __init__(self, database: Database, carry: Callable[[], int]) -> None:
        """Not begun yet; ``carry`` carries what there is and gives how many messages came into the inbox."""
        self._database = database
        self._carry_all = carry
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
            carried = self._carry_all()
            if carried:
                self._database.bell.ring(INBOX)
        except Refusal as refusal:
            return self._later(refusal.text)
        except Exception as error:  # noqa: BLE001 - lines are answered meanwhile: nobody else would carry what they leave
            return self._later(f"carrying threw {type(error).__name__}")
        return carried

    def _later(self, reason: str) -> int:
        log.error("messages stay before the inbox for now", reason=reason)
        self._stopping.wait(AGAIN_SECONDS)
        self._come.set()
        return 0
