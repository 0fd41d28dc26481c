"""What stands in SQLite's write-ahead log goes into the file beside the writers, not in the midst of one's commit.

SQLite by itself does it in the commit that fills the log: that one writer, and everybody who waits for it, then waits for thousands of
pages and the disk as well. A passive checkpoint in a thread of its own lets the writers go on; once it has caught up, the next writer
begins the log anew.

How long the log is, is read from the log itself: its head carries two salts, new whenever the log begins anew, and so does each frame of
that generation (SQLite, "WAL-mode File Format", 2.2), so the first frame of another one is found by halving. Nobody may open the index of
the log, or the database, beside SQLite: closing *any* descriptor of a file gives up every lock that the process holds on it (SQLite,
"How To Corrupt", 2.2); the next program to open the database then believes itself alone and cuts the index off, and this process dies of
it. On the log SQLite holds no locks.
"""

import contextlib
import os
import sqlite3
import struct
import threading
from bisect import bisect_left
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from healthsvc.store.engine import LOG_PAGES, Database

log = structlog.get_logger()

LOOK_SECONDS = 0.25
_HEAD, _FRAME = struct.Struct(">8xI4x8s8x"), struct.Struct(">8x8s8x")
"""Of the log: bytes of a page, and the salts; of a frame: the salts."""


class Checkpoints:
    """Empties the log of an embedded database as often as it is full; nothing on PostgreSQL."""

    def __init__(self, database: Database, pages: int = LOG_PAGES) -> None:
        self._database = database
        self._pages = pages
        self._log = Path(f"{database.engine.url.database}-wal") if database.engine.dialect.name == "sqlite" else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        """Begin to look after the log."""
        if self._log is not None:
            self._thread.start()

    def stop(self) -> None:
        """End; what is in the log is as safe there as in the file."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def pages(self) -> int:
        """Pages that the log holds; 0 where there is none."""
        with contextlib.suppress(OSError, struct.error):
            if self._log is not None:
                with self._log.open("rb", buffering=0) as log_:
                    return _frames(log_.fileno())
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
            except (DBAPIError, sqlite3.Error) as error:  # the disk is full, or the file is held: the next look tries again
                log.warning("the write-ahead log cannot be emptied now", reason=type(error).__name__)


def _frames(file: int) -> int:
    """How many frames of its present generation a log holds."""
    page, salts = _HEAD.unpack(os.pread(file, _HEAD.size, 0))
    whole = _FRAME.size + page

    def is_of_now(number: int) -> bool:
        return _FRAME.unpack(os.pread(file, _FRAME.size, _HEAD.size + number * whole)) == (salts,)

    most = (os.fstat(file).st_size - _HEAD.size) // whole
    return bisect_left(range(most), True, key=lambda number: not is_of_now(number))
