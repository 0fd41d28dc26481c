"""Forms as values: a form survives FHIR, answers survive FHIR, items are asked when they should be, points are added up."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healthsvc import policy
from healthsvc.forms.reading import form
from healthsvc.forms.resources import to_answers, to_form, to_items, to_questionnaire
from healthsvc.forms.rules import Answers, Form, Item, Kind, Limits, check, is_asked, level, total
from healthsvc.forms.service import _limits
from healthsvc.forms.tables import FORMS
from healthsvc.forms.tables.screens import CARE_SETS

ON = date(2026, 3, 2)
NAMES = sorted(FORMS)
PERSONAL = """工作单位 联系人 常住类型 民族 血型 Rh 文化程度 职业 婚姻 支付方式 过敏史 暴露史 既往疾病 手术 外伤 输血 家族史 遗传病
    残疾 厨房排风 燃料 饮水 厕所 禽畜栏"""
CHECK = """症状 体温 脉率 呼吸 左臂 右臂 身高 体重 腰围 自我评估 自理能力 认知 情感 锻炼 饮食 吸烟 饮酒 职业病 口唇 视力 听力 运动功能
    眼底 皮肤 巩膜 淋巴结 肺 心脏 腹部 水肿 足背动脉 肛门指诊 乳腺 血红蛋白 白细胞 血小板 尿蛋白 心电图 尿微量白蛋白 大便潜血 糖化
    乙型肝炎 谷丙 谷草 总胆红素 肌酐 尿素 总胆固醇 甘油三酯 低密度 高密度 B超 中医体质 健康问题 住院史 家庭病床史 用药 接种 健康评价
    健康指导"""
LIMITS = _limits(policy.load(), ON)


def an_answer(item: Item) -> st.SearchStrategy[Any]:
    if item.kind is Kind.GROUP:
        return answers(item.items)
    if item.kind is Kind.BOOLEAN:
        return st.booleans()
    if item.kind is Kind.INTEGER:
        return st.integers(0, 300)
    if item.kind is Kind.DECIMAL:
        return st.decimals(0, 500, allow_nan=False, places=2)
    if item.kind is Kind.DATE:
        return st.dates(date(1930, 1, 1), ON)
    if item.kind in (Kind.CHOICE, Kind.OPEN_CHOICE):
        return st.sampled_from([one.code for one in item.options])
    return st.text("甲乙丙丁", min_size=1, max_size=8)


def answers(items: tuple[Item, ...]) -> st.SearchStrategy[Answers]:
    asked = {
        one.link: st.lists(an_answer(one), min_size=1, max_size=2 if one.repeats else 1) for one in items if one.kind is not Kind.DISPLAY
    }
    return st.fixed_dictionaries({}, optional=asked).map(lambda found: {link: one for link, one in found.items() if one != [{}]})


@pytest.mark.parametrize("name", NAMES)
def test_a_form_survives_fhir(name: str) -> None:
    back = to_form(to_questionnaire(FORMS[name], LIMITS, 18))
    assert back == FORMS[name]


@pytest.mark.parametrize("name", ["health-check-basic", "personal-information", "mood-screen"])
def test_answers_survive_fhir(name: str) -> None:
    asked = FORMS[name]

    @settings(max_examples=20)
    @given(answers(asked.items))
    def survive(given: Answers) -> None:
        items = to_items(asked.items, given)
        back, unread = to_answers(asked, {"item": items})
        assert unread == ()
        assert to_items(asked.items, back) == items

    survive()


@pytest.mark.parametrize("name", NAMES)
def test_links_are_words_that_stand_once_and_every_reference_leads_to_one(name: str) -> None:
    items = list(FORMS[name].walk())
    links = [one.link for one in items]
    assert len(set(links)) == len(links)
    assert not any(link[0].isdigit() for link in links)
    for item in items:
        named = [when.link for when in item.when] + [*item.sum] + ([item.below] if item.below else [])
        assert set(named) <= set(links), item.link
        assert not item.range or item.range in LIMITS, item.link
        assert item.options or item.kind not in (Kind.CHOICE, Kind.OPEN_CHOICE), item.link
        assert not (item.carry and item.category in ("vital-signs", "laboratory") and item.range not in ("height", "")), item.link


def test_an_item_is_asked_after_the_answers_that_call_for_it() -> None:
    asked = form("x", "x", "x", """
    a | boolean | 甲 | A
    b | integer | 乙 | B | range=r
    c | string | 丙 | C | when=a=true when=b>=3
    d | string | 丁 | D | when=a!=true
    """, {})  # fmt: skip
    c, d = asked.items[2], asked.items[3]
    for before, met in (({}, False), ({"a": [True]}, True), ({"b": [3]}, True), ({"b": [2], "a": [False]}, False)):
        assert is_asked(c, (before,)) is met
    assert is_asked(d, ({},))
    assert not is_asked(d, ({"a": [True]},))
    limits = {"r": Limits(Decimal(0), Decimal(9), Decimal(1), Decimal(5))}
    found = check(asked, {"b": [7]}, limits, ON)
    assert (found.wrong, [one.path for one in found.odd]) == ((), ["b"])
    assert [one.path for one in check(asked, {"b": [10]}, limits, ON).wrong] == ["b"]
    assert [one.path for one in check(asked, {"b": [2], "c": ["x"]}, limits, ON).wrong] == ["c"]


@given(st.tuples(*(st.sampled_from(CARE_SETS[name]) for name in ("eating", "grooming", "dressing", "toileting", "moving"))))
def test_self_care_adds_up_and_has_its_level(chosen: tuple[Any, ...]) -> None:
    group = FORMS["self-care"].items[0]
    links = ("eating", "grooming", "dressing", "toilet", "moving")
    given_answers = {link: [option.code] for link, option in zip(links, chosen, strict=True)}
    points = total(group.items[-1], group.items, given_answers)
    assert points == sum(option.score for option in chosen)
    bands = policy.load().value("checkup.selfcare_bands", ON)
    expected = None if points <= 3 else "light" if points <= 8 else "moderate" if points <= 18 else "cannot"
    assert level(points, bands) == expected
    del given_answers["moving"]
    assert total(group.items[-1], group.items, given_answers) is None


def test_a_form_that_nobody_can_read_is_refused_when_it_is_written() -> None:
    for lines in ("a | boolean | 甲 | A | unheard=of", "a | boolean | 甲 | A | when=b~c"):
        with pytest.raises(ValueError, match="a: "):
            form("x", "x", "x", lines, {})
    with pytest.raises(ValueError, match="indentation"):
        form("x", "x", "x", "a | boolean | 甲 | A\n   b | boolean | 乙 | B\n c | boolean | 丙 | C", {})


def test_the_forms_have_every_field_of_the_national_ones() -> None:
    def texts(asked: Form) -> str:
        return " ".join(one.zh for one in asked.walk())

    personal, whole = texts(FORMS["personal-information"]), texts(FORMS["health-check-full"])
    assert [field for field in PERSONAL.split() if field not in personal] == []
    assert [field for field in CHECK.split() if field not in whole] == []
