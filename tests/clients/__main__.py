"""Clients that nobody here wrote, against `healthsvc serve` in a process of its own: `make clients`.

HAPI FHIR's generic client (needs java and mvn), fhir-kit-client and SMART's fhirclient (need node and npm). Each step prints a line; the
exit code is 1 where one fails. No part of `make test`: what it needs is no part of the product, and is fetched when it runs.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent


@contextmanager
def server(folder: str) -> Iterator[tuple[str, str]]:
    """A server with an empty store; gives its base url and a token."""
    cli = [sys.executable, "-m", "healthsvc.main"]
    made = subprocess.run([*cli, "token", "--data", folder, "--role", "system", "--json"], check=True, capture_output=True, text=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = [*cli, "serve", "--data", folder, "--http", f"127.0.0.1:{port}", "--only", "api"]
    running = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        while "ready" not in running.stdout.readline():
            if running.poll() is not None:
                raise RuntimeError("the server did not start")
        yield f"http://127.0.0.1:{port}/fhir", json.loads(made.stdout)["token"]
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(30)


def hapi(work: Path, base: str, token: str) -> int:
    """HAPI's generic client."""
    copy = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={work / 'lib'}"]
    subprocess.run(copy, check=True)
    return subprocess.run(["java", "-cp", f"{work / 'lib'}/*", str(HERE / "HapiClient.java"), base, token], check=False).returncode


def node(work: Path, base: str, token: str) -> int:
    """The two JavaScript clients."""
    for name in ("package.json", "kit.mjs", "smart.mjs"):
        shutil.copy(HERE / name, work / name)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=work, check=True)
    codes = [subprocess.run(["node", name, base, token], cwd=work, check=False).returncode for name in ("kit.mjs", "smart.mjs")]
    return max(codes)


def main() -> int:
    """Each client whose tools are here; it is an error if none is."""
    tools = {hapi: ("java", "mvn"), node: ("node", "npm")}
    there = [client for client, needs in tools.items() if all(map(shutil.which, needs))]
    if not there:
        sys.stderr.write("needs java and mvn, or node and npm\n")
        return 2
    with tempfile.TemporaryDirectory() as data, server(data) as (base, token):
        codes = []
        for client in there:
            sys.stdout.write(f"\n== {client.__name__}\n")
            sys.stdout.flush()
            with tempfile.TemporaryDirectory() as work:
                codes.append(client(Path(work), base, token))
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
