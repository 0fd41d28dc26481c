"""What the index keeps besides values: that there is none, and what stands inside of a name."""

from typing import Any

import pytest

from healthsvc.fhir import derived
from healthsvc.fhir.registry import Registry

REGISTRY = Registry.load()


def _absent(resource: dict[str, Any]) -> set[str]:
    return {one.param for one in REGISTRY.extract(resource).tokens if one.param.endswith(":missing")}


def test_what_a_resource_lacks_is_kept() -> None:
    bare = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert _absent(bare) == {f"{one}:missing" for one in ("date", "patient", "subject", "code", "category", "value-quantity")}
    whole = {**bare, "effectiveDateTime": "2026", "valueQuantity": {"value": 1}, "subject": {"reference": "Patient/1"}}
    assert _absent(whole) == {"code:missing", "category:missing"}, "a code in words alone is no token"


def test_a_reference_by_identifier_is_a_value() -> None:
    bare = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"identifier": {"value": "1"}}}
    by_number = _absent({**bare, "subject": {"type": "Patient", "identifier": {"value": "1"}}})
    assert ("patient:missing" in by_number) is not any(
        one.param.startswith("patient") and not one.param.endswith(":missing") for one in REGISTRY.extract(bare).tokens
    )


@pytest.mark.parametrize(("type", "codes"), derived.ABSENCE.items())
def test_what_is_kept_is_of_parameters_that_there_are(type: str, codes: tuple[str, ...]) -> None:
    found = [REGISTRY.parameter(type, code) for code in codes]
    assert all(one is not None and one.type not in ("composite", "special") for one in found), codes


def test_a_name_is_kept_from_each_of_its_characters_on() -> None:
    found = REGISTRY.extract({"resourceType": "Patient", "name": [{"text": "欧阳国强"}], "address": [{"text": "人民路"}]})
    assert {one.folded for one in found.strings if one.param == "name:inside"} == {"阳国强", "国强", "强"}
    assert not [one for one in found.strings if one.param == "address:inside"]


def test_a_very_long_name_does_not_fill_the_index() -> None:
    found = REGISTRY.extract({"resourceType": "Patient", "name": [{"text": "长" * 5000}]})
    assert len([one for one in found.strings if one.param == "name:inside"]) < derived.LONGEST
