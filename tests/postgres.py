"""A throw-away PostgreSQL server for tests: its own cluster in a temporary folder, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import create_engine

_databases = count(1)
REMEDY = "needs PostgreSQL's server programs: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, where the server is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    onpath = shutil.which("initdb")
    return Path(onpath).parent if onpath else None


def _memory() -> str | None:
    """A folder in memory where there is plenty of it: dozens of databases are made and thrown away."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else None


def made(server: str, template: str = "template1") -> str:
    """A new database on the server; gives its URL."""
    name = f"t{next(_databases)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    engine.dispose()
    return server.rsplit("/", 1)[0] + "/" + name


class Cluster:
    """A server of its own, which can be stopped and started again."""

    def __init__(self, *options: str, on_disk: bool = False) -> None:
        bin_ = programs()
        assert bin_ is not None, REMEDY
        self._bin = bin_
        self._folder = Path(mkdtemp(prefix="healthsvc-pg-", dir=None if on_disk else _memory()))
        as_root = os.geteuid() == 0
        self._prefix = ["runuser", "-u", "postgres", "--"] if as_root else []  # the server refuses to run as root
        if as_root:
            os.chown(self._folder, pwd.getpwnam("postgres").pw_uid, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"postgresql+psycopg://healthsvc@127.0.0.1:{port}/postgres"
        self._options = [
            f"-p {port} -k {self._folder} -h 127.0.0.1 -c max_connections=100",
            *(options or ("-c fsync=off -c full_page_writes=off",)),
        ]
        self._run("initdb", "-D", self._data, "-U", "healthsvc", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *words: str) -> None:
        subprocess.run([*self._prefix, str(self._bin / program), *words], check=True, stdout=subprocess.DEVNULL, cwd="/")

    def standby(self) -> "Cluster":
        """A copy of this server, made while it runs, which follows it; not started yet."""
        other = object.__new__(Cluster)
        other._bin, other._prefix = self._bin, self._prefix
        other._folder = Path(mkdtemp(prefix="healthsvc-pg-standby-", dir=self._folder.parent))
        if self._prefix:
            os.chown(other._folder, pwd.getpwnam("postgres").pw_uid, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        other.url = f"postgresql+psycopg://healthsvc@127.0.0.1:{port}/postgres"
        other._options = [f"-p {port} -k {other._folder} -h 127.0.0.1 -c max_connections=100 -c fsync=off"]
        here = self.url.rpartition("127.0.0.1:")[2].partition("/")[0]
        self._run(
            "pg_basebackup", "-D", other._data, "-R", "-X", "stream", "-c", "fast", "-d", f"host=127.0.0.1 port={here} user=healthsvc"
        )
        return other

    @property
    def pid(self) -> int:
        """Number of the server's first process."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])

    def start(self) -> None:
        """Start; it answers when this returns."""
        self._run("pg_ctl", "-D", self._data, "-o", " ".join(self._options), "-l", str(self._folder / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop; ``immediate`` is a crash: what was not committed is gone, the next start recovers."""
        self._run("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def remove(self) -> None:
        """Nothing is left."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def cluster(*options: str, on_disk: bool = False) -> Iterator[Cluster]:
    """A running server of its own on a free port of the loopback address; in memory where there is plenty, unless asked otherwise."""
    one = Cluster(*options, on_disk=on_disk)
    one.start()
    try:
        yield one
    finally:
        one.stop()
        one.remove()


@contextmanager
def server() -> Iterator[str]:
    """Start a server for many tests; gives the URL of its database."""
    with cluster() as one:
        yield one.url
