"""Orders and positions in them: by which columns a parameter is sorted, and what comes after a given row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from healthsvc.store.search import ast
from healthsvc.store.search.leaf import EVER, Piece

EVER_PIECE = Piece(EVER)
KEYS = {
    "token": ("code", "system"),
    "string": ("folded", "exact"),
    "date": ("low", "high"),
    "reference": ("target", "target_type"),
    "quantity": ("middle",),
    "uri": ("uri",),
}
"""Columns by which an index table sorts behind the parameter: the first is the sort key, the second completes the walk."""
TIES = {"quantity": ("low", "high", "system", "code")}
"""What else tells two entries apart that are equal to the walk: of several only one is to be met."""
COLUMN_KEYS = {"_id": "r.id", "_lastUpdated": "r.updated", "_type": "r.type"}


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key: a column of the resource (kind None) or a parameter of an index table."""

    kind: ast.Kind | None
    params: tuple[str, ...]
    descending: bool
    single: bool = False
    """A resource has at most one entry."""


def ordering(name: str, down: bool) -> list[str]:
    """ORDER BY terms; only keys that may be absent need the first."""
    way = " DESC" if down else ""
    return [f"{name} IS NULL", f"{name}{way}"] if name.startswith("k") else [f"{name}{way}"]


def after(order: Sequence[tuple[str, bool]], position: Sequence[Any]) -> Piece:
    """The rows behind a position in an order of several keys."""
    same_way = len({down for _, down in order}) == 1 and not any(name.startswith("k") for name, _ in order)
    if same_way:
        names = ", ".join(name for name, _ in order)
        return Piece(f"({names}) {'<' if order[0][1] else '>'} ({','.join('?' * len(order))})", tuple(position))
    alternatives, args = [], []
    for place in range(len(order)):
        equal = [(name, value) for (name, _), value in zip(order[:place], position[:place], strict=True)]
        name, down = order[place]
        value = position[place]
        if value is None:
            continue  # nothing comes behind an absent value but later keys
        parts = [f"{one} IS NULL" if v is None else f"{one}=?" for one, v in equal]
        behind = f"{name}{'<' if down else '>'}?"
        parts.append(f"({behind} OR {name} IS NULL)" if name.startswith("k") else behind)
        alternatives.append(f"({' AND '.join(parts)})")
        args += [v for _, v in equal if v is not None] + [value]
    return Piece(f"({' OR '.join(alternatives)})", tuple(args))
