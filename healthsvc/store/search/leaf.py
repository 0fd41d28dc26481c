"""Leaves of a search as conditions on one index table: alternatives, each one range of its B-tree as far as the table allows."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from healthsvc.fhir.text import fold
from healthsvc.store.search import ast
from healthsvc.store.tables import NO_TERM

NEVER = "FALSE"
EVER = "TRUE"
LAST = "\U0010ffff"
"""Sorts after every other character: the end of all texts that start in the same way."""


class Piece(NamedTuple):
    """A piece of SQL with ``?`` marks, and the values for them."""

    sql: str
    args: tuple[Any, ...] = ()


TABLES: dict[type, str] = {
    ast.Tokens: "ix_token",
    ast.Strings: "ix_string",
    ast.Dates: "ix_date",
    ast.Quantities: "ix_quantity",
    ast.References: "ix_reference",
    ast.Uris: "ix_uri",
}


def marks(values: Sequence[Any]) -> str:
    """``?,?,?``."""
    return ",".join("?" * len(values))


def among(column: str, values: Sequence[Any]) -> Piece:
    """The column has one of these values."""
    if len(values) == 1:
        return Piece(f"{column}=?", tuple(values))
    return Piece(f"{column} IN ({marks(values)})", tuple(values)) if values else Piece(NEVER)


def all_of(pieces: Iterable[Piece]) -> Piece:
    """Joined by AND."""
    kept = [one for one in pieces if one.sql != EVER]
    return Piece(" AND ".join(one.sql for one in kept) or EVER, tuple(arg for one in kept for arg in one.args))


def any_of(pieces: Sequence[Piece]) -> Piece:
    """Joined by OR, in brackets."""
    if len(pieces) == 1:
        return pieces[0]
    return Piece(f"({' OR '.join(one.sql for one in pieces)})" if pieces else NEVER, tuple(arg for one in pieces for arg in one.args))


Term = Callable[[str], int | None]
Codes = Callable[[str, str | None, str], list[str]]
"""Parameter, system and code of a searched token -> the forms under which the index may keep it."""

Units = Callable[[str], list[str]]
"""What a unit is called -> the codes of units that are called so."""


class Leaves:
    """Writes the conditions of leaves for one database: its interned terms and its dialect."""

    def __init__(self, term: Term, codes: Codes, units: Units, postgres: bool) -> None:
        self.term = term
        self.units = units
        self.codes = codes
        self.collate = ' COLLATE "C"' if postgres else ""
        self.contains = "strpos" if postgres else "instr"

    def alternatives(self, leaf: ast.Leaf, x: str) -> list[Piece]:
        """The conditions on table alias ``x``, without the parameter; any of them will do."""
        match leaf:
            case ast.Tokens(params=params, wanted=wanted):
                return self.tokens(x, wanted, params)
            case ast.Strings(mode=mode, wanted=wanted):
                return self.strings(x, mode, wanted)
            case ast.Dates(op=op, low=low, high=high):
                return dates(x, op, low, high)
            case ast.Quantities():
                return self.quantities(x, leaf)
            case ast.References(wanted=wanted):
                return self.references(x, wanted)
            case ast.Uris(mode=mode, wanted=wanted):
                return [piece for one in wanted for piece in self.below(x, one)] if mode == "below" else [among(f"{x}.uri", wanted)]

    def tokens(self, x: str, wanted: Sequence[tuple[str | None, str | None]], params: Sequence[str]) -> list[Piece]:
        """Codes, grouped by their system; numbers of persons by their hashes."""
        by_system: dict[str | None, list[str]] = {}
        pieces = []
        for system, code in wanted:
            if code is None:
                pieces.append(self.system(x, system))
            else:
                kept = [form for param in params for form in self.codes(param, system or None, code)]
                by_system.setdefault(system, []).extend(dict.fromkeys(kept))
        for system, codes in by_system.items():
            known = among(f"{x}.code", codes)
            pieces.append(known if system is None else all_of((known, self.system(x, system))))
        return pieces

    def system(self, x: str, system: str | None) -> Piece:
        """The system; an empty text means that there is none."""
        if system is None:
            return Piece(EVER)
        term = self.term(system) if system else NO_TERM
        return Piece(NEVER) if term is None else Piece(f"{x}.system=?", (term,))

    def starts(self, column: str, text: str) -> Piece:
        """The column starts with the text."""
        if not text:
            return Piece(EVER)
        return Piece(f"{column}{self.collate}>=? AND {column}{self.collate}<?", (text, text + LAST))

    def strings(self, x: str, mode: str, wanted: Sequence[str]) -> list[Piece]:
        """Folded texts."""
        if mode == "starts":
            return [self.starts(f"{x}.folded", one) for one in wanted]
        if mode == "contains":
            return [Piece(f"{self.contains}({x}.folded,?)>0", (one,)) for one in wanted]
        return [Piece(f"{x}.folded=? AND {x}.exact=?", (fold(one)[:500], one)) for one in wanted]

    def below(self, x: str, uri: str) -> list[Piece]:
        """The URI and what is under its path."""
        bare = uri.rstrip("/")
        return [among(f"{x}.uri", [uri, bare] if bare != uri else [uri]), self.starts(f"{x}.uri", f"{bare}/")]

    def references(self, x: str, wanted: Sequence[tuple[str | None, str]]) -> list[Piece]:
        """Targets, grouped by their type."""
        by_type: dict[str | None, list[str]] = {}
        for type, target in wanted:
            by_type.setdefault(type, []).append(target)
        pieces = []
        for type, targets in by_type.items():
            known = among(f"{x}.target", targets)
            if type is None:
                pieces.append(all_of((known, Piece(f"{x}.target_type<>?", (NO_TERM,)))))
            else:
                term = self.term(type) if type else NO_TERM
                pieces.append(Piece(NEVER) if term is None else all_of((known, Piece(f"{x}.target_type=?", (term,)))))
        return pieces

    def quantities(self, x: str, leaf: ast.Quantities) -> list[Piece]:
        """Numbers by the middle of their range (an open range by its open end), which is the number as it was written."""
        if leaf.code is None:
            unit = []
        elif leaf.system is None:  # the code of the unit, or what it is called
            unit = [among(f"{x}.code", [leaf.code, *self.units(leaf.code)])]
        else:
            unit = [Piece(f"{x}.code=?", (leaf.code,))]
        if leaf.system is not None:
            unit.append(self.system(x, leaf.system))
        return [all_of((one, *unit)) for one in numbers(x, leaf.op, leaf.value, leaf.low, leaf.high)]


def dates(x: str, op: ast.Op, low: int, high: int) -> list[Piece]:
    """The comparisons of R4 3.1.1.4.5 between the resource's range and the searched one."""
    same = Piece(f"{x}.low>=? AND {x}.low<? AND {x}.high<=?", (low, high, high))
    before = Piece(f"{x}.low<?", (low,))
    after = Piece(f"{x}.high>?", (high,))
    return {
        "eq": [same],
        "ne": [before, after],
        "gt": [after],
        "lt": [before],
        "ge": [same, after],
        "le": [same, before],
        "sa": [Piece(f"{x}.low>=?", (high,))],
        "eb": [Piece(f"{x}.high<=?", (low,))],
        "ap": [Piece(f"{x}.low<? AND {x}.high>?", (high, low))],
    }[op]


