"""Many processes on one PostgreSQL: the feed to its last effect, and the API, with 1, 2 and 4 processes; SQLite beside it.

Everything runs as a site would run it (``healthsvc serve``), the server with fsync on a real disk. Client, processes and PostgreSQL share
this machine's cores: with two of them a second process can only use what the first leaves idle, and whatever else runs here takes its part.
So what is told first is what a message costs in processor time, ours and the server's: that, not the rate, carries over to more cores and
to a machine of one's own. Each row is a fixed number of messages about persons whose files are open already, told some rounds: the median
round, and how far the rounds lie apart.

``python -m tests.bench scale --rounds=5``; a short look, or one at a busy machine: ``--engine=PostgreSQL --processes=1 --rounds=1
--messages=160 --requests=80 --chains --busy``.
"""

import argparse
import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psycopg
from bench_hl7 import PEOPLE, Row, adt, commits, load, moved, row, show
from postgres import Cluster, cluster
from sqlalchemy import create_engine, text

COMMAND = [sys.executable, "-m", "healthsvc.main"]
ENGINES = ("SQLite", "PostgreSQL")
CALM_SECONDS, BUSY_SECONDS, CALM, CALM_LOOKS = 60.0, 20.0, 0.05, 3
"""How long a start may take to come to rest (on a machine known as busy), what share of a core a process at rest uses at most, and
for how many seconds on end: one that waits for a lock or for its turn at the processor looks at rest, too, but not for long."""
LINES = 8
CALLERS = 8
MESSAGES, REQUESTS = 600, 400
"""Of one round, where nothing else is asked for."""
FEEDS: dict[int, tuple[str, ...]] = {1: ("",), 2: ("feeds", "worker"), 4: ("feeds", "worker", "feeds", "worker")}
"""How many processes, and what each does; an empty role is all of them in one."""
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the processes of a run listen, and their numbers."""

    url: str
    http: tuple[int, ...]
    mllp: tuple[int, ...]
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds of a row, messages and requests of a round; and whether the machine is known to be busy."""

    rounds: int
    messages: int
    requests: int
    busy: bool


