"""The hospital line while the API is under load: `healthsvc serve` as a site runs it, 64 lines and four busy API connections at once.

The lines send as fast as they are answered, or at a pace: 64 lines that give 500 messages a second together are more than any district has.
"""

import asyncio
import json
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles
from time import perf_counter
from typing import Any

SPAWN = multiprocessing.get_context("spawn")
LINES = 64
Make = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Beside:
    """What the lines got, and what the API did meanwhile."""

    messages: float
    p99_ms: float
    worst_ms: float
    requests: float


def api_load(port: int, token: str, seconds: float, told: Any) -> None:
    """Four connections that write, read and search as fast as they are answered; tells requests a second."""
    import uvloop
    from bench_fhir import Connection, observation, patient

    async def one(number: int, until: float) -> int:
        pick, connection, done = random.Random(number), await Connection("127.0.0.1", port, token).open(), 0
        status, body = await connection.ask("POST", "/fhir/Patient", json.dumps(patient(number, pick)).encode())
        assert status == 201, body
        who = f"Patient/{json.loads(body)['id']}"
        while perf_counter() < until:
            for method, path, sent in (
                ("POST", "/fhir/Observation", json.dumps(observation(who, pick)).encode()),
                ("GET", f"/fhir/{who}", b""),
                ("GET", f"/fhir/Observation?patient={who}&_sort=-date&_count=20", b""),
            ):
                status, body = await connection.ask(method, path, sent)
                assert status in (200, 201), body
                done += 1
        return done

    async def go() -> None:
        begun = perf_counter()
        done = await asyncio.gather(*(one(number, begun + seconds) for number in range(4)))
        told.put(sum(done) / (perf_counter() - begun))

    uvloop.run(go())


async def lines(port: int, seconds: float, make: Make, pace: float | None) -> tuple[float, list[float]]:
    """Messages a second and the time of each answer; ``pace``: messages a second of all lines together."""
    waits: list[float] = []
    begun = perf_counter()

    async def one(line: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number, due = 0, begun + (line / pace if pace else 0)
        while perf_counter() < begun + seconds:
            if pace:
                await asyncio.sleep(max(0.0, due - perf_counter()))
                due += LINES / pace
            sent = perf_counter()
            writer.write(b"\x0b" + make(line, number) + b"\x1c\r")
            assert b"MSA|AA|" in await reader.readuntil(b"\x1c\r")
            waits.append(perf_counter() - sent)
            number += 1
        writer.close()

    await asyncio.gather(*(one(line) for line in range(LINES)))
    return len(waits) / (perf_counter() - begun), waits


def measure(folder: str, seconds: float, make: Make, pace: float | None, apart: int = 0) -> Beside:
    """Serve, the lines in so many processes of their own, load both doors, stop."""
    cli = [sys.executable, "-m", "healthsvc.main"]
    made = subprocess.run([*cli, "token", "--data", folder, "--role", "system", "--json"], check=True, capture_output=True, text=True)
    token = json.loads(made.stdout)["token"]
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    where = ["--http", f"127.0.0.1:{ports[0]}", "--mllp", f"127.0.0.1:{ports[1]}"]
    own = os.environ | {"HEALTHSVC_LINES_APART": str(apart)}
    words = [*cli, "serve", "--data", folder, *where]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=own)
    try:
        assert server.stdout is not None
        while "ready" not in server.stdout.readline():
            if server.poll() is not None:
                raise RuntimeError("the server did not start")
        told = SPAWN.Queue()
        other = SPAWN.Process(target=api_load, args=(ports[0], token, seconds + 1, told), daemon=True)
        other.start()
        rate, waits = asyncio.run(lines(ports[1], seconds, make, pace))
        requests = told.get(timeout=60)
        other.join()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    return Beside(rate, quantiles(waits, n=100)[98] * 1000, max(waits) * 1000, requests)
