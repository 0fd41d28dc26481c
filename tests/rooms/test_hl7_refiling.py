"""A message that came under the wrong person, of every kind: withdrawn there, and written where it belongs."""

from collections.abc import Iterator

import pytest
from hospital import AT, Hospital, cadre
from sqlalchemy import select
from test_hl7_fuzz import MESSAGES

from healthsvc.errors import Conflict, Invalid, NotFound
from healthsvc.store import SYSTEM, Database
from healthsvc.store.tables import AuditRow
from integrations.operating.refiling import refile

KINDS = {
    "ADT^A01": ("Encounter", "Condition"),
    "ORU^R01": ("Observation", "DiagnosticReport"),
    "OML^O21": ("ServiceRequest",),
    "RDE^O11": ("MedicationRequest",),
    "RDS^O13": ("MedicationDispense",),
    "RAS^O17": ("MedicationAdministration",),
    "SIU^S12": ("Appointment",),
    "MDM^T02": ("DocumentReference",),
    "PPR^PC1": ("Condition",),
    "DFT^P03": ("ChargeItem",),
}
AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
VOID = "entered-in-error"


@pytest.fixture(scope="module")
def people(one_database: Database) -> Iterator[tuple[Hospital, dict[str, tuple[str, str]]]]:
    database, there = one_database, Hospital(one_database)
    found = {}
    for at, event in enumerate(sorted(KINDS)):
        found[event] = (cadre(database, f"W{at}", 700 + 2 * at)[0], cadre(database, f"R{at}", 701 + 2 * at)[0])
    yield there, found
    there.inbox.stop()


@pytest.mark.parametrize("event", sorted(KINDS))
def test_it_is_withdrawn_from_the_one_and_written_to_the_other(people: tuple[Hospital, dict[str, tuple[str, str]]], event: str) -> None:
    hospital, found = people
    wrong, right = found[event]
    at = sorted(KINDS).index(event)
    lines = [line.replace("|V1", f"|V{at}x") for line in MESSAGES[event]]
    assert hospital.says(event, f"W{at}", *lines) == "AA"
    row = hospital.last()
    assert row.state == "done", row.remark
    before = {type: hospital.select(type, patient=wrong) for type in KINDS[event]}
    assert all(before.values())
    with hospital.database.writing(SYSTEM, at=AT) as store:
        with pytest.raises(Invalid), store.savepoint():
            refile(store, hospital.inbox.shelf, row.id, [("PID-8", "F")], "reason")
        withdrawn, new = refile(store, hospital.inbox.shelf, row.id, [("PID-3.1", f"R{at}")], "told by the ward")
        with pytest.raises(NotFound), store.savepoint():
            refile(store, hospital.inbox.shelf, row.id, [("PID-3.1", f"R{at}")], "again")
    assert withdrawn
    hospital.worker.drain()
    last = hospital.last()
    assert (last.id, last.state) == (new, "done"), last.remark
    for type in KINDS[event]:
        assert hospital.select(type, patient=right), type
        assert all(not is_void(one) for one in hospital.select(type, patient=right))
        assert all(is_void(one) for one in hospital.select(type, patient=wrong))
    open_tasks = [one for one in hospital.select("Task", patient=wrong) if one["id"].startswith(("admission-visit", "follow-up"))]
    assert open_tasks == []
    held = [one for one in hospital.select("Task", patient=wrong) if one["status"] == "on-hold"]
    assert held == [], "the visits at home go on"
    with hospital.database.reading(SYSTEM, at=AT) as store:
        assert store.find("Binary", f"hl7-message-{row.id}") is None
        acts = store.connection.execute(select(AUDIT.c.purpose).where(AUDIT.c.action == "hl7-misfiled", AUDIT.c.patient == wrong)).all()
    assert [act.purpose for act in acts] == ["told by the ward"]


def test_a_referral_is_withdrawn_in_its_own_room(people: tuple[Hospital, dict[str, tuple[str, str]]]) -> None:
    hospital, _ = people
    hospital.says("REF^I12", "W0", *MESSAGES["REF^I12"])
    with hospital.database.writing(SYSTEM, at=AT) as store, pytest.raises(Conflict, match="withdraw it"), store.savepoint():
        refile(store, hospital.inbox.shelf, hospital.last().id, [("PID-3.1", "R0")], "reason")


def is_void(one: dict[str, object]) -> bool:
    told = one.get("verificationStatus")
    return one.get("status") == VOID or (isinstance(told, dict) and told["coding"][0]["code"] == VOID)
