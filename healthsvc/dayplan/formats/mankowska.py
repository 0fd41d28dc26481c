"""The instances of Mankowska, Meisel and Bierwirth (2014) in JSON: one office, double visits, soft window ends.

Objective: a third each of travel, total tardiness (counted per service) and largest tardiness. Source: "The home health care routing
and scheduling problem with interdependent services", Health Care Management Science 17, 2014; JSON as published by iolab-uniud.
"""

from collections.abc import Mapping
from typing import Any

from healthsvc.dayplan.formats import reading
from healthsvc.dayplan.formats.reading import Json
from healthsvc.dayplan.plan import Plan, Route, Stop
from healthsvc.dayplan.problem import Caregiver, Gap, Problem, Service, Visit, Weights, Window
from healthsvc.errors import Malformed

THIRD = 1 / 3


def is_mine(found: Json) -> bool:
    """Whether the object looks like one of these instances."""
    return "central_offices" in found and "patients" in found


def read(found: Json, name: str) -> Problem:
    """The instance as a problem.

    :raises Malformed: something is missing or not what it should be; the text says where.
    """
    travel = reading.matrix(found, "distances", name)
    patients, caregivers = reading.rows(found, "patients", name), reading.rows(found, "caregivers", name)
    if len(travel) != len(patients) + 1:
        raise Malformed(f"{name}.distances has {len(travel)} rows; one for the office and {len(patients)} for the patients are needed")
    offices = found["central_offices"]
    if not isinstance(offices, list) or len(offices) != 1:
        raise Malformed(f"{name}.central_offices has to name exactly one office")
    visits = tuple(_visit(row, place, f"{name}.patients[{place - 1}]") for place, row in enumerate(patients, 1))
    staff = tuple(
        Caregiver(reading.text(row, "id", where), frozenset(reading.texts(row, "abilities", where)), 0, 0)
        for row, where in ((row, f"{name}.caregivers[{at}]") for at, row in enumerate(caregivers))
    )
    reading.distinct([visit.id for visit in visits], "patient")
    reading.distinct([person.id for person in staff], "caregiver")
    return Problem(visits, staff, {"": travel}, Weights(travel=THIRD, late=THIRD, latest=THIRD), name=name)


def _visit(row: Json, place: int, where: str) -> Visit:
    window = row.get("time_window")
    if not isinstance(window, list) or len(window) != 2:
        raise Malformed(f"{where}.time_window has to be [earliest, latest]", path=f"{where}.time_window")
    opens, closes = (reading.as_number(value, f"{where}.time_window") for value in window)
    if opens > closes:
        raise Malformed(f"{where}.time_window ends before it begins", path=f"{where}.time_window")
    needs = reading.rows(row, "required_caregivers", where)
    named = [reading.text(need, "service", where) for need in needs]
    services = tuple(
        Service(id, frozenset({kind}), reading.duration(need, "duration", where))
        for id, kind, need in zip(reading.told_apart(named), named, needs, strict=True)
    )
    if not 1 <= len(services) <= 2:
        raise Malformed(f"{where}.required_caregivers has to list one or two services", path=f"{where}.required_caregivers")
    gap = _gap(reading.obj(row, "synchronization", where), f"{where}.synchronization") if len(services) == 2 else None
    return Visit(reading.text(row, "id", where), place, services, (Window(opens, closes),), gap)


def _gap(sync: Json, where: str) -> Gap:
    kind = reading.text(sync, "type", where)
    if kind == "simultaneous":
        return Gap(0.0, 0.0)
    distance = sync.get("distance")
    if kind != "sequential" or not isinstance(distance, list) or len(distance) != 2:
        raise Malformed(f"{where} has to be simultaneous, or sequential with distance [least, most]", path=where)
    least, most = (reading.as_number(value, f"{where}.distance") for value in distance)
    if least > most:
        raise Malformed(f"{where}.distance: the least is above the most", path=f"{where}.distance")
    return Gap(least, most)


def write(problem: Problem, plan: Plan) -> dict[str, Any]:
    """The plan as the published solutions are written (``arrival_time`` there means the start of service)."""
    starts = sorted({(stop.start, stop.visit) for _, stop in plan.stops()})
    order = list(dict.fromkeys(visit for _, visit in starts))
    routes, kinds = {route.caregiver: route.visits for route in plan.routes}, reading.kinds(problem)
    return {
        "global_ordering": order,
        "routes": [
            {"caregiver_id": person.id, "locations": [_location(stop, kinds) for stop in routes.get(person.id, ())]}
            for person in problem.caregivers
        ],
    }


def _location(stop: Stop, kinds: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    return {
        "arrival_time": reading.tidy(stop.start),
        "departure_time": reading.tidy(stop.end),
        "patient": stop.visit,
        "service": kinds[stop.visit, stop.service],
    }


def read_plan(problem: Problem, found: Json, name: str) -> Plan:
    """A published solution as a plan, its times as they are written."""
    places = {visit.id: visit.place for visit in problem.visits}
    travel = problem.travel[""]
    routes = []
    for at, row in enumerate(reading.rows(found, "routes", name)):
        where = f"{name}.routes[{at}]"
        stops, here, free = [], 0, 0.0
        for visit, service, start, end in sorted((_stop(stop, where) for stop in row.get("locations") or []), key=lambda stop: stop[2]):
            if visit not in places:
                raise Malformed(f"{where} visits {visit}, who is not in the instance")
            stops.append(Stop(visit, service, min(start, free + float(travel[here, places[visit]])), start, end))
            here, free = places[visit], end
        routes.append(Route(reading.text(row, "caregiver_id", where), 0.0, tuple(stops), free + float(travel[here, 0])))
    return Plan(reading.with_ids(problem, routes), ())


def _stop(row: Json, where: str) -> tuple[str, str, float, float]:
    """Patient, service, start and end of one location; the toy solution spells the first two ``patient_id`` and ``service_id``."""
    return (
        reading.text(row, "patient_id" if "patient_id" in row else "patient", where),
        reading.text(row, "service_id" if "service_id" in row else "service", where),
        reading.number(row, "arrival_time", where),
        reading.number(row, "departure_time", where),
    )
