"""The hospital line measured: intake with the durable answer at 1, 8 and 64 lines, end to end at 8, reading; beside yardsticks.

The yardsticks run in the same minutes on the same machine: a bare asyncio server that answers without reading or storing anything,
python-hl7's own MLLP server, and how many commits a second this disk gives to bare SQLite (WAL, synchronous=FULL).

``make bench ARGS="hl7 --seconds 5"``. Exit code 1 where a figure misses its target.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path
from statistics import quantiles
from time import perf_counter, sleep
from typing import Any

from beside_api import measure

from healthsvc.store.journal import peek
from healthsvc.store.journal_rows import there

Row = dict[str, Any]
Ready = Any
LINES = (1, 8, 64)
APART = (1, 2)
"""In how many processes of their own the lines are tried, beside the default."""
LOOK_SECONDS = 0.02
SHARE = 1000 / 2195
"""What 1,000 messages a second end to end are of python-hl7's own server at 8 lines, on the idle machine for which the aim was set: on a
slower one the same share is the same work."""
PEOPLE = 50
"""On each line."""
SPAWN = multiprocessing.get_context("spawn")
BODY = (
    "EVN||20260105170124\rPID|1|{n}|C{n}^^^^IDCard~I{n}^^^^PatientNO||测试患者{n}||19300101000000|M|||某省某市某区^^^^000000^^H||"
    "^^^^^^^^00000000000|||M^已婚||||||1^汉族\rNK1|1|测试亲属{n}|CHD^子女|某省某市某区某街道某小区^^^^000000|^^^^^^^^00000000000||N\r"
    "PV1|1|I|9505^^12^4506^某病区|1|||00001^测试医师甲|00002^测试医师乙||MED||||2|1||0|000001|01|V{n}"
    "|||||||||||||||||||||||||20260105170124\r"
)
RESULTS = "OBR|1|P{n}|F{n}|BIO^生化|||20260105070000|||||||||||||||20260105090000|||F\r" + "".join(
    f"OBX|{k}|NM|T{k}^项目{k}||{k}.10|mmol/L|1.00-30.00|N|||F\r" for k in range(1, 21)
)


def adt(turn: int, line: int, number: int, people: int) -> bytes:
    """An A08 of about 0.6 kB about one of so many people of this line."""
    who = f"{line}x{number % people}"
    head = f"MSH|^~\\&|HIS|H1|EAI||20260105{number % 24:02}{number % 60:02}24||ADT^A08|{turn}-{line}-{number}|P|2.4\r"
    return (head + BODY.format(n=who)).encode()


def other(turn: int, line: int, number: int, people: int) -> bytes:
    """The same about people whom no other message here is about."""
    return adt(turn, line + 100, number, people)


def moved(turn: int, line: int, number: int, people: int) -> bytes:
    """An A08 that finds its person on another ward."""
    head, mid, rest = adt(turn, line, number, people).decode().partition("||ADT^A08")
    at = f"20260106{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}"
    text = f"{head[:-14]}{at}{mid}{rest}".replace("EVN||20260105170124", f"EVN||{at}")
    return text.replace("|9505^^12", f"|{9505 + number // people % 5}^^12").encode()


def oru(turn: int, line: int, number: int, people: int) -> bytes:
    """An ORU with twenty results."""
    head, _, rest = adt(turn, line, number, people).decode().partition("ADT^A08")
    header, pid = rest.partition("EVN")[0], rest[rest.index("PID") :].partition("PV1")[0]
    return f"{head}ORU^R01{header}{pid}{RESULTS.format(n=f'{line}-{number}')}".encode()


ENDS = (
    ("end to end ADT, 8 lines, files opened by it", adt, False),
    ("end to end A08 with nothing new, 8 lines", adt, True),
    ("end to end A08 to another ward, 8 lines", moved, True),
    ("end to end ORU with 20 OBX, 8 lines", oru, True),
)
"""What, the message, and whether its 400 people are on file when the clock begins to run."""


def bare(ready: Ready, stop: Any) -> None:
    """Answers by the tenth field; reads and stores nothing."""

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(b"\x0bMSH|^~\\&|||||||ACK|1|P|2.4\rMSA|AA|" + data.split(b"|", 10)[9] + b"\r\x1c\r")

    async def go() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        ready.put(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, stop.wait)

    asyncio.run(go())


def python_hl7(ready: Ready, stop: Any) -> None:
    """python-hl7's MLLP server, answering with its own ACK."""
    from hl7.mllp import start_hl7_server

    async def talk(reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async def go() -> None:
        async with await start_hl7_server(talk, "127.0.0.1", 0, encoding="utf-8") as server:
            ready.put(server.sockets[0].getsockname()[1])
            await asyncio.get_running_loop().run_in_executor(None, stop.wait)

    asyncio.run(go())


def ours(ready: Ready, stop: Any, folder: str, work: bool) -> None:
    """Our line with its durable inbox; with ``work`` the worker too, in a process of its own, where a site has it once many messages wait.

    Tells its port, with ``work`` also that the worker has moved and the moment of the last effect, and at the end the processor time.
    """
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    os.environ["HEALTHSVC_LOG_LEVEL"] = "ERROR"
    from healthsvc.config import Settings
    from healthsvc.installation import open_installation
    from healthsvc.store.journals_read import waiting as in_journals
    from integrations.address import Address
    from integrations.beside import Beside
    from integrations.hospitals.shelf import shelf
    from integrations.listening import feeds_of
    from integrations.serving import SWITCH_SECONDS
    from integrations.worker import waiting

    sys.setswitchinterval(SWITCH_SECONDS)
    here = open_installation(settings=Settings(data=Path(folder)))
    feeds = feeds_of(here, shelf(), Address("127.0.0.1", 0))
    worker = Beside(here, feeds.inbox.shelf, "bench", 1)
    port = feeds.start()
    if work:
        worker.start()
    gc.collect()
    gc.freeze()  # as a serving process does once all is ready
    ready.put(port)
    if work:
        while worker.pid is None:
            sleep(LOOK_SECONDS)
        ready.put(None)
    stop.wait()
    if work:
        left = 1
        while left:
            sleep(LOOK_SECONDS)  # who looks without a pause takes the interpreter from the worker whose work is measured
            with here.database.engine.connect() as connection:
                left = waiting(connection) + sum(many for many, _ in in_journals(connection).values())
        ready.put(perf_counter())
        worker.stop()
    feeds.stop()
    ready.put(sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))))
    here.close()


