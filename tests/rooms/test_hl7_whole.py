"""Messages as the standard draws them: every segment and every field of a structure, and each note, route and result where it belongs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hl7apy import load_library
from hospital import AT, Hospital

from healthsvc.fhir.systems import hospital_number
from healthsvc.store import SYSTEM
from integrations.effects.event import apply
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import read_header
from integrations.hospitals.shelf import load

LIBRARY = load_library("2.5")
STRUCTURES = {
    **dict.fromkeys(("ADT^A01", "ADT^A04", "ADT^A08"), "ADT_A01"),
    **dict.fromkeys(("ADT^A05", "ADT^A28", "ADT^A31"), "ADT_A05"),
    **{"ADT^A02": "ADT_A02", "ADT^A03": "ADT_A03", "ADT^A06": "ADT_A06", "ADT^A13": "ADT_A01", "ADT^A12": "ADT_A12"},
    **{"ORU^R01": "ORU_R01", "OUL^R21": "OUL_R21", "OUL^R22": "OUL_R22", "OUL^R23": "OUL_R23", "OUL^R24": "OUL_R24"},
    **{"ORM^O01": "ORM_O01", "OML^O21": "OML_O21", "OMP^O09": "OMP_O09", "RDE^O11": "RDE_O11", "RDS^O13": "RDS_O13"},
    **{"RAS^O17": "RAS_O17", "MDM^T01": "MDM_T01", "MDM^T02": "MDM_T02", "REF^I12": "REF_I12", "PPR^PC1": "PPR_PC1"},
    **{"DFT^P03": "DFT_P03", "BAR^P01": "BAR_P01", "MFN^M02": "MFN_M02"},
    **dict.fromkeys((f"SIU^{event}" for event in ("S12", "S13", "S14", "S15", "S16", "S17", "S26")), "SIU_S12"),
}
BY_TYPE = {"TS": "20260301101112", "DT": "20260301", "TM": "1011", "NM": "7", "SI": "1", "DR": "20260302101112^20260301101112"}
"""The period is one that ends before it begins."""
OWN = {
    **{"PID-3": "{card}^^^^IDCard", "PID-5": "样例甲", "PID-7": "19300101", "PID-8": "M", "PID-19": "", "PID-29": "", "PID-30": "N"},
    **{"PV1-2": "O", "PV1-19": "V{card}", "PV1-45": "", "OBX-2": "ST", "OBX-5": "样值", "ORC-1": "NW", "ORC-5": "IP", "SCH-2": "{card}"},
    **{"PRB-1": "AD", "IN1-12": "20260301", "IN1-13": "20260201", "STF-2": "N{card}", "STF-3": "样例乙", "RF1-2": "R", "RF1-11": ""},
}
CHOICES = {"ORM_O01_OBRRQDRQ1RXOODSODT_SUPPGRP": "RXO"}


def lines(structure: Any, card: str) -> Iterator[str]:
    """Every segment of a structure once, every field filled."""
    for name, within, _, kind in structure[1]:
        if within is None:  # the library's list of everything that an order detail may be
            continue
        if name in CHOICES:
            yield from lines((None, [one for one in within[1] if one[0] == CHOICES[name]]), card)
        elif kind == "GRP" or (within[1] and not within[1][0][0].startswith(name)):
            yield from lines(within, card)
        elif name != "MSH" and within[1]:
            fields = {int(field.rpartition("_")[2]): what for field, what, *_ in within[1]}
            values = {n: OWN.get(f"{name}-{n}", BY_TYPE.get(what[2], f"QX{n}^样词{n}")) for n, what in fields.items()}
            yield "|".join([name, *(values.get(n, "") for n in range(1, max(fields) + 1))]).replace("{card}", card)


def says(hospital: Hospital, event: str, number: str, *segments: str, hours: int = 0) -> str:
    assert hospital.says(event, number, *segments, at=AT + timedelta(hours=hours)) == "AA"
    row = hospital.last()
    assert row.state == "done", (event, row.reason, row.place, row.remark)
    return str(row.remark or "")


def test_every_structure_with_every_segment_and_field_has_its_effect(own_hospital: Hospital) -> None:
    states = {}
    for turn, (event, structure) in enumerate(STRUCTURES.items()):
        head = f"MSH|^~\\&|HIS|{own_hospital.code}|C|C|20260302090000||{event}^{structure}|W{turn}|P|2.5"
        text = "\r".join([head, *lines(LIBRARY.MESSAGES[structure], f"W{turn}"), ""])
        own_hospital.inbox.take_now(text.encode(), "127.0.0.1:2575", "127.0.0.1")
        own_hospital.worker.drain()
        row = own_hospital.last()
        states[event] = (row.control_id, row.state, row.place, row.remark if row.state != "done" else "")
    assert states == {event: (f"W{turn}", "done", None, "") for turn, event in enumerate(STRUCTURES)}


def test_the_route_is_that_of_its_own_part_and_a_mixture_is_told_once(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    asked = ("RXO|D1^样药", "NTE|1||饭后", "RXR|PO^口服", "RXC|A|D2^样加药|1|g")
    encoded = ("RXE||D1^样药|1||g", "RXR|IVD^静脉滴注", "RXC|A|D2^样加药|1|g", "OBX|1|ST|K^钾||3.1", "NTE|1||结果的备注")
    says(own_hospital, "RDE^O11", "C1", "ORC|NW|M1", *asked, *encoded)
    [order] = own_hospital.select("MedicationRequest", patient=patient)
    assert order["dosageInstruction"][0]["route"]["text"] == "静脉滴注", "RXE before RXO"
    assert [one["text"] for one in order["note"]] == ["加药 样加药 1 g", "饭后"]
    given = ("RXA|0|1|20260302110000||D1^样药|1|g||01^皮试阴性", "RXR|SC^皮下注射")
    says(own_hospital, "RAS^O17", "C1", "ORC|NW|M1", *asked[:3], *given, hours=1)
    says(own_hospital, "RDS^O13", "C1", "ORC|NW|M1", *asked[:3], "RXD|1|D1^样药|20260302100000|6|支", "RXR|IM^肌肉注射", hours=1)
    [one] = own_hospital.select("MedicationAdministration", patient=patient)
    assert (one["dosage"]["route"]["text"], one["note"]) == ("皮下注射", [{"text": "皮试阴性"}])
    [one] = own_hospital.select("MedicationDispense", patient=patient)
    assert one["dosageInstruction"][0]["route"]["text"] == "肌肉注射"


def test_results_of_earlier_days_beside_an_order_are_no_orders(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    order = ("ORC|NW|P1", "OBR|1|P1||A^甲", "NTE|1||空腹", "OBX|1|NM|K^钾||3.1", "NTE|1||溶血")
    prior = ("PID|1||C1^^^^IDCard||测试甲", "ORC|PR|P0", "OBR|1|P0||B^乙", "OBX|1|NM|K^钾||4.1", "OBR|2|P9||C^丙", "OBX|1|NM|K^钾||4.2")
    remark = says(own_hospital, "OML^O21", "C1", *order, *prior, "PID|1||C1^^^^IDCard||测试甲", "ORC|NW|P2", "OBR|1|P2||D^丁")
    assert "2 results of earlier days" in remark
    found = {one["code"]["text"]: one for one in own_hospital.select("ServiceRequest", patient=patient)}
    assert set(found) == {"甲", "丁"}
    assert found["甲"]["note"] == [{"text": "空腹"}], "what is said of a result is not said of the order"


def test_notes_of_goals_are_not_the_problems(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    says(
        own_hospital,
        "PPR^PC1",
        "C1",
        "PRB|AD||I10^高血压|P1",
        "NTE|1||家族史",
        "GOL|AD||G1^控压",
        "NTE|1||目标的",
        "OBX|1|ST|A",
        "NTE|1||结果的",
    )
    [problem] = own_hospital.select("Condition", patient=patient)
    assert problem["note"] == [{"text": "家族史"}]


@pytest.mark.parametrize(
    ("certainty", "stage", "verified", "clinical"),
    [("待查^疑似", "活动", "provisional", "active"), ("确诊", "治愈", "confirmed", "resolved"), ("排除", "未治愈", "refuted", "active")],
)
def test_a_problem_is_as_certain_as_its_words(own_hospital: Hospital, certainty: str, stage: str, verified: str, clinical: str) -> None:
    patient, _ = own_hospital.cadre()
    says(own_hospital, "PPR^PC1", "C1", f"PRB|AD||I10^高血压|P1|||||||||{certainty}|{stage}")
    [problem] = own_hospital.select("Condition", patient=patient)
    found = [problem[key]["coding"][0]["code"] for key in ("verificationStatus", "clinicalStatus")]
    assert found == [verified, clinical]


def test_an_urgent_referral_and_a_price_in_chinese_signs(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    says(own_hospital, "REF^I12", "C1", "RF1|P|急||||R1|20260302|||脑梗恢复期")
    [sent] = own_hospital.select("ServiceRequest", patient=patient)
    assert (sent["priority"], [one["text"] for one in sent["note"]]) == ("urgent", ["脑梗恢复期"]), "words without a code are words"
    says(own_hospital, "REF^I13", "C1", "RF1|P|||||R1|20260302|||脑梗恢复期，需换药")
    [sent] = own_hospital.select("ServiceRequest", patient=patient)
    assert (sent["priority"], [one["text"] for one in sent["note"]]) == ("urgent", ["脑梗恢复期，需换药"]), "what is not told again stays"
    says(own_hospital, "DFT^P03", "C1", "FT1|1|F1||20260302091500||CG|GH^挂号费|||1|￥15.00")
    [charge] = own_hospital.select("ChargeItem", subject=f"Patient/{patient}")
    assert (str(charge["priceOverride"]["value"]), charge["priceOverride"]["currency"]) == ("15.00", "CNY")


def test_what_is_said_of_a_result_is_not_said_of_the_referral(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    lines = ("DG1|1||I63.9^脑梗死", "OBR|1||F1|A^甲", "OBX|1|NM|K^钾||3.1", "NTE|1||溶血", "PV1||I", "NTE|1||注意血压")
    says(own_hospital, "REF^I12", "C1", "RF1|P|R||||R1|20260302|||^脑梗恢复期", *lines)
    [sent] = own_hospital.select("ServiceRequest", patient=patient)
    assert [one["text"] for one in sent["note"]] == ["脑梗恢复期\n脑梗死\n注意血压"]


@pytest.mark.parametrize(("word", "status"), [("支付", "billed"), ("PY", "billed"), ("退费^门诊", "not-billable"), ("收费", "unknown")])
def test_a_kind_of_transaction_is_known_by_the_words_of_the_line(own_hospital: Hospital, word: str, status: str) -> None:
    patient, _ = own_hospital.cadre()
    says(own_hospital, "DFT^P03", "C1", f"FT1|1|F1||20260302091500||{word}|GH^挂号费|||1|15.00")
    [charge] = own_hospital.select("ChargeItem", subject=f"Patient/{patient}")
    assert charge["status"] == status


def active_of(hospital: Hospital, type: str, series: str, number: str) -> list[bool]:
    """Whether what carries a hospital's number is active."""
    return [one["active"] for one in hospital.select(type, identifier=f"{hospital_number(hospital.code.lower())}/{series}|{number}")]