@contextmanager
def serving(folder: Path, url: str | None, roles: tuple[str, ...], busy: bool) -> Iterator[tuple[Serving, str]]:
    """Processes of these roles on one database; gives them and a token."""
    data = folder / f"data{next(_NUMBERS)}"
    data.mkdir()
    (data / "healthsvc.toml").write_text('log_level = "ERROR"\n' + (f'database = "{url}"\n' if url else ""))
    made = subprocess.run([*COMMAND, "token", "--data", str(data), "--role", "system"], capture_output=True, text=True, check=True)
    words = [*COMMAND, "serve", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    running = [
        subprocess.Popen([*words, *(("--only", role) if role else ())], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for role in roles
    ]
    try:
        said = " ".join(one.stdout.readline() for one in running if one.stdout)
        if any(one.poll() is not None for one in running):
            raise RuntimeError("a process did not start; call healthsvc serve by hand to see why")
        http = tuple(int(port) for port in re.findall(r"http://[\d.]+:(\d+)", said))
        mllp = tuple(int(port) for port in re.findall(r"mllp://[\d.]+:(\d+)", said))
        there = url or f"sqlite:///{data}/healthsvc.sqlite"
        _calm(tuple(one.pid for one in running), busy)
        yield Serving(there, http, mllp, tuple(one.pid for one in running)), made.stdout.strip()
    finally:
        for one in running:
            one.send_signal(signal.SIGTERM)
        for one in running:
            one.wait(60)
            if one.stdout:
                one.stdout.close()


class Round(NamedTuple):
    """What one round took: how many a second, processor ms for each, ours and the server's, and how busy the machine was (%)."""

    rate: float
    ours: float
    servers: float
    busy: float


Spent = Callable[[], tuple[float, float]]
"""Processor seconds so far: of our processes, and of the server."""


def feed(here: Serving, size: Size, spent: Spent) -> list[Round]:
    """From the first byte of a round to its last effect; the files of everybody are opened before the first."""
    engine = create_engine(here.url)

    def told(make: Callable[[int, int, int, int], bytes], messages: int) -> int:
        done = sum(asyncio.run(_talk(here.mllp, messages, make)))
        with engine.connect() as connection:
            while connection.execute(text("SELECT 1 FROM inbox WHERE state = 'pending' LIMIT 1")).first():
                connection.rollback()
                time.sleep(0.05)
        return done

    told(adt, LINES * PEOPLE)
    _calm(here.pids, size.busy)
    found = [_round(partial(told, moved, size.messages), spent) for _ in range(size.rounds)]
    engine.dispose()
    return found


def _round(act: Callable[[], int], spent: Spent) -> Round:
    """Do something and tell what it took; ``act`` gives how often it was done."""
    before, begun, busy = spent(), time.perf_counter(), _machine()
    done = act()
    took, after = time.perf_counter() - begun, spent()
    ours, servers = ((now - then) / done * 1000 for now, then in zip(after, before, strict=True))
    return Round(done / took, ours, servers, _share(busy, _machine()))


async def _talk(ports: tuple[int, ...], messages: int, make: Callable[[int, int, int, int], bytes]) -> list[int]:
    each = LINES // len(ports)
    turn = next(_NUMBERS)
    made = [partial(_elsewhere, make, turn, number * each, turn * (messages // LINES)) for number in range(len(ports))]
    runs = [load(port, each, 0.0, one, messages // LINES) for port, one in zip(ports, made, strict=True)]
    return [done for done, _, _ in await asyncio.gather(*runs)]


def _elsewhere(
    make: Callable[[int, int, int, int], bytes], turn: int, first: int, since: int, line: int, message: int, people: int
) -> bytes:
    """Lines of different listeners are different lines, and what is told in a later round happened later."""
    return make(turn, first + line, since + message, people)


async def ask(ports: tuple[int, ...], token: str, requests: int, make: Callable[[Random], tuple[str, str, bytes]]) -> int:
    """So many requests by several callers, each on one kept connection, spread over the processes; gives how many were answered."""

    async def one(caller: int) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[caller % len(ports)])
        chance = Random(caller)
        for _ in range(requests // CALLERS):
            method, path, body = make(chance)
            head = f"{method} /fhir/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/fhir+json\r\n"
            writer.write(head.encode() + f"content-length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert b" 20" in answer[:16], answer[:200]
            found = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
            await reader.readexactly(int(found[1]) if found else 0)
        writer.close()
        return requests // CALLERS

    return sum(await asyncio.gather(*(one(caller) for caller in range(CALLERS))))


def rows_of(what: str, rounds: Sequence[Round], one: str, engine: str) -> Iterator[Row]:
    """The median of the rounds, and how far they lie apart."""

    def told(name: str, of: Callable[[Round], float], unit: str) -> Iterator[Row]:
        values = [of(each) for each in rounds]
        yield row(name, median(values), unit)
        for word, value in (("least", min(values)), ("most", max(values))):
            yield row(f"  {word} of {len(values)} rounds", value, unit)

    yield from told(f"{what}: processor time, ours", lambda each: each.ours, f"ms/{one}")
    if engine == "PostgreSQL":
        yield from told(f"{what}: processor time, the server's", lambda each: each.servers, f"ms/{one}")
    yield from told(what, lambda each: each.rate, "1/s")
    yield row(f"{what}: machine busy", median(each.busy for each in rounds), "%")


def _person(number: int) -> bytes:
    name = f"测试{number % 997}"
    return f'{{"resourceType":"Patient","id":"b{number}","name":[{{"text":"{name}"}}],"gender":"male","birthDate":"1930-01-01"}}'.encode()


def interactions() -> dict[str, Callable[[Random], tuple[str, str, bytes]]]:
    """What is asked of the API, in this order: what is created is read and found afterwards."""
    numbers = count()
    made: list[int] = []

    def create(_: Random) -> tuple[str, str, bytes]:
        made.append(next(numbers))
        return "PUT", f"Patient/b{made[-1]}", _person(made[-1])

    def read(chance: Random) -> tuple[str, str, bytes]:
        return "GET", f"Patient/b{made[chance.randrange(len(made) // 2)]}", b""

    def search(chance: Random) -> tuple[str, str, bytes]:
        return "GET", f"Patient?name=%E6%B5%8B%E8%AF%95{chance.randrange(997)}&_count=10", b""

    return {"create": create, "read": read, "search": search}


def cpu_of(pids: tuple[int, ...]) -> float:
    """Processor seconds of processes so far."""
    return sum(_ticks(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")


def _calm(pids: tuple[int, ...], busy: bool) -> None:
    """Wait until what a start leaves for afterwards (first runs of timers, figures reckoned ahead) is done: it belongs to no message.

    On a machine that is busy it may not be done in time: then what is measured holds some of it, and that is said.
    """
    until, calm = time.perf_counter() + (BUSY_SECONDS if busy else CALM_SECONDS), 0
    while calm < CALM_LOOKS:
        before = cpu_of(pids)
        time.sleep(1)
        calm = calm + 1 if cpu_of(pids) - before < CALM * len(pids) else 0
        if time.perf_counter() > until:
            what = "the processes do not come to rest; what they do is charged to the messages"
            sys.stderr.write(f"{what}: the processor times that follow are somewhat too high\n")
            return


def cpu_of_server(root: int) -> float:
    """Processor seconds of a PostgreSQL server: its own, its children's, and those of children that have ended."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == root:
            found += int(fields[11]) + int(fields[12])
        elif path.parent.name == str(root):
            found += sum(int(fields[n]) for n in (11, 12, 13, 14))
    return found / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _machine() -> list[int]:
    return [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


def _share(before: list[int], after: list[int]) -> float:
    spent = [now - then for then, now in zip(before, after, strict=True)]
    return 100 * (1 - (spent[3] + spent[4]) / sum(spent))


def server_commits(url: str, seconds: float = 1.0) -> float:
    """Commits a second that this server and disk give to one bare connection."""
    plain = url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (b bytea)")
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            connection.execute("INSERT INTO bare VALUES (%s)", (b"x" * 700,))
            done += 1
        return done / (time.perf_counter() - begun)


def fresh(server: Cluster) -> str:
    """A new database."""
    name = f"bench{next(_NUMBERS)}"
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return server.url.rsplit("/", 1)[0] + "/" + name


def measure(folder: Path, server: Cluster, size: Size, chains: list[int], engines: list[str], processes: list[int]) -> Iterator[Row]:
    """All rows."""
    yield row("cores", os.cpu_count() or 0, "")
    yield row("load of the machine before it began, all programs together", os.getloadavg()[0], "")
    yield row("disk: bare SQLite commits", commits(str(folder)), "1/s")
    yield row("disk: bare PostgreSQL commits, one connection", server_commits(fresh(server)), "1/s")
    for engine in engines:
        for number in processes:
            what = f"{engine}, {number} process{'es' * (number > 1)}"
            if engine == "PostgreSQL" or number < 4:  # on SQLite one worker at a time, by lease
                with serving(folder, fresh(server) if engine == "PostgreSQL" else None, FEEDS[number], size.busy) as (here, _):
                    yield from rows_of(f"feed end to end, {what}", feed(here, size, _spent(here, server)), "message", engine)
            roles = ("",) if number == 1 else ("api",) * number
            with serving(folder, fresh(server) if engine == "PostgreSQL" else None, roles, size.busy) as (here, token):
                for name, make in interactions().items():
                    asking = partial(_asked, here, token, make, size.requests)
                    asking()
                    found = [_round(asking, _spent(here, server)) for _ in range(size.rounds)]
                    yield from rows_of(f"API {name}, {what}", found, "request", engine)
    yield from chained(folder, server, size, chains)
    yield row("load of the machine at the end", os.getloadavg()[0], "")


COLUMNS = (("SQLite", 1), ("SQLite", 2), ("PostgreSQL", 1), ("PostgreSQL", 2), ("PostgreSQL", 4))
ACTS = ("feed end to end", "API create", "API read", "API search")


def table(rows: Sequence[Row]) -> str:
    """The table of docs/scale.md: what each act costs, how often it is done, against one process too, and what all cores give at most."""
    known = {one["what"]: one["value"] for one in rows}
    cores = os.cpu_count() or 1
    names = {of: f"{of[0]}, {of[1]} process{'es' * (of[1] > 1)}" for of in COLUMNS}
    columns = [of for of in COLUMNS if any(f"{act}, {names[of]}" in known for act in ACTS)]
    lines = [f"| | {' | '.join(names[of] for of in columns)} |", "| --- " * (len(columns) + 1) + "|"]
    for act in ACTS:
        cost, rate, against, bound = [], [], [], []
        for of in columns:
            what, one = f"{act}, {names[of]}", f"{act}, {names[of[0], 1]}"
            if what not in known:
                for cells in (cost, rate, against, bound):
                    cells.append("–")
                continue
            ours, servers = known[f"{what}: processor time, ours"], known.get(f"{what}: processor time, the server's", 0.0)
            cost.append(f"{ours:.1f} + {servers:.1f} ms" if servers else f"{ours:.1f} ms")
            rate.append(f"{known[what]:.0f}")
            against.append(f"{known[what] / known[one]:.2f}" if known.get(one) else "–")
            bound.append(f"{cores * 1000 / (ours + servers):.0f}" if ours + servers else "–")
        told = ("processor time of one, ours + the server's", cost), ("a second", rate), ("a second, times one process", against)
        for word, cells in (*told, (f"a second at most, if {cores} cores did nothing else", bound)):
            lines.append(f"| {act}: {word} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _asked(here: Serving, token: str, make: Callable[[Random], tuple[str, str, bytes]], requests: int) -> int:
    return asyncio.run(ask(here.http, token, requests, make))


def _spent(here: Serving, server: Cluster) -> Spent:
    return lambda: (cpu_of(here.pids), cpu_of_server(server.pid))


def chained(folder: Path, server: Cluster, size: Size, chains: list[int]) -> Iterator[Row]:
    """What several chains of the audit give: the same writers with one chain and with more."""
    for number in chains:
        os.environ["HEALTHSVC_DATABASE_AUDIT_CHAINS"] = str(number)
        with serving(folder, fresh(server), ("api", "api"), size.busy) as (here, token):
            asking = partial(_asked, here, token, interactions()["create"], size.requests)
            found = [_round(asking, _spent(here, server)) for _ in range(size.rounds)]
        del os.environ["HEALTHSVC_DATABASE_AUDIT_CHAINS"]
        yield from rows_of(f"API create, PostgreSQL, 2 processes, {number} chains of the audit", found, "request", "PostgreSQL")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each row is measured")
    parser.add_argument("--messages", type=int, default=MESSAGES, help=f"of a round of the feed; {LINES} lines share them")
    parser.add_argument("--requests", type=int, default=REQUESTS, help=f"of a round of the API; {CALLERS} callers share them")
    parser.add_argument("--busy", action="store_true", help="do not wait for long until the machine comes to rest")
    parser.add_argument("--processes", type=int, nargs="*", default=sorted(FEEDS), choices=sorted(FEEDS), help="how many processes")
    parser.add_argument("--engine", action="append", choices=ENGINES, help="only this one; repeat it (default: both)")
    parser.add_argument("--chains", type=int, nargs="*", default=[1, 8], help="how many chains of the audit to compare")
    parser.add_argument("--folder", type=Path, help="where the embedded databases go")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    if min(options.rounds, options.messages // LINES, options.requests // CALLERS) < 1:
        parser.error(f"at least one round, {LINES} messages and {CALLERS} requests")
    size = Size(options.rounds, options.messages, options.requests, options.busy)
    rows: list[Any] = []
    made = tempfile.TemporaryDirectory(prefix="healthsvc-bench-", dir=options.folder)
    with made as folder, cluster("-c fsync=on", on_disk=True) as server:
        for one in measure(Path(folder), server, size, options.chains, options.engine or list(ENGINES), options.processes):
            rows.append(one)
            sys.stderr.write(f"{one['what']}: {one['value']} {one['unit']}\n")
    ended = show(rows, options.json)
    sys.stdout.write(f"\n{table(rows)}\n")
    return ended


if __name__ == "__main__":
    sys.exit(main())
