"""表单: find a form, check what was answered, fill one in beforehand, and write down what the answers mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from healthsvc.errors import Invalid, Issue, NotFound
from healthsvc.fhir.elements import derived_id, extensions, is_active, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.forms.extract import Extracted, extract
from healthsvc.forms.prefill import filled_in
from healthsvc.forms.resources import limits_in, to_answers, to_form, to_items, to_questionnaire
from healthsvc.forms.rules import DONE, Answers, Checked, Form, Limits, check
from healthsvc.forms.statements import OWNER, Source, retracted
from healthsvc.forms.tables import BY_URL, FORMS
from healthsvc.healthfile.service import follow, today
from healthsvc.policy import Policy
from healthsvc.store import Store

_RANGE: Final = "forms.range."


@dataclass(frozen=True, slots=True)
class Read:
    """A response with the form that it answers."""

    form: Form
    answers: Answers
    checked: Checked


def questionnaires(policy: Policy, on: date) -> Iterator[Resource]:
    """Our forms as Questionnaires, with the limits in force on a day."""
    limits, months = _limits(policy, on), int(policy.value("forms.prefill_months", on))
    for form in FORMS.values():
        yield to_questionnaire(form, limits, months)


def form_of(store: Store, canonical: str) -> tuple[Form, dict[str, Limits]] | None:
    """The form that a canonical url names, ours or a site's own stored Questionnaire; None where it is not known here."""
    url, _, version = canonical.partition("|")
    ours = BY_URL.get(url)
    if ours is not None:
        return ours, _limits(store.policy, today(store))
    narrowed = {"version": version} if version else {}
    found = store.first("Questionnaire", url=url, **narrowed) if url else None
    return (to_form(found), limits_in(found)) if found is not None else None


def named(store: Store, name: str) -> tuple[Form, dict[str, Limits]]:
    """The form with this Questionnaire id."""
    if name in FORMS:
        return FORMS[name], _limits(store.policy, today(store))
    questionnaire = store.read("Questionnaire", name)
    return to_form(questionnaire), limits_in(questionnaire)


def read(store: Store, response: Resource) -> Read | None:
    """A response, checked; None where its questionnaire is not known here (it is kept as it came, and nothing follows from it)."""
    known = form_of(store, str(response.get("questionnaire", "")))
    if known is None:
        return None
    form, limits = known
    answers, unread = to_answers(form, response)
    on = _moment(response, store).astimezone(store.zone).date()
    checked = check(form, answers, limits, on, finished=response.get("status") in DONE)
    return Read(form, answers, Checked((*unread, *checked.wrong), checked.odd))


def must_be_possible(found: Read) -> None:
    """Refuse a response with an impossible answer; every issue names its item."""
    if found.checked.wrong:
        wrong = [Issue(one.text, one.code, f"QuestionnaireResponse.item.where(linkId='{one.path}')") for one in found.checked.wrong]
        raise Invalid("; ".join(one.text for one in wrong), reason="form-answers", issues=wrong)


def meaning(store: Store, response: Resource, found: Read) -> Extracted:
    """What a response says, as resources; nothing is written."""
    patient = reference_id(response.get("subject"), "Patient")
    if patient is None or store.find("Patient", patient) is None:
        raise Invalid("a form is about a person who has a health file here; name them in subject", path="QuestionnaireResponse.subject")
    bands = store.policy.value(found.form.bands, today(store)) if found.form.bands else {}
    return extract(found.form, found.answers, source_of(response, follow(store, patient)["id"], store), bands)


def write_meaning(store: Store, before: Resource | None, after: Resource | None) -> Extracted | None:
    """Write what a response says, and take back what its former version said and this one does not. Twice changes nothing.

    An illness that the file knows already (from a hospital, from another form) stays as it is.
    """
    said = _said(store, before)
    says = _said(store, after)
    kept = set(says.references()) if says else set()
    for one in (*said.observations, *said.statements) if said else ():
        reference = f"{one['resourceType']}/{one['id']}"
        known = store.find(one["resourceType"], one["id"])
        if reference not in kept and known is not None and known.get("meta", {}).get("source") == one["meta"]["source"]:
            store.put(retracted(known))
    if says is None:
        return None
    for one in says.observations:
        store.put(one)
    for one in says.statements:
        if not _knows_already(store, one):
            store.put(one)
    return says


