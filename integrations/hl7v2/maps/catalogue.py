"""The whole mapping in one list: for each segment and field the element that it becomes, or that it is kept verbatim, or dropped and why.

*Kept* means: no element is made of it, but the message stays in the database as it came, and every resource that it made leads to it
(Provenance, entity, Binary). *Dropped* is what is passed over on purpose even where somebody might look for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from hl7apy import load_library

from integrations.hl7v2.maps import care, drugs, orders, results, roles, visit
from integrations.hl7v2.maps.row import Row

VERSION = "2.6"
"""Version of the standard whose fields are listed: the newest whose structures are at hand."""
_SINCE = {"PRT": "2.8.2"}
"""Segments that came into the standard later."""


class Fate(StrEnum):
    """What becomes of a field."""

    MAPPED = "mapped"
    KEPT = "kept"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Entry:
    """One field, and one element that it becomes."""

    segment: str
    field: int
    name: str
    """Name of the field in the standard."""
    fate: Fate
    resource: str = ""
    element: str = ""
    note: str = ""

    @property
    def place(self) -> str:
        """The position as people write it: ``PID-3``."""
        return f"{self.segment}-{self.field}"


MAPS: tuple[tuple[str, str, tuple[Row, ...], str], ...] = (
    ("EVN", "Encounter", visit.EVN_ENCOUNTER, "ADT"),
    ("PID", "Patient", visit.PID_PATIENT, "every message about a person; A08 A28 A31 overwrite, all others only fill gaps"),
    ("PID", "Encounter", visit.PID_ENCOUNTER, "ADT"),
    ("PID", "Coverage", visit.PID_COVERAGE, "ADT"),
    ("NK1", "Patient", visit.NK1_PATIENT, "as PID"),
    ("MRG", "Patient", visit.MRG_PATIENT, "A40 A18 A30 A34 A36 A39 A43 A46 A47"),
    ("MRG", "Encounter", visit.MRG_ENCOUNTER, "A42 A45 A50 A51"),
    ("MRG", "Account", visit.MRG_ACCOUNT, "A35 A36 A41 A44 A49"),
    ("PV1", "Encounter", visit.PV1_ENCOUNTER, "ADT"),
    ("PV1", "Coverage", visit.PV1_COVERAGE, "ADT"),
    ("PV2", "Encounter", visit.PV2_ENCOUNTER, "ADT"),
    ("DG1", "Condition", visit.DG1_CONDITION, "ADT"),
    ("DG1", "Encounter", visit.DG1_ENCOUNTER, "ADT"),
    ("PR1", "Procedure", visit.PR1_PROCEDURE, "ADT, BAR P12"),
    ("AL1", "AllergyIntolerance", care.AL1_ALLERGY, "ADT"),
    ("IAM", "AllergyIntolerance", care.IAM_ALLERGY, "ADT"),
    ("IN1", "Coverage", visit.IN1_COVERAGE, "ADT"),
    ("ORC", "ServiceRequest", orders.ORC_REQUEST, "ORM OML OMG"),
    ("OBR", "ServiceRequest", orders.OBR_REQUEST, "ORM OML OMG"),
    ("TQ1", "ServiceRequest", orders.TQ1_REQUEST, "ORM OML OMG"),
    ("NTE", "ServiceRequest", orders.NTE_REQUEST, "ORM OML OMG"),
    ("DG1", "ServiceRequest", orders.DG1_REQUEST, "ORM OML OMG"),
    ("SPM", "Specimen", orders.SPM_SPECIMEN, "OML ORU OUL"),
    ("OBR", "Specimen", orders.OBR_SPECIMEN, "OML ORU OUL: one specimen"),
    ("OBR", "DiagnosticReport", results.OBR_REPORT, "ORU OUL"),
    ("ORC", "DiagnosticReport", results.ORC_REPORT, "ORU OUL"),
    ("NTE", "DiagnosticReport", results.NTE_REPORT, "ORU OUL"),
    ("OBX", "Observation", results.OBX_OBSERVATION, "ORU OUL"),
    ("NTE", "Observation", results.NTE_OBSERVATION, "ORU OUL"),
    ("PRT", "ServiceRequest", roles.PRT_SERVICE, "OML OMG ORM, before its results"),
    ("ROL", "ServiceRequest", roles.ROL_SERVICE, "OML OMG ORM, before its results"),
    ("PRT", "MedicationRequest", roles.PRT_MEDICATION, "OMP RDE"),
    ("ROL", "MedicationRequest", roles.ROL_MEDICATION, "OMP RDE"),
    ("PRT", "Encounter", roles.PRT_ENCOUNTER, "ADT and others, right behind PV1"),
    ("ROL", "Encounter", roles.ROL_ENCOUNTER, "ADT and others, right behind PV1"),
    ("PRT", "DiagnosticReport", results.PRT_REPORT, "ORU OUL, before the first OBX"),
    ("PRT", "Observation", results.PRT_OBSERVATION, "ORU OUL, after its OBX"),
    ("ORC", "MedicationRequest", drugs.ORC_MEDICATION, "OMP RDE, ORM with RXO"),
    ("RXO", "MedicationRequest", drugs.RXO_MEDICATION, "OMP RDE ORM"),
    ("RXE", "MedicationRequest", drugs.RXE_MEDICATION, "RDE: before RXO"),
    ("RXR", "MedicationRequest", drugs.RXR_MEDICATION, "OMP RDE ORM"),
    ("RXC", "MedicationRequest", drugs.RXC_MEDICATION, "OMP RDE ORM"),
    ("TQ1", "MedicationRequest", drugs.TQ1_MEDICATION, "OMP RDE ORM"),
    ("RXD", "MedicationDispense", drugs.RXD_DISPENSE, "RDS"),
    ("RXR", "MedicationDispense", drugs.RXR_DISPENSE, "RDS"),
    ("RXA", "MedicationAdministration", drugs.RXA_ADMINISTRATION, "RAS"),
    ("RXR", "MedicationAdministration", drugs.RXR_ADMINISTRATION, "RAS"),
    ("SCH", "Appointment", care.SCH_APPOINTMENT, "SIU"),
    ("TQ1", "Appointment", care.TQ1_APPOINTMENT, "SIU"),
    ("AIS", "Appointment", care.AIS_APPOINTMENT, "SIU"),
    ("AIG", "Appointment", care.AIG_APPOINTMENT, "SIU"),
    ("AIL", "Appointment", care.AIL_APPOINTMENT, "SIU"),
    ("AIP", "Appointment", care.AIP_APPOINTMENT, "SIU"),
    ("NTE", "Appointment", care.NTE_APPOINTMENT, "SIU"),
    ("TXA", "DocumentReference", care.TXA_DOCUMENT, "MDM"),
    ("OBX", "DocumentReference", care.OBX_DOCUMENT, "MDM"),
    ("PRB", "Condition", care.PRB_CONDITION, "PPR"),
    ("NTE", "Condition", care.NTE_CONDITION, "PPR"),
    ("RF1", "ServiceRequest", care.RF1_REFERRAL, "REF"),
    ("FT1", "ChargeItem", care.FT1_CHARGE, "DFT"),
    ("MFE", "Practitioner", results.MFE_PRACTITIONER, "MFN"),
    ("STF", "Practitioner", results.STF_PRACTITIONER, "MFN"),
    ("STF", "PractitionerRole", results.STF_ROLE, "MFN"),
    ("PRA", "PractitionerRole", results.PRA_ROLE, "MFN"),
    ("LOC", "HealthcareService", results.LOC_SERVICE, "MFN"),
)
"""Segment, resource, its table, and in which messages it holds."""

ENVELOPE = {
    3: "chooses the link; agent of the Provenance",
    4: "chooses the link; the hospital of identifiers",
    5: "chooses the link",
    6: "chooses the link",
    7: "orders messages about one thing in time; its offset holds for times that carry none",
    9: "activity of the Provenance",
    10: "identifier of the Provenance's entity; MSA-2 of the answer",
    12: "whether the answer has ERR",
    15: "in enhanced mode: which answers are wanted",
    16: "in enhanced mode: which answers are wanted",
    18: "character set, after UTF-8 and the link's own",
}
"""What of MSH is used, and for what: it makes no element of a person's file."""
DROPPED = {
    ("STF", 4): "type of staff: a site's own words",
    ("STF", 5): "a member of staff's own particulars are no business of ours",
    ("STF", 6): "a member of staff's own particulars are no business of ours",
    ("STF", 11): "a member of staff's own particulars are no business of ours",
    ("PID", 4): "alternate numbers repeat PID-3 in every feed seen; retired as of 2.3.1",
    ("PID", 10): "race: not recorded in China",
    ("PID", 17): "religion: not needed for care at home",
    ("PID", 22): "ethnic group in the sense of the United States; 民族 has no code here yet",
    ("PV1", 18): "no standard codes, and some sites mean treat first, pay later: the link's profile says where it means our channel",
    ("PV1", 21): "charge indicators: the hospital's own accounting",
    ("RXA", 21): "read as status; other action codes mean nothing here",
}
"""Fields that are passed over on purpose, and why. Set ids are too: they only count."""


