"""The short way to resources by an identifier or its end: one statement on the token index, without a search being planned."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from healthsvc.fhir.emit import GAPS
from healthsvc.fhir.json import Resource
from healthsvc.store.driver import for_driver
from healthsvc.store.sealing.sealer import TAIL
from healthsvc.store.seen import UNSEEN
from healthsvc.store.stored import Stored
from healthsvc.store.writes import LONGEST, run

if TYPE_CHECKING:
    from healthsvc.store.store import Store

CANDIDATES = 1000
"""Files with the same last digits that are looked at."""
_ENDING = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body, r.hash, r.part FROM ix_token t JOIN resource r ON r.pk = t.pk "
    "WHERE t.param = ? AND t.code = ? ORDER BY r.pk LIMIT ?"
)
_HOLDING = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body, r.hash, r.part FROM ix_token t JOIN resource r ON r.pk = t.pk "
    "WHERE t.param = ? AND t.system = ? AND t.code = ? ORDER BY r.pk"
)
_HOLDING_TOGETHER = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body, r.hash, r.part FROM unnest(%s::int[], %s::text[]) AS n (system, code) "
    "JOIN ix_token t ON t.param = %s AND t.system = n.system AND t.code = n.code JOIN resource r ON r.pk = t.pk AND r.part = t.part"
)
"""The same for many identifiers: on a server each statement is a way there and back."""
_HOLDING_OF = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body, r.hash, r.part "
    "FROM ix_reference x CROSS JOIN ix_token t ON t.pk = x.pk CROSS JOIN resource r ON r.pk = x.pk "
    "WHERE x.param = ? AND x.target IN ({files}) AND t.param = ? AND t.system = ? AND t.code = ? ORDER BY r.pk"
)
"""CROSS JOIN keeps SQLite to this order: it too takes a number for rare, and would look through everybody who has it."""
_HOLDING_OF_THERE = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body, r.hash, r.part "
    "FROM ix_reference x JOIN resource r ON r.pk = x.pk AND r.part = x.part "
    "WHERE x.param = %s AND x.target = ANY(%s) AND EXISTS (SELECT 1 FROM ix_token t "
    "WHERE t.param = %s AND t.system = %s AND t.code = %s AND t.pk = x.pk AND t.part = x.part OFFSET 0) ORDER BY r.pk"
)
"""The same on a server, which would begin at the number and look through everybody who has it, too: a hospital may number each person's
stays from 1. OFFSET 0 keeps it to this order."""
_IS_HELD = (
    "SELECT 1 FROM ix_token t JOIN resource r ON r.pk = t.pk WHERE t.param = ? AND t.system = ? AND t.code = ? AND r.id LIKE ? LIMIT 1"
)
_LATEST = (
    "SELECT r.pk, r.id, r.version, r.updated, r.body, r.hash, r.part FROM ix_token t JOIN resource r ON r.pk = t.pk "
    "WHERE t.param = ? AND t.system = ? AND t.code = ? ORDER BY t.pk DESC LIMIT ?"
)
_POINTING = "SELECT r.id FROM ix_reference x JOIN resource r ON r.pk = x.pk WHERE x.param = ? AND x.target = ? ORDER BY r.pk"


def holding(store: "Store", type: str, identifiers: Iterable[tuple[str, str]]) -> list[Resource]:
    """Every resource of a type that carries one of these identifiers (system, value), each once, oldest first."""
    known = [one for system, value in identifiers if (one := _term(store, type, system, value)) is not None]
    found: dict[int, Sequence[Any]] = {}
    if store.connection.dialect.name == "sqlite":
        for one in known:
            found.update((row[0], row) for row in run(store.connection, _HOLDING, one).fetchall())
    elif known:
        params, systems, codes = zip(*known, strict=True)
        rows = run(store.connection, _HOLDING_TOGETHER, (list(systems), list(codes), params[0])).fetchall()
        found.update((row[0], row) for row in rows)
    return [_stored(store, type, found[pk]).resource for pk in sorted(found)]


def holding_of(store: "Store", type: str, identifier: tuple[str, str], patients: Sequence[str]) -> list[Resource]:
    """Every resource of a type that carries an identifier and is about one of these Patients (ids), oldest first.

    However many others carry it: a hospital may number each person's stays from 1.
    """
    known, about = _term(store, type, *identifier), store.terms.find(f"{type}.patient")
    if known is None or about is None:
        return []
    if store.connection.dialect.name == "sqlite":
        sql = _HOLDING_OF.format(files=", ".join("?" * len(patients)))
        found = run(store.connection, sql, (about, *patients, *known)).fetchall()
    else:
        found = run(store.connection, _HOLDING_OF_THERE, (about, list(patients), *known)).fetchall()
    return [_stored(store, type, row).resource for row in {row[0]: row for row in found}.values()]


def latest(store: "Store", type: str, identifier: tuple[str, str], most: int) -> list[Resource]:
    """Of the resources of a type that carry an identifier the ``most`` that were filed last, newest first, however many there are."""
    known = _term(store, type, *identifier)
    if known is None:
        return []
    return [_stored(store, type, row).resource for row in run(store.connection, for_driver(store.connection, _LATEST), (*known, most))]


def pointing(store: "Store", type: str, name: str, target: str) -> list[str]:
    """Ids of the resources of a type one of whose references (by its search parameter) names this id, oldest first."""
    param = store.terms.find(f"{type}.{name}")
    if param is None:
        return []
    return [str(row[0]) for row in run(store.connection, for_driver(store.connection, _POINTING), (param, target)).fetchall()]


def is_held(store: "Store", type: str, identifier: tuple[str, str], prefix: str) -> bool:
    """Whether any resource of a type whose id begins so carries an identifier."""
    known = _term(store, type, *identifier)
    if known is None:
        return False
    return run(store.connection, for_driver(store.connection, _IS_HELD), (*known, f"{prefix}%")).fetchone() is not None


def _term(store: "Store", type: str, system: str, value: str) -> tuple[int, int, str] | None:
    """How the token index writes an identifier: parameter, system, code; None where none of the kind is on file."""
    param, term = store.terms.find(f"{type}.identifier"), store.terms.find(system)
    if param is None or term is None:
        return None
    return param, term, store.sealer.code(f"{type}.identifier", system, value[:LONGEST])


def _stored(store: "Store", type: str, row: Sequence[Any]) -> Stored:
    """A row of these statements, opened; it is the current version, so a transaction that has the database to itself reads it no more."""
    pk, id, version, updated, body, hash, part = row
    known = store.seen.get(type, id)
    if known is not None and known is not UNSEEN and known[0].version == version:
        return known[0]
    stored = Stored(pk, type, id, version, updated, False, store.opened(type, id, version, body), part)
    store.seen.learn(type, id, (stored, hash), held=False)
    return stored


def ending(store: "Store", digits: str, most: int) -> list[Resource]:
    """Up to ``most`` Patients one of whose identifiers or telephone numbers ends so, oldest first, of those that the actor may see.

    One step down an index of hashed endings; what a longer ending leaves out is seen in the files themselves.
    """
    param, code = store.terms.find(f"Patient.{TAIL}"), store.sealer.tail(digits)
    if param is None or code is None:
        return []
    sql, found = for_driver(store.connection, _ENDING), list[Resource]()
    for row in run(store.connection, sql, (param, code, CANDIDATES)).fetchall():
        stored = _stored(store, "Patient", row)
        if _ends(resource := stored.resource, digits.upper()) and store.sees(stored):
            found.append(resource)
        if len(found) == most:
            break
    return found


def _ends(patient: Resource, digits: str) -> bool:
    numbers = [one.get("value", "") for part in ("identifier", "telecom") for one in patient.get(part, ())]
    return any(number.upper().endswith(digits) or number.translate(GAPS).upper().endswith(digits) for number in numbers)
