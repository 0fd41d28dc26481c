"""The visit beyond what moves it: PV1 and PV2 to Encounter; PV1-20, PID-35 and IN1 to Coverage; PID, NK1, MRG, DG1 as read."""

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_PARTICIPATION, extension
from integrations.hl7v2.er7 import Segment
from integrations.hl7v2.maps.row import Row, Take, View
from integrations.hl7v2.maps.take import concept, concepts, first, number, organization, people, person, text, when
from integrations.hl7v2.maps.words import words


def taking_part(code: str) -> Take:
    """A member of staff in a part of table v3 ParticipationType."""

    def take(segment: Segment, n: int, view: View) -> list[Resource]:
        typed = [{"coding": [{"system": V3_PARTICIPATION, "code": code}]}]
        return [{"type": typed, "individual": one} for one in people(segment, n, view)]

    return take


def performing(part: str) -> Take:
    """A member of staff who has done something, and as what."""

    def take(segment: Segment, n: int, view: View) -> list[Resource]:
        function = {"function": {"text": part}} if part else {}
        return [{**function, "actor": one} for one in people(segment, n, view)]

    return take


def planned(name: str) -> Take:
    """A moment that is only expected: R4 has no element for it."""

    def take(segment: Segment, n: int, view: View) -> Resource | None:
        moment = when(segment, n, view)
        return {"url": extension(name), "valueDateTime": moment} if moment else None

    return take


