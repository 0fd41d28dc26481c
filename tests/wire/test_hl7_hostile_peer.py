"""Hospitals whose listeners misbehave, over real sockets: nothing is lost, the order stays, others go on, and the operator sees why."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
import trustme
from test_hl7_outbox import AT, leave, states

from healthsvc.errors import Unavailable
from healthsvc.store import SYSTEM, Database
from healthsvc.store.outbox import OUTBOX
from integrations.hl7v2.ack import AckMode
from integrations.hl7v2.replies import control_id_of
from integrations.hospitals.destination import Destination
from integrations.hospitals.profile import Match, Profile
from integrations.hospitals.shelf import Shelf, load
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.mllp.framing import Frame, FrameReader, wrap
from integrations.operating import outbox_desk
from integrations.operating.lines import standings
from integrations.outbox import Courier, send_later
from integrations.worker import Worker

Says = Callable[[socket.socket, str, int], bool]
"""Given the line, the control id and how often it has come; False hangs up."""


class Listener:
    """A hospital's end that does as it is told, bytes and all."""

    def __init__(self, says: Says, tls: ssl.SSLContext | None = None, reads: bool = True) -> None:
        self.says, self.tls, self.reads = says, tls, reads
        self.got: list[str] = []
        self.hung_up = 0
        self.lines: list[socket.socket] = []
        self.heard: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for line in (self._listening, *self.lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with suppress(OSError):
            line = self.tls.wrap_socket(line, server_side=True) if self.tls else line
            self.lines.append(line)
            reader = FrameReader()
            while self.reads and (received := line.recv(65536)):
                for frame in reader.feed(received):
                    assert isinstance(frame, Frame)
                    self.heard.append(frame.content)
                    if b"\rMSA|" in frame.content:
                        continue
                    number = control_id_of(frame.content)
                    self.got.append(number)
                    if not self.says(line, number, self.got.count(number)):
                        line.close()
                        self.hung_up += 1
                        return


@pytest.fixture
def database(one_database: Database) -> Database:
    with one_database.writing(SYSTEM, at=AT) as store:
        store.connection.execute(OUTBOX.delete())
        store.connection.execute(INBOX.delete())
    return one_database


def ack(code: str, number: str, text: str = "", asks: str = "") -> bytes:
    return f"MSH|^~\\&|HIS|H1|C|C|20260302||ACK^A31|{code}{number}|P|2.4|||{asks}|NE\rMSA|{code}|{number}|{text}\r".encode()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def begin(says: Says, **more: Any) -> Listener:
        made.append(Listener(says, **more))
        return made[-1]

    yield begin
    for one in made:
        one.close()


@pytest.fixture
def hire(database: Database) -> Iterator[Callable[..., Courier]]:
    hired: list[Courier] = []

    def courier(peer: Listener, **more: Any) -> Courier:
        hired.append(Courier(database, replace(Destination("h1", "127.0.0.1", peer.port, 5.0), **more), lambda: 0.5))
        return hired[-1]

    yield courier
    for one in hired:
        one.stop()


def reasons(database: Database) -> list[str]:
    with database.reading(SYSTEM, at=AT) as store:
        return [row.error or "" for row in store.connection.execute(OUTBOX.select().order_by(OUTBOX.c.id))]


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def out(raw: bytes) -> Says:
    """Answers always with these bytes (``#`` stands for the control id), unframed as they are."""
    return lambda line, number, times: line.sendall(raw.replace(b"#", number.encode())) is None


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (lambda line, number, times: True, "did not answer within 0.4 s"),
        (lambda line, number, times: False, "hung up before it had answered"),
        (lambda line, number, times: bool(line.sendall(wrap(ack("AA", number))[:30])), "in the midst of its answer"),
        (out(wrap(ack("AA", "ANOTHER"))), "belongs to another message"),
        (out(wrap(ack("AA", "b1"))), "belongs to another message"),
        (out(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1c\r"), "no framed answer"),
        (out(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "no framed answer (junk): the peer did not answer within 0.4 s"),
        (lambda line, number, times: bool(line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")), "(junk): the peer hung up before"),
        (out(wrap(b"\xff\xfe\x00garbage")), "belongs to another message"),
    ],
    ids=[
        "silent",
        "hangs up",
        "half an answer",
        "wrong number",
        "number of one not sent",
        "speaks HTTP",
        "HTTP without end",
        "HTTP, hangs up",
        "garbage in a frame",
    ],
)
def test_whatever_is_no_answer_keeps_the_message_and_says_why(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier], says: Says, why: str
) -> None:
    peer = listen(says)
    leave(database, ("A", "a1"), ("A", "a2"), ("B", "b1"))
    began = time.monotonic()
    hire(peer, seconds=0.4).round(AT)
    assert time.monotonic() - began < 5
    assert peer.got == ["a1"]
    assert states(database) == {"a1": "due", "a2": "due", "b1": "due"}
    assert why in reasons(database)[0]
    with database.reading(SYSTEM, at=AT) as store:
        [line] = standings(store, Shelf([], None))
        assert why in line.out_last
        assert line.out_waiting == 3
        assert [one.error for one in outbox_desk.stuck(store, 10)] == reasons(database)[:1], "the one that holds the line up is listed"
    peer.says = lambda line, number, times: line.sendall(wrap(ack("AA", number))) is None
    courier = hire(peer)
    for minutes in (5, 10, 15):
        courier.round(AT + timedelta(minutes=minutes))
    assert set(states(database).values()) == {"done"}
    assert [number for number in peer.got if number.startswith("a")] == ["a1", "a1", "a2"]


def test_a_message_to_which_alone_there_is_no_answer_holds_up_nobody_and_lands_with_the_operator(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]
) -> None:
    peer = listen(lambda line, number, times: number != "a1" and line.sendall(wrap(ack("AA", number))) is None)
    leave(database, ("A", "a1"), ("A", "a2"), *((f"P{n}", f"p{n}") for n in range(5)))
    courier = hire(peer, seconds=0.4)
    courier.round(AT)
    courier.round(AT + timedelta(seconds=20))
    told = states(database)
    assert [told[f"p{n}"] for n in range(5)] == ["done"] * 5
    assert (told["a1"], told["a2"]) == ("due", "due"), "the person's order"
    at = AT
    while states(database)["a2"] == "due":
        at += timedelta(minutes=20)
        courier.round(at)
    assert states(database)["a1"] == "dead"
    assert "though it answered others" in reasons(database)[0]
    assert peer.got.count("a1") == 10
    assert states(database)["a2"] == "done"


def test_an_operator_lets_the_line_go_on(database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]) -> None:
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("AE" if number == "a1" else "AA", number, "no such ward"))) is None)
    leave(database, ("A", "a1"), ("A", "a2"))
    courier = hire(peer)
    courier.round(AT)
    with database.writing(SYSTEM, at=AT) as store:
        [held] = outbox_desk.stuck(store, 10)
        assert held.error == "AE no such ward"
        outbox_desk.close(store, held.id, "told by telephone")
    courier.round(AT + timedelta(seconds=1))
    assert states(database) == {"a1": "closed", "a2": "done"}


def test_an_end_without_its_cr_is_an_answer(database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]) -> None:
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("AA", number))[:-1]) is None)
    leave(database, ("A", "a1"), ("B", "b1"))
    hire(peer).round(AT)
    assert set(states(database).values()) == {"done"}


def test_a_trickle_is_no_answer_either(database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]) -> None:
    def trickles(line: socket.socket, number: str, times: int) -> bool:
        for byte in wrap(ack("AA", number)):
            line.sendall(bytes([byte]))
            time.sleep(0.05)
        return True

    leave(database, ("A", "a1"))
    began = time.monotonic()
    hire(listen(trickles), seconds=0.4).round(AT)
    assert time.monotonic() - began < 2.5, "however busy the line, a message has its time"
    assert states(database) == {"a1": "due"}


def test_a_peer_that_never_reads_costs_one_time_out(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]
) -> None:
    peer = listen(lambda *_: True, reads=False)
    with database.writing(SYSTEM, at=AT) as store:
        send_later(store, "h1", "A", f"MSH|^~\\&|C|C|HIS|H1|20260302||MDM^T02|big|P|2.4\rOBX|1|ED|||{'x' * 8_000_000}\r")
    began = time.monotonic()
    hire(peer, seconds=0.4).round(AT)
    assert time.monotonic() - began < 10
    assert "did not answer" in reasons(database)[0]


def test_a_peer_that_hangs_up_after_each_answer_is_not_kept_waiting(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]
) -> None:
    def once(line: socket.socket, number: str, times: int) -> bool:
        line.sendall(wrap(ack("AA", number)))
        return False

    peer = listen(once)
    courier = hire(peer)
    for n in range(4):
        leave(database, ("A", f"a{n}"))
        courier.round(AT + timedelta(seconds=n))
        until(lambda done=n + 1: peer.hung_up == done)
    assert peer.got == ["a0", "a1", "a2", "a3"], "none of them twice"
    assert set(states(database).values()) == {"done"}


def test_two_answers_to_one_message_do_not_shift_those_of_the_next(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]
) -> None:
    peer = listen(lambda line, number, times: line.sendall(2 * wrap(ack("AA", number))) is None)
    leave(database, *(("A", f"a{n}") for n in range(5)))
    courier = hire(peer)
    while courier.round(AT):
        pass
    assert peer.got == [f"a{n}" for n in range(5)], "each went out once"
    assert len(peer.lines) == 1


def test_taken_back_after_it_was_accepted_is_seen(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]
) -> None:
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("AA", number)) + wrap(ack("AE", number, "no bed"))) is None)
    leave(database, ("A", "a1"))
    courier = hire(peer)
    courier.round(AT)
    until(lambda: bool(courier.round(AT)) or states(database)["a1"] == "refused")
    assert reasons(database) == ["AE no bed (after it had been accepted)"]


