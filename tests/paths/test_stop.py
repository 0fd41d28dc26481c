"""SIGTERM while everything is busy: clients on kept connections, lines, long work, whoever hangs. No promise is broken, the end is in time.

A client is told with its last answer that the connection ends (``Connection: close``); until then every request it sent is answered.
"""

import http.client
import json
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import postgres
import pytest
from served import COMMAND, run
from sqlalchemy import create_engine, text

from healthsvc import clock
from healthsvc.demo.people import people, write_roster
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM
from healthsvc.store.work import State, find
from healthsvc.store.work import run as carry_out
from integrations.hl7v2.replies import belongs, read_reply
from integrations.longwork.kinds import kinds
from integrations.mllp.client import Client

STOP_SECONDS, DRAIN_SECONDS = 16, 1.5
CALLERS, LINES, ROWS = 4, 2, 1500


@dataclass
class Busy:
    """Those who use it, what they were promised, and what they were left alone with."""

    http: int
    mllp: int
    token: str
    written: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    told_to_leave: int = 0

    def call(self, caller: int) -> None:
        """Write on one kept connection until an answer says that it ends."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)) as kept:
            for number in range(1_000_000):
                id = f"b{caller}-{number}"
                body = json.dumps({"resourceType": "Basic", "id": id, "code": {"text": "kept"}})
                try:
                    kept.request("PUT", f"/fhir/Basic/{id}", body, self._head())
                    answer = kept.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    self.broken.append(f"{id}: {type(error).__name__}")
                    return
                assert answer.status == 201, answer.status
                self.written.append(id)
                if answer.will_close:
                    self.told_to_leave += 1
                    return

    def talk(self, line: int) -> None:
        """Send until the line closes; only what was answered counts."""
        with suppress(Exception), Client("127.0.0.1", self.mllp, belongs, seconds=60) as client:
            for number in range(1_000_000):
                id = f"L{line}-{number}"
                head = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A28|{id}|P|2.4\rEVN||20260105170124\r"
                if read_reply(client.send(f"{head}PID|1||N{id}^^^^IDCard||测试甲||19300101|M\r".encode())).code == "AA":
                    self.acknowledged.append(id)

    def hang(self) -> list[socket.socket]:
        """Those who hold a connection and do nothing: kept and idle, half a request, many questions and no answer read."""
        idle, half, deaf = (socket.create_connection(("127.0.0.1", self.http)) for _ in range(3))
        head = "".join(f"{name}: {value}\r\n" for name, value in self._head().items())
        half.sendall(f"PUT /fhir/Basic/half HTTP/1.1\r\nhost: x\r\n{head}content-length: 1000\r\n\r\n{{".encode())
        deaf.setblocking(False)
        with suppress(BlockingIOError):
            deaf.sendall(f"GET /fhir/metadata HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode() * 200)
        return [idle, half, deaf]

    def leave_work(self, folder: Path) -> str:
        """A roster that takes longer than the stop may."""
        path = folder / "roster.csv"
        write_roster(people(ROWS, 3, date(2026, 11, 22), []), path)
        part = b'--x\r\ncontent-disposition: form-data; name="file"; filename="roster.csv"\r\n\r\n' + path.read_bytes() + b"\r\n--x--\r\n"
        with closing(http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)) as client:
            words = {**self._head(), "content-type": "multipart/form-data; boundary=x", "prefer": "respond-async"}
            client.request("POST", "/api/healthfile/roster", part, words)
            answer = client.getresponse()
            assert answer.status == 202, answer.read()
            return str(answer.getheader("content-location")).rpartition("/")[2]

    def _head(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}", "content-type": "application/fhir+json"}


@pytest.mark.parametrize("engine", ["SQLite", pytest.param("PostgreSQL", marks=[pytest.mark.postgres, pytest.mark.long])])
def test_a_busy_installation_ends_in_time_and_keeps_every_promise(tmp_path: Path, engine: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with postgres.cluster() if engine == "PostgreSQL" else nullcontext() as server:
        url = server.url if server is not None else f"sqlite:///{data}/healthsvc.sqlite"
        set_ = f'stop_seconds = {STOP_SECONDS}\ndrain_seconds = {DRAIN_SECONDS}\ndatabase = "{url}"\n'
        (data / "healthsvc.toml").write_text(set_)
        stopped(tmp_path, data, url)


def stopped(tmp_path: Path, data: Path, url: str) -> None:
    """Serve, be busy, say SIGTERM, look at what is there."""
    token = run("token", "--data", str(data), "--role", "system").strip()
    words = ["serve", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        busy, work = _under_load(process, tmp_path, token)
    finally:
        process.kill()
    kept = create_engine(url)
    with kept.connect() as connection:
        ids = set(connection.execute(text("SELECT id FROM resource")).scalars())
        messages = set(connection.execute(text("SELECT control_id FROM inbox")).scalars())
        state, attempts = connection.execute(text("SELECT state, attempts FROM work WHERE id = :id"), {"id": work}).one()
    kept.dispose()
    assert set(busy.written) <= ids
    assert set(busy.acknowledged) <= messages
    assert "half" not in ids
    assert (state, attempts) == ("waiting", 0)
    here = open_installation(data)
    try:
        assert carry_out(here.database, work, kinds(data)) is State.DONE
        with here.database.reading(SYSTEM, at=clock.now()) as store:
            found = find(store, work)
    finally:
        here.close()
    assert found is not None
    assert found.result is not None
    assert found.result["created"] + found.result["unchanged"] == ROWS
    assert found.result["created"] < ROWS


def _under_load(process: "subprocess.Popen[str]", tmp_path: Path, token: str) -> tuple[Busy, str]:
    """Load it, stop it; gives what was promised meanwhile, and the id of the long work."""
    assert process.stdout is not None
    with process.stdout as printed:
        ready = re.search(r"http://127\.0\.0\.1:(\d+) mllp://127\.0\.0\.1:(\d+)", printed.readline())
    assert ready
    busy = Busy(int(ready[1]), int(ready[2]), token)
    work = busy.leave_work(tmp_path)
    threads = [threading.Thread(target=busy.call, args=[one]) for one in range(CALLERS)]
    threads += [threading.Thread(target=busy.talk, args=[one]) for one in range(LINES)]
    hanging = busy.hang()
    for thread in threads:
        thread.start()
    while len(busy.written) < 20 or len(busy.acknowledged) < 20:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert process.wait(STOP_SECONDS + 20) == 0, (tmp_path / "log").read_text()[-2000:]
    assert time.monotonic() - begun < STOP_SECONDS + 5
    for thread in threads:
        thread.join(60)
    for one in hanging:
        one.close()
    assert (busy.broken, busy.told_to_leave) == ([], CALLERS)
    return busy, work
