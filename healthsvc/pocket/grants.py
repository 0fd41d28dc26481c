"""随身授权 which browser may carry visits along: it is given a key by the server, and asks whether it still may.

The key closes everything that lies on the phone. It is made here, kept here sealed, and given to a page of the account's own session
only; the phone holds it in memory, and on its disk closed by the code that its user chose. So a session that was revoked, an account
that was locked or a phone that was lost opens nothing without that code, and what had not been sent yet is not lost: the same account
gets the same key again.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row, insert, select, update

from healthsvc.pocket.policy import policy_of
from healthsvc.store import Store
from healthsvc.store.access_tables import UserRow
from healthsvc.store.pocket_tables import PocketRow
from healthsvc.store.sealing import Seal
from healthsvc.store.stored import micros, moment

_POCKET = PocketRow.__table__  # type: ignore[attr-defined]
_USER = UserRow.__table__  # type: ignore[attr-defined]
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Grant:
    """A browser that may carry visits along: its id, its secret, and the key of what lies on it."""

    id: str
    token: str
    key: bytes
    again: bool
    """Whether it is the one that was there before."""


def open_grant(store: Store, seal: Seal, login: str, known: Sequence[tuple[str, str]] = (), session: bytes = b"") -> Grant:
    """Let a browser carry visits along; one that was here before under the same account gets its key again.

    ``known``: id and secret of every grant that the browser remembers; several accounts may have used it. ``session``: hash of the
    session in which it is opened.
    """
    now = micros(store.at)
    for id, token in known:
        row = _row(store, id, token)
        if row is not None and row.login == login and row.key is not None:
            store.connection.execute(update(_POCKET).where(_POCKET.c.id == id).values(seen=now, ended=None, session=session))
            store.audit("pocket-open", f"user/{login}")
            return Grant(id, token, seal.open(row.key, _bound(id)), True)
    fresh, secret, key = secrets.token_hex(16), secrets.token_urlsafe(32), secrets.token_bytes(_KEY_BYTES)
    store.connection.execute(
        insert(_POCKET).values(
            id=fresh,
            token=_digest(secret),
            login=login,
            session=session,
            key=seal.close(key, _bound(fresh)),
            opened=now,
            seen=now,
            ended=None,
        )
    )
    store.audit("pocket-open", f"user/{login}")
    return Grant(fresh, secret, key, False)


def touch(store: Store, id: str, login: str) -> bool:
    """Note that a phone was in contact; False: it may no longer carry anything."""
    row = store.connection.execute(select(_POCKET).where(_POCKET.c.id == id, _POCKET.c.login == login)).first()
    if row is None or not _holds(store, row):
        return False
    store.connection.execute(update(_POCKET).where(_POCKET.c.id == id).values(seen=micros(store.at)))
    return True


def holds(store: Store, id: str, token: str) -> bool:
    """Whether a browser may still carry what it took along: the account is open and not locked, its password is the same, and the
    last contact is not older than the policy allows. A session that merely fell asleep changes nothing."""
    row = _row(store, id, token)
    return row is not None and _holds(store, row)


def end_grant(store: Store, id: str, login: str, *, forget: bool) -> None:
    """A browser carries nothing any more. ``forget``: nothing unsent lies on it, so its key goes too."""
    values = {"ended": micros(store.at)} | ({"key": None} if forget else {})
    store.connection.execute(update(_POCKET).where(_POCKET.c.id == id, _POCKET.c.login == login).values(**values))
    store.audit("pocket-end", f"user/{login}")


def _holds(store: Store, row: Row[Any]) -> bool:
    if row.ended is not None:
        return False
    user = store.connection.execute(select(_USER.c.active, _USER.c.locked_until, _USER.c.changed).where(_USER.c.login == row.login)).first()
    if user is None or not user.active or moment(user.locked_until) > store.at or user.changed > row.seen:
        return False
    return store.at - moment(row.seen) < timedelta(hours=policy_of(store).keep_hours)


def _row(store: Store, id: str, token: str) -> Row[Any] | None:
    if not id or not token:
        return None
    row = store.connection.execute(select(_POCKET).where(_POCKET.c.id == id)).first()
    return row if row is not None and hmac.compare_digest(row.token, _digest(token)) else None


def _bound(id: str) -> str:
    return f"pocket.key.{id}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
