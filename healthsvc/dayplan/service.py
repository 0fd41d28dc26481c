"""Plan a day, accept a plan, read it, pin a visit, find a place for one more.

The search runs outside any transaction: it reads a snapshot, and when a plan is accepted every visit must still be as it was.
"""

from datetime import date, datetime

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.compose import compose
from healthsvc.dayplan.day import DayPlan, plan_id
from healthsvc.dayplan.gather import Gathered, day_of, gather
from healthsvc.dayplan.resources import PINNED, to_list, to_plan, with_versions
from healthsvc.dayplan.rules import DayPolicy, problem_of
from healthsvc.errors import Conflict, NotFound
from healthsvc.fhir.elements import concept, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.policy import Policy
from healthsvc.store import Actor, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import WAITING, Status

__all__ = ["accept", "plan_day", "policy_of", "propose", "read_plan", "set_pin"]


def policy_of(policy: Policy, on: date) -> DayPolicy:
    """The day plan's parameters in force on a day."""
    return policy.fill(DayPolicy, "dayplan", on)


def propose(
    database: Database, actor: Actor, on: date, travel: TravelTimes, *, at: datetime, seconds: float = 5.0, seed: int = 1
) -> DayPlan:
    """Work out a plan for a day; nothing is stored.

    ``seconds`` buys ``dayplan.proposals_a_second`` proposals each, so the same data, seed and seconds give the same plan on every machine.
    """
    with database.reading(actor, at=at) as store:
        policy = policy_of(store.policy, on)
        gathered = gather(store, on, policy)
        zone = store.zone
    return _search(gathered, travel, policy, at.astimezone(zone), seconds, seed)


def _search(gathered: Gathered, travel: TravelTimes, policy: DayPolicy, at: datetime, seconds: float, seed: int) -> DayPlan:
    from healthsvc.dayplan.solve import StopRule, solve

    day, out, ways = day_of(gathered, travel, policy)
    problem = problem_of(day, policy)
    plan = solve(problem, StopRule(iterations=max(1, round(seconds * policy.proposals_a_second))), seed)
    return compose(gathered, day, out, ways, problem, plan, policy, at)


def accept(store: Store, plan: DayPlan) -> Resource:
    """Make a proposed plan the plan of the day: every visit gets its time and people, what fell out waits again.

    Raises:
        Conflict: a visit has changed since the plan was worked out; plan again.
    """
    known = store.find("List", plan_id(plan.on))
    stops = {stop.task: stop for stop in plan.stops()}
    for task in sorted(set(stops) | {left.visit for left in plan.left_over}):
        _check_unchanged(store, task, plan.versions.get(task))
    for task in _planned_before(known):
        if task not in stops and _is_planned(store, task):
            visits.unplan(store, task)
    for stop in stops.values():
        current = visits.read(store, stop.task)
        encounter = store.find("Encounter", current.encounter.rpartition("/")[2]) if current.encounter else None
        if current.status is Status.ACCEPTED and encounter is not None and _same(encounter, stop.start, stop.end, stop.staff):
            continue
        visits.plan(store, current, stop.start, stop.end, stop.staff)
    versions = {task: str(store.read("Task", task)["meta"]["versionId"]) for task in stops}
    return store.put(with_versions(to_list(plan), versions))


def plan_day(
    database: Database, actor: Actor, on: date, travel: TravelTimes, *, at: datetime, seconds: float = 5.0, seed: int = 1
) -> DayPlan:
    """Plan a day and make the plan the plan of the day."""
    plan = propose(database, actor, on, travel, at=at, seconds=seconds, seed=seed)
    with database.writing(actor, at=at) as store:
        accept(store, plan)
    return plan


def read_plan(store: Store, on: date) -> DayPlan | None:
    """The plan of a day, or None where nobody has planned it."""
    found = store.find("List", plan_id(on))
    return to_plan(found) if found is not None else None


def set_pin(store: Store, on: date, task: str, pinned: bool = True, if_match: int | None = None) -> Resource:
    """Confirm a planned visit, so that no later plan moves it; or free it again.

    Raises:
        NotFound: the day has no plan, or the visit is not in it.
    """
    found = store.read("List", plan_id(on))
    entries = [entry for entry in found.get("entry", ()) if reference_id(entry["item"], "Task") == task and "date" in entry]
    if not entries:
        raise NotFound("the visit is not in the plan of that day")
    for entry in entries:
        entry["flag"] = concept(str(entry["flag"]["coding"][0]["system"]), PINNED if pinned else "planned")
    return store.put(found, if_match)


def _check_unchanged(store: Store, task: str, version: str | None) -> None:
    current = store.find("Task", task)
    if current is None or current.get("status") not in {status.value for status in WAITING}:
        raise Conflict("a visit of the plan is no longer waiting to be made; plan again", reason="dayplan-stale")
    if version and str(current["meta"]["versionId"]) != version:
        raise Conflict("a visit has changed since the plan was worked out; plan again", reason="dayplan-stale")


def _planned_before(known: Resource | None) -> list[str]:
    entries = (known or {}).get("entry", ())
    return [id for entry in entries if "date" in entry and (id := reference_id(entry["item"], "Task"))]


def _is_planned(store: Store, task: str) -> bool:
    found = store.find("Task", task)
    return found is not None and found.get("status") == Status.ACCEPTED.value


def _same(encounter: Resource, start: datetime, end: datetime, staff: tuple[str, ...]) -> bool:
    period = encounter.get("period", {})
    people = {one.get("individual", {}).get("reference") for one in encounter.get("participant", ())}
    return (
        encounter.get("status") == "planned"
        and datetime.fromisoformat(period["start"]) == start
        and datetime.fromisoformat(period["end"]) == end
        and people == set(staff)
    )
