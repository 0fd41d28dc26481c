"""Ways to reach people, each against the real thing: an SMTP server, a gateway over HTTP; the nearest free doctor; alarms over HL7."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hospital import AT, Hospital, cadre, segment
from ports import free_port
from test_emergency_room import Clock, Phone

from healthsvc.circle.policy import policy_values
from healthsvc.circle.travel import Estimate
from healthsvc.config import Settings
from healthsvc.emergency import service
from healthsvc.emergency.nearest import nearest, works
from healthsvc.emergency.rules import Act, Status
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Person, Position
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit, Window
from integrations.alarms.scout import Scout
from integrations.alarms.watch import Watch
from integrations.notify import MailNotifier, Notice, NotReached, WebhookNotifier, notifier_for
from integrations.notify.gateway import Gateway

NOTICE = Notice("alarm-1-family-0-1", "13800000001", "family", "求助:请立即联系。")
NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class Mailbox:
    """What a real SMTP server has taken."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], Any]] = []
        self.refuse = ""

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.refuse:
            return self.refuse
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 taken"


@pytest.fixture
def post() -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox()
    port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield mailbox, port
    controller.stop()


def test_mail_through_a_real_server(post: tuple[Mailbox, int]) -> None:
    mailbox, port = post
    way = MailNotifier("127.0.0.1", port, "alarm@centre.example", "sms.example")
    way.send(NOTICE)
    ((to, mail),) = mailbox.mails
    assert to == ["13800000001@sms.example"]
    assert mail.get_content().strip() == NOTICE.text
    assert mail["Message-ID"] == "<alarm-1-family-0-1@centre.example>"
    mailbox.refuse = "550 no such user"
    with pytest.raises(NotReached) as refused:
        way.send(NOTICE)
    assert not refused.value.again
    mailbox.refuse = "451 try later"
    with pytest.raises(NotReached) as refused:
        way.send(NOTICE)
    assert "13800000001" not in refused.value.why
    with pytest.raises(NotReached) as refused:
        MailNotifier("127.0.0.1", port, "alarm@centre.example").send(NOTICE)
    assert not refused.value.again


def test_mail_to_nobody_there_is_tried_again() -> None:
    with pytest.raises(NotReached) as refused:
        MailNotifier("127.0.0.1", 9, "alarm@centre.example", "sms.example", timeout_seconds=2).send(NOTICE)
    assert refused.value.again


def test_the_chain_by_mail(post: tuple[Mailbox, int], database: Database, tmp_path: Path) -> None:
    mailbox, port = post
    chosen = notifier_for(
        Settings(notify_smtp=f"127.0.0.1:{port}", notify_sender="alarm@centre.example", notify_mail_gateway="sms.example")
    )
    with database.writing(SYSTEM, at=NOON) as store:
        patient = cadre_at(store, 121.54, 29.87)
        service.raise_alarm(store, patient, "help", "81890", NOON)
    hands = Clock()
    hands.at = NOON
    assert Watch(database, chosen, tmp_path, hands).turn() == 1
    assert mailbox.mails[0][0] == ["13800000009@sms.example"]


def test_the_example_gateway_takes_what_is_signed_and_each_but_once() -> None:
    passed: list[tuple[str, str]] = []
    broken: list[OSError] = [OSError("modem")]

    def send(to: str, text: str) -> None:
        if broken:
            raise broken.pop()
        passed.append((to, text))

    gateway = Gateway("127.0.0.1", 0, b"secret", send)
    gateway.start()
    try:
        way = WebhookNotifier(gateway.url, b"secret")
        with pytest.raises(NotReached) as refused:
            way.send(NOTICE)
        assert refused.value.again
        way.send(NOTICE)
        way.send(NOTICE)
        with pytest.raises(NotReached) as refused:
            WebhookNotifier(gateway.url, b"another").send(NOTICE)
        assert not refused.value.again
    finally:
        gateway.stop()
    assert passed == [(NOTICE.to, NOTICE.text)]


def cadre_at(store: Store, lon: float, lat: float) -> str:
    contacts = (Contact(ContactRole.FAMILY, "女儿", "13800000009"),)
    known = Person("测试甲", category=Category.LIXIU, contacts=contacts, position=Position(lat, lon))
    return str(register(store, known, "urn:test").patient["id"])


def doctor(store: Store, id: str, lon: float, hours: dict[str, Any] | None = None, code: str = "doctor") -> None:
    phone = [{"system": "phone", "value": f"139{id[-1]}"}]
    store.put({"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": id}], "telecom": phone})
    store.put({"resourceType": "Location", "id": f"at-{id}", "name": id, "position": {"longitude": lon, "latitude": 29.87}})
    role = {"resourceType": "PractitionerRole", "id": f"role-{id}", "active": True, "location": [{"reference": f"Location/at-{id}"}]}
    role |= {
        "practitioner": {"reference": f"Practitioner/{id}"},
        "code": [{"coding": [{"system": code_system("care-role"), "code": code}]}],
    }
    store.put(role | (hours or {}))


