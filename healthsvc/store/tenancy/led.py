"""Where tables are laid out by county, the directory leads to the one partition that has a resource."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection

from healthsvc.errors import Unavailable
from healthsvc.store.driver import run
from healthsvc.store.postgres import COLLISION

MOVES: Final = 3
"""So often a record may be moved between two questions."""
_WHERE: Final = "SELECT pk, part FROM directory WHERE type=%s AND id=%s"


def led(connection: Connection, term: int, id: str, ask: Callable[[int, int], Any]) -> Any:
    """What ``ask(pk, part)`` finds in the partition of a resource (the term of its type, its id); None: there never was one.

    Who is moved away between the two questions is looked for anew.

    Raises:
        Unavailable: it is moved again and again.
    """
    for _ in range(MOVES):
        found = run(connection, _WHERE, (term, id)).fetchone()
        if found is None:
            return None
        row = ask(found[0], found[1])
        if row is not None:
            return row
    raise Unavailable("this record is being moved to another county; try again", reason=COLLISION)
