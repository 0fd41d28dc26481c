"""The registry: types, parameters, compartments, element facts."""

import time

import pytest

from healthsvc.fhir import facts, own
from healthsvc.fhir.registry import HL7, Registry
from healthsvc.fhir.systems import BASE

REGISTRY = Registry.load()


def test_all_types_of_r4_and_no_others() -> None:
    assert len(REGISTRY.types) == 146
    assert {"Patient", "MedicinalProduct", "EffectEvidenceSynthesis", "Parameters"} <= REGISTRY.types
    assert not REGISTRY.is_type("DomainResource")
    assert not REGISTRY.is_type("SubscriptionStatus")


def test_loading_is_quick() -> None:
    start = time.thread_time()
    Registry()
    assert time.thread_time() - start < 0.5


@pytest.mark.parametrize(
    ("type", "code", "kind"),
    [
        ("Patient", "name", "string"),
        ("Patient", "_id", "token"),
        ("Task", "_lastUpdated", "date"),
        ("Task", "_tag", "token"),
        ("Task", "_profile", "uri"),
        ("Task", "_security", "token"),
        ("Task", "_source", "uri"),
        ("Observation", "code-value-quantity", "composite"),
        ("RiskAssessment", "probability", "number"),
        ("Location", "near", "special"),
        ("ValueSet", "url", "uri"),
        ("Patient", "pinyin", "string"),
        ("Patient", "risk-tag", "token"),
    ],
)
def test_parameters_of_types(type: str, code: str, kind: str) -> None:
    found = REGISTRY.parameter(type, code)
    assert found is not None
    assert found.type == kind


def test_what_is_no_parameter() -> None:
    assert REGISTRY.parameter("Patient", "nonsense") is None
    assert REGISTRY.parameter("Nonsense", "name") is None
    assert REGISTRY.parameter("Patient", "example") is None


def test_canonical_urls() -> None:
    name, ours = REGISTRY.parameter("Patient", "birthdate"), REGISTRY.parameter("Patient", "risk-tag")
    assert name is not None
    assert ours is not None
    assert name.url == f"{HL7}individual-birthdate"
    assert ours.url == f"{BASE}/SearchParameter/Patient-risk-tag"


def test_composites_know_their_parts() -> None:
    found = REGISTRY.parameter("Observation", "combo-code-value-quantity")
    assert found is not None
    assert [(code, kind) for code, kind, _ in found.components] == [("combo-code", "token"), ("combo-value-quantity", "quantity")]


def test_targets() -> None:
    found = REGISTRY.parameter("Task", "owner")
    assert found is not None
    assert "Practitioner" in found.targets


def test_compartments() -> None:
    assert set(REGISTRY.patient_compartment("Observation")) == {"subject", "performer"}
    assert REGISTRY.patient_compartment("Patient") == ("link",)
    assert REGISTRY.patient_compartment("Organization") == ()
    assert REGISTRY.compartment("Practitioner", "Encounter") == ("practitioner", "participant")
    for of in ("Patient", "Practitioner", "Encounter", "RelatedPerson", "Device"):
        for type in REGISTRY.types:
            for code in REGISTRY.compartment(of, type):
                found = REGISTRY.parameter(type, code)
                assert found is not None, (of, type, code)
                assert found.type == "reference", (of, type, code)


def test_element_types() -> None:
    assert REGISTRY.element_type("Patient", "name.family") == ("string",)
    assert "Quantity" in REGISTRY.element_type("Observation", "value")
    assert REGISTRY.element_type("Questionnaire", "item.item.item.linkId") == ("string",)
    assert REGISTRY.element_type("Patient", "nonsense") == ()


def test_summary_and_mandatory_elements() -> None:
    summary = REGISTRY.summary_elements("Observation")
    assert {"id", "meta", "status", "code", "valueQuantity", "valueString"} <= summary
    assert "note" not in summary
    assert {"resourceType", "status", "code"} <= REGISTRY.mandatory_elements("Observation")


def test_facts_of_elements() -> None:
    contact = facts.shape("Patient.contact")
    assert contact.kind == "backbone"
    assert contact.keys["organization"][1].targets == {"Organization"}
    status = facts.shape("Task").keys["status"][0].binding
    assert status is not None
    assert {"requested", "on-hold", "entered-in-error"} <= status.every
    assert facts.shape("Dosage.doseAndRate").keys["doseQuantity"][1].name == "SimpleQuantity"
    assert facts.ancestors("Age") == ("Age", "Quantity", "Element")


def test_our_parameters_compile_for_all_their_types() -> None:
    for row in own.rows():
        for base in row[3]:
            assert REGISTRY.parameter(base, row[1]) is not None
