"""Where we differ from HL7's own v2-to-FHIR tables, and why. A test reads those tables and fails where this list is not the whole truth."""

NO_USE = "kept verbatim: nothing in the care at home reads it"
OTHER_PLACE = "kept verbatim: the resource for it (Medication, Device, PractitionerRole, RelatedPerson) is not kept for hospitals"
TIMES = "one start and end for the whole appointment, not one for each resource: what matters here is when the person is not at home"
ORDER_TIMES = "kept verbatim: of an order's timing only start, end, how often, at what hours and how many are used"
SECURITY = "kept verbatim: who may read is decided by the person's compartment, not by the sender's label"
FORMER = "kept verbatim: former and planned places are not places; the stay's own history has the former ones"
CONTACT = "kept verbatim: a contact is a name, a relation, a telephone"
SECOND_NUMBER = "kept verbatim: one pair of numbers identifies the order"

NOT_TAKEN: dict[tuple[str, str], dict[int, str]] = {
    ("AIG", "Appointment"): {4: NO_USE, 9: TIMES},
    ("AIL", "Appointment"): {7: TIMES},
    ("AIP", "Appointment"): {4: NO_USE, 7: TIMES, 12: NO_USE},
    ("AIS", "Appointment"): {5: TIMES},
    ("DG1", "Condition"): {22: NO_USE},
    ("IAM", "AllergyIntolerance"): {12: NO_USE, 15: OTHER_PLACE, 27: NO_USE},
    ("IN1", "Coverage"): dict.fromkeys((5, 10, 11, 16, 17, 49), NO_USE),
    ("NK1", "Patient"): dict.fromkeys(
        (4, 7, 8, 9, 13, 15, 30, 31, 32, 40, 41), "kept verbatim: a contact is a name, a relation, a telephone"
    ),
    ("NTE", "Appointment"): dict.fromkeys((4, 5, 6, 9), NO_USE),
    ("NTE", "Observation"): dict.fromkeys((5, 6), NO_USE),
    ("NTE", "ServiceRequest"): dict.fromkeys((5, 6), NO_USE),
    ("OBR", "DiagnosticReport"): {34: OTHER_PLACE, 35: OTHER_PLACE},
    ("OBR", "ServiceRequest"): {11: NO_USE, 17: OTHER_PLACE, 29: SECOND_NUMBER, 53: SECOND_NUMBER},
    ("OBR", "Specimen"): {2: SECOND_NUMBER, 8: "kept verbatim: SPM-17 has the span", 13: NO_USE, 39: NO_USE},
    ("OBX", "Observation"): {
        **dict.fromkeys((10, 30, 33), NO_USE),
        **dict.fromkeys((24, 25), OTHER_PLACE),
        29: "kept verbatim: all results of a laboratory have the category laboratory",
    },
    ("ORC", "DiagnosticReport"): {4: SECOND_NUMBER, 16: NO_USE, 28: SECURITY},
    ("ORC", "ServiceRequest"): {
        **dict.fromkeys((14, 16), NO_USE),
        **dict.fromkeys((21, 22, 23, 24), OTHER_PLACE),
        28: SECURITY,
        33: SECOND_NUMBER,
        38: SECOND_NUMBER,
    },
    ("PID", "Patient"): {
        4: "dropped: repeats PID-3 in every feed seen",
        **dict.fromkeys((6, 9, 12, 15, 20, 23, 24, 25, 26, 28, 36, 39), NO_USE),
        17: "dropped: religion is not needed",
        21: NO_USE,
        35: "Chinese feeds write the kind of payment here: it becomes Coverage.type",
        40: "kept verbatim: PID-13 and PID-14 have the telephones in every feed seen",
    },
    ("PR1", "Procedure"): {16: NO_USE, 23: OTHER_PLACE, 25: NO_USE},
    ("PRT", "Observation"): {14: "kept verbatim: the address of a place in hospital"},
    ("PV1", "Encounter"): {6: FORMER, 11: FORMER, 40: NO_USE, 42: FORMER, 53: NO_USE, 54: NO_USE},
    ("PV2", "Encounter"): {1: FORMER, **dict.fromkeys((11, 12, 38), NO_USE), 22: SECURITY},
    ("ROL", "Encounter"): {
        **dict.fromkeys((1, 5, 6, 11, 12, 13, 14), NO_USE),
        3: "says in which part of the visit ROL-4 stands (participant.type); no piece of its own",
    },
    ("RXO", "MedicationRequest"): dict.fromkeys((5, 18, 19, 25, 26), OTHER_PLACE),
    ("SPM", "Specimen"): {3: NO_USE},
    ("TQ1", "MedicationRequest"): dict.fromkeys((5, 6, 13), ORDER_TIMES),
    ("TQ1", "ServiceRequest"): dict.fromkeys((2, 3, 4, 5, 6, 8, 13, 14), ORDER_TIMES),
}
"""Fields that HL7 maps to this resource and we do not."""

