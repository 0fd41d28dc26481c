"""What hospitals write in odd places and shapes is read for what it means; what cannot be read is said, never invented."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc import clock
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Lexical, dumps
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_CARD, hospital_number
from integrations.effects.person import is_wide
from integrations.hl7v2.adt import AdtEvent, read_adt
from integrations.hl7v2.er7 import Message, Part
from integrations.hl7v2.header import read_header
from integrations.hl7v2.numbers import Quantity, Share, Span, bounds, number_in
from integrations.hl7v2.oru import ResultEvent, read_results
from integrations.hl7v2.values import address, moment, name, phones
from integrations.hospitals.shelf import load

ZONE = clock.zone()
DEFAULT = load("default")


def field(raw: str) -> Part:
    return Message(f"MSH|^~\\&|A\rZZZ|{raw}\r")["ZZZ"][1]


@pytest.mark.parametrize(
    ("text", "fhir"),
    [
        ("19400101", "1940-01-01"),
        ("19400101000000", "1940-01-01T00:00:00+08:00"),
        ("1977-01-01", "1977-01-01"),
        ("1977/1/1", "1977-01-01"),
        ("1977年1月1日", "1977-01-01"),
        ("2026-01-05 17:01:24", "2026-01-05T17:01:24+08:00"),
        ("2026/1/5 8:01:24", "2026-01-05T08:01:24+08:00"),
        ("2026-01-05T17:01:24", "2026-01-05T17:01:24+08:00"),
        ("202601051701", "2026-01-05T17:01:00+08:00"),
        ("20260105170124.1234", "2026-01-05T17:01:24.123400+08:00"),
        ("20260105170124123", "2026-01-05T17:01:24.123000+08:00"),
        ("20260105170124123+0900", "2026-01-05T17:01:24.123000+09:00"),
        ("20260105170124+0900", "2026-01-05T17:01:24+09:00"),
        ("20260105170124Z", "2026-01-05T17:01:24+00:00"),
        ("2026/1/5 下午3:01:24", "2026-01-05T15:01:24+08:00"),
        ("2026年1月5日 上午 8:01", "2026-01-05T08:01:00+08:00"),
        ("20260105 下午12:30", "2026-01-05T12:30:00+08:00"),
        ("2026-01-05 上午12:30", "2026-01-05T00:30:00+08:00"),
        ("2026-01-05 下午15:30", "2026-01-05T15:30:00+08:00"),
        ("1940", "1940"),
        ("194005", "1940-05"),
    ],
)
def test_dates_of_every_shape(text: str, fhir: str) -> None:
    read = moment(text, ZONE)
    assert read is not None
    assert read.fhir == fhir


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00000000",
        "19881302000000",
        "19400230",
        "63",
        "无",
        "abc",
        "2026010",
        "202601051701241",
        "2026010517012412",
        "2026-01-05 上午15:30",
        "2026-01-05 下午",
    ],
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert moment(text, ZONE) is None


@given(
    st.datetimes(datetime(1800, 1, 1), datetime(2199, 12, 31)),  # noqa: DTZ001 - the zone comes beside it
    st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=3, minutes=30))]),
)
def test_a_written_moment_is_read_as_it_was(at: object, zone: timezone) -> None:
    assert isinstance(at, datetime)
    aware = at.replace(microsecond=0, tzinfo=zone)
    if aware.year < 1000:
        return
    read = moment(aware.strftime("%Y%m%d%H%M%S%z"), ZONE)
    assert read is not None
    assert read.at == aware


@pytest.mark.parametrize(
    ("raw", "text", "latin"),
    [
        ("测试患者甲", "测试患者甲", ""),
        ("CESHI^测试患者乙", "测试患者乙", "CESHI"),
        ("测试甲^CESHI", "测试甲", "CESHI"),
        ("向^某某", "向某某", ""),
        ("Doe^Jane^M", "Jane M Doe", ""),
        ("Doe^Jane~测试甲^^^^^^L^I", "测试甲", "Jane Doe"),
        ("无^测试甲", "测试甲", ""),
        ("老王^^^^^^A~王^某某^^^^^L~WANG^MOUMOU^^^^^P", "王某某", "MOUMOU WANG"),
        ("李^某某^^^^^M", "李某某", ""),
    ],
)
def test_names(raw: str, text: str, latin: str) -> None:
    read = name(field(raw), DEFAULT.nothing)
    assert read is not None
    assert (read.text, read.latin) == (text, latin)
    assert name(field("无"), DEFAULT.nothing) is None


@pytest.mark.parametrize("written", ["19320115", "19320115000000", "193201150000+0900", "19320115230000-0500", "1932-01-15 00:00:00"])
@pytest.mark.parametrize("sent", ["20260105170124", "20260105170124+1000", "20260105170124-0800"])
def test_a_birth_date_is_the_day_that_was_written_whatever_offset_the_message_has(written: str, sent: str) -> None:
    text = f"MSH|^~\\&|HIS|H1|C|C|{sent}||ADT^A31|1|P|2.4\rPID|1||1||测试甲||{written}"
    message = Message(text)
    header = read_header(message)
    birth = read_adt(message, header, DEFAULT, DEFAULT.zone_of(header, ZONE)).person.birth
    assert birth is not None
    assert birth.fhir == "1932-01-15"


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ("12000000001", ["12000000001"]),
        ("^^^^^^12000000001", ["12000000001"]),
        ("^^PH^^^0574^87000000", ["0574-87000000"]),
        ("^^^^^^^^00000000000", ["00000000000"]),
        ("^^^^^^^^^^^+86 120 0000 0001", ["+86 120 0000 0001"]),
        ("^^^^^^^^无", []),
        ("^^PH^^^^00000000000~12000000002^^CP", ["00000000000", "12000000002"]),
        ("^PRN^PH^test@example.invalid", []),
    ],
)
def test_phones_wherever_they_stand(raw: str, values: list[str]) -> None:
    assert [phone.value for phone in phones(field(raw), "home", DEFAULT.nothing)] == values


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("某省某市", True),
        ("某省某市某区某街道", True),
        ("某市某村", False),
        ("某市某路12号", False),
        ("某小区三幢二室", False),
        ("1 Test Street", False),
    ],
)
def test_a_town_alone_is_no_address_to_go_to(text: str, wide: bool) -> None:
    assert is_wide(text) is wide


def test_the_home_address_among_several() -> None:
    raw = "无^^^^000000^^O~某省某市某区^^^^000000^^H~某省某县^^^^000000^^N"
    assert address(field(raw), DEFAULT.nothing) == "某省某市某区"
    assert address(field("一路1号^^某市^某省^315000^^H")) == "某省某市一路1号"
    assert address(field("某路1号^二单元^某市^某市^300000^CHN^H^某街道^某区")) == "某市某区某街道某路1号二单元"
    assert address(field("某市某区某路1号^^某市^某市^^^H^^某区")) == "某市某区某路1号"
    assert address(field("1 Test Street^^Town^ST^12345")) == "1 Test Street, Town, ST 12345"


def adt(pid: str, event: str = "A31", rest: str = "", msh_4: str = "H1") -> AdtEvent:
    message = Message(f"MSH|^~\\&|HIS|{msh_4}|C|C|20260105170124||ADT^{event}|1|P|2.4\rEVN||20260105170124\r{pid}\r{rest}")
    return read_adt(message, read_header(message), DEFAULT, ZONE)


def test_idcard_is_the_hospitals_card_and_identifyno_the_citizen_id() -> None:
    person = adt("PID|1||1^^^^IDCard~2^^^^PatientNO~00000019400101000x^^^^IdentifyNO~^^^^UPID~9^^^^OtherID~7^^^^HC~5^^^^QQ").person
    assert [(one.system, one.value) for one in person.numbers] == [
        (hospital_number("h1"), "1"),
        (hospital_number("h1/inpatient"), "2"),
        (CITIZEN_ID, "00000019400101000X"),
        (HEALTH_CARD, "7"),
        (hospital_number("h1/qq"), "5"),
    ]


def test_numbers_typed_in_cx_4_and_bare_ones_and_pid_2_and_pid_19() -> None:
    person = adt("PID|1|9|400001^^^&PATID~1200001^^^&BLH~800001^^^&BRKH^BLH~0^^^&YEXH").person
    assert [one.system.rpartition("/hospital/")[2] for one in person.numbers] == ["h1", "h1/inpatient", "h1/outpatient"]
    person = adt("PID|1|9||||||||||||||||||00000019400101000X").person
    assert [(one.place, one.system) for one in person.numbers] == [("PID-2", hospital_number("h1"))]
    pid = "PID|1|9" + "|" * 17 + "00000019400101000X"
    assert [(one.place, one.system) for one in adt(pid).person.numbers] == [("PID-2", hospital_number("h1")), ("PID-19", CITIZEN_ID)]


def test_two_hospitals_on_one_line_do_not_share_numbers() -> None:
    assert adt("PID|1||1^^^^IDCard", msh_4="H1").person.numbers != adt("PID|1||1^^^^IDCard", msh_4="H2").person.numbers


@pytest.mark.parametrize(
    ("sent", "sex"), [("1", "male"), ("2", "female"), ("M", "male"), ("f", "female"), ("男", "male"), ("女", "female"), ("9", "unknown")]
)
def test_sex(sent: str, sex: str) -> None:
    assert adt(f"PID|1||1||测试甲||19400101|{sent}").person.sex == sex


def test_what_cannot_be_read_is_said() -> None:
    person = adt("PID|1||1||测试甲||19881302|X").person
    assert person.doubts == ("PID-8", "PID-7")
    assert (person.birth, person.sex) == (None, None)


def test_null_is_not_empty() -> None:
    assert adt('PID|1||1||测试甲||||||""||""').person.erased == {"PID-11", "PID-13"}
    assert adt("PID|1||1||测试甲").person.erased == frozenset()


def test_a_stay() -> None:
    stay = adt(
        "PID|1||1", "A01", "PV1|1|住院|9505^^12^4506^某病区||||000001^测^试||||||||||||V1|||||||||||||||||||||||||20260105170124\r"
    ).stay
    assert stay is not None
    assert (stay.number, stay.code, stay.class_sent, stay.bed) == ("V1", "IMP", "住院", "12")
    assert (stay.department.code, stay.department.text, stay.attending.text) == ("9505", "某病区", "测试")
    assert stay.admitted is not None


def test_several_merges_in_one_message_and_none_that_names_nothing() -> None:
    rest = "MRG|2^^^^IDCard\rPID|2||3^^^^IDCard\rMRG|4^^^^IDCard~5^^^^PatientNO\r"
    merges = adt("PID|1||1^^^^IDCard", "A40", rest).merges
    assert [([n.value for n in one.survivor.numbers], [n.value for n in one.prior]) for one in merges] == [
        (["1"], ["2"]),
        (["3"], ["4", "5"]),
    ]
    with pytest.raises(Invalid) as refused:
        adt("PID|1||1^^^^IDCard", "A40", "MRG|\r")
    assert refused.value.issues[0].path == "MRG-1"


def results(*segments: str) -> ResultEvent:
    message = Message("\r".join(["MSH|^~\\&|LIS|H1|C|C|20260105170124||ORU^R01|1|P|2.4", "PID|1||1^^^^IDCard", *segments]) + "\r")
    return read_results(message, read_header(message), DEFAULT, ZONE)


def test_results_by_order_with_their_notes() -> None:
    event = results(
        "OBR|1|P1|F1|A^甲", "NTE|1||整单", "OBX|1|NM|K^钾||4.10|mmol/L|3.5-5.3|N|||F", "NTE|1||溶血", "ORC|RE|P2", "OBR|2||F2|B^乙"
    )
    first, second = event.reports
    assert (first.filler, first.notes, first.results[0].notes) == ("F1", ("整单",), ("溶血",))
    assert (second.placer, second.filler, second.results) == ("P2", "F2", ())


@pytest.mark.parametrize(
    ("obx", "flags", "derived"),
    [
        ("NM|K||4.1||3.5-5.3|M", ("N",), False),
        ("ST|K||290.00|^umol/L|205.00-285.00|H", ("H",), False),
        ("NM|K||2.9||3.5-5.3|", ("L",), True),
        ("NM|K||7.0||<5.2|", ("H",), True),
        ("NM|K||4||3.5-5.3|", ("N",), True),
        ("ST|K||阳性||阴性|P", ("POS",), False),
        ("NM|K||<0.5||0.2-1|", (), False),
        ("NM|K||>100||0.2-50|", ("H",), True),
        ("NM|K||>=50||0.2-50|", (), False),
        ("NM|K||>50||0.2-50|", ("H",), True),
        ("SN|K||<^0.1||0.2-50|", ("L",), True),
        ("NM|K||>30||0.2-50|", (), False),
        ("ST|K||13||轻：31-49，中：50-69|", (), False),
        ("NM|K||1.2||2.1-2.6|↓↓", ("LL",), False),
        ("NM|K||115||137-147|危急值", ("AA",), False),
        ("NM|K||1.2||2.1-2.6|提示偏低", ("提示偏低", "L"), True),
        ("ST|K||混浊||清|异物", ("异物",), False),
        ("NM|K||17.9||3.9-6.1|HU", ("HU",), False),
        ("ST|K||有反应性||无反应性|RR", ("RR",), False),
        ("ST|K||7.8↑||3.9-6.1|", ("H",), False),
        ("ST|K||1.2 ↓↓||（2.1-2.6）|", ("LL",), False),
        ("ST|K||阳性(+)||阴性(-)|", ("POS",), True),
        ("ST|K||弱阳性||阴性|", ("POS",), True),
        ("ST|K||++||(-)|", ("POS",), True),
        ("ST|K||阴性||阴性|", (), False),
        ("ST|K||A型||阴性|", (), False),
        ("ST|K||阳性||阳性|", (), False),
        ("ST|K||++|||", (), False),
    ],
)
def test_flags_as_sent_or_from_the_range(obx: str, flags: tuple[str, ...], derived: bool) -> None:
    [result] = results("OBR|1||F1|A", f"OBX|1|{obx}").reports[0].results
    assert (result.flags, result.flags_derived) == (flags, derived)
    assert result.critical is bool({"AA", "HH", "LL"} & set(flags)), "HU and LU are significant, not critical (table 0078)"


def test_numbers_stay_as_they_were_written() -> None:
    [nm, sn, st_] = results("OBR|1||F1|A", "OBX|1|NM|a||14.60", "OBX|2|SN|b||>^100", "OBX|3|ST|c||1:80").reports[0].results
    assert nm.quantity is not None
    assert nm.quantity.text == "14.60"
    assert sn.quantity is not None
    assert (sn.quantity.comparator, sn.quantity.text) == (">", "100")
    assert (st_.quantity, st_.texts) == (None, ("1:80",))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3.90-6.10", "3.90", "6.10"),
        ("3.9--6.1", "3.9", "6.1"),
        ("3.5～5.3 mmol/L", "3.5", "5.3"),
        ("≥1.0", "1.0", None),
        ("(3.9-6.1)", "3.9", "6.1"),
        ("【3.9～6.1】mmol/L", "3.9", "6.1"),
        ("﹤5.2", None, "5.2"),
        ("小于等于5.2", None, "5.2"),
        ("大于1.0", "1.0", None),
        ("男(3.9-6.1)女(3.5-5.5)", None, None),
        ("prose", None, None),
        ("9-1", None, None),
        ("-3--1", "-3", "-1"),
        ("-3--3", "-3", "3"),
        ("－２．３～２．３", "-2.3", "2.3"),
        ("03.9-06.1", "3.9", "6.1"),
        ("5.2以下", None, "5.2"),
        ("60 mL/min 及以上", "60", None),
        ("60岁以上", None, None),
        ("6个月以下", None, None),
        ("4-10*10^9/L", None, None),
        ("4,000-10,000 /uL", "4000", "10000"),
        ("<1,234,567.5", None, "1234567.5"),
        ("31-49,150-200", None, None),
        ("0,123-1", None, None),
    ],
)
def test_ranges(text: str, low: str | None, high: str | None) -> None:
    assert bounds(text) == (Decimal(low) if low else None, Decimal(high) if high else None)


@pytest.mark.parametrize(
    ("text", "unit", "low", "high"),
    [
        ("4-10*10^9/L", "10^9/L", "4", "10"),
        ("3.5～9.5×10⁹/L", "×10^9/L", "3.5", "9.5"),
        ("4.0--10.0 10*9/L", "10*9/L", "4.0", "10.0"),
        ("<1*10^5/ml", "10^5/ml", None, "1"),
        ("<1*10^5/ml", "/ml", None, None),
        ("4-10*10^9/L", "10^12/L", None, None),
        ("<10^5/ml", "10^5/ml", None, None),
    ],
)
def test_a_range_in_powers_of_ten_counts_beside_a_result_in_the_same(text: str, unit: str, low: str | None, high: str | None) -> None:
    assert bounds(text, unit) == (Decimal(low) if low else None, Decimal(high) if high else None)
    [result] = results("OBR|1||F1|A", f"OBX|1|NM|W||7.1|{unit}|{text}|").reports[0].results
    assert (result.low, result.high) == bounds(text, unit)


@pytest.mark.parametrize(
    ("written", "range", "text", "flags"),
    [
        ("5,100", "4,000-10,000", "5100", ("N",)),
        ("12,345", "4000-10000", "12345", ("H",)),
        (">1,000,000", "", "1000000", ()),
        ("5,100.50", "", "5100.50", ()),
        ("5,100", "", None, ()),
        ("5,100", "3.5-9.5", None, ()),
        ("5,10", "4000-10000", None, ()),
        ("1,2,3", "", None, ()),
        ("15,100↑", "4,000-10,000", "15100", ("H",)),
    ],
)
def test_thousands_that_are_parted_by_commas_are_a_number_where_they_can_be_nothing_else(
    written: str, range: str, text: str | None, flags: tuple[str, ...]
) -> None:
    [result] = results("OBR|1||F1|A", f"OBX|1|NM|W||{written}|/uL|{range}|").reports[0].results
    assert (result.quantity.text if result.quantity else None, result.flags) == (text, flags)
    assert result.texts == (written.removesuffix("↑"),)


@pytest.mark.parametrize(
    ("written", "text"),
    [("1.2E3", "1.2E3"), ("<5.00e+02", "5.00E+02"), ("001E05", "1E05"), ("-0.5E-3", "-0.5E-3"), ("1.E3", None), ("1E100", None)],
)
def test_a_number_with_a_power_of_ten_stays_as_it_was_written(written: str, text: str | None) -> None:
    found = number_in(written)
    assert (found.text if found else None) == text
    if found:
        assert json.loads(dumps({"value": Lexical(found.text)}))["value"] == float(found.value)


def test_what_is_at_most_or_at_least_so_much_is_a_number_with_its_comparator() -> None:
    assert (number_in("0.5以下"), number_in("5.2 以上")) == (Quantity("0.5", "<="), Quantity("5.2", ">="))
    assert number_in("0.5mmol/L以下") is None


@pytest.mark.parametrize(
    ("segments", "codes"),
    [
        (["OBX|1|NM|K||4.1", "SPM|1|S1", "OBX|2|ST|HEM||+", "NTE|1||溶血", "SPM|2|S2", "OBX|3|ST|VOL||5"], ["K", "HEM", "VOL"]),
        (["SPM|1|S1", "OBX|1|NM|K||4.1", "SPM|2|S2", "OBX|2|NM|NA||140"], ["K", "NA"]),
        (["OBX|1|NM|K||4.1", "SPM|1|S1"], ["K"]),
    ],
    ids=["of the specimen", "all behind it", "none"],
)
def test_what_is_observed_behind_a_specimen_stands_in_the_report(segments: list[str], codes: list[str]) -> None:
    event = results("OBR|1||F1|A", *segments, "OBR|2||F2|B", "OBX|1|NM|CL||99")
    first, second = event.reports
    assert ([one.code.code for one in first.results], [one.code.code for one in second.results]) == (codes, ["CL"])
    assert [one.notes for one in first.results] == [("溶血",) if one == "HEM" else () for one in codes]


@pytest.mark.parametrize(
    ("written", "text"),
    [("05.60", "5.60"), ("+5", "5"), (".5", "0.5"), ("5.", "5"), ("-007", "-7"), ("00", "0"), ("１．５０", "1.50"), ("-.50", "-0.50")],
)
def test_a_number_that_hl7_allows_and_json_does_not_is_written_as_json_has_it(written: str, text: str) -> None:
    found = number_in(written)
    assert found is not None
    assert found.text == text
    assert json.loads(dumps({"value": Lexical(found.text)}))["value"] == float(written.translate(str.maketrans("１５０．", "150.")))


@given(st.from_regex(r"[+-]?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})", fullmatch=True))
def test_every_number_keeps_its_value_and_its_decimals(written: str) -> None:
    found = number_in(written)
    assert found is not None
    assert found.value == Decimal(written)
    assert len(found.text.partition(".")[2]) == len(written.partition(".")[2])
    json.loads(dumps({"value": Lexical(found.text)}))


def test_one_and_a_half_with_a_comma_is_a_number_only_where_the_link_says_so() -> None:
    assert number_in("1,5") is None
    assert number_in("1,5", comma=True) == Quantity("1.5")
    assert bounds("3,9-6,1", comma=True) == (Decimal("3.9"), Decimal("6.1"))
    comma = replace(load("default"), decimal_mark="comma")
    message = Message("MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.4\rPID|1||1\rOBR|1||F|A\rOBX|1|NM|K||7,20||3,9-6,1|\r")
    [result] = read_results(message, read_header(message), comma, ZONE).reports[0].results
    assert (result.quantity, result.flags) == (Quantity("7.20"), ("H",))


@pytest.mark.parametrize(
    ("sn", "value"),
    [
        ("^0^-^5", Span("0", "5")),
        ("^1^:^128", Share(Quantity("1"), "128")),
        (">^1^:^640", Share(Quantity("1", ">"), "640")),
        ("^1^/^2", Share(Quantity("1"), "2")),
        ("=^7.10", Quantity("7.10")),
        (">=^100", Quantity("100", ">=")),
        ("^2^+", "2+"),
        ("<>^5", "<>5"),
        ("^9^-^5", "9-5"),
        (">^1^-^5", ">1-5"),
        ("^1^:", "1:"),
    ],
)
def test_structured_numerics_are_numbers_ranges_ratios_or_words(sn: str, value: object) -> None:
    [result] = results("OBR|1||F1|A", f"OBX|1|SN|K||{sn}|").reports[0].results
    assert (result.quantity or result.span or result.share or result.texts[0]) == value
