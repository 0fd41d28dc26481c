"""What old and careless senders do: the event in EVN-1 alone, blank lines before the header, years of two digits, untrue labels."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from healthsvc import clock
from healthsvc.errors import Malformed
from integrations.arrival import State, receive
from integrations.hl7v2.batch import batch_tail
from integrations.hl7v2.charset import decode
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.families import Family, events
from integrations.hl7v2.maps.events import UNNEEDED
from integrations.hl7v2.values import moment
from integrations.hospitals.shelf import shelf

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 1, 5, 17, 1, tzinfo=clock.zone())
BODY = "PID|||1^^^^PatientNO||测试甲||19300101|M\rPV1||I\r"


@pytest.mark.parametrize("text", ["260105101010", "300101", "930101", "2601051010", "00010101", "99991231"])
def test_a_year_that_nobody_means_is_no_moment(text: str) -> None:
    assert moment(text, ZONE) is None


@pytest.mark.parametrize(("text", "fhir"), [("1930", "1930"), ("193001", "1930-01"), ("18991231", "1899-12-31")])
def test_years_of_four_digits_are_read_as_before(text: str, fhir: str) -> None:
    read = moment(text, ZONE)
    assert read is not None
    assert read.fhir == fhir


def test_the_event_of_an_old_sender_stands_in_evn_and_each_message_has_its_own() -> None:
    known = shelf()
    for event, number in (("A08", "1"), ("A03", "2"), ("A08", "3")):
        raw = f"MSH|^~\\&|HIS|H1|||20260105||ADT|{number}|P|2.2\rEVN|{event}|20260105\r{BODY}".encode()
        arrival = receive(raw, known, listen="127.0.0.1:1", peer="127.0.0.1", at=AT, number="n")
        assert (arrival.event, arrival.state) == (f"ADT^{event}", State.PENDING)
        assert f"ACK^{event}|".encode() in arrival.answer


@pytest.mark.parametrize("before", ["\r\n", "\n\n", "\r", "  ", "\r \r"])
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_blank_lines_before_the_header_are_no_segment_and_are_not_lost(before: str, end: str) -> None:
    text = before + ("MSH|^~\\&|HIS|H1|||20260105||ADT^A08|1|P|2.4\rEVN||20260105\r" + BODY).replace("\r", end)
    message = Message(text)
    assert [one.name for one in message.segments] == ["MSH", "EVN", "PID", "PV1"]
    assert Message(text).first.name == "MSH"
    assert message["PID"][5].text == "测试甲"
    assert message.encode() == text
    for raw in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
        arrival = receive(raw, shelf(), listen="127.0.0.1:1", peer="127.0.0.1", at=AT, number="n")
        assert (arrival.code.value, arrival.event) == ("AA", "ADT^A08")


@pytest.mark.parametrize("label", ["UNICODE UTF-8", "UTF-8", "ASCII"])
def test_a_label_that_the_bytes_refute_says_as_little_as_none(label: str) -> None:
    text = f"MSH|^~\\&|HIS|H1|||20260105||ADT^A08|1|P|2.4||||||{label}\r{BODY}"
    assert decode(text.encode("gb18030"), unlabelled="GB18030").text == text
    with pytest.raises(Malformed):
        decode(text.encode("gb18030"))
    with pytest.raises(Malformed):
        decode(text.replace("测试甲", "Müller^Jörg").encode("latin-1"), unlabelled="GB18030")


def test_a_batch_that_is_not_what_its_trailer_announced_is_told_so() -> None:
    block = b"BHS|^~\\&|HIS\rBTS|7\r"
    assert batch_tail(block, 7, 7) == b"BTS|7\r" == batch_tail(block, 7, None)
    assert batch_tail(block, 1, 7) == b"BTS|1|BTS-1 announced 7 messages, 1 came\r"


@pytest.mark.parametrize("policy", ["accept", "AE", "AR"])
def test_an_event_that_calls_for_nothing_here_is_accepted_on_any_line_and_says_why(tmp_path: Path, policy: str) -> None:
    (tmp_path / "line.toml").write_text(
        f'extends = "default"\nprofile = "line"\nversion = 1\ntitle = "x"\nhospital = "h"\nunknown_event = "{policy}"\n'
        '[match]\nsending_application = "HIS"\n[events]\n"ADT^ZB1" = "ADT^A20"\n',
        encoding="utf-8",
    )
    for event in (*UNNEEDED, "ADT^ZB1"):
        raw = f"MSH|^~\\&|HIS|H1|||20260105||{event}|1|P|2.5\rEVN||20260105\r".encode()
        arrival = receive(raw, shelf(tmp_path), listen="127.0.0.1:1", peer="127.0.0.1", at=AT, number="n")
        assert (arrival.code.value, arrival.state, arrival.reason) == ("AA", State.IGNORED, "event-unneeded")
        assert arrival.remark == UNNEEDED[event.replace("ZB1", "A20")]


def test_every_event_of_patients_and_accounts_is_read_or_has_its_reason() -> None:
    """HL7 v2.6 table 0003: ADT A01 to A55 (A19 is a query) and A60 to A62, BAR, DFT."""
    admission = [f"ADT^A{n:02}" for n in (*range(1, 19), *range(20, 56), 60, 61, 62)]
    accounts = ["BAR^P01", "BAR^P02", "BAR^P05", "BAR^P06", "BAR^P10", "BAR^P12", "DFT^P03", "DFT^P11"]
    listed = {event: (family, note) for event, family, note in events()}
    assert set(admission + accounts) - set(listed) == set()
    assert all(note for event, (_, note) in listed.items() if event.startswith("ADT"))
    assert {event for event, (family, _) in listed.items() if family is Family.UNNEEDED} == set(UNNEEDED)


@pytest.mark.parametrize(
    ("policy", "ack", "code", "state"),
    [
        ("accept", "original", "AA", State.IGNORED),
        ("AE", "original", "AE", State.DEAD),
        ("AR", "original", "AR", State.DEAD),
        ("accept", "enhanced", "CA", State.IGNORED),
        ("AE", "enhanced", "CE", State.DEAD),
        ("AR", "enhanced", "CR", State.DEAD),
    ],
)
@pytest.mark.parametrize("event", ["ADT^A99", "ADT^ZP7", "ZZZ^Z01", "VXU^V04"])
def test_an_event_that_is_mapped_to_nothing_is_kept_and_answered_as_its_link_says(
    tmp_path: Path, policy: str, ack: str, code: str, state: State, event: str
) -> None:
    (tmp_path / "line.toml").write_text(
        f'extends = "default"\nprofile = "line"\nversion = 1\ntitle = "x"\nhospital = "h"\nunknown_event = "{policy}"\nack = "{ack}"\n'
        '[match]\nsending_application = "HIS"\n',
        encoding="utf-8",
    )
    known = shelf(tmp_path)
    for number in ("1", "2"):  # the second time the sender is known
        raw = f"MSH|^~\\&|HIS|H1|||20260105||{event}|{number}|P|2.5|||AL|AL\r{BODY}".encode()
        arrival = receive(raw, known, listen="127.0.0.1:1", peer="127.0.0.1", at=AT, number="n")
        assert (arrival.link, arrival.code.value, arrival.state, arrival.reason) == ("line", code, state, "unknown-event")
        assert f"MSA|{code}|{number}".encode() in arrival.answer
        assert (b"\rERR|" in arrival.answer) == (policy != "accept")
        assert policy == "accept" or b"MSH^1^9|201^" in arrival.answer
