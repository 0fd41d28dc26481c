"""The short way for everyday interactions.

FastAPI's dependencies cost about a millisecond of a request and three changes of thread; a read costs the database twenty microseconds.
So requests with a bearer token that was checked just now, for the interactions below, are answered here by the very same functions as
behind the routes: reads and searches on the event loop, writes by the one writer (``writers.py``). A search that turns out long is
interrupted and begun anew in a thread. From a server reads and searches are answered here, too, beside each other (``store/abreast.py``);
its writes, and everything else, go on to the routes.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
from healthsvc.store.abreast import Abreast
from healthsvc.store.budget import Exceeded, bounded
from healthsvc.store.glance import Glance
from healthsvc.store.spoken import Elsewhere

PATH = re.compile(r"/fhir(?:/(?:([A-Z][A-Za-z]+)(?:/(_search|[A-Za-z0-9\-.]{1,64}))?)?)?")
STEPS = 400_000
"""Steps of SQLite's machine that a search may take on the event loop (about five milliseconds)."""

APART = 8
"""Reads from a server that are under way in threads from here; each holds a connection of the pool."""
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


@dataclass(frozen=True, slots=True)
class Job:
    """An interaction that is answered here, and in whose name."""

    lane: "Lane"
    actor: Actor
    act: Act
    type: str
    id: str


class Lane:
    """The short way of one application."""

    def __init__(self, app: Any) -> None:
        self._state = app.state
        self._database: Database = app.state.database
        self._embedded = self._database.engine.dialect.name == "sqlite"
        """Where several write at once, the routes give each its own transaction."""
        self._site = Site.of(app.state.settings)
        self._writers, self._glance = Writers(self._database), Glance(self._database)
        self._abreast = None if self._embedded else Abreast(self._database)
        self._threads: anyio.CapacityLimiter | None = None

    @classmethod
    def of(cls, app: Any) -> "Lane":
        """The one of an application."""
        lane: Lane | None = getattr(app.state, "lane", None)
        if lane is None:
            lane = app.state.lane = cls(app)
        return lane

    def job(self, scope: Scope, type: str | None, id: str | None) -> Job | None:
        """What a request asks, if it is answered here."""
        act = self._act(scope["method"], type, id)
        actor = None if act is None else self._known(scope)
        return None if act is None or actor is None else Job(self, actor, act, type or "", id or "")

    async def answer(self, scope: Scope, receive: Receive, job: Job) -> tuple[Answer, bool]:
        """The answer, and whether it is to be laid out for eyes."""
        pretty = False
        try:
            call = await call_from(scope, receive, self._state.settings.request_limit)
            pretty = call.pretty
            return await self._answer(scope, job.actor, job.act, call, job.type, job.id), pretty
        except Refusal as refusal:
            if isinstance(refusal, Forbidden):
                looks.note_refusal(self._database, job.actor, f"{scope['method']} /fhir/{job.type}", refusal)
            return refused(refusal), pretty

    def _known(self, scope: Scope) -> Actor | None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                actor = known_bearer(self._database, value.decode("latin-1"), presented(scope))
                return actor if actor is None or self._state.throttle.allows("api", actor.id) else None
        return None

    def _act(self, method: str, type: str | None, id: str | None) -> Act | None:
        if type is not None and type not in self._site.registry.types:
            return None
        if id == "_search":
            return READS[True, False] if method in ("GET", "HEAD", "POST") and self._here(None) else None
        shape = type is not None, id is not None
        if method in ("GET", "HEAD"):
            return READS.get(shape) if self._here(id) else None
        return WRITES.get((method, *shape)) if self._embedded else None

    def _here(self, id: str | None) -> bool:
        """Whether a read is answered here: from a server not where its trace is waited for, nor a search that a standby may answer."""
        replica = self._database.replica
        waits = self._database.reads.before_answer and not self._embedded
        return not waits and (id is not None or replica is None or replica.bound <= 0)

    async def _answer(self, scope: Scope, actor: Actor, act: Act, call: Call, type: str, id: str) -> Answer:
        site, database = self._site, self._database
        if scope["method"] not in ("GET", "HEAD") and id != "_search":
            return await self._writers.write(actor, lambda store: act(site, store, call, type, id))
        if self._abreast is not None:
            return await self._abreast_or_apart(self._abreast, actor, act, call, type, id)
        if _heavy(call) or database.reads.before_answer:
            return await asyncio.to_thread(_read, database, actor, act, site, call, type, id)
        try:
            with self._glance.reading(actor, at=clock.now()) as store, bounded(store, STEPS):
                return act(site, narrowed(store), call, type, id)
        except Exceeded:
            return await asyncio.to_thread(_read, database, actor, act, site, call, type, id)

    async def _abreast_or_apart(self, abreast: Abreast, actor: Actor, act: Act, call: Call, type: str, id: str) -> Answer:
        """Read from a server: beside others of this thread, or in a thread of its own."""
        if not _heavy(call):
            with suppress(Elsewhere):
                return await abreast.read(actor, lambda store: act(self._site, narrowed(store), call, type, id), at=clock.now())
        self._threads = self._threads or anyio.CapacityLimiter(APART)
        return await anyio.to_thread.run_sync(_read, self._database, actor, act, self._site, call, type, id, limiter=self._threads)


def job_of(scope: Scope) -> Job | None:
    """What an HTTP request asks, if it can go the short way."""
    found = PATH.fullmatch(scope["path"])
    return None if found is None else Lane.of(scope["app"]).job(scope, found[1], found[2])


class ShortWay:
    """ASGI middleware that sends requests the short way where there is one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request here, or hand it on."""
        if scope["type"] == "http" and _ends_in_slash(scope["path"]):
            scope["path"] = scope["path"].rstrip("/")
        job = job_of(scope) if scope["type"] == "http" else None
        if job is None:
            await (as_get if _is_head(scope) else _as_it_is)(self.app, scope, receive, send)
            return
        answer, pretty = await job.lane.answer(scope, receive, job)
        await answer.send(send, pretty=pretty)


def _ends_in_slash(path: str) -> bool:
    """``/fhir/Patient/`` is ``/fhir/Patient``: a redirect would lose the token, or the body, of many a client."""
    return path.endswith("/") and path.startswith("/fhir/") and path != "/fhir/"


def _is_head(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"].startswith("/fhir") and "/$" not in scope["path"]


async def _as_it_is(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


async def as_get(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """HEAD of whatever GET reads (RFC 9110 9.3.2): the same answer without its body. An operation may do something, so it has none."""
    scope["method"] = "GET"

    async def without_body(message: Message) -> None:
        scope["method"] = "HEAD"  # the server must know that no body follows, whatever length is told
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    try:
        await app(scope, receive, without_body)
    finally:
        scope["method"] = "HEAD"


def _heavy(call: Call) -> bool:
    """Whether the answer will be so large that others should not wait for it."""
    for name, value in call.query:
        if name == "_count" and value.isascii() and value.isdigit() and int(value[:9]) > MANY:
            return True
        if value == "*" and name.startswith(("_include", "_revinclude")):
            return True
    return False


def _read(database: Any, actor: Actor, act: Act, site: Site, call: Call, type: str, id: str) -> Answer:
    with reading_as(database, actor) as store:
        return act(site, store, call, type, id)