def numbers(x: str, op: ast.Op, value: float, low: float, high: float) -> list[Piece]:
    """The comparisons of R4 3.1.1.4.6: equality by the written precision, the others by the exact value.

    A number is the middle of its range; ``slack`` is what floating point may have moved it.
    """
    slack = abs(value) * 2e-15 + 1e-12
    middle = f"{x}.middle"
    above = Piece(f"{middle}>?", (value + slack,))
    below = Piece(f"{middle}<?", (value - slack,))
    return {
        "eq": [Piece(f"{middle}>=? AND {middle}<?", (low - slack, high - slack))],
        "ne": [Piece(f"{middle}<?", (low - slack,)), Piece(f"{middle}>=?", (high - slack,))],
        "gt": [above],
        "sa": [above],
        "lt": [below],
        "eb": [below],
        "ge": [Piece(f"{middle}>=?", (value - slack,))],
        "le": [Piece(f"{middle}<=?", (value + slack,))],
        "ap": [Piece(f"{x}.low<? AND {x}.high>?", (high, low))],
    }[op]


def moments(column: str, op: ast.Op, low: int, high: int) -> Piece:
    """A point in time against a range."""
    within = Piece(f"{column}>=? AND {column}<?", (low, high))
    return {
        "eq": within,
        "ap": within,
        "ne": Piece(f"({column}<? OR {column}>=?)", (low, high)),
        "gt": Piece(f"{column}>=?", (high,)),
        "sa": Piece(f"{column}>=?", (high,)),
        "lt": Piece(f"{column}<?", (low,)),
        "eb": Piece(f"{column}<?", (low,)),
        "ge": Piece(f"{column}>=?", (low,)),
        "le": Piece(f"{column}<?", (high,)),
    }[op]
