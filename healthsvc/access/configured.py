"""What an installation is configured to, in the audit: a process that serves with other values than the one before says so."""

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Final

from healthsvc.policy import Policy, load
from healthsvc.store import SYSTEM, Database, Store

ACTION: Final = "policy-change"
_HELD: Final = "policy in force"
LONGEST: Final = 1000
"""Characters of a row of the audit that names what has changed."""


def hold_anew(database: Database, key: str, told: str, at: datetime, note: Callable[[Store, str | None], None], *, begin: bool) -> bool:
    """Remember under ``key`` that ``told`` is in force, and let ``note`` say so beside what was before; False: nothing has changed.

    Of many processes the first one that sees the change does. ``begin``: whether there is something to note where nothing was before.
    """
    with database.reading(SYSTEM, at=at) as store:
        before = store.holder(key)
    if before == told or (before is None and not begin):
        return False
    with database.writing(SYSTEM, at=at) as store:
        before = store.holder(key)
        if before == told:
            return False
        if before is not None:
            store.release(key)
        store.claim(key, told)
        note(store, before)
    return True


def note_policy(database: Database, at: datetime) -> bool:
    """Note that other values hold than when somebody last served, with the names of those that are the site's own; False: nothing changed.

    Values come from files (DATA/policy, or the release), so nobody is at a door when they change: the next start is the moment.
    """
    digest, own = _digest(database.policy), site_values(database.policy)

    def note(store: Store, before: str | None) -> None:
        store.audit(ACTION, f"policy/{digest}", purpose=f"values of the site: {', '.join(own) or 'none'}"[:LONGEST])

    return hold_anew(database, _HELD, digest, at, note, begin=bool(own))


def site_values(policy: Policy) -> list[str]:
    """Names of the parameters of which a site has set a value of its own."""
    shipped = {(one.name, one.effective_from, one.jurisdiction, repr(one.value)) for one in load()}
    return sorted({one.name for one in policy if (one.name, one.effective_from, one.jurisdiction, repr(one.value)) not in shipped})


def _digest(policy: Policy) -> str:
    told = sorted(f"{one.name} {one.effective_from} {one.jurisdiction} {one.value!r}" for one in policy)
    return blake2b("\n".join(told).encode(), digest_size=16).hexdigest()
