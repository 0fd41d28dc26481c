"""What operators rely on: probes, metrics without a person in them, traces only where set, and a stop that loses nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from healthsvc.config import Settings
from healthsvc.errors import Invalid
from healthsvc.installation import Installation, open_installation
from healthsvc.monitoring import tracing
from integrations.address import Address
from integrations.mllp.framing import Frame, FrameReader, wrap
from integrations.roles import Role
from integrations.serving import SWITCH_SECONDS, Serving

HERE = Address("127.0.0.1", 0)
NAME, CITIZEN = "欧阳不可见", "990101193001019006"


@contextmanager
def serving(folder: Path, *roles: Role, probes: Address | None = None, **settings: Any) -> Iterator[tuple[Serving, Installation]]:
    here = open_installation(settings=Settings(data=folder, **settings))
    running = Serving(here, HERE, HERE, roles or tuple(Role), probes)
    running.start()
    try:
        yield running, here
    finally:
        running.stop()
        here.close()


def client(running: Serving, here: Installation, address: Address | None = None) -> httpx.Client:
    from healthsvc import clock
    from healthsvc.access.tokens import issue_token
    from healthsvc.store import SYSTEM

    with here.database.writing(SYSTEM, at=clock.now()) as store:
        token = issue_token(store, "system")
    return httpx.Client(base_url=f"http://{address or running.http}", headers={"authorization": f"Bearer {token}"}, timeout=30)


def message(number: int) -> bytes:
    text = f"MSH|^~\\&|HIS|LWYY|HEALTHSVC|LW|20261120080000||ADT^A04|D{number}|P|2.4|||AL|AL|CHN|UNICODE UTF-8\r"
    return (text + f"EVN|A04|20261120080000\rPID|1||MR{number}^^^LWYY^PI||{NAME}\rPV1|1|O|||||||||||||||||V{number}\r").encode()


def test_metrics_tell_what_operators_need_and_nobody_s_name(tmp_path: Path) -> None:
    with serving(tmp_path / "data", Role.API, Role.TIMERS, backup_to=tmp_path / "to") as (running, here), client(running, here) as asking:
        person = {"resourceType": "Patient", "id": "p-not-to-be-seen", "name": [{"text": NAME}], "identifier": [{"value": CITIZEN}]}
        assert asking.put("/fhir/Patient/p-not-to-be-seen", json=person).status_code == 201
        for path in (
            "/fhir/Patient/p-not-to-be-seen",
            f"/fhir/Patient?name={NAME}",
            f"/people/{CITIZEN}",
            f"/nowhere/{CITIZEN}",
            f"/api/window/ask?identifier={CITIZEN}",
        ):
            asking.get(path)
        assert asking.request("GETNAME", f"/{CITIZEN}").status_code in (400, 404, 405)
        told = asking.get("/metrics").text
    for name in (
        "healthsvc_http_request_seconds_bucket",
        "healthsvc_store_transaction_seconds_count",
        "healthsvc_store_writer_wait_seconds_count",
        'healthsvc_store_connections{state="in use"}',
        'healthsvc_store_bytes{file="wal"}',
        "healthsvc_store_up 1.0",
        'healthsvc_lease_seconds{name="timers"}',
        "healthsvc_hl7_queued",
        "healthsvc_backup_last_seconds",
    ):
        assert name in told, name
    for secret in (NAME, CITIZEN, "p-not-to-be-seen"):
        assert secret not in told


def test_a_thread_that_computes_gives_way_after_a_millisecond(tmp_path: Path) -> None:
    before = sys.getswitchinterval()
    try:
        with serving(tmp_path / "data", Role.TIMERS):
            assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS) == pytest.approx(0.001)
    finally:
        sys.setswitchinterval(before)


def test_a_role_without_the_api_answers_its_probes(tmp_path: Path) -> None:
    with serving(tmp_path / "data", Role.TIMERS, probes=HERE) as (running, _):
        assert running.probes is not None
        with httpx.Client(base_url=f"http://{running.probes}") as asking:
            assert (asking.get("/livez").status_code, asking.get("/readyz").status_code) == (200, 200)
            ends = time.monotonic() + 20
            sample = 'healthsvc_timer_last_due_seconds{job="infusion-late-looks"}'
            while sample not in asking.get("/metrics").text and time.monotonic() < ends:
                time.sleep(0.1)
            assert sample in asking.get("/metrics").text
            assert asking.get("/fhir/metadata").status_code == 404


def test_at_a_stop_readyz_is_red_first_and_open_requests_finish(tmp_path: Path) -> None:
    with serving(tmp_path / "data", drain_seconds=1.5) as (running, here), client(running, here) as asking:
        assert asking.get("/readyz").status_code == 200
        body = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "resource": {"resourceType": "Observation", "status": "final", "code": {"text": f"n{number}"}},
                    "request": {"method": "POST", "url": "Observation"},
                }
                for number in range(3000)
            ],
        }
        answers: list[httpx.Response] = []
        long = threading.Thread(target=lambda: answers.append(asking.post("/fhir", json=body)))
        long.start()
        time.sleep(0.2)
        stopping = threading.Thread(target=running.stop)
        stopping.start()
        running.draining.wait(5)
        with httpx.Client(base_url=f"http://{running.http}") as probe:
            assert probe.get("/livez").status_code == 200
            red = probe.get("/readyz")
        assert red.status_code == 503
        assert "stopping" in red.json()["detail"]
        long.join()
        stopping.join()
        assert answers[0].status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://{running.http}/livez")


def test_at_a_stop_a_line_answers_what_it_has_taken(tmp_path: Path) -> None:
    """SIGTERM in the middle of a flood: every answer that came is on disk, the exit is clean and soon."""
    import re
    import socket
    import sqlite3

    command = [sys.executable, "-m", "healthsvc.main"]

    words = ["serve", "--data", str(tmp_path / "data"), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0", "--only", "feeds"]
    process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    with process.stdout as printed:
        found = re.search(r"mllp://127\.0\.0\.1:(\d+)", printed.readline())
        assert found
        line = socket.create_connection(("127.0.0.1", int(found[1])))
        line.settimeout(20)
        flood = threading.Thread(target=_flood, args=[line, 20_000], daemon=True)
        flood.start()
        reader, answered = FrameReader(limit=1 << 20), 0
        begun = None
        while block := _received(line):
            answered += sum(isinstance(one, Frame) and b"|AA|" in one.content for one in reader.feed(block))
            if begun is None and answered > 200:
                process.send_signal(signal.SIGTERM)
                begun = time.monotonic()
        assert begun is not None
        assert process.wait(timeout=30) == 0
        assert time.monotonic() - begun < 20
        line.close()
    stored = sqlite3.connect(tmp_path / "data" / "healthsvc.sqlite").execute("SELECT count(*) FROM inbox").fetchone()[0]
    assert 200 < answered <= stored < 20_000


def _flood(line: Any, count: int) -> None:
    for number in range(count):
        try:
            line.sendall(wrap(message(number)))
        except OSError:
            return


def _received(line: Any) -> bytes:
    try:
        got: bytes = line.recv(1 << 16)
    except ConnectionError:
        return b""
    return got


def test_tracing_costs_no_import_and_names_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = "name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))"
    script = f"import sys, healthsvc.app, integrations.serving; print(any({ours} for name in sys.modules))"
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ})
    assert asked.stdout.strip() == "False"

    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    with serving(tmp_path / "data", Role.API) as (running, here), client(running, here) as asking:
        assert tracing.start(Settings(otel_endpoint="http://127.0.0.1:9", otel_share=1), "0", kept)
        traceparent = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        asking.get(f"/fhir/Patient?name={NAME}", headers=traceparent)
        asking.get(f"/people/{CITIZEN}")
        tracing._tracer[1].force_flush()
        spans = kept.get_finished_spans()
        tracing.stop(200)
    assert len(spans) == 2
    assert f"{spans[0].context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    for span in spans:
        told = f"{span.name} {dict(span.attributes or {})}"
        assert "http.response.status_code" in told
        assert NAME not in told
        assert CITIZEN not in told
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(Invalid, match="pip install"):
        tracing.start(Settings(otel_endpoint="http://127.0.0.1:9"), "0")
