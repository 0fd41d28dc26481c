"""Whatever the day of signing: four quarters a year, one of them the full check, windows inside quarter and term."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.checkup.calendar import SiteCalendar, is_workday, look_up, next_workday, site_calendar
from healthsvc.checkup.rules import CheckupPolicy, Form, bounds, quarters
from healthsvc.contract.rules import term_end
from healthsvc.errors import Invalid
from healthsvc.policy import Parameter, Policy, load

POLICY = load(Path("absent")).fill(CheckupPolicy, "checkup", date(2026, 1, 1))
starts = st.dates(date(2020, 1, 1), date(2035, 12, 31))


@given(starts, st.integers(1, 4))
def test_a_term_of_whole_years_has_four_quarters_a_year_one_of_them_full(start: date, years: int) -> None:
    found = list(quarters(start, term_end(start, 12 * years), POLICY))
    assert len(found) == 4 * years
    assert sum(one.form is Form.ANNUAL_FULL for one in found) == years
    assert len({one.name for one in found}) == len(found)


@given(starts, st.integers(12, 60))
def test_windows_lie_in_their_quarter_and_in_the_term(start: date, months: int) -> None:
    ends = term_end(start, months)
    before = None
    for one in quarters(start, ends, POLICY):
        first, last = bounds(one.year, one.number)
        assert max(first, start) <= one.opens <= one.due <= one.closes <= min(last, ends)
        assert before is None or one.opens > before
        before = one.closes


@given(starts)
def test_a_renewal_goes_on_without_a_gap_or_a_double(start: date) -> None:
    ends = term_end(start, 12)
    first = [one.name for one in quarters(start, ends, POLICY)]
    again = ends + timedelta(days=1)
    second = [one.name for one in quarters(again, term_end(again, 12), POLICY)]
    assert not set(first) & set(second)
    year, number = int(first[-1][:4]), int(first[-1][-1])
    assert second[0] == (f"{year + 1}Q1" if number == 4 else f"{year}Q{number + 1}")


@given(starts)
def test_no_window_is_shorter_than_the_least(start: date) -> None:
    for one in list(quarters(start, term_end(start, 12), POLICY))[:-1]:
        assert (one.closes - one.opens).days + 1 >= POLICY.least_days


def test_what_was_made_under_the_contract_before_is_not_asked_again() -> None:
    start = date(2026, 11, 22)
    found = [one.name for one in quarters(start, term_end(start, 12), POLICY, {"2026Q4"})]
    assert found == ["2027Q1", "2027Q2", "2027Q3", "2027Q4"]


@pytest.mark.parametrize(
    ("signed", "names"),
    [
        (date(2026, 1, 1), ["2026Q1", "2026Q2", "2026Q3", "2026Q4"]),
        (date(2026, 12, 18), ["2026Q4", "2027Q1", "2027Q2", "2027Q3"]),
        (date(2026, 12, 19), ["2027Q1", "2027Q2", "2027Q3", "2027Q4"]),
        (date(2028, 2, 29), ["2028Q1", "2028Q2", "2028Q3", "2028Q4"]),
    ],
)
def test_the_first_quarter_is_the_one_of_signing_unless_it_is_nearly_over(signed: date, names: list[str]) -> None:
    assert [one.name for one in quarters(signed, term_end(signed, 12), POLICY)] == names


@pytest.mark.parametrize(
    ("day", "works", "provisional"),
    [
        (date(2026, 1, 2), False, False),  # bridge day
        (date(2026, 1, 4), True, False),  # the Sunday that makes up for it
        (date(2026, 2, 14), True, False),
        (date(2026, 2, 20), False, False),
        (date(2026, 9, 20), True, False),
        (date(2026, 10, 7), False, False),
        (date(2026, 10, 10), True, False),
        (date(2026, 10, 11), False, False),
        (date(2026, 11, 23), True, False),
    ],
)
def test_holidays_and_the_days_that_make_up_for_them(day: date, works: bool, provisional: bool) -> None:
    found = look_up(day)
    assert (found.works, found.provisional) == (works, provisional)


def test_a_year_that_is_far_ahead_is_provisional() -> None:
    found = look_up(date(2060, 10, 1))
    assert found.provisional
    assert not found.works


def test_the_next_worked_day_stays_before_the_latest() -> None:
    assert next_workday(date(2026, 10, 1)) == date(2026, 10, 8)
    assert next_workday(date(2026, 10, 3), latest=date(2026, 10, 5)) == date(2026, 9, 30)
    assert next_workday(date(2026, 11, 23), latest=date(2026, 11, 23)) == date(2026, 11, 23)


def test_the_site_knows_its_own_days_better() -> None:
    site = SiteCalendar(off=frozenset({date(2026, 11, 23)}), worked=frozenset({date(2026, 11, 22)}))
    assert not is_workday(date(2026, 11, 23), site)
    assert is_workday(date(2026, 11, 22), site)


def with_site(**values: Any) -> Policy:
    made = [Parameter(f"checkup.{name}", value, "", "", "", "test", "site", date(2020, 1, 1), "CN", "x") for name, value in values.items()]
    return Policy([*load(), *made])


def test_a_site_enters_the_official_days_of_a_year() -> None:
    spring = date(2027, 2, 4)
    shipped = look_up(spring, site_calendar(load(), spring))
    told = with_site(days_off=[spring, "2027-02-08"], days_worked=[date(2027, 2, 14)], calendar_published=[2027])
    site = site_calendar(told, spring)
    assert shipped.works
    assert not look_up(spring, site).works
    assert not look_up(date(2027, 2, 8), site).works
    assert look_up(date(2027, 2, 14), site).works
    assert not any(look_up(date(2027, 3, 1) + timedelta(days=n), site).provisional for n in range(0, 300, 30))
    assert look_up(date(2028, 3, 1), site).provisional


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"days_off": ["2027-02-30"]}, "checkup.days_off"),
        ({"days_off": ["2027-02-05"], "days_worked": ["2027-02-05"]}, "both off"),
    ],
)
def test_a_wrong_table_of_days_is_told(values: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        site_calendar(with_site(**values), date(2027, 1, 1))
    assert said in refused.value.text


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 5), st.sampled_from([1, 2, 4]))
def test_every_year_of_a_term_has_one_full_check(signed: date, years: int, per_year: int) -> None:
    policy = replace(POLICY, per_year=per_year)
    ends = signed.replace(year=signed.year + years, day=min(signed.day, 28)) - timedelta(days=1)
    planned = list(quarters(signed, ends, policy))
    by_year = Counter(one.year for one in planned)
    full = Counter(one.year for one in planned if one.form is Form.ANNUAL_FULL)
    assert max(full.values(), default=0) <= 1
    for year, number in by_year.items():
        if number == per_year:
            assert full[year] == 1
