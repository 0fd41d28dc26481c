"""表单 forms of a person and of a visit: fill in, look at, amend. What is asked comes from the Questionnaire alone."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.checkup.answered import complete_with_form, form_for
from healthsvc.checkup.deciding import DISEASES
from healthsvc.checkup.resources import has_code
from healthsvc.errors import Invalid, Issue, NotFound, Refusal
from healthsvc.fhir.elements import extension
from healthsvc.fhir.json import Resource
from healthsvc.forms import service
from healthsvc.forms.resources import to_answers
from healthsvc.forms.rules import DONE, Answers, Form
from healthsvc.forms.tables import FORMS
from healthsvc.healthfile.problems import problems_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, replaced
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import OPEN, Standing, standing
from healthsvc.web import findings_form
from healthsvc.web.form_fields import answers as read_answers
from healthsvc.web.form_fields import fields
from healthsvc.web.form_words import last_time, lines
from healthsvc.web.lookup import Directory, staff_of
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
_BASICS: Final = ("day", "start", "end", "by", "with", "late_reason")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page asks: which form, of whom, on which occasion."""

    form: Form
    patient: Resource
    target: str
    """Where it is sent to."""
    visit: str = ""
    former: Resource | None = None
    """The response that is being amended."""


async def sent(request: Request) -> FormData:
    """Everything that was typed, fields with several values too."""
    return await request.form()


Sent = Annotated[FormData, Depends(sent)]


