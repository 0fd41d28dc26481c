"""五必到: which are due when, by hand; each once whatever is asked how often; a birthday on 29 February; feasts of the lunar calendar."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import RuleViolation
from healthsvc.mustvisit import rules
from healthsvc.mustvisit.rules import MustVisitPolicy, Occasion
from healthsvc.mustvisit.service import lunar
from healthsvc.policy import load

POLICY = load(Path("absent")).fill(MustVisitPolicy, "mustvisit", date(2026, 11, 22))


@pytest.mark.parametrize(
    ("birth", "on", "expected"),
    [
        (date(1930, 3, 10), date(2026, 3, 2), []),
        (date(1930, 3, 10), date(2026, 3, 3), [("2026", "96")]),
        (date(1930, 3, 10), date(2026, 3, 10), [("2026", "96")]),
        (date(1930, 3, 10), date(2026, 3, 11), []),
        (date(1932, 2, 29), date(2026, 2, 28), [("2026", "94")]),
        (date(1932, 2, 29), date(2028, 2, 29), [("2028", "96")]),
        (date(1930, 1, 2), date(2026, 12, 28), [("2027", "97")]),
    ],
)
def test_birthdays(birth: date, on: date, expected: list[tuple[str, str]]) -> None:
    assert [(one.key, one.title) for one in rules.of_birthday("p", birth, on, POLICY)] == expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2026, 2, 10), ["spring-festival-2026"]),
        (date(2026, 2, 18), []),
        (date(2026, 10, 1), ["national-day-2026"]),
        (date(2026, 10, 15), ["double-ninth-2026"]),
        (date(2026, 9, 25), ["mid-autumn-2026", "national-day-2026"]),
        (date(2027, 1, 31), ["spring-festival-2027"]),
    ],
)
def test_festivals(on: date, expected: list[str]) -> None:
    assert [one.key for one in rules.of_festivals("p", on, POLICY, lunar)] == expected


def test_a_feast_that_nobody_knows_is_refused() -> None:
    with pytest.raises(RuleViolation):
        lunar("tea", 2026)


def test_a_cause_asks_for_a_visit_within_its_days() -> None:
    due = rules.of_cause("p", Occasion.ADMISSION, "Encounter/stay-1", date(2026, 3, 1), POLICY, "某医院")
    assert (due.first, due.last, due.who, due.key) == (date(2026, 3, 1), date(2026, 3, 4), "former-unit", "Encounter-stay-1")


@given(st.dates(date(1910, 1, 1), date(1950, 12, 31)), st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_every_birthday_is_listed_on_its_day_and_once_a_year(birth: date, start: date) -> None:
    keys = [one.key for offset in range(366) for one in rules.of_birthday("p", birth, start + timedelta(days=offset), POLICY)]
    day = rules.birthday(birth, start.year + 1)
    assert [one.key for one in rules.of_birthday("p", birth, day, POLICY)] == [str(day.year)]
    assert set(keys) <= {str(start.year + offset) for offset in range(3)}
    assert all(keys.count(key) <= 8 for key in keys)
