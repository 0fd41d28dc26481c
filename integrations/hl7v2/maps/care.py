"""Appointments, documents, problems, allergies, referrals, charges: SCH and AI*, TXA, PRB, AL1 and IAM, RF1, FT1."""

from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps.row import Row, Take, View
from integrations.hl7v2.maps.take import (
    concept,
    concepts,
    decimal,
    first,
    instant,
    markdown,
    money,
    number,
    people,
    person,
    place,
    table,
    text,
    when,
)

APPOINTMENT_STATUS = {
    "BLOCKED": "booked", "BOOKED": "booked", "CANCELLED": "cancelled", "COMPLETE": "fulfilled", "DC": "cancelled",
    "DELETED": "entered-in-error", "DISCONTINUED": "cancelled", "NOSHOW": "noshow", "OVERBOOK": "booked", "PENDING": "pending",
    "STARTED": "checked-in", "WAITLIST": "waitlist",
}  # fmt: skip
"""SCH-25 and AIS-10 (table 0278) to appointmentstatus."""
DOCUMENT_COMPLETION = {
    "AU": "final", "DI": "preliminary", "DO": "preliminary", "IN": "preliminary", "IP": "preliminary", "LA": "final", "PA": "preliminary",
}  # fmt: skip
"""TXA-17 (table 0271) to composition-status."""
DOCUMENT_AVAILABILITY = {"AV": "current", "CA": "entered-in-error", "OB": "superseded", "UN": "current"}
"""TXA-19 (table 0273) to document-reference-status."""
MEDIA = {
    "AP": "application/octet-stream", "AU": "audio/basic", "FT": "text/plain", "IM": "image/jpeg", "PDF": "application/pdf",
    "RTF": "application/rtf", "SI": "text/plain", "TEXT": "text/plain", "TX": "text/plain", "HTML": "text/html", "XML": "application/xml",
}  # fmt: skip
"""TXA-3 (table 0191) and ED.2/ED.3 (tables 0191, 0291) to a media type."""
ALLERGY_CATEGORY = {
    "AA": "biologic", "DA": "medication", "EA": "environment", "FA": "food", "LA": "environment", "PA": "environment",
}  # fmt: skip
"""AL1-2 and IAM-2 (table 0127) to allergy-intolerance-category."""
CATEGORY_WORDS = {
    **dict.fromkeys(("药物", "药品", "药物过敏"), "medication"),
    **dict.fromkeys(("食物", "食品", "食物过敏"), "food"),
    **dict.fromkeys(("环境", "花粉", "环境过敏"), "environment"),
}
"""Words that Chinese feeds write in place of table 0127."""
CRITICALITY_WORDS = {**dict.fromkeys(("轻", "轻度", "轻微"), "low"), **dict.fromkeys(("重", "重度", "严重"), "high")}
"""Words in place of table 0128; moderate is no criticality."""
CRITICALITY = {"MI": "low", "SV": "high", "U": "unable-to-assess"}
"""AL1-4 and IAM-4 (table 0128) to allergy-intolerance-criticality."""
SEVERITY = {"MI": "mild", "MO": "moderate", "SV": "severe"}
"""IAM-4 (table 0128) to reaction-event-severity."""
CHARGE = {"CG": "billable", "CD": "not-billable", "PY": "billed", "AJ": "billable", "CO": "billed"}
"""FT1-6 (table 0017) to chargeitem-status; an unknown word is ``unknown``."""


def taking(what: Take, kind: str = "") -> Take:
    """A participant of an appointment who has said yes."""

    def take(segment: Segment, n: int, view: View) -> list[Resource]:
        found = what(segment, n, view)
        typed = {"type": [{"text": kind}]} if kind else {}
        every = found if isinstance(found, list) else [found] if found else []
        return [{**typed, "actor": one, "status": "accepted"} for one in every]

    return take


def basis(segment: Segment, n: int, view: View) -> list[Resource]:
    """A reference to an order by its number."""
    return [{"type": "ServiceRequest", "identifier": one} for one in number("")(segment, n, view)]


def reaction(segment: Segment, n: int, view: View) -> list[Resource]:
    """What happened, in words."""
    return [{"manifestation": [{"text": words}]} for words in text(segment, n, view).split("\n") if words]


def named(segment: Segment, n: int, view: View) -> Resource | None:
    """A piece of equipment, a department by its words: a reference that only displays."""
    found = concept(segment, n, view)
    return {"display": found["text"]} if found else None


