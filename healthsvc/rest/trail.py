"""The audit trail as FHIR: ``GET /AuditEvent`` shows who has read, written, searched, signed in or been refused, newest first.

It is narrowed by ``patient``, ``agent``, ``action``, ``subtype``, ``outcome``, ``entity`` and ``date``. The rows of the hash chain
are shown as AuditEvents; AuditEvents that other systems have stored here follow after the last of them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from healthsvc.access.audit import act_of, audit_events
from healthsvc.errors import NotSupported
from healthsvc.fhir.dates import span
from healthsvc.fhir.json import Resource, dumps
from healthsvc.rest import envelope
from healthsvc.rest.answer import Answer
from healthsvc.rest.call import Call
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search import search as search_store
from healthsvc.store.search.parse import must_be_texts
from healthsvc.store.stored import moment

BEFORE: Final = "_before"
"""Our own paging parameter: rows before this number."""
_ACTIONS: Final = {"C": ("create",), "R": ("read", "vread", "history", "search", "list"), "U": ("update",), "D": ("delete",)}
_NARROWS: Final = ("patient", "agent", "action", "date", "subtype", "outcome", "entity")
_KNOWN: Final = frozenset({*_NARROWS, "_count", BEFORE, "_sort", "_total"})
TYPE: Final = "AuditEvent"
_OUTCOMES: Final = frozenset({"0", "4"})


def trail(site: Site, store: Store, call: Call) -> Answer | None:
    """A searchset of the trail; None where the question is not one about the trail (``_id`` and the like).

    Raises:
        NotSupported: an action that is not C, R, U or D.
        BadValue: a value cannot be read.
    """
    query = dict(call.query)
    if set(query) - _KNOWN:
        return None
    must_be_texts(call.query)
    asked_for = _number(query.get("_count"))
    count = site.page_size if asked_for is None else min(asked_for, site.page_size_max)
    events = _events(site, store, call.query, count + 1)
    entries = [_entry(call.base, event) for event in events[:count]]
    links = [("self", f"{call.base}/{TYPE}?{urlencode(call.query)}")]
    if len(events) > count:
        further = [(name, value) for name, value in call.query if name != BEFORE] + [(BEFORE, events[count - 1]["id"])]
        links.append(("next", f"{call.base}/{TYPE}?{urlencode(further)}"))
    else:
        asked = [(name, value) for name, value in call.query if name in _NARROWS]
        stored = search_store(store, TYPE, asked, count=site.page_size_max, bases=call.bases)
        entries += [envelope.found(call.base, one, "match") for one in stored.matches]
    store.audit("search", f"{TYPE}?{'&'.join(sorted(query))}")
    return Answer(200, envelope.bundle("searchset", entries, links=links))


def one_act(store: Store, number: str) -> Resource | None:
    """One act of the trail by its number."""
    seq = _number(number)
    return None if seq is None else next((event for event in audit_events(store, before=seq + 1, limit=1) if event["id"] == number), None)


def _number(text: str | None) -> int | None:
    """A whole number that a column can hold; None: it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _events(site: Site, store: Store, query: Sequence[tuple[str, str]], limit: int) -> list[Resource]:
    asked = dict(query)
    since, until = _span(store, [value for name, value in query if name == "date"])
    before = _number(asked.get(BEFORE))
    wanted = asked.get("action")
    if wanted is not None and wanted not in _ACTIONS:
        raise NotSupported("the trail knows the actions C, R, U and D", path="action")
    if asked.get("outcome", "0") not in _OUTCOMES:
        raise NotSupported("the trail knows the outcomes 0 (success) and 4 (failure)", path="outcome")
    actions: Sequence[str | None] = _ACTIONS[wanted] if wanted else (None,)
    if "subtype" in asked:
        actions = [act for one in asked["subtype"].split(",") if (act := act_of(one)) in actions or actions == (None,)]
    found: list[Resource] = []
    for action in actions:
        found += audit_events(
            store,
            patient=asked["patient"].removeprefix("Patient/") if "patient" in asked else None,
            actor=asked.get("agent"),
            action=action,
            since=since,
            until=until,
            before=before,
            outcome=asked.get("outcome"),
            entity=asked.get("entity"),
            limit=limit,
        )
    return sorted(found, key=lambda event: -int(event["id"]))[:limit]


def _span(store: Store, dates: Sequence[str]) -> tuple[datetime | None, datetime | None]:
    since: datetime | None = None
    until: datetime | None = None
    for text in dates:
        prefix, value = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
        low, high = (moment(edge).astimezone(UTC) for edge in span(value, store.zone.key))
        if prefix in ("eq", "ge", "sa", "gt"):
            since = high if prefix in ("sa", "gt") else low
        if prefix in ("eq", "le", "eb", "lt"):
            until = low if prefix in ("eb", "lt") else high
    return since, until


def _entry(base: str, event: Resource) -> bytes:
    return dumps({"fullUrl": f"{base}/{TYPE}/{event['id']}", "resource": event, "search": {"mode": "match"}})
