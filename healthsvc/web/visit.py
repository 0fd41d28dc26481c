"""上门办理 one visit: what is known before the door, the form of findings, and writing it off with a reason."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.checkup import service as checkups
from healthsvc.checkup.selfcare import POINTS
from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.problems import problems_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, replaced
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import OPEN, Kind, Standing, Status, Visit, standing
from healthsvc.web import findings_form as form
from healthsvc.web.diagnosed import diagnoses, operations
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.lookup import Directory, allergies_of, staff_of
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.values import is_measured, value_of

router = APIRouter()
_LAST = 12


@router.get("/visits/{id}")
def visit(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The visit, before it is made or after; an infusion is recorded step by step."""
    if visits.read(store, id).kind == Kind.HOME_INFUSION:
        return RedirectResponse(f"/visits/{id}/bedside", status_code=303)
    return _show(page, store, id, Typed({}), None)


@router.post("/visits/{id}/complete")
def complete(id: str, page: SignedPage, store: StoreWriting, typed: Annotated[Typed, Depends(typed_form)]) -> Response:
    """The visit has been made: write the findings, or show the form again with what is wrong."""
    try:
        with store.savepoint():
            _complete(store, id, typed, page)
    except Refusal as refusal:
        return _show(page, store, id, typed, refusal)
    return RedirectResponse(f"/visits/{id}", status_code=303)


@router.post("/visits/{id}/miss")
def miss(id: str, page: SignedPage, store: StoreWriting, reason: Annotated[str, Form()]) -> Response:
    """The visit will not be made: write it off, with the reason."""
    visits.miss(store, id, reason if reason in dict(form.MISSED) else "other")
    return RedirectResponse(f"/visits/{id}", status_code=303)


def _complete(store: Store, id: str, typed: Typed, page: Page) -> None:
    found = form.findings(typed, store.zone)
    by = [one for one in (typed["by"], typed["with"]) if one]
    staff = list(dict.fromkeys(by)) or [store.actor.id]
    if visits.read(store, id).kind == Kind.QUARTERLY_CHECKUP:
        checkups.complete(store, id, found, staff, form.self_care(typed))
    else:
        visits.complete(store, id, found, staff)


def _show(page: Page, store: Store, id: str, typed: Typed, refusal: Refusal | None) -> Response:
    current = visits.read(store, id)
    patient = follow(store, current.person)
    store.audit("read", f"Task/{id}", patient=patient["id"], purpose="visit")
    names = Directory(store)
    encounter = store.find(*current.encounter.split("/", 1)) if current.encounter else None
    conditions = problems_of(store, [patient["id"], *replaced(store, patient["id"])])
    before = sorted(store.select("Observation", patient=patient["id"]), key=lambda one: str(one.get("effectiveDateTime", "")), reverse=True)
    return page.show(
        "visit.html",
        status=refusal.status if refusal else 200,
        id=id,
        visit=current,
        patient=patient["id"],
        person=to_person(patient),
        owner=names.staff(current.owner),
        stands=standing(current, store.at),
        open=current.status in OPEN,
        typed=filled(typed, current, encounter, store),
        wrong=wrong_lines(refusal, page),
        staff=staff_of(store),
        can_write=page.who is not None and page.who.may("write-clinical"),
        held=current.status is Status.ON_HOLD,
        late=standing(current, store.at) is Standing.OVERDUE,
        form=form,
        points=POINTS,
        task=store.read("Task", id),
        made=[value_of(o) for o in before if o.get("encounter", {}).get("reference") == current.encounter and current.encounter],
        before=[(o.get("effectiveDateTime", ""), value_of(o)) for o in before if is_measured(o)][:_LAST],
        allergies=allergies_of(store, patient["id"]),
        conditions=conditions,
        stays=_stays(store, current, {one["id"]: one for one in conditions}),
        encounter=encounter,
        team=[names.staff(one) for one in participants(encounter)],
    )


def _stays(store: Store, visit: Visit, conditions: dict[str, Resource]) -> list[tuple[Resource, tuple[tuple[str, str], ...]]]:
    """The stays in hospital because of which the visit is made, with what the hospital has told of diagnoses and of operations."""
    ids = [source.partition("/")[2] for source in visit.sources if source.startswith("Encounter/")]
    done = {id: tuple(("手术操作", words) for words in operations(store, id)) for id in ids}
    return [(stay, (*diagnoses(stay, conditions), *done[id])) for id in ids if (stay := store.find("Encounter", id)) is not None]


def filled(typed: Typed, visit: Visit, encounter: Resource | None, store: Store) -> Typed:
    """What was typed, or what the plan and the person who signs in suggest."""
    if typed.values:
        return typed
    now = store.at.astimezone(store.zone)
    length = timedelta(minutes=visit.minutes)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    period = (encounter or {}).get("period", {})
    start = datetime.fromisoformat(period["start"]).astimezone(store.zone) if "start" in period else now
    if not midnight <= start <= now - length:
        start = max(now - length, midnight)
    end = min(start + length, now)
    team = participants(encounter)
    me = store.actor.id if store.actor.id.startswith("Practitioner/") else ""
    by = me or (team[0] if team else visit.owner or "")
    other = next((one for one in team if one != by), "")
    suggested = {"day": f"{now:%Y-%m-%d}", "start": f"{start:%H:%M}", "end": f"{end:%H:%M}", "mode": "home", "by": by, "with": other}
    return Typed(suggested)


def wrong_lines(refusal: Refusal | None, page: Page) -> list[str]:
    """What is wrong, a line for each field, in the reader's language."""
    if refusal is None:
        return []
    lines = []
    for issue in refusal.issues:
        name = form.FIELD_NAMES.get(issue.path or "") or form.FIELD_NAMES.get((issue.path or "").partition("_")[0])
        if page.language == "zh":
            how = _HOW.get(issue.text, "数值不合理或无法识别，请核对。")
            lines.append(f"{name}：{how}" if name and issue.code != "business-rule" else page.told(refusal))
        else:
            lines.append(f"{page.say(name)}: {issue.text}" if name else issue.text)
    return list(dict.fromkeys(lines))


_HOW: Final = {
    "a time is written 09:30": "请写成 09:30。",
    "a day is written 2026-11-23": "没有这一天，请写成 2026-11-23。",
    "the day is missing": "请填写日期。",
    "a blood pressure has two numbers": "收缩压和舒张压都要填。",
}
"""How to mend what is typed most often in another way."""


def participants(encounter: Resource | None) -> list[str]:
    return [one["individual"]["reference"] for one in (encounter or {}).get("participant", []) if "individual" in one]
