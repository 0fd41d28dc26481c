"""The mapping is what it says: every field that is mapped changes its element, and no other field changes anything."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from hospital import AT, LISTEN, PEER, Hospital

from healthsvc.errors import Refusal
from healthsvc.fhir.json import Resource
from healthsvc.store import Actor, Database
from integrations.effects.event import apply
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hl7v2.maps.catalogue import ENVELOPE, MAPS, Entry, Fate, entries, fields, types
from integrations.hospitals.shelf import load
from integrations.origin import origin

PROFILE = load("default")
LINK = Actor("link/test", "test", frozenset({"hospital"}), "hl7")
CODED, PERSON, MOMENT, WORDS = "QX^样词甲", "N77^样医生", "20260301101112", "样词甲"
VALUE = {
    **dict.fromkeys(("CE", "CWE", "CNE", "SPD"), CODED),
    **dict.fromkeys(("ST", "TX", "FT"), WORDS),
    **dict.fromkeys(("TS", "DTM", "DR"), MOMENT),
    **dict.fromkeys(("NM", "SI"), "7"),
    **dict.fromkeys(("EI", "EIP"), "N7788"),
    **dict.fromkeys(("CP", "MO"), "7&CNY"),
    "XCN": PERSON,
    "NDL": "N77&样医生",
    "DT": "20260301",
    "XPN": "样名乙",
    "CX": "N7788^^^^MR",
    "XTN": "^PRN^PH^^^^5550177",
    "XAD": "样例路七号",
    "PL": "WX7^8^9",
    "XON": "样机构",
    "CQ": "7^ml",
    "TQ": "7&ml^BID^^20260301101112^20260302101112",
    "SPS": "BLD&样血",
    "DLD": "样去处",
}
"""A value of each data type that stands nowhere else in the messages; any other type gets a code."""
OWN = {
    **{"PID-8": "F", "PID-30": "Y", "PID-7": "19310202", "PID-3": "C1^^^^IDCard~N7788^^^^UPID", "PV1-2": "E"},
    **{"AL1-2": "DA", "IAM-2": "DA", "AL1-4": "SV", "IAM-4": "SV", "IAM-6": "D", "IAM-17": "I", "DG1-2": "I10", "DG1-21": "D"},
    **{"OBR-5": "S", "TQ1-9": "S", "RF1-2": "S", "ORC-1": "CA", "ORC-5": "CM", "SPM-20": "Y"},
    **{
        "OBX-2": "FT",
        "OBX-5": "7.5",
        "OBX-7": "1-9",
        "OBX-8": "H",
        "OBX-11": "C",
        "OBR-8": "20260301111112",
        "OBR-24": "MB",
        "OBR-25": "P",
    },
    **{"RXA-3": "20260301091112", "RXA-20": "RE", "RXA-21": "D", "RXO-13": "3", "RXE-12": "3", "RXO-21": "7", "RXE-23": "7"},
    **{"RXC-1": "A", "RXC-3": "9", "RXC-4": "L", "SCH-25": "Pending", "AIS-10": "Pending", "SCH-9": "7", "SCH-10": "s"},
    **dict.fromkeys(("AIS-7", "AIG-11", "AIL-9", "AIP-9"), "7"),
    **dict.fromkeys(("AIS-8", "AIG-12", "AIL-10", "AIP-10"), "h"),
    **{"TXA-3": "PDF", "TXA-17": "AU", "TXA-19": "OB", "FT1-6": "PY", "PRB-1": "DE", "PRB-13": "provisional", "PRB-14": "inactive"},
    **{"STF-7": "I", "MFE-1": "MDL", "RF1-11": "N7788", "MRG-5": "V-OLD", "MRG-6": "V-OLD", "MRG-3": "V-ACC"},
    **dict.fromkeys(("MRG-1", "MRG-4"), "C2^^^^IDCard"),
    **{"TQ1-4": "0830", "DG1-15": "2"},
    "OBR-8": "20260301111112",
    "SPM-17-collection.collectedPeriod": "20260301101112^20260301111112",
}
OWN |= {**dict.fromkeys(("PR1-8", "PR1-11", "PR1-12"), PERSON), "PR1-2": "I10", "PR1-7": "30", "PR1-20": "D"}
OWN |= {"EVN-3-extension": "20260305", "PV1-45-extension": "20260305"}
HEAD = "MSH|^~\\&|HIS|H1|C|C|20260302090000||{event}|M1|P|2.5"
CARRIER: dict[tuple[str, str], tuple[str, list[str], dict[str, str]]] = {
    ("MRG", "Patient"): ("ADT^A40", ["MRG|"], {}),
    ("MRG", "Encounter"): ("ADT^A45", ["MRG|||X-1"], {"MRG-6": "ADT^A51"}),
    ("MRG", "Account"): ("ADT^A44", ["MRG|||||X-1"], {}),
    ("EVN", "Encounter"): ("ADT^A01", ["EVN", "PV1||I|||||||||||||||||V1"], {"EVN-3": "ADT^A16"}),
    ("PV1", "Encounter"): ("ADT^A01", ["PV1||I|||||||||||||||||V1"], {"PV1-45": "ADT^A03", "PV1-45-extension": "ADT^A16"}),
    ("PV1", "Coverage"): ("ADT^A01", ["PV1||I|||||||||||||||||V1"], {}),
    ("PV2", "Encounter"): ("ADT^A01", ["PV1||I|||||||||||||||||V1", "PV2"], {}),
    ("PID", "Encounter"): ("ADT^A01", ["PV1||I"], {}),
    ("PID", "Coverage"): ("ADT^A01", ["PV1||I|||||||||||||||||V1"], {}),
    ("PID", "Patient"): ("ADT^A31", [], {}),
    ("NK1", "Patient"): ("ADT^A31", ["NK1||样家属"], {}),
    ("DG1", "Condition"): ("ADT^A01", ["PV1||I|||||||||||||||||V1", "DG1|1||D1"], {}),
    ("DG1", "Encounter"): ("ADT^A01", ["PV1||I|||||||||||||||||V1", "DG1|1||D1"], {}),
    ("PR1", "Procedure"): ("ADT^A01", ["PV1||I|||||||||||||||||V1", "PR1|1||P1"], {}),
    ("AL1", "AllergyIntolerance"): ("ADT^A60", ["AL1|1||P1^青霉素"], {}),
    ("IAM", "AllergyIntolerance"): ("ADT^A60", ["IAM|1||P1^青霉素"], {}),
    ("IN1", "Coverage"): ("ADT^A31", ["IN1|1|||样公司"], {}),
    ("SPM", "Specimen"): ("OML^O21", ["ORC|NW|P1", "OBR|1|P1||T1", "SPM|1"], {}),
    ("OBR", "Specimen"): ("OML^O21", ["ORC|NW|P1", "OBR|1|P1||T1", "SPM|1||||||||||||||||||||||||||||||||X"], {}),
    ("SCH", "Appointment"): ("SIU^S12", ["SCH||A1"], {"SCH-6": "SIU^S15"}),
    ("OBX", "DocumentReference"): ("MDM^T02", ["TXA|1|DS|TX|||||||||DOC1", "OBX|1|ED|T1||^application^pdf^Base64^QUJD"], {}),
    ("TXA", "DocumentReference"): ("MDM^T02", ["TXA|1|DS|||||||||||", "OBX|1|TX|T1||原文"], {"TXA-13": "MDM^T10"}),
    ("PRT", "ServiceRequest"): ("OML^O21", ["ORC||P1", "OBR|1|||T1", "PRT||UC||OP"], {}),
    ("ROL", "ServiceRequest"): ("OML^O21", ["ORC||P1", "OBR|1|||T1", "ROL||UC|OP"], {}),
    ("PRT", "MedicationRequest"): ("RDE^O11", ["ORC||P1", "RXE||X1", "PRT||UC||OP"], {}),
    ("ROL", "MedicationRequest"): ("RDE^O11", ["ORC||P1", "RXE||X1", "ROL||UC|OP"], {}),
    ("PRT", "Encounter"): ("ADT^A01", ["PV1||I|||||||||||||||||V1", "PRT||UC||AT"], {}),
    ("ROL", "Encounter"): ("ADT^A01", ["PV1||I|||||||||||||||||V1", "ROL||UC|AT"], {}),
    ("PRT", "DiagnosticReport"): ("ORU^R01", ["OBR|1||F1|T1", "PRT||UC"], {}),
    ("PRT", "Observation"): ("ORU^R01", ["OBR|1||F1|T1", "OBX|1||T1", "PRT||UC||PO"], {}),
    ("RF1", "ServiceRequest"): ("REF^I12", ["RF1|||||"], {}),
    ("MFE", "Practitioner"): ("MFN^M02", ["MFE|MAD", "STF|K1|S1|样名甲"], {}),
    ("STF", "Practitioner"): ("MFN^M02", ["MFE|MAD", "STF|K1||样名甲"], {}),
    ("STF", "PractitionerRole"): ("MFN^M02", ["MFE|MAD", "STF|K1|S1|样名甲"], {}),
    ("PRA", "PractitionerRole"): ("MFN^M02", ["MFE|MAD", "STF|K1|S1|样名甲", "PRA|K1"], {}),
    ("LOC", "HealthcareService"): ("MFN^M05", ["MFE|MAD", "LOC|W1"], {}),
}
BY_RESOURCE = {
    "ServiceRequest": ("OML^O21", ["ORC||P1", "OBR|1", "TQ1|1", "NTE|1", "DG1|1"]),
    "DiagnosticReport": ("ORU^R01", ["ORC", "OBR|1|||T1", "NTE|1"]),
    "Observation": ("ORU^R01", ["OBR|1||F1|T1", "OBX|1||T1", "NTE|1"]),
    "MedicationRequest": ("RDE^O11", ["ORC||P1", "RXO", "RXE", "RXR", "RXC|B|X9", "TQ1|1"]),
    "MedicationDispense": ("RDS^O13", ["ORC||P1", "RXD|1", "RXR"]),
    "MedicationAdministration": ("RAS^O17", ["ORC||P1", "RXA|0|1", "RXR"]),
    "Appointment": ("SIU^S12", ["SCH||A1", "TQ1", "NTE|1", "AIS|1", "AIG|1", "AIL|1", "AIP|1"]),
    "Condition": ("PPR^PC1", ["PRB|AD||P1", "NTE|1"]),
    "ChargeItem": ("DFT^P03", ["FT1|1"]),
}
BASE = {
    "ORC": "ORC||P1",
    "OBR": "OBR|1|||T1",
    "RXO": "RXO|X1",
    "RXE": "RXE||X1",
    "RXR": "RXR",
    "RXC": "RXC|B|X9|7|ml",
    "RXD": "RXD|1|X1",
    "RXA": "RXA|0|1",
}
BASE |= {"RXD": "RXD|1|X1", "RXA": "RXA|0|1|||X1|5", "TQ1": "TQ1|1", "NTE": "NTE|1", "DG1": "DG1|1"}
WITH = {
    "ServiceRequest": ("OML^O21", ["OBR"]),
    "DiagnosticReport": ("ORU^R01", ["OBR"]),
    "MedicationRequest": ("RDE^O11", ["RXO"]),
    "MedicationDispense": ("RDS^O13", ["RXD"]),
    "MedicationAdministration": ("RAS^O17", ["RXA"]),
}


LENGTHS = (("AIS", 4, 7), ("AIG", 8, 11), ("AIL", 6, 9), ("AIP", 6, 9))
ASIDE: dict[str, dict[str, str]] = {
    "PV1-50": {"PV1-19": ""},
    "PID-2": {},
    "PR1-5-performedPeriod.start": {"PR1-7": "30"},
    "PR1-7": {"PR1-5": "20260301101112"},
    "SCH-9": {"SCH-11": "^^^20260301101112"},
    "SCH-10": {"SCH-11": "^^^20260301101112", "SCH-9": "7"},
    "SCH-25": {"SCH-11": "^^^20260301101112"},
    **{f"{name}-{at}": {f"{name}-{start}": "20260301101112"} for name, start, at in LENGTHS},
    **{f"{name}-{at + 1}": {f"{name}-{start}": "20260301101112", f"{name}-{at}": "7"} for name, start, at in LENGTHS},
    "AIS-10": {"AIS-4": "20260301101112"},
    "TQ1-8": {"TQ1-7": "20260301080000"},
    "RXA-3": {"RXA-4": "20260301101112"},
    "RXA-4": {"RXA-3": "20260301091112"},
    "RXA-18": {"RXA-20": "RE"},
    "OBX-2": {"OBX-5": "7.5"},
    "OBR-8": {"OBR-7": "20260301101112"},
    "OBX-6": {"OBX-5": "7.5"},
    "STF-1": {"STF-2": ""},
    **{f"PRT-{n}-{element}": {"PRT-4": role} for n in (5, 8) for element, role in (("performer", "AP"), ("recorder", "EP"))},
    **{f"ROL-4-{element}": {"ROL-3": role} for element, role in (("performer", "AP"), ("recorder", "EP"))},
}
"""What else has to stand, or not to stand, in the segment for a field to count."""
ELSEWHERE = {"TXA-13", "RF1-1", "TQ1-12"}
"""Fields that need an earlier document or referral, or a second TQ1: tests/rooms/test_inbox_families.py tells their story."""


class Undone(Exception):
    """Ends a trial: nothing of it stays."""


def carrier(segment: str, resource: str) -> tuple[str, list[str]]:
    """A message that has this segment and makes this resource."""
    if (segment, resource) in CARRIER:
        event, lines, _ = CARRIER[segment, resource]
        return event, lines
    if resource in WITH:
        event, others = WITH[resource]
        drugs = segment in ("RXO", "RXE")
        lines = [BASE[name] for name in others if not drugs and name != segment]
        return event, [BASE[segment], *lines] if segment == "ORC" else [*lines, BASE[segment]]
    event, lines = BY_RESOURCE[resource]
    return event, [line for line in lines if line[:3] in (segment, lines[0][:3]) or resource in ("Observation",)]


def with_field(lines: list[str], segment: str, field: int, value: str) -> list[str]:
    """The lines with one field of the last such segment set."""
    made = list(lines)
    at = max(k for k, line in enumerate(made) if line[:3] == segment)
    parts = made[at].split("|")
    parts += [""] * (field + 1 - len(parts))
    parts[field] = value
    made[at] = "|".join(parts)
    return made


def trial(database: Database, event: str, lines: list[str]) -> dict[tuple[str, str], Resource]:
    """What a message makes, in a transaction that is undone."""
    pid = [line for line in lines if line.startswith("PID")] or ["PID|1||C1^^^^IDCard||测试甲||19300101|M"]
    if event.startswith("MFN"):
        pid = []
    text = "\r".join([HEAD.format(event=event), *pid, *(line for line in lines if not line.startswith(("PID", "MSH")))]) + "\r"
    message = Message(text)
    made: dict[tuple[str, str], Resource] = {}
    try:
        with database.writing(LINK, at=AT) as store:
            for reference in apply(store, message, read_header(message), PROFILE).made:
                type, _, id = reference.partition("/")
                made[type, id] = {key: value for key, value in store.read(type, id).items() if key not in ("meta", "text")}
            raise Undone
    except (Undone, Refusal):
        return made


def values_at(resource: Any, path: list[str]) -> list[str]:
    """What stands at an element, as text; ``value`` stands for each of its types."""
    if not path:
        return [str(resource)]
    if isinstance(resource, list):
        return [found for one in resource for found in values_at(one, path)]
    if not isinstance(resource, dict):
        return []
    keys = [key for key in resource if key == path[0] or (path[0] == "value" and key.startswith("value"))]
    return [found for key in keys for found in values_at(resource[key], path[1:])]


@pytest.fixture(scope="module")
def hospital_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Two people without citizen ids, a stay and an account of the second."""
    from healthsvc.rooms import ROOMS

    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('map')}/map.sqlite", rooms=ROOMS)
    with database.writing(LINK, at=AT) as store:
        for number, event, line in (
            ("C1", "ADT^A28", ""),
            ("C2", "ADT^A01", "PV1||I|||||||||||||||||V-OLD\r"),
            ("C2", "BAR^P01", "PV1||O|||||||||||||||||V-ACC\r"),
        ):
            head = HEAD.format(event=event).replace("20260302090000", "20260301080000")
            message = Message(f"{head}\rPID|1||{number}^^^^IDCard||测试{'甲' if number == 'C1' else '乙'}||19300101|M\r{line}")
            apply(store, message, read_header(message), PROFILE)
    yield database
    database.close()


