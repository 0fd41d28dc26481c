"""What we publish is valid R4 and agrees with the words of the rooms."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from healthsvc.checkup import followup, selfcare
from healthsvc.circle import rules as circle
from healthsvc.contract import rules as contract
from healthsvc.contract.fulfilment import OwnService
from healthsvc.dayplan.compose import TIERS
from healthsvc.fhir import profiles, systems
from healthsvc.fhir.conformance import publish
from healthsvc.fhir.conformance.codes_care import CARE
from healthsvc.fhir.conformance.codes_person import PERSON
from healthsvc.fhir.conformance.extensions import EXTENSIONS
from healthsvc.fhir.consent import SIGNATURES
from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.forms import publish as forms
from healthsvc.greenchannel import rules as green
from healthsvc.healthfile import rules as file
from healthsvc.homebed.rules import bed
from healthsvc.indicators import figure as indicators
from healthsvc.infusion.rules import gates
from healthsvc.mustvisit import rules as mustvisits
from healthsvc.referral import rules as referral
from healthsvc.visit import rules as visits

CODE = [Path(systems.__file__).parents[1], Path(systems.__file__).parents[2] / "integrations"]


def test_everything_published_is_valid_r4() -> None:
    found = [(one["id"], issue.path, issue.text) for one in publish.resources() for issue in validate(one, Registry.load())]
    assert found == []


def test_the_standards_own_parameters_can_be_shown() -> None:
    registry = Registry.load()
    made = {one.id: one for type in registry.types for one in registry.parameters(type).values()}
    assert len(made) > 1300
    for one in made.values():
        resource = publish.standard_search_parameter(one)
        assert [issue.text for issue in validate(resource) if issue.severity == "error"] == [], one.id
    pair = publish.standard_search_parameter(made["Observation-code-value-quantity"])
    assert pair["component"][0]["definition"] == "http://hl7.org/fhir/SearchParameter/clinical-code"


def test_published_resources_have_their_own_address() -> None:
    made = publish.resources()
    keys = [(one["resourceType"], one["id"]) for one in made]
    assert len(set(keys)) == len(keys)
    for one in made:
        if "url" in one:
            assert one["url"] == f"{systems.BASE}/{one['resourceType']}/{one['id']}"
    guide = made[-1]
    assert len(guide["definition"]["resource"]) == len(made) - 1


def test_words_are_chinese_and_english() -> None:
    for table in publish.CODE_TABLES.values():
        for one in table.codes:
            assert re.search(r"[\u4e00-\u9fff]", one.zh), (table.name, one.code)
            assert one.en.isascii(), (table.name, one.code)
        assert len({one.code for one in table.codes}) == len(table.codes)


@pytest.mark.parametrize(
    ("name", "enums"),
    [
        ("cadre-category", [file.Category]),
        ("contact-role", [file.ContactRole]),
        ("living-arrangement", [file.Living]),
        ("green-channel", [green.Right]),
        ("green-channel-reason", [green.Reason]),
        ("green-channel-use", [green.Right]),
        ("contract-state", [contract.State]),
        ("contract-end-reason", [contract.EndReason]),
        ("contract-signer", [contract.Side]),
        ("signature-kind", [contract.SignatureKind]),
        ("visit-kind", [visits.Kind, OwnService]),
        ("self-care", [selfcare.Item]),
        ("self-care-level", [selfcare.Level]),
        ("follow-up-result", [followup.Result]),
        ("home-bed-kind", [bed.BedKind]),
        ("referral-stage", [referral.Stage]),
        ("referral-reason", [referral.Reason]),
        ("referral-outcome", [referral.Outcome]),
        ("referral-direction", [referral.Direction]),
        ("indicator-trait", [indicators.By]),
        ("must-visit", [mustvisits.Occasion]),
        ("circle-verdict", [circle.Verdict]),
        ("circle-basis", [circle.Basis]),
        ("circle-doubt", [circle.Doubt]),
    ],
)
def test_code_systems_say_what_the_rules_say(name: str, enums: list[type[StrEnum]]) -> None:
    published = {one.code for one in publish.CODE_TABLES[name].codes}
    assert published - {"total", "all"} == {item.value for enum in enums for item in enum}


def test_contracts_and_consents_say_alike_how_they_were_signed() -> None:
    assert set(contract.SignatureKind) == SIGNATURES | {"carried-over"}


def test_every_table_stands_once() -> None:
    assert len(publish.CODE_TABLES) == len(PERSON) + len(CARE)


def test_the_gates_of_an_infusion_are_published() -> None:
    assert {one.code for one in publish.CODE_TABLES["infusion-override"].codes} == set(gates.REASONS.values())


def names_in_the_code(pattern: str) -> set[str]:
    """Short names handed to a function of ``systems`` anywhere outside the tables."""
    found: set[str] = set()
    for root in CODE:
        for path in root.rglob("*.py"):
            if path.parts[-2] not in ("fhir", "conformance"):
                found |= set(re.findall(pattern, path.read_text(encoding="utf-8")))
    return found


def test_every_extension_in_the_code_is_defined() -> None:
    used = names_in_the_code(r"""(?<!geolocation\.)\bextension\(\s*"([a-z0-9-]+)\"""") | names_in_the_code(r'_parts\(\s*"([a-z0-9-]+)"')
    assert used - {one.name for one in EXTENSIONS} == set()


def test_every_extension_says_what_it_holds() -> None:
    assert [one.name for one in EXTENSIONS if bool(one.types) == bool(one.parts)] == []


def test_every_tier_of_a_day_plan_is_a_part_of_its_figures() -> None:
    (figures,) = (one for one in EXTENSIONS if one.name == "dayplan-figures")
    assert {f"tier-{name}" for name in TIERS.values()} <= {part.url for part in figures.parts}


def test_every_code_system_in_the_code_is_published() -> None:
    assert names_in_the_code(r'code_system\(\s*"([a-z0-9-]+)"') - set(publish.CODE_TABLES) - {one.name for one in forms.tables()} == set()


def test_every_profile_in_the_code_is_published() -> None:
    assert names_in_the_code(r'\bprofile\(\s*"([a-z0-9-]+)"') - set(profiles.BY_NAME) == set()
