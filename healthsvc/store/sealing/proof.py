"""Whether everything that is sealed opens: asked of what a backup brought back, where a flipped byte in a table or a key would show."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, text

from healthsvc.errors import Unavailable
from healthsvc.store.sealing.reseal import WALKS, Walk
from healthsvc.store.sealing.sealer import MARK, Sealer

_AT_ONCE: Final = 1000
"""Rows that are fetched together."""


def shut(connection: Connection, sealer: Sealer) -> list[str]:
    """The columns with values that do not open, one sentence each, with the reason of the first; walks the whole tables."""
    names: dict[int, str] = {row.id: row.text for row in connection.execute(text("SELECT id, text FROM term"))}
    found = []
    for walk in WALKS:
        sealed, failed, first = 0, 0, ""
        for kept, what in _sealed(connection, walk, names):
            sealed += 1
            try:
                sealer.open(kept, what)
            except Unavailable as error:
                failed, first = failed + 1, first or error.text
        if failed:
            found.append(f"{walk.name}: {failed} of {sealed} sealed values do not open: {first}")
    return found


def _sealed(connection: Connection, walk: Walk, names: dict[int, str]) -> Iterator[tuple[bytes, str]]:
    for row in connection.execute(walk.rows, execution_options={"yield_per": _AT_ONCE}):
        kept: Any = getattr(row, walk.column.name)
        if kept and (walk.bare or kept[:1] == MARK):
            yield (MARK + kept if walk.bare else kept), walk.what(row, names.__getitem__)