def prepared(one: Entry, lines: list[str], value: str) -> tuple[list[str], list[str]]:
    """The lines without the field and with it; what it has to stand beside is in both."""
    if one.place == "TXA-3":
        lines = [line for line in lines if not line.startswith("OBX")]
    for place, beside in (ASIDE.get(one.place, {}) | ASIDE.get(f"{one.place}-{one.element}", {})).items():
        lines = with_field(lines, one.segment, int(place.partition("-")[2]), beside)
    for segment, resource, rows, _ in MAPS:
        main = [row.field for row in rows if one.field in row.also and row.element == one.element]
        if (segment, resource) == (one.segment, one.resource) and main:
            lines = with_field(lines, segment, main[0], "9")
    changed = with_field(lines, one.segment, one.field, value)
    if one.place == "PID-2":
        changed = with_field(changed, "PID", 3, "")
    return lines, changed


MAPPED = [(one, resource) for one in entries() for resource in [one.resource] if one.fate is Fate.MAPPED and one.place not in ELSEWHERE]


@pytest.mark.parametrize(("one", "resource"), MAPPED, ids=[f"{one.place}-{one.resource}.{one.element}" for one, _ in MAPPED])
def test_a_mapped_field_becomes_its_element(hospital_day: Database, one: Entry, resource: str) -> None:
    event, lines = carrier(one.segment, resource)
    others = CARRIER.get((one.segment, resource), ("", [], {}))[2]
    special = others.get(f"{one.place}-{one.element}") or others.get(one.place, "")
    if "^" in special:
        event = special
    if one.segment == "PID":
        lines = ["PID|1||C1^^^^IDCard||测试甲||19300101|M", *lines]
    kind = types(one.segment).get(one.field, "ST")
    value = OWN.get(f"{one.place}-{one.element}") or OWN.get(one.place) or VALUE.get(kind, "QX")
    lines, changed = prepared(one, lines, value)
    before, after = trial(hospital_day, event, lines), trial(hospital_day, event, changed)
    path = one.element.split(".")
    old = [text for (type, _), made in before.items() if type == resource for text in values_at(made, path)]
    new = [text for (type, _), made in after.items() if type == resource for text in values_at(made, path)]
    assert sorted(new) != sorted(old), f"{one.place} does not reach {resource}.{one.element}: {after}"


