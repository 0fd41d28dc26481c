"""随身 a phone that carries visits is called off with the session that opened it."""

from typing import Any

from sqlalchemy import select, update

from healthsvc.store import Store
from healthsvc.store.access_tables import SessionRow
from healthsvc.store.pocket_tables import PocketRow
from healthsvc.store.stored import micros

_SESSION = SessionRow.__table__  # type: ignore[attr-defined]
_POCKET = PocketRow.__table__  # type: ignore[attr-defined]


def call_off(store: Store, sessions: Any) -> None:
    """End what phones may carry that were opened by some sessions; call it before the sessions are deleted.

    ``sessions``: a condition on the table of sessions. What a phone has not sent stays on it, closed; its account opens it again.
    """
    opened_by = select(_SESSION.c.hash).where(sessions)
    mine = _POCKET.c.session.in_(opened_by) & _POCKET.c.ended.is_(None)
    store.connection.execute(update(_POCKET).where(mine).values(ended=micros(store.at)))
