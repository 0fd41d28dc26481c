"""How long requests take, by route and status, and their spans: the pattern of the address, never the address."""

import time
from typing import Final

from prometheus_client import Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthsvc.monitoring import tracing

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SECONDS = Histogram(
    "healthsvc_http_request_seconds", "How long requests take, by method, route and status", ["method", "route", "status"], buckets=_BUCKETS
)
OPEN = Gauge("healthsvc_http_requests_open", "Requests that are being answered now")
_series: dict[tuple[str, str, int], Histogram] = {}
"""Looked up once: methods, patterns and statuses are few."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Measures every request of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in _METHODS else "other"
        begun = time.perf_counter()
        OPEN.inc()
        with tracing.request(scope, method) as span:
            try:
                await self.app(scope, receive, tell)
            finally:
                OPEN.dec()
                route = pattern(scope)
                observed(method, route, status, time.perf_counter() - begun)
                span.answered(route, status)


def observed(method: str, route: str, status: int, seconds: float) -> None:
    """Note how long a request took."""
    series = _series.get((method, route, status))
    if series is None:
        series = _series[method, route, status] = SECONDS.labels(method, route, str(status))
    series.observe(seconds)


def pattern(scope: Scope) -> str:
    """The route's pattern (``/people/{id}``); what the lane of everyday FHIR calls answered has none, and what nobody answered neither."""
    path = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return "/fhir" if scope["path"].startswith("/fhir/") else "none"
