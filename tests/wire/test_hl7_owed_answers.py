"""Enhanced mode inbound, over sockets: CA at once, then the application answer that MSH-16 asks for, durable and once."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from peer import Peer

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from healthsvc.store.outbox import OUTBOX
from integrations.feeds import Feeds
from integrations.hl7v2.ack import AckMode
from integrations.hospitals.destination import Destination
from integrations.hospitals.profile import Match, Profile, Unknown
from integrations.hospitals.shelf import Shelf, load
from integrations.keep import INBOX
from integrations.mllp.framing import Frame, FrameReader, wrap
from integrations.outbox import Courier
from integrations.worker import Worker

LINK = replace(
    load("default"), name="h1", hospital="h1", match=Match(sending_facility="H1"), ack=AckMode.ENHANCED, unknown_person=Unknown.REGISTER
)
PID = "PID|1||C1^^^^IDCard||测试甲||19300101|M\r"


@pytest.fixture
def database(one_database: Database) -> Database:
    with one_database.writing(SYSTEM, at=clock.utc_now()) as store:
        store.connection.execute(OUTBOX.delete())
        store.connection.execute(INBOX.delete())
    return one_database


class Line:
    """A hospital's open line to us."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self.reader, self.frames = FrameReader(), list[bytes]()

    def close(self) -> None:
        self.socket.close()

    def send(self, id: str, wanted: str, event: str = "ADT^A28", pid: str = PID, accept: str | None = None) -> None:
        asked = f"AL|{wanted}" if accept is None else accept
        head = f"MSH|^~\\&|HIS|H1|C|C|20260302090000||{event}|{id}|P|2.5|||{asked}\rEVN||20260302090000\r"
        self.socket.sendall(wrap((head + pid).encode()))

    def next(self, seconds: float = 5.0) -> str | None:
        self.socket.settimeout(seconds)
        while not self.frames:
            try:
                received = self.socket.recv(65536)
            except TimeoutError:
                return None
            assert received
            self.frames += [each.content for each in self.reader.feed(received) if isinstance(each, Frame)]
        return self.frames.pop(0).decode()


def msa(text: str | None) -> list[str]:
    assert text is not None
    return text.split("\r")[1].split("|")[1:]


@pytest.fixture
def serve(database: Database) -> Callable[[Profile], object]:
    @contextmanager
    def open_line(link: Profile) -> Iterator[tuple[Feeds, Worker]]:
        feeds = Feeds(database, Shelf([link], None), "127.0.0.1", 0)
        feeds.start()
        try:
            yield feeds, Worker(database, feeds.inbox.shelf, "test")
        finally:
            feeds.stop(1)

    return open_line


def test_the_application_answer_comes_on_the_same_line_once(database: Database, serve: Callable[..., object]) -> None:
    with serve(LINK) as (feeds, worker), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("M1", "AL")
        assert msa(line.next())[:2] == ["CA", "M1"]
        assert line.next(0.2) is None, "not before it has had its effect"
        worker.drain()
        told = line.next()
        assert msa(told)[:2] == ["AA", "M1"]
        assert told is not None
        assert told.split("\r")[0].split("|")[14:16] == ["NE", "NE"]
        line.send("M1", "AL")
        assert msa(line.next())[:2] == ["CA", "M1"], "repeated: its old answer"
        worker.drain()
        assert line.next() == told, "and the very answer that it had before, which its sender may never have got"
        assert line.next(0.7) is None, "and no second effect, so no further word on it"


@pytest.mark.parametrize("unsaid", ["|", '""|""', '|""'])
def test_what_asks_for_no_answer_is_of_original_mode(database: Database, serve: Callable[..., object], unsaid: str) -> None:
    """HL7 v2.5.1 2.9: MSH-15 and MSH-16 both omitted or null; the link may have it otherwise."""
    with serve(LINK) as (feeds, worker), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        for times in range(2):
            line.send("M1", "", accept=unsaid)
            assert msa(line.next())[:2] == ["AA", "M1"]
            assert worker.drain() == 1 - times
        line.send("M2", "", "ADT^A40", "MRG|1\r", accept=unsaid)
        assert msa(line.next())[:2] == ["AE", "M2"]
        assert line.next(0.7) is None, "and nothing later"
    with serve(replace(LINK, ack_unasked=AckMode.ENHANCED)) as (feeds, _), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("M3", "", accept=unsaid)
        assert msa(line.next())[:2] == ["CA", "M3"]
        line.send("M4", "", accept=unsaid)
        assert msa(line.next())[:2] == ["CA", "M4"], "also of a sender that is known by now"


@pytest.mark.parametrize(
    ("wanted", "good", "bad"), [("NE", None, None), ("", None, None), ("ER", None, "AE"), ("SU", "AA", None), ("AL", "AA", "AE")]
)
def test_as_msh_16_asks(database: Database, serve: Callable[..., object], wanted: str, good: str | None, bad: str | None) -> None:
    with serve(LINK) as (feeds, worker), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("G", wanted)
        line.send("B", wanted, "ADT^A40", "PID|1||C1^^^^IDCard||测试甲\rMRG|\r")
        assert [msa(line.next())[0] for _ in range(2)] == ["CA", "CA"]
        worker.drain()
        with database.reading(SYSTEM, at=clock.utc_now()) as store:
            left = store.connection.execute(OUTBOX.select()).all()
        expected = [one for one in ((good, "G"), (bad, "B")) if one[0]]
        assert len(left) == len(expected)
        assert [tuple(msa(line.next())[:2]) for _ in expected] == expected


def test_it_waits_on_disk_until_the_hospital_has_a_line_again(database: Database, serve: Callable[..., object]) -> None:
    with serve(LINK) as (feeds, worker), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("M1", "AL")
        assert msa(line.next())[0] == "CA"
    worker.drain()
    with serve(LINK) as (feeds, worker), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("M2", "NE")
        assert sorted(tuple(msa(line.next())[:2]) for _ in range(2)) == [("AA", "M1"), ("CA", "M2")]


def test_where_we_have_a_line_to_the_hospital_it_goes_there_and_its_ca_ends_it(
    database: Database, serve: Callable[..., object], tmp_path: Path
) -> None:
    peer = Peer(lambda control_id, times: "CA")
    link = replace(LINK, send=Destination("h1", "127.0.0.1", peer.port, 2.0, ack=AckMode.ENHANCED))
    with serve(link) as (feeds, worker), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("M1", "AL")
        assert msa(line.next())[0] == "CA"
        worker.drain()
        courier = Courier(database, link.send, lambda: 0.5)  # type: ignore[arg-type]
        while courier.round(clock.utc_now()):
            pass
        courier.stop()
        assert line.next(0.2) is None
    peer.close()
    [raw] = peer.raw
    assert raw.decode().split("\r")[0].split("|")[14:16] == ["AL", "NE"]
    assert msa(raw.decode())[:2] == ["AA", "M1"]
    with database.reading(SYSTEM, at=clock.utc_now()) as store:
        assert [row.state for row in store.connection.execute(OUTBOX.select())] == ["done"]


def test_what_needs_no_worker_is_answered_too(database: Database, serve: Callable[..., object]) -> None:
    with serve(LINK) as (feeds, _), closing(Line(feeds.port)) as line:  # type: ignore[attr-defined]
        line.send("U1", "AL", "ADT^Z99")
        assert sorted(tuple(msa(line.next())[:2]) for _ in range(2)) == [("AA", "U1"), ("CA", "U1")]
