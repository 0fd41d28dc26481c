"""Page sessions: kept on the server, found by a random token of which only the hash is stored."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select, update

from healthsvc.access.phones import call_off
from healthsvc.access.rules import FactorPolicy, SessionLife, held_areas
from healthsvc.errors import NotSignedIn, Unavailable
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.store.access_tables import SessionRow, UserRow
from healthsvc.store.stored import micros, moment

_SESSION = SessionRow.__table__  # type: ignore[attr-defined]
_USER = UserRow.__table__  # type: ignore[attr-defined]
TOUCH_SECONDS = 60
"""The last use of a session is written at most so often: a read must not cost a write each time."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that holds."""

    login: str
    name: str
    roles: frozenset[str]
    practitioner: str | None
    csrf: str
    must_change: bool
    areas: frozenset[str] | None = None
    confirmed: bool = True
    """Whether the second factor was given, where there is one."""
    must_enrol: bool = False
    """Whether the role must have a second factor and the account has none."""
    provided: bool = False
    """Whether the identity provider vouches for the person."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session comes from, as its list tells the person later."""

    place: str = ""
    """Network address."""
    agent: str = ""
    """What the browser calls itself."""
    provided: bool = False
    strong: bool = False
    """The provider asked for a second factor that counts here."""
    sid: str | None = None
    """The provider's own session."""
    hint: bytes | None = None
    """The identity token, sealed."""


AGENT_KEPT: Final = 200
"""Characters kept of what a browser calls itself."""


def digest(token: str) -> bytes:
    """What is stored of a token: it is 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def open_session(store: Store, login: str, *, confirmed: bool = True, origin: Origin = Origin()) -> tuple[str, str]:
    """Open a session under a new token (never one that a browser brought); gives the token and the CSRF token.

    ``confirmed`` False: it opens nothing but the page that asks for the second factor.
    """
    token, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(24), micros(store.at)
    store.connection.execute(
        insert(_SESSION).values(
            hash=digest(token),
            login=login,
            csrf=csrf,
            created=now,
            seen=now,
            confirmed=confirmed,
            agent=origin.agent[:AGENT_KEPT],
            place=origin.place[:AGENT_KEPT],
            provided=origin.provided,
            strong=origin.strong,
            sid=origin.sid,
            hint=origin.hint,
        )
    )
    return token, csrf


def confirm_session(store: Store, token: str) -> str:
    """A session whose second factor was given goes on under a new token; the old one is worth nothing any more."""
    fresh = secrets.token_urlsafe(32)
    changed = update(_SESSION).where(_SESSION.c.hash == digest(token)).values(hash=digest(fresh), confirmed=True)
    if store.connection.execute(changed).rowcount == 0:
        raise NotSignedIn("the session has ended; sign in again")
    return fresh


def find_session(database: Database, token: str, life: SessionLife, *, at: datetime) -> Session | None:
    """The session of a cookie, or None where it is unknown, has ended or the account was closed; notes that it was used."""
    with database.reading(SYSTEM, at=at) as store:
        row = store.connection.execute(
            select(
                _SESSION.c.created, _SESSION.c.seen, _SESSION.c.csrf, _SESSION.c.confirmed, _SESSION.c.provided, _SESSION.c.strong, _USER
            )
            .join(_USER, _USER.c.login == _SESSION.c.login)
            .where(_SESSION.c.hash == digest(token), _USER.c.active)
        ).first()
        must = frozenset(store.policy.fill(FactorPolicy, "access", at.date()).second_factor_roles)
    if row is None or not life.alive(moment(row[0]), moment(row.seen), at):
        return None
    if (at - moment(row.seen)).total_seconds() >= TOUCH_SECONDS:
        # a database that only reads now (an emergency must be worked even then) does not end a session
        with suppress(Unavailable), database.writing(SYSTEM, at=at) as store:
            store.connection.execute(update(_SESSION).where(_SESSION.c.hash == digest(token)).values(seen=micros(at)))
    roles, areas = frozenset(row.roles.split()), held_areas(row.areas)
    return Session(
        row.login,
        row.name,
        roles,
        row.practitioner,
        row.csrf,
        row.must_change and not row.provided,
        areas,
        row.confirmed,
        row.factor is None and not row.strong and bool(roles & must),
        row.provided,
    )


def sign_out(database: Database, token: str, actor: Actor, *, at: datetime) -> None:
    """End a session."""
    with database.writing(actor, at=at) as store:
        call_off(store, _SESSION.c.hash == digest(token))
        store.connection.execute(delete(_SESSION).where(_SESSION.c.hash == digest(token)))
        store.audit("sign-out", actor.id)


def forget_sessions(store: Store, life: SessionLife) -> int:
    """Remove sessions that have ended; a timer calls it. Gives how many."""
    idle, old, ahead = micros(store.at - life.idle), micros(store.at - life.absolute), micros(store.at + life.idle)
    ended = (_SESSION.c.seen < idle) | (_SESSION.c.created < old) | (_SESSION.c.seen > ahead) | (_SESSION.c.created > ahead)
    return int(store.connection.execute(delete(_SESSION).where(ended)).rowcount)
