"""Operations as entries of a batch or transaction (R4 3.2.0.4): ``POST Patient/$match``, ``GET Patient/[id]/$everything``.

The functions are those behind the routes, and they ask the same rights: what a route asks at the door is asked here for each entry.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from healthsvc.access import looks
from healthsvc.access.door import Who, require
from healthsvc.access.rules import Action
from healthsvc.errors import NotSupported
from healthsvc.fhir.conformance.operations import OPERATIONS
from healthsvc.fhir.conformance.tables import Operation
from healthsvc.fhir.json import dumps
from healthsvc.rest import match, operation, terminology
from healthsvc.rest.answer import Answer, resource_answer
from healthsvc.rest.call import FHIR_JSON, Call
from healthsvc.rest.entries import Entry
from healthsvc.rest.everything import everything
from healthsvc.rest.parameters import taken
from healthsvc.rest.permitted import require_write
from healthsvc.rest.site import Site
from healthsvc.rest.use_cases import ACTS, GRANTED, NOT_IN_AN_ADDRESS
from healthsvc.store import Store
from healthsvc.store.looked import Looked

Act = Callable[[Site, Store, str, str, Call], Answer]
"""``act(site, store, type, id, call)``; the id is empty where the address has none."""


@dataclass(frozen=True, slots=True)
class Carried:
    """An operation that an entry may ask for."""

    act: Act
    levels: str = "ti"
    """``t``: of a type; ``i``: of an instance."""
    methods: tuple[str, ...] = ("GET", "POST")
    writes: bool = False


def _use_case(one: Operation) -> Carried:
    def act(site: Site, store: Store, _type: str, id: str, call: Call) -> Answer:
        if one.writes:
            require_write(store, one.resource)
        return resource_answer(ACTS[one.id](store, id, taken(one, call, site.registry)))

    plain = not one.writes and not any(it.type in NOT_IN_AN_ADDRESS for it in one.takes)
    return Carried(act, ("i" if one.instance else "") + ("t" if one.both or not one.instance else ""), _METHODS[plain], one.writes)


_METHODS: Final = {True: ("GET", "POST"), False: ("POST",)}
CARRIED: Final[dict[tuple[str, str], Carried]] = {
    ("Patient", "everything"): Carried(lambda site, store, type, id, call: everything(site, store, id, call), "i", ("GET",)),
    ("Patient", "match"): Carried(lambda site, store, type, id, call: match.match(store, call), "t", ("POST",)),
    ("Observation", "lastn"): Carried(lambda site, store, type, id, call: match.last(store, call), "t"),
    ("ValueSet", "expand"): Carried(lambda site, store, type, id, call: resource_answer(terminology.expand(store, call, id or None))),
    ("ValueSet", "validate-code"): Carried(
        lambda site, store, type, id, call: resource_answer(terminology.validated(store, call, "ValueSet", id or None))
    ),
    ("CodeSystem", "validate-code"): Carried(
        lambda site, store, type, id, call: resource_answer(terminology.validated(store, call, "CodeSystem", None)), "t"
    ),
    ("CodeSystem", "lookup"): Carried(lambda site, store, type, id, call: resource_answer(terminology.looked_up(store, call)), "t"),
    ("CodeSystem", "subsumes"): Carried(lambda site, store, type, id, call: resource_answer(terminology.subsumed(store, call, id or None))),
    ("*", "validate"): Carried(
        lambda site, store, type, id, call: operation.validate(site, store, type, id or None, call), "ti", ("GET", "POST"), True
    ),
    ("*", "meta"): Carried(lambda site, store, type, id, call: operation.meta(store, type, id), "i", ("GET",)),
    ("*", "meta-add"): Carried(
        lambda site, store, type, id, call: operation.change_meta(store, type, id, call, add=True), "i", ("POST",), True
    ),
    ("*", "meta-delete"): Carried(
        lambda site, store, type, id, call: operation.change_meta(store, type, id, call, add=False), "i", ("POST",), True
    ),
    **{(one.resource, one.code): _use_case(one) for one in OPERATIONS if one.id not in GRANTED},
}
"""(Type or ``*``, name) -> how it is carried out. What another right opens than that to read or write clinical content, and what goes on
after its answer (``$export``), is called by itself."""


def perform(site: Site, store: Store, entry: Entry, call: Call) -> Answer:
    """The operation that an entry asks for.

    Raises:
        NotSupported: there is none of this name here, or it is not to be called so.
        Forbidden: role or scopes do not allow it.
    """
    type, code = entry.type or "", entry.rest[0].removeprefix("$")
    one = CARRIED.get((type, code)) or CARRIED.get(("*", code))
    level = "t" if entry.id is None else "i"
    if one is None or len(entry.rest) > 1 or level not in one.levels or entry.method not in one.methods:
        raise NotSupported(
            "this operation is not carried out inside a bundle in this way; call it by itself", path=f"{entry.path}.request.url"
        )
    require(Who(store.actor), Action.WRITE_CLINICAL if one.writes else Action.READ_CLINICAL, type if (type, code) not in CARRIED else None)
    body = b"" if entry.method == "GET" or entry.resource is None else dumps(entry.resource)
    held, noted = store.looked, len(store.acts)
    store.looked = Looked()
    try:
        answer = one.act(site, store, type, entry.id or "", replace(call, body=body, media=FHIR_JSON))
        if len(store.acts) == noted:  # nothing that it does notes whose records it has read
            looks.listed(store, store.looked.people, f"{entry.method} /fhir/{type}/${code}")
    finally:
        store.looked = held
    return answer
