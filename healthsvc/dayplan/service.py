"""Plan a day, accept a plan, read it, pin a visit, find a place for one more.

The search runs outside any transaction: it reads a snapshot, and when a plan is accepted every visit must still be as it was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from healthsvc.access import looks
from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan.day import DayPlan, plan_id
from healthsvc.dayplan.gather import Gathered, day_of, gather, people_of
from healthsvc.dayplan.model import problem_of
from healthsvc.dayplan.pacing import share
from healthsvc.dayplan.resources import PINNED, to_list, to_plan, with_versions
from healthsvc.dayplan.rules import DayPolicy
from healthsvc.dayplan.staffing import refuse_off_duty
from healthsvc.dayplan.standing import as_planned
from healthsvc.errors import Conflict, Invalid, NotFound, PreconditionFailed
from healthsvc.fhir.elements import concept, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today
from healthsvc.policy import Policy
from healthsvc.store import Actor, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import WAITING, Status

if TYPE_CHECKING:  # the search and its compiler are loaded when somebody plans, not when a process starts
    from healthsvc.dayplan.week import WeekPlan

__all__ = ["accept", "plan_day", "policy_of", "propose", "read_plan", "set_pin"]


def policy_of(policy: Policy, on: date) -> DayPolicy:
    """The day plan's parameters in force on a day."""
    return policy.fill(DayPolicy, "dayplan", on)


def refuse_past(store: Store, on: date) -> None:
    """Refuse to plan a day that is over at the site: nobody can be sent there any more.

    Raises:
        Invalid: the day is over.
    """
    now = today(store)
    if on < now:
        raise Invalid(f"{on} is over, today is {now}; choose today or a coming day to plan", path="on", reason="dayplan-over")


def propose(
    database: Database,
    actor: Actor,
    on: date,
    travel: TravelTimes,
    *,
    at: datetime,
    seconds: float = 5.0,
    seed: int = 1,
    absent: Mapping[str, tuple[float, float]] | None = None,
) -> DayPlan:
    """Work out a plan for a day; nothing is stored. Where the day has a plan already, the new one begins with it and changes little.

    ``absent``: who is taken to be away (``Practitioner/x`` to minutes of the day): what if?

    ``seconds`` buys ``dayplan.proposals_a_second`` proposals each, so the same data, seed and seconds give the same plan on every machine.

    Raises:
        Invalid: the day is over.
    """
    with database.reading(actor, at=at) as store:
        refuse_past(store, on)
        policy = policy_of(store.policy, on)
        gathered = gather(store, on, policy, absent)
        looks.listed(store, people_of(gathered), f"plan {on.isoformat()}", most=0)
        zone = store.zone
    return _search(gathered, travel, policy, at.astimezone(zone), seconds, seed)


def _search(gathered: Gathered, travel: TravelTimes, policy: DayPolicy, at: datetime, seconds: float, seed: int) -> DayPlan:
    from healthsvc.dayplan.compose import compose
    from healthsvc.dayplan.solve import StopRule, solve

    day, out, ways = day_of(gathered, travel, policy)
    named = {left.visit for left in gathered.stored.left_over} if gathered.stored else set()
    divided = share(day, policy, named)
    out |= {call.task.id: "capacity" for call in divided.beyond}
    day = replace(day, calls=divided.today)
    problem = problem_of(day, policy)
    start = as_planned(day, problem, gathered.stored) if any(call.held for call in day.calls) else None
    plan = solve(problem, StopRule(iterations=max(1, round(seconds * policy.proposals_a_second))), seed, start=start)
    return replace(compose(gathered, day, out, ways, problem, plan, at), later=len(divided.later), base=gathered.version)


def propose_week(
    database: Database,
    actor: Actor,
    first: date,
    travel: TravelTimes,
    *,
    at: datetime,
    days: int = 5,
    seconds: float = 10.0,
    seed: int = 1,
) -> "WeekPlan":
    """Work out a plan for ``days`` consecutive days at once: which day for which visit, then routes; nothing is stored.

    Raises:
        Invalid: more days than a week has, or none; or the first of them is over.
    """
    from healthsvc.dayplan.week import DAYS, dates, plan_week

    if not 1 <= days <= DAYS:
        raise Invalid(f"one to {DAYS} days can be planned at once, not {days}", path="days")
    with database.reading(actor, at=at) as store:
        refuse_past(store, first)
        policy = policy_of(store.policy, first)
        gathered = [gather(store, on, policy) for on in dates(first, days)]
        looks.listed(
            store, (one for day in gathered for one in people_of(day)), f"plan {first.isoformat()} and {days - 1} more days", most=0
        )
        zone = store.zone
    return plan_week(gathered, travel, policy, at.astimezone(zone), seconds, seed)


