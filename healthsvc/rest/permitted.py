"""What the actor of a transaction may see of whole resource types, by role and scopes; of single resources the store itself says it."""

from healthsvc.access import rules
from healthsvc.access.smart.scopes import Granted, granted
from healthsvc.errors import Forbidden
from healthsvc.store import Store
from healthsvc.store.search import ast


def restriction(store: Store) -> ast.Restrict:
    """The condition on each resource type that a search of this actor passes, selects or includes."""
    narrower = store.restrict

    def restrict(type: str) -> ast.Node | None:
        if not may_read(store, type):
            return ast.NOTHING
        return narrower(type) if narrower is not None else None

    return ast.Narrower(narrower, restrict)


def may_read(store: Store, type: str) -> bool:
    """Whether role and scopes let the actor read or search a type at all."""
    scopes = _scopes(store)
    in_scope = scopes is None or scopes.permits(type, "s") or scopes.permits(type, "r")
    return in_scope and rules.allows(store.actor.roles, rules.Action.READ_CLINICAL, type)


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
