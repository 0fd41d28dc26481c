"""Data types and messages beside HL7's own tables; and each component that is said to be taken is, and no other."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hl7v2.maps import take
from integrations.hl7v2.maps.catalogue import MAPS
from integrations.hl7v2.maps.row import View
from integrations.hl7v2.maps.types import MESSAGES, TYPES, TypeMap
from integrations.hl7v2.numbers import measured
from integrations.hl7v2.person import numbers_in
from integrations.hl7v2.values import address, name, phones
from integrations.hospitals.profile import NumberRule
from integrations.hospitals.shelf import load

VIEW = View("h1", ZoneInfo("Asia/Shanghai"))
PROFILE = replace(load("default"), numbers=(NumberRule("index", authority="ZZ4"),))
SAMPLES = {
    **dict.fromkeys(("CE",), "C1^词甲^S1^C2^词乙^S2"),
    **dict.fromkeys(("CWE", "CNE"), "C1^词甲^S1^C2^词乙^S2^v1^v2^原文^C3^词丙^S3^v3"),
    "CX": "N1^1^M10^^^F^20200101^20300101^J^D",
    "EI": "N1^ns^1.2.3^ISO",
    "EIP": "P1^F1",
    "XPN": "甲^乙^丙^Jr^Dr^MD^L^A^ctx^20200101^F^20200101^20300101^PhD^call",
    "XTN": "^PRN^PH^a@b^86^0574^5550177^12^^x^s^^20200101^20300101^r^p^i^1",
    "XAD": "Street 1^Flat 2^Town^Province^100000^CHN^H^g^district^tract^r^p^20200101^20300101^e^n^d^a^o",
    "XCN": "N1^Family^Given^More^Jr^Dr^MD^src^auth^L^1^M10^DN^fac^r^ctx^period^G^20200101^20300101^suffix",
    "PL": "W1^R2^B3^F4^S5^T6^BLD7^FL8^^E10^A11",
    "XON": "Org^L^7^1^M10^auth^XX^fac^r^ORG10",
    "DR": "20260101^20260102",
    "DTM": "20260101",
    "NM": "7",
    "SN": "<^7",
    "CQ": "7^ml",
    "SPS": "BLD^add^note^arm^mod^cond",
}
OTHER = {"XTN.2": "WPN", "XTN.3": "CP", "XTN.9": "010-5550199", "XTN.12": "010-5550199", "XTN.1": "010-5550199", "XTN.6": "010"}
OTHER |= {"XTN.7": "5550199", "XTN.8": "13", "XAD.7": "N", "DR.1": "20260102", "DR.2": "20260103", "DTM.1": "20270101", "NM.1": "8"}
OTHER |= {f"{kind}.{at}": "LN" for kind in ("CE", "CWE", "CNE") for at in (3, 6)}
OTHER |= {"SN.1": ">", "SN.2": "8", "CQ.1": "8", "CQ.2": "l", "XPN.1": "丁", "XPN.2": "丁", "XPN.3": "丁"}


def reading(kind: str, raw: str) -> Any:
    """What our own readers make of a field of a type."""
    message = Message(f"MSH|^~\\&|HIS|H1|||20260101||ADT^A08|1|P|2.4\rZZZ|{raw}\r")
    segment, header = message["ZZZ"], read_header(message)
    field = segment[1]
    read = {
        **dict.fromkeys(("CE", "CWE", "CNE"), lambda: take.concept(segment, 1, VIEW)),
        "CX": lambda: [(one.system, one.value) for one in numbers_in(field, "PID-3", header, PROFILE)],
        "EI": lambda: take.number("PLAC")(segment, 1, VIEW),
        "EIP": lambda: take.entity_pair(segment, 1, VIEW),
        "XPN": lambda: name(field),
        "XTN": lambda: phones(field, ""),
        "XAD": lambda: address(field),
        "XCN": lambda: take.person(segment, 1, VIEW),
        "PL": lambda: take.place(segment, 1, VIEW),
        "XON": lambda: take.organization(segment, 1, VIEW),
        "DR": lambda: take.collected_period(segment, 1, VIEW),
        "DTM": lambda: take.when(segment, 1, VIEW),
        "NM": lambda: take.decimal(segment, 1, VIEW),
        "SN": lambda: measured(Message(f"MSH|^~\\&|\rOBX|1|SN|X||{raw}\r")["OBX"], "SN", (raw,), comma=False),
        "CQ": lambda: take.volume(segment, 1, VIEW),
        "SPS": lambda: take.source_type(segment, 1, VIEW),
    }
    return read[kind]()


@pytest.mark.parametrize("one", TYPES, ids=lambda one: one.type)
def test_the_components_that_are_taken_are_those_that_the_table_names(one: TypeMap) -> None:
    whole = SAMPLES[one.type].split("^")
    for at in range(1, max(len(whole), *one.takes) + 1):
        pieces = [*whole, *[""] * (at - len(whole))]
        if (one.type, at) == ("XTN", 9):  # words count where no number stands in its place
            pieces[5:8] = ["", "", ""]
            pieces[8] = "010-5550100"
        before, changed = reading(one.type, "^".join(pieces)), pieces.copy()
        assert before
        changed[at - 1] = OTHER.get(f"{one.type}.{at}", f"ZZ{at}")
        differs = reading(one.type, "^".join(changed)) != before
        assert differs == (at in one.takes), f"{one.type}.{at}"


def hl7_components(shared: Path, table: str) -> set[int]:
    """The components that one of HL7's tables maps to anything."""
    [file] = [one for one in (shared / "v2-to-fhir/mappings/datatypes").glob("*.csv") if f"_ {table} - " in one.name]
    with file.open(encoding="utf-8", newline="") as opened:
        rows = [row for row in list(csv.reader(opened))[2:] if len(row) > 9 and row[9].strip()]
    return {int(at[1]) for row in rows if (at := re.fullmatch(r"\w+\.(\d+)", row[1].strip()))}


@pytest.mark.shared
@pytest.mark.parametrize("one", TYPES, ids=lambda one: one.type)
def test_every_component_that_hl7_maps_is_taken_or_listed_with_its_reason(shared: Path, one: TypeMap) -> None:
    theirs = set().union(*(hl7_components(shared, table) for table in one.tables))
    assert theirs - set(one.takes) == set(one.left)
    assert all(one.left.values())


@pytest.mark.shared
def test_every_segment_that_hl7s_messages_map_is_mapped_or_listed_with_its_reason(shared: Path) -> None:
    theirs: set[tuple[str, str]] = set()
    files = [one for one in (shared / "v2-to-fhir/mappings/messages").glob("*.csv") if "VXU" not in one.name]
    assert len(files) == 12
    for file in files:
        with file.open(encoding="utf-8", newline="") as opened:
            for row in list(csv.reader(opened))[2:]:
                target = re.match(r"[A-Za-z]+", row[9].strip()) if len(row) > 9 else None
                if target:
                    theirs.add((row[1].rpartition(".")[2], target.group()))
    ours = {(segment, resource) for segment, resource, _, _ in MAPS}
    assert theirs - ours == set(MESSAGES)
    assert len(theirs & ours) >= 25
