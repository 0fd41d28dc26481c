"""A person survives FHIR; names are split by the table; what is told joins what is known; tags and completeness follow from the file."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.errors import Invalid
from healthsvc.fhir.json import dumps, loads
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, UNVERIFIED_CITIZEN_ID, hospital_number
from healthsvc.healthfile import names
from healthsvc.healthfile.circumstances import Allowance, Background
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.demographics import clean, joined
from healthsvc.healthfile.freshness import freshness
from healthsvc.healthfile.oddities import oddities
from healthsvc.healthfile.resources import to_patient, to_person
from healthsvc.healthfile.rules import (
    Category,
    Contact,
    ContactRole,
    FilePolicy,
    Findings,
    Identifier,
    Living,
    Person,
    Position,
    RiskTag,
    completeness,
    derive_tags,
)
from healthsvc.policy import load

ON = date(2026, 11, 22)
POLICY = load(Path("absent")).fill(FilePolicy, "healthfile", ON)

words = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=6)
blank = st.just("") | words
phones = st.integers(0, 9_999_999).map(lambda n: f"0574-{n:08d}")
numbers = st.builds(
    Identifier,
    st.sampled_from([CITIZEN_ID, HEALTH_FILE_NUMBER, hospital_number("h1"), hospital_number("h2")]),
    st.integers(0, 10**17).map(str),
    st.booleans(),
)
contacts = st.lists(st.sampled_from(list(ContactRole)), unique=True).flatmap(
    lambda roles: st.tuples(
        *(st.builds(Contact, st.just(role), words, st.just("") | phones, blank) for role in sorted(roles, key=list(ContactRole).index))
    )
)
degrees = st.integers(-179_000_000, 179_000_000).map(lambda n: n / 1_000_000)


allowances = st.builds(
    Allowance,
    st.booleans(),
    st.none() | st.decimals(0, 9999, places=2),
    st.none() | st.dates(date(2000, 1, 1), ON),
    st.none() | st.just(ON),
)
backgrounds = st.builds(
    Background,
    former_unit=blank,
    household=st.sampled_from(["", "registered", "unregistered"]),
    ethnicity=blank,
    education=st.sampled_from(["", "primary", "university"]),
    occupation=blank,
    marital=st.sampled_from(["", "20", "30"]),
    payment=st.lists(st.sampled_from(["01", "06", "lixiu-fund"]), unique=True).map(tuple),
    carer=blank,
    keeper=blank,
    allowance=st.none() | allowances,
)


@st.composite
def persons(draw: Any) -> Person:
    return Person(
        name=draw(words),
        sex=draw(st.sampled_from(["male", "female", "unknown", "other"])),
        sex_code=draw(st.sampled_from(["", "0", "1", "2", "9"])),
        birth=draw(st.none() | st.dates(date(1900, 1, 1), ON)),
        identifiers=tuple(draw(st.lists(numbers, unique_by=lambda one: (one.system, one.value), max_size=4))),
        phones=tuple(draw(st.lists(phones, max_size=2, unique=True))),
        address=draw(blank),
        position=draw(st.none() | st.builds(Position, degrees, degrees)),
        contacts=draw(contacts),
        category=draw(st.none() | st.sampled_from(Category)),
        managing_unit=draw(blank),
        residence_area=draw(blank),
        resettled=draw(st.sampled_from([None, True, False])),
        living=draw(st.none() | st.sampled_from(Living)),
        tags=tuple(
            draw(st.lists(st.builds(RiskTag, st.sampled_from(["aged-90", "alone", "bedridden"]), blank, st.booleans()), max_size=3))
        ),
        doctor=draw(st.none() | st.just("Practitioner/d1")),
        centre=draw(st.none() | st.just("Organization/c1")),
        deceased=draw(st.none() | st.dates(date(2000, 1, 1), ON)),
        background=draw(backgrounds),
    )


@given(persons())
def test_a_person_survives_fhir(person: Person) -> None:
    assert to_person(loads(dumps(to_patient(person, "p1")))) == person


@settings(max_examples=40)
@given(persons(), persons())
def test_writing_a_person_over_a_patient_keeps_what_is_not_ours(person: Person, other: Person) -> None:
    base = to_patient(other, "p1") | {"multipleBirthBoolean": True, "photo": [{"title": "x"}]}
    base["extension"] = [*base.get("extension", []), {"url": "http://example.org/own", "valueString": "kept"}]
    again = to_patient(replace(person, birth=person.birth or other.birth, deceased=person.deceased or other.deceased), "p1", base)
    assert again["multipleBirthBoolean"] is True
    assert again["photo"] == [{"title": "x"}]
    assert again["extension"][-1]["valueString"] == "kept"
    assert to_person(again) == replace(person, birth=person.birth or other.birth, deceased=person.deceased or other.deceased)


@settings(max_examples=40)
@given(persons(), persons())
def test_telling_the_same_twice_changes_nothing(known: Person, told: Person) -> None:
    once = joined(known, told)
    assert joined(once, told) == once


@given(persons())
def test_telling_nothing_changes_nothing(known: Person) -> None:
    known = replace(known, contacts=known.contacts)
    assert joined(known, Person(name="")) == known


def test_what_a_client_wrote_beside_our_values_stays() -> None:
    person = Person(
        "王明", phones=("0574-00000000",), managing_unit="某单位", doctor="Practitioner/d1", contacts=(Contact(ContactRole.FAMILY, "王芳"),)
    )
    patient = to_patient(person, "p1")
    patient["name"][0]["use"] = "official"
    patient["telecom"][0]["use"] = "home"
    patient["contact"][0]["address"] = {"text": "某路2号"}
    patient["generalPractitioner"].append({"reference": "Practitioner/d9"})
    (unit,) = (one for one in patient["extension"] if one["url"].endswith("managing-unit"))
    unit["valueReference"]["reference"] = "Organization/u1"
    assert to_patient(to_person(patient), "p1", patient) == patient
    moved = to_patient(replace(to_person(patient), name="王远明", managing_unit="另一单位", doctor="Practitioner/d2"), "p1", patient)
    assert moved["name"][0] == {"use": "official", "text": "王远明", "family": "王", "given": ["远明"]}
    assert moved["telecom"] == patient["telecom"]
    assert moved["generalPractitioner"] == [{"reference": "Practitioner/d2"}]
    assert "Organization/u1" not in str(moved)


def test_a_new_citizen_id_replaces_the_old_one_and_a_hospital_number_is_added() -> None:
    known = Person("某某", identifiers=(Identifier(UNVERIFIED_CITIZEN_ID, "1"), Identifier(hospital_number("h1"), "a")))
    told = Person("某某", identifiers=(Identifier(CITIZEN_ID, "2"), Identifier(hospital_number("h1"), "b")))
    assert [(one.system == CITIZEN_ID, one.value) for one in joined(known, told).identifiers] == [(False, "a"), (True, "2"), (False, "b")]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("王明", ("王", "明")),
        ("欧阳修远", ("欧阳", "修远")),
        ("司徒静", ("司徒", "静")),
        ("欧阳", ("欧", "阳")),
        ("单雄信", ("单", "雄信")),
        ("张李明珍", None),
        ("买买提·艾力", None),
        ("John Smith", None),
        ("李", None),
    ],
)
def test_a_name_is_split_only_where_it_is_certain(name: str, parts: tuple[str, str] | None) -> None:
    assert names.split(names.normal(name)) == parts


def test_one_name_has_one_way_of_writing() -> None:
    assert names.normal(" 王  小 明 ") == "王小明"
    assert names.normal("买买提•艾力") == names.normal("买买提．艾力") == "买买提·艾力"
    assert names.normal("Ｊｏｈｎ  Smith") == "John Smith"


def test_birth_and_sex_are_read_from_the_citizen_id_and_contradictions_are_told() -> None:
    number = "33029919300101901"
    number += check_digit(number)
    told, warnings = clean(Person("某某", identifiers=(Identifier(CITIZEN_ID, number),)), ON, 125, strict=True)
    assert (told.birth, told.sex, warnings) == (date(1930, 1, 1), "male", ())
    other = Person("某某", sex="female", birth=date(1931, 1, 1), identifiers=(Identifier(CITIZEN_ID, number),))
    told, warnings = clean(other, ON, 125, strict=True)
    assert (told.birth, told.sex, len(warnings)) == (date(1931, 1, 1), "female", 2)


def test_a_wrong_citizen_id_is_refused_in_a_list_and_set_aside_in_a_feed() -> None:
    wrong = Person("某某", identifiers=(Identifier(CITIZEN_ID, "330299193001019010"),))
    with pytest.raises(Invalid):
        clean(wrong, ON, 125, strict=True)
    told, warnings = clean(wrong, ON, 125, strict=False)
    assert told.identifiers[0].system == UNVERIFIED_CITIZEN_ID
    assert "330299" not in warnings[0]


@pytest.mark.parametrize(
    ("birth", "code"),
    [(date(1946, 11, 23), None), (date(1946, 11, 22), "aged-80"), (date(1936, 11, 22), "aged-90"), (date(1920, 1, 1), "aged-100")],
)
def test_the_age_band_changes_on_the_birthday(birth: date, code: str | None) -> None:
    tags = derive_tags(Person("某某", birth=birth), POLICY, ON)
    assert [tag.code for tag in tags] == ([code] if code else [])


def test_tags_set_by_hand_stay_and_derived_ones_are_made_anew() -> None:
    person = Person("某某", living=Living.ALONE, tags=(RiskTag("aged-80", "", False), RiskTag("bedridden", "医生评估", True)))
    assert {tag.code for tag in derive_tags(person, POLICY, ON)} == {"alone", "bedridden"}


def test_completeness_says_what_is_missing() -> None:
    nothing = completeness(Person("某某"), POLICY)
    assert nothing.score == 8
    assert "contact:family" in nothing.missing
    full = Person(
        "某某",
        "male",
        "1",
        date(1930, 1, 1),
        (Identifier(CITIZEN_ID, "1"), Identifier(HEALTH_FILE_NUMBER, "2")),
        ("0574-00000000",),
        "某路1号",
        Position(29.0, 121.0),
        tuple(Contact(role, "某人", "0574-00000000") for role in ContactRole),
        Category.LIXIU,
        "某单位",
        "某社区",
        False,
        Living.WITH_FAMILY,
        (),
        "Practitioner/d1",
    )
    assert completeness(full, POLICY) == completeness(full, POLICY).__class__(100, ())


def test_tags_follow_from_assessment_and_illnesses_with_their_reason() -> None:
    person = Person("某某", birth=date(1950, 1, 1))
    none = derive_tags(person, POLICY, ON, Findings("light", 5, 2))
    assert none == ()
    both = derive_tags(person, POLICY, ON, Findings("cannot", 22, 4))
    assert [(one.code, one.reason) for one in both] == [("cannot-care-for-self", "自理能力评估 22 分"), ("multi-illness", "4 种疾病")]
    assert [one.code for one in derive_tags(person, POLICY, ON, Findings("moderate", 12, 0))] == ["dependent"]
    again = derive_tags(replace(person, tags=both), POLICY, ON, Findings("independent", 0, 0))
    assert again == (), "what no longer follows is gone"


def test_a_file_is_as_fresh_as_its_parts() -> None:
    months = {"pressure": 4, "health-check": 15, "allergies": 0}
    nothing = freshness({}, months, ON)
    assert (nothing.score, [one.stale for one in nothing.parts]) == (0, [True] * 3)
    found = freshness({"pressure": date(2026, 11, 1), "health-check": date(2025, 1, 1), "allergies": date(1990, 1, 1)}, months, ON)
    assert found.score == 67
    assert [one.item for one in found.parts] == ["health-check", "allergies", "pressure"]
    assert found.parts[1].due is None
    assert freshness({"pressure": ON}, {"pressure": 4}, ON).score == 100


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.none() | st.dates(date(2000, 1, 1), ON)), st.integers(0, 60))
def test_time_never_makes_a_file_fresher(latest: dict[str, date | None], later: int) -> None:
    months = {"a": 4, "b": 12, "c": 0}
    assert freshness(latest, months, ON + timedelta(days=later)).score <= freshness(latest, months, ON).score


@pytest.mark.parametrize(
    ("told", "codes"),
    [
        (Person("某", "male", birth=date(1930, 1, 1), identifiers=(Identifier(CITIZEN_ID, "330299193001019013"),)), ()),
        (
            Person("某", "female", birth=date(1930, 2, 1), identifiers=(Identifier(CITIZEN_ID, "330299193001019013"),)),
            ("birth-differs", "sex-differs"),
        ),
        (Person("某", identifiers=(Identifier(CITIZEN_ID, "330299193001019014"),)), ("citizen-id-impossible",)),
        (Person("某", identifiers=(Identifier(HEALTH_FILE_NUMBER, "3302"),)), ("file-number-length",)),
        (Person("某", identifiers=(Identifier(HEALTH_FILE_NUMBER, "33029900100100001"),)), ()),
    ],
)
def test_what_contradicts_itself_is_named(told: Person, codes: tuple[str, ...]) -> None:
    number = told.identifiers[0].value
    if number.startswith("33029919") and codes != ("citizen-id-impossible",):
        told = replace(told, identifiers=(Identifier(CITIZEN_ID, number[:17] + check_digit(number[:17])),))
    elif codes == ("citizen-id-impossible",):
        wrong = "0" if check_digit(number[:17]) != "0" else "1"
        told = replace(told, identifiers=(Identifier(CITIZEN_ID, number[:17] + wrong),))
    assert oddities(told, ON, POLICY.oldest_age) == codes