SCH_APPOINTMENT = (
    Row(1, "identifier[]", number("PLAC", "appointment")),
    Row(2, "identifier[]", number("FILL", "appointment")),
    Row(6, "cancelationReason", note="for S15 and S16; of a no-show (S26) it is part of the comment; otherwise kept verbatim"),
    Row(7, "reasonCode[]", concepts),
    Row(8, "appointmentType", concept),
    Row(9, "end", note="with SCH-10, where no end is given"),
    Row(10, "end", note="unit of SCH-9: minutes unless it says s or h"),
    Row(11, "start", note="TQ.4"),
    Row(11, "end", note="TQ.5"),
    Row(12, "participant[]", taking(people, "placer contact"), shown="participant.actor"),
    Row(16, "participant[]", taking(people, "filler contact"), shown="participant.actor"),
    Row(20, "participant[]", taking(people, "entered by"), shown="participant.actor"),
    Row(
        25,
        "status",
        note="the link's own words, then table 0278; the event decides where it is empty, or calls off what this would let stand",
    ),
    Row(26, "basedOn[]", basis),
    Row(27, "basedOn[]", basis),
)
TQ1_APPOINTMENT = (Row(7, "start"), Row(8, "end"))
AIS_APPOINTMENT = (
    Row(3, "serviceType[]", concepts),
    Row(4, "start", note="the earliest of the resources, where SCH and TQ1 give none"),
    Row(7, "end", note="with AIS-8"),
    Row(8, "end", note="with AIS-7"),
    Row(10, "status", note="table 0278, where SCH-25 is empty"),
)
AIG_APPOINTMENT = (
    Row(3, "participant[]", taking(named), shown="participant.actor"),
    Row(8, "start", note="as AIS-4"),
    Row(11, "end", note="with AIG-12"),
    Row(12, "end", note="with AIG-11"),
)
AIL_APPOINTMENT = (
    Row(3, "participant[]", taking(place, "location"), shown="participant.actor"),
    Row(6, "start", note="as AIS-4"),
    Row(9, "end", note="with AIL-10"),
    Row(10, "end", note="with AIL-9"),
)
AIP_APPOINTMENT = (
    Row(3, "participant[]", taking(people), shown="participant.actor"),
    Row(6, "start", note="as AIS-4"),
    Row(9, "end", note="with AIP-10"),
    Row(10, "end", note="with AIP-9"),
)
NTE_APPOINTMENT = (Row(3, "comment", text),)
TXA_DOCUMENT = (
    Row(2, "type", concept),
    Row(3, "content.attachment.contentType", note="table 0191; the content's own word (OBX-5) counts first"),
    Row(4, "context.period.start", when),
    Row(5, "author[]", people),
    Row(6, "date", instant, note="where it is empty: MSH-7 of the first message"),
    Row(9, "author[]", people),
    Row(10, "authenticator", person),
    Row(12, "masterIdentifier", first(number("", "document"))),
    Row(13, "relatesTo[]", note="for T05, T06 (appends) and T09, T10 (replaces)"),
    Row(16, "identifier[]", number("", "document-file")),
    Row(17, "docStatus", table(DOCUMENT_COMPLETION)),
    Row(18, "securityLabel[]", concepts),
    Row(19, "status", note="table 0273; T11 is entered-in-error"),
    Row(25, "description", text),
)
OBX_DOCUMENT = (
    Row(5, "content[].attachment", note="the content as Binary, with its own right to be read"),
    Row(3, "content[].attachment.title", note="where the content is data"),
)
PRB_CONDITION = (
    Row(1, "verificationStatus", note="DE (delete) becomes entered-in-error"),
    Row(3, "code", concept),
    Row(4, "identifier[]", number("", "problem")),
    Row(7, "recordedDate", when),
    Row(9, "abatementDateTime", when),
    Row(13, "verificationStatus", note="confirmed unless it says provisional (疑似, 待查), differential (待排) or refuted (排除)"),
    Row(
        14,
        "clinicalStatus",
        note="active, inactive, resolved (治愈), recurrence (复发), remission (缓解) by its words; resolved where PRB-9 is given",
    ),
    Row(16, "onsetDateTime", when),
)
NTE_CONDITION = (Row(3, "note[]", markdown, shown="note.text"),)
AL1_ALLERGY = (
    Row(2, "category[]", table({**ALLERGY_CATEGORY, **CATEGORY_WORDS})),
    Row(3, "code", concept),
    Row(4, "criticality", table({**CRITICALITY, **CRITICALITY_WORDS})),
    Row(5, "reaction[]", reaction, shown="reaction.manifestation.text"),
    Row(6, "onsetDateTime", when),
)
IAM_ALLERGY = (
    Row(2, "category[]", table({**ALLERGY_CATEGORY, **CATEGORY_WORDS})),
    Row(3, "code", concept),
    Row(4, "criticality", table({**CRITICALITY, **CRITICALITY_WORDS})),
    Row(5, "reaction[]", reaction, shown="reaction.manifestation.text"),
    Row(6, "verificationStatus", note="D (delete) becomes entered-in-error"),
    Row(7, "identifier[]", number("", "allergy")),
    Row(11, "onsetDateTime", when),
    Row(13, "recordedDate", when),
    Row(14, "recorder", person),
    Row(17, "clinicalStatus", note="active unless table 0438 says inactive"),
)
RF1_REFERRAL = (
    Row(1, "status", note="of a referral of ours, named in RF1-11: A accepted, R refused"),
    Row(2, "priority"),
    Row(6, "id", note="by which the hospital's referral is known"),
    Row(7, "authoredOn"),
    Row(10, "note[].text", note="with the words of DG1 and NTE"),
    Row(11, "id", note="where RF1-6 is empty; one of ours is answered"),
)
FT1_CHARGE = (
    Row(2, "identifier[]", number("", "charge")),
    Row(4, "occurrenceDateTime", when),
    Row(
        6,
        "status",
        table(CHARGE, "unknown"),
        note="the link's own words, then table 0017; a payment is a ChargeItem that is billed, for its moment ends the wait at the till: "
        "PaymentReconciliation is a payer's word on the claims that a remittance settles, of which FT1 tells nothing",
    ),
    Row(7, "code", concept),
    Row(10, "quantity", lambda segment, n, view: {"value": value} if (value := decimal(segment, n, view)) is not None else None),
    Row(11, "priceOverride", money),
    Row(13, "performingOrganization", named),
    Row(19, "reason[]", concepts),
    Row(20, "performer[]", lambda segment, n, view: [{"actor": one} for one in people(segment, n, view)], shown="performer.actor"),
    Row(21, "enterer", person),
)
