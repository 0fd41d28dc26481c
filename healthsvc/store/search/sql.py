"""The tree of a search as SQL. Each node can be written in two ways:

- as a *source*: a subquery that gives the pks of what it selects, one range of an index after the other;
- as a *test* of one resource row that is already at hand: a probe of an index by pk.

A search takes its rarest node as the source and tests the others (``search_plan.py``). The text is built by hand, because composing it
through an expression language took longer than running it; every value goes in as a parameter.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from healthsvc.store.search import ast
from healthsvc.store.search.leaf import EVER, NEVER, TABLES, Leaves, Piece, all_of, among, any_of, moments
from healthsvc.store.search.nodes import walkable
from healthsvc.store.search.rows import Rows

METRES_A_DEGREE = 111_195.0
"""Of latitude, on a sphere of the earth's mean radius (6,371 km)."""
LIVE = "deleted=FALSE"
EMPTY = Piece("SELECT pk FROM resource WHERE FALSE")


class Writer:
    """Writes the nodes of one search."""

    def __init__(self, rows: Rows, restrict: ast.Restrict | None) -> None:
        self.rows = rows
        self.restrict = restrict
        self.leaves = Leaves(rows.term, rows.codes, rows.units, rows.postgres)
        self.probed = ""  # ends a test
        self.as_id, self.as_target = (' COLLATE "default"', ' COLLATE "C"') if rows.postgres else ("", "")
        """How a target of a reference is compared as the id of a resource, and an id as a target: the two columns are collated differently,
        and without a word a server takes the index of neither."""
        self._names = count()

    def alias(self, letter: str) -> str:
        """A table alias that no other part of the statement uses."""
        return f"{letter}{next(self._names)}"

    def walks(self) -> None:
        """Keep a server from making joins of the tests that follow, and of "walk in order and test until the page is full" one that reads
        and sorts everything: it takes conditions for independent that are not, and a page for farther away than it is."""
        self.probed = " OFFSET 0" if self.rows.postgres else ""

    # -- tests ------------------------------------------------------------------------------------------------------------------

    def test(self, node: ast.Node, r: str) -> Piece:
        """A condition on the resource row with alias ``r``."""
        match node:
            case ast.All(nodes=nodes):
                return all_of([self.bracketed(one, r) for one in nodes])
            case ast.Any(nodes=nodes):
                return any_of([self.bracketed(one, r) for one in nodes])
            case ast.Not(node=inner):
                tested = self.test(inner, r)
                return Piece(f"NOT ({tested.sql})", tested.args)
            case ast.Whole(node=inner):
                with self.whole():
                    return self.test(inner, r)
            case ast.Ids(ids=ids):
                return among(f"{r}.id", ids)
            case ast.Exactly(pks=pks):
                return among(f"{r}.pk", pks)
            case ast.OfType(types=types):
                return among(f"{r}.type", self.rows.terms(types))
            case ast.Updated(op=op, low=low, high=high):
                return moments(f"{r}.updated", op, low, high)
            case ast.Present(kind=kind, params=params):
                x = self.alias("x")
                return self.exists(f"ix_{kind}", x, r, self.param(x, params))
            case ast.Near():
                return self.near(node, r)
            case ast.Chained():
                return self.chained(node, r)
            case ast.Under():
                x = self.alias("x")
                return self.exists("ix_reference", x, r, self.under(node, x))
            case ast.Referred():
                return self.referred(node, r)
        x = self.alias("x")
        known = all_of((self.param(x, node.params), any_of(self.leaves.alternatives(node, x)), self.by_whole_key(node, x)))
        return self.exists(TABLES[type(node)], x, r, known)

    def bracketed(self, node: ast.Node, r: str) -> Piece:
        """A test that can stand beside others."""
        tested = self.test(node, r)
        return Piece(f"({tested.sql})", tested.args) if isinstance(node, (ast.All, ast.Updated, ast.Whole)) else tested

    def exists(self, table: str, x: str, r: str, condition: Piece) -> Piece:
        """There is an index entry of this resource for which the condition holds."""
        return Piece(f"EXISTS (SELECT 1 FROM {table} {x} WHERE {x}.pk={r}.pk AND {condition.sql}{self.probed})", condition.args)

    def by_whole_key(self, node: ast.Node, x: str) -> Piece:
        """Where a probe knows the whole key (one code, one reference, a pk), SQLite is to take the table by its key, in which the entries
        of the code stand together on few pages, and not its index by pk, in which every probe meets a page of its own. It would take
        the index because that tells all that is asked; the part, always 0 there, is not in it."""
        return Piece(f"{x}.part>=0") if walkable(node) and not self.rows.postgres else Piece(EVER)

    def param(self, x: str, params: Sequence[str]) -> Piece:
        """The entry is of one of these parameters."""
        return among(f"{x}.param", self.rows.params(params))

    def chained(self, node: ast.Chained, r: str) -> Piece:
        """A reference from here leads to a living resource for which the inner test holds."""
        x, t = self.alias("x"), self.alias("t")
        inner = self.bracketed(self.allowed(node.target, node.inner), t)
        known = all_of((self.param(x, node.params), among(f"{x}.target_type", self.rows.terms([node.target])), inner))
        return Piece(
            f"EXISTS (SELECT 1 FROM ix_reference {x} JOIN resource {t} ON {t}.type={x}.target_type AND {t}.id={x}.target{self.as_id} "
            f"AND {t}.{LIVE} "
            f"WHERE {x}.pk={r}.pk AND {known.sql}{self.probed})",
            known.args,
        )

    def under(self, node: ast.Under, x: str) -> Piece:
        """The entry leads into a tree: its roots, and whatever living resource refers to one that is in it (UNION ends in a ring, too)."""
        b, y, s = self.alias("b"), self.alias("y"), self.alias("s")
        terms = self.rows.terms([node.target])
        up = all_of((self.param(y, (node.parent,)), among(f"{y}.target_type", terms)))
        roots = ", ".join(["(CAST(? AS VARCHAR))"] * len(node.ids))
        one_of, end = (
            ("= ANY(ARRAY(", "))") if self.rows.postgres else ("IN (", ")")
        )  # a server reads the tree once as a list, not for each row
        inside = Piece(
            f"{x}.target {one_of}WITH RECURSIVE {b}(id) AS (VALUES {roots} UNION SELECT {s}.id FROM {b} CROSS JOIN ix_reference {y} "
            f"JOIN resource {s} ON {s}.pk={y}.pk AND {s}.{LIVE} WHERE {y}.target={b}.id{self.as_target} AND {up.sql}) "
            f"SELECT id{self.as_target} FROM {b}{end}",
            node.ids + up.args,
        )
        if NEVER in up.sql:  # nothing has a parent yet
            inside = among(f"{x}.target", node.ids)
        return all_of((self.param(x, node.params), among(f"{x}.target_type", terms), inside))

    def referred(self, node: ast.Referred, r: str) -> Piece:
        """A living resource for which the inner test holds refers here."""
        x, s = self.alias("x"), self.alias("s")
        known = all_of((self.param(x, (node.param,)), self.bracketed(self.allowed(node.source, node.inner), s)))
        return Piece(
            f"EXISTS (SELECT 1 FROM ix_reference {x} JOIN resource {s} ON {s}.pk={x}.pk "
            f"WHERE {x}.target={r}.id{self.as_target} AND {x}.target_type={r}.type AND {known.sql}{self.probed})",
            known.args,
        )

    def near(self, node: ast.Near, r: str) -> Piece:
        """Within the circle: a box by index, then the distance on a plane that touches the earth there (exact to 0.1 % up to 50 km)."""
        a, b = self.alias("a"), self.alias("b")
        reach = node.metres / METRES_A_DEGREE
        shrink = max(math.cos(math.radians(node.latitude)), 1e-6)
        known = all_of((self.param(a, node.params[:1]), self.param(b, node.params[1:])))
        latitude, longitude = node.latitude, node.longitude
        sql = (
            f"EXISTS (SELECT 1 FROM ix_quantity {a} JOIN ix_quantity {b} ON {b}.pk={a}.pk WHERE {a}.pk={r}.pk AND {known.sql} "
            f"AND {a}.low BETWEEN ? AND ? AND ({a}.low-?)*({a}.low-?)+({b}.low-?)*({b}.low-?)*?<=?)"
        )
        bounds = (latitude - reach, latitude + reach, latitude, latitude, longitude, longitude, shrink * shrink, reach * reach)
        return Piece(sql, known.args + bounds)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Inside, nothing is narrowed."""
        held, self.restrict = self.restrict, None
        try:
            yield
        finally:
            self.restrict = held

    def allowed(self, type: str, node: ast.Node) -> ast.Node:
        """The node, narrowed to what the actor may see of the type."""
        limit = self.restrict(type) if self.restrict else None
        return node if limit is None else ast.All((node, limit))

    # -- sources ----------------------------------------------------------------------------------------------------------------

    def source(self, node: ast.Node, types: Sequence[str]) -> Piece | None:
        """A subquery of the pks, perhaps with repetitions; None where the node can only test (Not, a sum of everything)."""
        match node:
            case ast.All(nodes=nodes):
                return self.joint(nodes, types)
            case ast.Any(nodes=nodes):
                found = [self.source(one, types) for one in nodes]
                kept = [one for one in found if one is not None]
                return self.union(kept) if len(kept) == len(found) else None
            case ast.Whole(node=inner):
                with self.whole():
                    return self.source(inner, types)
            case ast.Ids(ids=ids):
                known = all_of((among("type", self.rows.terms(types)), among("id", ids)))
                return Piece(f"SELECT pk FROM resource WHERE {known.sql}", known.args)
            case ast.Exactly(pks=pks):
                known = among("pk", pks)
                return Piece(f"SELECT pk FROM resource WHERE {known.sql}", known.args)
            case ast.Updated(op=op, low=low, high=high):
                known = all_of((among("type", self.rows.terms(types)), moments("updated", op, low, high)))
                return Piece(f"SELECT pk FROM resource WHERE {known.sql}", known.args)
            case ast.Present(kind=kind, params=params):
                known = self.param("x", params)
                return Piece(f"SELECT x.pk FROM ix_{kind} x WHERE {known.sql}", known.args)
            case ast.Chained():
                return self.chain_source(node)
            case ast.Under():
                known = self.under(node, "x")
                return Piece(f"SELECT x.pk FROM ix_reference x WHERE {known.sql}", known.args)
            case ast.Referred():
                return self.referred_source(node, types)
            case ast.Not() | ast.OfType() | ast.Near():
                return None
        table, param = TABLES[type(node)], self.param("x", node.params)
        if param.sql == NEVER:
            return EMPTY
        parts = [all_of((param, one)) for one in self.leaves.alternatives(node, "x")]
        return self.union([Piece(f"SELECT x.pk FROM {table} x WHERE {one.sql}", one.args) for one in parts])

    def union(self, parts: Sequence[Piece]) -> Piece:
        """All together."""
        parts = [one for one in parts if one != EMPTY]
        if not parts:
            return EMPTY
        return Piece(" UNION ".join(one.sql for one in parts), tuple(arg for one in parts for arg in one.args))

    def intersection(self, parts: Sequence[Piece]) -> Piece:
        """What all of them give, each once: SQLite merges the ranges of two indexes in the order of pk."""
        whole = [Piece(f"SELECT pk FROM ({one.sql}) AS i{place}", one.args) for place, one in enumerate(parts)]
        return Piece(" INTERSECT ".join(one.sql for one in whole), tuple(arg for one in whole for arg in one.args))

    def joint(self, nodes: Sequence[ast.Node], types: Sequence[str]) -> Piece | None:
        """The rarest part as the source, the others as tests."""
        first = self.rows.rarest(self, nodes, types)
        source = None if first is None else self.source(first, types)
        if source is None:
            return None
        rest = [one for one in nodes if one is not first]
        if not rest:
            return source
        r = self.alias("r")
        tested = all_of([self.bracketed(one, r) for one in rest])
        return Piece(f"SELECT {r}.pk FROM resource {r} WHERE {r}.pk IN ({source.sql}) AND {tested.sql}", source.args + tested.args)

    def living(self, type: str, node: ast.Node, r: str) -> Piece:
        """The condition on ``r``: a living resource of the type for which the node, by its source if it has one, holds."""
        source = self.source(node, (type,))
        if source is None:
            return all_of((among(f"{r}.type", self.rows.terms([type])), Piece(f"{r}.{LIVE}"), self.bracketed(node, r)))
        return all_of((Piece(f"{r}.pk IN ({source.sql})", source.args), self.only(r, (type,)), Piece(f"{r}.{LIVE}")))

    def only(self, r: str, types: Sequence[str]) -> Piece:
        """A test of the type that no planner takes for a way to find the rows (the plus keeps it from an index)."""
        return among(f"+{r}.type", self.rows.terms(types))

    def chain_source(self, node: ast.Chained) -> Piece:
        """From what fulfils the inner node back along the reference."""
        t = self.alias("t")
        inner = self.living(node.target, self.allowed(node.target, node.inner), t)
        known = all_of((self.param("x", node.params), among("x.target_type", self.rows.terms([node.target]))))
        if NEVER in known.sql:
            return EMPTY
        return Piece(
            f"SELECT x.pk FROM ix_reference x WHERE {known.sql} AND x.target IN "
            f"(SELECT {t}.id{self.as_target} FROM resource {t} WHERE {inner.sql})",
            known.args + inner.args,
        )

    def referred_source(self, node: ast.Referred, types: Sequence[str]) -> Piece | None:
        """From what fulfils the inner node on along the reference."""
        source = self.source(self.allowed(node.source, node.inner), (node.source,))
        if source is None:
            return None
        # from each of those on: the plus keeps a planner from reading all references of the parameter instead
        known = all_of((among("+x.param", self.rows.params((node.param,))), among("+x.target_type", self.rows.terms(types))))
        return Piece(
            f"SELECT DISTINCT r.pk FROM (SELECT DISTINCT pk FROM ({source.sql}) AS d) AS c CROSS JOIN ix_reference x "
            f"CROSS JOIN resource r WHERE x.pk=c.pk AND r.type=x.target_type AND r.id=x.target{self.as_id} AND {known.sql}",
            source.args + known.args,
        )


__all__ = ["EVER", "LIVE", "Writer"]
