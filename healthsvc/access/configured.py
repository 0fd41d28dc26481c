"""What an installation is configured to, in the audit: a process that serves with other policy values than the one before says so."""

from datetime import datetime
from hashlib import blake2b
from typing import Final

from healthsvc.policy import Policy, load
from healthsvc.store import SYSTEM, Database

ACTION: Final = "policy-change"
_HELD: Final = "policy in force"
_LONGEST: Final = 1000
"""Characters of a row that names parameters."""


def note_policy(database: Database, at: datetime) -> bool:
    """Note that other values hold than when somebody last served, with the names of those that are the site's own; False: nothing changed.

    Values come from files (DATA/policy, or the release), so nobody is at a door when they change: the next start is the moment.
    """
    digest, own = _digest(database.policy), site_values(database.policy)
    with database.reading(SYSTEM, at=at) as store:
        before = store.holder(_HELD)
    if before == digest or (before is None and not own):
        return False
    with database.writing(SYSTEM, at=at) as store:
        before = store.holder(_HELD)
        if before == digest:
            return False
        if before is not None:
            store.release(_HELD)
        store.claim(_HELD, digest)
        store.audit(ACTION, f"policy/{digest}", purpose=f"values of the site: {', '.join(own) or 'none'}"[:_LONGEST])
    return True


def site_values(policy: Policy) -> list[str]:
    """Names of the parameters of which a site has set a value of its own."""
    shipped = {(one.name, one.effective_from, one.jurisdiction, repr(one.value)) for one in load()}
    return sorted({one.name for one in policy if (one.name, one.effective_from, one.jurisdiction, repr(one.value)) not in shipped})


def _digest(policy: Policy) -> str:
    told = sorted(f"{one.name} {one.effective_from} {one.jurisdiction} {one.value!r}" for one in policy)
    return blake2b("\n".join(told).encode(), digest_size=16).hexdigest()