ELSEWHERE: dict[tuple[str, str], dict[int, str]] = {
    **{
        (name, "Appointment"): dict.fromkeys(at, TIMES)
        for name, at in {"AIG": (8, 11), "AIL": (6, 9), "AIP": (6, 9), "AIS": (4, 7)}.items()
    },
    ("MRG", "Account"): {3: "the account goes over to the other person, instead of getting the former number as one of its own"},
    ("NTE", "Appointment"): {3: "R4 has Appointment.comment; HL7 writes an extension"},
    ("OBR", "ServiceRequest"): {13: "a note, where HL7 writes an R5 extension", 27: "of TQ only the start"},
    ("OBR", "Specimen"): {15: "SPS.1 is the kind of specimen"},
    ("OBX", "Observation"): {4: "keeps results of one code apart (id); we make no components of it", 5: "value[x] by what OBX-5 is"},
    ("ORC", "ServiceRequest"): {7: "of TQ only the start"},
    ("RXO", "MedicationRequest"): {1: "medicationCodeableConcept, where HL7 makes a Medication"},
    ("SCH", "Appointment"): {9: "the end follows from it", 11: "of TQ start and end"},
    ("TQ1", "MedicationRequest"): {11: "the text is the dosage's, not the request's narrative"},
    ("TQ1", "ServiceRequest"): {7: "occurrenceDateTime: a start without an end"},
}
"""Fields that HL7 maps to another element of this resource."""

CODES: dict[str, dict[str, str]] = {
    "OrderControlCode[ServiceRequest.status]": {
        "CA": "revoked: HL7 keeps a cancel request active until the other side agrees; here the hospital that asks is the one that acts",
        "DE": "entered-in-error: data errors mean that the order never was",
        "HD": "on-hold: as for CA, the request to hold holds",
        "OE": "active: released",
        "OR": "active: released",
        "RP": "active: the replacing order",
        "SN": "active: an order that still lacks its number",
        "UA": "revoked: nobody will do it",
        "XO": "active: changed",
        "XR": "active: changed",
        "XX": "active: changed",
    },
    "OrderStatus": {"A": "active: some results are there (HL7 has no word)"},
    "FillerStatusCodes[Appointment]": {
        "BLOCKED": "booked: the time is taken",
        "DC": "cancelled: the short form of Discontinued that feeds send",
        "DISCONTINUED": "cancelled: HL7 has no word; it will not go on",
        "OVERBOOK": "booked: it takes place all the same",
    },
    "AllergySeverity[AllergyIntolerance.criticality]": {"U": "unable-to-assess: HL7 leaves unknown out"},
    "ExtendedPriorityCodes": {"P": "urgent", "C": "urgent", "T": "urgent"},
    "ResultStatus[Non-Queries]": {"A": "partial: some results are there"},
    "ObservationResultStatusCodesInterpretation": {
        "I": "registered: results are awaited",
        "O": "registered: no result",
        "R": "preliminary: not verified",
        "S": "preliminary: partial",
        "B": "amended: further information on a final result (HL7 has no word)",
        "U": "final: results sent before have become final; without a value the one on file stands",
        "V": "final: confirmed (HL7 has no word); without a value the one on file stands",
    },
}
"""Codes that HL7 maps otherwise or not at all, and to what we map them."""