def accept(store: Store, plan: DayPlan) -> Resource:
    """Make a proposed plan the plan of the day: every visit gets its time and people, what fell out waits again.

    Raises:
        Conflict: a visit has changed since the plan was worked out; plan again.
    """
    return accept_all(store, (plan,))[0]


def accept_all(store: Store, plans: Sequence[DayPlan]) -> list[Resource]:
    """Make the plans of several days the plans in force, all or none.

    Raises:
        Conflict: a visit has changed since a plan was worked out, or who makes it is no longer on duty; plan again.
    """
    for plan in plans:
        refuse_off_duty(store, plan, read_plan(store, plan.on), policy_of(store.policy, plan.on))
        for task in sorted({stop.task for stop in plan.stops()} | {left.visit for left in plan.left_over}):
            _check_unchanged(store, task, plan.versions.get(task))
    return [_accept(store, plan) for plan in plans]


def _accept(store: Store, plan: DayPlan) -> Resource:
    known = store.find("List", plan_id(plan.on))
    stops = {stop.task: stop for stop in plan.stops()}
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


def keep_proposal(store: Store, plan: DayPlan) -> Resource:
    """Store a proposed plan beside the plan of the day, for somebody to look at and accept."""
    resource = with_versions(to_list(plan), plan.versions)
    return store.put({**resource, "id": proposal_id(plan.on), "title": f"{resource['title']}（待确认）"})


def accept_proposal(store: Store, on: date, if_match: int | None = None) -> Resource:
    """Make the stored proposal the plan of the day. ``if_match``: the version of the proposal that was looked at.

    Raises:
        NotFound: nobody has proposed a plan for that day.
        PreconditionFailed: the proposal has been replaced since.
        Conflict: a visit has changed since; plan again.
    """
    accept_proposals(store, {on: if_match})
    return store.read("List", plan_id(on))


def accept_proposals(store: Store, versions: Mapping[date, int | None]) -> list[Resource]:
    """Make the stored proposals of several days the plans in force, all or none. ``versions``: what was looked at (None: whatever).

    Raises:
        Invalid: one of the days is over.
        NotFound: nobody has proposed a plan for one of the days.
        PreconditionFailed: a proposal has been replaced since.
        Conflict: a visit, or the plan of a day itself, has changed since; plan again.
    """
    plans = []
    for on, version in sorted(versions.items()):
        refuse_past(store, on)
        known = store.get("List", proposal_id(on))
        if known is None or known.deleted:
            raise NotFound(f"there is no proposed plan for {on}; propose one first")
        if version is not None and known.version != version:
            raise PreconditionFailed("the proposal has been replaced since it was looked at; look again", reason="dayplan-stale")
        plans.append(to_plan(known.resource))
        check_version(store, on, plans[-1].base)
    accepted = accept_all(store, plans)
    for on in versions:
        store.delete("List", proposal_id(on))
    return accepted


def read_proposal(store: Store, on: date) -> DayPlan | None:
    """The proposed plan of a day that nobody has accepted yet."""
    found = store.find("List", proposal_id(on))
    return to_plan(found) if found is not None else None


def proposal_id(on: date) -> str:
    """Id of the List that holds the proposal for a day."""
    return f"{plan_id(on)}-proposal"


def read_plan(store: Store, on: date) -> DayPlan | None:
    """The plan of a day, or None where nobody has planned it."""
    found = store.find("List", plan_id(on))
    return to_plan(found) if found is not None else None


def next_planned(store: Store, after: date, days: int) -> date | None:
    """The first of the ``days`` after a day that has a plan with visits; None where none has."""
    coming = (after + timedelta(days=number) for number in range(1, days + 1))
    return next((on for on in coming if (plan := read_plan(store, on)) is not None and plan.routes), None)


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


def check_version(store: Store, on: date, version: int) -> None:
    """Refuse where the plan of a day is not the one that was looked at (0: there was none).

    Raises:
        PreconditionFailed: somebody has changed it since.
    """
    known = store.get("List", plan_id(on))
    if (known.version if known and not known.deleted else 0) != version:
        raise PreconditionFailed("the plan of the day has been changed since it was looked at; look again", reason="dayplan-stale")


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
