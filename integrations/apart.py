"""The hospital lines in a process of their own beside the API: an answer to a hospital then waits for nobody's search or page.

One Python process runs one thread at a time. This process starts ``serve --only feeds`` with its own settings, starts it again if it
dies, and stops it with itself. The other one ends by itself when this one is gone, however it went: it holds the reading end of a pipe.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

import structlog

from healthsvc.errors import Unavailable
from integrations.address import Address

log = structlog.get_logger()
PARENT: Final = "HEALTHSVC_PARENT_PIPE"
"""The number of the pipe's end under which a started process sees that the one that started it is gone."""
READY: Final = "ready "
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0
"""Seconds until it is started again; longer each time it dies at once."""
TRIES: Final = 4
"""How often the first start is tried: the address may still be held by one that is just going."""


class Apart:
    """A role in a process of its own, looked after by a thread of this one."""

    def __init__(self, data: Path, mllp: Address) -> None:
        self.mllp = mllp
        self._data = data
        self._process: subprocess.Popen[str] | None = None
        self._end: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._mind, name="lines-apart", daemon=True)

    def start(self) -> None:
        """Start it; returns once its lines are open.

        Raises:
            Unavailable: it did not start; its own words say why.
        """
        pause = FIRST_PAUSE
        for left in reversed(range(TRIES)):
            if self._begin():
                self._thread.start()
                return
            if left:
                self._stopping.wait(pause)
                pause *= 2
        raise Unavailable("the process of the hospital lines did not start; its message stands above")

    def stop(self, seconds: float) -> None:
        """Let it answer what has arrived and end; after so long it is ended as it is, losing nothing."""
        self._stopping.set()
        self._finish(seconds)
        if self._thread.is_alive():
            self._thread.join()

    def _begin(self) -> bool:
        theirs, self._end = os.pipe()
        words = ["serve", "--only", "feeds", "--data", str(self._data), "--mllp", str(self.mllp)]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves, with our own words
            [sys.executable, "-m", "healthsvc.main", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=(theirs,),
            env=os.environ | {PARENT: str(theirs)},
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        os.close(theirs)
        said = self._process.stdout
        assert said is not None
        for line in said:
            if line.startswith(READY):
                self.mllp = Address.of(line.rstrip().rpartition("mllp://")[2].partition(" ")[0], "--mllp")
                threading.Thread(target=_pass_on, args=(said,), name="lines-apart-says", daemon=True).start()
                return True
            sys.stdout.write(line)
        self._finish(0)
        return False

    def _finish(self, seconds: float) -> None:
        process, end = self._process, self._end
        self._end = None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        if process is not None:
            process.wait()
        if end is not None:
            os.close(end)

    def _mind(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            assert self._process is not None
            code = self._process.wait()
            if self._stopping.wait(pause):
                return
            log.error("the process of the hospital lines is gone and is started again", code=code)
            self._finish(0)
            pause = FIRST_PAUSE if self._begin() else min(2 * pause, LAST_PAUSE)


def _pass_on(said: IO[str]) -> None:
    """What it logs goes where ours goes."""
    with said:
        for line in said:
            sys.stdout.write(line)
            sys.stdout.flush()


def watch_parent(gone: Callable[[], None]) -> None:
    """Where another process started this one: call ``gone`` when that one is not there any more."""
    end = os.environ.pop(PARENT, "")
    if not end.isdigit():
        return

    def wait() -> None:
        os.read(int(end), 1)
        gone()

    threading.Thread(target=wait, name="parent", daemon=True).start()
