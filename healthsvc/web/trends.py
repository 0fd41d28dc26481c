"""趋势 the course of vital signs as small drawings with a table beside each: coordinates only, the template draws."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.store import Store, chronicle
from healthsvc.web import values

WIDTH, HEIGHT = 320, 118
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 8, 8, 20
_CHARTS: Final = (
    ("血压", "mmHg", ("8480-6", "8462-4")),
    ("空腹血糖", "mmol/L", ("76629-5",)),
    ("血糖", "mmol/L", ("15074-8",)),
    ("心率", "/min", ("8867-4",)),
    ("体重", "kg", ("29463-7",)),
    ("血氧", "%", ("2708-6", "59408-5")),
)
MOST: Final = 24
"""Measurements that a drawing shows."""
_STEPS: Final = (1, 2, 5, 10, 20, 25, 50, 100)


@dataclass(frozen=True, slots=True)
class Dot:
    """One measurement on the drawing, and as words."""

    x: float
    y: float
    out: bool
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table beside a drawing."""

    at: datetime
    text: str
    out: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """One drawing: lines of dots, horizontal ticks, first and last day."""

    title: str
    unit: str
    latest: str
    lines: tuple[tuple[Dot, ...], ...]
    ticks: tuple[tuple[float, str], ...]
    ends: tuple[str, str]
    table: tuple[Line, ...]
    """The same as numbers, the newest first."""


def measured(store: Store, files: Sequence[str], most: int = MOST) -> list[Resource]:
    """The Observations that the drawings need: of each measurement the newest ``most``, found in the index."""
    wanted = [code for _, _, codes in _CHARTS for code in codes]
    when = chronicle.dates(store, "Observation", files, "date")
    by_code: dict[str, list[int]] = {code: [] for code in wanted}
    for pk, codes in chronicle.coded(store, "Observation", files, ("code", "component-code"), wanted).items():
        for code in codes:
            if pk in when:
                by_code[code].append(pk)
    newest = {pk for pks in by_code.values() for pk in sorted(pks, key=lambda pk: when[pk], reverse=True)[:most]}
    return [one for _, one in chronicle.bodies(store, newest)]


def charts(observations: Sequence[Resource], zone: tzinfo, most: int = MOST) -> list[Chart]:
    """A drawing for each measurement that was taken at least twice, the newest ``most`` of it."""
    made = (_chart(title, unit, wanted, observations, zone, most) for title, unit, wanted in _CHARTS)
    return [chart for chart in made if chart is not None]


def _chart(title: str, unit: str, wanted: tuple[str, ...], observations: Sequence[Resource], zone: tzinfo, most: int) -> Chart | None:
    series = [_points(code, observations, zone)[-most:] for code in wanted]
    series = [line for line in series if line]
    if not series or len(series[0]) < 2:
        return None
    numbers = [number for line in series for _, number, _ in line]
    low, high, step = _scale(min(numbers), max(numbers))
    first, last = min(line[0][0] for line in series), max(line[-1][0] for line in series)
    span = max((last - first).total_seconds(), 1.0)

    def place(at: datetime, number: float, out: bool) -> Dot:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * (at - first).total_seconds() / span
        return Dot(round(x, 1), _height(number, low, high), out, f"{at:%Y-%m-%d} {number:g} {unit}")

    lines = tuple(tuple(place(*point) for point in line) for line in series)
    latest = "/".join(f"{line[-1][1]:g}" for line in series)
    count = round((high - low) / step)
    ticks = tuple((_height(low + i * step, low, high), f"{low + i * step:g}") for i in range(count + 1))
    return Chart(title, unit, latest, lines, ticks, (f"{first:%y-%m-%d}", f"{last:%y-%m-%d}"), _table(series))


def _table(series: Sequence[Sequence[tuple[datetime, float, bool]]]) -> tuple[Line, ...]:
    """What was measured at one moment in one line: 135/80."""
    found: dict[datetime, list[tuple[float, bool]]] = {}
    for line in series:
        for at, number, out in line:
            found.setdefault(at, []).append((number, out))
    return tuple(Line(at, "/".join(f"{n:g}" for n, _ in found[at]), any(out for _, out in found[at])) for at in sorted(found, reverse=True))


def _points(code: str, observations: Iterable[Resource], zone: tzinfo) -> list[tuple[datetime, float, bool]]:
    found = []
    for one in observations:
        when = one.get("effectiveDateTime", "")
        if len(when) < len("2026-01-01T00:00"):
            continue
        at = datetime.fromisoformat(when).astimezone(zone)
        out = bool(values.value_of(one).mark)
        for element in (one, *one.get("component", [])):
            number = values.number_of(element) if code in values.codes(element) else None
            if number is not None:
                found.append((at, number, out))
    return sorted(found)


def _scale(low: float, high: float) -> tuple[float, float, float]:
    """Round ends and a step that gives two to four lines."""
    step = next((float(s) for s in _STEPS if (high - low) / s <= 3), 200.0)
    bottom = step * (low // step)
    top = step * -(-high // step)
    return bottom, top if top > bottom else bottom + step, step


def _height(number: float, low: float, high: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (number - low) / (high - low), 1)
