"""Which codes a search means by a value set (``:in``, ``:not-in``) or by a code and what stands above or below it."""

from healthsvc.errors import NotFound, NotSupported
from healthsvc.rest.hierarchy import hierarchy
from healthsvc.rest.terminology import expanded, stored
from healthsvc.store import Store
from healthsvc.store.search.text import plain, split
from healthsvc.store.search.values import BadValue


def meant(store: Store, modifier: str, value: str) -> list[tuple[str, str]]:
    """System and code of all that ``:in``, ``:not-in``, ``:above`` or ``:below`` of a search means.

    Raises:
        BadValue: what it needs is not here.
    """
    try:
        return _related(store, modifier, value) if modifier in ("above", "below") else _members(store, plain(value))
    except (NotFound, NotSupported) as refusal:
        what = "code" if modifier in ("above", "below") else "value set"
        raise BadValue(f"the {what} of the search: {refusal.text}") from None


def _members(store: Store, named: str) -> list[tuple[str, str]]:
    """All that is in a value set, named by its url or as ``ValueSet/id``."""
    id = named.removeprefix("ValueSet/") if named.startswith("ValueSet/") else None
    return [(one.system, one.code) for one in expanded(store, stored(store, "ValueSet", None if id else named, id))]


def _related(store: Store, modifier: str, value: str) -> list[tuple[str, str]]:
    """A code, written ``system|code``, and what is above or below it."""
    system, *code = [plain(one) for one in split(value, "|")]
    if not system or len(code) != 1 or not code[0]:
        raise NotSupported("it is written system|code")
    return [(system, one) for one in hierarchy(store, system).family(code[0], up=modifier == "above")]
