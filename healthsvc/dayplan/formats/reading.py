"""Careful reading of instance files: every refusal says what is wrong and where."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from healthsvc.dayplan.plan import Rest, Route, Stop
from healthsvc.dayplan.problem import Matrix, Problem
from healthsvc.errors import Malformed

Json = Mapping[str, Any]

LUNCH = "lunch_break"
"""What published solutions call a break."""

LARGEST = 1e9
"""Beyond this sums of minutes lose the thousandths in which answers are proved."""


def load(path: Path) -> Json:
    """One JSON object from a file.

    :raises Malformed: the file is missing, not UTF-8, not JSON or not an object.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as wrong:
        raise Malformed(f"cannot read {path.name}: {wrong.strerror}") from None
    except UnicodeDecodeError as wrong:
        raise Malformed(f"{path.name} is not UTF-8 text (byte {wrong.start})") from None
    return parse(text, path.name)


def parse(text: str, name: str) -> Json:
    """One JSON object from text; NaN and Infinity, which JSON does not have, are refused.

    :raises Malformed: it is not.
    """

    def refuse(token: str) -> float:
        raise Malformed(f"{name} holds {token}, which is not a number of JSON")

    try:
        found = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as wrong:
        raise Malformed(f"{name} is not JSON: {wrong.msg} at line {wrong.lineno} column {wrong.colno}") from None
    except RecursionError:
        raise Malformed(f"{name} is nested too deeply") from None
    if not isinstance(found, dict):
        raise Malformed(f"{name} has to be one JSON object")
    return found


def obj(holder: Json, name: str, where: str) -> Json:
    """An object under ``name``."""
    found = _need(holder, name, where)
    if not isinstance(found, dict):
        raise Malformed(f"{where}.{name} has to be an object", path=f"{where}.{name}")
    return found


def rows(holder: Json, name: str, where: str) -> list[Json]:
    """A list of objects under ``name``."""
    found = _need(holder, name, where)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Malformed(f"{where}.{name} has to be a list of objects", path=f"{where}.{name}")
    return found


def text(holder: Json, name: str, where: str) -> str:
    """A non-empty string under ``name``."""
    found = _need(holder, name, where)
    if not isinstance(found, str) or not found:
        raise Malformed(f"{where}.{name} has to be text", path=f"{where}.{name}")
    return found


def texts(holder: Json, name: str, where: str) -> list[str]:
    """A list of strings under ``name``; absent is empty."""
    found = holder.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise Malformed(f"{where}.{name} has to be a list of texts", path=f"{where}.{name}")
    return found


def number(holder: Json, name: str, where: str) -> float:
    """A finite number under ``name``."""
    return as_number(_need(holder, name, where), f"{where}.{name}")


def index(holder: Json, name: str, where: str, size: int) -> int:
    """A row number below ``size`` under ``name``."""
    found = _need(holder, name, where)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < size:
        raise Malformed(f"{where}.{name} has to be a row of the distance matrix (0 to {size - 1})", path=f"{where}.{name}")
    return found


