"""Any HL7 v2 text can be read and written again as it was; empty, null and escaped values are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Malformed
from integrations.hl7v2.delimiters import find_delimiters
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.escapes import escape, unescape
from integrations.hl7v2.header import read_header

ADT = (
    "MSH|^~\\&|HIS||EAI||20260105170124||ADT^A01|40000001|P|2.4|||AL|AL|CHN\r\n"
    'PID|1|0000000001|0000000001^^^^IDCard~^^^^PatientNO~00000019400101000X^^^^IdentifyNO||测试患者甲||19400101000000|""\r\n'
    "ZZZ|own|segment\r\n"
)


def test_fields_repetitions_components() -> None:
    pid = Message(ADT)["PID"]
    assert pid[2].text == "0000000001"
    assert [cx.component(5).text for cx in pid[3].repetitions] == ["IDCard", "PatientNO", "IdentifyNO"]
    assert pid[3].component(1).text == "0000000001"
    assert pid.field(5).text == "测试患者甲"
    assert pid[8].is_null
    assert not pid[8]
    assert pid[8].text == ""
    assert not pid[4].is_null
    assert not pid[99]
    assert pid[99].repetitions == []


def test_header_positions_count_the_separator() -> None:
    msh = Message(ADT)["MSH"]
    assert (msh[1].raw, msh[2].raw, msh[2].text, msh[3].text, msh[9].component(2).text) == ("|", "^~\\&", "^~\\&", "HIS", "A01")


def test_unknown_segments_and_missing_ones() -> None:
    message = Message(ADT)
    assert message["ZZZ"][2].text == "segment"
    assert "PV1" not in message
    assert not message["PV1"][19]
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "ZZZ"]


def test_subcomponents() -> None:
    message = Message("MSH|^~\\&|A\rPID|1||400001^^^&PATID~1200001^^^&BLH\r")
    assert [cx.component(4).subcomponent(2).text for cx in message["PID"][3].repetitions] == ["PATID", "BLH"]


@pytest.mark.parametrize("header", ["MSH|^~\\&|", "MSH|^~\\&#|", "MSH|^~\\|", "MSH$%~\\&$", "MSH|^~|", "MSH^|~\\&^", "MSH||"])
def test_any_delimiters(header: str) -> None:
    cut = find_delimiters(header)
    message = Message(header + f"A\rPID{cut.field}1{cut.field}x{cut.component or '^'}y\r")
    assert message["PID"][2].component(2).text == "y"
    assert message.encode() == message.text


def test_a_line_feed_inside_a_value_does_not_make_a_segment() -> None:
    message = Message("MSH|^~\\&|A\rNTE|1||first\nsecond line\rPV1|1\r")
    assert [segment.name for segment in message.segments] == ["MSH", "NTE", "PV1"]
    assert message["NTE"][3].text == "first\nsecond line"
    assert message.encode() == message.text


@pytest.mark.parametrize("text", ["", "PID|1\r", "MSH", "MSH\r", "MSHX^~", "junk", "<?xml?>"])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Message(text)


def test_escapes() -> None:
    cut = find_delimiters("MSH|^~\\&#|")
    assert unescape(r"a\F\b\S\c\T\d\R\e\E\f\P\g", cut) == "a|b^c&d~e\\f#g"
    assert unescape(r"one\.br\two\.sp+2\three", cut) == "one\ntwo\n\nthree"
    assert unescape(r"\.in+4\one\.ti-2\\.ce\two\.fi\\.sk3\three\.nf\ ", cut) == "one\ntwo   three "
    assert unescape(r"\XE4BDA0\ \X0D0A\ \H\bold\N\ ", cut) == "你 \r\n bold "
    assert unescape("C:\\temp\\x and \\Zown\\ and \\", cut) == "C:\\temp\\x and \\Zown\\ and \\"
    assert unescape(r"\XFF\ ", cut) == r"\XFF\ "


@given(st.text(max_size=60).filter(lambda t: "\r" not in t), st.sampled_from(["|^~\\&", "|^~\\&#", "$%~!&", "^|~\\&"]))
def test_what_is_escaped_comes_back_and_cuts_nothing(value: str, delimiters: str) -> None:
    cut = find_delimiters("MSH" + delimiters + delimiters[0])
    written = escape(value, cut)
    assert not set(written) & {cut.field, cut.component, cut.repetition, cut.subcomponent, "\r", "\n"}
    assert unescape(written, cut) == value


lines = st.text(st.characters(codec="gb18030", exclude_characters="\0"), max_size=40)


@given(st.lists(lines, max_size=8), st.sampled_from(["\r", "\n", "\r\n", "\r\r\n"]), st.booleans())
def test_every_text_is_written_again_as_it_was(body: list[str], end: str, closed: bool) -> None:
    text = end.join(["MSH|^~\\&|A|B|||2026||ADT^A01|1|P|2.4", *(f"ZAA|{line}" if line[:1] != "!" else line for line in body)])
    text += end if closed else ""
    message = Message(text)
    assert message.encode() == text
    for segment in message.segments:
        fields = segment.fields[:1] + segment.fields[2:] if segment.name == "MSH" else segment.fields
        assert message.cut.field.join(fields) == segment.raw


def test_header_of_many_shapes() -> None:
    header = read_header(Message("MSH|^~\\&|HIS|H1|ME|C|20260105||ADT^A01^ADT_A01|id\\T\\1|P^T|2.5.1^CHN|||NE|AL|CHN|UNICODE UTF-8\r"))
    assert (header.event, header.control_id, header.version, header.accept, header.charset) == (
        "ADT^A01",
        "id\\T\\1",
        "2.5.1",
        "NE",
        "UNICODE UTF-8",
    )
    assert header.at_least((2, 5))
    assert not read_header(Message("MSH|^~\\&|||||||ADT_A01|1|P|\r")).at_least((2, 3))
    assert read_header(Message("MSH|^~\\&|||||||ADT_A01|1|P|\r")).event == "ADT^A01"
