"""What arrives is on disk before it is acknowledged, once, whatever is repeated, refused, or killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import create_connection

import pytest
import time_machine
from sqlalchemy import select

from healthsvc import clock
from healthsvc.errors import Invalid
from healthsvc.store import SYSTEM, Database
from healthsvc.store.anteroom import carry_over
from healthsvc.store.inbox_rows import raw_of
from healthsvc.store.journals import carry_left
from healthsvc.store.sealing import keys
from healthsvc.store.sealing.sealer import MARK
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.replies import read_reply
from integrations.hospitals.shelf import Shelf, load, read, shelf
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.mllp.framing import Frame, FrameReader, wrap
from integrations.operating.desk import Desk

LOOP, PEER = "127.0.0.1:2575", "127.0.0.1"


def adt(control_id: str = "1", name: str = "测试甲", event: str = "ADT^A31", msh: str = "") -> str:
    header = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||{event}|{control_id}|P|2.4{msh}\r"
    return f"{header}EVN||20260105170124\rPID|1||C1^^^^IDCard||{name}||19300101|M\r"


@pytest.fixture
def inbox(database: Database) -> Iterator[Inbox]:
    opened = Inbox(database, shelf())
    opened.start()
    yield opened
    opened.stop()


def rows(inbox: Inbox) -> list[object]:
    with inbox.database.reading(SYSTEM, at=clock.now()) as store:
        return list(store.connection.execute(INBOX.select().order_by(INBOX.c.id)))


def take(inbox: Inbox, text: str | bytes) -> Message:
    raw = text if isinstance(text, bytes) else text.encode()
    return Message(inbox.take_now(raw, LOOP, PEER).decode("utf-8"))


def test_the_raw_bytes_are_kept_with_link_and_peer(inbox: Inbox) -> None:
    raw = adt(name="测试甲").encode("gb18030")
    assert take(inbox, raw)["MSA"][1].text == "AA"
    [row] = rows(inbox)
    assert raw not in row.raw  # type: ignore[attr-defined]
    with inbox.database.reading(SYSTEM, at=clock.now()) as store:
        assert raw_of(store.connection, store.sealer, row.id) == raw  # type: ignore[attr-defined]
    assert (row.link, row.peer, row.listen, row.state) == ("default", PEER, LOOP, "pending")  # type: ignore[attr-defined]


def test_a_new_key_seals_what_comes_next(inbox: Inbox) -> None:
    folder = inbox.database.sealer.folder
    assert folder is not None
    kid = bytes.fromhex(keys.rotate(folder))
    take(inbox, adt())
    with inbox.database.engine.connect() as connection:
        assert connection.execute(select(INBOX.c.raw)).scalar_one().startswith(MARK + kid)


def test_processes_that_start_in_one_moment_give_no_two_answers_one_control_id(database: Database) -> None:
    with time_machine.travel("2026-11-20T08:00:00+08:00", tick=False):
        numbers = [Inbox(database, shelf())._number() for _ in range(3)]
    assert len(set(numbers)) == 3
    assert all(len(number) + 9 <= 20 for number in numbers), "MSH-10 of HL7 v2.4, after a thousand million messages"


def test_the_same_message_gets_the_same_answer_and_is_stored_once(inbox: Inbox) -> None:
    first = inbox.take_now(adt().encode(), LOOP, PEER)
    assert inbox.take_now(adt().encode(), LOOP, PEER) == first
    assert len(rows(inbox)) == 1


def test_the_same_message_at_the_same_time_on_many_lines_is_stored_once(inbox: Inbox) -> None:
    told: list[bytes] = []
    threads = [threading.Thread(target=lambda: told.append(inbox.take_now(adt().encode(), LOOP, PEER))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(told)) == 1
    assert len(rows(inbox)) == 1


def test_a_reused_id_with_other_content_is_taken_and_marked(inbox: Inbox) -> None:
    take(inbox, adt())
    assert take(inbox, adt(name="测试乙"))["MSA"][1].text == "AA"
    assert [row.reused for row in rows(inbox)] == [False, True]  # type: ignore[attr-defined]


def test_undecodable_is_quarantined_and_answered_ae_and_taken_once_the_link_is_mended(inbox: Inbox, tmp_path: Path) -> None:
    raw = adt(name="Müller").encode("latin-1")
    assert take(inbox, raw)["MSA"][1].text == "AE"
    [row] = rows(inbox)
    with inbox.database.reading(SYSTEM, at=clock.now()) as store:
        assert raw_of(store.connection, store.sealer, row.id) == raw  # type: ignore[attr-defined]
    assert (row.state, row.reason) == ("quarantine", "charset")  # type: ignore[attr-defined]
    site = tmp_path / "west.toml"
    site.write_text('extends = "default"\nprofile = "default"\nversion = 2\ntitle = "x"\nhospital = "h"\ncharset = "8859/1"\n')
    inbox.shelf = Shelf([], read(site))
    assert take(inbox, raw)["MSA"][1].text == "AA"
    [row] = rows(inbox)
    assert row.state == "pending"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        (adt(control_id=""), "AR", "no-id"),
        (adt(event=""), "AR", "no-type"),
        (adt().split("PID")[0], "AE", "segment-missing"),
        (adt(event="ADT^A40"), "AE", "segment-missing"),
    ],
)
def test_what_cannot_be_dealt_with_is_kept_and_refused_with_its_reason(inbox: Inbox, text: str, code: str, reason: str) -> None:
    answer = take(inbox, text)
    assert answer["MSA"][1].text == code
    assert answer["MSA"][3].text
    assert rows(inbox)[0].reason == reason  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["^^\\&", "^", "^~\\&#+", "fake", "^~\\ "])
def test_encoding_characters_that_cannot_cut_are_refused_kept_and_can_be_put_right(inbox: Inbox, encoding: str) -> None:
    raw = adt().replace("^~\\&", encoding)
    answer = take(inbox, raw)
    assert (answer["MSA"][1].text, answer["MSA"][2].text) == ("AR", "1")
    assert answer["MSH"][2].raw == "^~\\&", "the answer can be cut"
    [row] = rows(inbox)
    assert (row.state, row.reason, row.place) == ("quarantine", "delimiters", "MSH-2")  # type: ignore[attr-defined]
    with inbox.database.writing(SYSTEM, at=clock.now()) as store:
        desk = Desk(inbox.shelf)
        assert [(one.state, one.reason, one.place) for one in desk.letters(store, 10)] == [("quarantine", "delimiters", "MSH-2")]
        with pytest.raises(Invalid, match="these cannot be"), store.savepoint():
            desk.edit(store, row.id, [("MSH-2", "^^\\&")], "still wrong")  # type: ignore[attr-defined]
        desk.edit(store, row.id, [("MSH-2", "^~\\&")], "their engine lost a character")  # type: ignore[attr-defined]
    assert [row.state for row in rows(inbox)] == ["replaced", "pending"]  # type: ignore[attr-defined]


def test_a_backslash_that_was_escaped_once_too_often_is_read_as_meant(inbox: Inbox) -> None:
    text = adt().replace("^~\\&", "^~\\\\&").replace("C1^^^^IDCard", "C1^^^H&PATID^IDCard")
    assert take(inbox, text)["MSA"][1].text == "AA"
    assert Message(text)["PID"][3].component(4).subcomponent(2).text == "PATID"
    assert Message(text).encode() == text


def test_what_is_no_hl7_at_all_is_kept_without_an_answer(inbox: Inbox) -> None:
    assert inbox.take_now(b"hello", LOOP, PEER) == b""
    assert rows(inbox)[0].state == "quarantine"  # type: ignore[attr-defined]


def test_unknown_events_by_policy_of_the_link(inbox: Inbox, tmp_path: Path) -> None:
    assert take(inbox, adt(event="ADT^ZP9"))["MSA"][1].text == "AA"
    assert rows(inbox)[0].state == "ignored"  # type: ignore[attr-defined]
    site = tmp_path / "strict.toml"
    site.write_text('extends = "default"\nprofile = "strict"\nversion = 1\ntitle = "x"\nhospital = "h"\nunknown_event = "AR"\n')
    inbox.shelf = Shelf([read(site)], load("default"))
    assert take(inbox, adt(control_id="2", event="ADT^ZP9"))["MSA"][1].text == "AR"


def test_a_missing_segment_is_taken_to_the_review_list_where_the_link_says_so(inbox: Inbox, tmp_path: Path) -> None:
    site = tmp_path / "lenient.toml"
    site.write_text(
        'extends = "default"\nprofile = "lenient"\nversion = 1\ntitle = "x"\nhospital = "h"\n'
        'missing_segment = "review"\ncontrol_id = "optional"\n'
    )
    inbox.shelf = Shelf([read(site)], load("default"))
    for control_id in ("1", "1", ""):  # the same again is the same message; one without a number is known by its content
        assert take(inbox, adt(control_id=control_id).split("PID")[0])["MSA"][1].text == "AA"
    kept = [(row.state, row.reason, row.place, row.code) for row in rows(inbox)]  # type: ignore[attr-defined]
    assert kept == [("review", "segment-missing", "PID", "AA")] * 2
    assert take(inbox, adt(control_id="2"))["MSA"][1].text == "AA"
    assert rows(inbox)[-1].state == "pending"  # type: ignore[attr-defined]
    site.write_text(site.read_text().replace('"review"', '"perhaps"'))
    with pytest.raises(Invalid, match="missing_segment"):
        read(site)


def test_an_unknown_sender_on_an_outside_address_is_refused(inbox: Inbox) -> None:
    answer = Message(inbox.take_now(adt().encode(), "10.0.0.5:2575", "10.0.0.9").decode())
    assert (answer["MSA"][1].text, answer["MSA"][2].text) == ("AR", "1")


@pytest.mark.parametrize(("asked", "code"), [("AL|AL", "CE"), ("ER|NE", "CE"), ("|", "AE"), ("SU|NE", ""), ("NE|NE", "")])
def test_the_undecodable_is_answered_in_the_mode_of_its_link(inbox: Inbox, tmp_path: Path, asked: str, code: str) -> None:
    site = tmp_path / "enhanced.toml"
    site.write_text('extends = "default"\nprofile = "enhanced"\nversion = 1\ntitle = "x"\nhospital = "h"\nack = "enhanced"\n')
    inbox.shelf = Shelf([], read(site))
    answer = inbox.take_now(adt(name="Müller", msh=f"|||{asked}").encode("latin-1"), LOOP, PEER)
    assert (Message(answer.decode())["MSA"][1].text if answer else "") == code
    [row] = rows(inbox)
    assert (row.state, row.reason, row.link) == ("quarantine", "charset", "enhanced")  # type: ignore[attr-defined]


def test_enhanced_mode_is_a_switch_of_the_link(inbox: Inbox, tmp_path: Path) -> None:
    assert take(inbox, adt(msh="|||AL|AL|CHN"))["MSA"][1].text == "AA"
    site = tmp_path / "enhanced.toml"
    site.write_text('extends = "default"\nprofile = "enhanced"\nversion = 1\ntitle = "x"\nhospital = "h"\nack = "enhanced"\n')
    inbox.shelf = Shelf([read(site)], load("default"))
    assert take(inbox, adt(control_id="2", msh="|||AL|NE|CHN"))["MSA"][1].text == "CA"
    assert inbox.take_now(adt(control_id="3", msh="|||NE|NE|CHN").encode(), LOOP, PEER) == b""
    assert take(inbox, adt(control_id="4", event="ADT^A40", msh="|||ER|NE|CHN"))["MSA"][1].text == "CE"


def test_a_batch_gives_one_result_for_each_message(inbox: Inbox) -> None:
    batch = "FHS|^~\\&|A\rBHS|^~\\&|A\r" + adt("1") + adt("2", event="ADT^A40") + adt("3") + "BTS|3\rFTS|1\r"
    told = inbox.take_now(batch.encode(), LOOP, PEER).decode()
    assert [line.split("|")[1:3] for line in told.split("\r") if line.startswith("MSA")] == [["AA", "1"], ["AE", "2"], ["AA", "3"]]
    assert told.startswith("BHS|^~\\&\r")
    assert told.endswith("BTS|3\r")
    assert len(rows(inbox)) == 3


def test_two_messages_in_one_frame_are_two_and_each_has_its_answer(inbox: Inbox) -> None:
    told = inbox.take_now((adt("1") + adt("2", event="ADT^A40")).encode(), LOOP, PEER).decode()
    assert [line.split("|")[1:3] for line in told.split("\r") if line.startswith("MSA")] == [["AA", "1"], ["AE", "2"]]
    assert told.startswith("MSH|"), "without an envelope, as they came"
    assert len(rows(inbox)) == 2


CHILD = """
import sys, time
from healthsvc.store import Database
from integrations.feeds import Feeds
from integrations.hospitals.shelf import shelf
from healthsvc.store.journals import LineJournal
database = Database.open(sys.argv[1])
line = Feeds(database, shelf(), "127.0.0.1", 0, journal=LineJournal.take(database) if sys.argv[2] == "journal" else None)
print("port", line.start(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("way", ["journal", "anteroom"])
@pytest.mark.parametrize("after", [0.3, *(pytest.param(n / 25, marks=pytest.mark.long) for n in range(1, 51))])
def test_killed_under_load_nothing_acknowledged_is_lost_and_nothing_is_twice(tmp_path: Path, after: float, way: str) -> None:
    url = f"sqlite:///{tmp_path}/inbox.sqlite"
    words = [sys.executable, "-c", CHILD, url, way]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])
    assert child.stdout is not None
    port = next(int(line.split()[1]) for line in child.stdout if line.startswith("port "))
    acknowledged: list[str] = []
    lock, begun = threading.Lock(), threading.Event()

    def peer(name: int) -> None:
        reader = FrameReader()
        try:
            with closing(create_connection(("127.0.0.1", port), timeout=5)) as line:
                for number in range(100_000):
                    line.sendall(wrap(adt(f"{name}-{number}").encode()))
                    found: list[object] = []
                    while not found:
                        received = line.recv(65536)
                        if not received:
                            return
                        found = list(reader.feed(received))
                    assert isinstance(found[0], Frame)
                    reply = read_reply(found[0].content)
                    if reply.code == "AA":
                        with lock:
                            acknowledged.append(reply.control_id)
                        begun.set()
        except OSError:
            return

    threads = [threading.Thread(target=peer, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    assert begun.wait(60), "on a busy machine the first answer may come after the last moment that is tried"
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    for thread in threads:
        thread.join(10)
    database = Database.open(url)
    carry_over(database)  # what stood in the anteroom in that moment, or in the journal
    carry_left(database)
    assert carry_left(database) == 0
    with database.reading(SYSTEM, at=clock.now()) as store:
        kept = [row.control_id for row in store.connection.execute(INBOX.select())]
    database.close()
    assert acknowledged
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
