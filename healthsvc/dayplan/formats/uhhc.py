"""The "unified" instances of Ceschia and others (2026): optional patients, several windows, breaks, shifts, preferences, depots.

Source: doi 10.1111/itor.70140; JSON as published by iolab-uniud. A weight in ``metadata.cost_components`` prices one unit, "HARD" forbids,
a missing component does not count.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from healthsvc.dayplan.formats import reading
from healthsvc.dayplan.formats.reading import LUNCH, Json
from healthsvc.dayplan.problem import (
    FOREVER,
    Break,
    Caregiver,
    Departure,
    Gap,
    Matrix,
    Problem,
    Service,
    Visit,
    Weights,
    Window,
    WindowMet,
)
from healthsvc.errors import Malformed, NotSupported

LEAVES_AT_SHIFT_START = ("bazirha", "bazirha-caie")
"""Origins whose objective counts the wait before the first visit, too: their caregivers set out when the shift begins."""

DAY = 24 * 60
"""Minutes of a day."""

MISSED_HARD = 100_000.0
"""Price of a missed break where breaks are "HARD": above any published cost."""

KNOWN = {
    "travel_time",
    "total_tardiness",
    "highest_tardiness",
    "total_waiting_time",
    "total_extra_time",
    "max_idle_time",
    "workload_balance",
    "caregiver_preferences",
    "optional_patients",
    "missed_lunch_break",
    "incompabilities",
}


def is_mine(found: Json) -> bool:
    """Whether the object looks like one of these instances."""
    return "terminal_points" in found and "patients" in found


def read(found: Json, name: str) -> Problem:
    """The instance as a problem.

    :raises Malformed: something is missing or not what it should be; the text says where.
    :raises NotSupported: the objective has a part that we do not plan for.
    """
    metadata = reading.obj(found, "metadata", name)
    prices = _Prices(reading.obj(metadata, "cost_components", f"{name}.metadata"), f"{name}.metadata.cost_components")
    travel = reading.matrix(found, "distances", name)
    depots = _depots(found, name, travel)
    durations = {
        reading.text(row, "id", name): reading.duration(row, "default_duration", f"{name}.services[{at}]")
        for at, row in enumerate(reading.rows(found, "services", name))
        if "default_duration" in row
    }
    rest = _rest(found, name, prices)
    rows = [(row, f"{name}.caregivers[{at}]") for at, row in enumerate(reading.rows(found, "caregivers", name))]
    staff = tuple(_caregiver(row, where, depots, rest) for row, where in rows)
    people = frozenset(person.id for person in staff)
    patients = reading.rows(found, "patients", name)
    visits = tuple(_visit(row, f"{name}.patients[{at}]", travel, durations, prices, people) for at, row in enumerate(patients))
    reading.distinct([visit.id for visit in visits], "patient")
    _told_apart(visits, depots, name)
    reading.distinct([person.id for person in staff], "caregiver")
    try:
        met = WindowMet(reading.text(metadata, "time_window_met", f"{name}.metadata"))
    except ValueError:
        raise Malformed(f"{name}.metadata.time_window_met has to be {' or '.join(WindowMet)}") from None
    leaves = Departure.SHIFT_START if metadata.get("origin") in LEAVES_AT_SHIFT_START else Departure.JUST_IN_TIME
    return Problem(visits, staff, {"": travel}, prices.weights(), met, leaves, prices.hard("total_extra_time"), name)


def _told_apart(visits: tuple[Visit, ...], depots: dict[str, int], name: str) -> None:
    """Solutions name where a break is taken and what is done there: a patient must not be called as a depot, nor a service as a break."""
    for at, visit in enumerate(visits):
        if visit.id in depots:
            raise Malformed(f"{name}.patients[{at}].id {visit.id} is that of a terminal point, too; rename one of them", path="patients")
        if any(LUNCH in service.skills for service in visit.services):
            raise Malformed(f"{name}.patients[{at}] asks for a service called {LUNCH}, as breaks are; rename it", path="patients")


class _Prices:
    """The cost components of one instance."""

    def __init__(self, found: Json, where: str) -> None:
        unknown = sorted(name for name, price in found.items() if name not in KNOWN and price is not None)
        if unknown:
            raise NotSupported(f"{where}: cannot plan for {', '.join(unknown)}; known are {', '.join(sorted(KNOWN))}")
        self.found = {name: price for name, price in found.items() if price is not None}
        for name, price in self.found.items():
            if price != "HARD" and reading.as_number(price, f"{where}.{name}") < 0:
                raise Malformed(f"{where}.{name} is negative")

    def hard(self, name: str, *, missing: bool = False) -> bool:
        """Whether the component forbids; ``missing`` says what its absence means."""
        return bool(self.found.get(name, "HARD" if missing else 0) == "HARD")

    def soft(self, name: str) -> float:
        """The price of one unit; 0 where the component is hard or absent."""
        price = self.found.get(name, 0)
        return 0.0 if price == "HARD" else float(price)

    @property
    def late_hard(self) -> bool:
        """Windows must be kept."""
        return self.hard("total_tardiness") or self.hard("highest_tardiness")

    def weights(self) -> Weights:
        """The objective."""
        return Weights(
            travel=self.soft("travel_time"),
            late=self.soft("total_tardiness"),
            latest=self.soft("highest_tardiness"),
            waiting=self.soft("total_waiting_time"),
            overtime=self.soft("total_extra_time"),
            idle=self.soft("max_idle_time"),
            balance=self.soft("workload_balance"),
            preference=self.soft("caregiver_preferences"),
        )


def _depots(found: Json, name: str, travel: Matrix) -> dict[str, int]:
    rows = [(row, f"{name}.terminal_points[{at}]") for at, row in enumerate(reading.rows(found, "terminal_points", name))]
    reading.distinct([reading.text(row, "id", where) for row, where in rows], "terminal point")
    return {reading.text(row, "id", where): reading.index(row, "distance_matrix_index", where, len(travel)) for row, where in rows}


def _rest(found: Json, name: str, prices: _Prices) -> Break | None:
    if found.get("lunch_breaks") is None:
        return None
    row, where = reading.obj(found, "lunch_breaks", name), f"{name}.lunch_breaks"
    window = Window(reading.number(row, "start", where), reading.number(row, "end", where))
    if window.start > window.end:
        raise Malformed(f"{where} end before they begin", path=where)
    price = MISSED_HARD if prices.hard("missed_lunch_break", missing=True) else prices.soft("missed_lunch_break")
    return Break(window, reading.duration(row, "min_duration", where), price)


def _caregiver(row: Json, where: str, depots: dict[str, int], rest: Break | None) -> Caregiver:
    shift = Window(0.0, FOREVER)
    if row.get("working_shift") is not None:
        hours = reading.obj(row, "working_shift", where)
        shift = Window(reading.number(hours, "start", where), reading.number(hours, "end", where))
        if shift.start > shift.end:
            raise Malformed(
                f"{where}.working_shift ends before it begins; count on past midnight ({shift.end + DAY:g} for {shift.end:g})",
                path=f"{where}.working_shift",
            )
    ends = []
    for name in ("departing_point", "arrival_point"):
        depot = reading.text(row, name, where)
        if depot not in depots:
            raise Malformed(f"{where}.{name} names {depot}, which is not a terminal point", path=f"{where}.{name}")
        ends.append(depots[depot])
    skills = frozenset(reading.texts(row, "abilities", where))
    return Caregiver(
        reading.text(row, "id", where), skills, ends[0], ends[1], shift, rest if reading.flag(row, "lunch_break", where) else None
    )


def _visit(row: Json, where: str, travel: Matrix, durations: dict[str, float], prices: _Prices, people: frozenset[str]) -> Visit:
    windows = tuple(
        Window(reading.number(window, "start", where), reading.number(window, "end", where))
        for window in reading.rows(row, "time_windows", where)
    )
    if not windows or any(window.start > window.end for window in windows) or any(a.end > b.start for a, b in pairwise(windows)):
        raise Malformed(f"{where}.time_windows has to hold windows in order that do not overlap", path=f"{where}.time_windows")
    needs = reading.rows(row, "required_services", where)
    if not 1 <= len(needs) <= 2:
        raise Malformed(f"{where}.required_services has to list one or two services", path=f"{where}.required_services")
    found = [_service(need, where, durations) for need in needs]
    services = tuple(replace(one, id=id) for one, id in zip(found, reading.told_apart([one.id for one in found]), strict=True))
    preferred, barred = (
        frozenset(reading.texts(row, "preferred_caregivers", where)),
        frozenset(reading.texts(row, "incompatible_caregivers", where)),
    )
    affinity: dict[str, float] = {}
    if not prices.hard("incompabilities", missing=True):
        affinity, barred = dict.fromkeys(sorted(barred), prices.soft("incompabilities")), frozenset()
    if preferred and prices.hard("caregiver_preferences", missing=True):
        barred, preferred = barred | (people - preferred), frozenset()
    must = not reading.flag(row, "optional", where) or prices.hard("optional_patients", missing=True)
    return Visit(
        id=reading.text(row, "id", where),
        place=reading.index(row, "distance_matrix_index", where, len(travel)),
        services=services,
        windows=windows,
        gap=_gap(row, where) if len(services) == 2 else None,
        must=must,
        skip_cost=0.0 if must else prices.soft("optional_patients"),
        hard=prices.late_hard,
        preferred=preferred,
        barred=barred,
        affinity=affinity,
    )


def _service(need: Json, where: str, durations: dict[str, float]) -> Service:
    kind = reading.text(need, "service", where)
    if need.get("duration") is not None:
        return Service(kind, frozenset({kind}), reading.duration(need, "duration", where))
    if kind not in durations:
        raise Malformed(f"{where}: the duration of service {kind} is not given", path=f"{where}.required_services")
    return Service(kind, frozenset({kind}), durations[kind])


def _gap(row: Json, where: str) -> Gap | None:
    sync = row.get("synchronization")
    if sync is None:
        return None
    kind = reading.text(reading.obj(row, "synchronization", where), "type", f"{where}.synchronization")
    if kind == "independent":
        return None
    if kind == "simultaneous":
        return Gap(0.0, 0.0)
    if kind != "sequential":
        raise Malformed(
            f"{where}.synchronization.type has to be simultaneous, sequential or independent", path=f"{where}.synchronization.type"
        )
    distance = reading.obj(sync, "distance", f"{where}.synchronization")
    gap = Gap(reading.number(distance, "min", where), reading.number(distance, "max", where))
    if gap.least > gap.most:
        raise Malformed(f"{where}.synchronization.distance: min is above max", path=f"{where}.synchronization.distance")
    return gap


def solution(found: Any) -> bool:
    """Whether the object looks like a solution file rather than an instance."""
    return isinstance(found, dict) and "routes" in found
