"""Real sockets: every fault of the line is survived, every message is answered under its own number, nothing is acknowledged undone."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from healthsvc import clock
from healthsvc.errors import Invalid, Unavailable
from healthsvc.store import SYSTEM, Database
from healthsvc.store.anteroom import carry_over
from healthsvc.store.journals import LineJournal
from integrations import apart, metrics, pulse
from integrations.address import Address
from integrations.doors import open_doors
from integrations.feeds import Feeds
from integrations.hl7v2.replies import belongs, read_reply
from integrations.hospitals.shelf import shelf
from integrations.keep import INBOX
from integrations.mllp import room
from integrations.mllp.client import Client, NoAnswer
from integrations.mllp.framing import Frame, FrameReader, wrap
from integrations.mllp.limits import Limits
from integrations.mllp.state import LineState
from integrations.telling import Heard, Telling

QUICK = Limits(connections=3, message_bytes=50_000, half_frame_seconds=0.4, missing_end_seconds=0.1, unread_seconds=1.0)


def adt(control_id: str, event: str = "A31", extra: str = "") -> bytes:
    header = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^{event}|{control_id}|P|2.4\rEVN||20260105170124\r"
    return f"{header}PID|1||C1^^^^IDCard||测试甲||19300101|M\r{extra}".encode()


@pytest.fixture
def feeds(database: Database) -> Iterator[Feeds]:
    line = Feeds(database, shelf(), "127.0.0.1", 0, limits=QUICK)
    line.start()
    yield line
    line.stop()


@pytest.fixture
def line(feeds: Feeds) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", feeds.port), timeout=5)) as connected:
        yield connected


def answers(line: socket.socket, count: int) -> list[bytes]:
    reader, found = FrameReader(), []
    while len(found) < count:
        received = line.recv(65536)
        if not received:
            break
        found += [each.content for each in reader.feed(received) if isinstance(each, Frame)]
    return found


def stored(database: Database) -> list[str]:
    carry_over(database)
    with database.reading(SYSTEM, at=clock.now()) as store:
        return [row.control_id for row in store.connection.execute(INBOX.select().order_by(INBOX.c.id))]


def test_many_frames_in_one_write_are_answered_in_order(line: socket.socket, database: Database) -> None:
    line.sendall(b"".join(wrap(adt(f"N{n}")) for n in range(50)))
    assert [read_reply(answer).control_id for answer in answers(line, 50)] == [f"N{n}" for n in range(50)]
    assert stored(database) == [f"N{n}" for n in range(50)]


def test_a_frame_byte_by_byte(line: socket.socket) -> None:
    for byte in wrap(adt("SLOW")):
        line.sendall(bytes([byte]))
    assert read_reply(answers(line, 1)[0]).code == "AA"


def test_the_end_without_its_cr(line: socket.socket) -> None:
    line.sendall(b"\x0b" + adt("NOCR") + b"\x1c")
    assert read_reply(answers(line, 1)[0]).control_id == "NOCR"


def test_a_restarted_message_is_answered_once_and_the_half_one_never(line: socket.socket, database: Database) -> None:
    line.sendall(b"\x0b" + adt("HALF")[:60] + wrap(adt("WHOLE")))
    assert [read_reply(answer).control_id for answer in answers(line, 1)] == ["WHOLE"]
    assert stored(database) == ["WHOLE"]


def test_junk_and_empty_frames_between_messages(line: socket.socket) -> None:
    line.sendall(b"GET / HTTP/1.1\r\n\r\n" + wrap(adt("A")) + b"\x0b\x1c\r" + wrap(adt("B")))
    assert [read_reply(answer).control_id for answer in answers(line, 2)] == ["A", "B"]


def test_without_its_start_a_message_is_refused_by_its_own_number(line: socket.socket, database: Database) -> None:
    line.sendall(adt("NOVT") + b"\x1c\r")
    reply = read_reply(answers(line, 1)[0])
    assert (reply.code, reply.control_id) == ("AR", "NOVT")
    assert stored(database) == []


def test_too_long_is_refused_and_the_line_lives_on(line: socket.socket) -> None:
    line.sendall(wrap(adt("BIG", extra="NTE|1||" + "x" * 60_000 + "\r")) + wrap(adt("SMALL")))
    first, second = (read_reply(answer) for answer in answers(line, 2))
    assert (first.code, first.control_id) == ("AR", "BIG")
    assert (second.code, second.control_id) == ("AA", "SMALL")


def test_half_a_frame_and_silence_closes_the_line_without_an_answer(line: socket.socket, database: Database) -> None:
    line.sendall(b"\x0b" + adt("CUT")[:80])
    assert line.recv(100) == b""
    assert stored(database) == []


def test_many_unfinished_messages_take_no_more_memory_than_they_may_together(database: Database) -> None:
    limits = Limits(message_bytes=1 << 20, unfinished_bytes=3 << 20, connections=16)
    feeds = Feeds(database, shelf(), "127.0.0.1", 0, limits=limits)
    feeds.start()
    crowd = [socket.create_connection(("127.0.0.1", feeds.port), timeout=5) for _ in range(8)]
    try:
        for one in crowd:
            with suppress(OSError):  # cut off while it sends
                one.sendall(b"\x0bMSH|" + b"x" * 900_000)
        with Client("127.0.0.1", feeds.port, belongs, seconds=5) as line:
            assert read_reply(line.send(adt("IN_THE_CROWD"))).code == "AA"
        ends = time.monotonic() + 5
        while len(feeds.lines()) > 3 and time.monotonic() < ends:
            time.sleep(0.01)
        assert len(feeds.lines()) == 3, "those who came first may go on"
    finally:
        for one in crowd:
            one.close()
        feeds.stop()


def test_many_unanswered_messages_take_no_more_memory_than_they_may_together_and_small_ones_go_on(database: Database) -> None:
    limits = Limits(message_bytes=1 << 20, unanswered_bytes=3 << 20, connections=16, half_frame_seconds=0.2)
    feeds = Feeds(database, shelf(), "127.0.0.1", 0, limits=limits)
    feeds.start()
    crowd = [socket.create_connection(("127.0.0.1", feeds.port), timeout=10) for _ in range(4)]
    text = "NTE|1||" + "x" * 900_000 + "\r"
    senders = [
        threading.Thread(target=one.sendall, args=[b"".join(wrap(adt(f"{line}-{n}", extra=text)) for n in range(6))])
        for line, one in enumerate(crowd)
    ]
    try:
        with closing(socket.create_connection(("127.0.0.1", feeds.port), timeout=10, source_address=("127.0.0.2", 0))) as small:
            with database.one_writer():
                for one in senders:
                    one.start()
                time.sleep(0.6)
                assert limits.unanswered_bytes < feeds.server.unanswered.total < limits.unanswered_bytes + 4 * limits.message_bytes
                small.sendall(wrap(adt("SMALL")))
                ends = time.monotonic() + 5
                while not (read := any(one.peer == "127.0.0.2" and one.messages for one in feeds.lines())) and time.monotonic() < ends:
                    time.sleep(0.01)
                assert read, "small ones are taken all the same"
            assert read_reply(answers(small, 1)[0]).code == "AA"
        for line, one in enumerate(crowd):
            assert [read_reply(answer).control_id for answer in answers(one, 6)] == [f"{line}-{n}" for n in range(6)]
        assert feeds.server.unanswered.total == 0
    finally:
        for one in crowd:
            one.close()
        for one in senders:
            one.join()
        feeds.stop()
    assert len(stored(database)) == 4 * 6 + 1


def test_the_last_message_before_the_peer_hangs_up_is_answered(line: socket.socket, database: Database) -> None:
    line.sendall(wrap(adt("LAST")))
    line.shutdown(socket.SHUT_WR)
    assert [read_reply(answer).control_id for answer in answers(line, 1)] == ["LAST"]
    assert line.recv(10) == b""


def test_over_the_limit_of_lines_a_new_one_is_closed_at_once(feeds: Feeds) -> None:
    held = [socket.create_connection(("127.0.0.1", feeds.port), timeout=5) for _ in range(3)]
    for one in held:
        one.sendall(wrap(adt("HELD")))
        assert read_reply(answers(one, 1)[0]).code == "AA"
    with closing(socket.create_connection(("127.0.0.1", feeds.port), timeout=5)) as refused, pytest.raises(OSError):  # noqa: PT011, PT012
        if refused.recv(10) == b"":
            raise ConnectionResetError
    for one in held:
        one.sendall(wrap(adt("STILL")))
        assert read_reply(answers(one, 1)[0]).code == "AA"
        one.close()


def test_two_that_accept_from_one_address_keep_its_limits_together_and_each_answers_from_its_own_journal(database: Database) -> None:
    limits = Limits(connections=5, per_peer=4)
    doors = open_doors(Address("127.0.0.1", 0))
    port = doors[0].getsockname()[1]
    with pytest.raises(Unavailable, match="cannot listen"):
        Feeds(database, shelf(), "127.0.0.1", port).start()
    file = room.make(2, limits)
    both = [
        Feeds(
            database, shelf(), "127.0.0.1", port, limits=limits, journal=LineJournal.take(database, half=1 << 16),
            doors=[one.dup() for one in doors], room=room.Room(file, part, 2, limits),
        )
        for part in range(2)
    ]  # fmt: skip
    assert [one.start() for one in both] == [port, port]
    held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(4)]
    for number, one in enumerate(held):
        one.sendall(wrap(adt(f"A{number}")))
        assert read_reply(answers(one, 1)[0]).code == "AA"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as fifth, pytest.raises(OSError):  # noqa: PT011, PT012
        if fifth.recv(10) == b"":
            raise ConnectionResetError
    assert sum(len(one.lines()) for one in both) == 4
    held.pop().close()
    ends = time.monotonic() + 5
    while sum(len(one.lines()) for one in both) == 4 and time.monotonic() < ends:
        time.sleep(0.01)
    held.append(socket.create_connection(("127.0.0.1", port), timeout=5))
    held[-1].sendall(wrap(adt("A4")))
    assert read_reply(answers(held[-1], 1)[0]).code == "AA"
    for one in held:
        one.close()
    both[0].stop()
    room.clear(file, 0, limits)
    with Client("127.0.0.1", port, belongs) as client:
        assert read_reply(client.send(adt("A5"))).code == "AA", "the other goes on"
        assert read_reply(client.send(adt("A5"))).code == "AA"
        both[1].stop()
    for door in doors:
        door.close()
    os.close(file)
    assert sorted(stored(database)) == [f"A{number}" for number in range(6)]


def test_a_process_of_lines_that_is_gone_is_started_as_soon_as_it_can_be_and_what_it_left_is_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "FIRST_PAUSE", 0.02)
    told, carried = tmp_path / "processes", threading.Event()
    script = f"import os, time; open({str(told)!r}, 'a').write(f'{{os.getpid()}} '); print('ready x', flush=True); time.sleep(60)"
    words = [sys.executable, "-c", script]

    class Standing(apart.Apart):
        """Its processes do nothing: what is tried is how they come and go."""

        def _command(self) -> list[str]:
            return words

    lines = Standing(tmp_path, Address("127.0.0.1", 0), 1, Limits(), carried.set)
    lines.start()
    words[0] = str(tmp_path / "nothing")  # as where no process can be started
    os.kill(int(told.read_text()), signal.SIGKILL)
    assert carried.wait(10)
    time.sleep(0.1)
    words[0] = sys.executable
    ends = time.monotonic() + 10
    while len(told.read_text().split()) < 2 and time.monotonic() < ends:
        time.sleep(0.01)
    lines.stop(5)
    first, second = told.read_text().split()
    assert first != second
    assert not Path(f"/proc/{second}").exists()


def test_a_process_of_lines_that_has_come_to_stand_still_is_ended_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(pulse, "WORD_SECONDS", 0.05)
    told, carried = tmp_path / "processes", threading.Event()
    script = (
        f"import os, time; open({str(told)!r}, 'a').write(f'{{os.getpid()}} '); print('ready x', flush=True)\n"
        "while True: print('counted [[], {}, 0]', flush=True); time.sleep(0.01)"
    )

    class Speaking(apart.Apart):
        """Its processes do nothing but say that they live."""

        def _command(self) -> list[str]:
            return [sys.executable, "-c", script]

    lines = Speaking(tmp_path, Address("127.0.0.1", 0), 1, Limits(), carried.set)
    lines.start()
    time.sleep(20 * 0.05)
    first = told.read_text().split()
    assert len(first) == 1, "who speaks is left alone"
    os.kill(int(first[0]), signal.SIGSTOP)
    assert carried.wait(10)
    ends = time.monotonic() + 10
    while len(told.read_text().split()) < 2 and time.monotonic() < ends:
        time.sleep(0.01)
    lines.stop(5)
    assert len(told.read_text().split()) == 2
    assert not Path(f"/proc/{first[0]}").exists()


def test_what_processes_have_counted_is_counted_once_by_the_one_that_started_them(capsys: pytest.CaptureFixture[str]) -> None:
    def total() -> float:
        return metrics.RECEIVED.labels("telling-test", "AA")._value.get()  # type: ignore[no-any-return]

    telling, heard = Telling(lambda: [LineState("127.0.0.1", 0.0)]), Heard()
    telling.tell()
    capsys.readouterr()
    metrics.RECEIVED.labels("telling-test", "AA").inc(3)
    before = total()
    telling.tell()
    word = capsys.readouterr().out
    telling.tell()
    as_before = capsys.readouterr().out
    assert heard.hear(0, word)
    assert heard.hear(1, word)
    assert heard.hear(1, as_before)
    assert total() == before + 6
    assert metrics.CONNECTIONS._value.get() == 2
    heard.gone(1)
    assert metrics.CONNECTIONS._value.get() == 1
    assert not heard.hear(0, "something else\n")


def test_a_peer_that_never_reads_holds_up_nobody(feeds: Feeds) -> None:
    with closing(socket.socket()) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", feeds.port))
        deaf.settimeout(0.2)
        flood = b"".join(wrap(adt(f"D{n}")) for n in range(200))
        try:
            for _ in range(100):
                deaf.sendall(flood)
        except TimeoutError:
            pass
        started = time.monotonic()
        with Client("127.0.0.1", feeds.port, belongs) as client:
            assert read_reply(client.send(adt("OTHER"))).code == "AA"
        assert time.monotonic() - started < 5


def test_stopping_answers_what_has_arrived(database: Database) -> None:
    line = Feeds(database, shelf(), "127.0.0.1", 0)
    line.start()
    with closing(socket.create_connection(("127.0.0.1", line.port), timeout=5)) as peer:
        peer.sendall(b"".join(wrap(adt(f"N{n}")) for n in range(20)))
        first = answers(peer, 1)
        line.stop()
        rest = answers(peer, 19)
    told = [read_reply(answer).control_id for answer in first + rest]
    assert set(told) <= set(stored(database))


def test_an_outside_address_needs_a_named_profile_and_a_taken_port_says_so(database: Database, feeds: Feeds) -> None:
    with pytest.raises(Invalid, match="no link profile allows listening"):
        Feeds(database, shelf(), "0.0.0.0", 0)
    with pytest.raises(Unavailable, match="cannot listen"):
        Feeds(database, shelf(), "127.0.0.1", feeds.port).start()


def test_the_client_takes_no_answer_that_belongs_to_another_message() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def late() -> None:
            for _ in range(2):
                peer, _ = listening.accept()
                with closing(peer):
                    peer.recv(65536)
                    peer.sendall(wrap(b"MSH|^~\\&|||||||ACK|1|P|2.4\rMSA|AA|ANOTHER\r"))
                    peer.settimeout(2)
                    assert peer.recv(10) == b"", "the line is dropped"

        thread = threading.Thread(target=late)
        thread.start()
        with Client("127.0.0.1", listening.getsockname()[1], belongs, seconds=2) as client:
            for _ in range(2):
                with pytest.raises(NoAnswer, match="another message"):
                    client.send(adt("MINE"))
        thread.join(5)
        assert not thread.is_alive()
