"""Reasons as people read them: of a planned visit who else could come and what it would cost; of a left-over one what lets it in."""

from datetime import date, datetime
from typing import Any

from healthsvc.circle.travel import TravelTimes
from healthsvc.dayplan import words
from healthsvc.dayplan.compose import moment
from healthsvc.dayplan.hand import settled
from healthsvc.dayplan.insertion import Insertion
from healthsvc.dayplan.standing import Standing, standing
from healthsvc.errors import NotFound
from healthsvc.fhir.elements import instant
from healthsvc.store import Actor, Database


def reasons(database: Database, actor: Actor, on: date, task: str, travel: TravelTimes, *, at: datetime) -> dict[str, Any]:
    """Why a visit of a day is where it is.

    Raises:
        NotFound: the visit cannot be made on that day at all.
    """
    from healthsvc.dayplan.proof import prove_left
    from healthsvc.dayplan.why import why_planned

    now = standing(database, actor, on, travel, at=at, extra=[task])
    if task in now.out:
        zh, en = words.left_over((now.out[task],))
        return {"task": task, "planned": False, "constraints": [now.out[task]], "zh": zh, "en": en, "proved": True}
    if all(visit.id != task for visit in now.problem.visits):
        raise NotFound("the visit cannot be made on that day")
    plan = settled(now.problem, now.plan)
    if any(stop.visit == task for _, stop in plan.stops()):
        found = why_planned(now.problem, plan, task)
        return {
            "task": task,
            "planned": True,
            "able": [_person(now, one) for one in found.able],
            "instead": [_place(now, one) for one in found.instead],
            "time": [{"code": code, "zh": words.TIME[code][0], "en": words.TIME[code][1]} for code in found.time],
            "earliest": _moment(now, found.earliest),
            "latest": _moment(now, found.latest),
        }
    kept = now.gathered.stored.left_over if now.gathered.stored else ()
    left = next((left for left in kept if left.visit == task), None)
    listed = left.codes if left else ()
    proof = prove_left(now.problem, plan, task, listed=listed)
    proved = proof.constraints or ("search",)
    zh, en = words.as_proved(proved)
    return {
        "task": task,
        "planned": False,
        "constraints": list(proved),
        "zh": zh,
        "en": en,
        "listed": {"constraints": list(listed), "zh": left.reason, "en": left.reason_en} if left else None,
        "both": dict(zip(("zh", "en"), words.why_both(listed, proved), strict=True)),
        "would": {
            "staff": [_person(now, one) for one in proof.caregivers],
            "starts": [_moment(now, start) for start in proof.starts],
        },
        "proved": True,
        "solved": proof.tried,
    }


def _place(now: Standing, place: Insertion) -> dict[str, Any]:
    return {
        "staff": [_person(now, one) for one in place.caregivers],
        "starts": [_moment(now, start) for start in place.starts],
        "costs_more": round(place.cost, 2),
        "later": [{"task": name, "minutes": round(minutes, 1)} for name, minutes in place.later],
    }


def _person(now: Standing, key: str) -> dict[str, str]:
    duty = next((one for one in now.day.duties if one.key == key), None)
    zh, en = (duty.name, duty.name) if duty else words.ONE_MORE
    return {"practitioner": duty.practitioner if duty else "", "name": zh, "name_en": en}


def _moment(now: Standing, minutes: float) -> str:
    return instant(moment(now.day.on, minutes, now.at))
