"""Pages of other origins may call the FHIR API where a client of theirs is registered: CORS from the list of clients, nothing wider."""

import time
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from healthsvc import clock
from healthsvc.access.smart.clients import clients
from healthsvc.store import SYSTEM, Database

_PATHS = ("/fhir", "/auth/token", "/auth/revoke", "/auth/jwks", "/.well-known/")
_REMEMBER_SECONDS = 10.0
"""How soon the pages of a client that was just registered are let in."""
_HEADERS = (
    "authorization", "content-type", "accept", "if-match", "if-none-match", "if-none-exist", "if-modified-since", "prefer", "x-request-id",
)  # fmt: skip
_SHOWN = ("etag", "last-modified", "location", "content-location", "retry-after", "x-progress", "x-request-id")

VARIES = (b"vary", b"Origin")
"""The header of every answer at these addresses that goes to no other origin: it would be another answer for one."""


class ClientOrigins(CORSMiddleware):
    """Cross-origin calls by bearer token; cookies are never allowed along."""

    def __init__(self, app: ASGIApp, *, database: Database) -> None:
        super().__init__(
            app, allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"], allow_headers=list(_HEADERS), expose_headers=list(_SHOWN)
        )
        self._database = database
        self._known: frozenset[str] = frozenset()
        self._until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(_PATHS):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether a client with a redirect of this origin is registered and open."""
        if time.monotonic() >= self._until:
            with self._database.reading(SYSTEM, at=clock.now()) as store:
                self._known = frozenset(_origin(place) for one in clients(store) if one.closed is None for place in one.redirects)
            self._until = time.monotonic() + _REMEMBER_SECONDS
        return origin in self._known


def install(app: FastAPI) -> None:
    """Let the pages of registered clients in."""
    middleware: Any = ClientOrigins
    app.add_middleware(middleware, database=app.state.database)


def _origin(place: str) -> str:
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc}"
