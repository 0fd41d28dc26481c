"""Which partitions a read asks: those of the people whom its actor may see, or of the person it is about, and the common one.

A statement names its tables without a word of parts; here each of them becomes "that table, in these parts", and rows of one resource are
joined within one part, so that PostgreSQL rules the other partitions out before it opens them.
"""

import re
import time
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection

from healthsvc.store.driver import run
from healthsvc.store.tables import HOT
from healthsvc.store.tenancy import home

if TYPE_CHECKING:
    from healthsvc.store.store import Store

LOOK_SECONDS: Final = 5.0
"""So often a process looks whether the tables have been laid out meanwhile; until it knows, it asks every partition."""
Parts = tuple[int, ...]
_TABLE: Final = re.compile(rf"\b(FROM|JOIN) ({'|'.join(HOT)})\b(?: (?!WHERE\b|ON\b|CROSS\b|JOIN\b|LEFT\b|ORDER\b|LIMIT\b|GROUP\b)(\w+))?")
_SAME: Final = re.compile(r"\b(\w+)\.pk ?= ?(\w+)\.pk\b")
_AREAS: Final = """
SELECT h.part FROM tenant_home h WHERE h.organization IN (
WITH RECURSIVE tree(id) AS (
  SELECT CAST(unnest(CAST(%(areas)s AS varchar[])) AS varchar) COLLATE "C"
  UNION
  SELECT CAST(r.id AS varchar) COLLATE "C" FROM tree
  JOIN ix_reference x ON x.part = 0 AND x.param = %(above)s AND x.target = tree.id AND x.target_type = %(organization)s
  JOIN resource r ON r.part = 0 AND r.pk = x.pk AND NOT r.deleted
) SELECT id FROM tree)
"""
_PEOPLE: Final = "SELECT part FROM directory WHERE type = %(patient)s AND id = ANY(%(people)s)"
_MINE: Final = """
SELECT t.number FROM tenant t CROSS JOIN LATERAL (
  SELECT 1 FROM ix_reference x
  WHERE x.part = t.number AND x.param = ANY(%(params)s) AND x.target = %(me)s AND x.target_type = %(kind)s LIMIT 1
) f WHERE t.number > 0
UNION
SELECT d.part FROM ix_reference x
JOIN ix_reference c ON c.part = 0 AND c.pk = x.pk AND c.param IN (SELECT id FROM term WHERE text LIKE '%%.#patient')
JOIN directory d ON d.type = %(patient)s AND d.id = c.target COLLATE "default"
WHERE x.part = 0 AND x.param = ANY(%(params)s) AND x.target = %(me)s AND x.target_type = %(kind)s
"""


class Laid:
    """Whether the tables are laid out, as far as this process knows; they stay so."""

    def __init__(self) -> None:
        self._is = False
        self._look = 0.0
        self._since = 0.0

    def out(self, connection: Connection) -> bool:
        """Whether they are."""
        if not self._is and connection.dialect.name == "postgresql" and time.monotonic() >= self._look:
            self._look = time.monotonic() + LOOK_SECONDS
            self._is = home.is_laid_out(connection)
            self._since = time.monotonic()
        return self._is

    def just_now(self, seconds: float) -> bool:
        """Whether that is known for so short a time only that another server may not have heard of it."""
        return self._is and time.monotonic() - self._since < seconds


class Reach(NamedTuple):
    """What leads from an actor to the people whom they may see."""

    areas: tuple[str, ...]
    """Ids of Organizations whose people they look after, with all that are below."""
    people: tuple[str, ...]
    """Ids of Patients."""
    me: tuple[str, str] | None
    """Type and id of the actor, to whom records refer by these parameters:"""
    params: tuple[str, ...]


def visible(store: "Store") -> Parts | None:
    """The parts where everything is that the actor of a reading transaction may see; None: anywhere."""
    if store.reach is None or store.restrict is None or store.writable:
        return None
    if store.parts is None:
        store.parts = _visible(store, store.reach)
    return store.parts


def _visible(store: "Store", reach: Reach) -> Parts:
    find = store.terms.find
    params = [term for one in reach.params if (term := find(one)) is not None]
    asked = [
        *([_AREAS] if reach.areas else []),
        *([_PEOPLE] if reach.people else []),
        *([_MINE] if reach.me and params else []),
    ]
    if not asked:
        return (0,)
    kind, me = reach.me or ("", "")
    terms = {"patient": find("Patient"), "organization": find("Organization"), "above": find("Organization.partof"), "kind": find(kind)}
    values = {**terms, "areas": list(reach.areas), "people": list(reach.people), "params": params, "me": me}
    return _parts(row[0] for row in run(store.connection, " UNION ".join(f"({one})" for one in asked), values).fetchall())


def of_people(store: "Store", people: Collection[str]) -> Parts | None:
    """The parts where everything is that is about these persons; None: the tables are not laid out."""
    if not store.database.laid.out(store.connection):
        return None
    values = {"patient": store.terms.find("Patient"), "people": list(people)}
    return _parts(row[0] for row in run(store.connection, _PEOPLE, values).fetchall())


def _parts(found: Iterable[int]) -> Parts:
    return tuple(sorted({0, *found}))


@lru_cache(maxsize=4096)
def within(sql: str, parts: Parts | None) -> str:
    """A statement that asks these parts alone (None: all), and joins rows of one resource within its part."""
    tables = {alias or table for _, table, alias in _TABLE.findall(sql)}
    joined = _SAME.sub(lambda found: _joined(found, tables), sql)
    if parts is None:
        return joined
    known = f"part = {parts[0]}" if len(parts) == 1 else f"part IN ({', '.join(map(str, parts))})"
    return _TABLE.sub(lambda found: f"{found[1]} (SELECT * FROM {found[2]} WHERE {known}) {found[3] or found[2]}", joined)  # noqa: S608


def _joined(found: "re.Match[str]", tables: set[str]) -> str:
    one, other = found[1], found[2]
    return f"{found[0]} AND {one}.part={other}.part" if {one, other} <= tables else found[0]
