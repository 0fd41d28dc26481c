"""Orders and specimens: ORC, OBR, TQ1, NTE and DG1 to ServiceRequest; SPM and OBR to Specimen."""

from integrations.hl7v2.maps.row import Row
from integrations.hl7v2.maps.take import (
    collected,
    collected_period,
    concept,
    concepts,
    entity_pair,
    first,
    markdown,
    number,
    person,
    source_type,
    table,
    timing,
    volume,
    when,
)

ORDER_CONTROL = {
    "AF": "active", "CA": "revoked", "CR": "revoked", "DC": "revoked", "DE": "entered-in-error", "DF": "revoked", "DR": "revoked",
    "FU": "completed", "HD": "on-hold", "HR": "on-hold", "NW": "active", "OC": "revoked", "OD": "revoked", "OE": "active",
    "OH": "on-hold", "OK": "active", "OR": "active", "PR": "active", "PY": "active", "RL": "active", "RO": "active", "RP": "active",
    "RQ": "active", "SN": "active", "UA": "revoked", "XO": "active", "XR": "active", "XX": "active",
}  # fmt: skip
"""ORC-1 (table 0119) to request-status."""
ORDER_STATUS = {
    "A": "active", "CA": "revoked", "CM": "completed", "DC": "revoked", "ER": "entered-in-error", "HD": "on-hold", "IP": "active",
    "RP": "revoked", "SC": "active",
}  # fmt: skip
"""ORC-5 (table 0038) to request-status."""
PRIORITY = {"S": "stat", "A": "asap", "R": "routine", "P": "urgent", "C": "urgent", "T": "urgent"}
"""OBR-5, TQ1-9 and RF1-2 (tables 0027, 0280, 0485) to request-priority."""
URGENCY = {
    **PRIORITY,
    **dict.fromkeys(("急", "急诊", "加急", "紧急", "特急"), "urgent"),
    **dict.fromkeys(("普通", "常规", "一般"), "routine"),
}
"""The same with the words that Chinese feeds write there."""
SPECIMEN_STATUS = {"Y": "available", "N": "unavailable"}

ORC_REQUEST = (
    Row(1, "status", note="table 0119; counts where ORC-5 says nothing; PR tells of earlier results and makes no order"),
    Row(2, "identifier[]", number("PLAC")),
    Row(3, "identifier[]", number("FILL")),
    Row(4, "requisition", first(number("PGN"))),
    Row(5, "status", note="table 0038"),
    Row(7, "occurrenceDateTime", timing(4), note="TQ.4 alone; the other parts are kept verbatim"),
    Row(9, "authoredOn", when),
    Row(12, "requester", person),
    Row(29, "locationCode[]", concepts),
)
OBR_REQUEST = (
    Row(2, "identifier[]", number("PLAC")),
    Row(3, "identifier[]", number("FILL")),
    Row(4, "code", concept),
    Row(5, "priority", table(URGENCY)),
    Row(6, "occurrenceDateTime", when),
    Row(13, "note[]", markdown, shown="note.text", note="relevant clinical information"),
    Row(16, "requester", person),
    Row(27, "occurrenceDateTime", timing(4), note="TQ.4 alone; the other parts are kept verbatim"),
    Row(31, "reasonCode[]", concepts),
    Row(46, "orderDetail[]", concepts),
    Row(47, "orderDetail[]", concepts),
)
TQ1_REQUEST = (
    Row(7, "occurrenceDateTime", when, note="where the order itself gives no time"),
    Row(9, "priority", table(URGENCY)),
    Row(11, "note[]", markdown, shown="note.text"),
)
NTE_REQUEST = (Row(3, "note[]", markdown, shown="note.text"),)
DG1_REQUEST = (Row(3, "reasonCode[]", concepts),)
SPM_SPECIMEN = (
    Row(2, "identifier[]", entity_pair),
    Row(4, "type", concept),
    Row(6, "container[].additiveCodeableConcept", concept),
    Row(7, "collection.method", concept),
    Row(8, "collection.bodySite", concept),
    Row(12, "collection.quantity", volume),
    Row(14, "note[]", markdown, shown="note.text"),
    Row(17, "collection.collectedDateTime", collected),
    Row(17, "collection.collectedPeriod", collected_period),
    Row(18, "receivedTime", when),
    Row(20, "status", table(SPECIMEN_STATUS)),
    Row(24, "condition[]", concepts),
    Row(27, "container[].type", concept),
    Row(30, "accessionIdentifier", first(number("ACSN", "accession"))),
    Row(31, "identifier[]", number("", "specimen")),
    Row(32, "identifier[]", number("", "specimen-shipment")),
)
OBR_SPECIMEN = (
    Row(7, "collection.collectedDateTime", when),
    Row(9, "collection.quantity", volume),
    Row(10, "collection.collector", person),
    Row(14, "receivedTime", when),
    Row(15, "type", source_type),
)
