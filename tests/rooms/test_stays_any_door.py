"""A hospital stay means the same for the care at home whoever writes it: a FHIR client, a page, a hospital's message."""

from datetime import timedelta
from typing import Any

import pytest
from hospital import AT, Hospital, cadre, segment, status, tasks

from healthsvc.fhir.json import Resource
from healthsvc.store import SYSTEM, Actor, Database
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit, Window
from integrations.operating.refiling import refile

REST = Actor("client/his", "a hospital's program", frozenset({"admin"}), "rest")
DAY = timedelta(days=1)


@pytest.fixture
def hospital(own_hospital: Hospital) -> Hospital:
    return own_hospital


def stay(hospital: Hospital, patient: str, status: str, id: str = "ward-1", kind: str = "IMP", *, at: Any = AT, **more: Any) -> None:
    told: Resource = {
        "resourceType": "Encounter",
        "id": f"{id}-{patient}"[:64],
        "status": status,
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": kind},
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": AT.isoformat(), **({"end": at.isoformat()} if status == "finished" else {})},
    }
    with hospital.database.writing(REST, at=at) as store:
        store.put(told | more)


def asked(hospital: Hospital, patient: str) -> dict[str, list[str]]:
    return {kind: [one["status"] for one in tasks(hospital, patient, kind)] for kind in ("admission-visit", "follow-up")}


def test_an_admission_over_fhir_holds_the_visits_and_its_end_takes_them_up(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    stay(hospital, patient, "planned")
    assert status(hospital, checkup) == "requested"
    stay(hospital, patient, "in-progress")
    assert status(hospital, checkup) == "on-hold"
    assert asked(hospital, patient) == {"admission-visit": ["requested"], "follow-up": []}
    [visit] = tasks(hospital, patient, "admission-visit")
    assert visit["restriction"]["period"]["end"][:10] == "2026-03-05", "three days from the admission"
    stay(hospital, patient, "finished", at=AT + 2 * DAY)
    assert status(hospital, checkup) == "requested"
    assert asked(hospital, patient) == {"admission-visit": ["cancelled"], "follow-up": ["requested"]}, "nobody is in the ward any more"
    stay(hospital, patient, "in-progress", at=AT + 2 * DAY)  # the discharge was a mistake
    assert status(hospital, checkup) == "on-hold"
    assert asked(hospital, patient) == {"admission-visit": ["requested"], "follow-up": ["cancelled"]}
    stay(hospital, patient, "entered-in-error", at=AT + 2 * DAY)  # and so was the admission
    assert status(hospital, checkup) == "requested"
    assert asked(hospital, patient) == {"admission-visit": ["cancelled"], "follow-up": ["cancelled"]}


def test_two_stays_and_a_leave(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    stay(hospital, patient, "in-progress")
    stay(hospital, patient, "in-progress", "ward-2")
    stay(hospital, patient, "finished", at=AT + DAY)
    assert status(hospital, checkup) == "on-hold", "another ward has the person"
    stay(hospital, patient, "onleave", "ward-2")
    assert status(hospital, checkup) == "requested", "at home for the day"
    stay(hospital, patient, "finished", "ward-2", at=AT + 2 * DAY)
    assert asked(hospital, patient)["follow-up"] == ["requested", "requested"]


def test_an_outpatient_and_a_stay_of_long_ago_hold_nothing(hospital: Hospital) -> None:
    patient, checkup = hospital.cadre()
    stay(hospital, patient, "in-progress", kind="AMB")
    stay(hospital, patient, "finished", "old")
    assert status(hospital, checkup) == "requested"
    assert asked(hospital, patient) == {"admission-visit": [], "follow-up": []}


def test_a_stay_that_turns_out_to_be_anothers_changes_places(hospital: Hospital) -> None:
    wrong, theirs = hospital.cadre("C1")
    right, other = hospital.cadre("C2")
    for number, subject in (("x", wrong), ("x", right)):
        stay(hospital, wrong, "in-progress", number, subject={"reference": f"Patient/{subject}"})
    assert (status(hospital, theirs), status(hospital, other)) == ("requested", "on-hold")
    assert asked(hospital, wrong)["admission-visit"] == ["cancelled"]
    assert asked(hospital, right)["admission-visit"] == ["requested"]


def test_a_misfiled_admission_that_is_moved_leaves_the_held_visit_standing(hospital: Hospital) -> None:
    wrong, theirs = hospital.cadre("C1")
    right, other = hospital.cadre("C2")
    hospital.says("ADT^A01", "C1", segment("PV1", _1="1", _2="I", _3="W1^^12", _19="V7"))
    assert hospital.last().state == "done", hospital.last().remark
    with hospital.database.writing(SYSTEM, at=AT) as store:
        wrote = {one["reference"].partition("/_")[0] for one in store.read("Provenance", f"hl7-provenance-{hospital.last().id}")["target"]}
        assert any(one.startswith(f"Task/{theirs}") for one in wrote), "what was held can be traced to the message"
        refile(store, hospital.inbox.shelf, hospital.last().id, [("PID-3.1", "C2")], "told by the ward")
    hospital.worker.drain()
    assert (status(hospital, theirs), status(hospital, other)) == ("requested", "on-hold")
    assert asked(hospital, wrong)["admission-visit"] == []
    assert asked(hospital, right)["admission-visit"] == ["requested"]


def test_nobody_asks_for_a_visit_to_the_dead(database: Database) -> None:
    patient, _ = cadre(database)
    with database.writing(REST, at=AT) as store:
        window = Window(AT, AT + DAY)
        visits.request(store, Visit("v-1", "home-nursing", patient, window, 30))
        store.put(store.read("Patient", patient) | {"deceasedBoolean": True})
        for now in ("in-progress", "finished"):
            subject = {"reference": f"Patient/{patient}"}
            ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
            store.put({"resourceType": "Encounter", "id": "e", "status": now, "class": ward, "subject": subject})
        assert [one["status"] for one in store.select("Task", patient=patient)] == ["cancelled", "cancelled"]