def apart(ready: Ready, stop: Any, folder: str, processes: int) -> None:
    """Our line in processes of its own, without the API beside them."""
    os.environ["HEALTHSVC_LOG_LEVEL"] = "ERROR"
    from healthsvc.config import Settings
    from healthsvc.installation import open_installation
    from integrations.address import Address
    from integrations.apart import Apart
    from integrations.listening import limits_of

    settings = Settings(data=Path(folder))
    open_installation(settings=settings).close()
    lines = Apart(settings.data, Address("127.0.0.1", 0), processes, limits_of(settings), lambda: None)
    lines.start()
    ready.put(lines.mllp.port)
    stop.wait()
    lines.stop(10)


async def load(
    port: int, lines: int, seconds: float, make: Callable[[int, int, int], bytes], most: int | None = None
) -> tuple[int, float, list[float]]:
    """Messages answered, the time it took, and the time of each answer; at most so many on each line."""
    waits: list[float] = []
    until = perf_counter() + seconds

    async def one(line: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = 0
        while number != most and ((begun := perf_counter()) < until or most):
            writer.write(b"\x0b" + make(line, number, PEOPLE) + b"\x1c\r")
            answer = await reader.readuntil(b"\x1c\r")
            assert b"MSA|AA|" in answer, answer
            waits.append(perf_counter() - begun)
            number += 1
        writer.close()

    begun = perf_counter()
    await asyncio.gather(*(one(line) for line in range(lines)))
    return len(waits), perf_counter() - begun, waits


def serve(target: Callable[..., None], *more: Any) -> tuple[Any, Any, Any, int]:
    """Start a server in a process of its own."""
    ready, stop = SPAWN.Queue(), SPAWN.Event()
    process = SPAWN.Process(target=target, args=(ready, stop, *more), daemon=True)
    process.start()
    return process, ready, stop, ready.get(timeout=60)


@dataclass(frozen=True, slots=True)
class Intake:
    """How a server took messages in: messages a second, 99th percentile of the answer (ms), its own processor time (us a message)."""

    rate: float
    p99: float
    cpu: float


def intakes(servers: dict[str, tuple[Any, ...]], lines: tuple[int, ...], seconds: float, rounds: int) -> dict[tuple[str, int], Intake]:
    """Several servers under the same load in turns, some rounds; the best round of each counts, as others may use the machine."""
    running = {name: serve(*what) for name, what in servers.items()}
    found: dict[tuple[str, int], Intake] = {}
    for turn in range(rounds):
        for count in lines:
            for name, (process, _, _, port) in running.items():
                before = tree_seconds(process.pid)
                done, took, waits = asyncio.run(load(port, count, seconds, partial(adt, turn)))
                cpu = (tree_seconds(process.pid) - before) / done * 1e6
                one = Intake(done / took, quantiles(waits, n=100)[98] * 1000, cpu)
                sys.stderr.write(f"{name} {count}: {one.rate:.0f}/s, p99 {one.p99:.1f} ms, {one.cpu:.0f} us\n")
                if (name, count) not in found or found[name, count].rate < one.rate:
                    found[name, count] = one
    for process, _, stop, _ in running.values():
        stop.set()
        process.join()
    return found


def processor_seconds(pid: int) -> float:
    """Processor time of another process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def end_to_end(what: str, make: Callable[[int, int, int, int], bytes], seconds: float, folder: str, known: bool) -> tuple[float, float]:
    """Messages a second from the first byte to the last effect on 8 lines, and processor milliseconds a message.

    The clock begins to run when the worker has moved into its own process and nothing waits: what is measured is how it goes on, not how it
    starts. ``known``: the people are on file by then; otherwise others are.
    """
    process, ready, stop, port = serve(ours, folder, True)
    first = partial(adt, 1) if known else partial(other, 1)
    asyncio.run(load(port, 8, seconds, first, PEOPLE if known else 1))
    ready.get(timeout=60)
    while pending(folder):
        sleep(LOOK_SECONDS)
    spent = tree_seconds(process.pid)
    begun = perf_counter()
    done, _, _ = asyncio.run(load(port, 8, seconds, partial(make, 0)))
    stop.set()
    took = ready.get(timeout=600) - begun  # the clock is the machine's: both processes read the same
    used = ready.get(timeout=600)
    process.join()
    sys.stderr.write(f"{what}: {done / took:.0f}/s\n")
    return done / took, (used - spent) / done * 1000


def pending(folder: str) -> int:
    """How many messages wait."""
    (file,) = Path(folder).glob("*.sqlite")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        come = int(connection.execute("SELECT count(*) FROM inbox WHERE state = 'pending'").fetchone()[0])
    return come + sum(peek(journal).waits for journal in there(file))


def tree_seconds(pid: int) -> float:
    """Processor time of a process and its children so far."""
    children = [one for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]
    return processor_seconds(pid) + sum(tree_seconds(int(child)) for child in children)


def commits(folder: str, seconds: float = 1.0) -> float:
    """Commits a second that this disk gives to bare SQLite."""
    with closing(sqlite3.connect(f"{folder}/commits.sqlite", isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)"):
            connection.execute(statement).close()
        begun, count = perf_counter(), 0
        while perf_counter() - begun < seconds:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO t (b) VALUES (?)", (b"x" * 700,))
            connection.execute("COMMIT")
            count += 1
        return count / (perf_counter() - begun)


def reading() -> list[Row]:
    """The reader alone."""
    from integrations.hl7v2.charset import decode
    from integrations.hl7v2.er7 import Message

    small = adt(0, 1, 1, 1)
    big = small + b"OBX|1|ED|x||^^^Base64^" + b"QUJD" * 1_310_720 + b"|||N\r"

    def quickest(raw: bytes, segment: str, field: int, times: int) -> float:
        found = []
        for _ in range(5):
            begun = perf_counter()
            for _ in range(times):
                decoded = decode(raw)
                assert Message(decoded.text)[segment][field].component(5).raw is not None
            found.append((perf_counter() - begun) / times)
        return min(found)

    adt_us, big_ms = quickest(small, "PID", 3, 500) * 1e6, quickest(big, "OBX", 5, 3) * 1000
    return [row("read ADT 0.6 kB", adt_us, "us", "< 60", adt_us < 60), row("read 5 MB OBX", big_ms, "ms", "< 20", big_ms < 20)]


def row(what: str, value: float, unit: str, target: str = "", ok: bool = True) -> Row:
    """One line of the table."""
    return {"what": what, "value": round(value, 1), "unit": unit, "target": target, "ok": ok}


def before_the_answer(options: argparse.Namespace, folder: str) -> list[Row]:
    """Reading, intake beside the yardsticks, and the answers while the API is busy."""
    rows = reading()
    rows.append(row("disk: bare SQLite commits", commits(folder), "1/s"))
    servers: dict[str, tuple[Any, ...]] = {"bare": (bare,), "python-hl7": (python_hl7,), "ours": (ours, f"{folder}/ours", False)}
    servers |= {f"ours, {n} apart": (apart, f"{folder}/apart-{n}", n) for n in APART}
    found = intakes(servers, LINES, options.seconds, options.rounds)
    rows += [row(f"{name}, {n} lines", one.rate, "1/s") for (name, n), one in found.items()]
    rows += [row(f"processor time, {name}, {n} lines", one.cpu, "us/message") for (name, n), one in found.items()]
    for n, share in ((1, 0.2), (8, 0.0), (64, 0.5)):
        for name in ("ours", *(f"ours, {one} apart" for one in APART)):
            ratio, wanted = found[name, n].rate / found["bare", n].rate, share if n < 64 or name != "ours" else 0.0
            rows.append(row(f"{name} : bare, {n} lines", ratio * 100, "%", f">= {wanted * 100:.0f}", ratio >= wanted))
    ratio = found["ours", 64].rate / found["python-hl7", 64].rate
    rows.append(row("ours : python-hl7, 64 lines", ratio, "times", ">= 10", ratio >= 10))
    rows.append(row("answer p99, 64 lines", found["ours", 64].p99, "ms", "< 50", found["ours", 64].p99 < 50))
    for n, (what, pace) in product((0, *APART), (("500 messages a second", 500.0), ("as fast as answered", None))):
        with tempfile.TemporaryDirectory(prefix="healthsvc-bench-", dir=options.folder) as own:
            beside = measure(own, options.seconds, lambda line, number: adt(0, line, number, 50), pace, n)
        rows += [
            row(f"64 lines ({n} apart) beside a busy API, {what}", beside.messages, "1/s"),
            row("  answer p99", beside.p99_ms, "ms", "< 50", beside.p99_ms < 50),
            row("  slowest answer", beside.worst_ms, "ms"),
            row("  requests of the API meanwhile, 4 connections", beside.requests, "1/s"),
        ]
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=3, help="how often each server has its turn; the best round counts")
    parser.add_argument("--folder", type=Path, help="where the databases go; on a memory disk the commits cost nothing but processor time")
    parser.add_argument("--ends-only", action="store_true", help="only what happens after the answer")
    parser.add_argument("--intake-only", action="store_true", help="leave out what happens after the answer")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="healthsvc-bench-", dir=options.folder) as folder:
        rows = [] if options.ends_only else before_the_answer(options, folder)
        if options.intake_only:
            return show(rows, options.json)
        yardstick = intakes({"python-hl7": (python_hl7,)}, (8,), options.seconds, options.rounds)["python-hl7", 8].rate
        rows.append(row("python-hl7's server beside it, 8 lines", yardstick, "1/s"))
        for what, make, known in ENDS:
            with tempfile.TemporaryDirectory(prefix="healthsvc-bench-", dir=options.folder) as own:
                rate, cpu = end_to_end(what, make, options.seconds, own, known)
            target = 1000 if make is adt else 0
            rows += [row(what, rate, "1/s", f">= {target}", rate >= target), row(f"processor time, {what}", cpu, "ms/message")]
            if make is not oru:
                share, wanted = rate / yardstick * 100, SHARE * 100 if make is adt else 0.0
                rows.append(row("  of python-hl7's", share, "%", f">= {wanted:.0f}", share >= wanted))
    return show(rows, options.json)


def show(rows: list[Row], path: Path | None) -> int:
    """Print the table; 1 where a figure misses its target."""
    for one in rows:
        mark = "" if one["ok"] else "  MISSED"
        sys.stdout.write(f"{one['what']:<64}{one['value']:>12,.1f} {one['unit']:<11}{one['target']:>12}{mark}\n")
    if path:
        path.write_text(json.dumps({"at": datetime.now().astimezone().isoformat(), "rows": rows}, indent=1), encoding="utf-8")
    return int(not all(one["ok"] for one in rows))


if __name__ == "__main__":
    sys.exit(main())
