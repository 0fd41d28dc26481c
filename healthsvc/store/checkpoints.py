"""What stands in SQLite's write-ahead log goes into the file beside the writers, not in the midst of one's commit.

SQLite by itself does it in the commit that fills the log: that one writer, and everybody who waits for it, then waits for thousands of
pages and the disk as well. A passive checkpoint in a thread of its own lets the writers go on; once it has caught up, the next writer
begins the log anew. How long the log is stands in the head of its index (SQLite, "WAL-mode File Format", 2.1: the header of the index and,
from byte 96 on, how much has been copied), which costs one small read.
"""

import contextlib
import struct
import threading
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from healthsvc.store.engine import LOG_PAGES, Database

log = structlog.get_logger()

LOOK_SECONDS = 0.25
_FRAMES_AT, _HEAD_BYTES = 16, 100


class Checkpoints:
    """Empties the log of an embedded database as often as it is full; nothing on PostgreSQL."""

    def __init__(self, database: Database, pages: int = LOG_PAGES) -> None:
        self._database = database
        self._pages = pages
        self._index = Path(f"{database.engine.url.database}-shm") if database.engine.dialect.name == "sqlite" else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin to look after the log."""
        if self._index is not None:
            self._thread.start()

    def stop(self) -> None:
        """End; what is in the log is as safe there as in the file."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def pages(self) -> int:
        """Pages that the log holds; 0 where there is none."""
        with contextlib.suppress(OSError, struct.error):
            if self._index is not None:
                with self._index.open("rb") as index:
                    return int(struct.unpack_from("=I", index.read(_HEAD_BYTES), _FRAMES_AT)[0])
        return 0

    def turn(self) -> bool:
        """Copy the log into the file if it is full; gives whether it was."""
        if self.pages() < self._pages:
            return False
        with self._database.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        return True

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.turn()
            except DBAPIError as error:  # the disk is full, or the file is held: the next look tries again
                log.warning("the write-ahead log cannot be emptied now", reason=type(error).__name__)
