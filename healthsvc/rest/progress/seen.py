"""Who may see which long work: one's own, what concerns everybody with a right (a plan of the day), and all of it for who operates."""

from collections.abc import Mapping
from typing import Final

from healthsvc.access import rules
from healthsvc.dayplan import later
from healthsvc.errors import Forbidden, NotFound
from healthsvc.rest.export import jobs
from healthsvc.store import Actor, Store
from healthsvc.store.progress import Work, cancel, find, mine, of_everybody

SHARED: Final[Mapping[str, str]] = {later.DAY: "plan", later.WEEK: "plan"}
"""Kind -> the right with which others' work of this kind is seen, too: two coordinators plan the same day."""


def seen(store: Store, id: str) -> Work:
    """A piece of work that the actor may see.

    Raises:
        NotFound: there is none, or it is another's.
    """
    found = find(store, id)
    if found is None or not _may_see(store.actor, found):
        raise NotFound("there is no such work of yours", reason="work-none")
    return found


def all_seen(store: Store) -> list[Work]:
    """The newest pieces that the actor may see."""
    return of_everybody(store) if rules.allows(store.actor.roles, "operate") else mine(store)


def require_own(store: Store, work: Work) -> None:
    """Only whoever asked, or who operates, calls work off.

    Raises:
        Forbidden: it is another's.
    """
    if work.actor.id != store.actor.id and not rules.allows(store.actor.roles, "operate"):
        raise Forbidden("only whoever asked for it, or an operator, may cancel this work", reason="work-other")


def call_off(store: Store, work: Work) -> None:
    """End work of one's own before it has had its effect; an export with it.

    Raises:
        Forbidden: it is another's. RuleViolation: it has ended already.
    """
    require_own(store, work)
    cancel(store, work.id)
    if work.kind == jobs.KIND:
        jobs.end(store, str(work.asked["export"]), "cancelled")


def _may_see(actor: Actor, work: Work) -> bool:
    if work.actor.id == actor.id or rules.allows(actor.roles, "operate"):
        return True
    right = SHARED.get(work.kind)
    return right is not None and rules.allows(actor.roles, right)
