"""HL7 data types and messages beside HL7's own tables: which component becomes what, what is left, and why.

``take.py`` and ``values.py`` do the reading; a test holds them to this table component by component, and the table to HL7's.
"""

from dataclasses import dataclass, field

from integrations.hl7v2.maps.differences import NO_USE, OTHER_PLACE, SECURITY

VERSIONS = "kept verbatim: no feed seen names the version of its code list"
THIRD = "kept verbatim: a third coding has been seen in no feed"
ASSIGNER = "kept verbatim: whose number it is, the link and the field say"
CHECK_DIGIT = "kept verbatim: check digits of a hospital's own numbers are its own affair"
PERIODS = "kept verbatim: what was sent last is what holds"
FINER = "kept verbatim: a name on file is one text, split by our own rule for Chinese names"
AS_WORDS = "kept verbatim: staff of a hospital is a number and a name as words"
ABROAD = "kept verbatim: the persons live in the district"


@dataclass(frozen=True, slots=True)
class TypeMap:
    """One data type and the FHIR type that its fields become."""

    type: str
    becomes: str
    tables: tuple[str, ...]
    """HL7's tables that it is compared with; none: HL7 has none."""
    takes: dict[int, str]
    """Component to element."""
    left: dict[int, str] = field(default_factory=dict)
    """Components that HL7 maps and we do not, with the reason."""
    note: str = ""


_CODED = {1: "coding.code", 2: "coding.display", 3: "coding.system", 4: "coding.code", 5: "coding.display", 6: "coding.system"}
_LATER = {7: VERSIONS, 8: VERSIONS, **dict.fromkeys((10, 11, 12, 13), THIRD)}

TYPES: tuple[TypeMap, ...] = (
    TypeMap("CE", "CodeableConcept", ("CE[CodeableConcept]",), _CODED, note="text: the words of the first triplet that has some"),
    TypeMap("CWE", "CodeableConcept", ("CWE[CodeableConcept]",), {**_CODED, 9: "text"}, _LATER),
    TypeMap("CNE", "CodeableConcept", ("CNE[CodeableConcept]",), {**_CODED, 9: "text"}, _LATER),
    TypeMap(
        "CX",
        "Identifier",
        ("CX[Identifier]",),
        {1: "value", 4: "system", 5: "system"},
        {2: CHECK_DIGIT, 3: CHECK_DIGIT, 7: PERIODS, 8: PERIODS},
        "the system by the link's map of CX.5 and CX.4: local words mean something else at every hospital",
    ),
    TypeMap(
        "EI",
        "Identifier",
        ("EI[Identifier-Organization]",),
        {1: "value"},
        {2: ASSIGNER, 3: ASSIGNER, 4: ASSIGNER},
        "the system is the hospital's series of such numbers",
    ),
    TypeMap(
        "EIP",
        "Identifier",
        ("EIP[Identifier-PlacerAssignedIdentifier]", "EIP[Identifier-FillerAssignedIdentifier]"),
        {1: "value", 2: "value"},
        note="PLAC and FILL of table 0203",
    ),
    TypeMap(
        "XPN",
        "HumanName",
        ("XPN[HumanName]",),
        {1: "text", 2: "text", 3: "text"},
        {**dict.fromkeys((4, 5, 6, 7, 11, 14, 15), FINER), **dict.fromkeys((10, 12, 13), PERIODS)},
        "the Chinese one of several spellings; family and given are split by the list of compound family names",
    ),
    TypeMap(
        "XTN",
        "ContactPoint",
        ("XTN[ContactPoint]",),
        {1: "value", 2: "use", 3: "use", 6: "value", 7: "value", 8: "value", 9: "value", 12: "value"},
        {4: "kept verbatim: no mail goes to patients", 5: ABROAD, 13: PERIODS, 14: PERIODS, 18: NO_USE},
        "the first of 12, 1, 6 to 8 and 9 that holds a number: feeds write it anywhere",
    ),
    TypeMap(
        "XAD",
        "Address",
        ("XAD[Address]",),
        {1: "text", 2: "text", 3: "text", 4: "text", 5: "text", 7: "use"},
        {**dict.fromkeys((6, 9, 10, 19), ABROAD), **dict.fromkeys((12, 13, 14), PERIODS)},
        "one text as it is written in the country of its letters; of several the one typed H; a Chinese one without its postal code",
    ),
    TypeMap(
        "XCN",
        "Reference(Practitioner)",
        ("XCN[Practitioner]",),
        {1: "identifier.value", 2: "display", 3: "display"},
        {
            **dict.fromkeys((4, 5, 6, 7, 10, 11, 12, 13, 18, 21), AS_WORDS),
            9: ASSIGNER,
            **dict.fromkeys((17, 19, 20), PERIODS),
        },
    ),
    TypeMap(
        "PL",
        "Reference(Location)",
        ("PL[Location]",),
        {1: "identifier.value", 2: "display", 3: "display", 5: "display", 9: "display"},
        {4: ASSIGNER, 7: OTHER_PLACE, 8: OTHER_PLACE, 10: ASSIGNER, 11: ASSIGNER},
        "a ward with its words, room and bed, where HL7 makes up to six Locations; PL.5 holds the words in Chinese feeds",
    ),
    TypeMap(
        "XON",
        "Reference(Organization)",
        ("XON[Organization]",),
        {1: "display"},
        {3: ASSIGNER, 4: CHECK_DIGIT, 5: CHECK_DIGIT, 6: ASSIGNER, 7: ASSIGNER, 10: ASSIGNER},
    ),
    TypeMap("DR", "Period", ("DR[Period]",), {1: "start", 2: "end"}),
    TypeMap("DTM", "dateTime", ("DTM[dateTime]", "TS[dateTime]"), {1: "value"}, note="no more precise than it was sent"),
    TypeMap("NM", "Quantity", ("NM[Quantity]",), {1: "value"}, note="with the digits that were written"),
    TypeMap("SN", "Quantity", ("SN[Quantity]",), {1: "comparator", 2: "value"}, note="with a separator it is a text: valueString"),
    TypeMap("CQ", "Quantity", ("CQ[Quantity]",), {1: "value", 2: "unit"}),
    TypeMap(
        "SPS",
        "CodeableConcept",
        ("SPS[Specimen-Source]",),
        {1: "coding.code"},
        {**dict.fromkeys((2, 3, 6), NO_USE), 4: NO_USE},
        "Specimen.type; SPM says the rest where a laboratory has anything to say",
    ),
)