UNMAPPED = sorted({(segment, resource) for segment, resource, *_ in MAPS if not segment.startswith("MFE")})


@pytest.mark.parametrize(("segment", "resource"), UNMAPPED, ids=[f"{segment}-{resource}" for segment, resource in UNMAPPED])
def test_no_other_field_changes_anything(hospital_day: Database, segment: str, resource: str) -> None:
    mapped = {one.field for one in entries() if one.segment == segment and one.fate is Fate.MAPPED}
    event, lines = carrier(segment, resource)
    if segment == "PID":
        lines = ["PID|1||C1^^^^IDCard||测试甲||19300101|M", *lines]
    before = trial(hospital_day, event, lines)
    assert before or segment == "MRG" or (segment, resource) == ("PID", "Patient"), "the message makes something"
    changed = lines
    for field, kind in types(segment).items():
        if field not in mapped and f"{segment}-{field}" not in ELSEWHERE:
            changed = with_field(changed, segment, field, VALUE.get(kind, "QX"))
    assert trial(hospital_day, event, changed) == before


def whole(event: str, lines: list[str], control_id: str) -> str:
    """A message as it comes over the line."""
    pid = [line for line in lines if line.startswith("PID")] or ["PID|1||C1^^^^IDCard||测试甲||19300101|M"]
    text = [HEAD.format(event=event).replace("|M1|", f"|{control_id}|"), *([] if event.startswith("MFN") else pid)]
    return "\r".join([*text, *(line for line in lines if not line.startswith("PID"))]) + "\r"


