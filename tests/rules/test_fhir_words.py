"""The small crafts of the language: folding, dates, references, pinyin, outcomes."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healthsvc.errors import Invalid, Issue, RuleViolation
from healthsvc.fhir import dates, outcome, pinyin
from healthsvc.fhir.reference import canonical, parse
from healthsvc.fhir.text import fold, has_han

HOUR = 3600 * dates.SECOND


@pytest.mark.parametrize(
    ("written", "folded"),
    [("ＪＯＳÉ\u3000 García", "jose garcia"), ("  王  小 明 ", "王 小 明"), ("Straße", "strasse"), ("ﬁ", "fi"), ("①", "1"), ("が", "か")],
)
def test_text_is_folded(written: str, folded: str) -> None:
    assert fold(written) == folded


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(("text", "found"), [("abc", False), ("a王", True), ("𠮷", True), ("ひらがな", False)])
def test_chinese_characters_are_recognised(text: str, found: bool) -> None:
    assert has_han(text) is found


@pytest.mark.parametrize(
    ("written", "hours"),
    [
        ("2026", 365 * 24),
        ("2024", 366 * 24),
        ("2026-02", 28 * 24),
        ("2026-12", 31 * 24),
        ("2026-03-05", 24),
        ("2026-03-05T08:00+08:00", 1 / 60),
    ],
)
def test_a_partial_date_is_its_whole_span(written: str, hours: float) -> None:
    low, high = dates.span(written)
    assert high - low == hours * HOUR


def test_fractions_of_a_second_are_as_narrow_as_written() -> None:
    low, high = dates.span("2026-03-05T08:00:00.125+08:00")
    assert high - low == 1000
    assert dates.span("2026-03-05T08:00:00.123456789+08:00") == (low - 125000 + 123456, low - 125000 + 123457)


def test_a_summer_day_of_1988_had_summer_time() -> None:
    """China had summer time from 1986 to 1991: a birth date then started an hour earlier."""
    assert dates.span("1988-07-01")[0] == dates.span("1988-07-01T00:00:00+09:00")[0]


def test_a_leap_second_is_the_second_after() -> None:
    assert dates.span("2016-12-31T23:59:60Z")[0] == dates.span("2017-01-01T00:00:00Z")[0]


def test_the_end_of_the_calendar() -> None:
    assert [dates.span(text)[1] for text in ("9999", "9999-12", "9999-12-31")] == [dates.END] * 3


@pytest.mark.parametrize("text", ["2026-13", "2026-02-30", "26-01-01", "2026-1-1", "2026-01-01T25:00:00Z", "today", "", "2026-01-01T10"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        dates.span(text)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_moment_survives_being_written(at: datetime) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    if dates.date_time(at)[-6:] == "+08:00":  # before 1901 and in summer time offsets differ
        assert dates.moment(dates.span(dates.instant(at))[0]) == at
        assert dates.span(dates.date_time(at))[0] == dates.micros(at - timedelta(microseconds=at.microsecond))


def test_moments_are_written_in_the_zone_of_the_place() -> None:
    at = datetime(2026, 3, 5, 0, 30, tzinfo=UTC)
    assert dates.date_time(at) == "2026-03-05T08:30:00+08:00"
    assert dates.instant(at) == "2026-03-05T08:30:00.000+08:00"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Patient/1", ("Patient", "1", None, None)),
        ("Patient/1/_history/2", ("Patient", "1", "2", None)),
        ("https://h.example/a/fhir/Patient/a.b-C", ("Patient", "a.b-C", None, "https://h.example/a/fhir")),
        ("Patient/1#part", ("Patient", "1", None, None)),
        ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", (None, None, None, None)),
        ("Patient?identifier=1", (None, None, None, None)),
        ("patient/1", (None, None, None, None)),
        ("Patient/under_score", (None, None, None, None)),
    ],
)
def test_references_are_taken_apart(text: str, parts: tuple[str | None, ...]) -> None:
    found = parse(text)
    assert (found.type, found.id, found.version, found.base) == parts


def test_relative_and_contained_references() -> None:
    assert parse("Patient/1").relative
    assert not parse("http://h.example/Patient/1").relative
    assert parse("#a").contained
    assert canonical("http://x.example/q|2#p") == ("http://x.example/q", "2")


@pytest.mark.parametrize(
    ("name", "full", "initials"),
    [
        ("单国强", "shanguoqiang", "sgq"),
        ("曾祥", "zengxiang", "zx"),
        ("仇英", "qiuying", "qy"),
        ("解放", "xiefang", "xf"),
        ("盖叫天", "gejiaotian", "gjt"),
        ("区大", "ouda", "od"),
        ("查良", "zhaliang", "zl"),
        ("覃明", "qinming", "qm"),
        ("任重", "renzhong", "rz"),
        ("朴树", "piaoshu", "ps"),
        ("尉迟恭", "yuchigong", "ycg"),
        ("长孙无忌", "zhangsunwuji", "zswj"),
        ("吕不韦", "lvbuwei", "lbw"),
        ("欧阳修", "ouyangxiu", "oyx"),
        ("王芳", "wangfang", "wf"),
    ],
)
def test_surnames_are_read_as_surnames(name: str, full: str, initials: str) -> None:
    assert {full, initials} <= set(pinyin.spellings(name))
    assert "pypinyin.phrases_dict" not in sys.modules, "the readings of 47,000 phrases, 44 MB, that nobody asks for"


def test_other_readings_and_keyboards_without_umlaut() -> None:
    assert "lubuwei" in pinyin.spellings("吕不韦")
    assert {"leming", "yueming"} <= set(pinyin.spellings("乐明"))
    assert pinyin.spellings("John Smith") == ()
    assert pinyin.spellings("买买提·吐尔逊")[0] == "maimaititu" + "erxun"


def test_family_name_with_initials_and_both_readings_of_a_character() -> None:
    assert "wangdq" in pinyin.spellings("王德全")
    assert {"zhangchangshan", "zhangzhangshan"} <= set(pinyin.spellings("张长山"))
    assert {"duming", "goujian", "niexiao"} <= {pinyin.spellings(name)[0] for name in ("都明", "句践", "乜晓")}
    assert pinyin.full_spellings("王") == ("wang",)
    assert "wangdq" not in pinyin.full_spellings("王德全")


def test_a_known_family_name_decides_where_the_name_is_split() -> None:
    assert pinyin.split("欧阳修") == ("欧阳", "修")
    assert pinyin.split("单国强") == ("单", "国强")
    assert "shanyuming" in pinyin.spellings("单于明", "单")
    assert "chanyuming" in pinyin.spellings("单于明")


def test_an_outcome_says_what_and_where() -> None:
    made = outcome.operation_outcome([Issue("must not be empty", "value", "Patient.name[0]")])
    (issue,) = made["issue"]
    assert (issue["severity"], issue["code"], issue["expression"]) == ("error", "value", ["Patient.name[0]"])
    assert "must not be empty" in issue["diagnostics"]


def test_an_outcome_of_a_rule_carries_its_reason() -> None:
    made = outcome.of_refusal(RuleViolation("no", reason="infusion-drug-forbidden"))
    assert made["issue"][0]["details"]["coding"][0]["code"] == "infusion-drug-forbidden"
    assert outcome.operation_outcome([])["issue"][0]["severity"] == "information"
