"""What a search needs of an open transaction: interned terms, rows, and how many of them a condition would give."""

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self

from healthsvc.store.driver import for_driver, run
from healthsvc.store.search import ast
from healthsvc.store.search.leaf import TABLES, Piece, all_of, among
from healthsvc.store.stored import Stored
from healthsvc.store.tenancy.led import led
from healthsvc.store.tenancy.within import Parts, visible, within
from healthsvc.store.writes import spoken

if TYPE_CHECKING:
    from healthsvc.store.engine import Database
    from healthsvc.store.search.sql import Writer
    from healthsvc.store.store import Store

CEILING = 4000
"""Rows that an estimate counts at most (about 0.2 ms); more is "many"."""
FEW = 1500
"""A chain whose inner end has at most so many resources is worth counting."""
PROBED = 300
"""So many candidates are tested one by one: as quick as reading thousands of entries beside them."""
STREAMED = 32_000
"""Index entries that are read beside others in the order of pk, rather than looked up one by one (about 0.1 µs each, a probe 1.3)."""
USES = 64
"""An estimate is made anew after so many uses: it only chooses between ways to the same answer."""
REMEMBERED = 4096
_CURRENT = (
    "SELECT pk, version, updated, deleted, body, part, (SELECT x.target FROM ix_reference x WHERE x.pk=resource.pk AND x.param=? LIMIT 1) "
    "FROM resource WHERE type=? AND id=?"
)
_PATIENT = "SELECT target FROM ix_reference WHERE pk=? AND param=? LIMIT 1"
COLUMNS = "r.pk, r.type, r.id, r.version, r.updated, r.body"

_ESTIMATES: "weakref.WeakKeyDictionary[Database, OrderedDict[Any, list[int]]]" = weakref.WeakKeyDictionary()