def test_an_entry_of_a_master_file_ends_by_its_key_alone(own_hospital: Hospital) -> None:
    active = partial(active_of, own_hospital)
    says(own_hospital, "MFN^M02", "C1", "MFI|STF", "MFE|MAD|||S1", "STF|S1|S1|样例乙", "MFE|MAD|||K1", "STF|K1|K1|样例丙")
    says(own_hospital, "MFN^M05", "C1", "MFI|LOC", "MFE|MAD|||K1", "LOC|K1|一病区")
    assert says(own_hospital, "MFN^M02", "C1", "MFI|STF", "MFE|MDL|||S1", "MFE|MDC|||K1") == ""
    assert (active("Practitioner", "staff", "S1"), active("Practitioner", "staff", "K1")) == ([False], [False])
    assert active("HealthcareService", "unit", "K1") == [True], "the event says of what kind the key is"
    [role] = [one for one in own_hospital.select("PractitionerRole") if one["practitioner"]["reference"].endswith(key(own_hospital, "S1"))]
    assert role["active"] is False
    assert says(own_hospital, "MFN^M01", "C1", "MFI|EMP", "MFE|MAC|||S1") == ""
    assert active("Practitioner", "staff", "S1") == [True]
    assert "both" in says(own_hospital, "MFN^M01", "C1", "MFI|EMP", "MFE|MDL|||K1")
    assert active("HealthcareService", "unit", "K1") == [True]
    assert "is not on file" in says(own_hospital, "MFN^M02", "C1", "MFI|STF", "MFE|MDL|||S9")