_LATER = {
    "PR1": {11: "SURGEON", 12: "PROCEDURE_PRACTITIONER"},
    "SPM": {30: "ACCESSION_ID", 31: "OTHER_SPECIMEN_ID", 32: "SHIPMENT_ID"},
    "TXA": {24: "FOLDER_ASSIGNMENT", 25: "DOCUMENT_TITLE"},
}
"""Fields of later and of earlier versions that are read, too."""


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """Every field of every segment that any family reads, in the order of the standard."""
    return tuple(_entries())


def segments() -> list[str]:
    """The segments of the catalogue, in its order."""
    return ["MSH", *dict.fromkeys(segment for segment, *_ in MAPS)]


def sources(resource: str, element: str) -> list[Entry]:
    """The fields that an element of a resource may have come from (``Patient``, ``birthDate``)."""
    wanted = element.split(".")
    return [one for one in entries() if one.fate is Fate.MAPPED and one.resource == resource and _touches(one.element.split("."), wanted)]


def _touches(mapped: list[str], asked: list[str]) -> bool:
    """Whether one path lies within the other; ``value`` stands for each of its types."""
    for ours, theirs in zip(mapped, asked, strict=False):
        if ours != theirs and not (ours == "value" and theirs.startswith("value")):
            return False
    return True