@router.get("/people/{id}/forms")
def forms(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The forms that can be filled in for a person, and those that have been."""
    patient = follow(store, id)
    store.audit("read", f"Patient/{patient['id']}", patient=patient["id"], purpose="forms")
    names = Directory(store)
    done = [one for file in (patient["id"], *replaced(store, patient["id"])) for one in service.responses(store, file)]
    rows = [(one, _title(store, one, page), names.staff(one.get("author", {}).get("reference"))) for one in done]
    return page.show("forms.html", id=patient["id"], person=to_person(patient), offered=list(FORMS.values()), done=rows)


@router.get("/people/{id}/forms/{name}")
def blank(id: str, name: str, page: SignedPage, store: StoreReading) -> Response:
    """A form, filled in beforehand."""
    asked = _for_person(store, id, name)
    return _show(page, store, asked, _prefilled(store, asked), {})


@router.post("/people/{id}/forms/{name}")
def fill_in(id: str, name: str, page: SignedPage, store: StoreWriting, given: Sent) -> Response:
    """The form is filled in: keep it, or show it again with what is wrong or unusual."""
    return _take(page, store, _for_person(store, id, name), given)


@router.get("/visits/{id}/form")
def of_visit(id: str, page: SignedPage, store: StoreReading) -> Response:
    """The form of a visit, filled in beforehand."""
    asked = _for_visit(store, id)
    return _show(page, store, asked, _prefilled(store, asked), _suggested(store, id))


@router.post("/visits/{id}/form")
def complete(id: str, page: SignedPage, store: StoreWriting, given: Sent) -> Response:
    """The visit has been made and its form filled in."""
    return _take(page, store, _for_visit(store, id), given)


@router.get("/forms/{response}")
def look(response: str, page: SignedPage, store: StoreReading) -> Response:
    """A form that has been filled in."""
    asked = _for_response(store, response)
    assert asked.former is not None
    store.audit("read", f"QuestionnaireResponse/{response}", patient=asked.patient["id"], purpose="form")
    given, _ = to_answers(asked.form, asked.former)
    names = Directory(store)
    return page.show(
        "form_read.html",
        id=asked.patient["id"],
        person=to_person(asked.patient),
        form=asked.form,
        response=asked.former,
        author=names.staff(asked.former.get("author", {}).get("reference")),
        lines=lines(asked.form.items, given, page),
        can_write=page.who is not None and page.who.may("write-clinical") and asked.former.get("status") in (*DONE, "in-progress"),
    )


@router.get("/forms/{response}/amend")
def to_be_amended(response: str, page: SignedPage, store: StoreReading) -> Response:
    """A finished form, open for correction."""
    asked = _for_response(store, response)
    assert asked.former is not None
    return _show(page, store, asked, to_answers(asked.form, asked.former)[0], {})


@router.post("/forms/{response}/amend")
def amend(response: str, page: SignedPage, store: StoreWriting, given: Sent) -> Response:
    """The form is corrected: what followed from it is rewritten."""
    return _take(page, store, _for_response(store, response), given)


def _for_person(store: Store, id: str, name: str) -> Asked:
    form, _ = service.named(store, name)
    return Asked(form, follow(store, id), f"/people/{id}/forms/{name}")


def _for_visit(store: Store, id: str) -> Asked:
    visit = visits.read(store, id)
    if visit.status not in OPEN:
        raise NotFound("this visit is over; its form is in the person's file")
    patient = follow(store, visit.person)
    conditions = problems_of(store, [patient["id"], *replaced(store, patient["id"])])
    ill = [disease for disease, codes in DISEASES.items() if any(has_code(one, codes) for one in conditions)]
    return Asked(FORMS[form_for(visit, ill)], patient, f"/visits/{id}/form", visit=id)


def _for_response(store: Store, response: str) -> Asked:
    former = store.read("QuestionnaireResponse", response)
    known = service.form_of(store, str(former.get("questionnaire", "")))
    if known is None:
        raise NotFound("the questionnaire of this response is not known here")
    person = str(former.get("subject", {}).get("reference", "")).rpartition("/")[2]
    return Asked(known[0], follow(store, person), f"/forms/{response}/amend", former=former)


def _prefilled(store: Store, asked: Asked) -> Answers:
    draft = store.find("QuestionnaireResponse", service.response_id(asked.form.name, asked.visit)) if asked.visit else None
    response = draft or service.populate(store, asked.form.name, asked.patient["id"])
    return to_answers(asked.form, response)[0]


def _take(page: Page, store: Store, asked: Asked, given: FormData) -> Response:
    basics = {name: str(given.get(name) or "").strip() for name in _BASICS}
    answers, unread = read_answers(asked.form, given)
    if unread:
        return _show(page, store, asked, answers, basics, wrong=unread)
    try:
        with store.savepoint():
            saved = _save(store, asked, answers, basics, draft=bool(given.get("draft")))
            found = service.read(store, saved)
            if found is not None and found.checked.odd and not given.get("sure") and not given.get("draft"):
                raise _Unusual(found.checked.odd)
    except _Unusual as unusual:
        return _show(page, store, asked, answers, basics, odd=unusual.issues)
    except Refusal as refusal:
        return _show(page, store, asked, answers, basics, wrong=list(refusal.issues), refusal=refusal)
    return RedirectResponse(f"/forms/{saved['id']}", status_code=303)


class _Unusual(Exception):
    """Ends the trial: somebody should look at the numbers once more."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__()
        self.issues = issues


def _save(store: Store, asked: Asked, answers: Answers, basics: dict[str, str], *, draft: bool) -> Resource:
    """Keep the form: as a draft that is gone on with later (nothing follows from it yet), or finished."""
    author: dict[str, Any] = {"author": {"reference": store.actor.id}} if store.actor.id.startswith("Practitioner/") else {}
    if asked.visit and draft:
        about = extension("form-visit", valueReference={"reference": f"Task/{asked.visit}"})
        id = service.response_id(asked.form.name, asked.visit)
        made = service.response_of(asked.form, asked.patient["id"], answers, store.at.astimezone(store.zone), status="in-progress", id=id)
        return store.put(made | author | {"extension": [about]})
    if asked.visit:
        start, end = times_of(basics, store)
        by = list(dict.fromkeys(one for one in (basics["by"], basics["with"]) if one)) or [store.actor.id]
        complete_with_form(store, asked.visit, asked.form.name, answers, start, end, by, basics["late_reason"] or None)
        return store.read("QuestionnaireResponse", service.response_id(asked.form.name, asked.visit))
    at = store.at.astimezone(store.zone)
    status = "in-progress" if draft else "completed"
    if asked.former is None:
        return store.put(service.response_of(asked.form, asked.patient["id"], answers, at, status=status, id=str(uuid.uuid4()), **author))
    made = service.response_of(asked.form, asked.patient["id"], answers, at)
    kept = {key: value for key, value in asked.former.items() if key != "item"}
    if asked.former.get("status") not in DONE:
        kept |= {"authored": made["authored"]} | author
    else:
        status = "amended"
    return store.put(kept | {"status": status} | ({"item": made["item"]} if "item" in made else {}))


def times_of(basics: dict[str, str], store: Store) -> tuple[datetime, datetime]:
    moments = []
    for name in ("start", "end"):
        try:
            moments.append(datetime.fromisoformat(f"{basics['day']}T{basics[name]:0>5}:00").replace(tzinfo=store.zone))
        except ValueError:
            raise Invalid(
                "day and times are written 2026-01-31 and 09:30", issues=[Issue("a time is written 09:30", "value", name)]
            ) from None
    return moments[0], moments[1]


def _suggested(store: Store, id: str) -> dict[str, str]:
    visit = visits.read(store, id)
    encounter = store.find(*visit.encounter.split("/", 1)) if visit.encounter else None
    team = [one["individual"]["reference"] for one in (encounter or {}).get("participant", []) if "individual" in one]
    now = store.at.astimezone(store.zone)
    me = store.actor.id if store.actor.id.startswith("Practitioner/") else ""
    by = me or (team[0] if team else visit.owner or "")
    start = now.replace(hour=max(now.hour - 1, 0)) if now.hour else now.replace(minute=0)
    return {
        "day": f"{now:%Y-%m-%d}",
        "start": f"{start:%H:%M}",
        "end": f"{now:%H:%M}",
        "by": by,
        "with": next((o for o in team if o != by), ""),
    }


def _show(
    page: Page, store: Store, asked: Asked, answers: Answers, basics: dict[str, str], *, wrong: list[Issue] | None = None,
    odd: tuple[Issue, ...] = (), refusal: Refusal | None = None,
) -> Response:  # fmt: skip
    store.audit("read", f"Patient/{asked.patient['id']}", patient=asked.patient["id"], purpose="form")
    visit = visits.read(store, asked.visit) if asked.visit else None
    marked = frozenset(link for one in wrong or () if (link := _link(one)))
    titles = {one.link: (one.zh if page.language == "zh" or not one.en else one.en) for one in asked.form.walk()}
    told = [(link, titles.get(link or "", ""), _said(one, titles, page, refusal)) for one in wrong or () for link in [_link(one)]]
    return page.show(
        "form.html",
        status=refusal.status if refusal else 422 if wrong else 200,
        asked=asked,
        id=asked.patient["id"],
        person=to_person(asked.patient),
        form=asked.form,
        fields=fields(asked.form.items, answers, marked, last_time(store, asked.form, asked.patient["id"])),
        wrong=list(dict.fromkeys(told)),
        odd=[(one.path, titles.get(one.path or "", ""), one.text.partition(": ")[2]) for one in odd],
        basics=basics,
        visit=visit,
        late=visit is not None and standing(visit, store.at) is Standing.OVERDUE,
        staff=staff_of(store) if visit is not None else [],
        late_reasons=findings_form.LATE,
    )


def _said(issue: Issue, titles: dict[str, str], page: Page, refusal: Refusal | None) -> str:
    link = _link(issue)
    if link in titles:
        return page.say("缺少答案") if issue.code == "required" else page.say("数值不合理或无法识别，请核对")
    if page.language == "zh" and refusal is not None:
        return page.told(refusal)
    return issue.text


def _link(issue: Issue) -> str | None:
    path = issue.path or ""
    return path.partition("linkId='")[2].partition("'")[0] or path or None


def _title(store: Store, response: Resource, page: Page) -> str:
    known = service.form_of(store, str(response.get("questionnaire", "")))
    if known is None:
        return page.say("其他表单")
    return known[0].zh if page.language == "zh" else known[0].en or known[0].zh
