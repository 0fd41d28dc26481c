"""Whether a process that this one has started still works, or has come to stand still.

One that is stopped (SIGSTOP, a freezer, a debugger) or that the system lets wait for ever does not end, so nobody takes its work: it keeps
its lease, its lines, its journal, and where it was stopped in the midst of writing the database's lock, too. It says a word each second;
where none has come for long it is ended, and what it had under way is done by others, once.
"""

import subprocess
import threading
from typing import Final

import structlog

log = structlog.get_logger()
WORD_SECONDS: Final = 1.0
"""How often a started process says a word."""
SILENT_WORDS: Final = 15
"""So many that did not come are the end: many times what a busy machine takes, and half of what the journal of the lines holds."""


class Pulse:
    """Listens to one process from its first word on, in a thread of its own: a start takes as long as it takes."""

    def __init__(self, process: "subprocess.Popen[str]", part: str) -> None:
        """``part``: what it does, for the log."""
        self._process, self._part = process, part
        self._missed, self._begun = 0, False
        self._over = threading.Event()
        threading.Thread(target=self._listen, name=f"pulse-{part}", daemon=True).start()

    def heard(self) -> None:
        """It has said something."""
        self._missed, self._begun = 0, True

    def over(self) -> None:
        """It has ended; whoever has its number now is none of ours."""
        self._over.set()

    def _listen(self) -> None:
        # words are counted, not seconds: where this process was stopped itself, or the machine was, nobody has missed any
        while not self._over.wait(WORD_SECONDS):
            self._missed += self._begun
            if self._missed >= SILENT_WORDS:
                log.error("a process has come to stand still and is ended", part=self._part, pid=self._process.pid)
                self._process.kill()
                return