def test_the_nearest_free_doctor_joins_a_grave_alarm(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=NOON) as store:
        patient = cadre_at(store, 121.540, 29.87)
        doctor(store, "near-1", 121.541)
        doctor(store, "near-2", 121.5415)
        doctor(store, "far-3", 121.70)
        doctor(store, "nurse-4", 121.540, code="nurse")
        doctor(store, "night-5", 121.540, {"availableTime": [{"availableStartTime": "18:00:00", "availableEndTime": "23:00:00"}]})
        leave = {"start": "2026-11-20", "end": "2026-11-30"}
        doctor(store, "away-6", 121.540, {"notAvailable": [{"description": "leave", "during": leave}]})
        visit = Visit("v", "follow-up", patient, Window(NOON - timedelta(days=1), NOON + timedelta(days=1)), 30)
        visits.request(store, visit)
        visits.plan(store, "v", NOON - timedelta(minutes=5), NOON + timedelta(minutes=25), ["Practitioner/near-1"])
    with database.reading(SYSTEM, at=NOON) as store:
        times = Estimate(policy_values(store.policy, date(2026, 11, 24)))
        (found,) = nearest(store, times, patient, NOON, service.policy_of(store))
        assert found.practitioner == "near-2"
        assert 0 < found.minutes < 10
    with database.writing(SYSTEM, at=NOON) as store:
        alarm = service.raise_alarm(store, patient, "fall", "81890", NOON)
        quiet = service.raise_alarm(store, cadre_at(store, 0.0, 0.0), "help", "81890", NOON)
    assert Scout(database, tmp_path, lambda: NOON + timedelta(seconds=1)).turn() == 1
    assert Scout(database, tmp_path, lambda: NOON + timedelta(seconds=2)).turn() == 0
    hands, phone = Clock(), Phone()
    hands.at = NOON + timedelta(seconds=2)
    Watch(database, phone, tmp_path, hands).turn()
    assert {one.role for one in phone.sent} == {"family", "nearest-doctor"}
    with database.reading(SYSTEM, at=NOON) as store:
        acts = [line.act for line in service.read(store, alarm.id).log]
        assert acts == [Act.RAISE, Act.CALL, Act.STANDBY, Act.CALL]
        assert service.read(store, quiet.id).status is Status.RINGING


NIGHT = {"daysOfWeek": ["sun"], "availableStartTime": "20:00:00", "availableEndTime": "08:00:00"}
"""Of Sunday, until Monday morning."""


@pytest.mark.parametrize(
    ("role", "at", "expected"),
    [
        ({}, "2026-11-24T12:00:00+08:00", True),
        ({}, "2026-11-22T12:00:00+08:00", False),
        ({}, "2026-11-24T19:00:00+08:00", False),
        ({"availableTime": [{"allDay": True, "daysOfWeek": ["sun"]}]}, "2026-11-22T03:00:00+08:00", True),
        ({"availableTime": [NIGHT]}, "2026-11-22T22:00:00+08:00", True),
        ({"availableTime": [NIGHT]}, "2026-11-23T05:00:00+08:00", True),
        ({"availableTime": [NIGHT]}, "2026-11-22T05:00:00+08:00", False),
        ({"period": {"end": "2026-11-23"}}, "2026-11-24T12:00:00+08:00", False),
        ({"notAvailable": [{"during": {"start": "2026-11-24T11:00:00+08:00"}}]}, "2026-11-24T12:00:00+08:00", False),
        ({"notAvailable": [{"during": {"end": "2026-11-24T11:00:00+08:00"}}]}, "2026-11-24T12:00:00+08:00", True),
    ],
)
def test_who_works_at_a_moment(role: dict[str, Any], at: str, expected: bool) -> None:
    from datetime import time as clock_time

    assert works(role, datetime.fromisoformat(at), (clock_time(8), clock_time(17))) is expected


def test_an_alarm_over_hl7_rings(database: Database, tmp_path: Path) -> None:
    there = Hospital(database)
    try:
        patient, _ = cadre(database)
        with database.writing(SYSTEM, at=AT) as store:
            known = store.read("Patient", patient)
            family = {"relationship": [{"coding": [{"system": code_system("contact-role"), "code": "family"}]}], "name": {"text": "女儿"}}
            store.put(known | {"contact": [family | {"telecom": [{"system": "phone", "value": "13800000009"}]}]})
            number = [{"system": service.DEVICE_NUMBER, "value": "0042"}]
            store.put({"resourceType": "Device", "id": "d", "identifier": number, "patient": {"reference": f"Patient/{patient}"}})
        obr = segment("OBR", _1="1", _4="196616^MDC_EVT_ALARM^MDC", _7="20260302083000")
        by_device = segment("OBX", _1="1", _2="ST", _3="196674^fall", _5="跌倒", _18="0042^^" + service.DEVICE_NUMBER)
        assert there.says("ORU^R40", "", obr + "\r" + by_device, id="A1") == "AA"
        assert there.last().state == "done", there.last()
        with database.reading(SYSTEM, at=AT) as store:
            (alarm,) = service.all_open(store)
        assert (alarm.patient, alarm.kind) == (patient, "fall")
        assert there.says("ORU^R40", "C1", obr, id="A2") == "AA"
        with database.reading(SYSTEM, at=AT) as store:
            (again,) = service.all_open(store)
            assert again.id == alarm.id
        there.says("ORU^R40", "", obr + "\r" + segment("OBX", _1="1", _3="x", _18="9999"), id="A3")
        assert there.last().state != "done"
    finally:
        there.inbox.stop()
