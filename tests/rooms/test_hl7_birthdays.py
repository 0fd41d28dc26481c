"""A birthday of which a hospital knows the month or the year alone."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hospital import AT, Hospital, cadre, citizen, segment

from healthsvc.greenchannel.resources import birth_date
from healthsvc.store import Database

HOUR = timedelta(hours=1)


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


@pytest.mark.parametrize(("sent", "kept", "last"), [("193205", "1932-05", date(1932, 5, 31)), ("1932", "1932", date(1932, 12, 31))])
def test_a_birthday_known_by_its_month_is_taken_and_a_better_one_replaces_it(hospital: Hospital, sent: str, kept: str, last: date) -> None:
    hospital.says("ADT^A28", "N1", birth=sent)
    assert hospital.last().state == "done", hospital.last().remark
    file = hospital.file("N1")
    assert (file["birthDate"], birth_date(file)) == (kept, last)
    hospital.says("ADT^A04", "N1", segment("PV1", _2="O", _19="V1"), birth=sent)
    assert hospital.file("N1")["birthDate"] == kept
    hospital.says("ADT^A31", "N1", birth="19320517", at=AT + HOUR)
    assert hospital.file("N1")["birthDate"] == "1932-05-17"
    hospital.says("ADT^A31", "N1", birth=sent, at=AT + 2 * HOUR)
    assert hospital.file("N1")["birthDate"] == "1932-05-17", "less is no news"


def test_a_month_that_is_another_than_that_on_file_counts_as_another_birthday(hospital: Hospital) -> None:
    cadre(hospital.database)
    hospital.says("ADT^A31", "C1", name="测试丙", birth="193001")
    assert hospital.last().state == "done", "January 1930 is the month of the birthday on file"
    hospital.says("ADT^A31", "C1", name="测试丁", birth="194105", at=AT + HOUR)
    assert (hospital.last().state, hospital.last().reason) == ("review", "another-person")


def test_a_citizen_id_fills_what_the_month_leaves_open(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "N2", birth="193205", citizen=citizen(931, "19320517"))
    assert hospital.file("N2")["birthDate"] == "1932-05-17"
