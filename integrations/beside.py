"""The worker of an embedded database, which moves into a process of its own as soon as many messages wait.

Python runs one thread at a time, so a worker with a full inbox takes from the answers of the lines, the API and the pages what the
machine's second core could give. Most sites never have a full inbox: there the worker is a thread, and no memory goes into a second
process. Which of the two works is decided by the lease that any two workers share, so it is never both; what the one has not finished
the other takes up.

The two speak in lines of JSON over the child's standard input and output. When the line ends, the other side is gone: the child then
finishes its message and ends, the parent works by itself again. A child that has come to stand still holds the lease, and perhaps the
database, while nobody works: the parent ends it (``pulse``).
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any, Final

import structlog

from healthsvc.installation import Installation
from healthsvc.store.bell import CHANGES, INBOX, OUTBOX
from integrations import metrics
from integrations.ending import bounded
from integrations.hospitals.shelf import Shelf
from integrations.pulse import WORD_SECONDS, Pulse
from integrations.worker import Worker

log = structlog.get_logger()
AGAIN_SECONDS: Final = 60.0
"""After the child has ended by itself, the next one begins this much later at the earliest."""
TOGETHER_SECONDS: Final = 0.01
"""Rings of one topic within so long are one word."""
READY: Final = "ready"
RING: Final = "ring"
PROCESSED: Final = "processed"
QUEUED: Final = "queued"


class Beside:
    """The worker of one serving process: a thread of it, or a process beside it."""

    def __init__(self, installation: Installation, shelf: Shelf, holder: str, many: int) -> None:
        """Not begun yet; ``many``: with so many messages waiting the worker moves out (0: never)."""
        self._installation = installation
        self._shelf = shelf
        self._holder = holder
        self._moves_at = many
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._here: Worker | None = None
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._mind, name="hospital-worker-process", daemon=True)

    @property
    def pid(self) -> int | None:
        """The process that works; None: this one."""
        return self._child.pid if self._here is None and self._child is not None else None

    def start(self) -> None:
        """Begin to work in this process."""
        self._work_here()
        self._thread.start()

    def stop(self) -> None:
        """Finish the message at hand, wherever that is, and give the lease back."""
        self._stopping.set()
        self._wanted.set()
        child = self._child
        if child is not None:
            _close(child)
        self._thread.join()
        self._stop_here()

    def _work_here(self) -> None:
        self._here = Worker(self._installation.database, self._shelf, self._holder, self._waits)
        self._here.start()

    def _stop_here(self) -> None:
        here, self._here = self._here, None
        if here is not None:
            here.stop()

    def _waits(self, messages: int) -> None:
        if 0 < self._moves_at <= messages:
            self._wanted.set()

    def _mind(self) -> None:
        while not self._stopping.is_set():
            self._wanted.wait()
            if self._stopping.is_set():
                return
            try:
                self._follow()
            except OSError as error:  # no memory, no more processes: the thread here goes on
                log.error("the hospital worker gets no process of its own", error=type(error).__name__)
            if not self._stopping.is_set():
                if self._here is None:
                    self._work_here()
                self._stopping.wait(AGAIN_SECONDS)
                self._wanted.clear()

    def _follow(self) -> None:
        """Start the child and do as it says until it ends."""
        words = [sys.executable, "-m", "integrations.beside", str(self._installation.settings.data)]
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")  # noqa: S603 - ourselves
        self._child = child
        if self._stopping.is_set():
            _close(child)
        assert child.stdin is not None
        assert child.stdout is not None
        ended, pulse = threading.Event(), Pulse(child, "hospital-worker")
        bell = threading.Thread(target=_relay, args=(self._installation.database.bell, INBOX, _speaker(child.stdin), ended), daemon=True)
        bell.start()
        for line in child.stdout:
            pulse.heard()
            self._hear(json.loads(line))
        pulse.over()
        code = child.wait()
        ended.set()
        bell.join()
        self._child = None
        _close(child)
        child.stdout.close()
        if not self._stopping.is_set():
            log.error("the process of the hospital worker has ended; the work goes on in this one", code=code)

    def _hear(self, word: list[Any]) -> None:
        bell = self._installation.database.bell
        match word:
            case [str(kind)] if kind == READY:
                self._stop_here()
                bell.ring(INBOX)
                log.info("many hospital messages wait: they are processed beside this process")
            case [str(kind), str(topic)] if kind == RING:
                bell.ring(topic)
            case [str(kind), str(link), str(state), int(number)] if kind == PROCESSED:
                metrics.PROCESSED.labels(link, state).inc(number)
            case [str(kind), int(number)] if kind == QUEUED:
                metrics.QUEUED.set(number)


def _close(child: "subprocess.Popen[str]") -> None:
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()


def _speaker(line: IO[str]) -> Callable[..., None]:
    """Says one word, from whatever thread; to nobody where the other side is gone."""
    lock = threading.Lock()

    def say(*word: str | int) -> None:
        with lock, suppress(OSError, ValueError):
            line.write(json.dumps(word) + "\n")
            line.flush()

    return say


def _relay(bell: Any, topic: str, say: Callable[..., None], ended: threading.Event) -> None:
    """Pass on that the bell rang for a topic."""
    rung = bell.subscribe(topic)
    while not ended.is_set():
        if rung.wait(WORD_SECONDS):
            rung.clear()
            say(RING, topic)
            ended.wait(TOGETHER_SECONDS)
    bell.leave(topic, rung)


def _count(say: Callable[..., None], ended: threading.Event) -> None:
    """Tell what has been processed since the last time, and how many wait, which is a sign of life, too."""
    told: Counter[tuple[str, str]] = Counter()
    while not ended.wait(WORD_SECONDS):
        now = _processed()
        for (link, state), number in (now - told).items():
            say(PROCESSED, link, state, number)
        told = now
        waiting = next((one.value for family in metrics.QUEUED.collect() for one in family.samples), 0.0)
        say(QUEUED, int(waiting))


def _processed() -> Counter[tuple[str, str]]:
    samples = (one for family in metrics.PROCESSED.collect() for one in family.samples if one.name.endswith("_total"))
    return Counter({(one.labels["link"], one.labels["state"]): int(one.value) for one in samples})


def main(data: Path) -> None:
    """The child: work until the line to the parent ends."""
    import gc
    import socket

    from healthsvc import __version__
    from healthsvc.fhir.validation import warm_up
    from healthsvc.installation import open_installation
    from healthsvc.logs import tell_of_ends
    from healthsvc.monitoring import tracing
    from healthsvc.occupancy import shared
    from integrations.operating.profiles import Profiles

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a service manager tells all processes; ours hears it from its parent
    say = _speaker(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # nothing that prints gets into the line
    installation = open_installation(data)
    tell_of_ends()
    with ExitStack() as held:
        held.callback(installation.close)
        held.enter_context(shared(installation.settings.data))
        if tracing.start(installation.settings, __version__):
            held.callback(tracing.stop, installation.settings.stop_seconds)
        warm_up()
        profiles = Profiles(installation.database, installation.settings.data / "hospitals")
        profiles.start()
        held.callback(profiles.stop)
        worker = Worker(installation.database, profiles.shelf, f"{socket.gethostname()}:{os.getpid()}")
        ended = threading.Event()
        gc.collect()
        gc.freeze()
        say(READY)
        for topic in (CHANGES, OUTBOX):
            threading.Thread(target=_relay, args=(installation.database.bell, topic, say, ended), daemon=True).start()
        threading.Thread(target=_count, args=(say, ended), daemon=True).start()
        worker.start()
        for line in sys.stdin:
            word = json.loads(line)
            installation.database.bell.ring(word[1])
        bounded(installation.settings.stop_seconds)
        worker.stop()
        ended.set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
