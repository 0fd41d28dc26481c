"""From conditions and an order to one page of rows.

Two plans give the same rows in the same order:

- *sparse*: some condition selects few rows; take those, test the others, sort. Of thousands, what other conditions select is
  intersected by reading both ranges of the indexes side by side, before anything is looked up.
- *dense*: all conditions select many rows; walk an index in the wanted order, test each row, stop when the page is full.

Pages continue after the key of the last row (keyset), never by counting from the start: the thousandth page costs what the first does,
and what is written meanwhile neither repeats nor hides a row. The pk breaks ties. Resources without a value come last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from healthsvc.store.search import ast
from healthsvc.store.search.leaf import EVER, Piece, all_of, among, any_of
from healthsvc.store.search.nodes import TABLE_OF, by_pk_alone, indexed, walkable
from healthsvc.store.search.order import COLUMN_KEYS, EVER_PIECE, KEYS, TIES, Key, after, ordering
from healthsvc.store.search.rows import CEILING, COLUMNS, Rows
from healthsvc.store.search.sql import LIVE, Writer
from healthsvc.store.stored import Stored
from healthsvc.store.tables import LONG_MICROSECONDS

SORTED = 1500
"""So many candidates are sorted rather than looked for along the order (both take about three milliseconds among 50,000)."""

LONG_RANGES = Piece(f"s.high - s.low > {LONG_MICROSECONDS} AND s.high>? AND s.low<?")
"""Ranges longer than two days that reach over a moment: few, and in an index of their own."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one page, and the position after its last row (None: that was all)."""

    rows: list[Stored]
    position: list[Any] | None
    last: list[Any] | None = None  # the position of the last row, whether more follow or not


