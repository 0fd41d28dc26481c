"""随访表、体检表: a form that completes a visit, and a form that is judged by itself."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from healthsvc.checkup.deciding import Occasion, judge
from healthsvc.checkup.followup import Disease
from healthsvc.fhir.elements import extension, extensions
from healthsvc.fhir.json import Resource
from healthsvc.forms import service as forms
from healthsvc.forms.rules import Answers, Code
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Adherence, Findings, Mode
from healthsvc.visit.observations import findings_of, outputs_of
from healthsvc.visit.resources import encounter_id
from healthsvc.visit.rules import Kind, Visit

JUDGED: Final[dict[str, frozenset[Disease]]] = {
    "hypertension-follow-up": frozenset({Disease.HYPERTENSION}),
    "diabetes-follow-up": frozenset({Disease.DIABETES}),
    "health-check-full": frozenset(Disease),
    "health-check-basic": frozenset(Disease),
}
"""Forms that are judged, and the diseases whose number each has to bring."""


def form_for(visit: Visit, diseases: Sequence[Disease]) -> str:
    """The form that fits a visit: the full or basic check, or the follow-up of the disease that the person has."""
    if visit.kind == Kind.QUARTERLY_CHECKUP:
        return "health-check-full" if visit.subtype == "annual-full" else "health-check-basic"
    if Disease.HYPERTENSION in diseases or Disease.DIABETES not in diseases:
        return "hypertension-follow-up"
    return "diabetes-follow-up"


def complete_with_form(
    store: Store,
    task_id: str,
    name: str,
    answers: Answers,
    start: datetime,
    end: datetime,
    by: Sequence[str],
    late_reason: str | None = None,
) -> visits.Completed:
    """A visit has been made and its form filled in: the form is kept and extracted, the visit completed with what it says.

    Measurements have one Observation each, whether they came by the form or by the visit's own page.

    Raises:
        Invalid: an answer that cannot be; nothing is written.
        RuleViolation: the visit is over, or late without a reason.
    """
    visit = visits.read(store, task_id)
    form = forms.must_be_known(name)
    response = forms.response_of(
        form, visit.person, answers, end.astimezone(store.zone), id=forms.response_id(name, task_id),
        encounter={"reference": f"Encounter/{encounter_id(task_id)}"}, author={"reference": by[0]},
        extension=[extension("form-visit", valueReference={"reference": f"Task/{task_id}"})],
    )  # fmt: skip
    stored = store.put(response)
    found = forms.read(store, stored)
    says = forms.meaning(store, stored, found) if found is not None else None
    noted = [store.read("Observation", one["id"]) for one in says.observations] if says is not None else []
    return visits.complete(store, task_id, said_besides(answers, start, end, late_reason), by, noted)


def said_besides(answers: Answers, start: datetime, end: datetime, late_reason: str | None = None) -> Findings:
    """What a form says that is no measurement: danger signs, reactions, how the medicine is taken, advice, the next day."""
    told = _flat(answers)
    adherence, mode = told.get("adherence"), told.get("mode")
    return Findings(
        start,
        end,
        mode=Mode(mode[0].code) if mode else Mode.HOME,
        complaints=str(told["complaints"][0]) if told.get("complaints") else "",
        advice=str(told["advice"][0]) if told.get("advice") else "",
        adherence=Adherence(adherence[0].code) if adherence else None,
        adverse_reaction=told.get("adverse-reaction", [False])[0] is True,
        complication=told.get("complication", [False])[0] is True,
        danger_signs=tuple(one.code for one in told.get("danger-sign", ()) if isinstance(one, Code)),
        late_reason=late_reason,
        next_on=next((one for one in told.get("next-on", ()) if isinstance(one, date)), None),
    )


def judge_form(store: Store, response: Resource) -> None:
    """Judge a finished form that belongs to no visit; a visit's form is judged with the visit."""
    if extensions(response, "form-visit"):
        return
    found = forms.read(store, response)
    if found is None or found.form.name not in JUDGED:
        return
    says = forms.meaning(store, response, found)
    person = response["subject"]["reference"].rpartition("/")[2]
    source = forms.source_of(response, person, store)
    at = datetime.fromisoformat(source.at)
    besides = said_besides(found.answers, at, at)
    measured = findings_of({"output": outputs_of(besides, [])}, list(says.observations), at)
    owner = source.performer or None
    judge(
        store,
        Occasion(str(response["id"]), person, at, source.encounter or None, owner, JUDGED[found.form.name]),
        measured,
        list(says.observations),
    )


def _flat(answers: Answers) -> dict[str, Sequence[Any]]:
    """All answers by linkId, out of the groups that are filled once."""
    found: dict[str, Sequence[Any]] = {}
    for link, given in answers.items():
        for one in given:
            if isinstance(one, Mapping):
                found |= {name: value for name, value in _flat(one).items() if name not in found}
        found.setdefault(link, given)
    return found
