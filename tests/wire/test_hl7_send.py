"""``healthsvc hl7 send``: long files, archives, and where it stops and goes on when nobody answers."""

import json
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from peer import Peer
from ports import free_port

from healthsvc.errors import Invalid
from healthsvc.main import app
from integrations import sending
from integrations.sending import send

LINE = "MSH|^~\\&|HIS|H1|C|C|20260302||ADT^A31|{id}|P|2.4\rPID|1||C1^^^^IDCard||x\r"


def messages(*ids: str) -> bytes:
    return "".join(LINE.format(id=id) for id in ids).encode()


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(sys, "argv", ["healthsvc", *words])
    with pytest.raises(SystemExit) as end:
        app()
    return end.value.code


@pytest.fixture
def peer() -> Iterator[Peer]:
    there = Peer(lambda id, times: None if id == "M3" and times == 1 else "AA")
    yield there
    there.close()


def test_it_stops_where_no_answer_comes_and_goes_on_from_there(
    tmp_path: Path, peer: Peer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.hl7").write_bytes(messages("M1", "M2"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("in/b.hl7", messages("M3", "M4"))
    command = ["hl7", "send", str(tmp_path / "a.hl7"), str(tmp_path / "b.zip"), "--to", f"127.0.0.1:{peer.port}"]
    assert run(command, monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out.splitlines() == ["a.hl7 #1: AA M1", "a.hl7 #2: AA M2"]
    assert "message 3 (b.zip/in/b.hl7 #1) has no answer: the peer hung up" in told.err
    assert "Go on with --from 3" in told.err
    assert peer.got == ["M1", "M2", "M3"], "the rest is not tried"
    assert run([*command, "--from", "3", "--json"], monkeypatch) == 0
    told = capsys.readouterr()
    assert [(one["number"], one["control_id"], one["code"]) for one in json.loads(told.out)] == [(3, "M3", "AA"), (4, "M4", "AA")]
    assert told.err.strip() == "2 messages answered, 0 not accepted"
    assert peer.got[3:] == ["M3", "M4"]


def test_nobody_listens_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    (tmp_path / "a.hl7").write_bytes(messages("M1", "M2", "M3"))
    assert run(["hl7", "send", str(tmp_path / "a.hl7"), "--to", f"127.0.0.1:{port}"], monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("cannot be reached") == 1
    assert "--from 1" in told.err


def test_what_cannot_be_read_and_a_number_beyond_the_end_are_told(tmp_path: Path, peer: Peer) -> None:
    (tmp_path / "a.hl7").write_bytes(messages("M1"))
    (tmp_path / "b.rar").write_bytes(b"Rar!")
    with pytest.raises(Invalid, match=r"b.rar: .*cannot be opened here.*up to message 1"):
        list(send([tmp_path / "a.hl7", tmp_path / "b.rar"], "127.0.0.1", peer.port))
    with pytest.raises(Invalid, match="there are only 1 messages"):
        list(send([tmp_path / "a.hl7"], "127.0.0.1", peer.port, first=2))


def test_a_long_file_needs_no_memory(tmp_path: Path, peer: Peer) -> None:
    """Thirty messages of a megabyte, of which the last two are sent: no more than some of them are ever held."""
    long = LINE.format(id="L").encode() + b"OBX|1|ED|D||" + b"A" * (1 << 20) + b"\r"
    with (tmp_path / "long.hl7").open("wb") as out:
        for _ in range(30):
            out.write(long)
    tracemalloc.start()
    try:
        sent = list(send([tmp_path / "long.hl7"], "127.0.0.1", peer.port, first=29))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [(one.number, one.code) for one in sent] == [(29, "AA"), (30, "AA")]
    assert most < 16 << 20


def asking(id: str, accept: str) -> bytes:
    return LINE.format(id=id).replace("|P|2.4", f"|P|2.4|||{accept}|NE").encode()


def test_a_message_that_asks_for_no_answer_is_sent_and_the_next_one_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As our own listener on an enhanced link: silent where MSH-15 asks for silence, and by no means dead."""
    monkeypatch.setattr(sending, "QUIET_SECONDS", 0.2)
    there = Peer(lambda id, _: "" if id.startswith("N") else "AE M9" if id == "X" else "AA")
    words = [asking("N1", "NE"), asking("N2", "NE"), asking("E1", "ER"), messages("M1"), asking("N3", "NE")]
    (tmp_path / "a.hl7").write_bytes(b"".join(words))
    try:
        assert run(["hl7", "send", str(tmp_path / "a.hl7"), "--to", f"127.0.0.1:{there.port}"], monkeypatch) == 0
    finally:
        there.close()
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "a.hl7 #1: sent N1 no answer was asked for (MSH-15 NE)",
        "a.hl7 #2: sent N2 no answer was asked for (MSH-15 NE)",
        "a.hl7 #3: sent E1 no answer was asked for (MSH-15 ER: only on error)",
        "a.hl7 #3: AA E1",
        "a.hl7 #4: AA M1",
        "a.hl7 #5: sent N3 no answer was asked for (MSH-15 NE)",
    ]
    assert told.err.strip() == "2 messages answered, 0 not accepted, 3 sent without an answer, as they asked"
    assert there.got == ["N1", "N2", "E1", "M1", "N3"]


def test_an_unasked_answer_that_refuses_counts_and_a_dead_listener_is_still_found_dead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Peer(lambda id, _: None if id == "D1" else "AE")
    (tmp_path / "a.hl7").write_bytes(asking("M1", "NE") + asking("D1", "NE") + asking("M2", "NE"))
    try:
        assert run(["hl7", "send", str(tmp_path / "a.hl7"), "--to", f"127.0.0.1:{there.port}"], monkeypatch) == 2
    finally:
        there.close()
    told = capsys.readouterr()
    assert told.out.splitlines() == ["a.hl7 #1: AE M1"]
    assert "message 2 (a.hl7 #2) has no answer: the peer hung up" in told.err
