"""What a signed contract leaves behind: a frozen document, a contact card, notices, consultations that count."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from roomserver import room_client

from healthsvc.checkup.reminders import acknowledge, code_of, open_reminders
from healthsvc.contract import cards, delivery, renewal, service
from healthsvc.contract.endpoints import router
from healthsvc.contract.found import running
from healthsvc.contract.resources import to_agreement
from healthsvc.contract.rules import EndReason, Side, SignatureKind, Signed, State
from healthsvc.documents import frozen_of, verify
from healthsvc.documents import service as documents
from healthsvc.errors import Conflict, NotFound, RuleViolation
from healthsvc.fhir.json import Resource, dumps
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register, update_demographics
from healthsvc.policy import Parameter, Policy, load
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.rules import Kind, Visit, Window

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
ON = date(2026, 11, 22)
D1, D2, N1, N2 = "Practitioner/d1", "Practitioner/d2", "Practitioner/n1", "Practitioner/n2"
DRAWING = {"width": 300, "height": 100, "strokes": [[[10, 10], [50, 80], [120, 20]]]}


def person(store: Store, name: str = "测试甲") -> str:
    for number, who in enumerate((D1, D2, N1, N2)):
        phone = [{"system": "phone", "value": f"0574-0000{number:04d}"}]
        store.once({"resourceType": "Practitioner", "id": who.partition("/")[2], "name": [{"text": f"医护{number}"}], "telecom": phone})
    return str(register(store, Person(name, birth=date(1931, 2, 3)), "urn:test").patient["id"])


def paper_of(store: Store, contract: Resource) -> Resource:
    (found,) = frozen_of(store, f"Contract/{contract['id']}", "contract")
    return found


@pytest.mark.parametrize("door", ["service", "plain write", "two signatures", "renewal", "transfer"])
def test_whatever_door_a_contract_comes_into_force_through_its_document_is_frozen(database: Database, door: str) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        if door == "plain write":
            service.terminate(store, contract["id"], EndReason.OWN_WISH, ON)
            contract = store.put({key: value for key, value in contract.items() if key != "meta"} | {"id": "plain"})
        elif door == "two signatures":
            service.terminate(store, contract["id"], EndReason.OWN_WISH, ON)
            contract = service.offer(store, service.draft(store, patient, D1, N1, ON))
            assert frozen_of(store, f"Contract/{contract['id']}") == []
            for side in (Side.RESIDENT, Side.DOCTOR):
                contract = service.add_signature(store, contract["id"], Signed(side, SignatureKind.WET_SCAN, AT))
        elif door == "renewal":
            contract = service.renew(store, contract["id"])
        elif door == "transfer":
            contract = service.transfer(store, contract["id"], D2, N1, ON)
        paper = paper_of(store, contract)
        assert verify(store, paper["id"]).intact
        assert paper["subject"]["reference"] == f"Patient/{patient}"


def test_a_document_stays_when_the_contract_ends(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        contract = service.sign(store, person(store), D1, N1, ON)
        service.terminate(store, contract["id"], EndReason.OWN_WISH, ON)
        paper = paper_of(store, contract)
        assert paper["status"] == "current"
        assert verify(store, paper["id"]).intact


def test_what_was_drawn_is_kept_and_a_proxy_says_who(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
    with room_client(database, tmp_path, router) as client:
        drafted = client.post("/api/contract/draft", json={"patient": patient, "doctor": D1, "nurse": N1}).json()
        address = f"/api/contract/{drafted['id']}"
        assert client.get(f"{address}/paper").content.startswith(b"%PDF")
        without = client.post(f"{address}/signatures", json={"side": "proxy", "drawing": DRAWING})
        assert without.status_code == 422
        named = {"side": "proxy", "drawing": DRAWING, "name": "测试女", "relation": "女儿"}
        assert client.post(f"{address}/signatures", json=named).status_code == 200
        signed = client.post(f"{address}/signatures", json={"side": "doctor", "kind": "wet-scan"}).json()
    agreement = to_agreement(signed)
    assert agreement.state is State.ACTIVE
    proxy = next(one for one in agreement.signatures if one.side is Side.PROXY)
    assert (proxy.name, proxy.relation, proxy.format) == ("测试女", "女儿", "image/svg+xml")
    assert b"M10,10 L50,80 L120,20" in proxy.data


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"side": "resident", "drawing": {"width": 300, "height": 100, "strokes": []}}, 422),
        ({"side": "resident", "drawing": {"width": 300, "height": 100, "strokes": [[[1, 1], [999, 1]]]}}, 422),
        ({"side": "resident", "kind": "certified", "proof": "?", "format": "application/jose"}, 422),
        ({"side": "nobody"}, 422),
    ],
)
def test_a_signature_that_is_none(database: Database, tmp_path: Path, given: Resource, status: int) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        drafted = service.offer(store, service.draft(store, person(store), D1, N1, ON))
    with room_client(database, tmp_path, router) as client:
        assert client.post(f"/api/contract/{drafted['id']}/signatures", json=given).status_code == status


def test_nobody_draws_another_doctors_signature(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        drafted = service.offer(store, service.draft(store, person(store), D1, N1, ON))
    with database.writing(Actor(D2, "", frozenset({"doctor"})), at=AT) as store:
        with pytest.raises(RuleViolation) as refused:
            service.add_signature(store, drafted["id"], Signed(Side.DOCTOR, SignatureKind.DRAWN, AT))
        assert refused.value.reason == "contract-other-hand"
        service.add_signature(store, drafted["id"], Signed(Side.DOCTOR, SignatureKind.WET_SCAN, AT))


def test_a_pair_takes_so_many_and_no_more(tmp_path: Path) -> None:
    narrow = [Parameter("contract.pair_capacity", 1, "persons", "", "", "test", "site", date(2020, 1, 1), "CN", "test.toml")]
    opened = Database.open(f"sqlite:///{tmp_path}/small.sqlite", rooms=ROOMS, policy=Policy([*load(), *narrow]))
    with opened.writing(SYSTEM, at=AT) as store:
        first, second = person(store), person(store, "测试乙")
        contract = service.sign(store, first, D1, N1, ON)
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            service.sign(store, second, D1, N1, ON)
        assert refused.value.reason == "contract-pair-capacity"
        service.sign(store, second, D1, N2, ON)
        assert service.renew(store, contract["id"])["status"] == "executed", "the same person does not count twice"
    opened.close()


# -- the contact card -------------------------------------------------------------------------------------------------------


def token_in(store: Store, patient: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sign, and catch what the card's QR code holds."""
    caught = []
    code = cards.Code
    monkeypatch.setattr(cards, "Code", lambda text, caption: caught.append(text) or code(text, caption))
    service.sign(store, patient, D1, N1, ON)
    return str(caught[-1])