def _entries() -> Iterator[Entry]:
    for position, name in fields("MSH").items():
        used = ENVELOPE.get(position)
        yield Entry("MSH", position, name, Fate.KEPT, note=used or "")
    for segment in segments()[1:]:
        tables = [(resource, rows, when) for name, resource, rows, when in MAPS if name == segment]
        for position, name in fields(segment).items():
            mapped = [
                (resource, row, when) for resource, rows, when in tables for row in rows if row.field == position or position in row.also
            ]
            for resource, row, when in mapped:
                note = "; ".join(part for part in (row.note, "" if row.field == position else f"with {segment}-{row.field}", when) if part)
                yield Entry(segment, position, name, Fate.MAPPED, resource, row.element, note)
            if not mapped:
                dropped = DROPPED.get((segment, position)) or ("only counts" if name.startswith("SET_ID") else "")
                yield Entry(segment, position, name, Fate.DROPPED if dropped else Fate.KEPT, note=dropped)


def fields(segment: str) -> dict[int, str]:
    """Position and name of every field of a segment, after the standard."""
    _, parts = load_library(_SINCE.get(segment, VERSION)).get(segment, "Segment")
    return dict(sorted(({int(name.rpartition("_")[2]): str(what[3]) for name, what, *_ in parts} | _LATER.get(segment, {})).items()))


def types(segment: str) -> dict[int, str]:
    """Position and data type of every field of a segment."""
    _, parts = load_library(_SINCE.get(segment, VERSION)).get(segment, "Segment")
    return {int(name.rpartition("_")[2]): str(what[2]) for name, what, *_ in parts}
