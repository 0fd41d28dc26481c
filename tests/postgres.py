"""A throw-away PostgreSQL server for tests: its own cluster in a temporary folder, gone afterwards."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

REMEDY = "needs PostgreSQL's server programs: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, where the server is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    onpath = shutil.which("initdb")
    return Path(onpath).parent if onpath else None


@contextmanager
def server() -> Iterator[str]:
    """Start a server on a free port of the loopback address; gives the URL of its database."""
    bin_ = programs()
    assert bin_ is not None, REMEDY
    folder = Path(mkdtemp(prefix="healthsvc-pg-"))
    as_root = os.geteuid() == 0
    prefix = ["runuser", "-u", "postgres", "--"] if as_root else []  # the server refuses to run as root
    if as_root:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": "/"}
    subprocess.run(
        [*prefix, str(bin_ / "initdb"), "-D", str(data), "-U", "healthsvc", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"], **quiet
    )
    options = f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off -c full_page_writes=off -c max_connections=100"
    subprocess.run([*prefix, str(bin_ / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start"], **quiet)
    try:
        yield f"postgresql+psycopg://healthsvc@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*prefix, str(bin_ / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)
