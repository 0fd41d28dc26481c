"""Whoever has just written says so with their next requests, so that a standby which lags shows them nothing older.

A cookie says it, for as long as a search may be behind, to every process behind a balancer; what a client wrote through the same process is
known there anyway. ``Cache-Control: no-cache`` (RFC 9111 5.2.1.4) asks for it by hand.
"""

import math
from typing import Final

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "healthsvc-wrote"
ONLY_READ: Final = "only_read"
"""Set in the state of a request that has read, whatever its method."""
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def wrote_just_now(request: Request) -> bool:
    """Whether a request comes from somebody who may just have written."""
    return COOKIE in request.cookies or "no-cache" in request.headers.get("cache-control", "")


class SaysWhoWrote:
    """ASGI middleware that gives the cookie with the answer to a write."""

    def __init__(self, app: ASGIApp, *, seconds: float, https: bool) -> None:
        self.app = app
        marks = "; Secure" if https else ""
        self._cookie = f"{COOKIE}=1; Max-Age={math.ceil(seconds)}; Path=/; HttpOnly; SameSite=Lax{marks}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in _READS:
            await self.app(scope, receive, send)
            return

        async def with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400 and not scope.get("state", {}).get(ONLY_READ):
                message["headers"] = [*message["headers"], (b"set-cookie", self._cookie)]
            await send(message)

        await self.app(scope, receive, with_cookie)


def install(app: FastAPI) -> None:
    """Where searches may be behind."""
    replica = app.state.database.replica
    if replica is not None and replica.bound > 0:
        app.add_middleware(SaysWhoWrote, seconds=replica.bound, https=app.state.settings.secure_cookies)
