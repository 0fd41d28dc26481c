"""Clients that nobody here wrote, against `healthsvc serve` in a process of its own: `make clients`.

HAPI FHIR's generic client (needs java and mvn), fhir-kit-client and SMART's fhirclient (need node and npm); and HL7's validator, which
HAPI carries, over what we publish and what the rooms have written in the invented district of `healthsvc demo`. Each step prints a line;
the exit code is 1 where one fails. No part of `make test`: what it needs is no part of the product, and is fetched when it runs.
"""

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from healthsvc.fhir.json import dumps
from healthsvc.installation import open_installation, published

HERE = Path(__file__).parent
EACH = 40
"""Resources of a type that the validator looks at (a second takes it about ten)."""
PUBLISHED = {"CodeSystem", "ValueSet", "StructureDefinition", "SearchParameter", "OperationDefinition", "ImplementationGuide", "Measure"}
PUBLISHED |= {"Questionnaire", "Basic", "CapabilityStatement"}
"""Types of what is validated as it is published."""


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


def fetched(work: Path) -> None:
    """The jars of the Java programs into ``lib``."""
    copy = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies", f"-DoutputDirectory={work / 'lib'}"]
    subprocess.run(copy, check=True)


def validator(work: Path, base: str, token: str) -> int:
    """HL7's validator over our definitions and ``EACH`` resources of each type of the invented district."""
    fetched(work)
    data = work / "district"
    demo = [sys.executable, "-m", "healthsvc.main", "demo", "--once", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
    definitions, written = work / "definitions.ndjson", work / "written.ndjson"
    ours = [dumps(one) for one in published()]
    definitions.write_bytes(b"\n".join(ours))
    here = open_installation(data)
    by_type: dict[str, list[bytes]] = {}
    try:
        with here.database.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT t.text, r.id, r.version, r.body FROM resource r JOIN term t ON t.id=r.type WHERE NOT r.deleted")
            )
            for type, id, version, body in rows:
                by_type.setdefault(type, []).append(here.database.sealer.open_body(type, id, version, bytes(body)))
    finally:
        here.close()
    pick = random.Random(1)
    some = [one for type in sorted(by_type.keys() - PUBLISHED) for one in pick.sample(by_type[type], min(EACH, len(by_type[type])))]
    written.write_bytes(b"\n".join([*ours, *some]))
    known = str(HERE / "known-findings.tsv")
    run = ["java", "-cp", f"{work / 'lib'}/*", str(HERE / "Validator.java"), str(definitions), str(written), known]
    return subprocess.run(run, check=False).returncode


def hapi(work: Path, base: str, token: str) -> int:
    """HAPI's generic client."""
    fetched(work)
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
    tools = {hapi: ("java", "mvn"), node: ("node", "npm"), validator: ("java", "mvn")}
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
