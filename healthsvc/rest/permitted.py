"""What the actor of a transaction may see: by role for whole resource types, by compartment for single resources."""

from healthsvc.access import rules
from healthsvc.access.smart.scopes import Granted, granted
from healthsvc.errors import Forbidden
from healthsvc.fhir.json import Resource
from healthsvc.store import Store
from healthsvc.store.search import ast, may_see
from healthsvc.store.stored import Stored


def restriction(store: Store) -> ast.Restrict:
    """The condition on each resource type that a search of this actor passes, selects or includes."""
    narrower = store.restrict

    def restrict(type: str) -> ast.Node | None:
        if not may_read(store, type):
            return ast.NOTHING
        return narrower(type) if narrower is not None else None

    return restrict


def may_read(store: Store, type: str) -> bool:
    """Whether role and scopes let the actor read or search a type at all."""
    scopes = _scopes(store)
    in_scope = scopes is None or scopes.permits(type, "s") or scopes.permits(type, "r")
    return in_scope and rules.allows(store.actor.roles, rules.Action.READ_CLINICAL, type)


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


def require_write(store: Store, type: str, letter: str = "u") -> None:
    """Refuse a write that the role or the scopes do not allow; ``letter`` is c, u or d.

    Raises:
        Forbidden: with the type.
    """
    _in_scope(store, type, letter)
    if not rules.allows(store.actor.roles, rules.Action.WRITE_CLINICAL, type):
        raise Forbidden(f"your role does not allow write-clinical on {type}; ask an administrator for another role", reason="role")


def require_read(store: Store, type: str, letter: str = "r") -> None:
    """Refuse a read that the role or the scopes do not allow; ``letter`` is r or s."""
    _in_scope(store, type, letter)
    if not rules.allows(store.actor.roles, rules.Action.READ_CLINICAL, type):
        raise Forbidden(f"your role does not allow read-clinical on {type}; ask an administrator for another role", reason="role")


def _scopes(store: Store) -> Granted | None:
    held = store.actor.scopes
    return None if held is None else granted(held)


def _in_scope(store: Store, type: str, letter: str) -> None:
    scopes = _scopes(store)
    if scopes is not None and not scopes.permits(type, letter):
        raise Forbidden(f"the token has no scope for {letter!r} on {type}; ask for user/{type}.{letter}", reason="insufficient_scope")
