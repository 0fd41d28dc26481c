"""One process on one machine, and what may happen to it: killed at any moment, the disk full for a while.

While a hospital sends, contracts are signed and visits written up over real sockets. Whoever gets no answer asks again, as real senders
do. Afterwards every acknowledged message, signed contract and completed visit is there, exactly once.
"""

import os
import random
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ports import free_port
from served import READY_SECONDS

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.config import Settings
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM
from healthsvc.store.audit import verify
from integrations.mllp.framing import Frame, FrameReader, wrap

DOCTOR = "Practitioner/d1"
PEOPLE = 400
SHORT, LONG = 2, 60
"""How often it is killed."""


class Site:
    """The process, started again on the same ports whenever it is gone."""

    def __init__(self, folder: Path, *, environment: dict[str, str] | None = None) -> None:
        self.data = folder / "data"
        self.environment = environment or {}
        self.http, self.mllp = free_port(), free_port()
        here = open_installation(settings=Settings(data=self.data))
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            store.put({"resourceType": "Practitioner", "id": "d1", "active": True, "name": [{"text": "程一"}]})
            for number in range(PEOPLE):
                person = {"resourceType": "Patient", "id": f"p{number}", "active": True, "name": [{"text": f"混乱{number}"}]}
                store.put(person | {"birthDate": "1930-01-01", "gender": "male"})
            self.token = issue_token(store, "coordinator")
        here.close()
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        words = ["serve", "--data", str(self.data), "--http", f"127.0.0.1:{self.http}", "--mllp", f"127.0.0.1:{self.mllp}"]
        command = [sys.executable, "-m", "healthsvc.main", *words]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **self.environment}, start_new_session=True
        )
        self.starts += 1
        ends = time.monotonic() + READY_SECONDS
        while time.monotonic() < ends:
            try:
                if httpx.get(f"http://127.0.0.1:{self.http}/readyz", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        raise AssertionError("it did not start again")

    def end(self, number: int) -> int:
        assert self.process is not None
        os.killpg(self.process.pid, number)
        return self.process.wait(READY_SECONDS)


class World:
    """Who sends, signs and writes up, and what they were told."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.stop = threading.Event()
        self.acknowledged: set[str] = set()
        self.signed: set[str] = set()
        self.completed: set[str] = set()
        self.refused: list[str] = []
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._send, self._serve)]

    @contextmanager
    def busy(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in self._threads:
                thread.join(60)

    def wait_for_more(self, seconds: float = 60) -> None:
        """Until all three have gone on from where they are."""
        was = [len(one) for one in (self.acknowledged, self.signed, self.completed)]
        ends = time.monotonic() + seconds
        while any(len(one) <= n for one, n in zip((self.acknowledged, self.signed, self.completed), was, strict=True)):
            assert time.monotonic() < ends, f"nothing goes on: {was}, {self.refused[-3:]}"
            if len(self.signed) >= PEOPLE:
                return
            time.sleep(0.05)

    def _send(self) -> None:
        """A hospital: one message after the other, each again and again under its id until it is accepted."""
        number, line, reader = 0, None, FrameReader(limit=1 << 20)
        while not self.stop.is_set():
            try:
                if line is None:
                    line, reader = socket.create_connection(("127.0.0.1", self.site.mllp), 2), FrameReader(limit=1 << 20)
                    line.settimeout(5)
                line.sendall(wrap(message(number)))
                frames: list[Any] = []
                while not frames:
                    block = line.recv(1 << 16)
                    if not block:
                        raise ConnectionError
                    frames = [one for one in reader.feed(block) if isinstance(one, Frame)]
                if b"|AA|" in frames[0].content:
                    self.acknowledged.add(f"C{number}")
                    number += 1
                else:
                    time.sleep(0.1)
            except OSError:
                if line is not None:
                    line.close()
                line = None
                time.sleep(0.05)
        if line is not None:
            line.close()

    def _serve(self) -> None:
        """A doctor: signs with one person after the other and makes their first visit; whatever gets no answer is done again."""
        head = {"authorization": f"Bearer {self.site.token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{self.site.http}", headers=head, timeout=10) as client:
            for number in range(PEOPLE):
                person = f"p{number}"
                if not self._until(client, "/api/contract/sign", {"patient": person, "doctor": DOCTOR}, self.signed, person):
                    return
                task = self._task(client, person)
                if task is None:
                    return
                at = clock.now().isoformat(timespec="seconds")
                made = {"findings": {"start": at, "end": at, "pulse": 70}, "by": [DOCTOR]}
                if not self._until(client, f"/api/visit/{task}/complete", made, self.completed, task):
                    return

    def _until(self, client: httpx.Client, url: str, body: dict[str, Any], done: set[str], mark: str) -> bool:
        """Ask until it is answered; refused because it is there already is an answer, too."""
        while not self.stop.is_set():
            try:
                answer = client.post(url, json=body)
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code in (200, 201) or (answer.status_code in (409, 422) and self._there(client, url, mark)):
                done.add(mark)
                return True
            self.refused.append(f"{url.rpartition('/')[2]} {answer.status_code} {answer.text[:200]}")
            time.sleep(0.1)
        return False

    def _there(self, client: httpx.Client, url: str, mark: str) -> bool:
        path = f"/fhir/Contract?patient={mark}&status=executed" if "sign" in url else f"/fhir/Task?_id={mark}&status=completed"
        try:
            return bool(client.get(path).json().get("entry"))
        except (httpx.HTTPError, ValueError):
            return False

    def _task(self, client: httpx.Client, person: str) -> str | None:
        while not self.stop.is_set():
            try:
                found = client.get(f"/fhir/Task?patient={person}&code=quarterly-checkup&_sort=window").json().get("entry", [])
                if found:
                    return str(found[0]["resource"]["id"])
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(0.05)
        return None


def message(number: int) -> bytes:
    head = f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120080000||ADT^A04|C{number}|P|2.4|||AL|AL|CHN|UNICODE UTF-8\r"
    return (head + f"EVN|A04|20261120080000\rPID|1||MR{number}^^^LWYY^PI||送某{number}\rPV1|1|O|||||||||||||||||V{number}\r").encode()


def judge(site: Site, world: World) -> None:
    """Exactly once, all of it; the audit's chain whole, no firing twice, the database sound."""
    here = open_installation(settings=Settings(data=site.data))
    with here.database.engine.connect() as connection:
        assert list(verify(connection)) == []
    with here.database.reading(SYSTEM, at=clock.now()) as store:
        for person in world.signed:
            assert len(store.select("Contract", patient=person, status="executed")) == 1, person
            assert len(store.select("Task", patient=person, code="quarterly-checkup")) == 4, person
        for task in world.completed:
            states = [one.resource["status"] for one in store.history("Task", task)]
            assert states.count("completed") == 1, states
        for number in range(len(world.acknowledged)):
            assert len(store.select("Patient", identifier=f"MR{number}")) <= 1
    here.close()
    plain = sqlite3.connect(site.data / "healthsvc.sqlite")
    kept = dict(plain.execute("SELECT control_id, count(*) FROM inbox GROUP BY control_id").fetchall())
    assert {one for one in world.acknowledged if kept.get(one) != 1} == set()
    assert plain.execute("SELECT count(*) FROM inbox WHERE state NOT IN ('done', 'pending', 'forgotten')").fetchone() == (0,)
    assert plain.execute("SELECT count(*) FROM (SELECT 1 FROM firing GROUP BY job, scheduled_for HAVING count(*) > 1)").fetchone() == (0,)
    assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    plain.close()
    assert min(len(world.acknowledged), len(world.signed), len(world.completed)) >= 2, (len(world.acknowledged), world.refused[-3:])


def killed(site: Site, times: int) -> None:
    chance, world = random.Random(5), World(site)
    with world.busy():
        world.wait_for_more()
        for _ in range(times):
            time.sleep(chance.uniform(0.1, 2))
            site.end(signal.SIGKILL)
            site.start()
            world.wait_for_more()
    assert site.end(signal.SIGTERM) == 0
    assert site.starts == times + 1
    judge(site, world)


@contextmanager
def served_site(folder: Path, environment: dict[str, str] | None = None) -> Iterator[Site]:
    site = Site(folder, environment=environment)
    site.start()
    try:
        yield site
    finally:
        if site.process is not None and site.process.poll() is None:
            site.end(signal.SIGKILL)


def test_killed_at_any_moment(tmp_path: Path) -> None:
    with served_site(tmp_path) as site:
        killed(site, SHORT)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_killed_at_any_moment_for_long(tmp_path: Path) -> None:
    with served_site(tmp_path) as site:
        killed(site, LONG)


def test_the_disk_is_full_for_a_while(tmp_path: Path) -> None:
    """No file of the process may grow: nothing is acknowledged that is not kept; with room again the same process goes on."""
    with served_site(tmp_path) as site:
        full(site)


def full(site: Site) -> None:
    world = World(site)
    with world.busy():
        world.wait_for_more()
        assert site.process is not None
        _, hard = resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (4096, hard))
        time.sleep(1)
        was = len(world.acknowledged), len(world.completed)
        time.sleep(3)
        assert (len(world.acknowledged), len(world.completed)) == was, "something was acknowledged that cannot have been kept"
        with httpx.Client(base_url=f"http://127.0.0.1:{site.http}") as asking:
            assert asking.get("/livez").status_code == 200
        resource.prlimit(site.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        world.wait_for_more()
    assert site.end(signal.SIGTERM) == 0
    assert site.starts == 1
    judge(site, world)
