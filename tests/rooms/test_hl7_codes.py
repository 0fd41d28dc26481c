"""Codes in the system that names them, and every one of them (CWE has three triplets); units as they were meant."""

from datetime import timedelta

import pytest
from hospital import AT, Hospital, segment

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, ICD10, LOINC, SNOMED, UCUM
from healthsvc.store import SYSTEM

OBR = "OBR|1||F1|BIO^生化^99LIS^24320-4^Basic metabolic panel^LN|||20260302070000||||||||||||||||||F"


def codings(concept: Resource) -> list[tuple[str, str]]:
    return [(one["system"].removeprefix(f"{BASE}/CodeSystem/hospital/"), one["code"]) for one in concept["coding"]]


def result(hospital: Hospital, patient: str, obx: str, obr: str = OBR) -> Resource:
    hospital.says("ORU^R01", "C1", obr, obx)
    [one] = hospital.select("Observation", patient=patient)
    return one


def test_a_result_keeps_every_code_in_its_own_system(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    negative = "260385009^Negative^SCT^NEG^阴性^HL70078"
    one = result(own_hospital, patient, f"OBX|1|CWE|HBSAG^乙肝表面抗原^99LIS^5195-3^HBsAg^LN||{negative}||||||F")
    own = own_hospital.code.lower()
    assert (codings(one["code"]), one["code"]["text"]) == ([(own, "HBSAG"), (LOINC, "5195-3")], "乙肝表面抗原")
    table = "http://terminology.hl7.org/CodeSystem/v2-0078"
    assert codings(one["valueCodeableConcept"]) == [(SNOMED, "260385009"), (table, "NEG")]
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert codings(report["code"]) == [(own, "BIO"), (LOINC, "24320-4")]


def test_a_code_that_stands_only_in_the_second_triplet_is_not_lost(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    one = result(own_hospital, patient, "OBX|1|NM|^^^2823-3^Potassium^LN||4.1|mmol/L||||F")
    assert (codings(one["code"]), one["code"]["text"]) == ([(LOINC, "2823-3")], "Potassium")


@pytest.mark.parametrize(
    ("sent", "unit", "code"),
    [
        ("mmol/L^毫摩尔每升^UCUM", "mmol/L", "mmol/L"),
        ("U/L^^99LIS^[IU]/L^^UCUM", "U/L", "[IU]/L"),
        ("mmol/L", "mmol/L", None),
        ("×10^9/L", "×10^9/L", None),
        ("10^12/L", "10^12/L", None),
    ],
)
def test_a_unit_is_coded_where_the_sender_says_so_and_a_power_of_ten_is_whole(
    own_hospital: Hospital, sent: str, unit: str, code: str | None
) -> None:
    patient, _ = own_hospital.cadre()
    value = result(own_hospital, patient, f"OBX|1|NM|W^值||4.1|{sent}|3.5-9.5||||F")["valueQuantity"]
    assert (value["unit"], value.get("code"), value.get("system")) == (unit, code, UCUM if code else None)


def test_a_marital_status_is_of_the_hospital_and_not_of_the_line(own_hospital: Hospital) -> None:
    own_hospital.cadre()
    own_hospital.says("ADT^A31", "C1", phone="|||20^已婚")
    assert codings(own_hospital.file("C1")["maritalStatus"]) == [(f"{own_hospital.code.lower()}/marital", "20")]
    own_hospital.says("ADT^A31", "C1", phone="|||M^Married^HL70002", at=AT + timedelta(hours=1))
    assert codings(own_hospital.file("C1")["maritalStatus"]) == [("http://terminology.hl7.org/CodeSystem/v2-0002", "M")]


def test_a_diagnosis_keeps_every_code(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    dx = "DG1|1|ICD10|I50.900^心力衰竭^^84114007^Heart failure^SCT||20260302|A"
    own_hospital.says("ADT^A01", "C1", segment("PV1", _2="I", _19="V1"), dx)
    [one] = own_hospital.select("Condition", patient=patient)
    assert codings(one["code"]) == [(ICD10, "I50.900"), (SNOMED, "84114007")]


@pytest.mark.parametrize(
    ("told", "category", "kind"),
    [
        ("", {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}]}, "laboratory"),
        ("CT", {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "CT"}]}, "imaging"),
        ("EC", {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "EC"}]}, "procedure"),
        ("检验科", {"text": "检验科"}, "laboratory"),
    ],
)
def test_a_section_is_a_code_only_where_the_table_has_it(own_hospital: Hospital, told: str, category: Resource, kind: str) -> None:
    patient, _ = own_hospital.cadre()
    one = result(own_hospital, patient, "OBX|1|TX|R^所见||无异常||||||F", f"OBR|1||F1|E^检查|||20260302070000{'|' * 17}{told}|F")
    assert one["category"][0]["coding"][0]["code"] == kind
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert report["category"] == [category]


