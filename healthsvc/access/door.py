"""The door of the API and the pages: who is there, may they, and the transaction in their name.

Endpoints take ``store: StoreReading`` or ``store: StoreWriting``. That asks for the right to read or write clinical content. A route
that needs another right says so with ``dependencies=[needs("plan")]``; the store then opens for that right instead::

    @router.get("/Patient/{id}/$green-channel", dependencies=[needs("window")])
    def window(id: str, store: StoreReading) -> Resource: ...
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import anyio
from fastapi import Depends, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from healthsvc import clock
from healthsvc.access import handing_on, looks, rules, throttle
from healthsvc.access.certificate import Certificate, presented
from healthsvc.access.glass import open_glass
from healthsvc.access.rules import Action, SessionLife
from healthsvc.access.sessions import Session, find_session
from healthsvc.access.sight import reach_of, restriction_of, under_scopes
from healthsvc.access.tokens import KNOWN, principal_of
from healthsvc.access.wrote import ONLY_READ, wrote_just_now
from healthsvc.config import Settings
from healthsvc.errors import Forbidden, NotSignedIn
from healthsvc.store import Actor, Database, Store
from healthsvc.store.looked import Looked
from healthsvc.store.replica import LONG, USUAL, Read

COOKIE = "healthsvc"
"""Name of the session cookie."""
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf"
CHANGE_PASSWORD = "/account/password"  # noqa: S105 - a path
GIVE_CODE = "/account/code"
SET_UP_FACTOR = "/account/second-factor"
_ALWAYS = ("/account/", "/sign-out", "/static/")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_READERS = 16
"""Reading transactions open at once in a process; fewer than threads and connections, so that requests cannot wait in a circle."""
_WRITERS = 8
"""Writing transactions open at once on PostgreSQL; SQLite has one."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who is at the door: the actor for the store, and the page session where there is one."""

    actor: Actor
    session: Session | None = None

    def may(self, action: str, resource_type: str | None = None) -> bool:
        """Whether they may do this (pages hide what one may not do; the door refuses it anyway)."""
        return rules.allows(self.actor.roles, action, resource_type)


def session_life(settings: Settings) -> SessionLife:
    """How long sessions live here."""
    return SessionLife(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))


async def who_is_there(request: Request) -> Who:
    """Whoever the request comes from, by bearer token or session cookie.

    Raises:
        NotSignedIn: neither is given, or it is not known or has ended.
        Forbidden: a write by cookie without the CSRF token or from another site; or the password must be changed first.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return await _by_token(request, scheme, secret.strip())
    cookie = request.cookies.get(COOKIE)
    if not cookie:
        raise NotSignedIn("sign in first, or send Authorization: Bearer with a token of `healthsvc token`")
    database, settings = request.app.state.database, request.app.state.settings
    session = await run_in_threadpool(find_session, database, cookie, session_life(settings), at=clock.now())
    if session is None:
        raise NotSignedIn("the session has ended; sign in again")
    door = "rest" if request.url.path.startswith("/fhir") else "page"
    actor = request.state.actor = Actor(session.practitioner or f"user/{session.login}", session.name, session.roles, door, session.areas)
    if request.method not in _SAFE:
        await _check_csrf(request, session)
    if not request.url.path.startswith(_ALWAYS):
        _must_be_complete(session)
    elif not session.confirmed and request.url.path.startswith("/account/") and request.url.path != GIVE_CODE:
        raise Forbidden("give the code of the second factor first", reason="factor-wanted")
    return Who(actor, session)


def _must_be_complete(session: Session) -> None:
    """A session opens the house once the second factor was given, the first password changed, and a factor set up where one must be."""
    if not session.confirmed:
        raise Forbidden("give the code of the second factor first", reason="factor-wanted")
    if session.must_change:
        raise Forbidden("choose a new password first", reason="password-must-change")
    if session.must_enrol:
        raise Forbidden("your role signs in with a second factor; set it up first", reason="factor-must-enrol")


async def _by_token(request: Request, scheme: str, secret: str) -> Who:
    if scheme.lower() != "bearer" or not secret:
        raise NotSignedIn("the API takes Authorization: Bearer with a token of `healthsvc token`")
    database: Database = request.app.state.database
    shown = presented(request.scope)
    actor = KNOWN.get(database, secret, shown) or await run_in_threadpool(principal_of, database, secret, at=clock.now(), shown=shown)
    if actor is None:
        raise NotSignedIn("the bearer token is not known, has ended or wants a certificate; ask for another", reason="invalid_token")
    request.state.actor = actor
    throttle.count(request, "api", actor.id)
    if actor.scopes is not None and not request.url.path.startswith("/fhir"):
        raise Forbidden("a token with SMART scopes opens the FHIR API and nothing else", reason="insufficient_scope")
    return Who(actor)


async def _check_csrf(request: Request, session: Session) -> None:
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").startswith(_FORMS):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if not rules.same_origin(host, origin, request.headers.get("sec-fetch-site")) or not rules.same_secret(given, session.csrf):
        raise Forbidden("the form does not come from a page of this session; load the page again and repeat", reason="csrf")


Signed = Annotated[Who, Depends(who_is_there)]
"""``who: Signed`` in an endpoint: whoever is signed in, whatever their role."""


def needs(action: str) -> Any:
    """A route dependency: only who may do this passes, and the route's store opens for this right."""
    wanted = Action(action)

    def check(request: Request, who: Signed) -> None:
        _require(who, wanted, None)
        if wanted is Action.WINDOW:
            throttle.count(request, "window", who.actor.id)
        request.state.granted = wanted

    return Depends(_named(check, f"needs_{wanted.name.lower()}"))