def as_number(found: object, where: str) -> float:
    """``found`` as a finite number."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise Malformed(f"{where} has to be a number", path=where)
    if abs(found) > LARGEST:
        raise Malformed(f"{where} is larger than any time or price can be ({LARGEST:g})", path=where)
    return float(found)


def matrix(holder: Json, name: str, where: str) -> Matrix:
    """A square matrix of minutes, none negative."""
    found = _need(holder, name, where)
    if not isinstance(found, list) or not found or not all(isinstance(row, list) and len(row) == len(found) for row in found):
        raise Malformed(f"{where}.{name} has to be a square matrix", path=f"{where}.{name}")
    for number, row in enumerate(found):
        if not all(type(minutes) in (int, float) for minutes in row):
            at = next(at for at, minutes in enumerate(row) if type(minutes) not in (int, float))
            raise Malformed(f"{where}.{name}[{number}][{at}] is not a number of minutes", path=f"{where}.{name}")
    square = np.array(found, dtype=np.float64)
    for wrong, why in (
        (~np.isfinite(square) | (square < 0), "is a negative or infinite time"),
        (square > LARGEST, f"is a time that is too long ({LARGEST:g} is the most)"),
        (np.diag(np.diagonal(square) != 0), "is the way from a place to itself; it has to be 0"),
    ):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise Malformed(f"{where}.{name}[{row}][{column}] {why}", path=f"{where}.{name}")
    return square


def duration(holder: Json, name: str, where: str) -> float:
    """Minutes under ``name``, none or more."""
    found = number(holder, name, where)
    if found < 0:
        raise Malformed(f"{where}.{name} lasts less than no time; give 0 minutes or more", path=f"{where}.{name}")
    return found


def flag(holder: Json, name: str, where: str) -> bool:
    """True or false under ``name``; absent is false."""
    found = holder.get(name)
    if found not in (None, False, True) or (isinstance(found, int) and not isinstance(found, bool)):
        raise Malformed(f"{where}.{name} has to be true or false", path=f"{where}.{name}")
    return bool(found)


def distinct(names: Sequence[str], what: str) -> None:
    """Names must not repeat."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Malformed(f"{what} {name} appears twice; give each {what} an id of its own")
        seen.add(name)


def told_apart(kinds: Sequence[str]) -> list[str]:
    """Ids for the services of one visit: the files name a service by its kind, and two people may be asked for the same kind."""
    return [kind if kinds[:at].count(kind) == 0 else f"{kind} ({kinds[: at + 1].count(kind)})" for at, kind in enumerate(kinds)]


def kinds(problem: Problem) -> dict[tuple[str, str], str]:
    """The kind of each service, as the files name it: visit and id of the service to kind."""
    return {(visit.id, service.id): next(iter(service.skills)) for visit in problem.visits for service in visit.services}


def with_ids(problem: Problem, routes: Sequence[Route]) -> tuple[Route, ...]:
    """Routes read from a file, their services by id: of two of one kind at one visit the earlier start is the first.

    Where that gives them lengths that are not theirs, it is the other way round.
    """
    lengths = {(visit.id, service.id): service.duration for visit in problem.visits for service in visit.services}
    ids: dict[tuple[str, str], list[str]] = {}
    for (visit, id), kind in kinds(problem).items():
        ids.setdefault((visit, kind), []).append(id)
    begun: dict[tuple[str, str], list[tuple[float, str, float]]] = {}
    for route in routes:
        for stop in route.visits:
            begun.setdefault((stop.visit, stop.service), []).append((stop.start, route.caregiver, stop.end - stop.start))
    ranks: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for key, found in begun.items():
        asked = [lengths[key[0], id] for id in ids.get(key, ())]
        ordered = sorted(found)
        lasting = [long for _, _, long in ordered]
        other = len(asked) == len(ordered) and _apart(asked, lasting[::-1]) < _apart(asked, lasting)
        ranks[key] = [(start, who) for start, who, _ in (ordered[::-1] if other else ordered)]

    def named(route: Route, stop: Stop | Rest) -> Stop | Rest:
        if isinstance(stop, Rest):
            return stop
        known = ids.get((stop.visit, stop.service), [stop.service])
        return replace(stop, service=known[min(ranks[stop.visit, stop.service].index((stop.start, route.caregiver)), len(known) - 1)])

    return tuple(replace(route, stops=tuple(named(route, stop) for stop in route.stops)) for route in routes)


def _apart(asked: Sequence[float], made: Sequence[float]) -> float:
    return sum(abs(one - other) for one, other in zip(asked, made, strict=True))


def _need(holder: Json, name: str, where: str) -> Any:
    if name not in holder:
        raise Malformed(f"{where}.{name} is missing", path=f"{where}.{name}")
    return holder[name]


def tidy(value: float) -> int | float:
    """A time as the published files write it: whole numbers without a point, others to a thousandth."""
    rounded = round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded
