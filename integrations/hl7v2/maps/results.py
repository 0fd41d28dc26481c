"""Reports and results: OBR, ORC, OBX and NTE to DiagnosticReport and Observation; MFN to the directory. As their readers do it."""

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps.row import Row, View
from integrations.hl7v2.maps.take import concept, equipment, extended, number, organization, people, place, when

SECTIONS = frozenset({
    "AU", "BG", "BLB", "CG", "CH", "CP", "CT", "CTH", "CUS", "EC", "EN", "GE", "HM", "ICU", "IMG", "IMM", "LAB", "MB", "MCB", "MYC",
    "NMR", "NMS", "NRS", "OSL", "OT", "OTH", "OUS", "PAR", "PAT", "PF", "PHR", "PHY", "PT", "RAD", "RC", "RT", "RUS", "RX", "SP", "SR",
    "TX", "URN", "VR", "VUS", "XRC",
})  # fmt: skip
"""OBR-24 (table 0074). Any other word is the hospital's own."""
KIND_OF_SECTION = {
    **dict.fromkeys(("CT", "CUS", "IMG", "NMR", "NMS", "OUS", "RAD", "RUS", "RX", "VUS", "XRC"), "imaging"),
    **dict.fromkeys(("AU", "CTH", "EC", "EN", "PF"), "procedure"),
}
"""What the results of a section are (observation-category); those of all others, and where no section is told, are the laboratory's."""

OBR_REPORT = (
    Row(2, "identifier[]", note="PLAC; leads to the order: basedOn"),
    Row(3, "identifier[]", note="FILL; by which the report is known"),
    Row(4, "code", note="every triplet that has a code, each in its own system"),
    Row(7, "effectiveDateTime", note="where it is empty: SPM-17, OBR-14, the first OBX-14, OBR-22; extension time-from says which"),
    Row(8, "effectivePeriod.end", note="with OBR-7 as its start, where it is not before it"),
    Row(14, "effectiveDateTime", note="where OBR-7 and SPM-17 are empty"),
    Row(22, "issued", note="effectiveDateTime too where nothing nearer to the collection was sent"),
    Row(
        24,
        "category[].coding[].code",
        note="table 0074; LAB where it is empty, other words as text; by it results are imaging or procedure",
    ),
    Row(25, "status", note="table 0123; where it is empty the results decide"),
    Row(32, "resultsInterpreter[].display"),
)
ORC_REPORT = (Row(2, "identifier[]", note="where OBR-2 is empty"), Row(3, "identifier[]", note="where OBR-3 is empty"))
NTE_REPORT = (Row(3, "conclusion", note="before the first OBX"),)


def producer(segment: Segment, n: int, view: View) -> Resource | None:
    """OBX-15, who has made the result, where OBX-23 does not say it: v2.4 has no OBX-23."""
    words = None if segment[23] else concept(segment, n, view)
    return {"display": words["text"]} if words else None


OBX_MORE = (
    Row(15, "performer[]", producer, note="where OBX-23 is empty"),
    Row(16, "performer[]", people),
    Row(17, "method", concept),
    Row(18, "device", equipment, shown="device.identifier.value"),
    Row(19, "extension[]", extended("observation-analysis-date-time", "valueDateTime", when), shown="extension.valueDateTime"),
    Row(20, "bodySite", concept),
    Row(21, "identifier[]", number("", "result")),
    Row(23, "performer[]", organization),
)
OBX_OBSERVATION = (
    *OBX_MORE,
    Row(2, "value", note="how OBX-5 is read"),
    Row(3, "code", note="every triplet that has a code, each in its own system"),
    Row(4, "id", note="keeps results of one code apart"),
    Row(
        5,
        "value",
        note="Quantity with its digits where it is a number; Range and Ratio (SN, NR), Period (DR), concept, time; ED: presentedForm",
    ),
    Row(6, "valueQuantity.unit", note="its code and system too where OBX-6 says UCUM; an unescaped power of ten (10^9/L) is one unit"),
    Row(7, "referenceRange[].text", note="low and high where it is a range"),
    Row(8, "interpretation[]", note="by the link's own words; derived from the range where it is empty"),
    Row(11, "status", note="table 0085; D, W and X without a value mark the result on file, and what is not told again stays"),
    Row(14, "effectiveDateTime", note="of the report, too, where OBR-7, SPM-17 and OBR-14 are empty"),
)
PERFORMERS = frozenset({"", "AP", "AUT", "MDIR", "PO", "POMD", "RO", "SC", "TN"})
"""PRT-4 (table 0912): who takes part in making a result; whoever else stands in a PRT (asked for it, gets a copy) is kept verbatim."""
INTERPRETERS = frozenset({"AI", "PI"})
PRT_OBSERVATION = (
    Row(5, "performer[]", people, note="for roles of those who make it (PRT-4)"),
    Row(8, "performer[]", organization, note="likewise"),
    Row(9, "extension[]", extended("event-location", "valueReference", place), shown="extension.valueReference"),
    Row(10, "device", equipment, shown="device.identifier.value", note="where OBX-18 is empty"),
)
PRT_REPORT = (
    Row(5, "performer[]", people, note="for roles of those who make it (PRT-4); resultsInterpreter for PI and AI"),
    Row(8, "performer[]", organization, note="likewise"),
)
"""Of a PRT between its OBR and the first OBX."""
NTE_OBSERVATION = (Row(3, "note[].text", note="after its OBX"),)
STF_PRACTITIONER = (
    Row(1, "identifier[]", note="where STF-2 is empty"),
    Row(2, "identifier[]"),
    Row(3, "name[].text"),
    Row(7, "active"),
    Row(10, "telecom[]"),
)
STF_ROLE = (Row(8, "specialty[].text"), Row(18, "code[].text"))
PRA_ROLE = (Row(5, "specialty[].text"),)
LOC_SERVICE = (Row(1, "identifier[]"), Row(2, "name"))
MFE_PRACTITIONER = (
    Row(1, "active", note="MDL and MDC end it; MFE alone by its key (MFE-4), MAC takes it up again"),
    Row(4, "identifier[]", note="the key of the entry, where it is another than its number"),
)
