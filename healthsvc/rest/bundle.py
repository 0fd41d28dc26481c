"""Batch and transaction. A transaction happens as a whole or not at all; its one OperationOutcome names the entry that stopped it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import unquote, urlencode

import orjson
from fastapi import APIRouter, Depends, Request, Response

from healthsvc.access.door import StoreWriting, needs
from healthsvc.errors import Issue, Malformed, NotSupported, PreconditionFailed, Refusal, TooLarge
from healthsvc.fhir.json import Resource, dumps
from healthsvc.fhir.reference import parse as parse_reference
from healthsvc.rest import entry_acts, envelope
from healthsvc.rest.answer import Answer, refused, written
from healthsvc.rest.call import Call, as_resource, call_of
from healthsvc.rest.capability import statement
from healthsvc.rest.conditional import one_match
from healthsvc.rest.create import create
from healthsvc.rest.delete import delete, delete_where
from healthsvc.rest.entries import ORDER, STATEMENT, Entry, read_entries, read_entry
from healthsvc.rest.history import history
from healthsvc.rest.patch import patch
from healthsvc.rest.permitted import require_write
from healthsvc.rest.read import read, vread
from healthsvc.rest.rewrite import replaced, resolved
from healthsvc.rest.search import known, search
from healthsvc.rest.site import Site
from healthsvc.rest.update import update, update_where
from healthsvc.store import Store
from healthsvc.store.stored import new_id

T = TypeVar("T")


def process(site: Site, store: Store, resource: Resource, call: Call) -> Answer:
    """Carry out a bundle that was posted to the base.

    Raises:
        NotSupported: it is neither a batch nor a transaction.
        TooLarge: it has more entries than the settings allow.
        Refusal: a transaction failed; nothing of it was done.
    """
    kind = resource.get("type")
    if kind not in ("batch", "transaction"):
        raise NotSupported(
            "only bundles of type batch or transaction are carried out here; post others to /Bundle to store them", path="Bundle.type"
        )
    size = len(resource["entry"]) if isinstance(resource.get("entry"), list) else 0
    if size > site.bundle_limit:
        raise TooLarge(f"the bundle has {size} entries; at most {site.bundle_limit} are carried out at once", path="Bundle.entry")
    answers = _transaction(site, store, resource, call) if kind == "transaction" else _batch(site, store, resource, call)
    return Answer(200, envelope.bundle(f"{kind}-response", map(_response, answers)))


# -- batch ----------------------------------------------------------------------------------------------------------------------


def _batch(site: Site, store: Store, bundle: Resource, call: Call) -> list[Answer]:
    """Each entry for itself: one that fails undoes only itself."""
    answers = []
    for place, raw in enumerate(bundle.get("entry", [])):
        try:
            entry = read_entry(raw, place, site.registry, call.base)
            with store.savepoint():
                answers.append(_perform(site, store, entry, call))
        except Refusal as refusal:
            answers.append(refused(_within(refusal, place)))
    return answers


# -- transaction ----------------------------------------------------------------------------------------------------------------


def _transaction(site: Site, store: Store, bundle: Resource, call: Call) -> list[Answer]:
    """All entries in FHIR's order; the first refusal ends it all."""
    entries = read_entries(bundle, site.registry, call.base)
    known: dict[str, str] = {}
    for entry in entries:
        _at(entry, lambda one: _identify(store, one, call, known))
    _each_once(entries)
    for written_here in {f"{one.type}/{one.target}" for one in entries if one.method in ("PUT", "PATCH")}:
        known.pop(written_here, None)  # a create's temporary url may look like the id of another entry
    for entry in entries:
        if isinstance(entry.resource, dict):
            conditional = _at(entry, lambda one: resolved(one.resource, lambda type, text: _the_one(store, type, text, call)))
            entry.resource = replaced(entry.resource, {**known, **conditional})
    answers: dict[int, Answer] = {}
    for entry in sorted(entries, key=lambda one: ORDER[one.method]):
        answers[entry.place] = _at(entry, lambda one: _perform(site, store, one, call))
    return [answers[place] for place in range(len(entries))]


