"""The rounds of a bed as visits: asked for, replanned and called off with the bed."""

from dataclasses import dataclass
from datetime import date, timedelta

from healthsvc.fhir.elements import codes
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.service import today
from healthsvc.homebed.rules.bed import Bed
from healthsvc.homebed.rules.rounds import Round, first_round, interval, rounds, suggest
from healthsvc.homebed.service import established_at, policy_of
from healthsvc.store import Store
from healthsvc.visit.resources import derived_id, is_visit, to_visit
from healthsvc.visit.rules import Kind, Priority, Status, Visit, Window
from healthsvc.visit.service import cancel, cancel_all, open_visits, reopen, request

REVIEW = "home-bed-review"
OUTPUT = code_system("visit-output")


def lay_rounds(store: Store, bed: Bed, infusing: bool) -> None:
    """Lay out all rounds of a bed that has just been established."""
    policy = policy_of(store, bed.start)
    first = first_round(established_at(store, bed), policy, store.zone)
    every = interval(bed.stable, infusing, policy)
    for one in (first, *rounds(bed.start, first.end, bed.last_day, every, policy, store.zone)):
        _ask(store, bed, one)


def replan_rounds(store: Store, bed: Bed, infusing: bool, after: date | None = None) -> None:
    """Lay the rounds that follow anew, because their interval has changed or the bed was on hold; a round due within a day stays.

    ``after``: the day of the review that stands for a round; without it the last round made (or the first day) counts.
    """
    policy = policy_of(store)
    every = interval(bed.stable, infusing, policy)
    last = after or _last_made(store, bed) or bed.start
    wanted = rounds(last, store.at, bed.last_day, every, policy, store.zone)
    keep = {round_id(bed, one) for one in wanted}
    for visit in open_visits(store, bed.patient, Kind.HOME_BED_ROUND):
        if (
            _source(bed) in visit.sources
            and visit.subtype is None
            and visit.id not in keep
            and visit.window.end > store.at + timedelta(days=1)
        ):
            cancel(store, visit.id, "replanned")
    for one in wanted:
        _ask(store, bed, one)


@dataclass(frozen=True, slots=True)
class NextRound:
    """When the doctor should come again and why, and when a round is asked for."""

    by: date
    why: str
    """``first``, ``worse``, ``infusing``, ``stable`` or ``usual``."""
    visit: str | None
    asked: date | None


def next_round(store: Store, bed: Bed, infusing: bool) -> NextRound:
    """Suggest the next round of a bed from what the last one found; a suggestion, nothing is moved."""
    made = [task for task in store.select("Task", patient=bed.patient, status="completed") if is_visit(task)]
    ours = [task for task in made if _source(bed) in to_visit(task).sources]
    last = max(ours, key=lambda task: str(task.get("executionPeriod", {}).get("end", "")), default=None)
    by, why = suggest(_last_made(store, bed), bed.start, bed.stable, infusing, _worse(last), policy_of(store))
    coming = coming_round(store, bed)
    asked = coming.window.end.astimezone(store.zone).date() if coming else None
    return NextRound(min(by, bed.last_day), why, coming.id if coming else None, asked)


def coming_round(store: Store, bed: Bed) -> Visit | None:
    """The round of a bed that is due next."""
    ours = (one for one in open_visits(store, bed.patient, Kind.HOME_BED_ROUND) if _source(bed) in one.sources)
    return min(ours, key=lambda one: one.window.end, default=None)


def _worse(task: Resource | None) -> bool:
    """Whether a round found a danger sign, a reaction to a medicine or a complication."""
    said = {code: one for one in (task or {}).get("output", ()) for code in codes(one.get("type"), OUTPUT)}
    return "danger-sign" in said or any(said.get(name, {}).get("valueBoolean") is True for name in ("adverse-reaction", "complication"))


def ask_review(store: Store, bed: Bed) -> date:
    """Ask for the review of a bed within two days after the hospital; gives the day on which it is due."""
    due = store.at + timedelta(days=policy_of(store).review_days)
    on = due.astimezone(store.zone).date()
    _ask(store, bed, Round(on, store.at, due), subtype=REVIEW)
    return on


def call_off(store: Store, bed: Bed, reason: str) -> None:
    """Call off every open round and review of a bed."""
    cancel_all(store, bed.patient, reason, _source(bed))


def round_id(bed: Bed, one: Round, subtype: str | None = None) -> str:
    """Task id of a round: bed and day on which it is due."""
    return derived_id("review" if subtype else "round", f"{bed.id}-{one.due:%Y%m%d}")


def _ask(store: Store, bed: Bed, one: Round, subtype: str | None = None) -> None:
    policy = policy_of(store)
    visit = Visit(
        id=round_id(bed, one, subtype),
        kind=Kind.HOME_BED_ROUND,
        person=bed.patient,
        window=Window(one.start, one.end),
        minutes=policy.round_minutes,
        skills=frozenset({"doctor"}),
        owner=f"Practitioner/{bed.doctor}",
        priority=Priority.URGENT if one.first or subtype else Priority.ROUTINE,
        sources=(_source(bed),),
        subtype=subtype,
    )
    known = store.find("Task", visit.id)
    if known is not None and is_visit(known) and to_visit(known).status is Status.CANCELLED:
        reopen(store, visit.id)
    else:
        request(store, visit)


def _last_made(store: Store, bed: Bed) -> date | None:
    """The day of the last round made."""
    made = [
        to_visit(task)
        for task in store.select("Task", patient=bed.patient, status="completed")
        if is_visit(task) and _source(bed) in to_visit(task).sources
    ]
    return max((min(visit.window.end.astimezone(store.zone).date(), today(store)) for visit in made), default=None)


def _source(bed: Bed) -> str:
    return f"EpisodeOfCare/{bed.id}"
