"""A throw-away PostgreSQL server for tests: its own cluster in a temporary folder, gone afterwards."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

from ports import free_port
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


def memory() -> str | None:
    """A folder in memory where there is plenty of it: hundreds of databases are made and thrown away."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else None


def _mounted(folder: Path, mib: int) -> bool:
    """Mount a small disk (in memory) there; False where this machine does not let us."""
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "healthsvc-test", str(folder)], check=False, capture_output=True)
    return done.returncode == 0


def _children(pid: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


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

    def __init__(self, *options: str, on_disk: bool = False, disk_mib: int | None = None) -> None:
        """``disk_mib``: it gets a disk of its own of that size, where this machine lets us mount one."""
        bin_ = programs()
        assert bin_ is not None, REMEDY
        self._bin = bin_
        self._folder = Path(mkdtemp(prefix="healthsvc-pg-", dir=None if on_disk else memory()))
        as_root = os.geteuid() == 0
        self._has_disk = disk_mib is not None and as_root and _mounted(self._folder, disk_mib)
        self._prefix = ["runuser", "-u", "postgres", "--"] if as_root else []  # the server refuses to run as root
        if as_root:
            os.chown(self._folder, pwd.getpwnam("postgres").pw_uid, -1)
        port = free_port()
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

    def shell(self, words: str) -> str:
        """Run a script as the server's user, its programs in reach, this server the one that is meant; gives its output."""
        port = self.url.rpartition("127.0.0.1:")[2].partition("/")[0]
        env = {"PATH": f"{self._bin}:/usr/sbin:/usr/bin:/sbin:/bin", "PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "healthsvc"}
        return subprocess.run([*self._prefix, "sh", "-euc", words], check=True, cwd="/", env=env, capture_output=True, text=True).stdout

    @property
    def folder(self) -> Path:
        """A folder of the server's user; its cluster is ``data`` in it."""
        return self._folder

    def standby(self) -> "Cluster":
        """A copy of this server, made while it runs, which follows it; not started yet."""
        other = object.__new__(Cluster)
        other._bin, other._prefix, other._has_disk = self._bin, self._prefix, False
        other._folder = Path(mkdtemp(prefix="healthsvc-pg-standby-", dir=self._folder.parent))
        if self._prefix:
            os.chown(other._folder, pwd.getpwnam("postgres").pw_uid, -1)
        port = free_port()
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

    def promote(self) -> None:
        """A standby becomes a primary; it takes writes when this returns."""
        self._run("pg_ctl", "-D", self._data, "-w", "promote")

    def runs(self) -> bool:
        """Whether its first process is there."""
        try:
            os.kill(self.pid, 0)
        except (OSError, ValueError, IndexError):
            return False
        return True

    @contextmanager
    def full(self) -> Iterator[None]:
        """Its disk is full meanwhile; afterwards there is room again, and whoever keeps it running starts it if it has given up.

        On a disk of its own a file takes all the room that is left. Where none could be mounted (a container without that right) no file of
        the server may grow beyond some pages, which PostgreSQL takes for a full disk as well (postmaster.c, SIGXFSZ).
        """
        if self._has_disk:
            ballast = self._folder / "ballast"
            try:
                with suppress(OSError), ballast.open("wb", buffering=0) as file:
                    while file.write(b"x" * (1 << 12)):
                        pass
                yield
            finally:
                ballast.unlink()
        else:
            try:
                self._limit(str(1 << 16))
                yield
            finally:
                self._limit("unlimited")
        if not self.runs():
            self.start()

    def _limit(self, most: str) -> None:
        """How long a file of the server may become; processes that it forks later inherit it. Asked by the server's own user, who may."""
        for pid in (self.pid, *_children(self.pid)) if self.runs() else ():
            subprocess.run([*self._prefix, "prlimit", "--pid", str(pid), f"--fsize={most}:"], check=False, capture_output=True, cwd="/")

    def remove(self) -> None:
        """Nothing is left."""
        if self._has_disk:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=False)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def cluster(*options: str, on_disk: bool = False, disk_mib: int | None = None) -> Iterator[Cluster]:
    """A running server of its own on a free port of the loopback address; in memory where there is plenty, unless asked otherwise."""
    one = Cluster(*options, on_disk=on_disk, disk_mib=disk_mib)
    try:
        one.start()
        yield one
    finally:
        if one.runs():
            one.stop()
        one.remove()


@contextmanager
def server() -> Iterator[str]:
    """Start a server for many tests; gives the URL of its database."""
    with cluster() as one:
        yield one.url