EXPECTED_URL = extension("expected-discharge")
EXPECTED_DISCHARGE = planned("expected-discharge")
PV1_MORE = (
    Row(4, "type[]", concepts),
    Row(5, "hospitalization.preAdmissionIdentifier", first(number("", "pre-admission"))),
    Row(8, "participant[]", taking_part("REF"), shown="participant.individual"),
    Row(9, "participant[]", taking_part("CON"), shown="participant.individual"),
    Row(10, "serviceType", concept),
    Row(13, "hospitalization.reAdmission", concept),
    Row(14, "hospitalization.admitSource", concept),
    Row(15, "hospitalization.specialArrangement[]", concepts),
    Row(17, "participant[]", taking_part("ADM"), shown="participant.individual"),
    Row(36, "hospitalization.dischargeDisposition", concept),
    Row(37, "hospitalization.destination", organization),
    Row(38, "hospitalization.dietPreference[]", concepts),
    Row(52, "participant[]", taking_part("PART"), shown="participant.individual"),
)
PV2_MORE = (
    Row(8, "extension[]", planned("expected-admission"), shown="extension"),
    Row(9, "extension[]", EXPECTED_DISCHARGE, shown="extension", note="when the discharge is expected; A25 takes it back"),
    Row(13, "participant[]", taking_part("REF"), shown="participant.individual"),
    Row(25, "priority", concept),
)
PV1_ENCOUNTER = (
    Row(2, "class", note="by the link's own words, code or text; A01, A06 and A07 say it where PV1-2 does not; in words as type.text too"),
    Row(3, "location[].location", note="the former places stay, completed"),
    *PV1_MORE,
    Row(7, "participant[].individual"),
    Row(16, "hospitalization.specialCourtesy[]", note="the hospital's own word, as text; our rights are added where our channel is open"),
    Row(19, "identifier[]", note="by which the visit is known; PV1-50 or PID-18 where empty; used again, it is another stay"),
    Row(44, "period.start"),
    Row(45, "period.end"),
    Row(45, "extension", note="A16: the expected discharge, where PV2-9 and EVN-3 are empty"),
    Row(50, "identifier[]", note="where PV1-19 is empty"),
)
EVN_ENCOUNTER = (
    Row(2, "period.start", note="A01, where PV1-44 and EVN-6 are empty; else it orders events of one visit"),
    Row(3, "extension", note="A16: the expected discharge, where PV2-9 is empty"),
    Row(6, "period.start", note="A01, where PV1-44 is empty; likewise the end of A03"),
)
PV2_ENCOUNTER = (Row(3, "reasonCode[]"), *PV2_MORE)
PV1_COVERAGE = (Row(20, "type.text", words, note="payment in the hospital's words"),)
PID_COVERAGE = (Row(35, "type.text", words, note="where PV1-20 is empty: Chinese feeds write the kind of payment here"),)
IN1_COVERAGE = (
    Row(1, "id", note="where IN1-2 and IN1-36 are empty"),
    Row(2, "identifier[]", number("", "insurance-plan")),
    Row(4, "payor[]", organization),
    Row(12, "period.start", when),
    Row(13, "period.end", when),
    Row(15, "type", concept),
    Row(36, "subscriberId", text),
)
PID_PATIENT = (
    Row(2, "identifier[]", note="where PID-3 is empty"),
    Row(3, "identifier[]", note="each repetition by the link's map; zeros alone are no number"),
    Row(5, "name[]"),
    Row(7, "birthDate", note="a year or a month where no more is sent and none is on file"),
    Row(8, "gender", note="by the link's table; 0 1 2 9 also as recorded (GB/T 2261.1)"),
    Row(11, "address[].text", note="a town or a district alone replaces no address with a street or a door"),
    Row(13, "telecom[]"),
    Row(14, "telecom[]"),
    Row(16, "maritalStatus", concept),
    Row(19, "identifier[]", note="citizen id, never a us-ssn"),
    Row(29, "deceasedDateTime", note="as exactly as it was told"),
    Row(30, "deceasedBoolean"),
)
PID_ENCOUNTER = (Row(18, "identifier[]", note="the account, where PV1-19 and PV1-50 are empty"),)
NK1_PATIENT = (
    Row(2, "contact[].name", note="the first next of kin"),
    Row(3, "contact[].relationship[]"),
    Row(5, "contact[].telecom[]"),
    Row(6, "contact[].telecom[]", note="where NK1-5 is empty"),
)
MRG_PATIENT = (
    Row(1, "link[]", note="the file of these numbers is replaced by that of PID-3; alone it becomes a further number"),
    Row(4, "link[]", note="as MRG-1"),
)
MRG_ENCOUNTER = (
    Row(
        5,
        "subject",
        note="A45: the visit goes over to the person of PID-3; A50: it is known under the number of PV1-19, too; A42: both are one visit",
    ),
    Row(6, "subject", note="A51: as MRG-5"),
)
MRG_ACCOUNT = (Row(3, "subject", note="A44: the account goes over to the person of PID-3; A35, A36, A41: it and that of PID-18 are one"),)
PR1_MORE = (
    Row(6, "category", concept),
    Row(8, "performer[]", performing("麻醉"), shown="performer.actor"),
    Row(11, "performer[]", performing("手术"), shown="performer.actor"),
    Row(12, "performer[]", performing(""), shown="performer.actor"),
    Row(15, "reasonCode[]", concepts),
    Row(19, "identifier[]", number("", "procedure")),
)
PR1_PROCEDURE = (
    Row(2, "code.coding[].system", note="where PR1-3.3 is empty"),
    Row(3, "code", note="every triplet that has a code, each in its own system"),
    Row(4, "code.text", note="where PR1-3 has no words"),
    Row(5, "performedDateTime", note="completed where it lies before the message, else in preparation; without it nobody knows"),
    Row(5, "performedPeriod.start", note="with PR1-7, where it is known to the minute"),
    Row(7, "performedPeriod.end", note="with PR1-5"),
    *PR1_MORE,
    Row(20, "status", note="D (delete) becomes entered-in-error"),
)
DG1_MORE = (
    Row(5, "onsetDateTime", when),
    Row(16, "asserter", person),
    Row(19, "recordedDate", when),
    Row(20, "identifier[]", number("", "diagnosis")),
)
DG1_ENCOUNTER = (
    Row(6, "diagnosis[].use", note="table 0052, and the words for admission and discharge: 入院诊断, 出院诊断"),
    Row(15, "diagnosis[].rank", note="1 is the main diagnosis"),
)
DG1_CONDITION = (
    *DG1_MORE,
    Row(21, "verificationStatus", note="D (delete) becomes entered-in-error"),
    Row(2, "code.coding[].system", note="where DG1-3.3 is empty"),
    Row(3, "code", note="every triplet that has a code, each in its own system"),
    Row(4, "code.text", note="where DG1-3 has no words"),
)
