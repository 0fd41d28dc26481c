"""Lists of work: by priority, then by due day; households together."""

from hypothesis import given
from hypothesis import strategies as st

from healthsvc.web.order import bundled

rows = st.lists(st.tuples(st.integers(0, 99), st.sampled_from(("", "一弄", "一 弄", "二弄"))), max_size=30)


@given(rows)
def test_nobody_is_lost_and_households_stand_together(found: list[tuple[int, str]]) -> None:
    houses = bundled(found, lambda row: row[1])
    assert sorted(row for house in houses for row in house) == sorted(found)
    named = ["".join(house[0][1].split()) for house in houses if house[0][1]]
    assert len(named) == len(set(named))
    assert all(len(house) == 1 for house in houses if not house[0][1])


@given(rows)
def test_the_order_of_the_first_of_each_household_stays(found: list[tuple[int, str]]) -> None:
    places = [next(place for place, row in enumerate(found) if row is house[0]) for house in bundled(found, lambda row: row[1])]
    assert places == sorted(places)
