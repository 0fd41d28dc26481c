"""The hospital lines in processes of their own beside the API: an answer to a hospital then waits for nobody's search or page.

One Python process runs one thread at a time. This process opens the address and starts so many ``serve --only feeds`` that accept from it,
each with a journal of its own; it starts one again that dies or has come to stand still (``pulse``), and stops them with itself. What one
that died has answered is carried at once: others take its lines meanwhile, and what comes there is newer. They end by themselves when this
one is gone, however it went: each holds the reading end of a pipe.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final

import structlog

from healthsvc.errors import Unavailable
from integrations import doors
from integrations.address import Address
from integrations.mllp import room
from integrations.mllp.limits import Limits
from integrations.pulse import Pulse
from integrations.telling import Heard

log = structlog.get_logger()
PARENT: Final = "HEALTHSVC_PARENT_PIPE"
"""The number of the pipe's end under which a started process sees that the one that started it is gone."""
READY: Final = "ready "
FIRST_PAUSE, LAST_PAUSE = 1.0, 30.0
"""Seconds until it is started again; longer each time it dies at once."""


class Apart:
    """The lines of one address in processes of their own."""

    def __init__(self, data: Path, mllp: Address, processes: int, limits: Limits, carry_left: Callable[[], None]) -> None:
        """Not begun yet; ``limits`` hold for all of them together, ``carry_left`` carries what one has answered that is gone."""
        self.mllp = mllp
        self._carry_left = carry_left
        self._data, self._count, self._limits = data, processes, limits
        self._doors: Sequence[socket.socket] = ()
        self._room = -1
        self._heard = Heard()
        self._processes: list[_Process] = []

    def start(self) -> None:
        """Open the address and start them; returns once all of them accept.

        Raises:
            Unavailable: the address is taken, or one did not start; its own words say why.
        """
        self._doors = doors.open_doors(self.mllp)
        self.mllp = Address(self.mllp.host, self._doors[0].getsockname()[1])
        self._room = room.make(self._count, self._limits)
        self._processes = [_Process(number, self._command(), self._handed(number), self._say, self._gone) for number in range(self._count)]
        for one in self._processes:
            one.begin()
        ready = [one.is_ready() for one in self._processes]
        if not all(ready):
            self.stop(0)
            raise Unavailable("a process of the hospital lines did not start; its message stands above")
        for one in self._processes:
            one.look_after()

    def stop(self, seconds: float) -> None:
        """Let them answer what has arrived and end; after so long they are ended as they are, losing nothing."""
        for door in self._doors:
            door.close()
        self._doors = ()
        for one in self._processes:
            one.leave()
        until = time.monotonic() + seconds
        for one in self._processes:
            one.finish(max(until - time.monotonic(), 0))
        if self._room >= 0:
            os.close(self._room)
            self._room = -1

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "healthsvc.main", "serve", "--only", "feeds", "--data", str(self._data), "--mllp", str(self.mllp)]

    def _handed(self, number: int) -> tuple[tuple[int, ...], dict[str, str]]:
        files = (*(door.fileno() for door in self._doors), self._room)
        return files, doors.told(self._doors) | room.told(self._room, number, self._count)

    def _say(self, number: int, line: str) -> None:
        """What it counts is counted here; what else it says goes where ours goes."""
        if not self._heard.hear(number, line):
            sys.stdout.write(line)
            sys.stdout.flush()

    def _gone(self, number: int) -> None:
        self._heard.gone(number)
        room.clear(self._room, number, self._limits)
        if self._doors:  # at a stop the next start does so
            threading.Thread(target=self._carry_left, name="lines-apart-left", daemon=True).start()  # the database may let it wait


class _Process:
    """One of them, looked after by a thread of this process."""

    def __init__(
        self,
        number: int,
        words: list[str],
        handed: tuple[tuple[int, ...], dict[str, str]],
        say: Callable[[int, str], None],
        gone: Callable[[int], None],
    ) -> None:
        self._number, self._words, self._say, self._gone = number, words, say, gone
        self._files, self._told = handed
        self._process: subprocess.Popen[str] | None = None
        self._end: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._mind, name=f"lines-apart-{number}", daemon=True)

    def begin(self) -> None:
        """Start it; returns at once."""
        theirs, self._end = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves, with our own words
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=(theirs, *self._files),
                env=os.environ | {PARENT: str(theirs)} | self._told,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )
        finally:
            os.close(theirs)

    def is_ready(self) -> bool:
        """Wait until it accepts; False where it has ended instead."""
        assert self._process is not None
        said, pulse = self._process.stdout, Pulse(self._process, f"lines-apart-{self._number}")
        assert said is not None
        for line in said:
            pulse.heard()
            if line.startswith(READY):
                threading.Thread(target=self._pass_on, args=(said, pulse), name="lines-apart-says", daemon=True).start()
                return True
            self._say(self._number, line)
        pulse.over()
        self.finish(0)
        return False

    def look_after(self) -> None:
        """Start it again whenever it dies."""
        self._thread.start()

    def leave(self) -> None:
        """Ask it to end."""
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def finish(self, seconds: float) -> None:
        """Wait so long for its end, then end it."""
        process, end = self._process, self._end
        self._end = None
        if process is not None:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
        if end is not None:
            os.close(end)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _mind(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            assert self._process is not None
            code = self._process.wait()
            self._gone(self._number)
            if self._stopping.wait(pause):
                return
            log.error("a process of the hospital lines is gone and is started again", number=self._number, code=code)
            self.finish(0)
            pause = FIRST_PAUSE if self._begins_again() else min(2 * pause, LAST_PAUSE)
        assert self._process is not None
        self._process.terminate()  # begun in the moment of the stop
        self._process.wait()

    def _begins_again(self) -> bool:
        try:
            self.begin()
        except OSError as error:  # no memory, no process left: it is tried again, for nobody else would
            log.error("a process of the hospital lines cannot be started now", number=self._number, reason=error.strerror)
            return False
        return self.is_ready()

    def _pass_on(self, said: IO[str], pulse: Pulse) -> None:
        with said:
            for line in said:
                pulse.heard()
                self._say(self._number, line)
        pulse.over()


def watch_parent(gone: Callable[[], None]) -> None:
    """Where another process started this one: call ``gone`` when that one is not there any more."""
    end = os.environ.pop(PARENT, "")
    if not end.isdigit():
        return

    def wait() -> None:
        os.read(int(end), 1)
        gone()

    threading.Thread(target=wait, name="parent", daemon=True).start()
