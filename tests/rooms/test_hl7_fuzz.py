"""Whatever stands in a field: a message is mapped or refused with a reason and a place; it never breaks the reader or the worker."""

from collections.abc import Iterator

import pytest
from hospital import AT, Hospital, segment
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from healthsvc.errors import Refusal
from healthsvc.rooms import ROOMS
from healthsvc.store import Actor, Database
from integrations.effects.event import apply
from integrations.effects.person import NotOurs
from integrations.hl7v2.check import check_message
from integrations.hospitals.shelf import load
from integrations.reading import read

PROFILE = load("default")
LINK = Actor("link/test", "test", frozenset({"hospital"}), "hl7")
WRITTEN = """
ADT^A01
PV1||I|W1^^1||||1^医生||||||||||||V1|||||||||||||||||||||||||20260301
PV2|||R^原因
DG1|1||J1^肺炎
AL1|1|DA|P1^药|SV
IN1|1|P|C|司

ADT^A03
PV1||I|||||||||||||||||V1||||||||||||||||||||||||||20260302

ADT^A31
NK1|1|家属|1^子|某处|12000000001

ADT^A40
MRG|C2^^^^IDCard

ADT^A45
MRG|C2^^^^IDCard||A1||V1
PV1||I|||||||||||||||||V1

ORU^R01
OBR||P1|F1|T^项目|||20260301|||||||||||||||20260301|||F
OBX|1|NM|A^甲||1.5|g|1-2|H|||F|||20260301
SPM|1|S1^S2||B^血

OUL^R22
SPM|1|S1||B^血
OBR|1||F2|T^项目
OBX|1|ST|A^甲||阴性

OML^O21
ORC|NW|P1|||||||20260301|||1^医生
TQ1|1||BID||||20260301|20260302|S
OBR|1|P1||T^项目|S|20260301
NTE|1||注

RDE^O11
ORC|NW|M1
RXE|1&g^BID^^20260301^20260302|D^药|1|2|g||||||5|支|3
RXR|IV^静滴
RXC|B|N^盐水|100|ml

RDS^O13
ORC|NW|M1
RXD|1|D^药|20260301|5|支

RAS^O17
ORC|NW|M1
RXA|0|1|20260301101010|20260301111010|D^药|1|g|||||||||||||CP
RXR|IV

SIU^S12
SCH|A|B|||||R||30|min|^^^20260310101010^20260310111010||||||||||||||Booked
AIS|1|A|S^门诊|20260310101010
AIL|1||L^1
AIP|1||9^医生

MDM^T02
TXA|1|DS^小结|TX|||20260301101010||||||D1|||||AU||AV
OBX|1|ED|X||^application^pdf^Base64^QUJD
OBX|2|TX|Y||正文

PPR^PC1
PRB|AD|20260301|I10^高血压^I10|P1|||20260301|||||||||2010
NTE|1||注

REF^I12
RF1|P|S|MED|||R1|20260301|||X^原因
DG1|1||I1^病
PRD|RP|医生

DFT^P03
PV1||O|||||||||||||||||V5
FT1|1|T1||20260301101010||PY|R^费|||1|20&CNY

BAR^P01
PV1||O|||||||||||||||||V5

MFN^M02
MFE|MAD|||1|CE
STF|1|S1|医生||||A|K^科||12000000001||||||||T^主任
PRA|1||||X^专科
"""
MESSAGES = {event: lines for event, *lines in (block.split("\n") for block in WRITTEN.strip().split("\n\n"))}
"""One good message of each family, by event; PID and MSH are added."""
NASTY = [
    '""',
    "^",
    "~",
    "&",
    "^^^^",
    "~~",
    "&&^&",
    "\\",
    "\\X41\\",
    "\\E",
    "\\.br\\",
    "00000000",
    "20261399",
    "99999999999999",
    "-1",
    "1e9",
    "NaN",
    "١٢",
    "０１",
    "30 feb",
    "2026-03-01T10:00:00Z",
    "㐂𠮷",
    "无",
    "同上",
    "1^2^3^4^5^6^7^8^9^10^11^12^13^14^15",
    "<script>",
    "%s",
    "' OR 1",
    "0\t0",
    "A  B^two spaces in a code^L^C  D",
]
ODD = st.one_of(st.text(max_size=12), st.sampled_from([*NASTY, "", "x" * 300, "\x00", "\t"]))
PLACES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 50), ODD), min_size=1, max_size=4)
EDIT = st.tuples(st.sampled_from(sorted(MESSAGES)), PLACES)


def message(event: str, edits: list[tuple[int, int, str]]) -> str:
    lines = [f"MSH|^~\\&|HIS|H1|C|C|{AT:%Y%m%d%H%M%S}||{event}|F1|P|2.5", f"EVN||{AT:%Y%m%d%H%M%S}"]
    lines += [] if event.startswith("MFN") else ["PID|1||C1^^^^IDCard~X^^^^UPID||测试甲||19300101|M|||某处||12000000001||||||"]
    lines += MESSAGES[event]
    for at, field, value in edits:
        k = 1 + at % (len(lines) - 1)
        parts = lines[k].split("|")
        parts += [""] * (field + 1 - len(parts))
        if field:
            parts[field] = value.replace("|", " ").replace("\r", " ").replace("\n", " ")
        lines[k] = "|".join(parts)
    return "\r".join(lines) + "\r"


@settings(max_examples=600, deadline=None)
@given(EDIT)
def test_the_readers_map_or_refuse(edit: tuple[str, list[tuple[int, int, str]]]) -> None:
    raw = message(*edit).encode("utf-8", "surrogatepass")
    found = check_message(raw, "fuzz", 1, PROFILE)
    assert not found.rejected or found.reason, found


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/fuzz.sqlite", rooms=ROOMS)
    there = Hospital(database)
    there.says("ADT^A28", "C1")
    there.says("ADT^A01", "C2", segment("PV1", _2="I", _19="V1"))
    yield there
    there.inbox.stop()
    database.close()


class Undone(Exception):
    """Ends a trial: nothing of it stays."""


def tried(database: Database, text: str) -> None:
    try:
        message, header = read(text.encode(), PROFILE)
        with database.writing(LINK, at=AT) as store:
            apply(store, message, header, PROFILE)
            raise Undone
    except (Undone, NotOurs):
        return
    except Refusal as refusal:
        said = refusal.text
    assert " is not valid: " not in said, "what a hospital writes never makes a resource that is no FHIR"


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDIT)
@example(("ADT^A01", [(2, 4, "A  B^two spaces in a code^L^C\tD")]))
def test_the_effects_happen_or_are_refused(hospital: Hospital, edit: tuple[str, list[tuple[int, int, str]]]) -> None:
    tried(hospital.database, message(*edit).encode("utf-8", "replace").decode())


@pytest.mark.long
@settings(max_examples=20_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDIT)
def test_the_effects_happen_or_are_refused_at_length(hospital: Hospital, edit: tuple[str, list[tuple[int, int, str]]]) -> None:
    tried(hospital.database, message(*edit).encode("utf-8", "replace").decode())


@pytest.mark.parametrize("event", sorted(MESSAGES))
def test_the_message_before_it_is_spoilt_has_its_effect(hospital: Hospital, event: str) -> None:
    text = message(event, [])
    made: list[str] = []
    try:
        with hospital.database.writing(LINK, at=AT) as store:
            made = apply(store, *read(text.encode(), PROFILE), PROFILE).made
            raise Undone
    except Undone:
        assert made or event == "ADT^A31"
