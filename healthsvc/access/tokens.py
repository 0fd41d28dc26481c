"""API tokens: opaque, random, stored as a hash, with one role, an end, and a way to revoke them at once."""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import insert, select, update

from healthsvc.access import rules
from healthsvc.access.accounts import access_policy
from healthsvc.access.certificate import Certificate, holds
from healthsvc.access.certificate import read as read_certificate
from healthsvc.access.sessions import digest
from healthsvc.access.smart import grants
from healthsvc.errors import Invalid, NotFound
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.store.access_tables import TokenRow
from healthsvc.store.stored import micros, moment

_TOKEN = TokenRow.__table__  # type: ignore[attr-defined]
PREFIX = "hs_"
"""So that a token found in a log or a repository is recognised for what it is."""
REMEMBER_SECONDS = 2.0
"""A token that was just looked up is trusted for so long; a revocation elsewhere bites after at most this time."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as an administrator sees it; the secret is shown once, when it is issued."""

    id: int
    name: str
    role: str
    created: datetime
    expires: datetime
    revoked: datetime | None
    certificate: str | None = None


def issue_token(
    store: Store,
    role: str,
    name: str = "",
    days: int | None = None,
    areas: Iterable[str] | None = None,
    certificate: str | None = None,
) -> str:
    """Make a bearer token and return it, the only time it can be seen.

    Args:
        role: role code, see :class:`healthsvc.access.rules.Role`.
        name: what it is for (a system, a script); shown in lists and in the audit.
        days: life in days; None takes the policy's ``access.token_days``.
        areas: ``Organization/id`` whose people it may see; None: everybody.
        certificate: PEM, ``sha256:FINGERPRINT`` or ``subject:NAME`` of the client certificate without which it is worth nothing.

    Raises:
        Invalid: unknown role, or a life that the policy does not allow.
    """
    policy = access_policy(store)
    days = policy.token_days if days is None else days
    if not 1 <= days <= policy.token_days_longest:
        raise Invalid(f"a token lives 1 to {policy.token_days_longest} days, not {days}")
    code, secret = str(rules.role(role)), PREFIX + secrets.token_urlsafe(32)
    made = store.connection.execute(
        insert(_TOKEN).values(
            hash=digest(secret), name=name.strip()[:80] or code, role=code, created=micros(store.at),
            expires=micros(store.at + timedelta(days=days)), areas=rules.joined_areas(areas), revoked=None,
            certificate=None if certificate is None else read_certificate(certificate),
        )
    )  # fmt: skip
    store.audit("token-issue", f"token/{made.inserted_primary_key[0] if made.inserted_primary_key else 0}")
    return secret


def revoke(store: Store, id: int) -> None:
    """End a token now; revoking it again changes nothing."""
    row = store.connection.execute(select(_TOKEN.c.hash, _TOKEN.c.revoked).where(_TOKEN.c.id == id)).first()
    if row is None:
        raise NotFound("there is no such token")
    if row.revoked is None:
        store.connection.execute(update(_TOKEN).where(_TOKEN.c.id == id).values(revoked=micros(store.at)))
        store.audit("token-revoke", f"token/{id}")
    KNOWN.forget()


def tokens(store: Store) -> list[Token]:
    """All tokens, newest first, without their secrets."""
    return [
        Token(r.id, r.name, r.role, moment(r.created), moment(r.expires), moment(r.revoked) if r.revoked else None, r.certificate)
        for r in store.connection.execute(select(_TOKEN).order_by(_TOKEN.c.id.desc()))
    ]


def principal_of(database: Database, secret: str, *, at: datetime, shown: Certificate | None = None) -> Actor | None:
    """Who a bearer token stands for; None where it is unknown, has ended, was revoked or is bound to a certificate that is not shown.

    Remembered for two seconds.
    """
    known = KNOWN.get(database, secret, shown)
    if known is not None:
        return known
    with database.reading(SYSTEM, at=at) as store:
        row = store.connection.execute(select(_TOKEN).where(_TOKEN.c.hash == digest(secret))).first()
        smart = grants.known(store, secret) if row is None else None
    if smart is not None:
        KNOWN.put(database, secret, smart.actor, smart.bound)
        return smart.actor if holds(smart.bound, shown) else None
    if row is None or row.revoked is not None or micros(at) >= row.expires:
        return None
    actor = Actor(f"token/{row.id}", row.name, frozenset({row.role}), "rest", rules.held_areas(row.areas))
    KNOWN.put(database, secret, actor, row.certificate)
    return actor if holds(row.certificate, shown) else None


class _Known:
    """Tokens that were just looked up, by hash; a busy client costs no query a request."""

    _MOST = 1000

    def __init__(self) -> None:
        self._lock = Lock()
        self._actors: dict[tuple[int, bytes], tuple[float, Actor, str | None]] = {}

    def get(self, database: Database, secret: str, shown: Certificate | None) -> Actor | None:
        """The actor, if the token was looked up less than ``REMEMBER_SECONDS`` ago and the certificate fits that it is bound to."""
        found = self._actors.get((id(database), digest(secret)))
        if found is None or time.monotonic() - found[0] >= REMEMBER_SECONDS or not holds(found[2], shown):
            return None
        return found[1]

    def put(self, database: Database, secret: str, actor: Actor, bound: str | None = None) -> None:
        """Remember a token that was found good."""
        with self._lock:
            if len(self._actors) >= self._MOST:
                self._actors.clear()
            self._actors[id(database), digest(secret)] = (time.monotonic(), actor, bound)

    def forget(self) -> None:
        """Forget everything: a token was revoked in this process."""
        with self._lock:
            self._actors.clear()


KNOWN = _Known()
