"""After an upgrade: resources whose index entries mean more than before are indexed anew, in steps that a killed process goes on with.

Add an edition that names the types when a search parameter or the compartment of a type changes: what is not indexed anew would be found
by nobody, or seen by everybody.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection, func, select

from healthsvc.fhir import derived
from healthsvc.fhir.json import reread
from healthsvc.store import writes
from healthsvc.store.changes import move, place
from healthsvc.store.stored import bare_of
from healthsvc.store.terms import TERM, OpenTerms

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

EDITIONS: Final[dict[int, tuple[str, ...]]] = {
    1: ("Binary", "Device", "GuidanceResponse"),
    2: tuple(sorted({*derived.ABSENCE, *(type for type, _ in derived.INSIDE)})),
    3: ("Consent",),
}
"""Edition -> the types whose entries changed with it. 1: they are seen with the person whose they are. 2: what they lack is kept, and what
stands inside of names. 3: whether it permits or denies."""
PORTION: Final = 500
_EDITION: Final = "index edition"
_AT: Final = "index edition at"
_CURRENT: Final = writes.RESOURCE


class Portion(NamedTuple):
    """One step of a run: how many resources were indexed, and whether it was the last."""

    done: int
    is_last: bool


def bring_up_to_date(database: "Database") -> None:
    """Index anew what older releases have indexed otherwise; nothing happens where that is done."""
    newest = max(EDITIONS)
    with database.engine.connect() as connection:
        known = place(connection, _EDITION)
    if known == newest:
        return
    while not _portion(database, newest):
        pass


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
            done, last = _index(database, connection, terms, known, at)
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


def _portion(database: "Database", newest: int) -> bool:
    with database.plainly() as connection:
        known, at = place(connection, _EDITION) or 0, place(connection, _AT) or 0
        terms = OpenTerms(database.terms, connection)
        types = {type for edition, names in EDITIONS.items() if edition > known for type in names}
        _, last = _index(database, connection, terms, types, at)
        move(connection, _AT, last)
        if last == 0:
            move(connection, _EDITION, newest)
    terms.commit()
    return last == 0


def _index(database: "Database", connection: Connection, terms: OpenTerms, types: Collection[str], after: int) -> tuple[int, int]:
    """Index the next resources after a key; how many, and the last key (0: there are no more). PostgreSQL holds their rows meanwhile."""
    ids = {term: type for type in types if (term := terms.find(type)) is not None}
    wanted = select(_CURRENT).where(_CURRENT.c.pk > after, _CURRENT.c.type.in_(ids), ~_CURRENT.c.deleted)
    rows = connection.execute(wanted.order_by(_CURRENT.c.pk).limit(PORTION).with_for_update()).all()
    for row in rows:
        resource = reread(database.sealer.open_body(ids[row.type], row.id, row.version, row.body))
        writes.clear_index(connection, row.pk, row.part)
        writes.write_index(connection, terms, ids[row.type], row.pk, database.extract(bare_of(resource)), part=row.part)
    return len(rows), 0 if len(rows) < PORTION else rows[-1].pk