def test_what_is_kept_is_found_again_by_whoever_starts_from_what_the_message_made(database: Database) -> None:
    """Every row of the page that says "kept": from a resource over its Provenance to the message, and the value in its field.

    Each message is about somebody else, so that it makes all of it anew.
    """
    hospital = Hospital(database)
    hospital.says("ADT^A28", "C2", name="测试甲")
    carriers: dict[str, str] = {}
    for segment, resource, *_ in MAPS:
        carriers.setdefault(segment, resource)
    lost: list[str] = []
    for segment, resource in carriers.items():
        kept = [one for one in entries() if one.segment == segment and one.fate is Fate.KEPT]
        event, lines = carrier(segment, resource)
        lines = {"MRG": ["MRG|C2^^^^IDCard"], "PID": ["PID|1||C1^^^^IDCard||测试甲||19300101|M|||样例路", *lines]}.get(segment, lines)
        for one in kept:
            lines = with_field(lines, segment, one.field, f"K{one.field}")
        told = whole(event, lines, f"K{segment}").replace("PID|1||C1^", f"PID|1||{segment}^").replace("|S1|", f"|S{segment}|")
        hospital.inbox.take_now(told.encode(), LISTEN, PEER)
        hospital.worker.drain()
        row = hospital.last()
        assert (row.state, row.control_id) == ("done", f"K{segment}")
        with database.reading(LINK, at=AT) as store:
            ways = {
                (made, one.message)
                for made in row.made.split()
                for one in origin(store, *made.split("/"), shelf=hospital.inbox.shelf)
                if one.control_id == f"K{segment}"
            }
            assert any(made.startswith(resource) for made, _ in ways), f"nothing leads from the {resource} to its message"
            for made, binary in ways:
                message = Message(b64decode(store.read("Binary", binary.partition("/")[2])["data"]).decode())
                lost += [f"{one.place} from {made}" for one in kept if message.all(segment)[-1][one.field].text != f"K{one.field}"]
    hospital.inbox.stop()
    assert lost == []


def test_of_the_header_only_what_is_said_is_used(hospital_day: Database) -> None:
    event, lines = "ADT^A31", ["PID|1||C1^^^^IDCard||测试甲||19300101|M|||样例路"]
    before = trial(hospital_day, event, lines)
    head = HEAD.format(event=event).split("|")
    head += [""] * (26 - len(head))
    for field in fields("MSH"):
        if field > 2 and field not in ENVELOPE:
            head[field - 1] = "QX"
    text = "|".join(head) + "\r" + lines[0] + "\r"
    made: list[str] = []
    try:
        with hospital_day.writing(LINK, at=AT) as store:
            made = apply(store, Message(text), read_header(Message(text)), PROFILE).made
            raise Undone
    except Undone:
        assert [f"{type}/{id}" for type, id in before] == made


def test_the_catalogue_lists_every_row_once() -> None:
    listed = [(one.segment, one.field, one.resource, one.element, one.note) for one in entries()]
    assert len(listed) == len(set(listed))
    rows = {(segment, row.field, resource, row.element) for segment, resource, table, _ in MAPS for row in table}
    assert rows <= {(one.segment, one.field, one.resource, one.element) for one in entries()}
