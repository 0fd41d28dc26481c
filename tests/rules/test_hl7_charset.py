"""The bytes decide the character set; labels are believed only where the bytes leave it open, and nothing is guessed."""

import pytest

from healthsvc import clock
from healthsvc.errors import Malformed
from integrations.arrival import receive
from integrations.hl7v2.batch import messages_of, split
from integrations.hl7v2.charset import codec_of, decode
from integrations.hl7v2.er7 import Message
from integrations.hospitals.shelf import shelf

BODY = "MSH|^~\\&|HIS||EAI||20260105170124||ADT^A01|1|P|2.4||||||{label}\rPID|1||1||{name}||19400101\r"
# Characters whose second GB18030 byte is a delimiter: \ ^ | ~
TRAPS = "俓俔倈倊乗乚亅亇"


def message(name: str, codec: str, label: str = "") -> bytes:
    return BODY.format(label=label, name=name).encode(codec)


def test_gb18030_trail_bytes_cut_nothing() -> None:
    raw = message(TRAPS, "gb18030", "GB18030")
    assert any(bytes([b]) in raw[60:] for b in b"\\^|~")
    decoded = decode(raw)
    assert Message(decoded.text)["PID"][5].text == TRAPS
    assert decoded.encode(decoded.text) == raw


@pytest.mark.parametrize("label", ["GBK", "GB2312", "GB18030", "GB 18030-2000", "gb-18030", "UNICODE~GBK"])
def test_labels_of_the_field(label: str) -> None:
    assert Message(decode(message("测试患者甲", "gb18030", label)).text)["PID"][5].text == "测试患者甲"


def test_utf_8_under_a_false_label() -> None:
    assert decode(message("测试患者甲", "utf-8", "GBK")).codec == "utf-8"


def test_the_link_knows_better_than_no_label() -> None:
    raw = message("测试患者甲", "gb18030")
    assert decode(raw, link="GB18030").codec == "gb18030"
    assert decode(raw, unlabelled="GB18030").codec == "gb18030"
    with pytest.raises(Malformed) as refused:
        decode(raw)
    assert refused.value.issues[0].path == "MSH-18"


def test_western_text_without_a_label_is_not_taken_for_chinese() -> None:
    with pytest.raises(Malformed):
        decode(message("Müller^Jörg", "latin-1"), unlabelled="GB18030")
    assert decode(message("Müller^Jörg", "latin-1", "8859/1"), unlabelled="GB18030").codec == "iso8859-1"


def test_chinese_under_a_western_label_is_no_western_name() -> None:
    raw = message("王嘉啊", "gb18030", "8859/1")
    with pytest.raises(Malformed, match=r"\(none set\) nor MSH-18 \(8859/1\); set"):
        decode(raw, unlabelled="GB18030")
    assert decode(raw, link="GB18030").codec == "gb18030"
    for rare in ("王祎", "乗乛亅亊"):  # trail bytes below 0x80, or bytes that no Western text has
        with pytest.raises(Malformed):
            decode(message(rare, "gb18030", "8859/1"))
    assert decode(message("Müller^Jörg~Lüdenscheid", "latin-1", "8859/1")).codec == "iso8859-1"


def test_four_byte_characters_and_ascii_and_byte_order_mark() -> None:
    assert Message(decode(message("测试𠮷㐂", "gb18030", "GB 18030-2000")).text)["PID"][5].text == "测试𠮷㐂"
    assert decode(message("CESHI", "ascii")).codec == "ascii"
    raw = b"\xef\xbb\xbf" + message("测试", "utf-8")
    decoded = decode(raw)
    assert decoded.bom
    assert decoded.encode(Message(decoded.text).encode()) == raw


def test_a_broken_byte_is_refused_not_replaced() -> None:
    raw = message("测试患者甲", "utf-8", "UNICODE UTF-8").replace("患".encode(), b"\xe6\x82")
    with pytest.raises(Malformed, match="not valid UTF-8"):
        decode(raw, unlabelled="GB18030")


def test_chinese_in_the_header_of_a_gb18030_message() -> None:
    raw = f"MSH|^~\\&|{TRAPS}|医院|C||2026||ADT^A01|1|P|2.4||||||GBK\rPID|1\r".encode("gb18030")
    assert Message(decode(raw).text)["MSH"][3].text == TRAPS


def test_names_of_sets() -> None:
    assert codec_of("GB 18030-2000") == codec_of("gbk") == "gb18030"
    assert codec_of("BIG-5") == "cp950"
    assert codec_of("8859/15") == "iso8859-15"
    assert codec_of("martian") is None


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("bom", ["\ufeff", ""])
def test_utf_16_is_read_with_and_without_its_mark_and_written_again_byte_for_byte(codec: str, bom: str) -> None:
    raw = f"{bom}MSH|^~\\&|A|B|C|D|2026||ADT^A31|W1|P|2.4||||||UNICODE UTF-16\rPID|1||C1||测试甲𠮷\r".encode(codec)
    decoded = decode(raw)
    assert decoded.text.startswith("MSH|")
    assert "测试甲𠮷" in decoded.text
    assert decoded.encode(decoded.text) == raw
    arrival = receive(raw, shelf(), listen="127.0.0.1:1", peer="127.0.0.1", at=clock.now(), number="1")
    assert (arrival.state.value, arrival.control_id) == ("pending", "W1")
    assert "MSA|AA|W1" in arrival.answer.decode(codec)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_cut_into_its_messages(codec: str) -> None:
    one = "MSH|^~\\&|A|B|C|D|2026||ADT^A31|{}|P|2.4\r\nPID|1||C1||测试甲\r\n"
    block = ("\ufeff" + one.format("W1") + one.format("W2")).encode(codec)
    assert split(block).messages == tuple(one.format(number).encode(codec) for number in ("W1", "W2"))
    pieces = [block[at : at + 7] for at in range(0, len(block), 7)]
    assert tuple(messages_of(pieces, 10_000)) == split(block).messages
