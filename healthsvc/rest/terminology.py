"""``$expand``, ``$validate-code``, ``$lookup``, ``$subsumes`` over the value sets and code systems that are stored: ours, the site's.

What others publish (LOINC, SNOMED CT, ICD) is not carried; a value set that needs it says so instead of coming out short.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import NotFound, NotSupported, Refusal
from healthsvc.fhir import facts
from healthsvc.fhir.json import Resource
from healthsvc.fhir.text import fold
from healthsvc.rest.answer import resource_answer
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.hierarchy import hierarchy, let_through
from healthsvc.rest.parameters import named, pairs, parameters
from healthsvc.rest.permitted import require_read
from healthsvc.rest.site import Site
from healthsvc.store import Store

DEEPEST = 10
"""Value sets that include each other, and concepts below concepts."""
MOST = 1000


@dataclass(frozen=True, slots=True)
class Concept:
    """One code of an expansion."""

    system: str
    code: str
    display: str | None
    designations: tuple[Resource, ...] = ()

    def said(self, language: str | None) -> str | None:
        """The words in a language (``en`` matches ``en-GB``), else the display."""
        wanted = (language or "").split("-")[0]
        return next((one["value"] for one in self.designations if one.get("language", "").split("-")[0] == wanted), self.display)


def stored(store: Store, type: str, url: str | None, id: str | None) -> Resource:
    """A value set or code system by its id or its canonical url.

    Raises:
        NotFound: it is not stored here.
    """
    require_read(store, type)
    bare, _, version = (url or "").partition("|")
    found = store.find(type, id) if id else store.first(type, url=bare, **({"version": version} if version else {})) if bare else None
    if found is None and type == "ValueSet" and version in ("", facts.RELEASE):
        found = _of_the_standard(bare)
    if found is None:
        raise NotFound(f"there is no such {type} here" if bare or id else f"name the {type}: url, or its id in the address")
    return found


def _of_the_standard(url: str) -> Resource | None:
    """A value set whose codes R4 requires, if its codes are listed: codes without words."""
    by_system = facts.required_codes().get(url)
    if not by_system:
        return None
    include = [{"system": system, "concept": [{"code": code} for code in sorted(codes)]} for system, codes in by_system.items()]
    return {"resourceType": "ValueSet", "url": url, "version": facts.RELEASE, "status": "active", "compose": {"include": include}}


def expanded(store: Store, value_set: Resource, depth: int = 0) -> list[Concept]:
    """All codes of a value set, each once, in its order.

    Raises:
        NotSupported: it needs a code system that is not here, or a filter.
    """
    if depth > DEEPEST:
        raise NotSupported("the value sets include each other without an end")
    if "compose" not in value_set and "expansion" in value_set:
        return list(_contained(value_set["expansion"].get("contains", ())))
    compose = value_set.get("compose", {})
    found: dict[tuple[str, str], Concept] = {}
    for part in compose.get("include", ()):
        for one in _included(store, part, depth):
            found.setdefault((one.system, one.code), one)
    for part in compose.get("exclude", ()):
        for one in _included(store, part, depth):
            found.pop((one.system, one.code), None)
    return list(found.values())


def _included(store: Store, part: Resource, depth: int) -> Iterator[Concept]:
    """One include: the codes of a system or those listed, that are in all value sets that it names."""
    within = [let_through(store, part.get("system", ""), one) for one in part.get("filter", ())]
    sets = [
        {(one.system, one.code): one for one in expanded(store, stored(store, "ValueSet", url, None), depth + 1)}
        for url in part.get("valueSet", ())
    ]
    own: list[Concept] | None = None
    if "system" in part:
        known = {one.code: one for one in _of_system(store, part["system"], listed=bool(part.get("concept")))}
        own = [_listed(part["system"], one, known) for one in part["concept"]] if part.get("concept") else list(known.values())
    for one in own if own is not None else list(sets[0].values()) if sets else ():
        if all((one.system, one.code) in others for others in sets) and all(one.code in codes for codes in within):
            yield one


def _listed(system: str, one: Resource, known: dict[str, Concept]) -> Concept:
    there = known.get(one["code"])
    display = one.get("display") or (there.display if there else None)
    return Concept(system, one["code"], display, (*one.get("designation", ()), *(there.designations if there else ())))


def _of_system(store: Store, url: str, *, listed: bool) -> list[Concept]:
    """The codes of a code system; where codes are listed anyway, one that is not here only lacks its words."""
    system = store.first("CodeSystem", url=url.partition("|")[0])
    if system is None or system.get("content") not in ("complete", "fragment", "example"):
        if listed:
            return []
        raise NotSupported(f"the code system {url} is not here; only value sets over stored code systems are expanded")
    return list(concepts(url.partition("|")[0], system.get("concept", ())))


def concepts(system: str, listed: Any, depth: int = 0) -> Iterator[Concept]:
    """Concepts and those below them."""
    for one in listed if depth <= DEEPEST else ():
        yield Concept(system, one["code"], one.get("display"), tuple(one.get("designation", ())))
        yield from concepts(system, one.get("concept", ()), depth + 1)


def _contained(contains: Any) -> Iterator[Concept]:
    for one in contains:
        if "code" in one and not one.get("abstract"):
            yield Concept(one.get("system", ""), one["code"], one.get("display"), tuple(one.get("designation", ())))
        yield from _contained(one.get("contains", ()))


def expand(store: Store, call: Call, id: str | None) -> Resource:
    """A value set with its expansion: ``filter`` (what the code or its words contain), ``offset``, ``count``, ``displayLanguage``."""
    asked = dict(pairs(call))
    known = ("url", "valueSetVersion", "filter", "offset", "count", "displayLanguage", "includeDesignations", "activeOnly", "excludeNested")
    if unknown := set(asked) - set(known):
        raise NotSupported(f"$expand takes {', '.join(known)}", path=min(unknown))
    value_set = stored(store, "ValueSet", asked.get("url"), id)
    wanted, language = fold(asked.get("filter", "")), asked.get("displayLanguage")
    found = [one for one in expanded(store, value_set) if not wanted or any(wanted in fold(text) for text in _words(one))]
    offset, count = _number(asked, "offset", 0), _number(asked, "count", MOST)
    shown = [_entry(one, language, asked.get("includeDesignations") == "true") for one in found[offset : offset + min(count, MOST)]]
    expansion = {"timestamp": store.at.astimezone(store.zone).isoformat(timespec="seconds"), "total": len(found), "offset": offset}
    kept = {key: value for key, value in value_set.items() if key not in ("compose", "expansion", "text")}
    return kept | {"expansion": expansion | ({"contains": shown} if shown else {})}


def _words(one: Concept) -> list[str]:
    return [one.code, one.display or "", *(it.get("value", "") for it in one.designations)]


def _entry(one: Concept, language: str | None, designations: bool) -> Resource:
    made: Resource = {"system": one.system, "code": one.code}
    if said := one.said(language):
        made["display"] = said
    return made | ({"designation": list(one.designations)} if designations and one.designations else {})


def _number(asked: dict[str, str], name: str, otherwise: int) -> int:
    text = asked.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit() or len(text) > 8:
        raise Refusal(f"{name} takes a whole number from 0", path=name)
    return int(text)


def validated(store: Store, call: Call, type: str, id: str | None) -> Resource:
    """Whether a code (``code`` with ``system``, ``coding`` or ``codeableConcept``) is in a value set or code system, and its words."""
    given = pairs(call)
    asked = dict(given)
    resource = stored(store, type, asked.get("url"), id)
    known = expanded(store, resource) if type == "ValueSet" else list(concepts(resource["url"], resource.get("concept", ())))
    system = asked.get("system", resource["url"] if type == "CodeSystem" else "")
    codings = [value for name, value in given if name == "coding"] or ([f"{system}|{asked['code']}"] if "code" in asked else [])
    if not codings:
        raise Refusal("name the code: code and system, coding, or codeableConcept", path="code")
    for text in codings:
        of, _, code = text.rpartition("|")
        one = next((it for it in known if it.code == code and of in ("", it.system)), None)
        if one is not None:
            words = {one.display, *(it.get("value") for it in one.designations)}
            said = [named("display", valueString=one.said(asked.get("displayLanguage")))] if one.display else []
            if "display" in asked and asked["display"] not in words:
                return parameters(
                    named("result", valueBoolean=False), named("message", valueString="the code is there under other words"), *said
                )
            return parameters(named("result", valueBoolean=True), *said)
    return parameters(named("result", valueBoolean=False), named("message", valueString=f"the code is not in this {type}"))


def looked_up(store: Store, call: Call) -> Resource:
    """The words of one code of a stored code system.

    Raises:
        NotFound: the system or the code is not here.
    """
    given = pairs(call)
    asked = dict(given)
    coded = next((value for name, value in given if name == "coding"), f"{asked.get('system', '')}|{asked.get('code', '')}")
    url, _, code = coded.rpartition("|")
    system = stored(store, "CodeSystem", url, None)
    one = next((it for it in concepts(url, system.get("concept", ())) if it.code == code), None)
    if one is None:
        raise NotFound("the code system has no such code")
    name, display = system.get("name", url), one.said(asked.get("displayLanguage")) or code
    words = [named("designation", part=_designation(it)) for it in one.designations]
    return parameters(named("name", valueString=name), named("display", valueString=display), *words)


def subsumed(store: Store, call: Call, id: str | None) -> Resource:
    """What one code of a code system is to another (``codeA``, ``codeB`` with ``system``, or ``codingA``, ``codingB``).

    Raises:
        NotFound, NotSupported: the system or a code is not here, or its order means something else.
        Refusal: two codes of one system are not named.
    """
    require_read(store, "CodeSystem")
    asked = dict(pairs(call))
    url = stored(store, "CodeSystem", None, id)["url"] if id else asked.get("system", "").partition("|")[0]
    both = []
    for side in ("A", "B"):
        of, _, code = asked.get(f"coding{side}", "").rpartition("|")
        both.append((of or url, asked.get(f"code{side}") or code))
    (first, one), (second, other) = both
    if not first or first != second or not one or not other:
        raise Refusal("name two codes of one system: codeA and codeB with system, or codingA and codingB", path="codeA")
    return parameters(named("outcome", valueCode=hierarchy(store, first).subsumes(one, other)))


def _designation(one: Resource) -> list[Resource]:
    language = [named("language", valueCode=one["language"])] if "language" in one else []
    return [*language, named("value", valueString=one["value"])]


def routes(site: Site, router: APIRouter) -> None:
    """The operations by GET and POST; the url or the id names the value set."""
    both = ["GET", "POST"]

    @router.api_route("/ValueSet/$expand", methods=both)
    def expand_by_url(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(expand(store, call, None)).response(pretty=call.pretty)

    @router.api_route("/ValueSet/{id:fhirid}/$expand", methods=both)
    def expand_by_id(id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(expand(store, call, id)).response(pretty=call.pretty)

    @router.api_route("/ValueSet/$validate-code", methods=both)
    def validate_by_url(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(validated(store, call, "ValueSet", None)).response(pretty=call.pretty)

    @router.api_route("/ValueSet/{id:fhirid}/$validate-code", methods=both)
    def validate_by_id(id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(validated(store, call, "ValueSet", id)).response(pretty=call.pretty)

    @router.api_route("/CodeSystem/$validate-code", methods=both)
    def validate_in_system(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(validated(store, call, "CodeSystem", None)).response(pretty=call.pretty)

    @router.api_route("/CodeSystem/$subsumes", methods=both)
    def subsumed_in_system(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(subsumed(store, call, None)).response(pretty=call.pretty)

    @router.api_route("/CodeSystem/{id:fhirid}/$subsumes", methods=both)
    def subsumed_in_this(id: str, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(subsumed(store, call, id)).response(pretty=call.pretty)

    @router.api_route("/CodeSystem/$lookup", methods=both)
    def look_up(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return resource_answer(looked_up(store, call)).response(pretty=call.pretty)
