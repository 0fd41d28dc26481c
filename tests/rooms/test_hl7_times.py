"""In which zone a hospital's times are meant: MSH-7's offset holds for the whole message, unless the link knows better."""

from dataclasses import replace
from pathlib import Path

import pytest
from hospital import LISTEN, PEER, Hospital

from healthsvc.errors import Invalid
from integrations.hl7v2.check import read_under
from integrations.hospitals.profile import Profile
from integrations.hospitals.shelf import Shelf, load, read
from integrations.inbox import Inbox


@pytest.fixture
def hospital(own_hospital: Hospital) -> Hospital:
    return own_hospital


def admission(hospital: Hospital, sent: str, began: str) -> bytes:
    evn = sent[:14]
    lines = f"MSH|^~\\&|HIS|{hospital.code}|C|C|{sent}||ADT^A01|T1|P|2.4", f"EVN||{evn}", "PID|1||C1^^^^IDCard||测试甲||19300101|M"
    return "\r".join([*lines, f"PV1|1|I|W1||||||||||||||||V1{'|' * 25}{began}", ""]).encode()


def started(hospital: Hospital, profile: Profile, raw: bytes) -> str:
    patient, _ = hospital.cadre()
    inbox = Inbox(hospital.database, Shelf([], profile))
    hospital.worker.shelf = inbox.shelf
    inbox.start()
    try:
        assert b"|AA|" in inbox.take_now(raw, LISTEN, PEER)
    finally:
        inbox.stop()
    hospital.worker.drain()
    assert hospital.last().state == "done", hospital.last().remark
    [stay] = hospital.select("Encounter", patient=patient)
    return str(stay["period"]["start"])


@pytest.mark.parametrize(
    ("sent", "began", "settings", "starts"),
    [
        ("20260302090000", "20260302083000", {}, "2026-03-02T08:30:00+08:00"),
        ("20260302010000+0000", "20260302003000", {}, "2026-03-02T08:30:00+08:00"),
        ("20260302010000.123+0000", "20260302083000+0800", {}, "2026-03-02T08:30:00+08:00"),
        ("20260302090000+0000", "20260302083000", {"time_zone": "Asia/Shanghai"}, "2026-03-02T08:30:00+08:00"),
        ("20260302090000+0000", "20260302083000+0000", {"offsets": "ignore"}, "2026-03-02T08:30:00+08:00"),
        ("20260302100000", "20260302093000", {"time_zone": "+0900"}, "2026-03-02T08:30:00+08:00"),
        ("20260302090000+9900", "20260302083000", {}, "2026-03-02T08:30:00+08:00"),
        ("20260302010000+0000", "20260302", {}, "2026-03-02"),
    ],
)
def test_the_offset_of_the_header_is_the_default_and_the_link_may_know_better(
    hospital: Hospital, sent: str, began: str, settings: dict[str, str], starts: str
) -> None:
    profile = replace(load("default"), **settings)  # type: ignore[arg-type]
    raw = admission(hospital, sent, began)
    assert started(hospital, profile, raw) == starts
    checked, values = read_under(raw, "file", 1, profile)
    assert checked.mapped == "visit"
    assert values.stay.admitted.fhir == starts, "the dry run reads it alike"  # type: ignore[attr-defined]


def test_a_zone_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "line.toml"
    path.write_text('extends = "default"\nprofile = "line"\nversion = 1\ntitle = "x"\ntime_zone = "Asia/Nowhere"\n', encoding="utf-8")
    with pytest.raises(Invalid, match=r"line\.toml: time_zone must be an offset") as refused:
        read(path)
    assert refused.value.issues[0].path == "time_zone"


def test_a_time_that_cannot_be_read_is_said_and_counts_as_not_told(hospital: Hospital) -> None:
    began = started(hospital, load("default"), admission(hospital, "20260302091500250", "02/03/2026 08:00"))
    assert began == "2026-03-02T09:15:00+08:00"  # that of the event
    assert hospital.last().remark == "PV1-44 could not be read as a time and counts as not told"