_ENVELOPE = "we keep a file, we pass no FHIR messages on; the Provenance names link, message and event"
_TRACE = "one Provenance for each message, by which every value leads to its segment"
_RELATIVES = "a relative is a contact of the Patient"
_TEAM = "kept verbatim: who looks after a person is the signed team's, not the hospital's"

MESSAGES: dict[tuple[str, str], str] = {
    **dict.fromkeys((("MSH", "Bundle"), ("MSH", "MessageHeader")), _ENVELOPE),
    **dict.fromkeys((("MSH", "Provenance"), ("EVN", "Provenance"), ("PID", "Provenance"), ("ORC", "Provenance")), _TRACE),
    **dict.fromkeys((("SCH", "Provenance"), ("SFT", "Provenance"), ("TXA", "Provenance")), _TRACE),
    ("MSH", "Encounter"): "the event decides the state of the Encounter; PV1 makes it",
    ("AIS", "ServiceRequest"): "the Appointment says what is done; no order is made from a booking",
    ("SCH", "ServiceRequest"): "the Appointment says what is done; no order is made from a booking",
    ("DG1", "EpisodeOfCare"): "an EpisodeOfCare is our home bed",
    ("IN2", "Coverage"): NO_USE,
    ("IN3", "Coverage"): NO_USE,
    ("IN3", "CareTeam"): _TEAM,
    ("NK1", "RelatedPerson"): _RELATIVES,
    ("NTE", "DocumentReference"): "kept verbatim: the document says it",
    **dict.fromkeys((("OBR", "SupplyRequest"), ("ODS", "SupplyRequest")), "kept verbatim: meals in hospital"),
    ("ORC", "Task"): "the ServiceRequest's own state says how far it is",
    **dict.fromkeys((("PD1", "Observation"), ("PD1", "Patient")), "kept verbatim: the signed contract says who looks after a person"),
    ("PID", "Account"): "an Account comes with BAR P01 and DFT P03",
    ("PID", "Appointment"): "the person takes part in the Appointment",
    **dict.fromkeys((("PRT", "CareTeam"), ("ROL", "CareTeam"), ("ROL", "Patient"), ("PRT", "Patient")), _TEAM),
    **dict.fromkeys((("PRT", "PractitionerRole"), ("PRT", "Device"), ("PRT", "RelatedPerson")), OTHER_PLACE),
    ("PV1", "Basic"): "the versions of the Encounter are its history",
    ("PV1", "Patient"): SECURITY,
}
"""What HL7's message tables make of a segment and we do not; vaccinations (VXU) are not among our messages."""
