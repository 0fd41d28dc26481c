"""What the actor of a transaction may see: by role for whole resource types, by compartment for single resources."""

from healthsvc.access import rules
from healthsvc.errors import Forbidden
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.search import ast, may_see
from healthsvc.store.stored import Stored


def restriction(store: Store) -> ast.Restrict:
    """The condition on each resource type that a search of this actor passes, selects or includes."""
    roles, narrower = store.actor.roles, store.restrict

    def restrict(type: str) -> ast.Node | None:
        if not rules.allows(roles, rules.Action.READ_CLINICAL, type):
            return ast.NOTHING
        return narrower(type) if narrower is not None else None

    return restrict


def visible(store: Store, stored: Stored) -> bool:
    """Whether the actor may see a stored resource."""
    return store.restrict is None or may_see(store, stored, store.restrict)


def write_seen(store: Store, before: Stored | None, resource: Resource, if_match: int | None = None) -> Stored:
    """Write, if the actor may see both what was there and what then is: nobody moves a record out of or into what they may not see.

    Raises:
        Forbidden: they may not.
    """
    if before is not None and not before.deleted and not visible(store, before):
        raise Forbidden("this record belongs to somebody whom you do not look after", reason="compartment")
    stored = store.write(resource, if_match)
    if not visible(store, stored):
        raise Forbidden("the record would belong to somebody whom you do not look after", reason="compartment")
    return stored


def require_write(store: Store, type: str) -> None:
    """Refuse a write that the role does not allow.

    Raises:
        Forbidden: with the type.
    """
    if not rules.allows(store.actor.roles, rules.Action.WRITE_CLINICAL, type):
        raise Forbidden(f"your role does not allow write-clinical on {type}; ask an administrator for another role", reason="role")


def require_read(store: Store, type: str) -> None:
    """Refuse a read that the role does not allow."""
    if not rules.allows(store.actor.roles, rules.Action.READ_CLINICAL, type):
        raise Forbidden(f"your role does not allow read-clinical on {type}; ask an administrator for another role", reason="role")
