"""A lock for the writers of one process: in the order in which they came, but first those for whom somebody waits at a line.

A plain lock goes to whoever asks at the right moment: a thread that writes one transaction after the other takes it again before the one
that waits has woken up, and that one waits for seconds. Here the lock is handed on. A hospital's line goes first: its transactions are
short, and an answer hangs on each.
"""

import threading
from collections import deque
from types import TracebackType
from typing import Self


class HandedOn:
    """A lock that is handed to the one who has waited longest, those who must go first before the others."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken = False
        self._first: deque[threading.Lock] = deque()
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, timeout: float = -1, *, first: bool = False) -> bool:
        """Take the lock; False where it did not come within ``timeout`` seconds (-1: wait for ever)."""
        queue = self._first if first else self._waiting
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            gate = threading.Lock()
            gate.acquire()
            queue.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            if gate in queue:
                queue.remove(gate)
                return False
        return True  # it was handed to us in this very moment

    def release(self) -> None:
        """Hand the lock on."""
        with self._mutex:
            queue = self._first or self._waiting
            if queue:
                queue.popleft().release()
            else:
                self._taken = False

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()
