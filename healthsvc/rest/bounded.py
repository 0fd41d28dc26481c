"""How much a request may bring: whoever sends more is told so, and what they send is neither kept nor read on.

Bodies of pages and rooms are counted here before anything parses them: a form parser would put them on the disk first. The FHIR API and the
hospitals' door count for themselves (``rest/call.py``, ``integrations/http.py``), with limits of their own.
"""

from typing import Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthsvc.errors import Issue, TooLarge
from healthsvc.rest.errors import respond

_COUNT_THEMSELVES: Final = ("/fhir", "/hl7")


class Bounded:
    """ASGI middleware that lets bodies through up to a limit (bytes)."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(_COUNT_THEMSELVES):
            await self._app(scope, receive, send)
            return
        stated = Headers(scope=scope).get("content-length", "")
        if stated.isdigit() and int(stated) > self._limit:
            await self._refuse(scope, receive, send)
            return
        come, begun = 0, False

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            return message if come <= self._limit else {"type": "http.disconnect"}

        async def answered(message: Message) -> None:
            nonlocal begun
            if come <= self._limit or begun:
                begun = True
                await send(message)

        try:
            await self._app(scope, counted, answered)
        except Exception:
            if begun or come <= self._limit:
                raise
        if come > self._limit and not begun:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = f"the request is larger than {self._limit} bytes; send less at once, or raise HEALTHSVC_REQUEST_LIMIT"
        issue = Issue(text, TooLarge.issue_code)
        await respond(scope["path"], TooLarge.status, [issue], "too-large", {"connection": "close"})(scope, receive, send)


def install(app: FastAPI, limit: int) -> None:
    """Bound the bodies of an application's requests."""
    app.add_middleware(Bounded, limit=limit)
