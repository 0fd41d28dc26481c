"""Solutions of the unified instances: written as the published ones are, and read back."""

from typing import Any

from healthsvc.dayplan.formats import reading
from healthsvc.dayplan.formats.reading import LUNCH, Json
from healthsvc.dayplan.plan import LeftOver, Plan, Rest, Route, Stop
from healthsvc.dayplan.problem import Caregiver, Problem
from healthsvc.errors import Malformed

NAMES = {
    "travel": "travel_time",
    "late": "total_tardiness",
    "latest": "highest_tardiness",
    "waiting": "total_waiting_time",
    "overtime": "total_extra_time",
    "idle": "max_idle_time",
    "balance": "workload_balance",
    "preference": "preferences",
    "affinity": "incompabilities",
    "skipped": "unscheduled",
    "missed": "missed_lunch_break",
}


def write(problem: Problem, plan: Plan, parts: dict[str, float], depots: dict[int, str]) -> dict[str, Any]:
    """The plan as the published solutions are written.

    ``parts``: the weighted parts of the objective as the checker found them; ``depots``: the name of a terminal point by its row.
    """
    starts = sorted({(stop.start, stop.visit) for _, stop in plan.stops()})
    routes = {route.caregiver: route for route in plan.routes}
    return {
        "cost": {"objective": reading.tidy(sum(parts.values())), "violations": 0},
        "cost_components": {NAMES[part]: reading.tidy(cost) for part, cost in sorted(parts.items())},
        "global_ordering": list(dict.fromkeys(visit for _, visit in starts)),
        "routes": [_route(person, routes.get(person.id), depots, reading.kinds(problem)) for person in problem.caregivers],
    }


def _route(person: Caregiver, route: Route | None, depots: dict[int, str], kinds: dict[tuple[str, str], str]) -> dict[str, Any]:
    locations: list[dict[str, Any]] = []
    for stop in route.stops if route else ():
        if isinstance(stop, Rest):
            at = stop.visit or depots[person.start_place]
            locations.append({"end_time": reading.tidy(stop.end), "patient": at, "service": LUNCH, "start_time": reading.tidy(stop.start)})
        else:
            locations.append(
                {
                    "arrival_time": reading.tidy(stop.start),
                    "departure_time": reading.tidy(stop.end),
                    "patient": stop.visit,
                    "service": kinds[stop.visit, stop.service],
                }
            )
    return {"caregiver_id": person.id, "locations": locations}


def read_plan(problem: Problem, found: Json, name: str) -> Plan:
    """A published solution as a plan. Times are taken as written; only arrivals, which the files leave out, are computed."""
    places = {visit.id: visit.place for visit in problem.visits}
    staff = {person.id: person for person in problem.caregivers}
    routes, seen = [], set()
    for at, row in enumerate(reading.rows(found, "routes", name)):
        where = f"{name}.routes[{at}]"
        person = staff.get(reading.text(row, "caregiver_id", where))
        if person is None:
            raise Malformed(f"{where} belongs to a caregiver who is not in the instance")
        routes.append(_read_route(problem, person, row, places, where))
        seen |= {stop.visit for stop in routes[-1].visits}
    return Plan(reading.with_ids(problem, routes), tuple(LeftOver(visit.id) for visit in problem.visits if visit.id not in seen))


def _read_route(problem: Problem, person: Caregiver, row: Json, places: dict[str, int], where: str) -> Route:
    travel = problem.travel[person.mode]
    entries = sorted((_entry(entry, where) for entry in row.get("locations") or []), key=lambda entry: (entry[2], entry[3]))
    if not entries:
        return Route(person.id, person.shift.start, (), person.shift.start)
    stops: list[Stop | Rest] = []
    here, free, departure = person.start_place, 0.0, None
    for visit, service, start, end in entries:
        if visit in places:
            there = places[visit]
        elif service == LUNCH:
            there = person.start_place
        else:
            raise Malformed(f"{where} visits {visit}, who is not in the instance")
        if departure is None:
            departure = free = start - float(travel[here, there]) if problem.departure == "just_in_time" else person.shift.start
        arrival = free + float(travel[here, there])
        stops.append(
            Rest(visit if visit in places else None, start, end) if service == LUNCH else Stop(visit, service, arrival, start, end)
        )
        here, free = there, end
    assert departure is not None
    return Route(person.id, departure, tuple(stops), free + float(travel[here, person.end_place]))


def _entry(row: Json, where: str) -> tuple[str, str, float, float]:
    start, end = ("start_time", "end_time") if "start_time" in row else ("arrival_time", "departure_time")
    return (
        reading.text(row, "patient", where),
        reading.text(row, "service", where),
        reading.number(row, start, where),
        reading.number(row, end, where),
    )
