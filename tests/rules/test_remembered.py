"""What is remembered of a part says the same as looking anew, and nothing is remembered that depends on what stands around it."""

from copy import deepcopy
from typing import Any

import pytest

from healthsvc.fhir import structure
from healthsvc.fhir.json import Lexical
from healthsvc.fhir.remembered import LONGEST, Remembered, content

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}], "text": "葡萄糖"},
    "subject": {"reference": "Patient/a"},
    "valueQuantity": {"value": Lexical("5.10"), "unit": "mmol/L"},
    "referenceRange": [{"low": {"value": Lexical("3.9")}, "high": {"value": Lexical("6.1")}}],
}


def wrong(resource: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one.path, one.code) for one in structure.resource(resource)]


def test_a_part_that_was_valid_once_is_valid_again_and_a_wrong_one_is_wrong_each_time() -> None:
    broken = deepcopy(OBSERVATION) | {"referenceRange": [{"low": {"value": "3.9"}}]}
    for _ in range(3):
        assert wrong(deepcopy(OBSERVATION)) == []
        assert wrong(deepcopy(broken)) == wrong(deepcopy(broken)) != []


def test_the_same_content_under_another_element_is_judged_by_that_element() -> None:
    concept = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    condition = {"resourceType": "Condition", "subject": {"reference": "Patient/a"}, "code": concept, "clinicalStatus": concept}
    assert wrong(condition) == []
    elsewhere = {**condition, "verificationStatus": concept}
    assert [path for path, _ in wrong(elsewhere)] == ["verificationStatus"], "not a code of that value set"


def test_a_reference_into_the_resource_is_looked_up_in_each() -> None:
    inside = {**deepcopy(OBSERVATION), "performer": [{"reference": "#p"}], "contained": [{"resourceType": "Practitioner", "id": "p"}]}
    assert wrong(inside) == []
    inside.pop("contained")
    assert [code for _, code in wrong(inside)] == ["not-found"]


def test_ids_of_elements_are_unique_in_each_resource() -> None:
    named = deepcopy(OBSERVATION)
    named["code"]["id"] = "x"
    assert wrong(named) == []
    named["subject"]["id"] = "x"
    assert [code for _, code in wrong(named)] == ["duplicate"]


def test_what_looks_at_its_surroundings_is_looked_at_each_time() -> None:
    assert (
        structure.resource({"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {"method": "GET", "url": "Patient"}}]})
        == []
    )
    found = structure.resource(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"request": {"method": "GET", "url": "Patient"}}]}
    )
    assert [one.code for one in found] == ["invariant"]


def test_numbers_are_known_as_they_were_written() -> None:
    assert content({"value": Lexical("5.10")}) != content({"value": Lexical("5.1")})
    assert content({"value": Lexical("5.10")}) != content({"value": "5.10"})
    assert content("x" * LONGEST) is None
    assert content({"a": object()}) is None


@pytest.mark.parametrize("most", [1, 3])
def test_what_is_asked_for_stays(most: int) -> None:
    kept: Remembered[int] = Remembered(most)
    kept.put("held", 1)
    for number in range(10):
        kept.put(number, number)
        assert kept.get("held") == 1
    assert kept.get(0) is None
