"""Contracts on a real database: one in force for a person under any sequence and any race; signing lays out the year."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from healthsvc.contract import delivery, leaving, renewal, service
from healthsvc.contract.resources import to_agreement, to_contract
from healthsvc.contract.rules import EndReason, Side, SignatureKind, Signed, State, term_end
from healthsvc.errors import Conflict, Invalid, NotFound, RuleViolation
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register, responsible_doctor, update_demographics
from healthsvc.policy import Parameter, Policy, load
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.resources import to_visit
from healthsvc.visit.rules import OPEN, Kind, Visit, Window

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
ON = date(2026, 11, 22)
D1, D2, N1 = "Practitioner/d1", "Practitioner/d2", "Practitioner/n1"


def staff(store: Store) -> None:
    for name in (D1, D2, N1):
        store.once({"resourceType": "Practitioner", "id": name.partition("/")[2]})


def person(store: Store, name: str = "测试甲") -> str:
    staff(store)
    return str(register(store, Person(name), "urn:test").patient["id"])


def in_force(store: Store, patient: str) -> list[str]:
    found = [to_agreement(one) for one in store.select("Contract", patient=patient)]
    return [one.id for one in found if one.state is State.ACTIVE]


def test_signing_names_the_pair_and_asks_for_four_checkups(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        tasks = [to_visit(task) for task in store.select("Task", patient=patient)]
        assert sorted(one.id for one in tasks) == [f"checkup-{patient}-{q}" for q in ("2026Q4", "2027Q1", "2027Q2", "2027Q3")]
        assert {one.owner for one in tasks} == {D1}
        assert {one.sources for one in tasks} == {(f"Contract/{contract['id']}",)}
        assert sorted(one.subtype or "" for one in tasks) == ["annual-full", *["quarterly-basic"] * 3]
        assert responsible_doctor(store, patient) == D1
        team = store.first("CareTeam", patient=patient)
        assert team is not None
        assert [one["member"]["reference"] for one in team["participant"]] == [D1, N1]
        again = service.sign(store, patient, D1, N1, ON)
        assert again["meta"]["versionId"] == contract["meta"]["versionId"] == "1"
        assert len(store.select("Task", patient=patient)) == 4


def test_a_second_contract_is_refused_through_any_door(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        with pytest.raises(Conflict) as refused:
            service.sign(store, patient, D2, None, ON)
        assert refused.value.reason == "contract-second-active"
        with pytest.raises(Conflict):
            store.create(contract)
        draft = service.offer(store, service.draft(store, patient, D2, None, ON))
        service.add_signature(store, draft["id"], Signed(Side.DOCTOR, SignatureKind.WET_SCAN, AT))
        with pytest.raises(Conflict):
            service.add_signature(store, draft["id"], Signed(Side.PROXY, SignatureKind.DRAWN, AT, "某女", "女儿"))
    with database.reading(SYSTEM, at=AT) as store:
        assert in_force(store, patient) == [contract["id"]]


def test_a_refused_signature_leaves_nothing_behind(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
    with pytest.raises(Invalid), database.writing(SYSTEM, at=AT) as store:
        service.sign(store, patient, D1, "Practitioner/nobody", ON)
    with database.reading(SYSTEM, at=AT) as store:
        assert store.select("Contract") == store.select("Task") == store.select("CareTeam") == []
        assert responsible_doctor(store, patient) is None


def test_both_sides_sign_one_after_the_other(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.offer(store, service.draft(store, patient, D1, N1, ON))
        assert contract["status"] == "executable"
        assert store.select("Task", patient=patient) == []
        service.add_signature(store, contract["id"], Signed(Side.PROXY, SignatureKind.WET_SCAN, AT, "某女", "女儿"))
        assert service.active(store, patient) is None
        signed = service.add_signature(store, contract["id"], Signed(Side.DOCTOR, SignatureKind.WET_SCAN, AT))
        assert signed["status"] == "executed"
        assert len(store.select("Task", patient=patient)) == 4
        with pytest.raises(RuleViolation):
            service.add_signature(store, contract["id"], Signed(Side.DOCTOR, SignatureKind.WET_SCAN, AT))


def test_a_plain_write_obeys_the_rules(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        good = to_contract(service.draft(store, patient, D1, N1, ON)) | {"status": "executed"}
        with pytest.raises(RuleViolation) as refused:
            store.create(good)
        assert refused.value.reason == "contract-not-signed"
        contract = service.sign(store, patient, D1, N1, ON)
        short = {"applies": {"start": "2026-11-22", "end": "2026-12-22"}}
        for change, reason in ((short, "contract-term"), ({"status": "executable"}, "contract-transition")):
            with pytest.raises(RuleViolation) as refused:
                store.put(contract | change)
            assert refused.value.reason == reason
        with pytest.raises(RuleViolation) as refused:
            store.delete("Contract", contract["id"])
        assert refused.value.reason == "contract-delete"
        store.put(contract | {"status": "terminated"})
        assert visits.open_visits(store, patient) == []
        with pytest.raises(RuleViolation):
            store.put(contract)


def test_a_transfer_takes_open_visits_along_in_one_step(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        visits.request(store, Visit("extra", Kind.FOLLOW_UP, patient, Window(AT, AT + timedelta(days=9)), 20, owner=D1))
        first = f"checkup-{patient}-2026Q4"
        visits.complete(store, first, Findings(AT, AT, pulse=70), D1)
        new = service.transfer(store, contract["id"], D2, N1, ON)
        old = service.read(store, contract["id"])
        assert (old.state, old.end_reason) == (State.TRANSFERRED, EndReason.CHANGED_TEAM)
        assert in_force(store, patient) == [new["id"]]
        assert responsible_doctor(store, patient) == D2
        assert {one.owner for one in visits.open_visits(store, patient)} == {D2}
        assert visits.read(store, first).sources == (f"Contract/{contract['id']}",)
        mine = [one.id[-6:] for one in visits.open_visits(store, patient, Kind.QUARTERLY_CHECKUP)]
        assert mine == ["2027Q1", "2027Q2", "2027Q3", "2027Q4"]


def test_a_renewal_goes_on_with_the_next_quarters(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        assert renewal.to_renew(store, ON) == []
        assert [one.id for one in renewal.to_renew(store, date(2027, 10, 30))] == [contract["id"]]
        new = service.renew(store, contract["id"])
        assert to_agreement(new).start == date(2027, 11, 22)
        assert service.read(store, contract["id"]).state is State.RENEWED
        assert len(visits.open_visits(store, patient)) == 8
        assert renewal.expire_due(store, date(2027, 11, 22)) == []


def test_what_is_not_renewed_expires_and_is_called_off(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        assert renewal.expire_due(store, date(2027, 11, 21)) == []
        (expired,) = renewal.expire_due(store, date(2027, 11, 22))
        assert to_agreement(expired).state is State.EXPIRED
        assert visits.open_visits(store, patient) == []
        assert responsible_doctor(store, patient) is None
        again = service.sign(store, patient, D1, N1, ON + timedelta(days=1))
        assert again["id"] != contract["id"]
        reopened = visits.open_visits(store, patient)
        assert len(reopened) == 4
        assert {one.sources for one in reopened} == {(f"Contract/{again['id']}",)}


def test_promised_and_delivered(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)["id"]
        visits.complete(store, f"checkup-{patient}-2026Q4", Findings(AT, AT, pulse=70), D1)
        visits.miss(store, f"checkup-{patient}-2027Q1", "refused")
        (item,) = delivery.fulfilment(store, contract).items
        assert (item.promised, item.delivered, item.due) == (4, 1, 2)
        (later,) = delivery.fulfilment(store, contract, date(2027, 12, 31)).items
        assert (later.delivered, later.due) == (1, 4)


def test_a_doctor_with_a_full_list_takes_nobody(tmp_path: object) -> None:
    shipped = load()
    narrow = [Parameter("contract.doctor_capacity", 1, "persons", "", "", "test", "site", date(2020, 1, 1), "CN", "test.toml")]
    opened = Database.open(f"sqlite:///{tmp_path}/small.sqlite", rooms=ROOMS, policy=Policy([*shipped, *narrow]))
    opened.migrate()
    with opened.writing(SYSTEM, at=AT) as store:
        service.sign(store, person(store), D1, N1, ON)
        other = person(store, "测试乙")
        with pytest.raises(RuleViolation) as refused:
            service.sign(store, other, D1, N1, ON)
        assert refused.value.reason == "contract-capacity"
        service.sign(store, other, D2, N1, ON)
        with pytest.raises(RuleViolation) as refused:
            leaving.take_over(store, D1, D2)
        assert refused.value.reason == "contract-capacity"
    opened.close()


def test_whoever_signed_with_a_doctor_who_leaves_is_taken_over_in_portions_and_signs_anew(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        people = [person(store, f"测试{name}") for name in "子丑寅"]
        for one in people:
            service.sign(store, one, D1, N1, ON)
        visits.request(store, Visit("extra", Kind.FOLLOW_UP, people[0], Window(AT, AT + timedelta(days=9)), 20, owner=D1))
        first = leaving.take_over(store, D1, D2, most=2)
        assert (len(first.drafted), first.visits >= 8, first.left) == (2, True, 1)
        second = leaving.take_over(store, D1, D2)
        assert (len(second.drafted), second.left, first.visits + second.visits) == (1, 0, 13)
        assert leaving.take_over(store, D1, D2) == leaving.TakenOver((), 0, 0)
        assert {visit.owner for one in people for visit in visits.open_visits(store, one)} == {D2}
        agreements = [service.active(store, one) for one in people]
        assert [one.doctor for one in agreements if one] == [D1] * 3, "until both have signed"
        drafts = [service.read(store, id) for id in (*first.drafted, *second.drafted)]
        assert {(one.state, one.doctor, one.nurse, one.start) for one in drafts} == {(State.PENDING_SIGNATURE, D2, N1, ON)}
        mine = next(one for one in drafts if one.person == people[0])
        for side in (Side.RESIDENT, Side.DOCTOR):
            service.add_signature(store, mine.id, Signed(side, SignatureKind.WET_SCAN, AT))
        signed = service.active(store, people[0])
        assert signed is not None
        assert (signed.id, signed.doctor) == (mine.id, D2)
        assert responsible_doctor(store, people[0]) == D2
        others = [service.active(store, one) for one in people[1:]]
        assert [one.doctor for one in others if one] == [D1, D1]


def test_who_takes_over_signs_one_list_and_a_list_that_has_changed_is_not_signed(database: Database) -> None:
    hand = Signed(Side.DOCTOR, SignatureKind.DRAWN, AT, data=b"<svg/>", format="image/svg+xml")
    with database.writing(SYSTEM, at=AT) as store:
        people = [person(store, f"测试{name}") for name in "子丑寅"]
        for one in people:
            service.sign(store, one, D1, N1, ON)
        leaving.take_over(store, D1, D2)
        found = leaving.handings(store, D2)
        assert [(one.old.doctor, one.draft.doctor, one.doctor_signed, one.person_signed) for one in found] == [(D1, D2, False, False)] * 3
        assert leaving.handings(store, D1) == []
        listed = [one.draft.id for one in found]
        service.add_signature(store, listed[0], Signed(Side.RESIDENT, SignatureKind.WET_SCAN, AT))
        for wrong, doctor in (((), D2), ((*listed, "gone"), D2), (listed, D1)):
            with pytest.raises(RuleViolation) as refused:
                leaving.sign_for_all(store, wrong, doctor, hand)
            assert refused.value.reason == "contract-list-changed"
        assert leaving.sign_for_all(store, listed, D2, hand) == 3
        agreements = [service.active(store, one) for one in people]
        assert sorted(one.doctor for one in agreements if one) == [D1, D1, D2], "who had signed already is with the other doctor now"
        left = leaving.handings(store)
        assert [(one.draft.id, one.doctor_signed, one.person_signed) for one in left] == [(id, True, False) for id in listed[1:]]
        assert leaving.sign_for_all(store, listed[1:], D2, hand) == 0


@pytest.mark.parametrize(
    ("successor", "reason"), [(D1, "contract-successor-same"), ("Practitioner/nobody", None), (N1, "contract-staff-role")]
)
def test_nobody_is_taken_over_by_whom_no_contract_could_be_signed_with(database: Database, successor: str, reason: str | None) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        service.sign(store, patient, D1, N1, ON)
        role = {"code": [{"coding": [{"code": "nurse"}]}], "practitioner": {"reference": N1}}
        store.put({"resourceType": "PractitionerRole", "id": "r1", **role})
        with pytest.raises((RuleViolation, Invalid)) as refused:
            leaving.take_over(store, D1, successor)
        assert refused.value.reason == reason or reason is None
        assert len(store.select("Contract", patient=patient)) == 1


def test_death_closes_everything_in_one_step(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        service.sign(store, patient, D1, N1, ON)
        visits.request(store, Visit("extra", Kind.FOLLOW_UP, patient, Window(AT, AT + timedelta(days=9)), 20))
        visits.suspend(store, patient, "admitted")
        update_demographics(store, patient, Person("", deceased=ON))
        assert visits.open_visits(store, patient) == []
        assert in_force(store, patient) == []
        (contract,) = store.select("Contract", patient=patient)
        assert to_agreement(contract).end_reason is EndReason.DECEASED
        assert store.read("Patient", patient)["deceasedDateTime"] == "2026-11-22"
        with pytest.raises(RuleViolation):
            service.sign(store, patient, D2, None, ON)


def test_a_merge_takes_contract_and_visits_to_the_surviving_file(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        survivor, retired = person(store), person(store, "测试乙")
        contract = service.sign(store, retired, D1, N1, ON)
        merge(store, survivor, retired)
        assert in_force(store, survivor) == [contract["id"]]
        assert len(visits.open_visits(store, survivor)) == 4
        assert responsible_doctor(store, retired) == D1
        with pytest.raises(Conflict):
            service.sign(store, survivor, D2, None, ON)


def test_a_merge_of_two_signed_files_keeps_the_survivors_contract(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        survivor, retired = person(store), person(store, "测试乙")
        kept = service.sign(store, survivor, D1, N1, ON)
        gone = service.sign(store, retired, D2, None, ON)
        merge(store, survivor, retired)
        assert in_force(store, survivor) == [kept["id"]]
        assert service.read(store, gone["id"]).end_reason is EndReason.MERGED
        assert len(visits.open_visits(store, survivor)) == 4
        assert visits.open_visits(store, retired) == []


def test_of_many_who_sign_at_once_one_wins(engine_url: str, tmp_path: Path) -> None:
    opened = Database.open(engine_url, rooms=ROOMS, signing_keys=tmp_path / "keys")
    opened.migrate()
    with opened.writing(SYSTEM, at=AT) as store:
        patient = person(store)
    everybody = Barrier(6)

    def sign(number: int) -> str:
        everybody.wait()
        try:
            with opened.writing(SYSTEM, at=AT) as store:
                service.sign(store, patient, (D1, D2)[number % 2], N1, ON + timedelta(days=number))
        except Conflict as refused:
            return str(refused.reason)
        return "signed"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(sign, range(6)))
    assert outcomes == ["contract-second-active"] * 5 + ["signed"]
    with opened.reading(SYSTEM, at=AT) as store:
        assert len(in_force(store, patient)) == 1
        assert len(visits.open_visits(store, patient)) == 4
    opened.close()


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking on a real database takes minutes
ACTS = ("sign", "sign-other", "offer", "complete-signatures", "terminate", "transfer", "renew", "expire", "plain", "checkup")


@settings(max_examples=60, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 400)), min_size=3, max_size=9))
def test_no_sequence_leads_to_two_contracts_in_force_or_two_open_checkups(database: Database, acts: list[tuple[str, int]]) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        for act, days in acts:
            try:
                with store.savepoint():
                    _do(store, act, patient, ON + timedelta(days=days))
            except (NotFound, Conflict, RuleViolation):
                pass  # what may not be done is refused and undone; what must hold is looked at below
            active = in_force(store, patient)
            assert len(active) <= 1
            checkups = [to_visit(task) for task in store.select("Task", patient=patient)]
            still_open = [one.window.start.astimezone(store.zone).date() for one in checkups if one.status in OPEN]
            quarters = [(day.year, (day.month + 2) // 3) for day in still_open]
            assert len(set(quarters)) == len(quarters)
            assert active or not quarters


def _do(store: Store, act: str, patient: str, on: date) -> None:
    current = service.active(store, patient)
    drafts = [one for one in store.select("Contract", patient=patient) if one["status"] == "executable"]
    if act == "sign":
        service.sign(store, patient, D1, N1, on)
    elif act == "sign-other":
        service.sign(store, patient, D2, None, on, months=24)
    elif act == "offer":
        service.offer(store, service.draft(store, patient, D2, N1, on))
    elif act == "complete-signatures" and drafts:
        for side in (Side.RESIDENT, Side.DOCTOR):
            service.add_signature(store, drafts[0]["id"], Signed(side, SignatureKind.WET_SCAN, AT))
    elif act == "expire":
        renewal.expire_due(store, on)
    elif act == "plain":
        contract = to_contract(service.draft(store, patient, D1, None, on)) | {"status": "executed"}
        store.put(contract)
    elif act == "checkup" and visits.open_visits(store, patient):
        visits.complete(store, visits.open_visits(store, patient)[0].id, Findings(AT, AT, pulse=70), D1)
    elif current is not None:
        if act == "terminate":
            service.terminate(store, current.id, EndReason.OWN_WISH, on)
        elif act == "transfer":
            service.transfer(store, current.id, D2 if current.doctor == D1 else D1, N1, on)
        elif act == "renew":
            service.renew(store, current.id)


def test_the_term_of_a_longer_contract(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = to_agreement(service.sign(store, patient, D1, N1, ON, months=24))
        assert contract.end == term_end(ON, 24)
        assert contract.promises[0].times == 8
        assert len(visits.open_visits(store, patient)) == 8


def test_a_merge_by_plain_writes_of_the_links_does_the_same(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        survivor, retired = person(store), person(store, "测试乙")
        contract = service.sign(store, retired, D1, N1, ON)
        gone = store.read("Patient", retired)
        replaced_by = {"other": {"reference": f"Patient/{survivor}"}, "type": "replaced-by"}
        store.put(gone | {"active": False, "link": [replaced_by]})
        assert in_force(store, survivor) == [contract["id"]]
        assert len(visits.open_visits(store, survivor)) == 4
        kept = store.read("Patient", survivor)
        with pytest.raises(RuleViolation) as refused:
            store.put(kept | {"link": [{"other": {"reference": f"Patient/{retired}"}, "type": "replaced-by"}]})
        assert refused.value.reason == "patient-merge-circle"


def test_a_term_that_is_over_does_not_stand_in_the_way_of_the_next(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        old = service.sign(store, patient, D1, N1, ON)
    with database.writing(SYSTEM, at=AT + timedelta(days=370)) as store:
        new = service.sign(store, patient, D2, N1, ON + timedelta(days=370))
        assert service.read(store, old["id"]).state is State.EXPIRED
        assert in_force(store, patient) == [new["id"]]
        assert len(visits.open_visits(store, patient)) == 4


def test_death_closes_the_green_channel_and_every_order_too(database: Database) -> None:
    from healthsvc.greenchannel.service import grant
    from healthsvc.healthfile.rules import Category

    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        update_demographics(store, patient, Person("", category=Category.LIXIU, birth=date(1930, 1, 1)))
        service.sign(store, patient, D1, N1, ON)
        flag = grant(store, patient, ON)
        order = store.create(
            {
                "resourceType": "MedicationRequest",
                "status": "active",
                "intent": "order",
                "medicationCodeableConcept": {"text": "示例药"},
                "subject": {"reference": f"Patient/{patient}"},
            }
        )
        episode = store.create({"resourceType": "EpisodeOfCare", "status": "active", "patient": {"reference": f"Patient/{patient}"}})
        dead = store.read("Patient", patient) | {"deceasedDateTime": "2026-11-22"}
        store.put(dead)
        assert store.read("Flag", flag["id"])["status"] == "inactive"
        assert store.read("MedicationRequest", order["id"])["status"] == "stopped"
        assert store.read("EpisodeOfCare", episode["id"])["status"] == "finished"
        versions = {one: len(store.history(*one)) for one in (("Flag", flag["id"]), ("EpisodeOfCare", episode["id"]))}
        store.put(dead | {"language": "zh-CN"})
        assert {one: len(store.history(*one)) for one in versions} == versions
