"""The state of an appointment by the event and by the hospital's own word beside it."""

import pytest

from healthsvc import clock
from integrations.hl7v2.booking import read_booking
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hospitals.shelf import shelf

PROFILE = shelf().default


@pytest.mark.parametrize(
    ("event", "word", "status"),
    [
        ("S14", "已取消", "cancelled"), ("S14", "^已预约", "booked"), ("S14", "4^已完成^HIS", "fulfilled"), ("S12", "爽约", "noshow"),
        ("S14", "Noshow^No Show^HL70278", "noshow"), ("S14", "9^^^Cancelled", "cancelled"), ("S15", "爽约", "noshow"),
        ("S15", "已预约", "cancelled"), ("S26", "已取消", "noshow"), ("S17", "Complete", "entered-in-error"), ("S14", "别的", "booked"),
    ],
)  # fmt: skip
def test_the_state_of_an_appointment_is_told_by_the_hospital_s_word_beside_the_event(event: str, word: str, status: str) -> None:
    assert PROFILE is not None
    sch = f"SCH||A100|||||||||^^^20260302090000^20260302093000{'|' * 14}{word}"
    message = Message(f"MSH|^~\\&|HIS|H1|||20260301||SIU^{event}|1|P|2.5\rPID|1||C1^^^^IDCard||章示例\r{sch}\r")
    found = read_booking(message, read_header(message), PROFILE, clock.zone())
    assert found.appointment["status"] == status