def require(who: Who, action: str, resource_type: str | None = None) -> None:
    """Refuse unless they may, for endpoints that learn only from the body what is asked (a transaction bundle).

    Raises:
        Forbidden: with the right that is missing.
    """
    _require(who, Action(action), resource_type)


def _require(who: Who, action: Action, resource_type: str | None) -> None:
    if not who.may(action, resource_type):
        what = f" on {resource_type}" if resource_type else ""
        raise Forbidden(f"your role does not allow {action}{what}; ask an administrator for another role", reason="role")


def _granted(request: Request, who: Who, otherwise: Action) -> None:
    if getattr(request.state, "granted", None) is None:
        resource_type = request.path_params.get("type") or request.path_params.get("resource_type")
        _require(who, otherwise, resource_type)


async def open_reading(request: Request, who: Signed) -> AsyncIterator[Store]:
    """A snapshot in the name of whoever asks; needs ``read-clinical`` unless the route says :func:`needs`."""
    _granted(request, who, Action.READ_CLINICAL)
    long = getattr(request.state, "granted", None) is Action.FIGURES
    async with _opened(request, who, LONG if long else USUAL) as store:
        yield store


async def open_nearby(request: Request, who: Signed) -> AsyncIterator[Store]:
    """As :func:`open_reading`, for searches and lists: a standby may answer that is behind by no more than the site allows, and never lacks
    what whoever asks has written. Those to whom persons may have let nothing be handed on are answered as they stand now."""
    _granted(request, who, Action.READ_CLINICAL)
    database: Database = request.app.state.database
    setattr(request.state, ONLY_READ, True)
    inside = who.actor.scopes is None and not handing_on.stands_outside(database, who.actor, clock.now())
    async with _opened(request, who, Read("near", just_wrote=wrote_just_now(request)) if inside else USUAL) as store:
        yield store


@asynccontextmanager
async def _opened(request: Request, who: Who, read: Read) -> AsyncIterator[Store]:
    opened = reading_as(request.app.state.database, who.actor, _whole(request), read=read)
    async with _gate(request, "reading_gate", _READERS), contextmanager_in_threadpool(opened) as store:
        store.looked = Looked()
        yield store
        looks.note(store, request)


async def open_writing(request: Request, who: Signed) -> AsyncIterator[Store]:
    """A transaction in the name of whoever asks; needs ``write-clinical`` unless the route says :func:`needs`.

    It commits before the answer is sent (scope "function"): what is answered 201 is stored.
    """
    _granted(request, who, Action.WRITE_CLINICAL)
    database: Database = request.app.state.database
    # writers queue here and not in threads: forty threads waiting for the one that writes would leave it none to run in
    writers = 1 if database.engine.dialect.name == "sqlite" else _WRITERS
    whole = _whole(request)
    async with _gate(request, "writing_gate", writers), contextmanager_in_threadpool(writing_as(database, who.actor, whole)) as store:
        store.looked = Looked()
        yield store
        looks.note(store, request)


def known_bearer(database: Database, authorization: str, shown: Certificate | None) -> Actor | None:
    """The actor of a bearer token that was looked up just now; None: ask :func:`who_is_there`."""
    scheme, _, secret = authorization.partition(" ")
    return KNOWN.get(database, secret.strip(), shown) if scheme.lower() == "bearer" else None


def narrowed(store: Store) -> Store:
    """The store under what its actor may see and what the persons let be handed on: every way to open or hand on a store in somebody's
    name passes here."""
    actor = store.actor
    glass = () if actor.areas is None else open_glass(store)
    store.restrict = restriction_of(actor, store.at, glass)
    if actor.scopes is not None:
        store.restrict = under_scopes(store, store.restrict)
    refused = handing_on.outside(store)
    store.restrict = handing_on.narrowed_by(store.restrict, refused)
    if actor.areas is not None and actor.scopes is None and refused is None:  # those look at others' records, too, to say who is not seen
        store.reach = reach_of(actor, glass)
    return store


@contextmanager
def reading_as(database: Database, actor: Actor, whole: bool = False, *, read: Read = USUAL) -> Iterator[Store]:
    """A snapshot in somebody's name; ``whole``: not narrowed to whom they look after; ``read``: whether a standby may answer."""
    with database.reading(actor, at=clock.now(), read=read) as store:
        yield store if whole else narrowed(store)


@contextmanager
def writing_as(database: Database, actor: Actor, whole: bool = False) -> Iterator[Store]:
    """A transaction in somebody's name; ``whole``: not narrowed to whom they look after."""
    # the moment is taken when the turn has come, so that times rise with versions
    with database.writing(actor, at=clock.now()) as store:
        yield store if whole else narrowed(store)


def _whole(request: Request) -> bool:
    """The window answers one question about anybody, so it is not narrowed to an area."""
    return getattr(request.state, "granted", None) is Action.WINDOW


def _gate(request: Request, name: str, width: int) -> anyio.Semaphore:
    state = request.app.state
    gate: anyio.Semaphore | None = getattr(state, name, None)
    if gate is None:
        gate = anyio.Semaphore(width)
        setattr(state, name, gate)
    return gate


def _named(check: Callable[..., None], name: str) -> Callable[..., None]:
    check.__name__ = name
    return check


StoreReading = Annotated[Store, Depends(open_reading, scope="function")]
StoreNearby = Annotated[Store, Depends(open_nearby, scope="function")]
StoreWriting = Annotated[Store, Depends(open_writing, scope="function")]
