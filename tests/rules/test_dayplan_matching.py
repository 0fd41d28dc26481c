"""Who does what at a visit for several people: as good as every order tried, and quick for any number."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.dayplan.matching import matched

TABLES = st.integers(1, 5).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=n, max_size=n))


@given(TABLES)
def test_as_many_as_any_order_can_serve(table: list[list[bool]]) -> None:
    people = [f"p{k}" for k in range(len(table))]
    found = matched(len(table), people, lambda service, who: table[service][people.index(who)])
    assert sorted(found) == people
    served = sum(table[k][people.index(who)] for k, who in enumerate(found))
    assert served == max(sum(table[k][p] for k, p in enumerate(order)) for order in permutations(range(len(table))))


@given(st.integers(1, 6))
def test_whoever_stands_right_stays(count: int) -> None:
    people = tuple(f"p{k}" for k in range(count))
    assert matched(count, people, lambda _service, _who: True) == people


def test_forty_people_of_whom_only_one_order_will_do() -> None:
    people = [f"p{k}" for k in range(40)]
    found = matched(40, people, lambda service, who: int(who[1:]) in (39 - service, 40 - service))
    assert found == tuple(f"p{39 - k}" for k in range(40))


@pytest.mark.parametrize("people", [("a",), ("a", "a"), ("a", "b", "c")])
def test_as_many_different_people_as_services(people: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="2 different people"):
        matched(2, people, lambda _service, _who: True)
