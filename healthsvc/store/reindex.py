"""After an upgrade: resources whose index entries mean more than before are indexed anew, in steps that a killed process goes on with.

Add an edition that names the types when a search parameter or the compartment of a type changes: what is not indexed anew would be found
by nobody, or seen by everybody. Such an edition is brought in before the database opens. What only makes a search quicker
(:mod:`healthsvc.fhir.derived`) is in :data:`QUICKER`: the service starts and answers, a search looks at the resources themselves until
the snapshot that it reads says that all of them are indexed, and a process that serves does the work beside its requests.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection, func, select

from healthsvc.fhir import derived
from healthsvc.fhir.json import reread
from healthsvc.store import writes
from healthsvc.store.changes import move, place
from healthsvc.store.driver import for_driver, run
from healthsvc.store.stored import bare_of
from healthsvc.store.terms import TERM, OpenTerms

if TYPE_CHECKING:
    from healthsvc.store.engine import Database
    from healthsvc.store.store import Store

EDITIONS: Final[dict[int, tuple[str, ...]]] = {
    1: ("Binary", "Device", "GuidanceResponse"),
    2: tuple(sorted({*derived.ABSENCE, *(type for type, _ in derived.INSIDE)})),
    3: ("Consent",),
    4: ("Condition", "DiagnosticReport", "Encounter", "MedicationRequest", "Observation", "Task"),
}
"""Edition -> the types whose entries changed with it. 1: they are seen with the person whose they are. 2: what they lack is kept, and what
stands inside of names. 3: whether it permits or denies. 4: as 2, of more parameters."""
QUICKER: Final = frozenset({2, 4})
"""Editions without which every search finds the same, only later."""
PORTION = 500
BESIDE: Final = 100
"""Resources of a portion beside requests: on SQLite they wait for it (about 0.05 s)."""
_EDITION: Final = "index edition"
_NEEDED: Final = "index edition needed"
"""As the first, for the editions without which a search would go wrong."""
_FROM: Final = "index edition at "
"""How far a run towards an edition has come: another edition has other types, so its run is another one."""
_CURRENT: Final = writes.RESOURCE


class Portion(NamedTuple):
    """One step of a run: how many resources were indexed, and whether it was the last."""

    done: int
    is_last: bool


def bring_up_to_date(database: "Database") -> None:
    """Index anew what older releases have indexed so that a search would go wrong; nothing happens where that is done.

    What would only be slower is left to :func:`step`, unless little is stored.
    """
    with database.engine.connect() as connection:
        known, needed = place(connection, _EDITION) or 0, place(connection, _NEEDED) or 0
    if known < max(EDITIONS):
        while needed < max(EDITIONS) and not _portion(database, _NEEDED, max(known, needed), frozenset(EDITIONS) - QUICKER, PORTION):
            pass
        known = known if step(database, PORTION) else max(EDITIONS)
    database.index_is_current = known == max(EDITIONS)


def step(database: "Database", size: int = BESIDE) -> bool:
    """Index a portion of what is only slower without it, in a transaction of its own; True where there is more.

    Where a process is killed the next goes on; where several do it, some is done twice.
    """
    with database.engine.connect() as connection:
        known = place(connection, _EDITION) or 0
    return known < max(EDITIONS) and not _portion(database, _EDITION, known, frozenset(EDITIONS), size)


def is_current(store: "Store") -> bool:
    """Whether everything that the snapshot of a transaction holds is indexed as this release does it.

    It is asked of the snapshot itself: another process may have finished a moment ago, and this transaction not see it.
    """
    if store.database.index_is_current:  # it was so before this process had a transaction
        return True
    asked = for_driver(store.connection, "SELECT seq FROM reader_place WHERE reader = ?")
    found = run(store.connection, asked, (_EDITION,)).fetchone()
    return found is not None and int(found[0]) >= max(EDITIONS)


def steps(database: "Database", types: Collection[str], *, anew: bool = False) -> Iterator[Portion]:
    """Index anew the resources of some types (none: all), beside whoever works with the store: one bounded transaction for each step.

    A run that was ended begins again where it stopped; ``anew``: from the beginning. For a search parameter that was added, and where the
    index is not trusted.
    """
    reader = f"reindex {' '.join(sorted(types)) or 'all'}"
    if anew:
        with database.plainly() as connection:
            move(connection, reader, 0)
    while True:
        with database.plainly() as connection:
            at, terms = place(connection, reader) or 0, OpenTerms(database.terms, connection)
            known = set(types) or set(_stored_types(connection))
            done, last = _index(database, connection, terms, known, at, PORTION)
            move(connection, reader, last)
        terms.commit()
        yield Portion(done, last == 0)
        if last == 0:
            return


def how_many(database: "Database", types: Collection[str]) -> int:
    """How many resources a run from the beginning would index."""
    with database.engine.connect() as connection:
        terms = OpenTerms(database.terms, connection)
        known = [term for one in types or _stored_types(connection) if (term := terms.find(one)) is not None]
        living = select(func.count()).select_from(_CURRENT).where(_CURRENT.c.type.in_(known), ~_CURRENT.c.deleted)
        return int(connection.execute(living).scalar_one())


def _stored_types(connection: Connection) -> list[str]:
    used = select(_CURRENT.c.type).distinct().scalar_subquery()
    return list(connection.execute(select(TERM.c.text).where(TERM.c.id.in_(used))).scalars())


def _portion(database: "Database", reader: str, known: int, wanted: Collection[int], size: int) -> bool:
    """One step towards the newest edition; whether it was the last."""
    newest = max(EDITIONS)
    at = f"{_FROM}{reader}, {newest}"
    with database.plainly() as connection:
        terms = OpenTerms(database.terms, connection)
        types = {type for edition, names in EDITIONS.items() if edition > known and edition in wanted for type in names}
        _, last = _index(database, connection, terms, types, place(connection, at) or 0, size)
        move(connection, at, last)
        if last == 0:
            move(connection, reader, newest)
    terms.commit()
    return last == 0


def _index(
    database: "Database", connection: Connection, terms: OpenTerms, types: Collection[str], after: int, size: int
) -> tuple[int, int]:
    """Index the next resources after a key; how many, and the last key (0: there are no more). PostgreSQL holds their rows meanwhile."""
    ids = {term: type for type in types if (term := terms.find(type)) is not None}
    wanted = select(_CURRENT).where(_CURRENT.c.pk > after, _CURRENT.c.type.in_(ids), ~_CURRENT.c.deleted)
    rows = connection.execute(wanted.order_by(_CURRENT.c.pk).limit(size).with_for_update()).all()
    for row in rows:
        resource = reread(database.sealer.open_body(ids[row.type], row.id, row.version, row.body))
        writes.clear_index(connection, row.pk, row.part)
        writes.write_index(connection, terms, ids[row.type], row.pk, database.extract(bare_of(resource)), part=row.part)
    return len(rows), 0 if len(rows) < size else rows[-1].pk
