"""Replaced one by one under load: processes of an older release, taken out of the history, beside processes of now, on one PostgreSQL.

The older code runs on the libraries of now; what it lacks of them, its own lock would bring. Long form only: it needs the history (a
checkout without it skips), and two releases start some ten processes.
"""

import http.client
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import postgres
import pytest
from ports import free_port
from served import COMMAND, run
from sqlalchemy import create_engine, text

from integrations.hl7v2.replies import belongs, read_reply
from integrations.mllp.client import Client, NoAnswer

pytestmark = [pytest.mark.postgres, pytest.mark.long, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[2]
BEFORE = os.environ.get("HEALTHSVC_OLD_RELEASE", "")
"""A commit; where none is named: the one that brought the step of the schema three before the newest."""
VERSIONS = "healthsvc/store/migrations/versions"
BETWEEN_SECONDS = 1.0
PAUSE_SECONDS = 0.1


def older(folder: Path) -> Path:
    """The tree of the older release."""
    steps = sorted(path.name for path in (ROOT / VERSIONS).glob("0*.py"))
    added = ["git", "log", "-1", "--format=%H", "--diff-filter=AR", "--", f"{VERSIONS}/{steps[-4]}"]
    found = BEFORE or subprocess.run(added, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    packed = subprocess.run(["git", "archive", found or "HEAD"], cwd=ROOT, capture_output=True, check=False)
    if not found or packed.returncode:
        pytest.skip("this checkout has no history from which an older release could be taken")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(ROOT / "healthsvc/web/static/vendor", folder / "healthsvc/web/static/vendor", dirs_exist_ok=True)
    return folder


@dataclass
class Site:
    """Processes of either release on one database, and a balancer's view of them."""

    data: Path
    log: Path
    running: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)
    http: dict[str, int] = field(default_factory=dict)
    mllp: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, role: str, tree: Path) -> None:
        """Start a process of a release; ready when this returns."""
        port = free_port()
        words = ["serve", "--data", str(self.data), "--only", role, "--http", f"127.0.0.1:{port}", "--mllp", f"127.0.0.1:{port}"]
        with self.log.open("a") as log:
            one = subprocess.Popen([*COMMAND, *words], cwd=tree, stdout=subprocess.PIPE, stderr=log, text=True)
        assert one.stdout is not None
        self.running[name] = one
        said = one.stdout.readline()
        assert said.startswith("ready"), f"{name}: {said!r}\n{self.log.read_text()[-3000:]}"
        {"api": self.http, "feeds": self.mllp}.get(role, {})[name] = port

    def stop(self, name: str) -> None:
        """As an init system does it; a balancer hears it from /readyz."""
        one = self.running.pop(name)
        one.send_signal(signal.SIGTERM)
        self.http.pop(name, None)
        self.mllp.pop(name, None)
        assert one.wait(60) == 0, name
        if one.stdout is not None:
            one.stdout.close()

    def end(self) -> None:
        for one in self.running.values():
            one.kill()
            one.wait()
            if one.stdout is not None:
                one.stdout.close()


