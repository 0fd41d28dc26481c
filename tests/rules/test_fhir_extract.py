"""Index entries: what each kind of search parameter keeps, and FHIRPath libraries as judges over the routes."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fhirpathpy import compile as fhirpath_compile
from fhirpathpy.models import models

from healthsvc.errors import Invalid
from healthsvc.fhir import dates
from healthsvc.fhir.emit import Sink
from healthsvc.fhir.extract import Branch
from healthsvc.fhir.json import loads
from healthsvc.fhir.own import UNIONS
from healthsvc.fhir.registry import DECEASED, Registry
from healthsvc.fhir.routes import routes
from healthsvc.fhir.systems import extension

REGISTRY = Registry.load()


def extract(resource: dict[str, Any], **named: Any) -> Any:
    return REGISTRY.extract(loads(json.dumps(resource)), **named)


def observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}], "text": "心率"},
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def test_a_day_is_a_day_in_ningbo() -> None:
    found = extract(observation(effectiveDateTime="2026-03-05")).dates
    assert found == [("date", *dates.span("2026-03-05T00:00:00+08:00")[:1], dates.span("2026-03-06T00:00:00+08:00")[0])]


def test_another_zone_can_be_asked_for() -> None:
    (found,) = extract(observation(effectiveDateTime="2026-03-05"), zone="UTC").dates
    assert found.low == dates.span("2026-03-05T00:00:00Z")[0]


def test_a_period_without_end_reaches_to_the_end_of_time() -> None:
    (found,) = extract(observation(effectivePeriod={"start": "2026-03-05T08:00:00+08:00"})).dates
    assert (found.low, found.high) == (dates.span("2026-03-05T08:00:00+08:00")[0], dates.END)


def test_a_timing_counts_from_its_first_to_its_last_moment() -> None:
    events = {"event": ["2026-03-05T08:00:00+08:00", "2026-03-07T08:00:00+08:00"]}
    (found,) = [one for one in extract(observation(effectiveTiming=events)).dates if one.param == "date"]
    assert (found.low, found.high) == (dates.span(events["event"][0])[0], dates.span(events["event"][1])[1])


def test_a_code_is_found_by_system_code_and_text() -> None:
    found = extract(observation())
    assert ("code", "http://loinc.org", "8867-4") in found.tokens
    assert {("code:text", "heart rate", "Heart rate"), ("code:text", "心率", "心率")} <= set(found.strings)


def test_a_bare_code_has_the_system_of_its_value_set() -> None:
    assert ("status", "http://hl7.org/fhir/observation-status", "final") in extract(observation()).tokens


def test_a_patient_reference_gives_the_compartment() -> None:
    found = extract(observation())
    assert found.patients == ["p1"]
    assert {("subject", "Patient", "p1", None), ("patient", "Patient", "p1", None)} <= set(found.references)


def test_only_references_to_patients_are_patient_references() -> None:
    found = extract(observation(subject={"reference": "Location/l1"}))
    assert found.patients == []
    assert {one.param for one in found.references} == {"subject"}


@pytest.mark.parametrize("url", ["https://ours.example/fhir/Patient/p1", "https://ours.example/fhir/Patient/p1/_history/3"])
def test_an_absolute_reference_to_us_is_our_patient(url: str) -> None:
    found = extract(observation(subject={"reference": url}), bases=["https://ours.example/fhir"])
    assert found.patients == ["p1"]
    assert ("subject", "Patient", "p1", url) in found.references


def test_an_absolute_reference_to_others_is_a_url() -> None:
    url = "https://other.example/fhir/Patient/p1"
    found = extract(observation(subject={"reference": url}), bases=["https://ours.example/fhir"])
    assert found.patients == []
    assert ("subject", None, None, url) in found.references


def test_a_reference_by_identifier_is_found_by_identifier() -> None:
    found = extract(observation(subject={"identifier": {"system": "urn:oid:1.2", "value": "7"}}))
    assert ("subject:identifier", "urn:oid:1.2", "7") in found.tokens
    assert found.references == []


def test_contained_references_are_not_indexed() -> None:
    assert extract(observation(subject={"reference": "#p"})).references == []


def test_a_canonical_is_found_with_and_without_its_version() -> None:
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "http://x.example/q|2"}
    found = {one.url for one in extract(response).references}
    assert found == {"http://x.example/q|2", "http://x.example/q"}


@pytest.mark.parametrize(
    ("written", "low", "high"), [("5.4", 5.35, 5.45), ("5.40", 5.395, 5.405), ("100", 99.5, 100.5), ("1.0E2", 95, 105)]
)
def test_the_written_precision_of_a_number_gives_its_range(written: str, low: float, high: float) -> None:
    raw = f'{{"resourceType":"Observation","status":"final","code":{{"text":"x"}},"valueQuantity":{{"value":{written},"unit":"mmol/L"}}}}'
    (found,) = [one for one in REGISTRY.extract(loads(raw)).quantities if one.param == "value-quantity"]
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert found.code == "mmol/L"


def test_more_digits_than_a_float_holds_are_still_a_range() -> None:
    raw = '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1234567.12345678901234567890}}'
    (found,) = [one for one in REGISTRY.extract(loads(raw)).quantities if one.param == "value-quantity"]
    assert found.low < found.high


def test_a_comparator_opens_the_range() -> None:
    (found,) = [
        one for one in extract(observation(valueQuantity={"value": 60, "comparator": "<"})).quantities if one.param == "value-quantity"
    ]
    assert (found.low, found.high) == (float("-inf"), 60)


def test_sampled_data_spans_its_samples() -> None:
    sampled = {"origin": {"value": 2048, "code": "mV"}, "period": 10, "factor": 2, "dimensions": 1, "data": "-3 E 5 0"}
    (found,) = [one for one in extract(observation(valueSampledData=sampled)).quantities if one.param == "value-quantity"]
    assert (found.low, found.high) == (2042, pytest.approx(2058))


def test_a_composite_keeps_its_pair_together() -> None:
    parts = [
        {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value, "code": "mm[Hg]"}}
        for code, value in (("8480-6", 152), ("8462-4", 88))
    ]
    found = {one.param: (one.low, one.high) for one in extract(observation(component=parts)).quantities if "$" in one.param}
    assert found["component-code-value-quantity$http://loinc.org|8480-6"] == (151.5, 152.5)
    assert found["component-code-value-quantity$http://loinc.org|8462-4"] == (87.5, 88.5)


def test_what_a_united_parameter_means_is_what_the_others_mean_together() -> None:
    whole = Registry(unions={})
    raw = observation(
        valueQuantity={"value": 3, "code": "kg"},
        dataAbsentReason={"coding": [{"system": "s", "code": "error"}]},
        component=[
            {"code": {"coding": [{"code": "a"}], "text": "甲"}, "valueCodeableConcept": {"coding": [{"code": "b"}]}},
            {"code": {"coding": [{"code": "c"}]}, "valueQuantity": {"value": 5, "code": "m"}},
            {"code": {"coding": [{"code": "d"}]}, "dataAbsentReason": {"coding": [{"code": "unknown"}]}},
        ],
    )
    there, kept = whole.extract(raw), extract(raw)
    for (type, united), parts in UNIONS.items():
        assert REGISTRY.filed_under(type, united) == tuple(f"{type}.{one}" for one in parts)
        assert _filed(there, united) == set().union(*(_filed(kept, part) for part in parts)) != set()
        assert not _filed(kept, united)
    assert REGISTRY.filed_under("Observation", "code") == ("Observation.code",)


def _filed(entries: Any, param: str) -> set[Any]:
    """The entries of a parameter without its name; what stands behind the name (``:text``, the code of a composite) stays."""
    every = [*entries.tokens, *entries.strings, *entries.quantities]
    return {
        one._replace(param=one.param[len(param) :])
        for one in every
        if one.param == param or one.param.startswith((f"{param}:", f"{param}$"))
    }


def test_a_composite_of_codes() -> None:
    found = extract(observation(valueCodeableConcept={"coding": [{"system": "s", "code": "high"}], "text": "高"}))
    assert ("code-value-concept$http://loinc.org|8867-4", "s", "high") in found.tokens
    assert not [one for one in found.strings if "$" in one.param]


def test_a_chinese_name_in_all_the_ways_people_type_it() -> None:
    found = extract({"resourceType": "Patient", "id": "p1", "name": [{"text": "欧阳国强", "family": "欧阳", "given": ["国强"]}]})
    names = {one.folded for one in found.strings if one.param == "name"}
    assert names == {"欧阳国强", "欧阳", "国强"}
    assert {one.folded for one in found.strings if one.param == "pinyin"} == {"ouyangguoqiang", "ouyanggq", "oygq"}


def test_a_name_from_elsewhere_is_joined_with_spaces() -> None:
    found = extract({"resourceType": "Patient", "name": [{"family": "Müller", "given": ["Ana", "María"]}]})
    assert "ana maria muller" in {one.folded for one in found.strings if one.param == "name"}


def test_a_chinese_address_is_joined_from_the_large_to_the_small() -> None:
    address = {"state": "浙江省", "city": "宁波市", "district": "海曙区", "line": ["月湖街道9号"]}
    found = extract({"resourceType": "Patient", "address": [address]})
    assert "浙江省宁波市海曙区月湖街道9号" in {one.folded for one in found.strings if one.param == "address"}


def test_a_phone_number_is_found_without_its_spaces() -> None:
    patient = {
        "resourceType": "Patient",
        "telecom": [{"system": "phone", "value": "0574-0000 0000"}, {"system": "email", "value": "a-b@x.example"}],
    }
    found = extract(patient).tokens
    assert ("phone", "phone", "057400000000") in found
    assert ("email", "email", "a-b@x.example") in found
    assert not [one for one in found if one.param == "email" and one.code == "057400000000"]


@pytest.mark.parametrize(("more", "dead"), [({}, "false"), ({"deceasedBoolean": False}, "false"), ({"deceasedDateTime": "2026"}, "true")])
def test_who_has_died(more: dict[str, Any], dead: str) -> None:
    assert ("deceased", None, dead) in extract({"resourceType": "Patient", **more}).tokens


def test_an_identifier_is_found_by_its_type() -> None:
    number = {"system": "urn:oid:1.2", "value": "A7", "type": {"coding": [{"system": "t", "code": "MR"}]}}
    assert ("identifier:of-type", "t", "MR|A7") in extract({"resourceType": "Patient", "identifier": [number]}).tokens


def test_our_extensions_can_be_searched() -> None:
    patient = {
        "resourceType": "Patient",
        "extension": [
            {"url": extension("risk-tag"), "valueCodeableConcept": {"coding": [{"system": "s", "code": "falls"}]}},
            {"url": extension("risk-tag"), "valueCodeableConcept": {"coding": [{"system": "s", "code": "alone"}]}},
            {"url": extension("managing-unit"), "valueReference": {"display": "某局"}},
        ],
    }
    found = extract(patient)
    assert {one.code for one in found.tokens if one.param == "risk-tag"} == {"falls", "alone"}
    assert ("managing-unit", "某局", "某局") in found.strings


def test_a_place_on_the_map() -> None:
    found = extract({"resourceType": "Location", "position": {"latitude": 29.87, "longitude": 121.55}}).quantities
    assert {one.param: one.low for one in found} == {"near:latitude": 29.87, "near:longitude": 121.55}


def test_entries_are_distinct() -> None:
    twice = {"coding": [{"system": "s", "code": "c"}]}
    found = extract({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "category": [twice, twice]})
    assert [one for one in found.tokens if one.param == "category"] == [("category", "s", "c")]


def test_broken_structure_is_refused_not_a_crash() -> None:
    with pytest.raises(Invalid, match="validate it first"):
        extract({"resourceType": "Patient", "name": "text"})
    with pytest.raises(Invalid, match="resource type"):
        extract({"resourceType": "Nonsense"})


def test_every_type_compiles() -> None:
    for name in sorted(REGISTRY.types):
        assert REGISTRY.extract({"resourceType": name}) is not None


def values_by_routes(expression: str, kind: str, resource: Any) -> list[Any]:
    """The raw values that our routes reach."""
    found: list[Any] = []
    tree = Branch()
    for route in routes(expression, kind):
        tree.add(route, lambda value, sink, target=route.target: found.append(value) if points_to(value, target) else None)
    if tree.emits or tree.keys or tree.tests or tree.places:
        tree.compiled()(resource, Sink(root=resource))
    return found


def points_to(value: Any, target: str | None) -> bool:
    return target is None or f"{target}/" in value.get("reference", "") or value.get("type") == target


def values_by_library(expression: str, resource: Any) -> list[Any]:
    """The same by fhirpathpy; ``resolve() is X`` is read as "the reference names X" and extensions stand for their values."""
    found: list[Any] = []
    for part in expression.split(" | "):
        condition = re.search(r"\.where\(resolve\(\) is (\w+)\)", part)
        bare = part.replace(condition[0], "") if condition else part
        bare = re.sub(r"^\((\S+) as (\w+)\)", r"\1.ofType(\2)", re.sub(r"\.as\((\w+)\)", r".ofType(\1)", bare))
        bare = re.sub(r"\.extension\('([^']*)'\)$", r".extension('\1').value", bare)
        bare = re.sub(r"hasExtension\(('[^']*')\)", r"extension(\1).exists()", bare)
        head = bare.split(".")[0]
        if head[0].isupper() and head not in (resource["resourceType"], "Resource", "DomainResource"):
            continue
        values = fhirpath_compile(bare.removeprefix("Resource.") if head == "Resource" else bare, models["r4"])(resource)
        found += [value for value in values if points_to(value, condition[1] if condition else None)]
    return found


@pytest.mark.shared
def test_routes_reach_what_a_fhirpath_library_reaches(shared: Path) -> None:
    seen: Counter[str] = Counter()
    compared = 0
    for file in sorted((shared / "fhir/hl7-r4-examples").glob("*.json")):
        resource = json.loads(file.read_bytes())
        kind = resource["resourceType"]
        seen[kind] += 1
        if seen[kind] > 1 or len(file.read_bytes()) > 40_000:
            continue
        for one in REGISTRY.parameters(kind).values():
            if one.components or one.expression == DECEASED or "[0]" in one.expression:
                continue
            ours = sorted(json.dumps(value, sort_keys=True) for value in values_by_routes(one.expression, kind, resource))
            theirs = sorted(json.dumps(value, sort_keys=True, default=float) for value in values_by_library(one.expression, resource))
            assert ours == theirs, (kind, one.code, one.expression)
            compared += bool(ours)
    assert compared > 600
