"""Every figure from its facts, the people behind it, local and resettled side by side; spreadsheets without formulas."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from healthsvc.fhir.registry import Registry
from healthsvc.fhir.validation import validate
from healthsvc.indicators.facts import Called, Dose, Facts, Member, Promised, Right, Stay, Term, Used
from healthsvc.indicators.figure import By, IndicatorPolicy, Item, Measure
from healthsvc.indicators.resources import to_measure, to_report
from healthsvc.indicators.rules import BY_CODE, MEASURES, figures
from healthsvc.indicators.sheets import table_of
from healthsvc.indicators.tables import Table, safe, to_csv, to_xlsx
from healthsvc.policy import load
from healthsvc.visit.rules import Status

REGISTRY = Registry.load()
ON = date(2026, 11, 22)
AT = datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
POLICY = load(Path("absent")).fill(IndicatorPolicy, "indicators", ON)
QUARTER = (date(2026, 10, 1), date(2026, 12, 31))


def visit(
    person: str,
    kind: str = "quarterly-checkup",
    opens: int = -40,
    due: int = 20,
    status: Status = Status.REQUESTED,
    done: int | None = None,
) -> Called:
    made = None if done is None else AT + timedelta(days=done)
    window = (AT + timedelta(days=opens), AT + timedelta(days=due))
    return Called(f"Task/{kind}-{person}-{opens}", person, kind, *window, status, made, ("ServiceRequest/r",))


def term(person: str, delivered: int, due: int) -> Term:
    promises = (Promised("quarterly-checkup", 4, delivered, due), Promised("home-nursing", 2, 0, 0))
    return Term(f"Contract/{person}", person, date(2026, 1, 1), date(2026, 12, 31), promises)


FACTS = Facts(
    on=ON,
    at=AT,
    period=(QUARTER[0], ON),
    members=(
        Member("a", False, "lixiu", 90, "一厂", "甲社区", "Practitioner/1"),
        Member("b", True, "lixiu", 50, "二厂", "甲社区", "Practitioner/1"),
        Member("c", False, "tuixiu", 80, "", "乙社区", "Practitioner/2"),
        Member("d", False, "lixiu", 99, "一厂", "乙社区", counted=False),
    ),
    terms=(term("a", 3, 3), term("b", 1, 3)),
    visits=(
        visit("a", status=Status.COMPLETED, done=-1),
        visit("b", due=-1),
        visit("c", status=Status.CANCELLED),
        visit("d", status=Status.ON_HOLD),
        visit("c", "follow-up", due=-2, status=Status.COMPLETED, done=0),
        visit("a", "follow-up", opens=-200, due=-190, status=Status.COMPLETED, done=-180),
        visit("old-b", "home-nursing", due=-3, status=Status.FAILED),
        visit("x", "home-nursing", due=-3, status=Status.FAILED),
    ),
    stays=(
        Stay("EpisodeOfCare/1", "a", date(2026, 11, 13), None, AT - timedelta(days=8), AT - timedelta(days=8)),
        Stay("EpisodeOfCare/2", "c", date(2026, 9, 21), date(2026, 10, 10), AT - timedelta(days=50), None),
        Stay("EpisodeOfCare/3", "c", date(2026, 10, 20), date(2026, 10, 21), AT - timedelta(days=32), None),
        Stay("EpisodeOfCare/4", "b", ON, None, AT + timedelta(days=1), None),
    ),
    doses=(
        Dose("MedicationAdministration/1", "a", ON, False),
        Dose("MedicationAdministration/2", "a", ON - timedelta(days=1), True),
        Dose("MedicationAdministration/3", "b", date(2026, 9, 30), False),
    ),
    uses=(
        Used("Observation/1", "a", ON, True),
        Used("Observation/2", "a", ON, True),
        Used("Observation/3", "b", ON, False),
        Used("Observation/4", "b", date(2026, 9, 30), True),
        Used("Observation/5", "c", ON, None, why="no-comparison"),
    ),
    rights=(Right("Flag/a", "a", date(2026, 1, 1), None), Right("Flag/b", "b", date(2026, 1, 1), date(2026, 11, 21))),
    survivors={"old-b": "b"},
)


@pytest.mark.parametrize(
    ("code", "numerator", "denominator", "people", "missing", "excluded"),
    [
        ("fulfilment", 4, 6, ("a",), ("b",), {"not-due": 2}),
        ("signing", 2, 3, ("a", "b"), ("c",), {}),
        ("checkup-quarter", 1, 2, ("a",), ("b",), {"cancelled": 1, "on-hold": 1}),
        # a in time; b not made (a checkup, and a nursing visit told under its former file); c late; d's and c's windows are open
        ("timeliness", 1, 4, ("a",), ("b", "c"), {}),
        ("overdue", 1, None, ("b",), (), {}),
        ("referral-follow-up", 0, 1, (), ("c",), {}),
        ("home-beds", 2, None, ("a", "b"), (), {}),
        ("home-bed-days", 10 + 10 + 2 + 1, None, ("a", "b", "c"), (), {}),
        ("first-round", 1, 2, ("a",), ("c",), {"not-due": 1}),
        ("infusions", 2, None, ("a",), (), {}),
        ("infusion-reactions", 1, 2, (), ("a",), {}),
        ("green-channel", 1, 2, ("a",), ("b",), {}),
        ("green-channel-holders", 1, None, ("a",), (), {}),
        ("green-channel-honour", 2, 3, ("a",), ("b",), {"no-comparison": 1}),
        ("completeness", 2, 3, ("a", "c"), ("b",), {}),
    ],
)
def test_every_measure(
    code: str, numerator: int, denominator: int | None, people: tuple[str, ...], missing: tuple[str, ...], excluded: dict[str, int]
) -> None:
    (one,) = [figure for figure in figures(FACTS, POLICY) if figure.code == code]
    assert (one.numerator, one.denominator) == (numerator, denominator)
    assert (one.people, one.missing, one.excluded) == (people, missing, excluded)


def test_every_measure_is_counted_by_hand() -> None:
    marks = test_every_measure.pytestmark  # type: ignore[attr-defined]
    assert [row[0] for row in marks[0].args[1]] == [one.code for one in MEASURES]
    assert len(BY_CODE) == len(MEASURES)
    assert MEASURES[0].code == "fulfilment"


def test_local_and_resettled_side_by_side() -> None:
    signing = next(one for one in figures(FACTS, POLICY) if one.code == "signing")
    found = {one.part.value: (one.numerator, one.denominator) for one in signing.parts(FACTS.members, By.RESETTLED)}
    assert found == {"local": (1, 2), "resettled": (1, 1)}
    units = {one.part.value: (one.numerator, one.denominator) for one in signing.parts(FACTS.members, By.UNIT)}
    assert units == {"一厂": (1, 1), "二厂": (1, 1), "": (0, 1)}


def test_nothing_to_divide_by_is_no_rate() -> None:
    empty = replace(FACTS, members=(), terms=(), visits=(), stays=(), doses=(), rights=(), uses=())
    assert all(one.rate is None and not one.items for one in figures(empty, POLICY))


def test_a_visit_counts_in_one_period_only() -> None:
    made_late = visit("a", opens=-140, due=-100, status=Status.COMPLETED, done=-3)
    third = replace(FACTS, visits=(made_late,), on=QUARTER[0] - timedelta(days=1), at=AT - timedelta(days=53))
    third = replace(third, period=(date(2026, 7, 1), third.on), visits=(replace(made_late, done=None, status=Status.COMPLETED),))
    fourth = replace(FACTS, visits=(made_late,))
    counts = [next(one for one in figures(facts, POLICY) if one.code == "timeliness") for facts in (third, fourth)]
    assert [(one.numerator, one.denominator) for one in counts] == [(0, 1), (0, 0)]


def test_an_item_never_counts_for_more_than_was_asked() -> None:
    for wrong in ((2, 1, ""), (-1, 1, ""), (1, 1, "cancelled")):
        with pytest.raises(ValueError, match="counted or excluded"):
            Item("a", "Task/1", *wrong)


PEOPLE = st.sampled_from(["a", "b", "c", "d", "old-b", "x"])
ANY_VISIT = st.builds(
    visit,
    PEOPLE,
    st.sampled_from(["quarterly-checkup", "follow-up", "home-nursing"]),
    st.integers(-150, 0),
    st.integers(-100, 40),
    st.sampled_from(list(Status)),
    st.none() | st.integers(-100, 0),
)
ANY_FACTS = st.builds(
    replace,
    st.just(FACTS),
    visits=st.lists(ANY_VISIT, max_size=12).map(tuple),
    terms=st.lists(st.builds(term, PEOPLE, st.integers(0, 4), st.integers(0, 4)), max_size=5).map(tuple),
    uses=st.lists(st.builds(Used, st.just("Observation/1"), PEOPLE, st.dates(date(2026, 9, 1), ON), st.none() | st.booleans())).map(tuple),
    members=st.lists(
        st.builds(
            Member, st.sampled_from("abcd"), st.booleans(), st.sampled_from(["lixiu", "tuixiu"]), st.integers(0, 100),
            st.sampled_from(["", "一厂", "二厂"]), st.sampled_from(["", "甲"]), counted=st.booleans(),
        ),
        unique_by=lambda member: member.id,
    ).map(tuple),
)  # fmt: skip


@given(ANY_FACTS)
def test_everybody_stands_in_one_place_and_parts_add_up(facts: Facts) -> None:
    for one in figures(facts, POLICY):
        people, missing, aside = set(one.people), set(one.missing), set(one.aside)
        assert not people & missing
        assert not (people | missing) & aside
        assert people | missing | aside == {item.person for item in one.items if item.asked or item.out}
        assert {item.person for item in one.items} <= {member.id for member in facts.members}
        assert one.denominator is None or one.numerator <= one.denominator
        for by in By:
            parts = one.parts(facts.members, by)
            assert sum(part.numerator for part in parts) == one.numerator
            assert sum(part.denominator or 0 for part in parts) == (one.denominator or 0)
            assert sum(sum(part.excluded.values()) for part in parts) == sum(one.excluded.values())


def test_a_measure_report_counts_and_names_nobody() -> None:
    whole = figures(FACTS, POLICY)[0]
    parts = whole.parts(FACTS.members, By.RESETTLED)
    report = to_report(whole, parts, ZoneInfo("Asia/Shanghai"), AT)
    assert validate(report, REGISTRY) == []
    counts = {one["code"]["coding"][0]["code"]: one["count"] for one in report["group"][0]["population"]}
    assert counts == {"initial-population": 8, "denominator": 8, "denominator-exclusion": 2, "numerator": 4}
    assert report["group"][0]["measureScore"]["value"].text == "0.6667"
    assert report["type"] == "summary"
    assert "subject" not in report
    assert "Patient/" not in str(report)
    strata = {one["value"]["text"]: one["population"][3]["count"] for one in report["group"][0]["stratifier"][0]["stratum"]}
    assert strata == {"local": 3, "resettled": 1}


def test_a_subject_list_names_everybody_in_their_populations() -> None:
    report = to_report(figures(FACTS, POLICY)[1], (), ZoneInfo("Asia/Shanghai"), AT, people=True)
    assert validate(report, REGISTRY) == []
    named = {one["id"]: [entry["item"]["reference"] for entry in one.get("entry", ())] for one in report["contained"]}
    assert named["numerator"] == ["Patient/a", "Patient/b"]
    assert named["denominator"] == ["Patient/a", "Patient/b", "Patient/c"]


@pytest.mark.parametrize("one", MEASURES, ids=lambda one: one.code)
def test_every_measure_is_published_as_valid_fhir(one: Measure) -> None:
    made = to_measure(one)
    assert validate(made, REGISTRY) == []
    assert made["url"].endswith(f"/Measure/{one.code}")
    assert one.rule_zh in made["group"][0]["description"]


@given(st.text())
def test_no_text_becomes_a_formula(text: str) -> None:
    cell = safe(text)
    assert isinstance(cell, str)
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝"))


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@x", "  =x", "\t=x", "＝1"])
def test_formulas_are_disarmed_in_both_formats(text: str) -> None:
    table = Table("台账/2026", ("列",), ((text,), (-5,), (date(2026, 11, 22),), (None,)))
    rows = list(csv.reader(io.StringIO(to_csv(table).decode("utf-8-sig"))))
    assert rows[1] == ["'" + text]
    assert rows[2:] == [["-5"], ["2026-11-22"], [""]]
    sheet = load_workbook(io.BytesIO(to_xlsx([table])))["台账2026"]
    cell = sheet["A2"]
    assert cell.data_type == "s"
    assert cell.value == text
    assert sheet["A3"].value == -5


def test_the_figures_as_a_table_carry_their_rule() -> None:
    whole = figures(FACTS, POLICY)[0]
    table = table_of([whole, *whole.parts(FACTS.members, By.UNIT)])
    assert table.rows[0][:6] == ("履约率", "Promised items delivered", "全部", 4, 6, 0.6667)
    assert [row[2] for row in table.rows] == ["全部", "管理单位：一厂", "管理单位：二厂"]
    assert str(table.rows[0][-1]).endswith("（第3版）")
