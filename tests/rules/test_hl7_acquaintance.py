"""A sender that is known gets exactly the answer that the long way would have given, whatever it sends."""

from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from healthsvc import clock
from integrations.arrival import Arrival, receive
from integrations.hospitals.shelf import Shelf, load, read

AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=clock.zone())
KNOWN = load("default")
WARM = Shelf([], KNOWN)

heads = st.tuples(
    st.sampled_from(["MSH|^~\\&|", "MSH|^~\\&#|", "MSH$^~\\&$", "\nMSH|^~\\&|"]),
    st.sampled_from(["HIS|H1|C|C", "HIS|H1||", "|||", "系统|一院|C|C"]),
    st.sampled_from(["20260105170124", "99981231235958", ""]),
    st.sampled_from(["ADT^A08", "ADT^A01", "ADT^A40", "ORU^R01", "QBP^Q22", "ADT^ZP1", "ADT_A31", "ACK", ""]),
    st.sampled_from(["1", "2", "A|B", "", " ", "\x01C\x01", "x" * 60, "号1", "a\0b", "\u3000", "\x1f"]),
    st.sampled_from(["P|2.4", "P|2.5.1|||AL|AL|CHN", "P|2.4|||NE|NE||UNICODE UTF-8", "", "P|2.4||||||GBK", "P|2.4|7", "P|2.4|8||AL", "P"]),
)
bodies = st.lists(
    st.sampled_from(["EVN||2026", "PID|1||C1^^^^IDCard||测试甲", "PV1|1|I", "MRG|C2^^^^IDCard", "OBR|1|2|3|X", "OBX|1|ST|X||1", "junk"]),
    max_size=5,
)


def told(raw: bytes, shelf: Shelf) -> dict[str, Any]:
    arrival = receive(raw, shelf, listen="127.0.0.1:1", peer="127.0.0.1", at=AT, number="7")
    return {one.name: getattr(arrival, one.name) for one in fields(Arrival) if one.name not in ("read", "query")} | {
        "asks": arrival.query is not None
    }


@given(
    st.lists(st.tuples(heads, bodies, st.sampled_from(["\r", "\r\n", "\n"]), st.sampled_from(["utf-8", "gb18030"])), min_size=1, max_size=8)
)
def test_the_short_way_and_the_long_way_agree(said: list[tuple[tuple[str, ...], list[str], str, str]]) -> None:
    for (start, names, sent, event, control_id, rest), body, end, codec in said:
        text = f"{start}{names}|{sent}||{event}|{control_id}|{rest}{end}" + "".join(line + end for line in body)
        raw = text.encode(codec)
        for _ in range(2):
            assert told(raw, WARM) == told(raw, Shelf([], KNOWN)), text


def test_one_is_known_after_the_first_message_and_only_on_that_line(tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text('extends = "default"\nprofile = "e"\nversion = 1\ntitle = "x"\nhospital = "h"\nack = "enhanced"\n')
    shelf = Shelf([read(tmp_path / "e.toml")], KNOWN)
    raw = b"MSH|^~\\&|HIS|H1|C|C|2026||ADT^A31|1|P|2.4|||AL|NE\rPID|1||C1^^^^IDCard||x\r"
    assert b"MSA|CA|1\r" in told(raw, shelf)["answer"]
    assert shelf.acquaintances.meet(raw.replace(b"|1|P", b"|2|P"), "127.0.0.1:1", "127.0.0.1")[0] is not None
    assert shelf.acquaintances.meet(raw, "127.0.0.1:1", "10.0.0.1")[0] is None
    assert shelf.acquaintances.meet(raw.replace(b"PID", b"PIX"), "127.0.0.1:1", "127.0.0.1")[0] is None
    assert b"MSA|CA|2\r" in told(raw.replace(b"|1|P", b"|2|P"), shelf)["answer"]
