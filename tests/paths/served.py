"""A served installation for the stories: the real command in its own process, real sockets, a real database."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

COMMAND = [sys.executable, "-m", "healthsvc.main"]
READY_SECONDS = 60


@dataclass(frozen=True)
class Served:
    """Where it listens, and clients in different roles."""

    data: Path
    http: str
    host: str
    port: int

    def client(self, role: str | None) -> httpx.Client:
        """An HTTP client with a token of a role; without a role nobody is signed in."""
        headers = {} if role is None else {"authorization": f"Bearer {run('token', '--data', str(self.data), '--role', role).strip()}"}
        return httpx.Client(base_url=self.http, headers=headers, timeout=30)


def run(*words: str, expect: int = 0) -> str:
    """Run a command of the command line; gives what it printed."""
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def served(data: Path) -> Iterator[Served]:
    """``healthsvc serve`` on free ports; stopped by SIGTERM, which it must obey with exit code 0."""
    words = ["serve", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    log = (data.parent / "serve.log").open("w")
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"ready (http://127\.0\.0\.1:\d+) mllp://(127\.0\.0\.1):(\d+)\n", line)
        assert found, f"not ready: {line!r}\n{(data.parent / 'serve.log').read_text()}"
        yield Served(data, found[1], found[2], int(found[3]))
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=READY_SECONDS)
        log.close()
        process.stdout.close()
    assert code == 0, (data.parent / "serve.log").read_text()