def _identify(store: Store, entry: Entry, call: Call, known: dict[str, str]) -> None:
    """Settle under which id the entry's resource stands, so that others can refer to it."""
    assert entry.type is not None or entry.method in ("GET", "HEAD")
    operation = bool(entry.rest)
    if entry.type is None or operation or entry.method in ("GET", "HEAD"):
        return
    if entry.method == "POST":
        if entry.if_none_exist:
            found = one_match(store, entry.type, entry.if_none_exist, call)
            entry.existing = found.id if found else None
        entry.target = entry.existing or new_id(store.at)
    elif entry.id is not None:
        entry.target = entry.id
    elif not (entry.method == "DELETE" and any(name == "_count" for name, _ in entry.query)):
        found = one_match(store, entry.type, entry.query, call)
        own = entry.resource.get("id") if entry.method == "PUT" else None
        entry.existing = found.id if found else None
        entry.target = entry.existing or (own if isinstance(own, str) else new_id(store.at))
    if entry.full_url and entry.target:
        here = f"{entry.type}/{entry.target}"
        known[entry.full_url] = here
        parsed = parse_reference(entry.full_url)
        if parsed.type and parsed.id and f"{parsed.type}/{parsed.id}" != here:
            known[f"{parsed.type}/{parsed.id}"] = here


def _each_once(entries: Sequence[Entry]) -> None:
    """R4: the same resource may stand only once in a transaction."""
    seen: dict[tuple[str | None, str | None], int] = {}
    urls: set[str] = set()
    conditions: set[tuple[str | None, str]] = set()
    for entry in entries:
        if entry.method in ("GET", "HEAD") or entry.target is None or (entry.method == "POST" and entry.existing):
            continue
        key = (entry.type, entry.target)
        if key in seen:
            raise Malformed(f"the transaction writes the same {entry.type} twice (entry {seen[key]} and {entry.place})", path=entry.path)
        if entry.full_url and entry.full_url in urls:
            raise Malformed("the transaction has the same fullUrl twice", path=f"{entry.path}.fullUrl")
        condition = entry.if_none_exist if entry.method == "POST" else urlencode(entry.query) if entry.id is None else None
        if condition and entry.existing is None:
            if (entry.type, unquote(condition)) in conditions:
                raise Malformed("two entries have the same condition, and nothing matches it yet", path=f"{entry.path}.request")
            conditions.add((entry.type, unquote(condition)))
        seen[key] = entry.place
        urls.add(entry.full_url or "")


def _the_one(store: Store, type: str, criteria: str, call: Call) -> str:
    found = one_match(store, type, criteria, call)
    if found is None:
        raise PreconditionFailed(f"a conditional reference to a {type} matches nothing")
    return f"{type}/{found.id}"


# -- one entry ------------------------------------------------------------------------------------------------------------------


def _perform(site: Site, store: Store, entry: Entry, call: Call) -> Answer:
    """The interaction that an entry asks for."""
    inner = replace(
        call,
        query=entry.query,
        if_match=entry.if_match,
        if_none_match=entry.if_none_match,
        if_modified_since=entry.if_modified_since,
        if_none_exist=entry.if_none_exist,
        prefer={"return": call.prefers or "minimal", **({"handling": call.prefer["handling"]} if "handling" in call.prefer else {})},
        media="",
    )
    if entry.rest and entry.rest[0].startswith("$"):
        return entry_acts.perform(site, store, entry, inner)
    if entry.method in ("GET", "HEAD"):
        answer = _fetch(site, store, entry, inner)
        return answer if entry.method == "GET" else replace(answer, body=b"")
    assert entry.type is not None
    if entry.rest:
        raise NotSupported("this url takes no such method inside a bundle", path=f"{entry.path}.request.url")
    if entry.method == "POST":
        return _post(store, entry, inner)
    if entry.method == "PUT":
        resource = as_resource(entry.resource, entry.type)
        if entry.id is not None:
            return update(store, entry.type, entry.id, resource, inner)
        if entry.target is not None:
            return update(store, entry.type, entry.target, {**resource, "id": entry.target}, inner)
        return update_where(store, entry.type, resource, inner)
    if entry.method == "PATCH":
        return patch(store, entry.type, entry.id or entry.existing, replace(inner, body=dumps(entry.resource)))
    if entry.id is not None:
        return delete(store, entry.type, entry.id, inner)
    return delete_where(store, entry.type, inner)


