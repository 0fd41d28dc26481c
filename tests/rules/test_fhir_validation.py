"""Validation: what is refused, where, and in which words; what is let through."""

import json
import time
from typing import Any

import pytest

from healthsvc.errors import Invalid
from healthsvc.fhir.json import loads
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import require_valid, validate, warm_up

PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p1", "name": [{"text": "单国强"}], "gender": "male", "birthDate": "1930-01-02"}
TASK: dict[str, Any] = {"resourceType": "Task", "status": "requested", "intent": "order"}
BED: dict[str, Any] = {"resourceType": "EpisodeOfCare", "status": "active", "patient": {"reference": "Patient/p1"}}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


def errors(resource: Any) -> list[tuple[str | None, str, str]]:
    read = loads(json.dumps(resource))
    return [(one.path, one.code, one.text) for one in validate(read, Registry.load()) if one.severity == "error"]


@pytest.mark.parametrize("resource", [PATIENT, TASK, BED, OBSERVATION])
def test_valid_resources_pass(resource: dict[str, Any]) -> None:
    assert errors(resource) == []


@pytest.mark.parametrize(
    ("base", "more", "path", "code", "words"),
    [
        # required codes
        (PATIENT, {"gender": "xx"}, "Patient.gender", "code-invalid", "female | male | other | unknown"),
        (TASK, {"status": "done"}, "Task.status", "code-invalid", "required value set"),
        (PATIENT, {"contact": [{"name": {"use": "x"}}]}, "Patient.contact[0].name.use", "code-invalid", "official"),
        # reference targets
        (
            BED,
            {"patient": {"reference": "Practitioner/d1"}},
            "EpisodeOfCare.patient.reference",
            "structure",
            "points to a Practitioner; allowed: Patient",
        ),
        (BED, {"patient": {"type": "Group", "display": "x"}}, "EpisodeOfCare.patient.reference", "structure", "points to a Group"),
        (OBSERVATION, {"subject": {"reference": "Organization/o"}}, "Observation.subject.reference", "structure", "Patient"),
        (BED, {"patient": {"reference": "#p"}}, "EpisodeOfCare.patient.reference", "not-found", "ref-1"),
        # ids
        (PATIENT, {"id": "a" * 65}, "Patient.id", "value", "1 to 64"),
        (PATIENT, {"id": "a_b"}, "Patient.id", "value", "1 to 64"),
        # emptiness
        (PATIENT, {"name": [{}]}, "Patient.name[0]", "structure", "ele-1"),
        (PATIENT, {"name": []}, "Patient.name", "structure", "empty array"),
        (PATIENT, {"name": [{"text": ""}]}, "Patient.name[0].text", "structure", "must not be empty"),
        (PATIENT, {"name": [{"text": "  "}]}, "Patient.name[0].text", "value", "must not be empty"),
        (PATIENT, {"name": None}, "Patient.name", "structure", "array"),
        # shape
        (PATIENT, {"nome": "x"}, "Patient.nome", "structure", "not an element of Patient"),
        (PATIENT, {"name": {"text": "x"}}, "Patient.name", "structure", "must be an array"),
        (PATIENT, {"gender": ["male"]}, "Patient.gender", "structure", "must not be an array"),
        (PATIENT, {"active": "true"}, "Patient.active", "value", "true or false"),
        (PATIENT, {"multipleBirthInteger": 1.5}, "Patient.multipleBirth", "value", "whole number"),
        (PATIENT, {"deceasedBoolean": True, "deceasedDateTime": "2026"}, "Patient", "structure", "choose one"),
        (TASK, {"intent": None}, "Task.intent", "structure", ""),
        (OBSERVATION, {"valueQuantity": {"value": "5"}}, "Observation.value.value", "value", "JSON number"),
        # primitives
        (PATIENT, {"birthDate": "1930-02-30"}, "Patient.birthDate", "value", "does not exist"),
        (PATIENT, {"birthDate": "30-01-02"}, "Patient.birthDate", "value", "YYYY"),
        (TASK, {"authoredOn": "2026-01-01T10:00:00"}, "Task.authoredOn", "value", "with seconds and zone"),
        (PATIENT, {"meta": {"lastUpdated": "2026-01-01"}}, "Patient.meta.lastUpdated", "value", "instant"),
        (PATIENT, {"language": " zh"}, "Patient.language", "value", "code"),
        (PATIENT, {"photo": [{"contentType": "image/png", "data": "abc"}]}, "Patient.photo[0].data", "value", "base64"),
        (PATIENT, {"identifier": [{"system": "a b", "value": "1"}]}, "Patient.identifier[0].system", "value", "white space"),
        # order in time
        (BED, {"period": {"start": "2026-03-02", "end": "2026-03-01"}}, "EpisodeOfCare.period", "invariant", "per-1"),
        (TASK, {"authoredOn": "2026-03-02", "lastModified": "2026-03-01"}, "Task", "invariant", "inv-1"),
        # named invariants
        (PATIENT, {"contact": [{"gender": "male"}]}, "Patient.contact[0]", "invariant", "pat-1"),
        (PATIENT, {"telecom": [{"value": "1"}]}, "Patient.telecom[0]", "invariant", "cpt-2"),
        (PATIENT, {"photo": [{"data": "YWJj"}]}, "Patient.photo[0]", "invariant", "att-1"),
        (PATIENT, {"extension": [{"url": "http://x.example/e"}]}, "Patient.extension[0]", "invariant", "ext-1"),
        (OBSERVATION, {"valueString": "x", "dataAbsentReason": {"text": "y"}}, "Observation", "invariant", "obs-6"),
        (OBSERVATION, {"valueQuantity": {"value": 1, "code": "mg"}}, "Observation.value", "invariant", "qty-3"),
        (OBSERVATION, {"referenceRange": [{"type": {"text": "x"}}]}, "Observation.referenceRange[0]", "invariant", "obs-3"),
        (PATIENT, {"contained": [{"resourceType": "Organization", "id": "o", "name": "x"}]}, "Patient.contained[0]", "invariant", "dom-3"),
        # narrative
        (PATIENT, {"text": {"status": "generated", "div": "<div>x</div>"}}, "Patient.text.div", "value", "namespace"),
        (
            PATIENT,
            {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>'}},
            "Patient.text.div",
            "value",
            "script",
        ),
        (
            PATIENT,
            {"text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml" onclick="x">y</div>'}},
            "Patient.text.div",
            "value",
            "onclick",
        ),
        (
            PATIENT,
            {"text": {"status": "generated", "div": '<!DOCTYPE div [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>'}},
            "Patient.text.div",
            "value",
            "document type",
        ),
    ],
)
def test_what_is_refused_and_where(base: dict[str, Any], more: dict[str, Any], path: str, code: str, words: str) -> None:
    found = errors({**base, **more})
    assert [one[:2] for one in found] == [(path, code)]
    assert words in found[0][2]


def test_a_missing_element_is_named() -> None:
    assert errors({"resourceType": "Observation", "status": "final"}) == [
        ("Observation.code", "required", "code is missing; Observation must have it")
    ]


def test_values_are_never_repeated() -> None:
    secret = "330299193001029"
    told = errors({**PATIENT, "gender": secret, "birthDate": secret, "id": secret * 5, "name": [{"use": secret}]})
    assert len(told) == 4
    assert secret not in str(told)


def test_primitives_may_have_extensions_alone() -> None:
    reason = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    assert errors({**PATIENT, "birthDate": "1930", "_birthDate": reason}) == []
    assert errors({"resourceType": "Task", "_status": reason, "intent": "order"}) == []
    assert errors({**PATIENT, "name": [{"given": [None, "b"], "_given": [reason, None]}]}) == []
    assert errors({**PATIENT, "name": [{"given": ["a"], "_given": [reason, None]}]})[0][0] == "Patient.name[0]._given"


def test_extensions_of_others_are_welcome() -> None:
    assert errors({**PATIENT, "extension": [{"url": "http://other.example/e", "valueString": "x"}]}) == []


def test_contained_resources_are_known_to_references() -> None:
    bed = {**BED, "contained": [{"resourceType": "Practitioner", "id": "d"}], "careManager": {"reference": "#d"}}
    assert errors(bed) == []
    wrong = {**bed, "managingOrganization": {"reference": "#d"}}
    assert errors(wrong)[0][0] == "EpisodeOfCare.managingOrganization.reference"


def test_absolute_references_are_judged_by_their_type_too() -> None:
    assert errors({**BED, "patient": {"reference": "https://x.example/fhir/Patient/1"}}) == []
    assert errors({**BED, "patient": {"reference": "https://x.example/fhir/Group/1"}})
    assert errors({**BED, "patient": {"reference": "https://x.example/Some/thing"}}) == []
    assert errors({**BED, "patient": {"reference": "Nonsense/1"}})[0][2].startswith("points to something that is not")


def test_bundles_are_checked_to_the_bottom_or_as_a_shell() -> None:
    entry = {"resource": {**PATIENT, "gender": "xx"}, "request": {"method": "POST", "url": "Patient"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert errors(bundle)[0][0] == "Bundle.entry[0].resource.gender"
    assert validate(bundle, entries=False) == []
    assert errors({**bundle, "type": "collection"})[-1][2].endswith("(bdl-3)")


@pytest.mark.parametrize("kind", ["MedicinalProduct", "EffectEvidenceSynthesis", "SubstanceNucleicAcid"])
def test_types_that_later_releases_dropped_are_still_r4(kind: str) -> None:
    assert {one[1] for one in errors({"resourceType": kind, "nonsense": 1})} <= {"structure", "required"}


@pytest.mark.parametrize("resource", [[], "x", None, 1, {}, {"resourceType": "Nonsense"}, {"resourceType": ["Patient"]}])
def test_what_is_no_resource(resource: Any) -> None:
    (found,) = errors(resource)
    assert found[0] in ("Resource", "Resource.resourceType")


def test_long_nonsense_is_refused_quickly() -> None:
    blank = {**PATIENT, "photo": [{"contentType": "image/png", "data": " " * 1_000_000 + "!"}]}
    started = time.thread_time()
    assert errors(blank)[0][0] == "Patient.photo[0].data"
    assert time.thread_time() - started < 2


def test_depth_has_an_end() -> None:
    inner: dict[str, Any] = {"url": "http://x.example/e", "valueString": "x"}
    for _ in range(900):
        inner = {"url": "http://x.example/e", "extension": [inner]}
    (found,) = validate({**PATIENT, "extension": [inner]})
    assert found.code == "too-long"


def test_a_refusal_lists_everything() -> None:
    with pytest.raises(Invalid, match="2 problems in all") as caught:
        require_valid({**PATIENT, "gender": "xx", "birthDate": "x"})
    assert [one.path for one in caught.value.issues] == ["Patient.gender", "Patient.birthDate"]
    warm_up()
    assert require_valid(PATIENT) == []


def test_the_resource_is_left_as_it_was() -> None:
    raw = '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":0.40}}'
    read = loads(raw)
    before = json.dumps(read, default=lambda value: value.text)
    validate(read)
    assert json.dumps(read, default=lambda value: value.text) == before
