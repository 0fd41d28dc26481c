"""Spans reach a collector over OTLP/HTTP, as its own messages say them; a collector that is not there stops nothing."""

import gzip
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from healthsvc.config import Settings
from healthsvc.monitoring import tracing


class Collector(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    def do_POST(self) -> None:
        """Take one export."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.kept.append((self.path, self.headers["content-type"], body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def traced(url: str, seconds: float = 200) -> None:
    assert tracing.start(Settings(otel_endpoint=url, otel_share=1), "1.2")
    scope = {"headers": [(b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]}
    with tracing.request(scope, "GET") as span:
        span.answered("/fhir/Patient/{id}", 503)
    with tracing.work("message", link="lw"):
        assert tracing.is_on()
    tracing.stop(seconds)
    assert not tracing.is_on()


def test_spans_reach_a_collector() -> None:
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        server.kept = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        traced(f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()
        kept = server.kept  # type: ignore[attr-defined]
    assert {(path, kind) for path, kind, _ in kept} == {("/v1/traces", "application/x-protobuf")}
    told = [group for _, _, body in kept for group in ExportTraceServiceRequest.FromString(body).resource_spans]
    assert {("service.name", "healthsvc"), ("service.version", "1.2")} <= {
        (one.key, one.value.string_value) for group in told for one in group.resource.attributes
    }
    spans = {span.name: span for group in told for scope in group.scope_spans for span in scope.spans}
    assert spans.keys() == {"GET /fhir/Patient/{id}", "message"}
    asked = spans["GET /fhir/Patient/{id}"]
    assert asked.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert asked.parent_span_id.hex() == "b7ad6b7169203331"
    assert asked.status.code == asked.status.STATUS_CODE_ERROR
    assert [(one.key, one.value.string_value) for one in spans["message"].attributes] == [("link", "lw")]


def test_a_collector_that_is_gone_or_never_answers_holds_up_no_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        traced(f"http://127.0.0.1:{port}", 4)
    traced(f"http://127.0.0.1:{port}", 4)
    assert time.monotonic() - begun < 3
