"""The short way for everyday interactions.

FastAPI's dependencies cost about a millisecond of a request and three changes of thread; a read costs the database twenty microseconds.
So requests with a bearer token that was checked just now, for the interactions below, are answered here by the very same functions as
behind the routes: reads and searches on the event loop, writes by the one writer (``writers.py``). A search that turns out long is
interrupted and begun anew in a thread. Everything else goes on to the routes.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from healthsvc import clock
from healthsvc.access import looks
from healthsvc.access.certificate import presented
from healthsvc.access.door import known_bearer, narrowed, reading_as
from healthsvc.errors import Forbidden, Refusal
from healthsvc.rest.answer import Answer, refused
from healthsvc.rest.bundle import process
from healthsvc.rest.call import Call, call_from
from healthsvc.rest.create import create
from healthsvc.rest.delete import delete, delete_where
from healthsvc.rest.patch import patch
from healthsvc.rest.read import read
from healthsvc.rest.search import search
from healthsvc.rest.site import Site
from healthsvc.rest.update import update, update_where
from healthsvc.rest.writers import Writers
from healthsvc.store import Actor, Database, Store
from healthsvc.store.budget import Exceeded, bounded
from healthsvc.store.glance import Glance

PATH = re.compile(r"/fhir(?:/(?:([A-Z][A-Za-z]+)(?:/(_search|[A-Za-z0-9\-.]{1,64}))?)?)?")
STEPS = 400_000
"""Steps of SQLite's machine that a search may take on the event loop (about five milliseconds)."""

MANY = 200
"""A page of more matches is put together in a thread."""

Act = Callable[[Site, Store, Call, str, str], Answer]

READS: dict[tuple[bool, bool], Act] = {
    (True, True): lambda site, store, call, type, id: read(site, store, type, id, call),
    (True, False): lambda site, store, call, type, id: search(site, store, type, call),
}
"""By whether the address has a type and an id."""
WRITES: dict[tuple[str, bool, bool], Act] = {
    ("POST", False, False): lambda site, store, call, type, id: process(site, store, call.resource("Bundle"), call),
    ("POST", True, False): lambda site, store, call, type, id: create(store, type, call.resource(type), call),
    ("PUT", True, True): lambda site, store, call, type, id: update(store, type, id, call.resource(type), call),
    ("PUT", True, False): lambda site, store, call, type, id: update_where(store, type, call.resource(type), call),
    ("PATCH", True, True): lambda site, store, call, type, id: patch(store, type, id, call),
    ("PATCH", True, False): lambda site, store, call, type, id: patch(store, type, None, call),
    ("DELETE", True, True): lambda site, store, call, type, id: delete(store, type, id, call),
    ("DELETE", True, False): lambda site, store, call, type, id: delete_where(store, type, call),
}


class Lane:
    """ASGI middleware of one application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._site: Site | None = None
        self._writers: Writers | None = None
        self._glance: Glance | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request here, or hand it on."""
        if scope["type"] == "http" and scope["path"].startswith("/fhir"):
            found = PATH.fullmatch(scope["path"])
            actor = self._known(scope) if found is not None else None
            if found is not None and actor is not None:
                act = self._act(scope["method"], found[1], found[2])
                if act is not None:
                    await self._serve(scope, receive, send, actor, act, found[1] or "", found[2] or "")
                    return
        await self.app(scope, receive, send)

    def _known(self, scope: Scope) -> Actor | None:
        state = scope["app"].state
        database: Database = state.database
        if database.engine.dialect.name != "sqlite":
            return None  # several writers at once: the routes give each its own transaction
        if self._site is None:
            self._site, self._writers, self._glance = Site.of(state.settings), Writers(database), Glance(database)
        for name, value in scope["headers"]:
            if name == b"authorization":
                actor = known_bearer(database, value.decode("latin-1"), presented(scope))
                return actor if actor is None or state.throttle.allows("api", actor.id) else None
        return None

    def _act(self, method: str, type: str | None, id: str | None) -> Act | None:
        assert self._site is not None
        if type is not None and type not in self._site.registry.types:
            return None
        if id == "_search":
            return READS[True, False] if method in ("GET", "HEAD", "POST") else None
        shape = type is not None, id is not None
        return READS.get(shape) if method in ("GET", "HEAD") else WRITES.get((method, *shape))

    async def _serve(self, scope: Scope, receive: Receive, send: Send, actor: Actor, act: Act, type: str, id: str) -> None:
        pretty = False
        try:
            call = await call_from(scope, receive, scope["app"].state.settings.request_limit)
            pretty = call.pretty
            answer = await self._answer(scope, actor, act, call, type, id)
        except Refusal as refusal:
            answer = refused(refusal)
            if isinstance(refusal, Forbidden):
                looks.note_refusal(scope["app"].state.database, actor, f"{scope['method']} /fhir/{type}", refusal)
        await answer.send(send, pretty=pretty)

    async def _answer(self, scope: Scope, actor: Actor, act: Act, call: Call, type: str, id: str) -> Answer:
        assert self._site is not None
        assert self._writers is not None
        assert self._glance is not None
        site, database = self._site, scope["app"].state.database
        if scope["method"] not in ("GET", "HEAD") and id != "_search":
            return await self._writers.write(actor, lambda store: act(site, store, call, type, id))
        if _heavy(call) or database.reads.before_answer:
            return await asyncio.to_thread(_read, database, actor, act, site, call, type, id)
        try:
            with self._glance.reading(actor, at=clock.now()) as store, bounded(store, STEPS):
                return act(site, narrowed(store), call, type, id)
        except Exceeded:
            return await asyncio.to_thread(_read, database, actor, act, site, call, type, id)


def _heavy(call: Call) -> bool:
    """Whether the answer will be so large that others should not wait for it."""
    for name, value in call.query:
        if name == "_count" and value.isdigit() and int(value[:9]) > MANY:
            return True
        if value == "*" and name.startswith(("_include", "_revinclude")):
            return True
    return False


def _read(database: Any, actor: Actor, act: Act, site: Site, call: Call, type: str, id: str) -> Answer:
    with reading_as(database, actor) as store:
        return act(site, store, call, type, id)
