"""随身 one's own next days, as the phone takes them along: whom, when, where, what to be careful of, and the forms to fill in."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from healthsvc.checkup.answered import form_for
from healthsvc.checkup.deciding import DISEASES
from healthsvc.checkup.followup import Disease
from healthsvc.checkup.resources import has_code
from healthsvc.checkup.selfcare import POINTS
from healthsvc.fhir.json import Resource
from healthsvc.forms import service as forms
from healthsvc.forms.resources import to_answers
from healthsvc.forms.tables import FORMS
from healthsvc.healthfile.problems import problems_of
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow, replaced, today
from healthsvc.pocket import facts as reading
from healthsvc.pocket.policy import PocketPolicy
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.encounters import encounters_on
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import OPEN, Kind, Status, Visit
from healthsvc.web import findings_form
from healthsvc.web.findings_form import Typed
from healthsvc.web.form import Asked
from healthsvc.web.form_fields import fields
from healthsvc.web.form_words import last_time
from healthsvc.web.lookup import Directory, allergies_of, staff_of
from healthsvc.web.pocket_drip import drip_of
from healthsvc.web.pocket_note import note_form
from healthsvc.web.render import Page
from healthsvc.web.reports import latest
from healthsvc.web.values import is_measured, value_of
from healthsvc.web.visit import filled

_SHOWN: Final = frozenset({"planned", "arrived", "in-progress", "finished", "onleave"})
_WITH_FORM: Final = frozenset({Kind.QUARTERLY_CHECKUP, Kind.FOLLOW_UP})
_LAST: Final = 6
"""Measurements that go along: as many as one compares with at the bed."""
_REPORTS: Final = 3
"""Reports of hospitals that are named; they are read with network."""
_BESIDE: Final[dict[str, tuple[str, ...]]] = {
    Kind.QUARTERLY_CHECKUP: (), Kind.FOLLOW_UP: (), Kind.HOME_BED_ROUND: ("self-care",), Kind.ADMISSION_VISIT: (),
}  # fmt: skip
"""Forms that a kind of visit may ask for besides its own."""
_FOLLOW_UPS: Final = {Disease.HYPERTENSION: "hypertension-follow-up", Disease.DIABETES: "diabetes-follow-up"}


def days(store: Store, page: Page, me: str, policy: PocketPolicy) -> list[dict[str, Any]]:
    """The days with their visits in order, ``Practitioner/x``'s own and nobody else's; at most as many as the policy allows."""
    first, names, left = today(store), Directory(store), policy.most_visits
    staff = staff_of(store)
    made = []
    for number in range(policy.days):
        on = first + timedelta(days=number)
        stops = _stops(store, on, me)[: max(left, 0)]
        left -= len(stops)
        made.append({"on": on.isoformat(), "visits": [_stop(store, page, names, staff, *one) for one in stops]})
    return made


def _stops(store: Store, on: date, me: str) -> list[tuple[Visit, Resource]]:
    encounters = {
        f"Encounter/{one['id']}": one
        for one in encounters_on(store, on, participant=me)
        if one.get("status") in _SHOWN and "start" in one.get("period", {})
    }
    tasks = store.select("Task", encounter=list(encounters)) if encounters else []
    found = [(visit, encounters[visit.encounter]) for visit in map(to_visit, filter(is_visit, tasks)) if visit.encounter in encounters]
    return sorted(found, key=lambda one: (str(one[1]["period"]["start"]), one[0].id))


def _stop(store: Store, page: Page, names: Directory, staff: list[tuple[str, str]], visit: Visit, encounter: Resource) -> dict[str, Any]:
    patient = follow(store, visit.person)
    store.audit("read", f"Task/{visit.id}", patient=patient["id"], purpose="pocket")
    start = datetime.fromisoformat(encounter["period"]["start"]).astimezone(store.zone)
    end = encounter["period"].get("end")
    drip = drip_of(store, page, visit, to_person(patient)) if visit.kind == Kind.HOME_INFUSION else None
    open_now = visit.status in OPEN and visit.status is not Status.ON_HOLD
    asked = _forms(store, visit, patient) if open_now and drip is None else []
    facts = reading.facts_of(store, visit.id, [name for name, _ in asked])
    return {
        "task": visit.id,
        "kind": visit.kind,
        "title": page.say(visit.title or visit.kind),
        "status": visit.status.value,
        "start": start.isoformat(),
        "end": (datetime.fromisoformat(end).astimezone(store.zone) if end else start + timedelta(minutes=visit.minutes)).isoformat(),
        "minutes": visit.minutes,
        "staff": [names.staff(one) for one in reading.staff_in(encounter)],
        "urgent": visit.priority != "routine",
        "closes": visit.window.end.astimezone(store.zone).date().isoformat(),
        "person": _person(to_person(patient), store),
        "warnings": allergies_of(store, patient["id"]),
        "illnesses": _illnesses(store, patient["id"]),
        "last": _last(store, patient["id"], page),
        "reports": [{"id": one.id, "title": page.say(one.title), "on": one.when[:10]} for one in latest(store, patient["id"], _REPORTS)],
        "then": reading.to_json(facts),
        "findings": _findings(store, page, visit, encounter, staff) if open_now and drip is None else "",
        "note": note_form(page, visit) if open_now else "",
        "forms": [_form(store, page, visit, patient, staff, name, main) for name, main in asked],
        "limits": _limits(store, [name for name, _ in asked]),
        "drip": drip,
    }


def _person(person: Person, store: Store) -> dict[str, Any]:
    """What is needed to find the door and be let in; no number of the person goes along."""
    on = today(store)
    age = None if person.birth is None else on.year - person.birth.year - ((on.month, on.day) < (person.birth.month, person.birth.day))
    return {
        "name": person.name,
        "sex": {"male": "男", "female": "女"}.get(person.sex, ""),
        "age": age,
        "phones": list(person.phones),
        "contacts": [{"name": one.name, "relation": one.relation, "phone": one.phone} for one in person.contacts if one.phone][:1],
        "address": person.address,
        "area": person.residence_area,
        "position": [round(person.position.latitude, 5), round(person.position.longitude, 5)] if person.position else None,
        "alone": person.living is not None and "alone" in person.living.value,
    }


def _illnesses(store: Store, patient: str) -> list[str]:
    found = [one.get("code", {}) for one in problems_of(store, [patient, *replaced(store, patient)])]
    texts = [code.get("text") or next((c.get("display", "") for c in code.get("coding", [])), "") for code in found]
    return list(dict.fromkeys(text for text in texts if text))


def _last(store: Store, patient: str, page: Page) -> list[dict[str, str]]:
    found = sorted(store.select("Observation", patient=patient), key=lambda one: str(one.get("effectiveDateTime", "")), reverse=True)
    valid = (one for one in found if one.get("status") != "entered-in-error" and is_measured(one))
    values = ((str(one.get("effectiveDateTime", ""))[:10], value_of(one)) for one in valid)
    return [{"on": on, "name": page.say(value.name), "text": value.text} for on, value in list(values)[:_LAST]]


def _forms(store: Store, visit: Visit, patient: Resource) -> list[tuple[str, bool]]:
    """The forms of a visit: the one that completes it, where it has one, and those that belong to it besides."""
    conditions = problems_of(store, [patient["id"], *replaced(store, patient["id"])])
    ill = [disease for disease, codes in DISEASES.items() if any(has_code(one, codes) for one in conditions)]
    main = form_for(visit, ill) if visit.kind in _WITH_FORM else ""
    others = [*(_FOLLOW_UPS[one] for one in ill if one in _FOLLOW_UPS and visit.kind in _BESIDE), *_BESIDE.get(visit.kind, ())]
    return [*([(main, True)] if main else []), *((name, False) for name in dict.fromkeys(others) if name != main)]


def _findings(store: Store, page: Page, visit: Visit, encounter: Resource, staff: list[tuple[str, str]]) -> str:
    return page.written(
        "visit_fill.html", id=visit.id, patient=visit.person, visit=visit, typed=filled(Typed({}), visit, encounter, store), staff=staff,
        late=True, form=findings_form, points=POINTS,
    )  # fmt: skip


def _form(store: Store, page: Page, visit: Visit, patient: Resource, staff: list[tuple[str, str]], name: str, main: bool) -> dict[str, Any]:
    asked = Asked(FORMS[name], patient, "", visit=visit.id if main else "")
    draft = store.find("QuestionnaireResponse", forms.response_id(name, visit.id)) if main else None
    answers = to_answers(asked.form, draft or forms.populate(store, name, patient["id"]))[0]
    html = page.written(
        "form_fill.html", asked=asked, id=patient["id"], form=asked.form, odd=(), late=True, staff=staff,
        basics={"by": store.actor.id}, visit=visit if main else None,
        fields=fields(asked.form.items, answers, frozenset(), last_time(store, asked.form, patient["id"])),
        late_reasons=findings_form.LATE,
    )  # fmt: skip
    title = asked.form.zh if page.language == "zh" or not asked.form.en else asked.form.en
    return {"name": name, "title": title, "main": main, "html": html}


def _limits(store: Store, names: Sequence[str]) -> dict[str, list[float]]:
    """Field -> lowest and highest possible, unusual below and above: what is impossible is told at the bed, not in the evening."""
    ranges = visits.policy_of(store).ranges
    found = {name: list(bounds) for name, bounds in ranges.items()}
    found |= {f"{name}_{arm}": list(ranges[name]) for name in ("systolic", "diastolic") if name in ranges for arm in ("left", "right")}
    for name in names:
        form, limits = forms.named(store, name)
        for item in form.walk():
            if item.range in limits:
                one = limits[item.range]
                found[f"q-{item.link}"] = [float(one.lowest), float(one.highest), float(one.low), float(one.high)]
    return found
