"""Sequence numbers of a sender: what did not come is known, what comes late is no longer missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.hl7v2.sequence import MOST_RANGES, Gap, Sequence, follow, number_of


def after(*numbers: int) -> Sequence:
    known = None
    for at, number in enumerate(numbers):
        known = follow(known, number, at)
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("numbers", "missing", "last"),
    [
        ((5, 6, 7), [], 7),
        ((5, 8), ["6–7"], 8),
        ((5, 7, 10), ["6", "8–9"], 10),
        ((5, 9, 7), ["6", "8"], 9),
        ((5, 9, 6, 8, 7), [], 9),
        ((5, 6, 5, 6), [], 6),
        ((5, 7, 1, 2), ["6"], 2),
        ((99, 0, 1), [], 1),
        ((99, -1, 1), [], 1),
    ],
)
def test_gaps(numbers: tuple[int, ...], missing: list[str], last: int) -> None:
    found = after(*numbers)
    assert ([one.text for one in found.missing], found.last) == (missing, last)


@given(st.integers(2, 60), st.sets(st.integers(3, 59), max_size=MOST_RANGES), st.randoms())
def test_what_is_missing_is_what_did_not_come_in_whatever_order_it_came(last: int, lost: set[int], chance: object) -> None:
    numbers = [number for number in range(2, last + 1) if number not in lost or number in (2, last)]
    middle = numbers[1:-1]
    chance.shuffle(middle)  # type: ignore[attr-defined]
    found = after(numbers[0], numbers[-1], *middle)
    assert {n for gap in found.missing for n in range(gap.first, gap.last + 1)} == set(range(2, last + 1)) - set(numbers)
    assert len(found.missing) <= MOST_RANGES


def test_only_so_many_ranges_are_kept() -> None:
    assert after(*range(2, 200, 2)).missing[-1] == Gap(197, 197, 98)
    assert len(after(*range(2, 200, 2)).missing) == MOST_RANGES


@pytest.mark.parametrize(
    ("sent", "number"), [("7", 7), (" 12 ", 12), ("-1", -1), ("", None), ("A7", None), ("1-2", None), ("7" * 16, None)]
)
def test_numbers(sent: str, number: int | None) -> None:
    assert number_of(sent) == number