def _post(store: Store, entry: Entry, call: Call) -> Answer:
    """A create; in a transaction the id is settled already."""
    assert entry.type is not None
    if entry.target is None:
        return create(store, entry.type, entry.resource, call)
    require_write(store, entry.type, "c")
    if entry.existing is not None:
        found = store.get(entry.type, entry.existing)
        assert found is not None
        return written(found, call.base, 200, call.prefers)
    return written(store.write({**entry.resource, "id": entry.target}), call.base, 201, call.prefers)


def _fetch(site: Site, store: Store, entry: Entry, call: Call) -> Answer:
    """A read, a history, a search or the statement."""
    match entry.type, entry.id, entry.rest:
        case None, None, (word,) if word == STATEMENT:
            return statement(site, call)
        case str(type), str(id), ():
            return read(site, store, type, id, call)
        case str(type), str(id), ("_history", version):
            return vread(site, store, type, id, version, call)
        case _, _, ("_history",):
            return history(site, store, entry.type, entry.id, call)
        case _, None, () | ("_search",):
            return search(site, store, entry.type, call)
        case str(of), str(id), (str(type),) if site.registry.is_type(type):
            return search(site, store, type, call, known(of, id))
        case str(of), str(id), ("*",):
            return search(site, store, None, call, known(of, id))
    raise NotSupported("this url cannot be fetched inside a bundle; call it by itself", path=f"{entry.path}.request.url")


def _response(answer: Answer) -> bytes:
    """The response entry of an answer."""
    response: dict[str, object] = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    for header, name in (("location", "location"), ("etag", "etag")):
        if header in answer.headers:
            response[name] = answer.headers[header]
    if "last-modified" in answer.headers:
        response["lastModified"] = parsedate_to_datetime(answer.headers["last-modified"]).isoformat().replace("+00:00", "Z")
    is_outcome = answer.body.startswith(b'{"resourceType":"OperationOutcome"')
    if is_outcome:
        response["outcome"] = orjson.Fragment(answer.body)
    made: dict[str, object] = {}
    if answer.body and not is_outcome:
        made["resource"] = orjson.Fragment(answer.body)
    if answer.status < 300 and "location" in answer.headers:
        made["fullUrl"] = answer.headers["location"].partition("/_history/")[0]
    return orjson.dumps({**made, "response": response})


def _at(entry: Entry, act: Callable[[Entry], T]) -> T:
    """Carry something out for an entry; a refusal tells which entry it was."""
    try:
        return act(entry)
    except Refusal as refusal:
        raise _within(refusal, entry.place) from None


def _within(refusal: Refusal, place: int) -> Refusal:
    """The refusal with paths that begin at the bundle."""
    issues = [Issue(one.text, one.code, _path(one.path, place), one.severity) for one in refusal.issues]
    moved = Refusal(f"entry {place}: {refusal.text}", reason=refusal.reason, issues=issues)
    moved.status, moved.issue_code = refusal.status, refusal.issue_code
    return moved


def _path(path: str | None, place: int) -> str:
    if path is None:
        return f"Bundle.entry[{place}]"
    if path.startswith("Bundle.entry["):
        return path
    head, dot, tail = path.partition(".")
    return f"Bundle.entry[{place}].resource{dot}{tail}" if head[:1].isupper() else f"Bundle.entry[{place}].request.url"


def routes(site: Site, router: APIRouter) -> None:
    """POST to the base."""

    each = [needs("self")]  # every entry asks for what it does, and a batch of reads writes nothing

    @router.post("", dependencies=each)
    @router.post("/", include_in_schema=False, dependencies=each)
    def carry_out(request: Request, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return process(site, store, call.resource("Bundle"), call).response(pretty=call.pretty)
