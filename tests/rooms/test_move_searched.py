"""A city carried over to PostgreSQL and laid out by county answers every search as the embedded database did from which it came."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres import made
from test_search_oracle import AT, OBSERVATION, PATIENT, _resources
from test_tenancy import lay_out, organization

from healthsvc.store import SYSTEM, Database, moving
from healthsvc.store.sealing.keys import rotate
from healthsvc.store.search import search

pytestmark = pytest.mark.postgres
COUNTIES = 4
FEW, MANY = 25, 400
SORTED: st.SearchStrategy[list[tuple[str, str]]] = st.sampled_from(([], *([("_sort", by)] for by in ("_id", "-_lastUpdated,_id", "-_id"))))
MORE: st.SearchStrategy[list[tuple[str, str]]] = st.sampled_from(
    ([], [("_count", "20")], [("_total", "accurate"), ("_count", "10")], [("_revinclude", "Task:patient")], [("_include", "*")])
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[tuple[Database, Database]]:
    """The source, and what was made of it; what names persons is sealed in both."""
    folder = tmp_path_factory.mktemp("city")
    keys = folder / "sealing-keys"
    rotate(keys)
    source = f"sqlite:///{folder}/healthsvc.sqlite"
    here = Database.open(source, validate=lambda _: [], sealing_keys=keys)
    with here.writing(SYSTEM, at=AT) as store:
        store.put(organization("city", "city"))
        for number in range(COUNTIES):
            store.put({**organization(f"o{number}", "county", "city"), "active": number == 1})
        for one in _resources(20261129):
            if one["resourceType"] != "Organization":
                store.put(one)
        store.put({"resourceType": "Patient", "id": "gone", "name": [{"text": "王小二"}], "gender": "male"})
        store.delete("Patient", "gone")
    here.close()
    url = made(postgres_server)
    assert moving.move(folder / "healthsvc.sqlite", url).sound
    here, there = (Database.open(one, validate=lambda _: [], sealing_keys=keys) for one in (source, url))
    lay_out(there)
    there.laid = type(there.laid)()
    yield here, there
    here.close()
    there.close()


def found(database: Database, type: str, query: list[tuple[str, str]]) -> list[Any]:
    """Every page of a search: what matched, in its order, what came with it, and how many there are."""
    pages: list[Any] = []
    with database.reading(SYSTEM, at=AT) as store:
        position = None
        while len(pages) < 40:
            page = search(store, type, query, page=position)
            matched = [(one.id, one.version, one.resource) for one in page.matches]
            pages.append((matched, sorted(f"{one.type}/{one.id}" for one in page.included), page.total, len(page.issues)))
            position = page.next
            if position is None:
                break
    return pages


@pytest.mark.parametrize("many", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize(("type", "pairs"), [("Patient", PATIENT), ("Observation", OBSERVATION)], ids=["Patient", "Observation"])
def test_every_search_finds_the_same_on_both_sides(both: tuple[Database, Database], type: str, pairs: Any, many: int) -> None:
    seen: list[int] = []

    @settings(max_examples=many, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(pairs, min_size=1, max_size=2), SORTED, MORE)
    def compare(asked: list[tuple[str, str]], order: list[tuple[str, str]], more: list[tuple[str, str]]) -> None:
        query = [*asked, *order, *more]
        here, there = (found(one, type, query) for one in both)
        assert here == there, query
        seen.append(sum(len(page[0]) for page in here))

    compare()
    assert sum(one > 0 for one in seen) > len(seen) / 4, "most found nothing, which says nothing"


def test_the_people_are_in_the_parts_of_their_counties(both: tuple[Database, Database]) -> None:
    with both[1].engine.connect() as connection:
        parts = connection.exec_driver_sql("SELECT part, count(*) FROM resource GROUP BY part").all()
    assert len([part for part, count in parts if part and count]) == COUNTIES
