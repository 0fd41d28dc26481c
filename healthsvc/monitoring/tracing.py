"""OpenTelemetry, where a site has installed and set it (``pip install healthsvc[otel]``, ``otel_endpoint``); otherwise nothing is imported.

Spans carry the pattern of a route, a status, a link's name and the kind of a message: what metrics may say, never an address as it was
called, a body or a statement.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from asgi_correlation_id import correlation_id
from starlette.types import Scope

from healthsvc.config import Settings
from healthsvc.errors import Invalid

SERVICE: Final = "healthsvc"
STOP_SHARE: Final = 0.05
"""Of the time that a stop may take: how much of it the last traces get."""
_FAILED: Final = 500
_tracer: Any = None


class Span:
    """One span, or nothing where no tracing is set."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def answered(self, route: str, status: int) -> None:
        """What came of a request."""
        if self._span is None:
            return
        self._span.update_name(f"{self._span.attributes['http.request.method']} {route}")
        self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        request = correlation_id.get()
        if request:
            self._span.set_attribute("healthsvc.request", request)
        if status >= _FAILED:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)


_NONE: Final = Span()


def start(settings: Settings, version: str, exporter: Any = None) -> bool:
    """Begin to trace, where the settings say so; gives whether they do.

    Args:
        exporter: where spans go instead of the collector.

    Raises:
        Invalid: the extra is not installed.
    """
    global _tracer
    if not settings.otel_endpoint:
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError:
        raise Invalid("otel_endpoint is set, but OpenTelemetry is not installed: pip install 'healthsvc[otel]'", reason="setting") from None
    resource = Resource.create({"service.name": SERVICE, "service.version": version})
    sampler = ParentBased(TraceIdRatioBased(settings.otel_share))
    provider = TracerProvider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    to = exporter or OTLPSpanExporter(endpoint=f"{settings.otel_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(to))
    _tracer = provider.get_tracer(SERVICE, version), provider
    return True


def stop(seconds: float) -> None:
    """Send what waits, then trace no more; what no collector has taken by the time of the last traces' share is lost.

    Args:
        seconds: how long the whole stop may take.
    """
    global _tracer
    if _tracer is not None:
        sending = threading.Thread(target=_tracer[1].shutdown, name="last traces", daemon=True)
        _tracer = None
        sending.start()
        sending.join(seconds * STOP_SHARE)


def is_on() -> bool:
    """Whether requests have spans."""
    return _tracer is not None


@contextmanager
def request(scope: Scope, method: str) -> Iterator[Span]:
    """The span of one request; a caller's ``traceparent`` is gone on with."""
    if _tracer is None:
        yield _NONE
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carried = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in (b"traceparent", b"tracestate")
    }
    context = TraceContextTextMapPropagator().extract(carried)
    attributes = {"http.request.method": method}
    with _tracer[0].start_as_current_span(method, context, SpanKind.SERVER, attributes, record_exception=False) as span:
        yield Span(span if span.is_recording() else None)


@contextmanager
def work(name: str, **attributes: str) -> Iterator[None]:
    """The span of a piece of work that nobody waits for: a message that has its effect, a timer that fires."""
    if _tracer is None:
        yield
        return
    with _tracer[0].start_as_current_span(name, attributes=attributes, record_exception=False):
        yield
