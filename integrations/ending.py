"""How a serving process ends: SIGTERM and Ctrl-C are heard whatever the other threads do, and the end comes in time whatever hangs.

Three things have to hold beside a loaded machine, and Python's own handlers promise none of them:

- A handler runs in the main thread, once it is back in Python. Here the interpreter's C handler writes a byte (``set_wakeup_fd``) and a
  thread of its own reads it, wherever the main thread is, also in the midst of a slow start.
- A watchdog written in Python needs the interpreter's lock, and the interpreter to be whole. Here faulthandler's does it, which needs
  neither; it says where every thread stands (files, lines and functions, never a value) before it ends the process.
- Taking the interpreter down waits for what its libraries left running. Once everything is written and closed nothing is left to wait for.
"""

import faulthandler
import os
import signal
import socket
import sys
import threading
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
STDERR: Final = 2
BLOCKED_SECONDS: Final = 2.0
"""So much longer the watchdog may take where standard error is a pipe that nobody reads."""


class Ending:
    """Hears that this process is to end; from then on it ends within ``seconds``. Make it in the main thread, before the others."""

    def __init__(self, seconds: float) -> None:
        self.asked = threading.Event()
        self._seconds = seconds
        self._last: threading.Timer | None = None
        self._heard, self._told = socket.socketpair()
        self._told.setblocking(False)
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, _already_heard)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    def wait(self) -> None:
        """Until somebody asks for the end."""
        self.asked.wait()

    def begin(self) -> None:
        """From now on it takes so many seconds at the longest. What was acknowledged is on disk; the next start goes on with the rest."""
        if not self.asked.is_set():
            self._last = bounded(self._seconds)
            self.asked.set()

    def over(self) -> None:
        """Everything is written and closed in time."""
        faulthandler.cancel_dump_traceback_later()
        if self._last is not None:
            self._last.cancel()

    def leave(self) -> None:
        """End here with exit code 0, and do not take the interpreter down."""
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    def _listen(self) -> None:
        while told := self._heard.recv(1):
            if told[0] in SIGNALS:
                self.begin()


def bounded(seconds: float) -> threading.Timer:
    """End the process in so many seconds at the latest, with exit code 1, saying on standard error where each thread stands."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=STDERR)
    last = threading.Timer(seconds + BLOCKED_SECONDS, os._exit, [1])
    last.daemon = True
    last.start()
    return last


def _already_heard(_signal: int, _frame: object) -> None:
    """Python writes to the wakeup descriptor only for signals that have a handler of Python's."""
