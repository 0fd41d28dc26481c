"""The rooms' use cases as FHIR operations: ``POST /Contract/$sign`` and its like. The rooms do the work; here are only names and doors."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.contract import service as contracts
from healthsvc.contract.rules import SignatureKind
from healthsvc.documents import service as documents
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.conformance.operations import OPERATIONS
from healthsvc.fhir.conformance.tables import Operation
from healthsvc.fhir.elements import coding, reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.greenchannel import service as channels
from healthsvc.greenchannel.resources import RIGHTS
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, STANDING_NAMES, Right
from healthsvc.healthfile import service as files
from healthsvc.healthfile.timeline import timeline as line_of_time
from healthsvc.homebed import service as beds
from healthsvc.homebed.rules.bed import BedKind
from healthsvc.indicators import service as indicators
from healthsvc.referral import service as referrals
from healthsvc.referral.rules import Reason
from healthsvc.rest import form_acts as forms
from healthsvc.rest import home_acts as home
from healthsvc.rest.answer import resource_answer
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.parameters import BODY, named, parameters, taken
from healthsvc.rest.permitted import require_read, require_write
from healthsvc.rest.site import Site
from healthsvc.rest.whom import person, seen
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.endpoints import bundle
from healthsvc.visit.findings import Adherence, Findings, Mode, Pressure

Codes = TypeVar("Codes", bound=StrEnum)
Act = Callable[[Store, str, dict[str, Any]], Resource]
"""A use case: the transaction, the id in the address (empty for an operation of a type) and the values of the parameters."""


def sign(store: Store, _id: str, given: dict[str, Any]) -> Resource:
    """A contract is signed by both sides now."""
    terms: dict[str, Any] = {name: given[name] for name in ("months", "package", "number") if name in given}
    if "signature" in given:
        terms["kind"] = one_of(SignatureKind, given["signature"], "signature")
    doctor = f"Practitioner/{pointed(given, 'doctor', 'Practitioner')}"
    nurse = f"Practitioner/{pointed(given, 'nurse', 'Practitioner')}" if "nurse" in given else None
    return contracts.sign(store, person(store, given["patient"]), doctor, nurse, given.get("start") or files.today(store), **terms)


def establish(store: Store, _id: str, given: dict[str, Any]) -> Resource:
    """A home bed is established; its rounds follow."""
    return beds.establish(
        store,
        person(store, given["patient"]),
        pointed(given, "assessment", "ClinicalImpression"),
        pointed(given, "agreement", "Consent"),
        pointed(given, "doctor", "Practitioner"),
        pointed(given, "nurse", "Practitioner"),
        given.get("start") or files.today(store),
        kind=one_of(BedKind, given["kind"], "kind") if "kind" in given else BedKind.TREATMENT,
        stable=given.get("stable", False),
        previous=pointed(given, "previous", "EpisodeOfCare") if "previous" in given else None,
    )


def green_channel(store: Store, _id: str, given: dict[str, Any]) -> Resource:
    """The answer to a hospital window."""
    number = given["identifier"]
    if not number.get("system") or not number.get("value"):
        raise Invalid("the identifier needs system and value", path=f"{BODY}.parameter")
    told = channels.answer(store, number["system"], number["value"], given.get("on"), purpose="fhir-operation")
    found = [
        named("entitled", valueBoolean=told.entitled),
        named("standing", valueCode=told.standing.value),
        named("text", valueString=" ".join(STANDING_NAMES[told.standing])),
        *(named("right", valueCoding=coding(RIGHTS, one.value, RIGHT_NAMES[one][0])) for one in Right if one in told.rights),
    ]
    if told.reason:
        found.append(
            named("reason", valueCoding=coding(code_system("green-channel-reason"), told.reason.value, REASON_NAMES[told.reason][0]))
        )
    if told.valid_to:
        found.append(named("valid-to", valueDate=told.valid_to.isoformat()))
    return parameters(*found)


def complete(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """A visit has been made: what was found, by whom."""
    seen(store, "Task", id)
    values = {name.replace("-", "_"): value for name, value in given.items()}
    staff = [f"Practitioner/{id_of(one, 'performer', 'Practitioner')}" for one in values.pop("performer")]
    for arm in ("bp_left", "bp_right"):
        if arm in values:
            values[arm] = Pressure(**values[arm])
    if "mode" in values:
        values["mode"] = one_of(Mode, values["mode"], "mode")
    if "adherence" in values:
        values["adherence"] = one_of(Adherence, values["adherence"], "adherence")
    values["danger_signs"] = tuple(values.pop("danger_sign", ()))
    return bundle(visits.complete(store, id, Findings(**values), staff))


def refer(store: Store, _id: str, given: dict[str, Any]) -> Resource:
    """A person is referred up; the summary goes with it."""
    hospital = pointed(given, "hospital", "Organization")
    if store.find("Organization", hospital) is None:
        raise NotFound("there is no such Organization")
    made = referrals.refer(
        store,
        person(store, given["patient"]),
        one_of(Reason, given["reason"], "reason"),
        f"Organization/{hospital}",
        f"Practitioner/{pointed(given, 'requester', 'Practitioner')}",
        urgent=given.get("urgent", False),
        summary=given.get("summary", ""),
        department=given.get("department", ""),
    )
    return store.read("ServiceRequest", made.id)


def timeline(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """Everything in a file on one line of time, newest first."""
    require_read(store, "Patient")
    seen(store, "Patient", id)
    store.audit("timeline", f"Patient/{id}", patient=id)
    events = []
    for one in line_of_time(store, id, given.get("count")):
        part = [
            named("at", valueDateTime=one.at),
            named("what", valueReference={"reference": one.reference}),
            named("title", valueString=one.title),
            *([named("status", valueCode=one.status)] if one.status else []),
            named("file", valueReference={"reference": f"Patient/{one.patient}"}),
        ]
        events.append(named("event", part=part))
    return parameters(*events)


def evaluate(store: Store, id: str, given: dict[str, Any]) -> Resource:
    """A figure of a period as a MeasureReport; who is behind it only for those who may read files."""
    code = id or given.get("measure", "").partition("|")[0].rpartition("/")[2]
    if not code:
        raise Invalid("name the measure: in the address, or as the parameter measure", path=f"{BODY}.parameter")
    kind = REPORTS.get(given.get("reportType", "population"))
    if kind is None:
        raise Invalid(f"reportType is one of {', '.join(REPORTS)}", path=f"{BODY}.parameter")
    subject = given.get("subject", "").removeprefix("Patient/") or None
    if (kind == "individual") != (subject is not None):
        raise Invalid("a report of type subject names its subject, and no other does", path=f"{BODY}.parameter")
    if kind != "summary":
        require_read(store, "Patient")
    if subject is not None:
        seen(store, "Patient", subject)
    on = min(given.get("periodEnd") or files.today(store), files.today(store))
    asked = indicators.Asked(on, given.get("periodStart"), given.get("known"))
    return indicators.report(store, code, asked, subject=subject, people=kind == "subject-list")


def verify(store: Store, id: str, _given: dict[str, Any]) -> Resource:
    """Whether a frozen document is still what was sealed."""
    seen(store, "DocumentReference", id)
    verdict = documents.verify(store, id)
    store.audit("verify", f"DocumentReference/{id}")
    told = [named("intact", valueBoolean=verdict.intact), named("sha256", valueString=verdict.sha256)]
    key = [named("kid", valueString=verdict.kid)] if verdict.kid else []
    return parameters(*told, *key, *(named("finding", valueString=one) for one in verdict.findings))


REPORTS = {
    "population": "summary",
    "summary": "summary",
    "subject-list": "subject-list",
    "patient-list": "subject-list",
    "subject": "individual",
    "patient": "individual",
    "individual": "individual",
}
"""Kinds of report, by all the names that versions of the operation have given them."""
NOT_IN_AN_ADDRESS = frozenset({"Identifier", "Reference", "QuestionnaireResponse"})
ACTS: dict[str, Act] = {
    "EpisodeOfCare-discharge": home.discharge,
    "MedicationRequest-gates": home.gates,
    "Questionnaire-populate": forms.populate,
    "QuestionnaireResponse-extract": forms.extract,
    "ServiceRequest-refer": refer,
    "Contract-sign": sign,
    "DocumentReference-verify": verify,
    "EpisodeOfCare-establish": establish,
    "Patient-green-channel": green_channel,
    "Task-complete": complete,
    "Patient-timeline": timeline,
    "Measure-evaluate-measure": evaluate,
}
"""Operation id -> what carries it out."""
GRANTED: dict[str, str] = {"Patient-green-channel": "window", "Measure-evaluate-measure": "figures"}
"""Operations that another right opens than that to read or write clinical content."""


def pointed(given: dict[str, Any], name: str, type: str) -> str:
    """The id that a parameter points at."""
    return id_of(given[name], name, type)


def id_of(element: Resource, name: str, type: str) -> str:
    """The id in a reference."""
    id = reference_id(element, type)
    if id is None:
        raise Invalid(f"{name} is a Reference to {type}/id", path=f"{BODY}.parameter")
    return id


def one_of(codes: type[Codes], value: str, name: str) -> Codes:
    """A code of ours."""
    try:
        return codes(value)
    except ValueError:
        raise Invalid(f"{name} is one of {', '.join(codes)}", path=f"{BODY}.parameter") from None


def routes(site: Site, router: APIRouter) -> None:
    """One route an operation: POST, and GET where nothing is changed and nobody's number is needed."""
    for operation in OPERATIONS:
        path = f"/{operation.resource}/" + ("{id:fhirid}/" if operation.instance else "") + f"${operation.code}"
        paths = [path, f"/{operation.resource}/${operation.code}"] if operation.both else [path]
        opened = [needs(GRANTED[operation.id])] if operation.id in GRANTED else []
        plain = not operation.writes and not any(one.type in NOT_IN_AN_ADDRESS for one in operation.takes)
        answer = writing(site, operation) if operation.writes else reading(site, operation)
        for one in paths:
            router.add_api_route(one, answer, methods=["POST", "GET"] if plain else ["POST"], dependencies=opened, name=operation.id)


def writing(site: Site, operation: Operation) -> Callable[..., Response]:
    """The endpoint of an operation that changes something."""

    def answer(request: Request, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        require_write(store, operation.resource)
        made = ACTS[operation.id](store, request.path_params.get("id", ""), taken(operation, call, site.registry))
        return resource_answer(made).response(pretty=call.pretty)

    return answer


def reading(site: Site, operation: Operation) -> Callable[..., Response]:
    """The endpoint of an operation that changes nothing."""

    def answer(request: Request, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        made = ACTS[operation.id](store, request.path_params.get("id", ""), taken(operation, call, site.registry))
        return resource_answer(made).response(pretty=call.pretty)

    return answer