@dataclass
class Load:
    """Clients behind the balancer, and a hospital with two lines."""

    site: Site
    token: str
    over: threading.Event = field(default_factory=threading.Event)
    written: dict[str, int] = field(default_factory=dict)
    acknowledged: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    pages: int = 0

    def call(self, caller: int) -> None:
        """Write, change, read and search, each answer looked at; a connection that ends is opened anew, on whoever is ready."""
        number = 0
        while not self.over.is_set():
            port = sorted(self.site.http.values())[(caller + number) % len(self.site.http)]
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as kept:
                leaves = False
                while not leaves and not self.over.is_set():
                    id = f"u{caller}-{number}"
                    number += 1
                    for turn, status in ((0, 201), (1, 200)):
                        body = json.dumps({"resourceType": "Patient", "id": id, "name": [{"text": f"测试{turn}"}], "gender": "male"})
                        leaves |= self._ask(kept, "PUT", f"/fhir/Patient/{id}", body, status)
                        self.written[id] = turn + 1
                    leaves |= self._ask(kept, "GET", f"/fhir/Patient/{id}", None, 200)
                    leaves |= self._ask(kept, "GET", "/fhir/Patient?name=%E6%B5%8B%E8%AF%95&_count=5", None, 200)
                    leaves |= self._ask(kept, "GET", "/sign-in", None, 200)
                    leaves |= port not in self.site.http.values()

    def _ask(self, kept: http.client.HTTPConnection, method: str, path: str, body: str | None, status: int) -> bool:
        head = {"authorization": f"Bearer {self.token}", "content-type": "application/fhir+json"}
        try:
            kept.request(method, path, body, head)
            answer = kept.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append(f"{method} {path}: {type(error).__name__}")
            return True
        if answer.status != status:
            self.wrong.append(f"{method} {path}: {answer.status} {said[:300]!r}")
        self.pages += 1
        return answer.will_close

    def talk(self, line: int) -> None:
        """Each message until it is acknowledged; a line that closes is opened anew, on whoever listens."""
        number = 0
        while not self.over.is_set():
            ports = sorted(self.site.mllp.values())
            with suppress(OSError, NoAnswer), Client("127.0.0.1", ports[line % len(ports)], belongs, seconds=10) as client:
                while not self.over.is_set():
                    id = f"R{line}-{number}"
                    head = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A28|{id}|P|2.4\rEVN||20260105170124\r"
                    code = read_reply(client.send(f"{head}PID|1||N{line}x{number % 50}^^^^IDCard||测试甲||19300101|M\r".encode())).code
                    if code != "AA":
                        self.wrong.append(f"{id}: {code}")
                    self.acknowledged.append(id)
                    number += 1
                    time.sleep(PAUSE_SECONDS)
            time.sleep(PAUSE_SECONDS)


@contextmanager
def loaded(load: Load) -> Iterator[None]:
    threads = [threading.Thread(target=load.call, args=[one]) for one in range(2)]
    threads += [threading.Thread(target=load.talk, args=[one]) for one in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        load.over.set()
        for thread in threads:
            thread.join(60)


def test_an_older_release_is_replaced_process_by_process_and_nobody_notices(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    old, data = older(tmp_path / "old"), tmp_path / "data"
    data.mkdir()
    roles = {"api-1": "api", "api-2": "api", "feeds-1": "feeds", "feeds-2": "feeds", "worker": "worker", "timers": "timers"}
    with postgres.cluster() as server:
        (data / "healthsvc.toml").write_text(f'database = "{server.url}"\ndrain_seconds = 1\n')
        made = [*COMMAND, "token", "--data", str(data), "--role", "system"]
        token = subprocess.run(made, cwd=old, capture_output=True, text=True, check=True).stdout.strip()
        site = Site(data, tmp_path / "log")
        load = Load(site, token)
        try:
            for name, role in roles.items():
                site.start(name, role, old)
            with loaded(load):
                time.sleep(BETWEEN_SECONDS)
                for name, role in roles.items():
                    site.start(f"{name}-new", role, ROOT)
                    time.sleep(BETWEEN_SECONDS)
                    site.stop(name)
                    time.sleep(BETWEEN_SECONDS)
                # one of before comes back in between, as after a restart of its machine
                site.start("api-1", "api", old)
                time.sleep(BETWEEN_SECONDS)
                site.stop("api-1")
            sys.stdout.write(f"{load.pages} requests, {len(load.acknowledged)} messages, wrong: {load.wrong}\n")
            engine = create_engine(server.url)
            ends = time.monotonic() + 600
            with engine.connect() as connection:
                while connection.execute(text("SELECT 1 FROM inbox WHERE state = 'pending' LIMIT 1")).first():
                    assert time.monotonic() < ends, "the inbox was not worked off"
                    connection.rollback()
                    time.sleep(0.2)
                versions = dict(connection.execute(text("SELECT id, version FROM resource WHERE id LIKE 'u%'")).all())
                messages = connection.execute(text("SELECT control_id, state FROM inbox")).all()
            engine.dispose()
        finally:
            site.end()
        assert load.wrong == []
        assert load.pages > 100
        assert len(load.acknowledged) > 100
        assert {id: versions.get(id) for id in load.written} == load.written
        assert set(load.acknowledged) <= {id for id, _ in messages}
        assert {state for _, state in messages} == {"done"}
        assert re.search("intact", run("audit", "verify", "--data", str(data)))
        run("migrate", "--data", str(data), "--contract")
