"""The same hospital line on PostgreSQL: taken once, in order, with its effects."""

from collections.abc import Iterator

import pytest
from hospital import Hospital, cadre, segment, status, tasks

from healthsvc.rooms import ROOMS
from healthsvc.store import Database

pytestmark = pytest.mark.postgres


@pytest.fixture
def hospital(migrated_url: str) -> Iterator[Hospital]:
    database = Database.open(migrated_url, rooms=ROOMS)
    there = Hospital(database)
    yield there
    there.inbox.stop()
    database.close()


def test_the_story_on_the_other_engine(hospital: Hospital) -> None:
    patient, checkup = cadre(hospital.database)
    pv1 = segment("PV1", _2="I", _19="V1")
    assert hospital.says("ADT^A01", "C1", pv1, id="A") == "AA"
    assert hospital.says("ADT^A01", "C1", pv1, id="A") == "AA", "the same message again"
    assert [row.state for row in hospital.rows()] == ["done"]
    assert status(hospital, checkup) == "on-hold"
    hospital.says("ADT^A03", "C1", pv1, id="B")
    assert status(hospital, checkup) == "requested"
    assert [task["status"] for task in tasks(hospital, patient, "follow-up")] == ["requested"]
    hospital.says(
        "ORU^R01", "C1", segment("OBR", _3="F1", _4="K"), segment("OBX", _2="NM", _3="K", _5="6.90", _7="3.5-5.3", _8="H", _11="F")
    )
    assert [str(one["valueQuantity"]["value"]) for one in hospital.select("Observation", patient=patient)] == ["6.90"]
