"""Headers that every answer carries: no foreign hosts, no inline script, no framing, no caching of what is about a person."""

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=(), payment=()",
}
_STATIC = "/static/"
_NO_STORE = {"cache-control": "no-store"}
_ENCODED = [(name.encode(), value.encode()) for name, value in _ALWAYS.items()]
_ENCODED_NO_STORE = [*_ENCODED, *((name.encode(), value.encode()) for name, value in _NO_STORE.items())]
_OURS = frozenset(name for name, _ in _ENCODED_NO_STORE)


class SecurityHeaders:
    """ASGI middleware that adds the headers, and ``WWW-Authenticate`` to every 401."""

    def __init__(self, app: ASGIApp, *, https: bool = False) -> None:
        self.app = app
        self.https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                stamp(message, scope["path"], https=self.https)
            await send(message)

        await self.app(scope, receive, with_headers)


def stamp(message: Message, path: str, *, https: bool) -> None:
    """Put the headers on the start of an answer, beside those that it has."""
    given = message["headers"]
    more = _ENCODED if path.startswith(_STATIC) else _ENCODED_NO_STORE
    held = {name for name, _ in given if name in _OURS}
    message["headers"] = [*given, *(one for one in more if one[0] not in held)] if held else [*given, *more]
    if message["status"] not in (401, 429) and not https:
        return
    headers = MutableHeaders(scope=message)
    if message["status"] == 401:
        headers.setdefault("www-authenticate", 'Bearer realm="healthsvc"')
    if message["status"] == 429:
        headers.setdefault("retry-after", "60")
    if https:
        headers.setdefault("strict-transport-security", "max-age=31536000")


def install(app: FastAPI) -> None:
    """Put the headers on every answer of an application."""
    app.add_middleware(SecurityHeaders, https=app.state.settings.secure_cookies)