def test_the_code_on_a_card_says_nothing_and_leads_to_the_person(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        token = token_in(store, patient, monkeypatch)
        assert re.fullmatch(r"[\w-]{22}", token), "random, and nothing else"
        card = cards.current_card(store, patient)
        assert card is not None
        assert verify(store, card["id"]).intact
        assert token not in dumps(card).decode(), "the token stands on paper only"
    with room_client(database, tmp_path, router) as client:
        assert client.get(f"/api/contract/cards/{token}").json() == {"document": card["id"], "patient": patient, "current": True}
        assert client.get(f"/api/contract/cards/{token}x").status_code == 404
    with room_client(database, tmp_path, router, role="hospital-window") as stranger:
        assert stranger.get(f"/api/contract/cards/{token}").status_code == 403


def test_a_card_is_issued_anew_when_the_team_changes_and_not_otherwise(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        first = cards.current_card(store, patient)
        assert first is not None
        renewed = service.renew(store, contract["id"])
        assert cards.current_card(store, patient) == first
        service.transfer(store, renewed["id"], D2, N1, to_agreement(renewed).start)
        second = cards.current_card(store, patient)
        assert second is not None
        assert second["id"] != first["id"]
        assert store.read("DocumentReference", first["id"])["status"] == "superseded"
        assert verify(store, first["id"]).intact


def test_a_new_telephone_number_brings_new_cards(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, other = person(store), person(store, "测试乙")
        service.sign(store, patient, D1, N1, ON)
        service.sign(store, other, D2, N2, ON)
        kept, old = cards.current_card(store, other), cards.current_card(store, patient)
        assert cards.refresh(store) == []
        nurse = store.read("Practitioner", "n1")
        store.put(nurse | {"telecom": [{"system": "phone", "value": "0574-00009999"}]})
        (issued,) = cards.refresh(store)
        assert issued["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{(old or {})['id']}"
        assert cards.refresh(store) == []
        assert cards.current_card(store, other) == kept


@pytest.mark.parametrize("end", ["terminated", "expired", "died"])
def test_a_card_is_withdrawn_with_the_contract(database: Database, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        token = token_in(store, patient, monkeypatch)
        if end == "terminated":
            service.terminate(store, (service.active(store, patient) or to_agreement({})).id, EndReason.MOVED_AWAY, ON)
        elif end == "expired":
            renewal.expire_due(store, date(2028, 1, 1))
        else:
            update_demographics(store, patient, Person("", deceased=ON))
        assert cards.current_card(store, patient) is None
        assert cards.resolve(store, token).current is False
        with pytest.raises(NotFound):
            cards.resolve(store, "x")


# -- renewal and delivery ---------------------------------------------------------------------------------------------------


def test_the_doctor_is_told_once_that_a_contract_ends_soon(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON)
        assert renewal.remind(store, date(2027, 10, 21)) == []
        (told,) = renewal.remind(store, date(2027, 10, 22))
        assert (told["recipient"], code_of(told)) == ([{"reference": D1}], "contract-renewal")
        assert renewal.remind(store, date(2027, 10, 23)) == []
        assert [one["id"] for one in open_reminders(store, D1)] == [told["id"]]
        acknowledge(store, told["id"])
        assert open_reminders(store, D1) == []
        service.terminate(store, contract["id"], EndReason.OWN_WISH, date(2027, 10, 24))


def test_a_notice_ends_with_its_contract(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        contract = service.sign(store, person(store), D1, N1, ON)
        (told,) = renewal.remind(store, date(2027, 11, 1))
        service.renew(store, contract["id"])
        renewal.remind(store, date(2027, 11, 2))
        assert store.read("Communication", told["id"])["status"] == "stopped"


def test_delivered_is_what_was_really_done_whoever_asked_for_it(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        contract = service.sign(store, patient, D1, N1, ON, package="chronic")["id"]
        visits.complete(store, f"checkup-{patient}-2026Q4", Findings(AT, AT, pulse=70), D1)
        after_bad_result = Visit("extra", Kind.FOLLOW_UP, patient, Window(AT, AT + timedelta(days=9)), 20, sources=("Encounter/e",))
        visits.request(store, after_bad_result)
        by_service = {one.service: one for one in delivery.fulfilment(store, contract).items}
        assert (by_service["quarterly-checkup"].delivered, by_service["follow-up"].delivered) == (1, 0)
        visits.complete(store, "extra", Findings(AT, AT, pulse=71), D1)
        assert delivery.fulfilment(store, contract).delivered == 2
        spread = {one.service: one.due for one in delivery.fulfilment(store, contract, date(2027, 5, 24)).items}
        assert spread["follow-up"] == 2, "a promise that nobody planned is due by and by"


def test_consultations_count_where_they_are_promised(tmp_path: Path) -> None:
    packages = {"basic": {"quarterly-checkup": 4, "consultation": 2}}
    own = [Parameter("contract.packages", packages, "1/a", "", "", "test", "site", date(2020, 1, 1), "CN", "test.toml")]
    opened = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", rooms=ROOMS, policy=Policy([*load(), *own]))
    with opened.writing(SYSTEM, at=AT) as store:
        contract = service.sign(store, person(store), D1, N1, ON)["id"]
        first = delivery.consult(store, contract, AT, D1, "问用药")
        assert delivery.consult(store, contract, AT, D1, "问用药")["id"] == first["id"]
        assert {one.service: one.delivered for one in delivery.fulfilment(store, contract).items} == {
            "quarterly-checkup": 0,
            "consultation": 1,
        }
        for wrong in (AT + timedelta(days=1), AT - timedelta(days=3)):
            with pytest.raises(RuleViolation) as refused:
                delivery.consult(store, contract, wrong, D1, "问用药")
            assert refused.value.reason == "contract-consultation-day"
    opened.close()


def test_many_contracts_are_counted_at_once_as_one_by_one(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        agreements = []
        for number in range(43):
            patient = person(store, f"测试{chr(0x4E00 + number)}")
            agreements.append(to_agreement(service.sign(store, patient, D1, None, ON)))
            if number % 3 == 0:
                visits.complete(store, f"checkup-{patient}-2026Q4", Findings(AT, AT, pulse=70), D1)
        on = date(2027, 3, 20)
        assert delivery.fulfilments(store, agreements, on) == {one.id: delivery.fulfilment(store, one.id, on) for one in agreements}


def test_the_bytes_of_a_signed_contract_come_over_http(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        contract = service.sign(store, person(store), D1, N1, ON)
        content, _ = documents.pdf_of(store, paper_of(store, contract)["id"])
        assert content.startswith(b"%PDF-1.7")
    with room_client(database, tmp_path, router) as client:
        given = {"by": D1, "about": "问用药", "at": AT.isoformat()}
        assert client.post(f"/api/contract/{contract['id']}/consultations", json=given).status_code == 201
        counted = client.get(f"/api/contract/{contract['id']}/fulfilment").json()
        assert set(counted) == {"items", "promised", "delivered", "due", "missing", "rate", "rate_so_far"}
        assert client.post(f"/api/contract/{contract['id']}/card").json()["status"] == "current"


# -- the contract that follows ----------------------------------------------------------------------------------------------


def both_sign(store: Store, contract: str) -> Resource:
    service.add_signature(store, contract, Signed(Side.RESIDENT, SignatureKind.WET_SCAN, store.at))
    return service.add_signature(store, contract, Signed(Side.DOCTOR, SignatureKind.WET_SCAN, store.at))


def test_until_both_have_signed_the_next_term_the_present_one_is_in_force(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        old = service.sign(store, patient, D1, N1, ON)
        following = service.draft_successor(store, old["id"])
        service.add_signature(store, following["id"], Signed(Side.RESIDENT, SignatureKind.WET_SCAN, AT))
        assert service.active(store, patient) == to_agreement(old)
        signed = to_agreement(both_sign(store, following["id"]))
        assert (signed.state, signed.start) == (State.ACTIVE, date(2027, 11, 22))
        assert to_agreement(store.read("Contract", old["id"])).state is State.RENEWED
        assert [one.id for one in running(store, ON)] == [old["id"]], "the term that runs is the one that is counted"
        assert [one.id for one in running(store, date(2027, 11, 22))] == [signed.id]
        assert len(visits.open_visits(store, patient)) == 8


def test_handing_over_is_one_step_with_the_last_signature(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        old = service.sign(store, patient, D1, N1, ON)
        extra = Visit("extra", Kind.FOLLOW_UP, patient, Window(AT, AT + timedelta(days=9)), 20, owner=D1)
        visits.request(store, extra)
        later = AT + timedelta(days=10)
    with database.writing(SYSTEM, at=later) as store:
        following = service.draft_successor(store, old["id"], D2, N2)
        assert {one.owner for one in visits.open_visits(store, patient)} == {D1}
        both_sign(store, following["id"])
        ended = to_agreement(store.read("Contract", old["id"]))
        assert (ended.state, ended.ended, ended.end_reason) == (State.TRANSFERRED, date(2026, 12, 1), EndReason.CHANGED_TEAM)
        assert {one.owner for one in visits.open_visits(store, patient)} == {D2}
        paper = paper_of(store, {"id": following["id"]})
        assert verify(store, paper["id"]).intact


def test_a_draft_that_follows_nothing_any_more_is_refused_or_stands_alone(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        old = service.sign(store, patient, D1, N1, ON)
        first, second = (service.draft_successor(store, old["id"], D2, N2) for _ in range(2))
        both_sign(store, first["id"])
        with pytest.raises(Conflict) as refused, store.savepoint():
            both_sign(store, second["id"])
        assert refused.value.reason == "contract-second-active"
        with pytest.raises(RuleViolation):
            service.draft_successor(store, old["id"])


def test_a_contract_that_renews_by_itself_says_that_nobody_signed_again(tmp_path: Path) -> None:
    own = [Parameter("contract.automatic_renewal", True, "switch", "", "", "test", "site", date(2020, 1, 1), "CN", "test.toml")]
    opened = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", rooms=ROOMS, policy=Policy([*load(), *own]))
    with opened.writing(SYSTEM, at=AT + timedelta(days=366)) as store:
        patient = person(store)
        old = service.sign(store, patient, D1, N1, ON)
        (renewed,) = renewal.expire_due(store, date(2027, 11, 23))
        assert {one.kind for one in to_agreement(renewed).signatures} == {SignatureKind.CARRIED_OVER}
        assert to_agreement(renewed).predecessor == f"Contract/{old['id']}"
        with pytest.raises(RuleViolation) as refused:
            service.sign(store, person(store, "测试乙"), D1, N1, ON, kind=SignatureKind.CARRIED_OVER)
        assert refused.value.reason == "contract-carried-over"
    opened.close()


def test_another_doctors_drawn_signature_is_refused_through_a_plain_write_too(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient, other = person(store), person(store, "测试乙")
        signed = service.sign(store, patient, D1, N1, ON)
    forged = {key: value for key, value in signed.items() if key != "meta"} | {
        "id": "forged",
        "subject": [{"reference": f"Patient/{other}"}],
    }
    with database.writing(Actor(D2, "", frozenset({"doctor"})), at=AT) as store:
        with pytest.raises(RuleViolation) as refused:
            store.put(forged)
        assert refused.value.reason == "contract-other-hand"


def test_whoever_is_owed_most_comes_first_over_http(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        kept, owed = person(store), person(store, "测试乙")
        for patient in (kept, owed):
            service.sign(store, patient, D1, N1, ON)
        visits.miss(store, f"checkup-{owed}-2026Q4", "refused")
    with room_client(database, tmp_path, router) as client:
        rows = client.get("/api/contract/running", params={"doctor": D1}).json()
        assert [(one["patient"], one["missing"]) for one in rows] == [(owed, 1), (kept, 0)]
        assert client.get("/api/contract/running", params={"doctor": D2}).json() == []


def test_the_scan_of_a_paper_is_frozen_as_it_is(database: Database, tmp_path: Path) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(2000)
    with database.writing(SYSTEM, at=AT) as store:
        paper = service.sign(store, person(store), D1, N1, ON, kind=SignatureKind.WET_SCAN)["id"]
        drawn = service.sign(store, person(store, "测试乙"), D1, N1, ON)["id"]
    with room_client(database, tmp_path, router) as client:
        kept = client.post(f"/api/contract/{paper}/scan", files={"file": picture})
        assert kept.status_code == 201
        assert kept.json()["content"][0]["attachment"]["contentType"] == "image/png"
        assert client.post(f"/api/contract/{paper}/scan", files={"file": b"MZ..."}).status_code == 422
        assert client.post(f"/api/contract/{drawn}/scan", files={"file": picture}).status_code == 422
        assert client.post(f"/api/contract/{paper}/scan", files={"file": picture + bytes(11 << 20)}).status_code == 413
    with database.reading(SYSTEM, at=AT) as store:
        assert verify(store, kept.json()["id"]).intact
        assert documents.pdf_of(store, kept.json()["id"])[0] == picture