def test_an_entry_of_a_master_file_ends_by_its_key_where_that_is_not_its_number(own_hospital: Hospital) -> None:
    active = partial(active_of, own_hospital)
    says(own_hospital, "MFN^M02", "C1", "MFI|STF", "MFE|MAD|||9001", "STF|9001|N501|样例丁", "MFE|MAD|||9002", "STF|9002|9001|样例戊")
    says(own_hospital, "MFN^M05", "C1", "MFI|LOC", "MFE|MAD|||77", "LOC|W9|九病区")
    assert says(own_hospital, "MFN^M02", "C1", "MFI|STF", "MFE|MDL|||9001") == ""
    assert active("Practitioner", "staff", "N501") == [False]
    assert active("Practitioner", "staff", "9001") == [True], "the key of one is the number of another: the key is meant"
    assert says(own_hospital, "MFN^M05", "C1", "MFI|LOC", "MFE|MDL|||77") == ""
    assert (active("HealthcareService", "unit", "W9"), active("Organization", "unit", "W9")) == ([False], [False])
    assert says(own_hospital, "MFN^M02", "C1", "MFI|STF", "MFE|MAC|||9001") == ""
    assert active("Practitioner", "staff", "N501") == [True]


def key(hospital: Hospital, number: str) -> str:
    [one] = hospital.select("Practitioner", identifier=f"{hospital_number(hospital.code.lower())}/staff|{number}")
    return str(one["id"])


