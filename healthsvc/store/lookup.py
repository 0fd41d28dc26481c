"""The short way to resources by an identifier or its end: one statement on the token index, without a search being planned."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from healthsvc.fhir.emit import GAPS
from healthsvc.fhir.json import Resource
from healthsvc.store.sealing.sealer import TAIL
from healthsvc.store.stored import Stored
from healthsvc.store.writes import LONGEST, run

if TYPE_CHECKING:
    from healthsvc.store.store import Store

CANDIDATES = 1000
"""Files with the same last digits that are looked at."""
_ENDING = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body FROM ix_token t JOIN resource r ON r.pk = t.pk "
    "WHERE t.param = ? AND t.code = ? ORDER BY r.pk LIMIT ?"
)
_HOLDING = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body FROM ix_token t JOIN resource r ON r.pk = t.pk "
    "WHERE t.param = ? AND t.system = ? AND t.code = ? ORDER BY r.pk"
)


def holding(store: "Store", type: str, identifiers: Iterable[tuple[str, str]]) -> list[Resource]:
    """Every resource of a type that carries one of these identifiers (system, value), each once, oldest first."""
    param = store.terms.find(f"{type}.identifier")
    found: dict[int, Stored] = {}
    sql = _HOLDING if store.connection.dialect.name == "sqlite" else _HOLDING.replace("?", "%s")
    sealer = store.database.sealer
    for system, value in identifiers:
        term = store.terms.find(system)
        if param is None or term is None:
            continue
        code = sealer.code(f"{type}.identifier", system, value[:LONGEST])
        for pk, id, version, updated, body in run(store.connection, sql, (param, term, code)).fetchall():
            if pk not in found:
                found[pk] = Stored(pk, type, id, version, updated, False, sealer.open_body(type, id, version, body))
    return [found[pk].resource for pk in sorted(found)]


def ending(store: "Store", digits: str, most: int) -> list[Resource]:
    """Up to ``most`` Patients one of whose identifiers or telephone numbers ends so, oldest first, of those that the actor may see.

    One step down an index of hashed endings; what a longer ending leaves out is seen in the files themselves.
    """
    param, code = store.terms.find(f"Patient.{TAIL}"), store.sealer.tail(digits)
    if param is None or code is None:
        return []
    sql = _ENDING if store.connection.dialect.name == "sqlite" else _ENDING.replace("?", "%s")
    found: list[Resource] = []
    for pk, id, version, updated, body in run(store.connection, sql, (param, code, CANDIDATES)).fetchall():
        stored = Stored(pk, "Patient", id, version, updated, False, store.opened("Patient", id, version, body))
        if _ends(resource := stored.resource, digits.upper()) and store.sees(stored):
            found.append(resource)
        if len(found) == most:
            break
    return found


def _ends(patient: Resource, digits: str) -> bool:
    numbers = [one.get("value", "") for part in ("identifier", "telecom") for one in patient.get(part, ())]
    return any(number.upper().endswith(digits) or number.translate(GAPS).upper().endswith(digits) for number in numbers)