class Plan:
    """The conditions and the order of one search, ready to give pages and counts."""

    def __init__(self, rows: Rows, writer: Writer, types: Sequence[str], node: ast.Node, keys: Sequence[Key]) -> None:
        self.rows = rows
        self.writer = writer
        self.types = types
        self.keys = keys
        self.pks: list[int] | None = None
        """All matches, or the first of so many that were to be counted."""
        nodes = node.nodes if isinstance(node, ast.All) else (node,)
        self.nodes = nodes
        first = rows.rarest(writer, nodes, types) if nodes else None
        few = first is not None and rows.size(writer, first, types) < (min(SORTED, CEILING) if keys and len(nodes) == 1 else CEILING)
        source = writer.source(first, types) if first is not None and few and not self._late_node(first) else None
        beside = rows.beside(writer, first, nodes, types) if first is not None and source is not None and not keys else []
        if source is not None and beside:
            source = writer.intersection([source, *(one for one in (writer.source(node, types) for node in beside) if one is not None)])
        self.ranged = source if first is not None and self._in_order(first) else None
        """What one range of the sort key selects: it is walked in its order and not gathered, and gathered only to be counted."""
        self.is_set = bool(beside)  # whether the source gives each pk once
        self.source = None if self.ranged is not None else source
        self.walked = next(filter(walkable, nodes), None) if self.source is None and not keys else None
        taken = self.walked if self.source is None else first
        self.tested = [one for one in nodes if one is not taken and one not in beside]
        self.kind: list[Piece] = []
        if taken is None or not indexed(taken):
            kind = among("r.type", rows.terms(types)) if taken is None else writer.only("r", types)
            self.kind = [kind, Piece(f"r.{LIVE}")]
        if self.source is None:
            writer.walks()
        self.tests = self._tests("r")

    def _tests(self, entry: str, key: Key | None = None) -> Piece:
        """What is tested of each row. ``entry`` is an index entry of the resource: what can be asked by its pk is asked before the row is
        looked up at all. An entry of a sort key already tells the type, and that the resource lives; and what is asked of that very
        date, of which there is only one."""
        tested = [
            self._own_date(one, entry)
            if key is not None and key.single and isinstance(one, ast.Dates) and one.params == key.params
            else self.writer.bracketed(one, entry if by_pk_alone(one) else "r")
            for one in self.tested
        ]
        return all_of(tested if key is not None else [*self.kind, *tested])

    def _own_date(self, node: ast.Dates, entry: str) -> Piece:
        """The test of the very date that is the sort key; what is said twice lets the walk begin where it may."""
        known = any_of(self.writer.leaves.alternatives(node, entry))
        return all_of((known, Piece(f"{entry}.low<?", (node.high,)))) if node.op == "le" else known

    def page(self, count: int, position: Sequence[Any] | None, most: int = 0) -> Slice:
        """``count`` rows after a position (None: from the start). ``most``: so many will then be counted, which may come with it."""
        if not self.keys:
            return self._by_pk(count, position) if self.source is None or position is not None else self._listed(count, most)
        if self.keys[0].kind is None:
            return self._sorted(count, position, with_key=False)
        if position is not None and position[0] == "none":
            return self._sorted(count, position[1:] or None, with_key=False, without=True)
        first = self._with_key(count, position)
        if first.position is not None or self._all_have_key():
            return first
        if len(first.rows) == count:
            more = self._sorted(1, None, with_key=False, without=True).rows
            return Slice(first.rows, ["none"] if more else None)
        rest = self._sorted(count - len(first.rows), None, with_key=False, without=True)
        return Slice(first.rows + rest.rows, rest.position)

    def _with_key(self, count: int, position: Sequence[Any] | None) -> Slice:
        """Rows that have the first key. Sorted by the very date that must be late enough, the walk begins at that date, and those
        periods that begin earlier and reach over it are taken first."""
        late = self._late()
        if late is None:
            return self._sorted(count, position, with_key=True)
        edge, high = late
        near = edge - LONG_MICROSECONDS
        parts = (
            LONG_RANGES._replace(args=(high, near)),
            Piece("s.low>=? AND s.low<? AND s.high>?", (near, edge, high)),
            Piece("s.low>=?", (edge,)),
        )
        rows: list[Stored] = []
        last = position
        for place, part in enumerate(parts):
            got = self._sorted(count - len(rows), last, with_key=True, part=part)
            rows, last = rows + got.rows, got.last or last
            if got.position is not None:
                return Slice(rows, got.position)
            if len(rows) == count:
                more = any(self._sorted(1, last, with_key=True, part=one).rows for one in parts[place + 1 :])
                return Slice(rows, list(last) if more and last is not None else None)
        return Slice(rows, None)

    def _late(self) -> tuple[int, int] | None:
        """Where the walk may begin, and over what earlier periods must reach; None where it begins at the beginning."""
        if self.source is not None:
            return None
        found = [node for node in self.nodes if self._late_node(node)]
        return max((node.low if node.op == "ge" else node.high, node.high) for node in found) if found else None

    def _late_node(self, node: ast.Node | None) -> TypeGuard[ast.Dates]:
        """Whether a condition says from which date on, of the very date by which is sorted."""
        if len(self.keys) != 1 or self.keys[0].descending or not self.keys[0].single:
            return False
        return isinstance(node, ast.Dates) and node.params == self.keys[0].params and node.op in ("ge", "gt", "sa")

    def _in_order(self, node: ast.Node) -> bool:
        """Whether a condition is one range of the very date by which is sorted."""
        if len(self.keys) != 1 or not self.keys[0].single:
            return False
        return isinstance(node, ast.Dates) and node.params == self.keys[0].params and node.op == "eq"

    def _all_have_key(self) -> bool:
        """Whether a condition already demands a value of the first key."""
        leaves = (ast.Tokens, ast.Strings, ast.Dates, ast.Quantities, ast.References, ast.Uris, ast.Present)
        return any(isinstance(node, leaves) and node.params == self.keys[0].params for node in self.nodes)

    # -- inside -----------------------------------------------------------------------------------------------------------------

    def selected(self, columns: str, position: Sequence[Any] | None, *, bare: bool = False, source: Piece | None = None) -> Piece:
        """Rows by the source, along one index range, or along the types; ``bare``: the index alone tells, no row is needed."""
        if self.walked is not None:
            return self._along(self.walked, columns, position, bare)
        source = source or self.source
        if bare and source is not None and self.is_set:
            return source
        if bare and source is not None:
            return Piece(f"SELECT DISTINCT d.pk FROM ({source.sql}) AS d", source.args)
        after = EVER_PIECE if position is None else Piece("r.pk>?", (position[0],))
        known = all_of((self.tests, after))
        if source is None:
            return Piece(f"SELECT {columns} FROM resource r WHERE {known.sql}", known.args)
        return Piece(f"SELECT {columns} FROM resource r WHERE r.pk IN ({source.sql}) AND {known.sql}", source.args + known.args)

    def _along(self, leaf: ast.Tokens | ast.References, columns: str, position: Sequence[Any] | None, bare: bool) -> Piece:
        """Along the entries ``c`` of one code or one reference, which stand in the order of pk, each once."""
        after = EVER_PIECE if position is None else Piece("c.pk>?", (position[0],))
        known = all_of((among("c.param", self.rows.params(leaf.params)), *self.writer.leaves.alternatives(leaf, "c"), after))
        table = TABLE_OF[type(leaf)]
        if bare:
            return Piece(f"SELECT c.pk FROM {table} c WHERE {known.sql}", known.args)
        known = all_of((known, self._tests("c")))
        return Piece(f"SELECT {columns} FROM {table} c CROSS JOIN resource r WHERE r.pk=c.pk AND {known.sql}", known.args)

    def _listed(self, count: int, most: int) -> Slice:
        """The first page where a source selects few: all their pks at once, which also tells how many there are."""
        made = self.selected("r.pk", None, bare=self.tests.sql == EVER)
        found = [int(row[0]) for row in self.rows.run(f"{made.sql} ORDER BY 1 LIMIT {max(count, most) + 1}", made.args)]
        self.pks = found if most else None
        rows = self._whole([(pk,) for pk in found[:count]])
        return Slice([self.rows.stored(row) for row in rows], [found[count - 1]] if len(found) > count and rows else None)

    def _by_pk(self, count: int, position: Sequence[Any] | None) -> Slice:
        made = self.selected(COLUMNS, position)
        found = self.rows.run(f"{made.sql} ORDER BY {'c' if self.walked else 'r'}.pk LIMIT {count + 1}", made.args)
        rows = [self.rows.stored(row) for row in found[:count]]
        return Slice(rows, [rows[-1].pk] if len(found) > count and rows else None)

    def _sorted(
        self, count: int, position: Sequence[Any] | None, *, with_key: bool, without: bool = False, part: Piece = EVER_PIECE
    ) -> Slice:
        """Sorted rows: those that have the first key by its index, or those that do not have it, or by a column of the resource."""
        first, later = self.keys[0], list(self.keys[1:])
        down = first.descending
        head: list[tuple[str, bool]] = []
        condition, through = EVER_PIECE, ""
        if with_key:
            condition = all_of((self._keyed(first), part))
            if part.sql == LONG_RANGES.sql and not self.rows.postgres:
                through = " INDEXED BY ix_date_long"  # SQLite would rather walk in order, past everything that began earlier
            names = KEYS[str(first.kind)] if not later else KEYS[str(first.kind)][:1]
            head = [(f"s.{name}", down) for name in names]
        elif without:
            condition = self.writer.test(ast.Not(ast.Present(first.kind or "token", first.params)), "r")
        else:
            head = [(COLUMN_KEYS[first.params[0]], down)]
        scalars = [self._scalar(one) for one in later]
        order = [*head, *((f"k{place}", one.descending) for place, one in enumerate(later)), ("pk", down)]
        return self._ordered(count, position, first if with_key else None, condition, scalars, order, without, through)

    def _ordered(
        self,
        count: int,
        position: Sequence[Any] | None,
        key: Key | None,
        condition: Piece,
        scalars: Sequence[Piece],
        order: Sequence[tuple[str, bool]],
        without: bool,
        through: str,
    ) -> Slice:
        named = [(name if name.startswith("k") else ("s.pk" if key else "r.pk") if name == "pk" else name, down) for name, down in order]
        simple = not scalars
        # of many candidates that are sorted only those of the page are read whole, where the index tells enough of the others
        bare = key is not None and self.source is not None and simple and not self.kind and all(map(by_pk_alone, self.tested))
        held = [f"{name} AS h{place}" for place, (name, _) in enumerate(named) if not name.startswith("k")]
        columns = ", ".join(["s.pk" if bare else COLUMNS, *held, *(f"({one.sql}) AS k{place}" for place, one in enumerate(scalars))])
        bound = after(named, position) if position is not None else EVER_PIECE
        tests = self.tests if key is None else self._tests("s", key)
        known = all_of((condition, tests, bound if simple else EVER_PIECE))
        scalar_args = tuple(arg for one in scalars for arg in one.args)
        if key is None:
            table, args = "resource r", ()
            link = EVER_PIECE if self.source is None else Piece(f"r.pk IN ({self.source.sql})", self.source.args)
        elif self.source is None:
            table, args, link = f"ix_{key.kind} s{through} CROSS JOIN resource r", (), Piece("r.pk=s.pk")
        else:
            gathered, whole = f"(SELECT DISTINCT pk FROM ({self.source.sql}) AS d) AS c", "" if bare else " CROSS JOIN resource r"
            table, args = f"{gathered} CROSS JOIN ix_{key.kind} s{whole}", self.source.args
            link = Piece("s.pk=c.pk" if bare else "s.pk=c.pk AND r.pk=c.pk")
        known = all_of((link, known))
        sql, values = f"SELECT {columns} FROM {table} WHERE {known.sql}", scalar_args + args + known.args
        heads = [name if simple or name.startswith("k") else f"h{place}" for place, (name, _) in enumerate(named)]
        if not simple:
            bound = after(list(zip(heads, [down for _, down in named], strict=True)), position) if position is not None else EVER_PIECE
            sql, values = f"SELECT * FROM ({sql}) AS q WHERE {bound.sql}", values + bound.args
        by = ", ".join(written for name, (_, down) in zip(heads, named, strict=True) for written in ordering(name, down))
        found = self.rows.run(f"{sql} ORDER BY {by} LIMIT {count + 1}", values)
        page = self._whole(found[:count]) if bare else found[:count]
        rows = [self.rows.stored(row) for row in page]
        if not rows:
            return Slice(rows, None)
        width = len(named) - len(scalars)
        last = page[-1]
        heads_of, keys_of = list(last[6 : 6 + width]), list(last[6 + width :])
        place = [*heads_of[:-1], *keys_of, heads_of[-1]]
        place = ["none", *place] if without else place
        return Slice(rows, place if len(found) > count else None, place)

    def _whole(self, found: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Rows of which only the pk and what follows it is known, with what belongs between."""
        known = among("r.pk", [one[0] for one in found])
        read = self.rows.run(f"SELECT {COLUMNS} FROM resource r WHERE {known.sql}", known.args) if found else []
        whole = {row[0]: tuple(row) for row in read}
        return [(*whole[one[0]], *one[1:]) for one in found]

    def _keyed(self, key: Key) -> Piece:
        """The index entry ``s`` of the key, of several the first in the order."""
        param = among("s.param", self.rows.params(key.params))
        if key.single:
            return param
        columns = (*KEYS[str(key.kind)], *TIES.get(str(key.kind), ()))
        sign = ">" if key.descending else "<"
        same = Piece("o.param=s.param")
        if len(param.args) > len(self.types):  # of a parameter that unites others, an entry of another may come before, or be equal
            columns, same = (*columns, "param"), among("o.param", param.args)
        mine, other = ", ".join(f"s.{one}" for one in columns), ", ".join(f"o.{one}" for one in columns)
        return Piece(
            f"{param.sql} AND NOT EXISTS (SELECT 1 FROM ix_{key.kind} o WHERE o.pk=s.pk AND {same.sql} AND ({other}) {sign} ({mine}))",
            param.args + same.args,
        )

    def _scalar(self, key: Key) -> Piece:
        """A later sort key as a value of the row."""
        if key.kind is None:
            return Piece(COLUMN_KEYS[key.params[0]])
        x = self.writer.alias("x")
        known = self.writer.param(x, key.params)
        pick = "max" if key.descending else "min"
        return Piece(f"SELECT {pick}({x}.{KEYS[key.kind][0]}) FROM ix_{key.kind} {x} WHERE {x}.pk=r.pk AND {known.sql}", known.args)
