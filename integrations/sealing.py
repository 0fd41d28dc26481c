"""Sealing in the background: what is not under the newest key yet is sealed bit by bit while the service runs."""

import threading
from typing import Final

import structlog

from healthsvc.errors import Refusal
from healthsvc.store import Database
from healthsvc.store.sealing.reseal import step

log = structlog.get_logger()
BREATH_SECONDS: Final = 0.2
"""Between two portions, so that others write in between."""
REST_SECONDS: Final = 60.0
"""Until it is looked at again whether there is a new key."""


class Sealing:
    """One thread; several processes may run one, each portion is done by one of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealing", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the portion at hand and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                more = step(self._database)
            except Refusal as refusal:
                log.error("sealing waits", reason=refusal.text)
                more = False
            except Exception as error:  # noqa: BLE001 - the service goes on; what is not sealed yet is tried again
                log.error("sealing failed and goes on", error=type(error).__name__)
                more = False
            self._stopping.wait(BREATH_SECONDS if more else REST_SECONDS)
