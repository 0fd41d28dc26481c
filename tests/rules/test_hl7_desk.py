"""An operator's eyes and hands: masked text carries nothing of a person, an edit changes one value and no other byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid
from integrations.hl7v2.editing import edit
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.masking import masked, shape

TEXT = (
    "MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A31|N1|P|2.4\r\nEVN||20260105170124\r\n"
    'PID|1||C1^^^&PATID^IDCard~I1^^^^PatientNO||测试甲^Test||19300101|M|||某省某市||""\rOBX|1|ST|A^甲||阳性\rOBX|2|NM|B||6.1\rZAB|1|x'
)


def test_what_is_masked_keeps_its_build_and_kinds() -> None:
    shown = {f"{name}-{position}": value for name, fields in masked(Message(TEXT)) for position, value in fields}
    assert shown["MSH-9"] == "ADT^A31"
    assert shown["PID-3"] == "x9^^^&PATID^IDCard~x9^^^^PatientNO"
    assert (shown["PID-5"], shown["PID-7"], shown["PID-8"]) == ("某某某^xxxx", "99999999", "x")
    assert (shown["PID-13"], shown["OBX-5"]) == ('""', "9.9")


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=300))
def test_no_letter_and_no_digit_survives_the_mask(value: str) -> None:
    assert set(shape(value)) <= set("某x9…（）0123456789") - set("012345678") | ({*"012345678"} if len(value) > 200 else set())


def test_one_value_is_changed_and_every_other_byte_stays() -> None:
    for position, value, old, new in (
        ("PID-8", "F", "|19300101|M|", "|19300101|F|"),
        ("pid-3(2).5", "IDCard", "I1^^^^PatientNO", "I1^^^^IDCard"),
        ("PID-5.1", "测试|乙", "|测试甲^Test|", "|测试\\F\\乙^Test|"),
        ("OBX[2]-5", "7.2", "||6.1\r", "||7.2\r"),
        ("PID-13", "", '||""\r', "||\r"),
        ("MSH-10", "N2", "|N1|", "|N2|"),
        ("ZAB-3", "y", "ZAB|1|x", "ZAB|1|x|y"),
    ):
        assert edit(Message(TEXT), [(position, value)]) == TEXT.replace(old, new), position


@pytest.mark.parametrize("position", ["PID", "PID-", "XYZ-1", "OBX[3]-5", "MSH-2", "PID-8; DROP", "8"])
def test_a_position_that_is_none_is_told(position: str) -> None:
    with pytest.raises(Invalid):
        edit(Message(TEXT), [(position, "x")])


@given(st.integers(1, 30), st.integers(1, 3), st.integers(1, 6), st.text(max_size=20))
def test_what_was_set_is_read_back(field: int, repetition: int, component: int, value: str) -> None:
    if value == '""':
        return
    changed = Message(edit(Message(TEXT), [(f"PID-{field}({repetition}).{component}", value)]))
    read = changed["PID"][field].repetitions[repetition - 1].component(component).text if changed["PID"][field].raw else ""
    assert read == value.replace("\r\n", "\n").replace("\r", "\n").rstrip() or read == value.replace("\r\n", "\n").replace("\r", "\n")
    assert len(changed.segments) == len(Message(TEXT).segments)


def test_a_head_that_is_none_shows_nothing() -> None:
    shown = masked(Message("MSH|nonsense of 测试丙丁|1\rEVN|测试丙丁\r"))
    assert "测试丙丁" not in str(shown)


PLAIN = TEXT.replace("\r\n", "\r")
NAMES = ("张三丰", "ZHANG SANFENG", "Zhang")
PLACES = {
    "ADT": "NK1|1|{0}|SPO\rGT1|1||{0}\rIN1|1|P|C|||{0}||||||||||{0}\rPV1|1|I|W1||||D1^{0}\rPV2|||{0}\rDG1|1||{0}|{0}\rZPI|{0}",
    "A40": "MRG|C2^^^^PI||||||{0}",
    "ORU": "ORC|RE|P1||||||||{0}\rOBR|1|P1||T1^{0}\rNTE|1||{0}\rOBX|1|TX|R^{0}|1|{0}|||||||||||D1^{0}\rPRT|1|UC||OP|D1^{0}",
    "a text that was broken into lines": "OBX|1|TX|R||结论\r{0} 男 95岁\r{0}|主诉\r\n  {0}\rNTE",
    "MDM": "TXA|1|DS|TX|||||{0}^{0}|||{0}|D1|||||||||||{0}\rOBX|1|TX|{0}||{0}",
    "SIU": "SCH|A1||||||{0}||||||||||{0}\rAIP|1||D1^{0}\rRGS|1",
    "RDE": "ORC|NW|P1\rRXE||D1^{0}|||||{0}\rRXR|{0}\rRXC|B|{0}",
    "a batch": "BHS|^~\\&|A|B|C|D|2026||{0}|{0}|B1",
    "an answer": "ERR|{0}||{0}||{0}|||{0}\rMSA|AA|1|{0}\rEVN|A01|2026|||{0}",
}


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_named_wherever_a_name_stands(place: str) -> None:
    for name in NAMES:
        if place == "an answer" and name.isascii():
            continue  # a code of an error is letters, too
        text = PLAIN.replace("测试甲", name) + "\r" + PLACES[place].format(name) + "\r"
        shown = str(masked(Message(text)))
        assert not [piece for piece in name.split() if piece[:2] in shown.replace("MSH", "")], shown
    assert ("?", [(0, "某某某 某 99某")]) in masked(Message(PLAIN + "\r张三丰 男 95岁"))