class Rows:
    """Reads rows through one transaction."""

    def __init__(self, store: "Store", restrict: ast.Restrict | None = None) -> None:
        """``restrict``: what is read is narrowed by it; where that is at most what the actor may see, other partitions are not asked."""
        self.laid = store.database.laid.out(store.connection)
        most = restrict.base if isinstance(restrict, ast.Narrower) else restrict
        self.parts = visible(store) if self.laid and most is not None and most is store.restrict else None
        """The partitions that are asked; None: all of them."""
        self.term, self._look_up = store.terms.find, store.terms.look_up
        self._text = store.terms.text
        self._connection = store.connection
        self._sealer = store.database.sealer
        self.codes = self._sealer.codes
        self.postgres = store.connection.dialect.name == "postgresql"
        self._collate = ' COLLATE "C"' if self.postgres else ""
        self._estimates = _ESTIMATES.setdefault(store.database, OrderedDict())

    def run(self, sql: str, args: Sequence[Any], *, anew: bool = True, part: int | None = None) -> Sequence[Any]:
        """All rows of a statement with ``?`` marks; ``anew``: planned for these very values; ``part``: where what it asks about is."""
        known = within(sql, self.parts if part is None else (part,)) if self.laid else sql
        found: Sequence[Any] = run(self._connection, for_driver(self._connection, known), tuple(args), anew=anew).fetchall()
        return found

    def about(self, parts: Parts | None) -> Self:
        """The same, asking these partitions alone, unless fewer are asked already (None: it stays as it is)."""
        if parts is None or self.parts is not None:
            return self
        other = copy(self)
        other.parts = parts
        return other

    def terms(self, texts: Sequence[str]) -> list[int]:
        """The interned ids of those texts that have one."""
        self._look_up(texts)
        return [term for term in map(self.term, texts) if term is not None]

    def params(self, params: Sequence[str]) -> list[int]:
        """The ids of parameters; ``Type.param$*|code`` and ``Type.param$*`` stand for all names of composites of that form."""
        found: list[int] = []
        self._look_up(one for one in params if "$*" not in one)
        for one in params:
            head, star, tail = one.partition("$*")
            if star:
                rows = self.run("SELECT id, text FROM term WHERE text>=? AND text<?", (f"{head}$", f"{head}%"))
                found += [row[0] for row in rows if row[1].endswith(tail)]
            elif (term := self.term(one)) is not None:
                found.append(term)
        return found

    def units(self, called: str) -> list[str]:
        """The codes of units that are called so."""
        head = spoken(called, "")
        sql = f"SELECT text FROM term WHERE text>=?{self._collate} AND text<?{self._collate}"
        return [str(row[0])[len(head) :] for row in self.run(sql, (head, head[:-1] + chr(ord("|") + 1)))]

    def current(self, type: str, id: str) -> Stored | None:
        """The current version of a resource, a deletion too."""
        found = self.with_patient(type, id)
        return found and found[0]

    def with_patient(self, type: str, id: str) -> tuple[Stored, str | None] | None:
        """The same and, in one probe, the id of the Patient in whose compartment it is (:meth:`patient`)."""
        term, param = self.term(type), self.term(f"{type}.{ast.COMPARTMENT}")
        if term is None:
            return None
        found = self._current((-1 if param is None else param, term, id))
        if found is None:
            return None
        pk, version, updated, deleted, body, part, patient = found
        stored = Stored(pk, type, id, version, updated, bool(deleted), self._sealer.open_body(type, id, version, body), part)
        return stored, id if type == "Patient" else patient

    def _current(self, asked: tuple[int, int, str]) -> Any:
        """The row of ``_CURRENT``."""
        if not self.laid:
            return next(iter(self.run(_CURRENT, asked, anew=False)), None)
        return led(self._connection, *asked[1:], lambda _, part: next(iter(self.run(_CURRENT, asked, anew=False, part=part)), None))

    def patient(self, stored: Stored) -> str | None:
        """The id of the Patient in whose compartment a resource is (the first, if there are several)."""
        if stored.type == "Patient":
            return stored.id
        param = self.term(f"{stored.type}.{ast.COMPARTMENT}")
        found = [] if param is None else self.run(_PATIENT, (stored.pk, param), part=stored.part)
        return str(found[0][0]) if found else None

    def stored(self, row: Any) -> Stored:
        """A row of :data:`COLUMNS`."""
        type = self._text(row[1])
        return Stored(row[0], type, row[2], row[3], row[4], False, self._sealer.open_body(type, row[2], row[3], row[5]))

    # -- estimates --------------------------------------------------------------------------------------------------------------

    def rarest(self, writer: "Writer", nodes: Sequence[ast.Node], types: Sequence[str]) -> ast.Node | None:
        """The node that selects the fewest rows; None if none can be a source."""
        if len(nodes) == 1:
            return nodes[0]
        sized = [
            (self.size(writer, one, types), place)
            for place, one in enumerate(nodes)
            if not isinstance(one, (ast.Not, ast.OfType, ast.Near))
        ]
        return nodes[min(sized)[1]] if sized else None

    def size(self, writer: "Writer", node: ast.Node, types: Sequence[str]) -> int:
        """About how many rows a node selects, at most :data:`CEILING`."""
        match node:
            case ast.All(nodes=nodes):
                return min((self.size(writer, one, types) for one in nodes), default=CEILING)
            case ast.Any(nodes=nodes):
                return min(CEILING, sum(self.size(writer, one, types) for one in nodes))
            case ast.Not() | ast.OfType() | ast.Near():
                return CEILING
            case ast.Whole(node=inner):
                with writer.whole():
                    return self.size(writer, inner, types)
            case ast.Ids(ids=ids):
                return len(ids)
            case ast.Exactly(pks=pks):
                return len(pks)
        key = (node, tuple(types), writer.restrict is None, self.parts)
        kept = self._estimates.get(key)
        if kept is not None and kept[1] > 0:
            kept[1] -= 1
            return kept[0]
        found = self._count(writer, node, types)
        self._estimates[key] = [found, USES]
        if len(self._estimates) > REMEMBERED:
            self._estimates.popitem(last=False)
        return found

    def beside(self, writer: "Writer", first: ast.Node, nodes: Sequence[ast.Node], types: Sequence[str]) -> list[ast.Node]:
        """The conditions whose entries are read beside those of the first, where these are too many to be tested one by one."""
        if self.size(writer, first, types) < PROBED:
            return []
        return [one for one in nodes if one is not first and self.streams(writer, one, types)]

    def streams(self, writer: "Writer", node: ast.Node, types: Sequence[str]) -> bool:
        """Whether a leaf has so few entries that reading all of them is cheaper than probing for thousands."""
        if not isinstance(node, tuple(TABLES)):
            return False
        key = ("streams", node, tuple(types), writer.restrict is None)
        kept = self._estimates.get(key)
        if kept is None or kept[1] <= 0:
            source = writer.source(node, types)
            kept = [STREAMED if source is None else self._bounded(source, STREAMED), USES]
            self._estimates[key] = kept
        kept[1] -= 1
        return kept[0] < STREAMED

    def _count(self, writer: "Writer", node: ast.Node, types: Sequence[str]) -> int:
        if isinstance(node, (ast.Chained, ast.Referred)):
            inner = (node.target,) if isinstance(node, ast.Chained) else (node.source,)
            if self.size(writer, writer.allowed(inner[0], node.inner), inner) > FEW:
                return CEILING
        if isinstance(node, ast.Dates) and node.op in ("ap", "eb", "ne"):
            return CEILING
        if isinstance(node, tuple(TABLES)):
            return self._count_leaf(writer, node, types)
        source = writer.source(node, types)
        return CEILING if source is None else self._bounded(source)

    def _count_leaf(self, writer: "Writer", node: Any, _types: Sequence[str]) -> int:
        params = among("x.param", self.params(node.params))
        total = 0
        for one in writer.leaves.alternatives(node, "x"):
            known = all_of((params, one))
            total += self._bounded(Piece(f"SELECT x.pk FROM {TABLES[type(node)]} x WHERE {known.sql}", known.args))
            if total >= CEILING:
                return CEILING
        return total

    def _bounded(self, source: Piece, most: int = CEILING) -> int:
        counted = self.run(f"SELECT count(*) FROM (SELECT 1 FROM ({source.sql}) AS s LIMIT {most}) AS c", source.args)
        return int(counted[0][0])
