"""GB 11643: every possible number of an old person passes, every slip is caught, and nothing is said about the holder."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid
from healthsvc.healthfile.citizen_id import check_digit, read

ON = date(2026, 11, 22)

areas = st.sampled_from(["110101", "220203", "330203", "330299", "419001", "542621", "650101", "820000"])
births = st.dates(ON - timedelta(days=124 * 365), ON)
sequences = st.integers(0, 999).map(lambda n: f"{n:03d}")


def number(area: str, birth: date, sequence: str) -> str:
    first = f"{area}{birth:%Y%m%d}{sequence}"
    return first + check_digit(first)


@given(areas, births, sequences)
def test_every_possible_number_passes_whatever_area_and_year(area: str, birth: date, sequence: str) -> None:
    found = read(number(area, birth, sequence), ON)
    assert (found.birth, found.converted, found.warnings) == (birth, False, ())
    assert found.sex == ("male" if int(sequence) % 2 else "female")


@given(areas, births, sequences, st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_caught(area: str, birth: date, sequence: str, place: int, by: int) -> None:
    right = number(area, birth, sequence)
    wrong = right[:place] + str((int(right[place]) + by) % 10) + right[place + 1 :]
    with pytest.raises(Invalid) as refused:
        read(wrong, ON)
    assert (refused.value.reason or "").startswith("citizen-id-")
    assert wrong not in refused.value.text


@given(areas, births, sequences, st.integers(0, 15))
def test_two_neighbours_that_changed_places_are_caught(area: str, birth: date, sequence: str, place: int) -> None:
    right = number(area, birth, sequence)
    wrong = right[:place] + right[place + 1] + right[place] + right[place + 2 :]
    if wrong != right:
        with pytest.raises(Invalid):
            read(wrong, ON)


@given(areas, st.dates(date(1902, 1, 1), date(1999, 12, 31)), st.integers(0, 995))
def test_a_number_of_fifteen_digits_is_upgraded(area: str, birth: date, sequence: int) -> None:
    found = read(f"{area}{birth:%y%m%d}{sequence:03d}", ON)
    assert found.converted
    assert found.number == number(area, birth, f"{sequence:03d}")
    assert read(found.number, ON).birth == birth


def test_those_over_a_hundred_when_cards_had_fifteen_digits_were_born_before_1900() -> None:
    assert read("330299850101997", date(1990, 1, 1)).birth == date(1885, 1, 1)
    with pytest.raises(Invalid, match="older than"):
        read("330299850101997", ON)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "length"),
        ("33029919300101", "length"),
        ("3302991930010190170", "length"),
        ("33O299193001019014", "digits"),
        ("33029919300101901Y", "digits"),
        ("330299193002309010", "date"),
        ("330299193013019010", "date"),
        ("330299203001019010", "future"),
        ("330299180001019010", "age"),
        ("330299193001019010", "check-digit"),
        ("３３０２９９１９３００１０１９０１４", "digits"),
    ],
)
def test_each_slip_has_its_reason(text: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(text, ON)
    assert refused.value.reason == f"citizen-id-{reason}"


def test_a_small_x_and_spaces_are_forgiven() -> None:
    x = next(n for n in (number("330299", date(1925, 5, day), "901") for day in range(1, 29)) if n.endswith("X"))
    assert read(f" {x.lower()} ", ON).number == x


def test_an_unknown_area_is_only_a_warning() -> None:
    found = read(number("990101", date(1930, 1, 1), "901"), ON)
    assert len(found.warnings) == 1
    assert found.birth == date(1930, 1, 1)