def test_a_certificate_that_has_changed_is_told_and_mended_without_a_restart(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier], tmp_path: Path
) -> None:
    old, new = trustme.CA(), trustme.CA()
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    new.issue_cert("127.0.0.1").configure_cert(theirs)
    trusted = tmp_path / "ca.pem"
    old.cert_pem.write_to_path(str(trusted))
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("AA", number))) is None, tls=theirs)
    leave(database, ("A", "a1"))
    courier = hire(peer, tls=True, ca=str(trusted))
    courier.round(AT)
    assert "certificate is not accepted" in reasons(database)[0]
    assert peer.got == [], "nothing went out"
    new.cert_pem.write_to_path(str(trusted))
    courier.round(AT + timedelta(minutes=1))
    assert states(database) == {"a1": "done"}


ENHANCED = {"ack": AckMode.ENHANCED}


def later(code: str, asks: str = "") -> Says:
    return lambda line, number, times: line.sendall(wrap(ack("CA", number)) + wrap(ack(code, number, "ward closed", asks))) is None


@pytest.mark.parametrize(("code", "state"), [("AA", "done"), ("AR", "refused"), ("AE", "due")])
def test_the_application_answer_on_the_same_line_decides(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier], code: str, state: str
) -> None:
    peer = listen(later(code, "AL"))
    leave(database, ("A", "a1"))
    courier = hire(peer, **ENHANCED)
    courier.round(AT)
    until(lambda: bool(courier.round(AT)) or states(database)["a1"] == state)
    assert reasons(database) == ([""] if state == "done" else [f"{code} ward closed"])
    until(lambda: any(b"MSA|CA|" + code.encode() + b"a1" in one for one in peer.heard))


def test_what_cannot_be_noted_when_it_comes_is_noted_later(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = listen(later("AA"))
    leave(database, ("A", "a1"))
    courier = hire(peer, **ENHANCED)
    courier.round(AT)
    written = database.writing

    def locked(*_: object, **__: object) -> NoReturn:
        raise Unavailable("another process keeps the database locked")

    def heard() -> bool:
        with suppress(Unavailable):
            courier.round(AT)
            return False
        return True

    with monkeypatch.context() as patched:
        patched.setattr(database, "writing", locked)
        until(heard)
    assert database.writing == written
    courier.round(AT)
    assert states(database) == {"a1": "done"}


def test_until_then_the_message_is_open_and_the_persons_next_one_waits(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier]
) -> None:
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("CA", number))) is None)
    leave(database, ("A", "a1"), ("A", "a2"), ("B", "b1"))
    courier = hire(peer, **ENHANCED)
    while courier.round(AT):
        pass
    assert states(database) == {"a1": "taken", "a2": "due", "b1": "taken"}
    with database.reading(SYSTEM, at=AT) as store:
        assert standings(store, Shelf([], None))[0].out_last == "CA; waits for the application answer"
    while courier.round(AT + timedelta(minutes=61)):
        pass
    assert states(database) == {"a1": "dead", "a2": "taken", "b1": "dead"}
    assert reasons(database)[0] == "CA, but no application answer within 60 minutes"


@pytest.mark.parametrize(("wanted", "at_once", "in_the_end"), [("NE", "done", "done"), ("ER", "taken", "done"), ("SU", "taken", "dead")])
def test_as_msh_16_asks(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier], wanted: str, at_once: str, in_the_end: str
) -> None:
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("CA", number))) is None)
    leave(database, ("A", "a1"))
    courier = hire(peer, **ENHANCED, application_answer=wanted)
    courier.round(AT)
    assert states(database) == {"a1": at_once}
    courier.round(AT + timedelta(hours=2))
    assert states(database) == {"a1": in_the_end}


@pytest.mark.parametrize(("code", "state"), [("AA", "done"), ("AR", "refused")])
def test_the_application_answer_by_the_hospitals_own_line(
    database: Database, listen: Callable[..., Listener], hire: Callable[..., Courier], code: str, state: str
) -> None:
    peer = listen(lambda line, number, times: line.sendall(wrap(ack("CA", number))) is None)
    leave(database, ("A", "a1"), ("B", "b1"))
    courier = hire(peer, **ENHANCED)
    courier.round(AT)
    link = replace(
        load("default"), name="h1", hospital="h1", match=Match(sending_facility="H1"), send=courier.destination, ack=AckMode.ENHANCED
    )
    said = speak(database, link, ack(code, "a1", "as it is", "AL"), ack(code, "a1", "as it is", "AL"), ack("AA", "unknown"))
    assert [one.split(b"\r")[1][:6] for one in said] == [b"MSA|CA"] * 3
    assert states(database) == {"a1": state, "b1": "taken"}


def speak(database: Database, link: Profile, *messages: bytes) -> list[bytes]:
    inbox = Inbox(database, Shelf([link], None))
    inbox.start()
    try:
        said = [inbox.take_now(one, "127.0.0.1:2575", "127.0.0.1") for one in messages]
    finally:
        inbox.stop()
    Worker(database, inbox.shelf, "test").drain()
    return said


def test_what_we_send_asks_for_what_the_profile_says() -> None:
    assert Destination("h1", "127.0.0.1", 1, ack=AckMode.ENHANCED, application_answer="ER").asks == ("AL", "ER")
    assert Destination("h1", "127.0.0.1", 1).asks == ("", "")
