"""After an upgrade: resources whose index entries mean more than before are indexed anew, in steps that a killed process goes on with.

Add an edition that names the types when a search parameter or the compartment of a type changes: what is not indexed anew would be found
by nobody, or seen by everybody.
"""

from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from healthsvc.fhir.json import loads
from healthsvc.store import writes
from healthsvc.store.changes import move, place
from healthsvc.store.stored import bare_of
from healthsvc.store.terms import OpenTerms

if TYPE_CHECKING:
    from healthsvc.store.engine import Database

EDITIONS: Final[dict[int, tuple[str, ...]]] = {1: ("Binary", "Device", "GuidanceResponse")}
"""Edition -> the types whose entries changed with it. 1: they are seen with the person whose they are."""
PORTION: Final = 500
_EDITION: Final = "index edition"
_AT: Final = "index edition at"


def bring_up_to_date(database: "Database") -> None:
    """Index anew what older releases have indexed otherwise; nothing happens where that is done."""
    newest = max(EDITIONS)
    with database.engine.connect() as connection:
        known = place(connection, _EDITION)
    if known == newest:
        return
    while not _portion(database, newest):
        pass


def _portion(database: "Database", newest: int) -> bool:
    with database.plainly() as connection:
        known, at = place(connection, _EDITION) or 0, place(connection, _AT) or 0
        terms = OpenTerms(database.terms, connection)
        types = {type for edition, names in EDITIONS.items() if edition > known for type in names}
        ids = {term: type for type in types if (term := terms.find(type)) is not None}
        current = writes.RESOURCE
        wanted = select(current).where(current.c.pk > at, current.c.type.in_(ids), ~current.c.deleted).order_by(current.c.pk).limit(PORTION)
        rows = connection.execute(wanted).all()
        for row in rows:
            resource = loads(database.sealer.open_body(ids[row.type], row.id, row.version, row.body))
            writes.clear_index(connection, row.pk)
            writes.write_index(connection, terms, ids[row.type], row.pk, database.extract(bare_of(resource)))
        is_last = len(rows) < PORTION
        move(connection, _AT, 0 if is_last else rows[-1].pk)
        if is_last:
            move(connection, _EDITION, newest)
    terms.commit()
    return is_last
