"""Conditions: which version a client has, and which resource it means by a search instead of an id."""

from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import parse_qsl

from healthsvc.errors import Issue, Malformed, PreconditionFailed
from healthsvc.rest.call import Call
from healthsvc.rest.meant import meant
from healthsvc.rest.permitted import restriction
from healthsvc.store import Store
from healthsvc.store.search import search
from healthsvc.store.search.options import is_result
from healthsvc.store.stored import Stored


def version_of(header: str | None, current: Stored | None) -> int | None:
    """The version in ``If-Match: W/"3"``; None where there is no header. Of several (RFC 9110 13.1.1) the one that is current, if any is.

    Raises:
        Malformed: one is not a version of ours.
        PreconditionFailed: ``*`` asks for any version, and nothing is there.
    """
    if header is None:
        return None
    if header.strip() == "*":
        if current is None or current.deleted:
            raise PreconditionFailed("If-Match: * asks to change what is there, but nothing is")
        return None
    tags = [one.strip().removeprefix("W/").strip('"') for one in header.split(",")]
    if not all(one.isascii() and one.isdigit() and len(one) < 10 for one in tags):
        raise Malformed('If-Match must carry the ETag of a version, for example W/"3"')
    versions = [int(one) for one in tags]
    return current.version if current is not None and current.version in versions else versions[0]


def unchanged(call: Call, stored: Stored) -> bool:
    """Whether the client has this version already (If-None-Match, else If-Modified-Since)."""
    if call.if_none_match is not None:
        known = {one.strip().removeprefix("W/").strip('"') for one in call.if_none_match.split(",")}
        return "*" in known or str(stored.version) in known
    if call.if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(call.if_modified_since)
    except ValueError:
        return False  # RFC 9110 13.1.3: an invalid date is ignored
    return stored.at.replace(microsecond=0) <= since if since.tzinfo else False


def matches(store: Store, type: str, criteria: str | tuple[tuple[str, str], ...], call: Call, most: int = 2) -> list[Stored]:
    """What a condition selects, at most ``most``.

    A condition is applied as a whole or not at all: what is not understood is refused, for otherwise another resource would be changed.

    Raises:
        PreconditionFailed: there is no criterion in it.
        Refusal: a parameter is not understood.
    """
    pairs = parse_qsl(criteria.partition("?")[2] or criteria, keep_blank_values=True) if isinstance(criteria, str) else list(criteria)
    kept = [(name, value) for name, value in pairs if not is_result(name)]
    if not any(value for _, value in kept):
        raise PreconditionFailed("the condition has no search criterion; it would match everything")
    lock(store, type, kept)
    codes, asked = partial(meant, store), [*kept, ("_total", "none")]
    page = search(store, type, asked, count=most, restrict=restriction(store), strict=True, bases=call.bases, codes=codes)
    return page.matches


def one_match(store: Store, type: str, criteria: str | tuple[tuple[str, str], ...], call: Call) -> Stored | None:
    """The one resource that a condition selects; None where there is none.

    Raises:
        PreconditionFailed: it selects several.
    """
    found = matches(store, type, criteria, call)
    if len(found) > 1:
        raise several(f"the condition matches several resources of type {type}; make it narrower")
    return found[0] if found else None


def several(text: str) -> PreconditionFailed:
    """The refusal of a condition that matches more than it may (R4 has an issue type for it)."""
    return PreconditionFailed(text, reason="multiple-matches", issues=[Issue(text, "multiple-matches")])


def lock(store: Store, type: str, pairs: list[tuple[str, str]]) -> None:
    """Two transactions with the same condition follow each other: SQLite has one writer anyway, PostgreSQL gets a lock for the pair."""
    if store.writable and store.connection.dialect.name == "postgresql":
        text = type + "".join(f"&{name}={value}" for name, value in sorted(pairs))
        store.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (text,))
