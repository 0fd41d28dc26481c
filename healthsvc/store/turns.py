"""Whose turn it is to write to an embedded database: one writer at a time, in the order in which they came, also between processes.

SQLite itself lets one write and has the others look again, ever more seldom (up to a tenth of a second between two looks). Beside a
process that writes most of the time, a worker with a full inbox, another finds the moment between two of its transactions by chance
only. So who wants to write first holds the place at the head of the queue (one lock), then takes the turn (another) and gives the place
up: whoever has just written comes behind those who wait, and can see that somebody does.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from healthsvc.store.handed_on import HandedOn

log = structlog.get_logger()
FIRST_LOOK_SECONDS: Final = 0.0002
LAST_LOOK_SECONDS: Final = 0.003
"""Longest pause between two looks; only the head of the queue and whoever waits for that place look at all."""


class Turns:
    """One database's turns as one process sees them."""

    def __init__(self, database: Path | None) -> None:
        """``database``: the embedded file; None: a server that minds its writers itself."""
        self._database = database
        self._own = HandedOn()
        self._waiting: list[None] = []  # one for each thread of ours that waits
        self._files: tuple[int, int] | None = None
        self.thread = 0
        """The thread of ours that writes now; 0: none."""

    @property
    def wanted(self) -> bool:
        """Whether somebody waits to write: a hint for whoever could go on for long."""
        if self._waiting or self._files is None:
            return bool(self._waiting)
        if not _lock(self._files[0]):
            return True
        fcntl.flock(self._files[0], fcntl.LOCK_UN)
        return False

    @property
    def hands_on(self) -> bool:
        """Whether whoever waits comes before who has just written; else a writer must pause, so that others find a moment."""
        return self._database is None or self._files is not None

    @contextmanager
    def one(self, seconds: float, *, first: bool = False) -> Iterator[bool]:
        """Wait for the turn, at most so long; inside it is ours, unless it gives False. ``first``: before other threads of ours."""
        if self._database is None:
            yield True
            return
        until = time.monotonic() + seconds
        self._waiting.append(None)
        try:
            taken = self._own.acquire(seconds, first=first)
            among_all = taken and self._take(until)
        finally:
            self._waiting.pop()
        try:
            self.thread = threading.get_ident() if among_all else self.thread
            yield among_all
        finally:
            if among_all:
                self.thread = 0
                self._give()
            if taken:
                self._own.release()

    def close(self) -> None:
        """Let go of the files."""
        files, self._files = self._files, None
        for file in files or ():
            os.close(file)

    def _take(self, until: float) -> bool:
        files = self._open()
        if files is None:
            return True
        queue, turn = files
        if not _wait(queue, until):
            return False
        try:
            return _wait(turn, until)
        finally:
            fcntl.flock(queue, fcntl.LOCK_UN)

    def _give(self) -> None:
        if self._files is not None:
            fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def _open(self) -> tuple[int, int] | None:
        """The two files of locks beside the database; None where they cannot be made just now: SQLite's own lock still holds."""
        if self._files is None and self._database is not None:
            opened: list[int] = []
            try:
                for word in ("queue", "turn"):
                    path = self._database.with_name(f".{self._database.name}.{word}")
                    opened.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                self._files = (opened[0], opened[1])
            except OSError as error:
                log.warning("writers cannot queue; they look for a moment by themselves", error=type(error).__name__)
                for file in opened:
                    os.close(file)
        return self._files


def _wait(file: int, until: float) -> bool:
    pause = FIRST_LOOK_SECONDS
    while not _lock(file):
        if time.monotonic() > until:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, LAST_LOOK_SECONDS)
    return True


def _lock(file: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
