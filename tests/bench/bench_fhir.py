"""The FHIR API measured: creates, reads, searches, transactions, over real sockets against `healthsvc serve` in a process of its own.

Four connections, audit on, everything validated and on disk (synchronous=FULL). Each figure stands beside a yardstick of the same minute,
because machines differ and are shared: how often plain Python reads, checks and writes an Observation as JSON. ``cpu`` is what the server's
process took of a processor for one request: the part of the time that is work and not waiting for the disk, the client or a busy machine.

``make bench ARGS="fhir --size 30000"``; ``--size 300000`` for the large store. Exit code 1 where a figure misses its target.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any
from urllib.parse import quote

import uvloop

CONNECTIONS = 4
BUNDLE = 100
Row = dict[str, Any]
CODES = [("http://loinc.org", f"{number}-{number % 10}") for number in range(1000, 1040)]
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗", "国安建明秀英桂兰志强玉珍文华永福"
REFERENCE_YARDSTICK = 80_000.0
"""Round trips a second of the yardstick on one idle core of the machine on which the targets were set."""


class Connection:
    """One keep-alive HTTP/1.1 connection that reads answers with Content-Length."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self.address = host, port
        self.head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"

    async def open(self) -> "Connection":
        self.reader, self.writer = await asyncio.open_connection(*self.address, limit=1 << 24)
        return self

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body."""
        head = f"{method} {quote(path, safe='/?&=:,$%|_-')} HTTP/1.1\r\n{self.head}"
        if body:
            head += f"Content-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n"
        self.writer.write(head.encode() + b"\r\n" + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        at = answer.lower().find(b"content-length:")
        length = int(answer[at + 15 : answer.find(b"\r\n", at)]) if at >= 0 else 0
        return int(answer[9:12]), await self.reader.readexactly(length) if length else b""


def patient(number: int, pick: random.Random) -> dict[str, Any]:
    name = pick.choice(SURNAMES) + pick.choice(GIVEN) + pick.choice(GIVEN)
    day = f"{pick.randint(1925, 1950)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}"
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:2.16.156.10011.1.2", "value": f"B{number:08}"}],
        "name": [{"text": name, "family": name[0], "given": [name[1:]]}],
        "gender": pick.choice(("male", "female")),
        "birthDate": day,
        "address": [{"text": f"江北区人民路{number % 400}号", "city": "宁波市"}],
    }


def observation(subject: str, pick: random.Random) -> dict[str, Any]:
    system, code = pick.choice(CODES)
    day = f"{pick.randint(2020, 2026)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}T{pick.randint(0, 23):02}:30:00+08:00"
    return {
        "resourceType": "Observation",
        "status": pick.choice(("final", "final", "final", "amended")),
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": system, "code": code, "display": "value"}]},
        "subject": {"reference": subject},
        "effectiveDateTime": day,
        "valueQuantity": {"value": pick.randint(40, 200), "unit": "mmHg", "system": "http://unitsofmeasure.org", "code": "mm[Hg]"},
    }


def yardstick(seconds: float = 0.5) -> float:
    """Round trips a second of an Observation through plain JSON and a walk over it: what one core gives in this minute."""
    text = json.dumps(observation("Patient/1", random.Random(1)))
    begun, done = perf_counter(), 0

    def walk(value: Any) -> int:
        if isinstance(value, dict):
            return sum(map(walk, value.values()))
        return sum(map(walk, value)) if isinstance(value, list) else 1

    while perf_counter() - begun < seconds:
        for _ in range(100):
            value = json.loads(text)
            walk(value)
            json.dumps(value)
        done += 100
    return done / (perf_counter() - begun)


def worked(pid: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """One running server and what was measured on it."""

    def __init__(self, port: int, token: str, pick: random.Random, pid: int) -> None:
        self.port, self.token, self.pick, self.pid = port, token, pick, pid
        self.cpu_ms = 0.0
        self.patients: list[str] = []
        self.observations: list[str] = []
        self.rows: list[Row] = []

    async def connect(self) -> None:
        self.connections = [await Connection("127.0.0.1", self.port, self.token).open() for _ in range(CONNECTIONS)]

    async def race(
        self, jobs: Iterator[Callable[[Connection], Awaitable[None]]], many: int, connections: int = CONNECTIONS
    ) -> tuple[float, list[float]]:
        """Jobs on several connections at once; gives jobs a second and each one's milliseconds."""
        times: list[float] = []

        async def worker(connection: Connection) -> None:
            for job in jobs:
                begun = perf_counter()
                await job(connection)
                times.append((perf_counter() - begun) * 1000)

        begun, before = perf_counter(), worked(self.pid)
        await asyncio.gather(*(worker(one) for one in self.connections[:connections]))
        if connections > 1:
            self.cpu_ms = (worked(self.pid) - before) / many * 1000
        return many / (perf_counter() - begun), times

    def note(self, what: str, rate: float, times: list[float], unit: str, target: float | None = None, p95: float | None = None) -> None:
        """One line of the table."""
        stick = yardstick(0.2)
        share = quantiles(times, n=20) if len(times) > 1 else [times[0]] * 19
        scaled = rate / stick * REFERENCE_YARDSTICK
        ok = (target is None or scaled >= target) and (p95 is None or share[18] <= p95 * max(1.0, REFERENCE_YARDSTICK / stick))
        self.rows.append(
            {
                "what": what,
                "rate": round(rate, 1),
                "unit": unit,
                "p50_ms": round(share[9], 2),
                "p95_ms": round(share[18], 2),
                "cpu_ms": round(self.cpu_ms, 3),
                "yardstick": round(stick),
                "ratio": round(rate / stick, 4),
                "scaled": round(scaled, 1),
                "target": target,
                "ok": ok,
            }
        )
        row = self.rows[-1]
        wanted = "" if target is None else f"target {target:g}"
        sys.stdout.write(
            f"{what:34} {row['rate']:>9} {unit:12} p50 {row['p50_ms']:>7} ms  p95 {row['p95_ms']:>7} ms  cpu {row['cpu_ms']:>6} ms  "
            f"ratio {row['ratio']:<8}{wanted}{'' if ok else '  MISSED'}\n"
        )
        sys.stdout.flush()

    def hold(self, when: str) -> None:
        """One line of the table: what the serving process holds in memory now."""
        own, whole = memory(self.pid)
        row = {"what": f"memory {when}", "rate": round(own, 1), "unit": "MB", "with_mapped_files": round(whole, 1)}
        self.rows.append({**row, "target": MEMORY_MB, "ok": own < MEMORY_MB})
        missed = "" if own < MEMORY_MB else "  MISSED"
        sys.stdout.write(f"memory {when:27} {own:9.1f} MB           with mapped files {whole:.1f} MB  target {MEMORY_MB}{missed}\n")
        sys.stdout.flush()

    async def load(self, size: int) -> None:
        """Transactions until the store has about ``size`` resources: one Patient to 29 Observations."""
        bundles = max(1, size // BUNDLE)

        def jobs() -> Iterator[Callable[[Connection], Awaitable[None]]]:
            for place in range(bundles):
                yield lambda connection, place=place: self._bundle(connection, place)

        rate, times = await self.race(jobs(), bundles * BUNDLE)
        self.note("transaction bundles of 100", rate, times, "resources/s", 1500)

    async def _bundle(self, connection: Connection, place: int) -> None:
        entries = []
        for number in range(BUNDLE):
            url = f"urn:uuid:00000000-0000-4000-8000-{place:06}{number - number % 30:06}"
            made = patient(place * BUNDLE + number, self.pick) if number % 30 == 0 else observation(url, self.pick)
            entry = {"resource": made, "request": {"method": "POST", "url": made["resourceType"]}}
            entries.append({"fullUrl": url, **entry} if number % 30 == 0 else entry)
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()
        status, answer = await connection.ask("POST", "/fhir", body)
        if status != 200:
            raise RuntimeError(f"a transaction answered {status}: {answer[:300]!r}")
        for entry in json.loads(answer)["entry"]:
            type, id = entry["response"]["location"].rsplit("/fhir/", 1)[1].split("/")[:2]
            (self.patients if type == "Patient" else self.observations).append(id)

    async def creates(self, many: int) -> None:
        """Validated creates, each its own transaction on disk."""

        def jobs() -> Iterator[Callable[[Connection], Awaitable[None]]]:
            for _ in range(many):
                body = json.dumps(observation(f"Patient/{self.pick.choice(self.patients)}", self.pick)).encode()
                yield lambda connection, body=body: self._expect(connection, "POST", "/fhir/Observation", 201, body)

        self.note("creates", *await self.race(jobs(), many), "/s", 800)

    async def reads(self, many: int) -> None:
        """Reads of random resources."""
        paths = [f"/fhir/Observation/{self.pick.choice(self.observations)}" for _ in range(many)]
        jobs = (lambda connection, path=path: self._expect(connection, "GET", path, 200) for path in paths)
        self.note("reads", *await self.race(iter(jobs), many), "/s", 4500)

    async def searches(self, many: int) -> None:
        """Each everyday kind of search: how many a second on four connections, and how long one takes by itself."""
        pick = self.pick

        def code() -> str:
            return "%7C".join(pick.choice(CODES))

        kinds: dict[str, tuple[Callable[[], str], float | None]] = {
            "search by identifier": (
                lambda: f"Patient?identifier=urn:oid:2.16.156.10011.1.2%7CB{pick.randrange(1000) * 30 % 990:08}",
                None,
            ),
            "search by name": (lambda: f"Patient?name={pick.choice(SURNAMES)}{pick.choice(GIVEN)}&_count=20", None),
            "search of one patient": (lambda: f"Observation?patient={pick.choice(self.patients)}&_count=20", None),
            "one patient, newest first": (lambda: f"Observation?patient={pick.choice(self.patients)}&_sort=-date&_count=20", 1000),
            "date-sorted, all": (lambda: "Observation?_sort=-date&_count=20&_total=none", 1000),
            "date-sorted, one code": (lambda: f"Observation?code={code()}&_sort=-date&_count=20", None),
            "by day": (
                lambda: f"Observation?date={pick.randint(2020, 2026)}-{pick.randint(1, 12):02}-{pick.randint(1, 28):02}&_count=20",
                None,
            ),
            "since a day": (lambda: f"Observation?date=ge2026-{pick.randint(1, 12):02}-01&_sort=date&_count=20", None),
            "by code and value": (lambda: f"Observation?code-value-quantity={code()}$gt{pick.randint(150, 195)}&_count=20", None),
            "chained": (lambda: f"Observation?patient.identifier=B{pick.randrange(1000) * 30 % 990:08}&_count=20", None),
            "_has": (lambda: f"Patient?_has:Observation:patient:code-value-quantity={code()}$gt198&_count=20", None),
            "with include": (lambda: f"Observation?patient={pick.choice(self.patients)}&_include=Observation:patient&_count=20", None),
            "code and month, newest first": (
                lambda: f"Observation?code={code()}&date={pick.randint(2020, 2026)}-{pick.randint(1, 12):02}&_sort=-date&_count=20",
                None,
            ),
            "name:contains": (lambda: f"Patient?name:contains={pick.choice(GIVEN)}{pick.choice(GIVEN)}&_count=20", None),
            "gender:missing": (lambda: "Patient?gender:missing=true&_count=20", None),
            "status and code": (lambda: f"Observation?status=amended&code={code()}&_count=20", None),
        }
        for name, (make, target) in kinds.items():
            paths = [f"/fhir/{make()}" for _ in range(many)]
            jobs = (lambda connection, path=path: self._expect(connection, "GET", path, 200) for path in paths)
            rate, _ = await self.race(iter(jobs), many)
            alone = (lambda connection, path=path: self._expect(connection, "GET", path, 200) for path in paths[: max(many // 2, 40)])
            _, times = await self.race(iter(alone), many, connections=1)
            self.note(name, rate, times, "/s", target, p95=5.0)

    @staticmethod
    async def _expect(connection: Connection, method: str, path: str, wanted: int, body: bytes = b"") -> None:
        status, answer = await connection.ask(method, path, body)
        if status != wanted:
            raise RuntimeError(f"{method} {path} answered {status}: {answer[:300]!r}")


MEMORY_MB = 300
"""What the serving process may hold."""


def memory(pid: int) -> tuple[float, float]:
    """Resident megabytes of a process: its own, and with the pages of files that it maps (the database, libraries), which are the kernel's
    cache and given back when they are wanted elsewhere."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    own, whole = (int(fields[name].split()[0]) / 1024 for name in ("RssAnon", "VmRSS"))
    return own, whole


async def measure(bench: Bench, size: int, many: int, pid: int) -> None:
    """All of it."""
    await bench.connect()
    for connection in bench.connections:
        await connection.ask("GET", "/fhir/metadata")
    bench.hold("ready to serve")
    await bench.load(size)
    bench.hold(f"after {size:,}")
    await bench.creates(many)
    await bench.reads(many * 2)
    await bench.searches(max(many // 4, 50))
    bench.hold("at the end")


def _without_limit(data: Path) -> None:
    """One caller that asks as fast as it can is what a bench is, and what ``access.api_per_minute`` is there to slow down."""
    (data / "policy").mkdir()
    told = {
        "name": "access.api_per_minute",
        "unit": "1/min",
        "title": "-",
        "title_en": "-",
        "source": "bench",
        "trust": "site",
        "jurisdiction": "CN",
    }
    lines = [f'{name} = "{value}"' for name, value in told.items()]
    (data / "policy" / "access.toml").write_text("\n".join(["[[parameter]]", *lines, "value = 0", "effective_from = 2026-11-28"]))


def main() -> int:
    """Serve, load, measure, print the table and JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", type=int, default=30_000, help="resources in the store before measuring")
    arguments.add_argument("--many", type=int, default=2_000, help="requests of each kind")
    arguments.add_argument("--json", action="store_true", help="print only JSON")
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cli = [sys.executable, "-m", "healthsvc.main"]
        _without_limit(Path(folder))
        made = subprocess.run(
            [*cli, "token", "--data", folder, "--role", "system", "--json"], check=True, capture_output=True, text=True
        ).stdout
        token = json.loads(made)["token"]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [*cli, "serve", "--data", folder, "--http", f"127.0.0.1:{port}", "--only", "api"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            while "ready" not in server.stdout.readline():
                if server.poll() is not None:
                    raise RuntimeError("the server did not start")
            bench = Bench(port, token, random.Random(20261122), server.pid)
            uvloop.run(measure(bench, asked.size, asked.many, server.pid))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    sys.stdout.write(
        json.dumps({"bench": "fhir", "size": asked.size, "connections": CONNECTIONS, "rows": bench.rows}, ensure_ascii=False) + "\n"
    )
    return int(not all(row["ok"] for row in bench.rows))


if __name__ == "__main__":
    sys.exit(main())