def populate(store: Store, name: str, patient: str, *, now: datetime | None = None) -> Resource:
    """A response to a form, filled in beforehand from the file and from the time before; it is not stored.

    Habits, history and medicines are taken over. Measurements never are: yesterday's pressure must not become today's.
    """
    form, _ = named(store, name)
    file = follow(store, patient)
    months = int(store.policy.value("forms.prefill_months", today(store)))
    since = store.at - timedelta(days=round(months * 30.44))
    answers = filled_in(store, form, file, since)
    return response_of(form, file["id"], answers, (now or store.at).astimezone(store.zone), status="in-progress")


def response_of(form: Form, patient: str, answers: Answers, at: datetime, *, status: str = "completed", **more: Any) -> Resource:
    """Answers as a QuestionnaireResponse. ``more``: further elements (author, encounter, id)."""
    made: Resource = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form.url,
        "status": status,
        "subject": {"reference": f"Patient/{patient}"},
        "authored": at.isoformat(timespec="seconds"),
        **more,
    }
    items = to_items(form.items, answers)
    return made | ({"item": items} if items else {})


def responses(store: Store, patient: str) -> list[Resource]:
    """A person's forms that have been filled in, newest first."""
    found = store.select("QuestionnaireResponse", patient=patient)
    return sorted(found, key=lambda one: str(one.get("authored", "")), reverse=True)


def source_of(response: Resource, patient: str, store: Store) -> Source:
    """Whose answers, by whom, when."""
    author = response.get("author", {}).get("reference", "")
    visit = next((reference_id(one.get("valueReference"), "Task") for one in extensions(response, "form-visit")), None)
    return Source(
        response=str(response["id"]),
        patient=patient,
        base=visit or str(response["id"]),
        at=_moment(response, store).isoformat(),
        encounter=response.get("encounter", {}).get("reference", ""),
        performer=author if author.startswith(("Practitioner/", "PractitionerRole/")) else "",
        amended=response.get("status") == "amended",
    )


def _said(store: Store, response: Resource | None) -> Extracted | None:
    if response is None or response.get("status") not in DONE:
        return None
    found = read(store, response)
    return meaning(store, response, found) if found is not None else None


def _knows_already(store: Store, statement: Resource) -> bool:
    """Whether the file knows it: from somebody else, or the same illness under another id."""
    kind = statement["resourceType"]
    known = store.find(kind, statement["id"])
    if known is not None:
        gone = known.get("status") == "entered-in-error" or not is_active(known)
        return not gone and known.get("meta", {}).get("source") != statement["meta"]["source"]
    patient = statement[OWNER.get(kind, "subject")]["reference"].rpartition("/")[2]
    if kind in ("Encounter", "EpisodeOfCare"):
        begun = statement["period"]["start"][:10]
        return any(str(one.get("period", {}).get("start", ""))[:10] == begun for one in store.select(kind, patient=patient))
    if kind != "Condition":
        return False
    wanted = {one["code"].upper() for one in statement["code"].get("coding", ())}
    for one in store.select("Condition", patient=patient):
        codes = {str(c.get("code", "")).upper() for c in one.get("code", {}).get("coding", ()) if "icd" in str(c.get("system", "")).lower()}
        if is_active(one) and any(code.startswith(tuple(wanted)) for code in codes if wanted):
            return True
    return False


def _moment(response: Resource, store: Store) -> datetime:
    authored = str(response.get("authored", ""))
    try:
        at = datetime.fromisoformat(authored)
    except ValueError:
        return store.at.astimezone(store.zone)
    return at if at.tzinfo is not None else at.replace(tzinfo=store.zone)


def response_id(name: str, base: str) -> str:
    """Id of the response to a form that belongs to a visit: once for each."""
    return derived_id(name, base)


def must_be_known(name: str) -> Form:
    """One of our forms by its name."""
    if name not in FORMS:
        raise NotFound(f"there is no form {name!r}; there are {', '.join(FORMS)}")
    return FORMS[name]


@lru_cache(maxsize=32)
def _limits(policy: Policy, on: date) -> dict[str, Limits]:
    """The limits in force: the vital signs' own table, and one parameter for every other number."""
    rows = dict(policy.value("visit.ranges", on))
    for name in policy.names():
        if name.startswith(_RANGE) and policy.in_force(name, on):
            rows[name.removeprefix(_RANGE)] = policy.value(name, on)
    return {name: Limits(*(Decimal(str(bound)) for bound in bounds)) for name, bounds in rows.items()}
