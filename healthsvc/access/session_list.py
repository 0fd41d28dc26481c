"""Sessions as their owner and the security administrator see them: where from, since when, last used; and how to end one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from healthsvc.access.phones import call_off
from healthsvc.access.rules import SessionLife
from healthsvc.access.sessions import digest
from healthsvc.errors import NotFound
from healthsvc.store import Store
from healthsvc.store.access_tables import SessionRow, UserRow
from healthsvc.store.stored import moment

_SESSION = SessionRow.__table__  # type: ignore[attr-defined]
_USER = UserRow.__table__  # type: ignore[attr-defined]
_BYTES = 8
"""Of the hash that a session is shown by: enough to tell them apart, and of no use as a cookie."""
_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS", "macOS"), ("Linux", "Linux"))


@dataclass(frozen=True, slots=True)
class Open:
    """A session that holds."""

    id: str
    login: str
    name: str
    created: datetime
    seen: datetime
    place: str
    device: str
    provided: bool
    mine: bool
    """Whether it is the one that asks."""


def open_sessions(store: Store, life: SessionLife, *, login: str | None = None, token: str = "") -> list[Open]:
    """Sessions that hold, last used first; of one account, or of all (None).

    Args:
        token: the cookie of whoever asks, so that their own session is marked.
    """
    asked = select(_SESSION, _USER.c.name).join(_USER, _USER.c.login == _SESSION.c.login).order_by(_SESSION.c.seen.desc())
    if login is not None:
        asked = asked.where(_SESSION.c.login == login)
    own = digest(token)
    return [
        Open(
            r.hash[:_BYTES].hex(), r.login, r.name, moment(r.created), moment(r.seen), r.place, device_of(r.agent), r.provided,
            r.hash == own,
        )
        for r in store.connection.execute(asked)
        if life.alive(moment(r.created), moment(r.seen), store.at)
    ]  # fmt: skip


def end(store: Store, id: str, *, login: str | None = None) -> None:
    """End a session.

    Args:
        login: whose it must be (a person ends their own); None: anybody's.

    Raises:
        NotFound: there is none of that id, or it is somebody else's.
    """
    rows = store.connection.execute(select(_SESSION.c.hash, _SESSION.c.login)).all()
    found = [row for row in rows if row.hash[:_BYTES].hex() == id and login in (None, row.login)]
    if not found:
        raise NotFound("there is no such session any more")
    theirs = _SESSION.c.hash.in_([row.hash for row in found])
    call_off(store, theirs)
    store.connection.execute(delete(_SESSION).where(theirs))
    store.audit("session-end", f"user/{found[0].login}")


def end_others(store: Store, login: str, token: str) -> int:
    """End every session of an account but the one that asks; gives how many."""
    others = (_SESSION.c.login == login) & (_SESSION.c.hash != digest(token))
    call_off(store, others)
    ended = int(store.connection.execute(delete(_SESSION).where(others)).rowcount)
    store.audit("session-end", f"user/{login}")
    return ended


def device_of(agent: str) -> str:
    """A browser and a system as one says them; what is not known is said as it is, cut short."""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " · ".join(part for part in (browser, system) if part) or agent[:40]
