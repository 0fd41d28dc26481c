"""What rooms ask of somebody whose file has just been opened is told by one probe, and never otherwise than a search would tell it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource, reread
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.store.search import find, select_all

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    there: Path = tmp_path_factory.mktemp("probe")
    database = Database.open(f"sqlite:///{there}/probe.sqlite")
    with database.writing(SYSTEM, at=AT) as writing:
        for number in (1, 2, 3):
            writing.put({"resourceType": "Patient", "id": f"p{number}"})
        for number, status in ((1, "requested"), (2, "completed")):
            whose = {"reference": f"Patient/p{number}"}
            writing.put({"resourceType": "Task", "id": f"t{number}", "status": status, "intent": "order", "for": whose})
    with database.reading(SYSTEM, at=AT) as reading:
        yield reading
    database.close()


def told(ask: Any) -> list[Resource] | str:
    try:
        return sorted(ask(), key=lambda one: one["id"])
    except Refusal as refusal:
        return refusal.text


person = st.sampled_from(["p1", "p2", "p3", "p9", "", "Patient/p1", "Patient/p9", "p1,p2", "p 1", "p|9", "王", "Group/g", "urn:uuid:p9"])
others = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["requested", ["requested", "completed"], "nonsense"]),
        "status__not": st.just("completed"),
        "statsu": st.just("requested"),
        "status__nonsense": st.just("x"),
        "authored_on": st.sampled_from(["2026", "no date"]),
        "_sort": st.sampled_from(["-period", "statsu"]),
        "focus": st.just(None),
    },
)


@settings(max_examples=150, deadline=None)
@given(patient=st.one_of(st.none(), person, st.lists(person, max_size=6)), rest=others, type=st.sampled_from(["Task", "Goal", "Location"]))
def test_the_probe_answers_as_the_search_does(store: Store, patient: Any, rest: dict[str, Any], type: str) -> None:
    params = {"patient": patient, **rest}
    searched = told(lambda: [reread(one.body) for one in find.matches_all(store, type, params)])
    assert told(lambda: select_all(store, type, params)) == searched


def test_a_misspelt_parameter_is_refused_also_where_nothing_is_on_file(store: Store) -> None:
    assert select_all(store, "Task", {"patient": "p9", "status": "requested"}) == []
    with pytest.raises(Refusal, match="statsu is not offered"):
        select_all(store, "Task", {"patient": "p9", "statsu": "requested"})
