"""An installation of many processes for the tests of chaos: a mother process that has loaded everything forks one child per role.

Forking costs a tenth of a second where a start from nothing costs seconds, and a child is a process like any other: it is killed, stopped
and started again while the others go on. The mother opens no database and starts no thread.

The timers of the household are many, each due once a minute at a second of its own: whatever is away for less than a minute, no two
firings are made up for by one, so it is known of every (job, due time) that it must have run.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TIMER_EVERY_SECONDS = 4
"""One of the timers is due so often."""
MOTHER = """
import json, os, signal, sys, threading
from datetime import timedelta
from pathlib import Path
import healthsvc.jobs as jobs
import integrations.serving as serving
import integrations.worker, integrations.herald.herald as herald, integrations.outbox as outbox
import healthsvc.app, healthsvc.web.router, healthsvc.dayplan.solve
from healthsvc.config import load
from healthsvc.installation import open_installation
from healthsvc.logs import configure
from integrations.address import Address
from integrations.roles import Role

jobs.LEASE_LENGTH = timedelta(seconds=1.5)
herald.LEASE_LENGTH = outbox.LEASE_LENGTH = timedelta(seconds=1)
plain = jobs.CronTrigger
class Trigger(plain):
    @classmethod
    def from_crontab(cls, expression, timezone=None):
        word, _, number = expression.partition(" ")
        return plain(second=number, timezone=timezone) if word == "second" else plain.from_crontab(expression, timezone)
jobs.CronTrigger = Trigger

def timer(name, second):
    return jobs.Job(name, f"second {second}", lambda store: store.create({"resourceType": "Basic", "code": {"text": name}}))

serving.jobs = lambda *more: tuple(timer(f"at-{second:02}", second) for second in range(0, 60, int(sys.argv[2])))

def live(role, number, http, mllp):
    settings = load(Path(sys.argv[1]))
    configure(settings)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    while True:
        try:
            here = open_installation(settings=settings)
            one = serving.Serving(here, Address("127.0.0.1", http), Address("127.0.0.1", mllp), (Role(role),))
            one.start()
            break
        except Exception as error:  # the database may be away right now: as an init system does, begin again
            sys.stderr.write(f"{role} {number}: {type(error).__name__} {error}\\n")
            os._exit(3)
    sys.stderr.write(f"{role} {number} serves\\n")
    stopping.wait()
    one.stop()
    here.close()
    os._exit(0)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    word = json.loads(line)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            live(**word)
        finally:
            os._exit(4)
    print(pid, flush=True)
"""


class Household:
    """Processes of one installation, by name."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.pids: dict[str, int] = {}
        self._what: dict[str, dict[str, Any]] = {}
        self.log = (data.parent / "household.log").open("w")
        self._mother = subprocess.Popen(
            [sys.executable, "-c", MOTHER, str(data), str(TIMER_EVERY_SECONDS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, cwd=ROOT,
        )  # fmt: skip

    def start(self, name: str, role: str, http: int = 0, mllp: int = 0) -> None:
        """Fork a process for a role; the same name again replaces one that has died."""
        self._what[name] = {"role": role, "number": name, "http": http, "mllp": mllp}
        self._fork(name)

    def _fork(self, name: str) -> None:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.write(json.dumps(self._what[name]) + "\n")
        self._mother.stdin.flush()
        ready, _, _ = select.select([self._mother.stdout], [], [], 120)
        assert ready, "the mother does not answer"
        self.pids[name] = int(self._mother.stdout.readline())

    def alive(self, name: str) -> bool:
        """Whether it runs."""
        try:
            os.kill(self.pids[name], 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self, name: str) -> None:
        """kill -9."""
        self.send(name, signal.SIGKILL)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        with suppress(ProcessLookupError):
            os.kill(self.pids[name], number)

    def tend(self) -> None:
        """Start again whatever has died, as an init system does."""
        for name in self._what:
            if not self.alive(name):
                self._fork(name)

    def stop(self, seconds: float = 30) -> None:
        """SIGTERM to all; whoever has not ended in time is killed."""
        for name in self.pids:
            self.send(name, signal.SIGCONT)
            self.send(name, signal.SIGTERM)
        ends = time.monotonic() + seconds
        while any(self.alive(name) for name in self.pids) and time.monotonic() < ends:
            time.sleep(0.05)
        for name in self.pids:
            self.kill(name)
        assert self._mother.stdin is not None
        self._mother.stdin.close()
        self._mother.wait(20)
        if self._mother.stdout is not None:
            self._mother.stdout.close()
        self.log.close()
