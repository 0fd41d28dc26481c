"""``Patient/$match``: which files may be this person's, with a score and a grade; and ``Observation/$lastn``: the newest of each code."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import Invalid, NotSupported, Refusal
from healthsvc.fhir.json import Resource, dumps, loads
from healthsvc.fhir.validation import validate
from healthsvc.healthfile.duplicates import alike
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import identify, today
from healthsvc.rest import envelope
from healthsvc.rest.answer import Answer
from healthsvc.rest.call import Call, as_resource, call_of
from healthsvc.rest.parameters import pairs
from healthsvc.rest.permitted import require_read, restriction
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search import search


@dataclass(frozen=True, slots=True)
class MatchPolicy:
    """Filled from ``policy/rest.toml``."""

    match_probable_points: int


GRADE = "http://hl7.org/fhir/StructureDefinition/match-grade"
LOOKED_AT = 5000
"""Observations of a person from which the newest are taken."""


def match(store: Store, call: Call) -> Answer:
    """Files that may be the person in the body, best first. A number in common is certain; otherwise names (also by their sound), birth
    date, telephone and address speak for it as for duplicates.

    Raises:
        Invalid: the person in the body is no valid Patient.
    """
    require_read(store, "Patient")
    body: Any = loads(call.body) if call.body else None
    wrapped = isinstance(body, dict) and body.get("resourceType") == "Parameters"
    asked = {one.get("name"): one for one in body.get("parameter", ())} if wrapped else {}
    patient = as_resource(asked.get("resource", {}).get("resource") if asked else body, "Patient")
    wrong = [one for one in validate(patient, profile_checks=False) if one.severity == "error"]
    if wrong:
        raise Invalid(f"the Patient is not valid: {wrong[0].text}", issues=wrong)
    most, certain_only = asked.get("count", {}).get("valueInteger", 10), asked.get("onlyCertainMatches", {}).get("valueBoolean", False)
    probable = store.policy.fill(MatchPolicy, "rest", today(store)).match_probable_points
    numbers = [(one["system"], one["value"]) for one in patient.get("identifier", ()) if one.get("system") and one.get("value")]
    certain = identify(store, numbers) if numbers else None
    found: list[tuple[Resource, float, str]] = [(certain, 1.0, "certain")] if certain else []
    for one in [] if certain_only else alike(store, to_person(patient), certain):
        other = store.find("Patient", one.patient)
        if other is not None:
            found.append((other, min(one.score / probable, 0.99), "probable" if one.score >= probable else "possible"))
    entries = [dumps(_entry(call.base, *one)) for one in found[: int(most)]]
    store.audit("match", "Patient/$match", patient=certain["id"] if certain else None)
    return Answer(200, envelope.bundle("searchset", entries, total=len(entries)))


def _entry(base: str, patient: Resource, score: float, grade: str) -> Resource:
    search = {"extension": [{"url": GRADE, "valueCode": grade}], "mode": "match", "score": round(score, 2)}
    return {"fullUrl": f"{base}/Patient/{patient['id']}", "resource": patient, "search": search}


def last(store: Store, call: Call) -> Answer:
    """The newest Observations of each code of one person: ``max`` of each (1), narrowed by ``code``, ``category`` and the like.

    Raises:
        NotSupported: no person is named.
    """
    require_read(store, "Observation")
    given = pairs(call)
    most = next((value for name, value in given if name == "max"), "1")
    if not most.isascii() or not most.isdigit() or not 0 < int(most[:6]) <= 1000:
        raise Refusal("max takes a whole number from 1 to 1000", path="max")
    rest = [(name, value) for name, value in given if name != "max"]
    if not {"patient", "subject"} & {name.partition(":")[0] for name, _ in rest}:
        raise NotSupported("name the person: patient or subject", path="patient")
    query = [*rest, ("_sort", "-date"), ("_total", "none")]
    page = search(
        store, "Observation", query, count=LOOKED_AT, count_max=LOOKED_AT, restrict=restriction(store), strict=True, bases=call.bases
    )
    kept: dict[frozenset[Any], list[bytes]] = {}
    for one in page.matches:
        code = one.resource["code"]
        of = frozenset((it.get("system"), it.get("code")) for it in code.get("coding", ())) or frozenset([code.get("text")])
        listed = kept.setdefault(of, [])
        if len(listed) < int(most):
            listed.append(envelope.found(call.base, one, "match"))
    entries = [entry for listed in kept.values() for entry in listed]
    store.audit("lastn", f"Observation/$lastn?{'&'.join(sorted({name for name, _ in rest}))}")
    return Answer(200, envelope.bundle("searchset", entries, total=len(entries)))


def routes(site: Site, router: APIRouter) -> None:
    """POST /Patient/$match, GET and POST /Observation/$lastn."""

    @router.post("/Patient/$match")
    def match_patient(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return match(store, call).response(pretty=call.pretty)

    @router.api_route("/Observation/$lastn", methods=["GET", "POST"])
    def last_of_each(store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return last(store, call).response(pretty=call.pretty)
