"""A merge or a death that was entered by mistake is taken back: everything stands as it stood, whatever was open."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healthsvc.contract import service as contracts
from healthsvc.contract.rules import State
from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.greenchannel import service as channels
from healthsvc.healthfile import closing, merging, service
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.undo import content
from healthsvc.referral import service as referrals
from healthsvc.referral.rules import Reason, Stage
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Kind, Status, Visit, Window

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = ("Patient", "Contract", "Task", "Encounter", "EpisodeOfCare", "Flag", "CareTeam", "Appointment", "Device", "ServiceRequest")
_runs = itertools.count()


def citizen(number: int) -> str:
    body = f"330299193001{number % 27 + 1:02d}9{number % 100:02d}"
    return body + check_digit(body)


def everything(store: Store, *patients: str) -> dict[str, Resource]:
    """All that stands about these people, without versions and times of writing."""
    found = {f"Patient/{one}": content(store.read("Patient", one)) for one in patients}
    for kind in KINDS[1:]:
        for patient in patients:
            found |= {f"{kind}/{one['id']}": content(one) for one in store.select(kind, patient=patient)}
        papers = store.select("DocumentReference", patient=patient, status="current")
        found |= {f"DocumentReference/{one['id']}": content(one) for one in papers}
    return found


def furnish(store: Store, patient: str, has: frozenset[str]) -> None:
    """Give a person what can be open."""
    if "contract" in has:
        contracts.sign(store, patient, "Practitioner/d1", None, date(2026, 3, 2))
    if "channel" in has:
        channels.grant(store, patient, date(2026, 3, 2))
    if "visit" in has:
        window = Window(AT, AT + timedelta(days=20))
        visits.request(store, Visit(f"v-{patient}", Kind.HOME_NURSING, patient, window, 30, owner="Practitioner/d1"))
        visits.plan(store, f"v-{patient}", AT + HOUR, AT + 2 * HOUR, ["Practitioner/d1"])
    if "referral" in has:
        referrals.refer(store, patient, Reason.CRITICAL, "Organization/h1", "Practitioner/d1", urgent=True)
    if "appointment" in has:
        who = [{"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"}]
        store.put({"resourceType": "Appointment", "id": f"a-{patient}", "status": "booked", "participant": who,
                   "start": "2026-03-05T09:00:00+08:00", "end": "2026-03-05T09:30:00+08:00"})  # fmt: skip
    if "stay" in has:
        ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
        store.put({"resourceType": "Encounter", "id": f"s-{patient}", "status": "in-progress", "class": ward,
                   "subject": {"reference": f"Patient/{patient}"}, "period": {"start": "2026-03-01T09:00:00+08:00"}})  # fmt: skip
    if "device" in has:
        store.put({"resourceType": "Device", "id": f"d-{patient}", "status": "active", "patient": {"reference": f"Patient/{patient}"}})


def people(store: Store, *names: str) -> list[str]:
    store.put({"resourceType": "Practitioner", "id": "d1"})
    store.put({"resourceType": "Organization", "id": "h1", "name": "测试医院"})
    born = date(1930, 1, 1)
    return [service.register(store, Person(name, birth=born, category=Category.LIXIU), "urn:test").patient["id"] for name in names]


THINGS = st.frozensets(st.sampled_from(["contract", "channel", "visit", "referral", "appointment", "device", "stay"]))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of_one=THINGS, of_other=THINGS)
def test_unmerging_is_the_identity(database: Database, of_one: frozenset[str], of_other: frozenset[str]) -> None:
    at = AT + timedelta(minutes=10 * next(_runs))
    with database.writing(SYSTEM, at=at) as store:
        one, other = people(store, "测试甲", "测试乙")
        furnish(store, one, of_one)
        furnish(store, other, of_other)
    with database.reading(SYSTEM, at=at) as store:
        before = everything(store, one, other)
    with database.writing(SYSTEM, at=at + timedelta(minutes=1)) as store:
        merging.merge(store, one, other)
    with database.writing(SYSTEM, at=at + timedelta(minutes=2)) as store:
        undone = merging.unmerge(store, other)
        assert undone.back.left == ()
    with database.writing(SYSTEM, at=at + timedelta(minutes=3)) as store:
        assert everything(store, one, other) == before
        again = merging.merge(store, one, other)
        assert again["id"] == one
        merging.unmerge(store, other)


@pytest.mark.parametrize("inpatient", [0, 1], ids=["the survivor", "the retired file"])
def test_whoever_joins_two_files_of_somebody_in_a_ward_holds_the_visits_at_home(database: Database, inpatient: int) -> None:
    at = AT + timedelta(minutes=10 * next(_runs))
    with database.writing(SYSTEM, at=at) as store:
        files = people(store, "测试甲", "测试乙")
        one, other = files
        for file in files:
            furnish(store, file, frozenset({"visit"}))
        furnish(store, files[inpatient], frozenset({"stay"}))
        before = [[(visit.id, visit.status) for visit in visits.open_visits(store, file)] for file in files]
        assert [status for _, status in before[1 - inpatient]] == [Status.ACCEPTED]
    with database.writing(SYSTEM, at=at + timedelta(minutes=1)) as store:
        merging.merge(store, one, other)
        held = [visit for visit in visits.open_visits(store, one) if visit.id.startswith("v-")]
        assert [(visit.status, visit.reason, visit.cause) for visit in held] == [
            (Status.ON_HOLD, "admitted", f"Encounter/s-{files[inpatient]}")
        ] * 2
        assert visits.open_visits(store, other) == []
    with database.writing(SYSTEM, at=at + timedelta(minutes=2)) as store:
        merging.unmerge(store, other)
        assert [[(visit.id, visit.status) for visit in visits.open_visits(store, file)] for file in files] == before


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(has=THINGS)
def test_a_death_that_was_a_mistake_leaves_no_trace_in_what_is_open(database: Database, has: frozenset[str]) -> None:
    at = AT + timedelta(minutes=10 * next(_runs))
    with database.writing(SYSTEM, at=at) as store:
        (patient,) = people(store, "测试甲")
        furnish(store, patient, has)
        before = everything(store, patient)
        alive = store.read("Patient", patient)
    with database.writing(SYSTEM, at=at + timedelta(minutes=1)) as store:
        store.put(alive | {"deceasedDateTime": "2026-03-02"})
        assert visits.open_visits(store, patient) == []
        assert contracts.active(store, patient) is None
        assert referrals.open_referrals(store, patient) == []
        assert store.select("Flag", patient=patient, status="active") == []
        assert store.select("Appointment", patient=patient, status="booked") == []
    with database.writing(SYSTEM, at=at + timedelta(minutes=2)) as store:
        dead = store.read("Patient", patient)
        store.put({key: value for key, value in dead.items() if key != "deceasedDateTime"})
        assert everything(store, patient) == before
        if "contract" in has:  # and only one is in force
            with pytest.raises(Exception, match="already has"), store.savepoint():
                contracts.sign(store, patient, "Practitioner/d1", None, date(2026, 3, 3))


def test_what_was_changed_since_stays_and_is_named(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        one, other = people(store, "测试甲", "测试乙")
        furnish(store, other, frozenset({"visit", "contract"}))
    with database.writing(SYSTEM, at=AT + HOUR) as store:
        merging.merge(store, one, other)
    with database.writing(SYSTEM, at=AT + 2 * HOUR) as store:
        visits.cancel(store, f"v-{other}", "person-away")
    with database.writing(SYSTEM, at=AT + 3 * HOUR) as store:
        undone = merging.unmerge(store, other, by="王主任", reason="两人同名")
        assert f"Task/v-{other}" in undone.back.left
        assert visits.read(store, f"v-{other}").status is Status.CANCELLED
        agreement = contracts.active(store, other)
        assert agreement is not None
        assert agreement.state is State.ACTIVE
        assert contracts.active(store, one) is None
        why = store.read("Provenance", f"unmerge-{other}")
        assert why["reason"][0]["text"] == "两人同名"
        assert merging.unmerge(store, other).back.restored == ()


def test_two_valid_citizen_ids_are_two_people_until_a_named_person_says_why(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        one, other = (
            service.register(store, Person("测试甲", identifiers=(Identifier(CITIZEN_ID, citizen(n)),)), "urn:test").patient["id"]
            for n in (1, 2)
        )
        for told in ({}, {"by": "王主任"}, {"reason": "证件换发"}):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                merging.merge(store, one, other, **told)
            assert refused.value.reason == "patient-merge-citizen-ids"
        link: dict[str, Any] = {"other": {"reference": f"Patient/{one}"}, "type": "replaced-by"}
        with pytest.raises(RuleViolation), store.savepoint():
            store.put(store.read("Patient", other) | {"link": [link]})
        assert service.follow(store, other)["id"] == other
        merging.merge(store, one, other, by="王主任", reason="证件换发，户籍所证明")
        assert service.follow(store, other)["id"] == one
        assert store.read("Provenance", f"merge-{other}")["agent"][0]["who"]["display"] == "王主任"


def test_a_referral_of_the_dead_is_closed_with_that_outcome(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        (patient,) = people(store, "测试甲")
        sent = referrals.refer(store, patient, Reason.CRITICAL, "Organization/h1", "Practitioner/d1", urgent=True)
    with database.writing(SYSTEM, at=AT + HOUR) as store:
        store.put(store.read("Patient", patient) | {"deceasedDateTime": "2026-03-02"})
        closed = referrals.read(store, sent.id)
        assert (closed.stage, closed.outcome) == (Stage.CLOSED, "died")


def test_a_death_has_a_day_and_a_cause_and_is_taken_back(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        (patient,) = people(store, "测试甲")
        furnish(store, patient, frozenset({"contract", "visit"}))
        before = everything(store, patient)
    with database.writing(SYSTEM, at=AT + HOUR) as store:
        for day in (date(2026, 3, 3), date(1929, 1, 1)):
            with pytest.raises(Invalid), store.savepoint():
                closing.record_death(store, patient, day)
        closing.record_death(store, patient, date(2026, 3, 1), "心力衰竭")
        assert store.select("Observation", patient=patient, code="69453-9")[0]["valueString"] == "心力衰竭"
        assert visits.open_visits(store, patient) == []
    with database.writing(SYSTEM, at=AT + 2 * HOUR) as store:
        closing.take_back_death(store, patient)
        assert everything(store, patient) == before
        assert store.select("Observation", patient=patient)[0]["status"] == "entered-in-error"


def test_who_moves_away_is_no_longer_served_and_may_come_back(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        (patient,) = people(store, "测试甲")
        furnish(store, patient, frozenset({"contract", "visit"}))
        before = everything(store, patient)
    with database.writing(SYSTEM, at=AT + HOUR) as store:
        closing.close(store, patient, "moved-away", date(2026, 3, 2), "迁往外地女儿家")
        assert contracts.active(store, patient) is None
        assert visits.open_visits(store, patient) == []
        ended = store.select("Contract", patient=patient)[0]
        assert any(one.get("valueCode") == "moved-away" for one in ended["extension"])
        with pytest.raises(RuleViolation), store.savepoint():
            contracts.sign(store, patient, "Practitioner/d1", None, date(2026, 3, 2))
        with pytest.raises(RuleViolation), store.savepoint():
            closing.close(store, patient, "lost", date(2026, 3, 2))
    with database.writing(SYSTEM, at=AT + 2 * HOUR) as store:
        closing.reopen(store, patient)
        assert everything(store, patient) == before