def test_why_nobody_came_stands_in_the_comment(own_hospital: Hospital) -> None:
    """R4's rule app-4 lets a no-show have no reason: its published text asks for a status that does not exist."""
    patient, _ = own_hospital.cadre()
    says(own_hospital, "SIU^S12", "C1", "SCH||A1|||||||||^^^20260310083000^20260310090000")
    says(own_hospital, "SIU^S26", "C1", "SCH||A1||||TRAFFIC^交通不便", hours=1)
    [one] = own_hospital.select("Appointment", patient=patient)
    assert (one["status"], one["comment"], one.get("cancelationReason")) == ("noshow", "交通不便", None)


@pytest.mark.parametrize(
    "denial", ["^否认药物过敏史", "^无药物及食物过敏史", "NKDA^No known drug allergies", "^药物过敏史：无", "^否认", "0^未发现过敏史。"]
)
def test_a_denied_allergy_is_none(own_hospital: Hospital, denial: str) -> None:
    patient, _ = own_hospital.cadre()
    allergies = (f"AL1|1|DA|{denial}", "AL1|2|食物过敏|^无花果|重度|呕吐", "AL1|3|DA|^磺胺类药物")
    assert "no allergy is known" in says(own_hospital, "ADT^A31", "C1", *allergies)
    found = {one["code"]["text"]: one for one in own_hospital.select("AllergyIntolerance", patient=patient)}
    assert set(found) == {"无花果", "磺胺类药物"}
    assert (found["无花果"]["category"], found["无花果"]["criticality"]) == (["food"], "high")


def test_a_line_may_have_its_own_words_for_no_allergy(own_hospital: Hospital) -> None:
    own_hospital.cadre()
    message = Message(own_hospital.message("ADT^A31", "C1", "AL1|1|DA|^皮试(-)", "AL1|2|DA|^磺胺类药物"))
    with own_hospital.database.writing(SYSTEM, at=AT) as store:
        outcome = apply(store, message, read_header(message), replace(load("default"), no_allergy=frozenset({"皮试(-)"})))
        assert "no allergy is known" in "".join(outcome.remarks)
        assert sum(one.startswith("AllergyIntolerance/") for one in outcome.made) == 1


def test_a_bed_is_named_once_and_a_way_to_pay_by_its_words(own_hospital: Hospital) -> None:
    patient, _ = own_hospital.cadre()
    says(own_hospital, "ADT^A01", "C1", "PV1||I|W1^^12床^^^^^^心内科||||李样例|D2^王样例||||||||||||V1|01^城镇职工医保")
    [stay] = own_hospital.select("Encounter", patient=patient)
    assert stay["location"][0]["location"]["display"] == "心内科 12床"
    staff = [(one["individual"].get("identifier", {}).get("value"), one["individual"]["display"]) for one in stay["participant"]]
    assert staff == [(None, "李样例"), ("D2", "王样例")], "a name where the number belongs is no number"
    says(own_hospital, "ADT^A08", "C1", "PV1||I|||||||||||||||||V1|离休^20260101", hours=1)
    [cover] = own_hospital.select("Coverage", beneficiary=f"Patient/{patient}")
    assert cover["type"]["text"] == "离休", "FC.2 is a date"


def test_what_is_said_of_a_container_is_no_result(own_hospital: Hospital) -> None:
    """OUL_R21 as v2.4 drew it: SAC and its OBX before the order."""
    patient, _ = own_hospital.cadre()
    one = ("SAC|||B1", "OBX|1|ST|COLOR^颜色||黄", "ORC|RE|P1", "OBR|1|P1|F1|A^甲", "OBX|1|ST|K^钾||3.1")
    two = ("SAC|||B2", "OBX|1|ST|COLOR^颜色||红", "ORC|RE|P2", "OBR|1|P2|F2|B^乙", "OBX|1|ST|NA^钠||140")
    assert "1 observations" in says(own_hospital, "OUL^R21", "C1", *one, *two)
    assert {found["code"]["text"] for found in own_hospital.select("Observation", patient=patient)} == {"钾", "钠"}
    says(own_hospital, "OUL^R21", "C1", "SAC|||B3", "OBX|1|ST|CL^氯||99", "OBR|1|P3|F3|C^丙", hours=1)
    assert len(own_hospital.select("Observation", patient=patient)) == 3, "before the only order, which has none of its own"
