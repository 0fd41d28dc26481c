"""JSON comes back as it was written, and what would be lost in silence is refused."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Malformed
from healthsvc.fhir.json import dumps, loads, reread
from healthsvc.fhir.numbers import precise

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(VALUES)
def test_values_survive(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert reread(dumps(value)) == value


@pytest.mark.parametrize(
    "number", ["0.40", "1.0E2", "-0.0", "1e-7", "12345678901234567890.123456789", "1e400", "0.1", "100000000000000000000"]
)
def test_numbers_survive_as_written(number: str) -> None:
    written = f'{{"a":{number}}}'.encode()
    assert dumps(loads(written)) == written
    assert dumps(reread(written)) == written


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b'{"a": 1', "line 1"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": "\\ud83d"}', "half a character"),
        (b'{"a": {"b": 1, "b": 2}}', "b stands twice"),
        ('{"张三": 1, "张三": 2}'.encode(), "a property stands twice"),
        (b"[" * 100_000, "deeply"),
        (b"1" * 5000, "too long"),
        (b"1e" + b"9" * 30, "too long"),
        (b'{"a": 1 /* x */}', "line 1"),
        (b"", "line 1"),
    ],
)
def test_what_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        loads(raw)


def test_whole_characters_and_byte_order_marks_are_welcome() -> None:
    assert loads(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_lies_in_its_own_range(number: Decimal) -> None:
    low, high = precise(number)
    assert low <= float(number) < high or low == float(number)
    assert low < high


def test_numbers_that_no_float_holds() -> None:
    assert precise(Decimal("1e400")) == (float("-inf"), float("inf"))


def test_pretty_and_sorted() -> None:
    assert dumps({"b": 1, "a": 2}, sort_keys=True) == b'{"a":2,"b":1}'
    assert json.loads(dumps({"b": [1]}, pretty=True)) == {"b": [1]}
