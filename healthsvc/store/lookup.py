"""The short way to resources by an identifier: one statement on the token index, without a search being planned."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from healthsvc.fhir.json import Resource
from healthsvc.store.stored import Stored
from healthsvc.store.writes import LONGEST, run

if TYPE_CHECKING:
    from healthsvc.store.store import Store

_HOLDING = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body FROM ix_token t JOIN resource r ON r.pk = t.pk "
    "WHERE t.param = ? AND t.system = ? AND t.code = ? ORDER BY r.pk"
)


def holding(store: "Store", type: str, identifiers: Iterable[tuple[str, str]]) -> list[Resource]:
    """Every resource of a type that carries one of these identifiers (system, value), each once, oldest first."""
    param = store.terms.find(f"{type}.identifier")
    found: dict[int, Stored] = {}
    sql = _HOLDING if store.connection.dialect.name == "sqlite" else _HOLDING.replace("?", "%s")
    for system, value in identifiers:
        term = store.terms.find(system)
        if param is None or term is None:
            continue
        for pk, id, version, updated, body in run(store.connection, sql, (param, term, value[:LONGEST])).fetchall():
            found.setdefault(pk, Stored(pk, type, id, version, updated, False, body))
    return [found[pk].resource for pk in sorted(found)]
