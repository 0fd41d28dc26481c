"""A segment that comes again is read once: what it says does not change with that, nor with another profile or another sender."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from integrations.hl7v2 import again
from integrations.hl7v2.adt import stay_of
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hl7v2.person import demographics, numbers_of
from integrations.hospitals.shelf import shelf

ZONE = ZoneInfo("Asia/Shanghai")
PROFILE = shelf().default
TEXT = "MSH|^~\\&|HIS|{h}|||20260101||ADT^A08|1|P|2.4\rPID|||7^^^^PatientNO||测试甲||1930\rPV1||I|1^^2||||||||||||2||0||||V1\r"


def message(hospital: str = "H1") -> Message:
    return Message(TEXT.format(h=hospital))


def test_the_same_segment_under_another_profile_says_what_that_profile_makes_of_it() -> None:
    assert PROFILE is not None
    one, header = message(), read_header(message())
    other = replace(PROFILE, hospital="another", visit_class={"i": "EMER"})
    for _ in range(2):
        here, there = (numbers_of(one["PID"], header, profile)[0].system for profile in (PROFILE, other))
        assert here != there
        assert "another" in there
        assert (stay_of(one, PROFILE, ZONE).code, stay_of(one, other, ZONE).code) == ("IMP", "EMER")
        assert demographics(one, header, other, ZONE).numbers[0].system == there


def test_the_same_segment_of_another_hospital_on_the_same_line_is_another_number() -> None:
    assert PROFILE is not None
    one, other = message("H1"), message("H2")
    assert numbers_of(one["PID"], read_header(one), PROFILE) != numbers_of(other["PID"], read_header(other), PROFILE)


def test_what_a_reading_gives_to_be_changed_is_ones_own() -> None:
    assert PROFILE is not None
    first = stay_of(message(), PROFILE, ZONE)
    first.more["hospitalization"] = {"spoiled": True}
    assert stay_of(message(), PROFILE, ZONE).more != first.more


def test_what_is_kept_is_bounded_and_long_segments_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PROFILE is not None
    monkeypatch.setattr(again, "MOST", 3)
    kept: again.Again[int] = again.Again()
    asked = []

    def reading(value: int) -> int:
        asked.append(value)
        return value

    for value in (1, 2, 3, 4, 4, 1):
        assert kept.read(PROFILE, (str(value),), None, lambda value=value: reading(value)) == value  # type: ignore[misc]
    assert asked == [1, 2, 3, 4, 1]
    for _ in range(2):
        kept.read(PROFILE, ("x" * (again.LONGEST + 1),), None, lambda: reading(9))
    assert asked[-2:] == [9, 9]
