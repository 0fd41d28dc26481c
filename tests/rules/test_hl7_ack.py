"""The answer carries the sender's number exactly, in the sender's own delimiters; batches are cut without losing a byte."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from integrations.hl7v2.ack import AckCode, Problem, answer, encode_answer, wants
from integrations.hl7v2.batch import holds_several, is_batch, split
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header

AT = datetime(2026, 1, 5, 17, 1, 24, tzinfo=ZoneInfo("Asia/Shanghai"))


def reply(msh: str, code: AckCode = AckCode.AA, problem: Problem | None = None) -> Message:
    return Message(answer(read_header(Message(msh + "\r")), code, at=AT, number="R1", problem=problem))


def test_sender_and_receiver_change_places() -> None:
    ack = reply("MSH|^~\\&|HIS|H|EAI|C|20260105170124||ADT^A01|40000001|P|2.4||||||GBK")
    assert ack.text == "MSH|^~\\&|EAI|C|HIS|H|20260105170124||ACK^A01|R1|P|2.4||||||GBK\rMSA|AA|40000001\r"


def test_control_id_is_repeated_exactly() -> None:
    for control_id in ("id\\T\\1", " 7 ", "TESTHIS202601051116480000000001", "a&b^c"):
        ack = reply(f"MSH|^~\\&|HIS||||2026||ADT^A01|{control_id}|P|2.4")
        assert ack["MSA"][2].raw == control_id


def test_delimiters_of_the_sender() -> None:
    ack = reply("MSH$%~\\&$HIS$$$$2026$$ADT%A01$7$P$2.5", AckCode.AE, Problem("field a$b is wrong", "PID-3.1", "101"))
    assert ack["MSA"][1].text == "AE"
    assert ack["MSA"][3].text == "field a$b is wrong"
    assert ack["ERR"][2].raw == "PID%1%3%1"
    assert ack["MSH"][9].raw == "ACK%A01%ACK"


def test_err_only_where_the_version_has_it() -> None:
    problem = Problem("the kind of number is unknown", "PID-3", "204")
    assert "ERR" not in reply("MSH|^~\\&|||||2026||ADT^A01|7|P|2.4", AckCode.AE, problem)
    err = reply("MSH|^~\\&|||||2026||ADT^A01|7|P|2.5.1", AckCode.AE, problem)["ERR"]
    assert (err[3].component(1).text, err[4].text, err[8].text) == ("204", "E", problem.text)
    assert reply("MSH|^~\\&|||||2026||ADT^A01|7|P|", AckCode.AE, problem)["MSH"][12].raw == ""


def test_the_answer_is_in_the_senders_characters() -> None:
    header = read_header(Message("MSH|^~\\&|医院||||2026||ADT^A01|7|P|2.4\r"))
    text = answer(header, AckCode.AA, at=AT, number="1")
    assert "医院".encode("gb18030") in encode_answer(text, "gb18030")
    assert "医院".encode() in encode_answer(text, "utf-8")


@pytest.mark.parametrize(
    ("setting", "code", "wanted"),
    [
        ("AL", AckCode.CA, True),
        ("NE", AckCode.CA, False),
        ("ER", AckCode.CA, False),
        ("ER", AckCode.CE, True),
        ("SU", AckCode.CR, False),
        ("", AckCode.CA, True),
    ],
)
def test_when_an_answer_is_wanted(setting: str, code: AckCode, wanted: bool) -> None:
    assert wants(setting, code) is wanted


ONE = b"MSH|^~\\&|A|||||||1\rPID|1\r"
TWO = b"MSH|^~\\&|A|||||||2\rPID|2\r"


def test_a_batch_is_cut_into_its_messages() -> None:
    batch = split(b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\rFTS|1\r")
    assert batch.messages == (ONE, TWO)
    assert batch.announced == 2
    assert is_batch(b"BHS|^~\\&")
    assert not is_batch(ONE)


def test_a_frame_holds_several_messages_where_a_second_header_begins_a_line() -> None:
    assert holds_several(ONE + TWO)
    assert holds_several(b"BHS|^~\\&|A\r" + ONE)
    assert not holds_several(ONE)
    assert not holds_several(ONE + b"NTE|1||MSH|^~ is how a message begins\rMSHX|1\r")
    assert not holds_several(b"no message")


def test_a_file_of_messages_framed_or_not() -> None:
    assert split(ONE + b"\n" + TWO).messages == (ONE + b"\n", TWO)
    assert split(b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r").messages == (ONE, TWO)
    assert split(b"junk\r" + ONE).stray == (b"junk",)
    assert split(b"").messages == ()
    assert split(b"\xef\xbb\xbf" + ONE).messages == (b"\xef\xbb\xbf" + ONE,)
