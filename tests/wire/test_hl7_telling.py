"""What hospitals are told follows from what is written in the rooms: once, in each one's own form, and never back to who told us."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hospital import AT, Hospital, cadre
from peer import Peer

from healthsvc import clock
from healthsvc.consent import service as consents
from healthsvc.consent.rules import Form, Purpose
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.service import grant, withdraw
from healthsvc.healthfile.merging import merge, unmerge
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register, update_demographics
from healthsvc.referral import service as referrals
from healthsvc.referral.rules import Reason
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.store.outbox import OUTBOX, payload_of
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure
from integrations.herald.herald import Herald, listeners
from integrations.hl7v2.conformance import problems
from integrations.hl7v2.er7 import Message
from integrations.hospitals.shelf import Shelf, load, shelf
from integrations.outbox import Courier

SITE = """
extends = "default"
profile = "{name}"
version = 1
title = "测试医院"
hospital = "{name}"

[match]
sending_facility = "{facility}"

[send]
host = "127.0.0.1"
port = {port}
receiving_application = "HIS"
topics = ["person", "merge", "referral", "results", "booking"]
{more}
"""
FLAG_16 = '[send.green_channel]\nfield = "PV1-16"\nyes = "VIP"\n'


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Shelf]:
    def made(*profiles: tuple[str, str], port: int = 1) -> Shelf:
        for name, more in profiles:
            (tmp_path / f"{name}.toml").write_text(SITE.format(name=name, facility=name.upper(), port=port, more=more))
        return shelf(tmp_path)

    return made


def herald(database: Database, known: Shelf) -> Herald:
    made = Herald(database, known, "test", lambda: AT)
    made.turn()  # what is written from now on
    return made


def sent(database: Database, to: str = "h1") -> list[Message]:
    with database.reading(SYSTEM, at=AT) as store:
        rows = store.connection.execute(OUTBOX.select().where(OUTBOX.c.kind == f"hl7:{to}").order_by(OUTBOX.c.id)).all()
    assert [row.error for row in rows] == [None] * len(rows)
    return [Message(payload_of(database.sealer, row)["message"]) for row in rows]


def events(database: Database, to: str = "h1") -> list[str]:
    return [one["MSH"][9].component(2).text for one in sent(database, to)]


def do(database: Database, act: Callable[[Store], Any], at: datetime = AT) -> Any:
    with database.writing(SYSTEM, at=at) as store:
        return act(store)


def test_who_the_hospital_knows_is_told_of_and_only_what_it_would_see(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    other = do(database, lambda store: register(store, Person(name="测试乙"), "urn:healthsvc:test").patient["id"])
    telling = herald(database, site(("h1", "")))
    do(database, lambda store: update_demographics(store, patient, Person(name="", phones=("10000000001",))))
    do(database, lambda store: update_demographics(store, other, Person(name="", phones=("10000000002",))))
    telling.turn()
    [message] = sent(database)
    assert message["MSH"][9].raw == "ADT^A31^ADT_A05"
    assert [one.component(5).text for one in message["PID"][3].repetitions] == ["IdentifyNO", "IDCard"]
    assert message["PID"][13].component(7).text == "10000000001"
    assert (message["PID"][5].text, message["PID"][8].text, message["PID"][7].text) == ("测试甲", "M", "19300101")
    do(database, lambda store: store.put({**store.read("Patient", patient), "maritalStatus": {"text": "已婚"}}))
    assert telling.turn() == 0, "nothing that the hospital would see has changed"
    assert events(database) == ["A31"]


def test_a_hospital_of_all_hears_of_everybody_first_as_new(database: Database, site: Callable[..., Shelf]) -> None:
    telling = herald(database, site(("h1", 'people = "all"\nown_number = "HF"')))
    patient = do(database, lambda store: register(store, Person(name="测试乙"), "urn:healthsvc:test").patient["id"])
    telling.turn()
    do(database, lambda store: update_demographics(store, patient, Person(name="", phones=("10000000001",))))
    telling.turn()
    assert events(database) == ["A28", "A31"]
    assert sent(database)[0]["PID"][3].raw == f"{patient}^^^^HF"


@pytest.mark.parametrize(
    ("flag", "yes", "no"),
    [
        (FLAG_16, ("PV1", 16, "VIP"), ("PV1", 16, '""')),
        ('[send.green_channel]\nfield = "PV1-18"\nyes = "01"\nno = "00"\n', ("PV1", 18, "01"), ("PV1", 18, "00")),
        ('[send.green_channel]\nfield = "ZGC"\npay_later = ["PV1-16"]\n', ("ZGC", 2, "Y"), ("ZGC", 2, "N")),
    ],
)
def test_the_green_channel_goes_where_the_site_wants_it(
    database: Database, site: Callable[..., Shelf], flag: str, yes: tuple[str, int, str], no: tuple[str, int, str]
) -> None:
    patient, _ = cadre(database)
    telling = herald(database, site(("h1", flag)))
    do(database, lambda store: grant(store, patient, AT.date()))
    telling.turn()
    do(database, lambda store: withdraw(store, patient, AT.date()))
    telling.turn()
    first, second = sent(database)
    assert first[yes[0]][yes[1]].raw == yes[2]
    assert second[no[0]][no[1]].raw == no[2]
    if yes[0] == "ZGC":
        assert first["PV1"].raw == "PV1|1|N"


def test_without_a_place_the_green_channel_is_not_told(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    telling = herald(database, site(("h1", "")))
    do(database, lambda store: update_demographics(store, patient, Person(name="", phones=("10000000001",))))
    telling.turn()
    do(database, lambda store: grant(store, patient, AT.date()))
    assert telling.turn() == 0


def test_our_priority_never_goes_into_the_field_of_treat_first_pay_later(site: Callable[..., Shelf]) -> None:
    with pytest.raises(Invalid, match="treat first, pay later"):
        site(("h1", FLAG_16 + 'pay_later = ["PV1-16"]\n'))


def test_what_a_hospital_told_us_goes_to_the_others_only(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    number = {"system": "https://healthsvc.example/fhir/NamingSystem/hospital/h2", "value": "X9"}
    do(database, lambda store: store.put({**(file := store.read("Patient", patient)), "identifier": [*file["identifier"], number]}))
    known = site(("h1", FLAG_16), ("h2", ""))
    telling = herald(database, known)
    hospital = Hospital(database)
    hospital.inbox.shelf = hospital.worker.shelf = known
    assert hospital.says("ADT^A31", "C1", phone="^^^^^^10000000009") == "AA"
    assert hospital.last().state == "done"
    hospital.inbox.stop()
    telling.turn()
    assert (events(database, "h1"), events(database, "h2")) == ([], ["A31"])
    do(database, lambda store: grant(store, patient, AT.date()))
    telling.turn()
    assert (events(database, "h1"), events(database, "h2")) == (["A31"], ["A31"]), "what we decide about it is news to the same hospital"


def test_a_merge_and_its_undoing(database: Database, site: Callable[..., Shelf]) -> None:
    kept, _ = cadre(database)
    system = "https://healthsvc.example/fhir/NamingSystem/hospital/h1"
    gone: Resource = {"resourceType": "Patient", "id": "gone", "active": True, "identifier": [{"system": system, "value": "C2"}]}
    do(database, lambda store: store.put(gone | {"name": [{"text": "测试甲"}]}))
    telling = herald(database, site(("h1", "")))
    do(database, lambda store: merge(store, kept, "gone"))
    telling.turn()
    message, _ = sent(database)
    assert (message["MSH"][9].raw, message["MRG"][1].raw) == ("ADT^A40^ADT_A39", "C2^^^^IDCard")
    assert "C1^^^^IDCard" in message["PID"][3].raw
    do(database, lambda store: unmerge(store, "gone"))
    telling.turn()
    assert "A37" in events(database)


def test_a_referral_is_told_to_its_hospital_and_withdrawn(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    for one in ({"resourceType": "Organization", "id": "h1", "name": "测试医院"}, {"resourceType": "Practitioner", "id": "d1"}):
        do(database, lambda store, one=one: store.put(one | ({"name": [{"text": "测试医师"}]} if one["id"] == "d1" else {})))
    telling = herald(database, site(("h1", ""), ("h2", "")))
    told = do(
        database,
        lambda store: referrals.refer(
            store, patient, Reason.NEEDS_TEST, "Organization/h1", "Practitioner/d1", summary="血压\n两周未控制 | 复查", department="心内科"
        ),
    )
    telling.turn()
    [message] = sent(database)
    assert events(database, "h2") == []
    assert (message["MSH"][9].raw, message["RF1"][6].text) == ("REF^I12^REF_I12", told.id)
    assert [one[3].text for one in message.all("NTE")] == ["血压", "两周未控制 | 复查"]
    assert [one[4].raw for one in message.all("PRD")][1] == "心内科^^^测试医院"
    do(database, lambda store: referrals.withdraw(store, told.id, "test"))
    telling.turn()
    telling.turn()
    assert events(database) == ["I12", "I14"]


def test_what_the_checkup_at_home_found(database: Database, site: Callable[..., Shelf]) -> None:
    _, task = cadre(database)
    telling = herald(database, site(("h1", "")))
    at = clock.now() + timedelta(hours=1)
    found = Findings(at, at + timedelta(minutes=20), bp_left=Pressure(150, 90), weight=Decimal("61.50"))
    do(database, lambda store: visits.start(store, task, at, ["d1"]), at)
    do(database, lambda store: visits.complete(store, task, found, "d1"), at + timedelta(hours=1))
    telling.turn()
    [message] = [one for one in sent(database) if one["MSH"][9].component(1).text == "ORU"]
    values = {one[3].component(1).text: (one[5].text, one[6].text) for one in message.all("OBX")}
    assert values["8480-6"] == ("150", "mm[Hg]")
    assert values["29463-7"] == ("61.50", "kg")
    assert (message["OBR"][25].text, {one[11].text for one in message.all("OBX")}) == ("F", {"F"})


def test_a_booked_visit_to_the_hospital(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    telling = herald(database, site(("h1", "")))
    booking: Resource = {
        "resourceType": "Appointment", "id": "a1", "status": "booked", "description": "心内科复诊",
        "start": "2026-03-09T09:00:00+08:00", "end": "2026-03-09T09:20:00+08:00",
        "participant": [
            {"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"},
            {"actor": {"reference": "HealthcareService/heart"}, "status": "accepted"},
        ],
    }  # fmt: skip
    service: Resource = {"resourceType": "HealthcareService", "id": "heart", "providedBy": {"reference": "Organization/h1"}}
    do(database, lambda store: store.put(service))
    moved = booking | {"start": "2026-03-10T09:00:00+08:00", "end": "2026-03-10T09:20:00+08:00"}
    for one in (booking, moved, moved | {"description": "复诊"}, moved | {"status": "cancelled"}):
        do(database, lambda store, one=one: store.put(one))
        telling.turn()
    assert events(database) == ["S12", "S13", "S14", "S15"]
    assert sent(database)[0]["SCH"][11].raw == "^^^20260309090000"


@pytest.mark.parametrize("version", ["2.4", "2.5", "2.5.1", "2.6"])
def test_every_message_stands_before_hl7apy_in_every_version(database: Database, site: Callable[..., Shelf], version: str) -> None:
    """Whatever the other tests send is checked before it is queued (``sent`` asserts it); here once in each version."""
    more = f'version = "{version}"\npeople = "all"\ncharset = "GB18030"\n{FLAG_16}'
    telling = herald(database, site(("h1", more)))
    someone = do(database, lambda store: register(store, Person(name="测试|乙^&", phones=("0",)), "urn:healthsvc:test").patient["id"])
    do(database, lambda store: store.put({"resourceType": "Organization", "id": "h1", "name": "测试医院"}))
    do(database, lambda store: store.put({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "测试医师"}]}))
    do(database, lambda store: referrals.refer(store, someone, Reason.CRITICAL, "Organization/h1", "Practitioner/d1", urgent=True))
    telling.turn()
    assert sorted(events(database)) == ["A28", "I12"]
    for message in sent(database):
        assert message["PID"][5].text == "测试|乙^&"
        assert problems(message.text) == []
        assert problems(message.text.replace("PID|", "PIX|")) != []


def test_each_change_leads_to_its_message_once_whatever_ends_between(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    known = site(("h1", ""))
    herald(database, known)
    for number in range(3):
        told = Person(name="", phones=(f"1000000000{number}",))
        do(database, lambda store, told=told: update_demographics(store, patient, told))
        for _ in range(2):
            Herald(database, known, "another process", lambda: AT).turn()
    assert events(database) == ["A31"] * 3
    ids = [one["MSH"][10].text for one in sent(database)]
    assert len(set(ids)) == 3


def test_consent_is_asked_when_the_message_goes_out(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    peer = Peer(lambda control_id, times: "AA")
    known = site(("h1", ""), port=peer.port)
    telling = herald(database, known)
    courier = Courier(database, listeners(known)[0].destination, lambda: 0.5)
    scope = {"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}
    category = {"system": "http://terminology.hl7.org/CodeSystem/consentcategorycodes", "code": "npp"}
    consent: Resource = {
        "resourceType": "Consent", "id": "c1", "status": "active", "scope": {"coding": [scope]}, "category": [{"coding": [category]}],
        "patient": {"reference": f"Patient/{patient}"}, "dateTime": "2026-01-01", "policyRule": {"text": "x"},
        "provision": {
            "type": "deny",
            "actor": [{"role": {"text": "recipient"}, "reference": {"reference": "Organization/h1"}}],
        },
    }  # fmt: skip
    do(database, lambda store: update_demographics(store, patient, Person(name="", phones=("10000000001",))))
    telling.turn()
    do(database, lambda store: store.put(consent))
    assert courier.round(AT) == 1
    do(database, lambda store: store.put(consent | {"status": "inactive"}))
    do(database, lambda store: update_demographics(store, patient, Person(name="", phones=("10000000002",))))
    telling.turn()
    assert courier.round(AT) == 1
    courier.stop()
    peer.close()
    with database.reading(SYSTEM, at=AT) as store:
        rows = store.connection.execute(OUTBOX.select().order_by(OUTBOX.c.id)).all()
    assert [(row.state, row.error) for row in rows] == [("withheld", "consent-denied"), ("done", None)]
    assert len(peer.got) == 1
    assert b"10000000002" in peer.raw[0]


def test_the_default_profile_tells_nobody() -> None:
    assert listeners(Shelf([], load("default"))) == []


def test_a_withdrawal_counts_for_what_waits_already(database: Database, site: Callable[..., Shelf]) -> None:
    patient, _ = cadre(database)
    peer = Peer(lambda control_id, times: "AA")
    known = site(("h1", ""), port=peer.port)
    telling = herald(database, known)
    courier = Courier(database, listeners(known)[0].destination, lambda: 0.5)
    do(database, lambda store: consents.say(store, patient, Purpose.HOSPITAL_SHARING, True, form=Form.WRITTEN))
    do(database, lambda store: update_demographics(store, patient, Person(name="", phones=("10000000001",))))
    telling.turn()
    do(database, lambda store: consents.say(store, patient, Purpose.HOSPITAL_SHARING, False, form=Form.WRITTEN))
    assert courier.round(AT) == 1
    courier.stop()
    peer.close()
    with database.reading(SYSTEM, at=AT) as store:
        rows = store.connection.execute(OUTBOX.select().order_by(OUTBOX.c.id)).all()
    assert [(row.state, row.error) for row in rows] == [("withheld", "consent-denied")]
    assert peer.got == []