def test_the_lines_of_a_note_are_lines(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("ORU^R01", "C1", OBR, "OBX|1|NM|K^钾||4.1||||||F", "NTE|1||复查~空腹\\.br\\采血")
    [one] = own_hospital.select("Observation", patient=patient)
    assert one["note"] == [{"text": "复查\n空腹\n采血"}]


def test_a_drug_that_is_stopped_by_an_orc_alone_is_stopped(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("OMP^O09", "C1", "ORC|NW|M1", "RXO|D1^示例片|1||片")
    own_hospital.says("ORM^O01", "C1", "ORC|DC|M1", at=AT + timedelta(hours=1))
    [one] = own_hospital.select("MedicationRequest", patient=patient)
    assert one["status"] == "stopped"


def test_a_department_that_charges_is_shown_by_its_name(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    own_hospital.says("DFT^P03", "C1", segment("FT1", _1="1", _2="T1", _4="20260302", _6="CG", _7="REG^挂号", _13="D1^内科"))
    [one] = own_hospital.select("ChargeItem", subject=f"Patient/{patient}")
    assert one["performingOrganization"] == {"display": "内科"}


@pytest.mark.parametrize(
    ("kind", "sent", "key", "value"),
    [
        ("TM", "0930", "valueTime", "09:30:00"),
        ("TM", "093015.25+0800", "valueTime", "09:30:15"),
        ("TM", "上午", "valueString", "上午"),
        ("DR", "20260301080000^20260302", "valuePeriod", {"start": "2026-03-01T08:00:00+08:00", "end": "2026-03-02"}),
        ("DR", "20260302^20260301", "valueString", "20260302^20260301"),
    ],
)
def test_a_time_and_a_period_are_what_they_are(own_hospital: Hospital, kind: str, sent: str, key: str, value: object) -> None:
    patient, _ = own_hospital.cadre()
    assert result(own_hospital, patient, f"OBX|1|{kind}|T^时间||{sent}||||||F")[key] == value


def test_a_range_of_numbers_is_a_range(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    found = result(own_hospital, patient, "OBX|1|NR|W^白细胞||3^5|/HP|||||F")["valueRange"]
    assert [str(found[end]["value"]) for end in ("low", "high")] == ["3", "5"]


def test_a_file_in_a_report_can_be_opened_and_goes_with_its_result(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    pdf = "OBX|2|ED|PDF^报告单||^AP^PDF^Base64^JVBERi0xLjQK||||||{}"
    own_hospital.says("ORU^R01", "C1", OBR, "OBX|1|NM|K^钾||4.1||||||F", pdf.format("F"))
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    [form] = report["presentedForm"]
    assert (form["contentType"], form["title"], form["size"]) == ("application/pdf", "报告单", 9)
    with own_hospital.database.reading(SYSTEM, at=AT) as store:
        kept = store.read("Binary", form["url"].partition("/")[2])
    assert (kept["data"], kept["securityContext"]) == ("JVBERi0xLjQK", {"reference": f"Patient/{patient}"})
    own_hospital.says("ORU^R01", "C1", OBR, "OBX|1|NM|K^钾||4.2||||||C", at=AT + timedelta(hours=1))
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert report["presentedForm"] == [form], "what is not told stays"
    own_hospital.says("ORU^R01", "C1", OBR, pdf.format("W"), at=AT + timedelta(hours=2))
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert "presentedForm" not in report


def test_a_file_that_cannot_be_unpacked_stays_with_the_message(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    one = result(own_hospital, patient, "OBX|1|ED|PDF^报告单||^AP^PDF^Base64^***||||||F")
    assert one["dataAbsentReason"] == {"text": "attachment kept with the message"}
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert "presentedForm" not in report


def test_when_it_ended_with_what_and_by_whom_it_was_made_is_told(own_hospital: Hospital) -> None:
    """OBR-8, OBX-18, OBX-19 and PRT as HL7's own maps have them; a later word without the end keeps it, one of another time does not."""
    patient, _ = own_hospital.cadre()
    timed = "OBR|1||F9|UR24^24小时尿蛋白|||20260301080000|{}"
    obx = "OBX|1|NM|UP^尿蛋白||0.31|g|||||F|||||||AU680^贝克曼|20260302093000"
    more = ("PRT|1|UC||TN|D7^章示例", "PRT|2|UC||RCT|D8^吴示例", "PRT|3|UC||EQUIP|||||AU9", "PRT|4|UC||PO||||^^|LAB^^^样检验科")
    own_hospital.says("ORU^R01", "C1", timed.format("20260302080000"), "PRT|1|UC||PI|D5^王示例", obx, *more)
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    span = {"start": "2026-03-01T08:00:00+08:00", "end": "2026-03-02T08:00:00+08:00"}
    assert report["effectivePeriod"] == span
    assert [one["display"] for one in report["resultsInterpreter"]] == ["王示例"]
    [one] = own_hospital.select("Observation", patient=patient, category="laboratory")
    assert (one["device"]["identifier"]["value"], [by["display"] for by in one["performer"]]) == ("AU680", ["章示例"])
    told = {extension["url"].rpartition("/")[2]: extension for extension in one["extension"]}
    assert told["observation-analysis-date-time"]["valueDateTime"] == "2026-03-02T09:30:00+08:00"
    assert set(told) == {"observation-analysis-date-time", "event-location"}
    own_hospital.says("ORU^R01", "C1", timed.format(""), obx.replace("0.31", "0.33"), at=AT + timedelta(hours=1))
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert (report["effectivePeriod"], "effectiveDateTime" in report) == (span, False)
    corrected = timed.replace("20260301080000", "20260301083000").format("") + "|" * 17 + "C"
    own_hospital.says("ORU^R01", "C1", corrected, obx, at=AT + timedelta(hours=2))
    [report] = own_hospital.select("DiagnosticReport", patient=patient)
    assert (report["effectiveDateTime"], "effectivePeriod" in report) == ("2026-03-01T08:30:00+08:00", False)


def test_who_orders_enters_carries_out_and_looks_after_is_read_from_prt_and_rol(own_hospital: Hospital) -> None:
    """What HL7 v2.7 took out of ORC and PV1 stands in PRT; earlier versions say it in ROL. What ORC says itself goes first."""
    orc, rxe = "ORC|NW|PR1", "RXE||X1^样药|1||g"
    own_hospital.says("RDE^O11", "C1", orc, rxe, "PRT|1|UC||OP|D1^赵示例", "PRT|2|UC||EP|D2^钱示例", "PRT|3|UC||VP|D3^孙示例")
    of = {"patient": own_hospital.file("C1")["id"]}
    [drug] = own_hospital.select("MedicationRequest", **of)
    assert (drug["requester"]["display"], drug["recorder"]["display"], "performer" in drug) == ("赵示例", "钱示例", False)
    own_hospital.says(
        "OML^O21", "C1", "ORC|NW|PR2||||||||||D4^李示例", "OBR|1|PR2||T1^样项", "ROL|1|UC|OP|D5^周示例", "ROL|2|UC|RT|D6^吴示例",
        "ROL|3|DE|RT|D7^郑示例", "OBX|1|NM|T1||5", "PRT|1|UC||OP|D8^王示例",
    )  # fmt: skip
    [asked] = own_hospital.select("ServiceRequest", **of)
    assert (asked["requester"]["display"], [one["display"] for one in asked["performer"]]) == ("李示例", ["吴示例"])
    visit = "PV1|1|I|W1||||D9^冯示例||||||||||||V1"
    team = ("ROL|1|UC|AT|D10^陈示例", "ROL|2|UC|CP|D11^褚示例", "PV2", "PRT|1|UC||RP|D12^卫示例")
    own_hospital.says("ADT^A01", "C1", "ROL|1|UC|PP|D0^蒋示例", visit, *team, "GT1|1", "ROL|1|UC|AD|D13^沈示例")
    [stay] = own_hospital.select("Encounter", **of)
    part = {one["type"][0]["coding"][0]["code"]: one["individual"]["display"] for one in stay["participant"]}
    assert part == {"ATND": "冯示例", "CON": "褚示例", "REF": "卫示例"}
    own_hospital.says("ADT^A08", "C1", visit.replace("D9^冯示例", ""), *team[:1])
    [stay] = own_hospital.select("Encounter", **of)
    assert stay["participant"][0]["individual"]["display"] == "陈示例"
