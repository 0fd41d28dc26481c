"""The outermost door, for everyday FHIR requests: what the short way answers gets here at once what the middlewares would give it.

Each middleware wraps the sending of every answer once more; together they took a third of a read. A request that asks nothing of them
(no other origin, no number of its own, no span) goes straight to :class:`healthsvc.rest.lane.Lane`, and its answer is stamped by the
same functions. Everything else passes through all of them.
"""

import random
import time
from typing import Final

from asgi_correlation_id import correlation_id
from starlette.types import ASGIApp, Receive, Scope, Send

from healthsvc.access.headers import stamp
from healthsvc.access.smart.origins import VARIES
from healthsvc.monitoring import tracing
from healthsvc.monitoring.requests import OPEN, observed, pattern
from healthsvc.rest.errors import unexpected
from healthsvc.rest.lane import Job, job_of

REQUEST_NUMBER: Final = "X-Request-ID"
_NUMBER_HEADER: Final = REQUEST_NUMBER.lower().encode()
_WANT_MORE: Final = frozenset({b"origin", _NUMBER_HEADER})
"""Headers that a middleware answers to."""


def request_number() -> str:
    """The number under which a request is found in the log: 128 bits of chance, 32 hexadecimal digits."""
    return f"{random.getrandbits(128):032x}"


class Express:
    """ASGI middleware, outside of all others."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self.app = app
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request here, or hand it on."""
        if scope["type"] == "http" and scope["path"].startswith("/fhir") and not tracing.is_on():
            asks_more = any(name in _WANT_MORE for name, _ in scope["headers"])
            job = None if asks_more else job_of(scope)
            if job is not None:
                await self._serve(scope, receive, send, job)
                return
        await self.app(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, job: Job) -> None:
        number = request_number()
        correlation_id.set(number)
        begun, status = time.perf_counter(), 500
        OPEN.inc()
        try:
            try:
                answer, pretty = await job.lane.answer(scope, receive, job)
                start, body = answer.messages(pretty=pretty)
                status = answer.status
            except Exception as error:  # noqa: BLE001 - logged and told there
                told = unexpected(error, scope["path"])
                start = {"type": "http.response.start", "status": told.status_code, "headers": told.raw_headers}
                body = {"type": "http.response.body", "body": told.body}
            stamp(start, scope["path"], https=self._https)
            start["headers"] += ((_NUMBER_HEADER, number.encode()), VARIES)
            await send(start)
            await send(body)
        finally:
            OPEN.dec()
            observed(scope["method"], pattern(scope), status, time.perf_counter() - begun)
