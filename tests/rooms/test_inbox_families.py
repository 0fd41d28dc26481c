"""Orders, appointments, documents, problems, referrals, charges and master files of a hospital, each to its effect in the file."""

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hospital import AT, Hospital, cadre, segment, tasks

from healthsvc import clock
from healthsvc.dayplan.service import policy_of
from healthsvc.dayplan.sources import appointments
from healthsvc.greenchannel.honour import to_use, wait_policy
from healthsvc.greenchannel.service import grant
from healthsvc.greenchannel.waits import judge
from healthsvc.referral.service import read
from healthsvc.store import SYSTEM, Database
from healthsvc.visit import service as visits


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def done(hospital: Hospital, event: str, number: str, *segments: str, **more: object) -> str:
    assert hospital.says(event, number, *segments, **more) == "AA"
    row = hospital.last()
    assert row.state == "done", (row.state, row.reason, row.place, row.remark)
    return str(row.remark or "")


def test_a_laboratory_order_its_specimen_and_its_report_belong_together(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    order = (
        segment("ORC", _1="NW", _2="P77", _4="G1", _9="20260302080000", _12="D5^王示例"),
        segment("OBR", _1="1", _2="P77", _4="BIO^生化全套", _5="S", _13="胸闷三天"),
        segment("SPM", _1="1", _2="B900", _4="BLD^静脉血", _17="20260302083000"),
    )
    done(hospital, "OML^O21", "C1", *order)
    [asked] = hospital.select("ServiceRequest", patient=patient)
    assert (asked["status"], asked["code"]["text"], asked["requester"]["display"]) == ("active", "生化全套", "王示例")
    assert asked["note"] == [{"text": "胸闷三天"}]
    [specimen] = hospital.select("Specimen", patient=patient)
    assert asked["specimen"] == [{"reference": f"Specimen/{specimen['id']}"}]
    assert specimen["collection"]["collectedDateTime"] == "2026-03-02T08:30:00+08:00"
    done(
        hospital, "ORU^R01", "C1", "OBR|1|P77|F77|BIO^生化全套|||20260302083000|||||||||||||||20260302100000|||F",
        "OBX|1|NM|GLU^葡萄糖||5.10|mmol/L|3.90-6.10|N|||F", "SPM|1|B900||BLD^静脉血", at=AT + timedelta(hours=1),
    )  # fmt: skip
    [report] = hospital.select("DiagnosticReport", patient=patient)
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{asked['id']}"}]
    assert report["specimen"] == asked["specimen"]
    done(hospital, "OML^O21", "C1", "ORC|CA|P77", "OBR|1|P77||BIO^生化全套", at=AT + timedelta(hours=2))
    assert hospital.select("ServiceRequest", patient=patient)[0]["status"] == "revoked"
    assert "older" in done(hospital, "OML^O21", "C1", *order, at=AT - timedelta(hours=1))
    assert hospital.select("ServiceRequest", patient=patient)[0]["status"] == "revoked"


def test_specimens_that_stand_before_their_orders_keep_them_apart(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    done(
        hospital, "OUL^R22", "C1",
        "SPM|1|S1||BLD^全血", "OBX|1|NM|VOL^量||5|ml", "OBR|1||F1|HB^血红蛋白|||||||||||||||||||||F",
        "OBX|1|NM|HB^血红蛋白||120|g/L|110-160||||F",
        "OBR|2||F2|WBC^白细胞|||||||||||||||||||||F", "OBX|1|NM|WBC^白细胞||6.1|10*9/L|4-10||||F",
        "SPM|2|S2||UR^尿", "OBR|3||F3|PRO^尿蛋白|||||||||||||||||||||F", "OBX|1|ST|PRO^尿蛋白||阴性||||||F",
    )  # fmt: skip
    specimens = {one["id"]: one["type"]["text"] for one in hospital.select("Specimen", patient=patient)}
    of = {
        one["code"]["text"]: [specimens[s["reference"].rpartition("/")[2]] for s in one["specimen"]]
        for one in hospital.select("DiagnosticReport", patient=patient)
    }
    assert of == {"血红蛋白": ["全血"], "白细胞": ["全血"], "尿蛋白": ["尿"]}
    assert len(hospital.select("Observation", patient=patient)) == 3, "what is said of the specimen is no result"


def test_a_drug_is_ordered_dispensed_and_given(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    orc = "ORC|NW|M1|R1"
    done(
        hospital, "RDE^O11", "C1", orc,
        segment("RXE", _1="^BID^^20260302^20260304", _2="D1^头孢示例", _3="2", _5="g", _23="200", _24="ml/h"),
        "RXR|IVD^静脉滴注",
        "RXC|B|NS^0.9%氯化钠|100|ml", "RXC|A|D1^头孢示例|2|g", "TQ1|1||BID||||20260302|20260304",
    )  # fmt: skip
    [order] = hospital.select("MedicationRequest", patient=patient)
    dosage = order["dosageInstruction"][0]
    assert (order["status"], order["medicationCodeableConcept"]["text"], dosage["route"]["text"]) == ("active", "头孢示例", "静脉滴注")
    assert dosage["timing"]["repeat"]["boundsPeriod"] == {"start": "2026-03-02", "end": "2026-03-04"}
    assert (str(dosage["doseAndRate"][0]["doseQuantity"]["value"]), str(dosage["doseAndRate"][0]["rateQuantity"]["value"])) == ("2", "200")
    assert order["note"][0]["text"] == "溶媒 0.9%氯化钠 100 ml"
    done(hospital, "RDS^O13", "C1", orc, "RXD|1|D1^头孢示例|20260302100000|6|支|||||||", at=AT + timedelta(hours=1))
    given = "RXA|0|1|20260302110000|20260302114000|D1^头孢示例|2|g||静滴顺利|N7^李示例||||||||||CP|A"
    for turn in range(2):
        done(hospital, "RAS^O17", "C1", orc, given, "RXR|IVD^静脉滴注", at=AT + timedelta(hours=2 + turn))
    [dispensed] = hospital.select("MedicationDispense", patient=patient)
    assert dispensed["authorizingPrescription"] == [{"reference": f"MedicationRequest/{order['id']}"}]
    [one] = hospital.select("MedicationAdministration", patient=patient)
    assert (one["status"], one["request"], one["performer"][0]["actor"]["display"]) == (
        "completed",
        {"reference": f"MedicationRequest/{order['id']}"},
        "李示例",
    )
    assert hospital.select("MedicationRequest", patient=patient)[0]["meta"]["versionId"] == "1", (
        "giving it does not change what was ordered"
    )
    done(hospital, "RAS^O17", "C1", orc, given[:-1] + "D", at=AT + timedelta(hours=5))
    assert hospital.select("MedicationAdministration", patient=patient)[0]["status"] == "entered-in-error"


def dosages(hospital: Hospital, patient: str) -> list[tuple[object, ...]]:
    """Of the only drug order: sequence, hours, dose, rhythm and route of each dosage."""
    [order] = hospital.select("MedicationRequest", patient=patient)
    return [
        (
            one.get("sequence"),
            one.get("timing", {}).get("repeat", {}).get("timeOfDay"),
            str(one["doseAndRate"][0]["doseQuantity"]["value"]),
            one.get("timing", {}).get("code", {}).get("text"),
            one["route"]["text"],
        )
        for one in order["dosageInstruction"]
    ]


def test_each_timing_of_a_drug_order_is_a_dosage_of_its_own(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    rxe = segment("RXE", _2="D9^胰岛素示例", _3="10", _5="U")
    done(
        hospital, "RDE^O11", "C1", "ORC|NW|M9", rxe, "RXR|IH^皮下注射",
        "TQ1|1||QAM|0730||||||||S", "TQ1|2|6|QPM|1730~2130||||||||A", "TQ1|3|4|PRN",
    )  # fmt: skip
    assert dosages(hospital, patient) == [
        (1, ["07:30:00"], "10", "QAM", "皮下注射"),
        (2, ["17:30:00", "21:30:00"], "6", "QPM", "皮下注射"),
        (2, None, "4", "PRN", "皮下注射"),
    ]
    done(hospital, "RDE^O11", "C1", "ORC|XO|M9", rxe, "RXR|IH^皮下注射", "TQ1|1||QD", at=AT + timedelta(hours=1))
    assert dosages(hospital, patient) == [(None, None, "10", "QD", "皮下注射")], "what is changed replaces all of them"


@pytest.mark.parametrize("place", ["RXE-1", "ORC-7"])
def test_each_repetition_of_the_old_timing_is_a_dosage_of_its_own(hospital: Hospital, place: str) -> None:
    patient, _ = cadre(hospital.database)
    timings = "2&片^QAM^^20260302^20260304~1&片^QPM^^20260302^20260304"
    orc, rxe = (segment("ORC", _1="NW", _2="M8", **({"_7": timings} if place == "ORC-7" else {})), {"_2": "D8^示例片"})
    done(hospital, "RDE^O11", "C1", orc, segment("RXE", **rxe, **({"_1": timings} if place == "RXE-1" else {})), "RXR|PO^口服")
    assert dosages(hospital, patient) == [(1, None, "2", "QAM", "口服"), (2, None, "1", "QPM", "口服")]


def test_a_dose_of_which_nobody_knows_how_much_has_no_amount(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    done(hospital, "RAS^O17", "C1", "ORC|RE|M7", segment("RXA", _2="1", _3="20260302090000", _5="D7^示例苗", _6="999", _20="CP"))
    [given] = hospital.select("MedicationAdministration", patient=patient)
    assert "dosage" not in given


def booked(start: str, end: str, number: str = "A100") -> tuple[str, ...]:
    return (
        segment("SCH", _2=number, _6="CHK^复查", _7="NORMAL", _11=f"^^^{start}^{end}", _25="Booked"),
        "AIS|1|A|CARD^心内科门诊",
        "AIL|1||OPD^2^^H1",
        "AIP|1||D9^赵示例",
    )


def test_an_appointment_keeps_home_visits_away_and_sends_a_planned_one_back(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    day = (clock.now() + timedelta(days=3)).date()
    ten = datetime(day.year, day.month, day.day, 10, 0, tzinfo=clock.zone())
    with hospital.database.writing(SYSTEM, at=clock.now()) as store:
        visits.plan(store, f"checkup-{patient}"[:64], ten, ten + timedelta(minutes=30), ["Practitioner/d1"])
    remark = done(hospital, "SIU^S12", "C1", *booked(f"{ten:%Y%m%d%H%M%S}", f"{ten + timedelta(minutes=20):%Y%m%d%H%M%S}"))
    assert "planned anew" in remark
    [appointment] = hospital.select("Appointment", patient=patient)
    assert (appointment["status"], appointment["serviceType"][0]["text"]) == ("booked", "心内科门诊")
    assert [one["actor"].get("display") for one in appointment["participant"][1:]] == ["OPD 2", "赵示例"]
    assert [one["status"] for one in tasks(hospital, patient, "quarterly-checkup")] == ["requested"]
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        assert list(appointments(store, day, policy_of(store.policy, day))) == [patient]
        assert not appointments(store, day + timedelta(days=1), policy_of(store.policy, day))
    moved = ten + timedelta(days=1)
    done(
        hospital, "SIU^S13", "C1", *booked(f"{moved:%Y%m%d%H%M%S}", f"{moved + timedelta(minutes=20):%Y%m%d%H%M%S}"),
        at=AT + timedelta(hours=1),
    )  # fmt: skip
    done(hospital, "SIU^S15", "C1", "SCH||A100||||FAM^家属要求", at=AT + timedelta(hours=2))
    [appointment] = hospital.select("Appointment", patient=patient)
    assert (appointment["status"], appointment["cancelationReason"]["text"]) == ("cancelled", "家属要求")
    assert datetime.fromisoformat(appointment["start"]) == moved
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        assert not appointments(store, moved.date(), policy_of(store.policy, day))


def test_an_appointment_to_which_nobody_came_frees_its_time_and_is_not_booked_again_by_a_late_word(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    day = (clock.now() + timedelta(days=3)).date()
    ten = datetime(day.year, day.month, day.day, 10, 0, tzinfo=clock.zone())
    told = booked(f"{ten:%Y%m%d%H%M%S}", f"{ten + timedelta(minutes=20):%Y%m%d%H%M%S}")
    done(hospital, "SIU^S12", "C1", *told)
    done(hospital, "SIU^S26", "C1", "SCH||A100", at=AT + timedelta(hours=2))
    done(hospital, "SIU^S14", "C1", *told, at=AT + timedelta(hours=1))
    [appointment] = hospital.select("Appointment", patient=patient)
    assert appointment["status"] == "noshow"
    assert datetime.fromisoformat(appointment["start"]) == ten
    with hospital.database.reading(SYSTEM, at=clock.now()) as store:
        assert not appointments(store, day, policy_of(store.policy, day))


def test_a_document_comes_announced_then_whole_then_replaced(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    done(hospital, "MDM^T01", "C1", "TXA|1|DS^出院小结|PDF||D1^王示例||||||| DOC1".replace("| DOC1", "|DOC1"))
    [document] = hospital.select("DocumentReference", patient=patient)
    assert (document["status"], document["type"]["text"]) == ("current", "出院小结")
    announced = document["date"]
    assert datetime.fromisoformat(announced) == AT, "so that it stands on the line of time"
    paper = b"%PDF-1.4 synthetic"
    done(
        hospital, "MDM^T02", "C1", "TXA|1|DS^出院小结|PDF||D1^王示例|||||||DOC1|||||AU||AV",
        f"OBX|1|ED|DS^出院小结||^application^pdf^Base64^{base64.b64encode(paper).decode()}||||||F", "OBX|2|TX|T^正文||康复回社区||||||F",
        at=AT + timedelta(hours=1),
    )  # fmt: skip
    [document] = hospital.select("DocumentReference", patient=patient)
    assert (document["docStatus"], document["date"]) == ("final", announced)
    urls = [one["attachment"]["url"] for one in document["content"]]
    with hospital.database.reading(SYSTEM, at=AT) as store:
        kept = {one["contentType"]: base64.b64decode(one["data"]) for one in (store.read("Binary", url[7:]) for url in urls)}
        assert store.read("Binary", urls[0][7:])["securityContext"] == {"reference": f"Patient/{patient}"}
    assert kept == {"text/plain": "康复回社区".encode(), "application/pdf": paper}
    done(hospital, "MDM^T10", "C1", "TXA|1|DS^出院小结|TX|||||||||DOC2|DOC1", "OBX|1|TX|T^正文||改正版||||||F", at=AT + timedelta(hours=2))
    states = {one["status"]: one for one in hospital.select("DocumentReference", patient=patient)}
    assert set(states) == {"superseded", "current"}
    assert states["current"]["relatesTo"][0]["code"] == "replaces"
    broken = "OBX|1|ED|DS^出院小结||^application^pdf^Base64^%%%||||||F"
    assert "OBX-5" in done(hospital, "MDM^T02", "C1", "TXA|1|DS|PDF|||||||||DOC3", broken, at=AT + timedelta(hours=3))


def test_problems_are_added_changed_and_deleted(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    done(hospital, "PPR^PC1", "C1", "PRB|AD|20260302|I10^高血压^I10|PR1|||20260301|||||||||201001")
    [problem] = hospital.select("Condition", patient=patient)
    assert (problem["code"]["coding"][0]["system"], problem["onsetDateTime"]) == ("http://hl7.org/fhir/sid/icd-10", "2010-01")
    done(hospital, "PPR^PC2", "C1", "PRB|UP|20260303|I10^高血压^I10|PR1|||||20260303", at=AT + timedelta(hours=1))
    [problem] = hospital.select("Condition", patient=patient)
    assert problem["clinicalStatus"]["coding"][0]["code"] == "resolved"
    done(hospital, "PPR^PC3", "C1", "PRB|DE|20260303|I10^高血压^I10|PR1", at=AT + timedelta(hours=2))
    [problem] = hospital.select("Condition", patient=patient)
    assert problem["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in problem


@pytest.mark.parametrize("kind", ["ST", "TX", "FT"])
def test_a_file_that_comes_as_text_is_a_file(hospital: Hospital, kind: str) -> None:
    patient, _ = cadre(hospital.database)
    paper = b"%PDF-1.4 " + b"x" * 60
    packed = base64.b64encode(paper).decode()
    done(hospital, "MDM^T02", "C1", segment("TXA", _1="1", _2="DS^出院小结", _12="DOC7"), f"OBX|1|{kind}|DS^出院小结||{packed}")
    done(hospital, "ORU^R01", "C1", "OBR|1||F7|ECG^心电图", f"OBX|1|{kind}|ECG^心电图报告||{packed}", "OBX|2|TX|T^所见||窦性心律")
    [document], [report] = (hospital.select(type, patient=patient) for type in ("DocumentReference", "DiagnosticReport"))
    for attachment in (document["content"][0]["attachment"], report["presentedForm"][0]):
        assert attachment["contentType"] == "application/pdf"
        with hospital.database.reading(SYSTEM, at=AT) as store:
            assert base64.b64decode(store.read("Binary", attachment["url"].partition("/")[2])["data"]) == paper
    assert [one.get("valueString") for one in hospital.select("Observation", patient=patient)] == [None, "窦性心律"]


def test_a_hospital_sends_somebody_down_and_withdraws_it(hospital: Hospital) -> None:
    cadre(hospital.database)
    rf1 = "RF1|P|S|MED|||H-REF-1|20260302090000|||REH^脑卒中恢复期"
    for _ in range(2):
        done(hospital, "REF^I12", "C1", rf1, "DG1|1||I69.3^脑梗死后遗症^I10", "NTE|1||每周随访")
    made = [one for one in hospital.last().made.split() if one.startswith("ServiceRequest/")]
    with hospital.database.reading(SYSTEM, at=AT) as store:
        referral = read(store, made[0].partition("/")[2])
    assert (referral.direction, referral.urgent, referral.stage) == ("down", True, "requested")
    assert referral.summary == "脑卒中恢复期\n脑梗死后遗症\n每周随访"
    done(hospital, "REF^I14", "C1", rf1, at=AT + timedelta(hours=1))
    with hospital.database.reading(SYSTEM, at=AT) as store:
        assert read(store, referral.id).stage == "withdrawn"


@pytest.mark.parametrize(("minutes", "honoured"), [(20, True), (45, False)])
def test_a_settlement_tells_whether_the_green_channel_was_honoured(hospital: Hospital, minutes: int, honoured: bool) -> None:
    patient, _ = cadre(hospital.database)
    with hospital.database.writing(SYSTEM, at=AT - timedelta(days=1)) as store:
        grant(store, patient, AT.date())
    hospital.says("ADT^A04", "C1", segment("PV1", _2="O", _19="V5", _44=f"{AT - timedelta(hours=2):%Y%m%d%H%M%S}"))
    done(hospital, "BAR^P01", "C1", segment("PV1", _2="O", _19="V5"), at=AT)
    paid = AT + timedelta(minutes=minutes)
    ft1 = f"FT1|1|T1||{paid:%Y%m%d%H%M%S}||PY|REG^挂号费|||1|20.00&CNY"
    done(hospital, "DFT^P03", "C1", segment("PV1", _2="O", _19="V5"), ft1, at=paid)
    [charge] = hospital.select("ChargeItem", patient=patient)
    assert (charge["status"], str(charge["priceOverride"]["value"]), charge["priceOverride"]["currency"]) == ("billed", "20.00", "CNY")
    [use] = [to_use(one) for one in hospital.select("Observation", patient=patient) if one["id"].startswith("green-use-")]
    assert (use.right, use.wait_minutes, use.entitled, use.honoured) == ("settlement", minutes, True, None)
    with hospital.database.reading(SYSTEM, at=paid + timedelta(hours=1)) as store:
        (judged,) = judge([use], wait_policy(store, AT.date()))
    assert judged.honoured is honoured
    assert judged.why == ("" if honoured else "over-target")


def test_waits_for_the_doctor_and_the_medicine_are_measured_for_everybody(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    with hospital.database.writing(SYSTEM, at=AT - timedelta(days=1)) as store:
        grant(store, patient, AT.date())
    for number, visit, wait in (("C1", "V7", 12), ("S1", "V8", 50)):
        pv1 = segment("PV1", _2="O", _19=visit)
        hospital.says(
            "ADT^A04", number, segment("PV1", _2="O", _19=visit, _44=f"{AT:%Y%m%d%H%M%S}"), name="测试甲" if number == "C1" else "测试乙"
        )
        seen = AT + timedelta(minutes=wait)
        name = "测试甲" if number == "C1" else "测试乙"
        orc = f"ORC|NW|P{visit}|F{visit}||||||{seen:%Y%m%d%H%M%S}"
        done(hospital, "RDE^O11", number, pv1, orc, "RXE|^^^|D1^氨氯地平片^L|5||mg", at=seen, name=name)
        given = seen + timedelta(minutes=9)
        rxd = f"RXD|1|D1^氨氯地平片^L|{given:%Y%m%d%H%M%S}|1|盒"
        done(hospital, "RDS^O13", number, pv1, f"ORC|RE|P{visit}|F{visit}", rxd, at=given, name=name)
    found = [to_use(one) for one in hospital.select("Observation") if one["id"].startswith("green-use-")]
    assert {(one.right.value, one.wait_minutes, one.entitled) for one in found} == {
        ("consultation", 12, True), ("dispensing", 9, True), ("consultation", 50, False), ("dispensing", 9, False),
    }  # fmt: skip


def test_staff_and_departments_of_a_hospital_are_known_and_never_on_our_rota(hospital: Hospital) -> None:
    lines = [
        "MFI|EMP^人员||UPD|||AL",
        "MFE|MAD|||000001|CE",
        "Z02|000001|测试医生|F|19800101000000|40|11||X|1087^心内科|1080|N|0|1|0|CS|SU|000002||57400001",
    ]
    text = f"MSH|^~\\&|HIS|H1|C|C|{AT:%Y%m%d%H%M%S}||MFN^M01|MF1|P|2.4\r" + "\r".join(lines) + "\r"
    hospital.inbox.take_now(text.encode(), "127.0.0.1:2575", "")
    hospital.worker.drain()
    assert hospital.last().state == "done", hospital.last()
    [doctor] = hospital.select("Practitioner")
    [role] = hospital.select("PractitionerRole")
    assert (doctor["name"], doctor["active"], role["specialty"]) == ([{"text": "测试医生"}], True, [{"text": "心内科"}])
    assert "birthDate" not in doctor
    assert "location" not in role
    gone = text.replace("MFE|MAD", "MFE|MDL").replace("|MF1|", "|MF2|")
    hospital.inbox.take_now(gone.encode(), "127.0.0.1:2575", "")
    hospital.worker.drain()
    assert hospital.select("Practitioner")[0]["active"] is False


def test_ranges_ratios_and_numbers_with_leading_zeros_are_kept_as_such(hospital: Hospital) -> None:
    """A titre, a range and ``05.60`` (which HL7 allows and JSON does not) come out as values that can be read again."""
    patient, _ = cadre(hospital.database)
    obx = ("OBX|1|SN|T^滴度||^1^:^128||<1:16|H|||F", "OBX|2|SN|R^尿红细胞||^0^-^5|/HP|0-3||||F", "OBX|3|NM|G||05.60|mmol/L|3.90-6.10|||F")
    obx += ("OBX|5|NM|V^病毒载量||1.20E+03|IU/mL||||F",)
    done(hospital, "ORU^R01", "C1", "OBR|1||F9|BIO", *obx, "OBX|4|SN|W^蛋白||^2^+||阴性|A|||F")
    found = {one["code"]["coding"][0]["code"]: one for one in hospital.select("Observation", patient=patient)}
    assert found["T"]["valueRatio"] == {"numerator": {"value": 1}, "denominator": {"value": 128}}
    assert found["R"]["valueRange"] == {"low": {"value": 0, "unit": "/HP"}, "high": {"value": 5, "unit": "/HP"}}
    assert str(found["G"]["valueQuantity"]["value"]) == "5.60"
    assert found["V"]["valueQuantity"]["value"].text == "1.20E+03"
    assert found["W"]["valueString"] == "2+"


def test_several_coded_answers_are_all_told_and_no_one_code_is_claimed(hospital: Hospital) -> None:
    patient, _ = cadre(hospital.database)
    done(hospital, "ORU^R01", "C1", "OBR|1||F8|CUL", "OBX|1|CWE|O^检出||A^甲菌^L~B^乙菌^L||||||F")
    [found] = hospital.select("Observation", patient=patient, category="laboratory")
    assert found["valueCodeableConcept"] == {"text": "甲菌；乙菌"}
