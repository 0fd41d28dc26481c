"""A hospital's messages in any order about the same few people, spoilt here and there: each has its effect or is refused, none breaks us.

The other fuzz takes every message by itself; here each meets what those before it have left. HEALTHSVC_FUZZ_SECONDS: of the long form.
"""

import itertools
import os
import random
import time
from datetime import timedelta

import pytest
from hospital import AT, Hospital, segment

SEED = 20261129
T = "20260302083000"
ORDERED = "OBR|1|P1|F1|LYT^电解质|||20260302080000||||||||||||||||||F"
_MOVES = ("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13", "A21", "A22", "A28", "A31", "A38")
BODIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((f"ADT^{event}", ()) for event in _MOVES),
    ("ADT^A40", ("MRG|C2^^^^IDCard",)),
    ("ADT^A45", ("MRG|C2^^^^IDCard||||V1",)),
    ("ADT^A01", (f"DG1|1||I10^高血压^I10||{T}", "AL1|1|DA|P^青霉素|SV|皮疹|20200101", "IN1|1|L^离休")),
    ("ORM^O01", (f"ORC|NW|P1||||||^^^{T}", "OBR|1|P1||LYT^电解质")),
    ("OMP^O09", (f"ORC|NW|M1|||||^BID^^{T}^{T}", "RXO|D1^示例片|1||g", "RXR|IV")),
    ("RAS^O17", ("ORC|RE|M1", f"RXA|0|1|{T}|{T}|D1^示例片|1|g")),
    ("ORU^R01", (ORDERED, f"OBX|1|NM|K^钾||4.1|mmol/L|3.5-5.3||||F|||{T}")),
    ("ORU^R01", (ORDERED, "OBX|1|NM|K^钾||6.9|mmol/L|3.5-5.3|HH|||C")),
    ("OUL^R22", ("SPM|1|S1||BLD", ORDERED, "OBX|1|SN|K^钾||^1^:^8||||||F")),
    ("SIU^S12", (f"SCH|A1|A1|||||复查|||30|min|^^^{T}",)),
    ("SIU^S15", ("SCH|A1|A1",)),
    ("MDM^T02", ("TXA|1|DS^小结|TX|||||||||D1", "OBX|1|TX|A||好转")),
    ("PPR^PC1", (f"PRB|AD|{T}|I10^高血压^I10|P1",)),
    ("REF^I12", (f"RF1|P|S|MED|||R1|{T}|||康复",)),
    ("BAR^P01", ()),
    ("DFT^P03", (f"FT1|1|T1||{T}||PY|REG^挂号|||1|20",)),
)
ODD = (
    *("", '""', "0", "-", "无", "2026", "202603", "20260302", "202603020930", f"{T}.12+0800", f"{T}-0500", "20261301", "99991231"),
    *("1^2^3", "a~b", "a&b", "^^^", "~~", "住院", "I", "O", "U", "X", "D", "C", "W", "CA", "DC", "HH", "M", "阳性", "-3", "3-5", "<5"),
    *("NM", "SN", "CE", "TM", "DR", "NR", "ED", f"^^^{T}^{T}", f"{T}^20260301", "C1^^^^IDCard", "C2^^^^IDCard~C1^^^^PatientNO", "10^9/L"),
)
"""What fields hold that nobody expects there."""


def spoilt(hospital: Hospital, chance: random.Random, number: int) -> str:
    """One message of the hospital: about one of its people, at some time, with some fields replaced and its segments shuffled a little."""
    event, body = chance.choice(BODIES)
    at = AT + timedelta(minutes=chance.randint(-3000, 9000))
    visit = segment("PV1", _1="1", _2=chance.choice("IOEU"), _3="W1^^3", _19=chance.choice(("V1", "V2", "", "0")))
    text = hospital.message(event, chance.choice(("C1", "C1", "C2", "N1")), visit, *body, at=at, id=f"Q{number}")
    stamp, offset = f"{at:%Y%m%d%H%M%S}", chance.choice(("", "+0800", "-0500"))
    head, *lines = text.replace(f"|{stamp}||{event}", f"|{stamp}{offset}||{event}").split("\r")
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(len(lines))
        fields = lines[place].split("|")
        position = chance.randrange(1, len(fields) + 4)
        fields += [""] * (position + 1 - len(fields))
        fields[position] = chance.choice(ODD)
        lines[place] = "|".join(fields) if lines[place] else ""
    if chance.random() < 0.15:
        lines.insert(chance.randrange(len(lines)), lines.pop(chance.randrange(len(lines))))
    return "\r".join((head, *lines))


def run(hospital: Hospital, seed: int, count: int, ends: float = 0.0) -> None:
    chance = random.Random(seed)
    hospital.cadre()
    hospital.cadre("C2")
    numbers = itertools.count(1)
    while (sent := next(numbers)) <= count or time.monotonic() < ends:
        hospital.inbox.take_now(spoilt(hospital, chance, sent).encode(), "127.0.0.1:2575", "127.0.0.1")
        if sent % 40 == 0:
            hospital.worker.drain()
    hospital.worker.drain()
    broken = [(row.id, row.event, row.remark) for row in hospital.rows() if row.reason == "internal"]
    assert not broken, f"seed {seed}: {broken}"
    states = [row.state for row in hospital.rows()]
    assert states.count("done") > len(states) * 0.6, "most of them are still messages"


def test_messages_in_any_order_have_their_effect_or_are_refused(own_hospital: Hospital) -> None:
    run(own_hospital, SEED, 200)


@pytest.mark.long
@pytest.mark.timeout(int(os.environ.get("HEALTHSVC_FUZZ_SECONDS", "60")) + 240)
def test_messages_in_any_order_at_length(own_hospital: Hospital) -> None:
    run(own_hospital, time.time_ns(), 0, time.monotonic() + float(os.environ.get("HEALTHSVC_FUZZ_SECONDS", "60")))
