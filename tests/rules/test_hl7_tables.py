"""HL7's own v2-to-FHIR tables beside ours: every difference is on our list with its reason, and nothing on the list is untrue."""

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

import healthsvc
from integrations.effects.result import REPORT_STATUS, RESULT_STATUS
from integrations.hl7v2.maps.care import ALLERGY_CATEGORY, APPOINTMENT_STATUS, CRITICALITY, SEVERITY
from integrations.hl7v2.maps.catalogue import Fate, entries
from integrations.hl7v2.maps.differences import CODES, ELSEWHERE, NOT_TAKEN
from integrations.hl7v2.maps.orders import ORDER_CONTROL, ORDER_STATUS, PRIORITY
from integrations.hl7v2.maps.page import markdown

pytestmark = pytest.mark.shared
NAME = re.compile(r"_ (\w+)\[([A-Za-z]+)[^\]]*\]")
ASIDE = {"OBX[Observation-Component]", "PV1[Basic-EncounterHistory]", "DG1[Encounter]", "DG1[EpisodeOfCare]"}
"""Tables of things that we do not make, components and histories as Basic, and that say of DG1 again what DG1[Condition] says."""


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.reader(opened))[2:]


def hl7_fields(shared: Path) -> dict[tuple[str, str], dict[int, set[str]]]:
    """Segment and resource to field to the elements that HL7 maps it to, without list indices and references."""
    found: dict[tuple[str, str], dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in (shared / "v2-to-fhir/mappings/segments").glob("*.csv"):
        named = NAME.search(file.name)
        if named is None or named.group()[2:] in ASIDE:
            continue
        for row in rows(file):
            at = re.fullmatch(rf"{named[1]}-(\d+)", row[1]) if len(row) > 9 and row[9] else None
            if at:
                found[named[1], named[2]][int(at[1])].add(re.sub(r"\[\d*\]|\(.*?\)|\$.*", "", row[9]).strip())
    return found


def our_fields() -> dict[tuple[str, str], dict[int, set[str]]]:
    found: dict[tuple[str, str], dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in entries():
        if one.fate is Fate.MAPPED:
            found[one.segment, one.resource][one.field].add(one.element)
    return found


def test_every_field_that_hl7_maps_and_we_do_not_is_listed_with_its_reason(shared: Path) -> None:
    theirs, ours = hl7_fields(shared), our_fields()
    both = set(theirs) & set(ours)
    assert len(both) >= 25
    missing = {pair: set(theirs[pair]) - set(ours[pair]) for pair in both}
    assert {pair: fields for pair, fields in missing.items() if fields} == {pair: set(fields) for pair, fields in NOT_TAKEN.items()}
    assert all(reason for fields in NOT_TAKEN.values() for reason in fields.values())


def test_every_field_that_we_put_elsewhere_is_listed_with_its_reason(shared: Path) -> None:
    theirs, ours = hl7_fields(shared), our_fields()
    other = {
        pair: {
            field
            for field in set(theirs[pair]) & set(ours[pair])
            if {path.split(".")[0] for path in theirs[pair][field]}.isdisjoint(path.split(".")[0] for path in ours[pair][field])
        }
        for pair in set(theirs) & set(ours)
    }
    assert {pair: fields for pair, fields in other.items() if fields} == {pair: set(fields) for pair, fields in ELSEWHERE.items()}


@pytest.mark.parametrize(
    ("table", "ours"),
    [
        ("OrderControlCode[ServiceRequest.status]", ORDER_CONTROL),
        ("OrderStatus", ORDER_STATUS),
        ("FillerStatusCodes[Appointment]", APPOINTMENT_STATUS),
        ("ExtendedPriorityCodes", PRIORITY),
        ("ResultStatus[Non-Queries]", REPORT_STATUS),
        ("ObservationResultStatusCodesInterpretation", RESULT_STATUS),
        ("AllergenType[AllergyIntoleranceCategory]", ALLERGY_CATEGORY),
        ("AllergySeverity[AllergyIntolerance.criticality]", CRITICALITY),
        ("AllergySeverity[AllergyIntolerance.reaction.severity]", SEVERITY),
    ],
)
def test_codes_are_hl7s_own_but_for_what_is_listed(shared: Path, table: str, ours: dict[str, str]) -> None:
    [file] = (shared / "v2-to-fhir/mappings/codesystems").glob(f"HL7 Concept Map_ {table.replace('[', '[[]', 1)} - *.csv")
    lines = rows(file)
    theirs = {}
    for row in lines:
        cells = [cell for cell in row if cell]
        target = next((k for k, cell in enumerate(cells) if cell.startswith("http://hl7.org/fhir/")), None)
        if len(cells) > 3 and target is not None and target >= 4:
            code = cells[target - 2]
            theirs[cells[0].upper()] = cells[target - 1].lower() if " " in code or code.startswith("HL7") else code
    listed = CODES.get(table, {})
    assert {code for code in ours if ours[code] != theirs.get(code)} == set(listed), theirs
    assert {code for code in theirs if code not in ours} == set(), "HL7 maps a code that we do not know"
    for code, reason in listed.items():
        assert reason.partition(":")[0] == ours.get(code, "unknown"), code


def test_the_page_in_the_help_is_the_tables_own() -> None:
    page = Path(healthsvc.__file__).parent / "docs" / "hl7-mapping.md"
    assert page.read_text(encoding="utf-8") == markdown(), "healthsvc hl7 mapping --markdown > healthsvc/docs/hl7-mapping.md"
