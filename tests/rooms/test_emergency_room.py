"""Alarms on a real database: device to chain, the watch with a notifier that fails, reactions at the bedside, other doors."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import select

from healthsvc import clock
from healthsvc.emergency import service
from healthsvc.emergency.desk import Desk
from healthsvc.emergency.disclosure import CONSENT
from healthsvc.emergency.journal import Call
from healthsvc.emergency.rules import Act, Line, Status
from healthsvc.emergency.sheet import sheet
from healthsvc.errors import Invalid, NotFound, RuleViolation
from healthsvc.fhir.consent import SignedConsent, to_consent
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Actor, Database, Store
from healthsvc.store.outbox import OUTBOX, payload_of
from integrations.alarms.delivery import TRIES
from integrations.alarms.watch import Watch
from integrations.notify import LogNotifier, Notice, NotReached, WebhookNotifier

AT = datetime(2026, 11, 22, 2, 0, 0, tzinfo=UTC)
CONTACTS = (
    Contact(ContactRole.FAMILY, "儿子", "13800000001", "儿子"),
    Contact(ContactRole.FORMER_UNIT, "单位联系人", "13800000002"),
    Contact(ContactRole.COMMUNITY_WORKER, "社工", "13800000003"),
    Contact(ContactRole.COMMUNITY_DOCTOR, "社区医生", "13800000004"),
)


def person(store: Store) -> str:
    known = Person("测试甲", category=Category.LIXIU, contacts=CONTACTS, phones=("057400000000",), address="某路1号")
    patient = str(register(store, known, "urn:test").patient["id"])
    store.put(
        {
            "resourceType": "Device",
            "id": f"phone-{patient}"[:60],
            "identifier": [{"system": service.DEVICE_NUMBER, "value": "0001"}],
            "patient": {"reference": f"Patient/{patient}"},
        }
    )
    return patient


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)


class Phone:
    """A notifier that remembers, and fails while it is told to."""

    def __init__(self) -> None:
        self.sent: list[Notice] = []
        self.broken: NotReached | None = None

    def send(self, notice: Notice) -> None:
        if self.broken:
            raise self.broken
        self.sent.append(notice)


def test_the_button_reaches_the_family_and_then_the_next(database: Database, tmp_path: Path) -> None:
    hands, phone = Clock(), Phone()
    watch = Watch(database, phone, tmp_path, hands)
    with database.writing(SYSTEM, at=AT) as store:
        person(store)
        alarm = service.take_in(store, Call("help", "81890", AT, device="0001"))
    assert watch.turn() == 1
    assert [(one.to, one.role) for one in phone.sent] == [("13800000001", "family")]
    assert watch.turn() == 0
    hands.move(59)
    assert watch.turn() == 0
    hands.move(1)
    assert watch.turn() == 1
    assert phone.sent[-1].to == "13800000002"
    with database.writing(SYSTEM, at=hands.at) as store:
        assert service.act(store, alarm.id, Line(Act.TAKE, hands.at, "former-unit-0")).status is Status.TAKEN
    hands.move(600)
    assert watch.turn() == 0
    with database.writing(SYSTEM, at=hands.at) as store:
        closed = service.act(store, alarm.id, Line(Act.CLOSE, hands.at, "former-unit-0", text="helped-at-home"))
        assert [line.act for line in closed.log] == [Act.RAISE, Act.CALL, Act.NOT_REACHED, Act.CALL, Act.TAKE, Act.CLOSE]
        assert store.read("Task", alarm.id)["status"] == "completed"


def test_a_notifier_that_is_down_loses_nothing(database: Database, tmp_path: Path) -> None:
    hands, phone = Clock(), Phone()
    watch = Watch(database, phone, tmp_path, hands)
    with database.writing(SYSTEM, at=AT) as store:
        alarm = service.raise_alarm(store, person(store), "help", "operator", AT)
    phone.broken = NotReached("webhook: 503")
    for _ in range(TRIES - 1):
        watch.turn()
        hands.move(6)
    phone.broken = None
    assert watch.turn() == 1
    assert phone.sent[0].to == "13800000001"
    with database.writing(SYSTEM, at=hands.at) as store:
        second = service.raise_alarm(store, person(store), "help", "operator", hands.at)
    phone.broken = NotReached("no such number", again=False)
    watch.turn()
    phone.broken = None
    watch.turn()
    with database.reading(SYSTEM, at=hands.at) as store:
        lines = [(line.act, line.who) for line in service.read(store, second.id).log]
        assert lines[:4] == [(Act.RAISE, "operator"), (Act.CALL, "family-0"), (Act.NOT_REACHED, "family-0"), (Act.CALL, "former-unit-0")]
        assert service.read(store, alarm.id).status is Status.RINGING
    assert phone.sent[-1].to == "13800000002"


def test_of_two_watches_one_calls(database: Database, tmp_path: Path) -> None:
    phone = Phone()
    watches = [Watch(database, phone, tmp_path) for _ in range(2)]
    for watch in watches:
        watch.start()
    try:
        with database.writing(SYSTEM, at=clock.utc_now()) as store:
            service.raise_alarm(store, person(store), "help", "operator", store.at)
        begun = time.monotonic()
        while not phone.sent and time.monotonic() - begun < 20:
            time.sleep(0.02)
        time.sleep(1.2)
    finally:
        for watch in watches:
            watch.stop()
    assert [one.role for one in phone.sent] == ["family"]


def test_a_second_press_joins_the_open_alarm(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        first = service.raise_alarm(store, patient, "help", "81890", AT)
        again = service.raise_alarm(store, patient, "help", "81890", AT + timedelta(seconds=3))
        assert again.id == first.id
        assert again.log[-1].act is Act.REPEAT
        assert len(service.all_open(store)) == 1
        rows = store.connection.execute(select(OUTBOX).where(OUTBOX.c.kind == service.CALL)).all()
        assert len(rows) == 1
        assert "138000000" not in str(payload_of(store.sealer, rows[0]))


def test_an_alarm_from_the_bedside_is_taken_in(database: Database, tmp_path: Path) -> None:
    hands, phone = Clock(), Phone()
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        store.outbox("alarm", "given-1", {"patient": patient, "kind": "infusion-reaction", "at": AT.isoformat(), "by": "nu-1"})
        store.outbox("alarm", "given-2", {"patient": "nobody", "kind": "infusion-reaction", "at": AT.isoformat(), "by": "nu-1"})
    assert Watch(database, phone, tmp_path, hands).turn() == 2
    assert {one.role for one in phone.sent} == {"family", "community-doctor"}


@contextmanager
def asking(database: Database, role: str) -> Iterator[Store]:
    """A look in the name of a role, an hour later."""
    with database.reading(Actor(f"user/{role}", role, frozenset({role}), "page"), at=AT + timedelta(hours=1)) as store:
        yield store


def consent(store: Store, patient: str, withdrawn: datetime | None = None) -> None:
    store.put(to_consent(SignedConsent("sharing", patient, CONSENT, AT - timedelta(days=9), withdrawn=withdrawn)))


def test_the_sheet_is_shown_on_a_ground_and_noted(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
        about = {"code": {"text": "青霉素"}, "patient": {"reference": f"Patient/{patient}"}}
        active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
        store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, **about})
    with asking(database, "doctor") as store:
        with pytest.raises(RuleViolation, match="purpose"):
            sheet(store, patient, "curiosity")
        shown = sheet(store, patient, "alarm")
        assert (shown.address, shown.allergies, shown.ground) == ("某路1号", ("青霉素",), "care")
        assert [one.callee.role for one in shown.contacts] == [role.value for role in ContactRole]
        noted = [(act.patient, act.outcome, act.purpose) for act in store.acts if act.action == "emergency-sheet"]
        assert noted == [(patient, "care", "alarm whole")]
    with asking(database, "hotline") as store:
        with pytest.raises(RuleViolation) as refused:
            sheet(store, patient, "alarm")
        assert refused.value.reason == "emergency-no-consent"
    with database.writing(SYSTEM, at=AT) as store:
        consent(store, patient)
    with asking(database, "hotline") as store:
        assert sheet(store, patient, "registration").ground == "consent"
    with database.writing(SYSTEM, at=AT) as store:
        consent(store, patient, AT)
        service.raise_alarm(store, patient, "help", "81890", AT)
    with asking(database, "hotline") as store:
        shown = sheet(store, patient, "alarm")
        assert (shown.ground, shown.extent, shown.allergies) == ("alarm", "reaching", ())
        assert shown.phones == ("057400000000",)


def test_the_log_is_only_added_to(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        alarm = service.raise_alarm(store, person(store), "help", "81890", AT)
        task = store.read("Task", alarm.id)
        for change, reason in (
            ({"extension": task["extension"][:1]}, "emergency-log-changed"),
            ({"status": "completed"}, "emergency-status"),
            ({"code": {"text": "x"}}, "emergency-keep"),
        ):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                store.put(task | change)
            assert refused.value.reason == reason


def test_an_unknown_device_and_an_unknown_kind(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path, SYSTEM, lambda: AT)
    with pytest.raises(NotFound):
        desk.raise_alarm(Call("help", "81890", AT, device="9999"))
    with database.writing(SYSTEM, at=AT) as store:
        patient = person(store)
    for wrong in (Call("tea", "81890", AT, patient=patient), Call("help", "81890", AT), Call("help", "x", AT, patient, "0001")):
        with pytest.raises(Invalid):
            desk.raise_alarm(wrong)
    assert desk.journal.waiting() == []
    assert desk.all_open() == []


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[Any], list[int]]]:
    """A real HTTP gateway on loopback that answers with the next status of a list."""
    seen: list[Any] = []
    answers: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Idempotency-Key"], self.headers["X-Signature"], body))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", seen, answers
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_webhook_signs_and_says_whether_to_try_again(gateway: tuple[str, list[Any], list[int]]) -> None:
    url, seen, answers = gateway
    notice = Notice("a1-family-0-1", "13800000001", "family", "求助")
    way = WebhookNotifier(url, b"secret")
    way.send(notice)
    assert seen[0][0] == "a1-family-0-1"
    assert seen[0][1].startswith("sha256=")
    for status, again in ((503, True), (400, False)):
        answers.append(status)
        with pytest.raises(NotReached) as missed:
            way.send(notice)
        assert missed.value.again is again
    with pytest.raises(NotReached):
        WebhookNotifier("http://127.0.0.1:9/", b"", timeout_seconds=0.5).send(notice)
    LogNotifier().send(notice)
