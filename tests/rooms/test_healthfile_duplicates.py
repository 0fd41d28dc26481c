"""Files that may be one person are shown with their reasons; those that are surely two are not."""

from datetime import UTC, date, datetime

import pytest

from healthsvc.fhir.systems import CITIZEN_ID, UNVERIFIED_CITIZEN_ID
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.duplicates import compare, duplicates, pairs, part
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.rules import Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.policy import load
from healthsvc.store import SYSTEM, Database

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
POINTS: dict[str, int] = load().value("healthfile.likeness", AT.date())
LEAST: int = load().value("healthfile.likeness_threshold", AT.date())
BORN = date(1930, 1, 2)


def number(sequence: str) -> str:
    first = f"33029919300102{sequence}"
    return first + check_digit(first)


ONE = Person("王珊", "female", "2", BORN, (Identifier(CITIZEN_ID, number("902")),), ("0574-00000001",), "某路1号")


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (Person("王珊", birth=BORN), True),
        (Person("王姗", birth=BORN), True),
        (Person("王珊", birth=date(1930, 2, 1), phones=("0574 00000001",)), True),
        (Person("王珊", birth=date(1938, 1, 2)), False),
        (Person("王珊"), False),
        (Person("李明", birth=BORN), False),
        (Person("王珊", "male", "1", BORN), False),
        (Person("王珊", birth=BORN, identifiers=(Identifier(CITIZEN_ID, "330203193001029920"),)), False),
        (Person("王三", birth=BORN, identifiers=(Identifier(UNVERIFIED_CITIZEN_ID, number("902")[:-1] + "0"),)), True),
    ],
)
def test_what_speaks_for_and_against(other: Person, shown: bool) -> None:
    score, reasons = compare(ONE, other, POINTS)
    assert (score >= LEAST) == shown, reasons
    assert compare(other, ONE, POINTS)[0] == score


def test_possible_duplicates_are_found_and_gone_after_the_merge(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        first = register(store, ONE, "urn:test").patient["id"]
        second = register(store, Person("王姗", birth=BORN, phones=("0574-00000001",)), "urn:test").patient["id"]
        register(store, Person("李明", birth=BORN), "urn:test")
        (found,) = duplicates(store, first)
        assert found.patient == second
        assert found.reasons == ("same-sound", "same-birth", "same-phone")
        merge(store, first, second)
        assert duplicates(store, first) == []
        assert duplicates(store, second) == []


def test_all_pairs_wait_until_somebody_has_looked(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        first = register(store, ONE, "urn:test").patient["id"]
        second = register(store, Person("王姗", birth=BORN, phones=("0574-00000001",)), "urn:test").patient["id"]
        third = register(store, Person("赵甲", birth=date(1931, 3, 4), phones=("0574-00000009",)), "urn:test").patient["id"]
        fourth = register(store, Person("赵甲", birth=date(1931, 3, 4)), "urn:test").patient["id"]
        found = pairs(store, 10)
        assert [{one.one, one.other} for one in found] == [{first, second}, {third, fourth}]
        assert found[0].score == duplicates(store, first)[0].score
        part(store, fourth, third, "王主任", "堂兄弟同名")
        assert [{one.one, one.other} for one in pairs(store, 10)] == [{first, second}]
        merge(store, first, second)
        assert pairs(store, 10) == []
        assert len(pairs(store, 0)) == 0
