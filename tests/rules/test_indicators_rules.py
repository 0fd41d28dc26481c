"""Every figure from its facts, the people behind it, local and resettled side by side; spreadsheets without formulas."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from healthsvc.indicators.facts import Dose, Facts, Made, Member, Right, Stay, Term, Used
from healthsvc.indicators.ledgers import table_of
from healthsvc.indicators.resources import to_measure_report
from healthsvc.indicators.rules import MEASURES, Figure, Group, IndicatorPolicy, figures, only
from healthsvc.indicators.tables import Table, safe, to_csv, to_xlsx
from healthsvc.policy import load
from healthsvc.visit.rules import Status, Visit, Window

ON = date(2026, 11, 22)
AT = datetime(2026, 11, 22, 15, 59, 59, tzinfo=UTC)
POLICY = load(Path("absent")).fill(IndicatorPolicy, "indicators", ON)
QUARTER = (date(2026, 10, 1), date(2026, 12, 31))


def visit(person: str, kind: str = "quarterly-checkup", opens: int = -40, due: int = 20, status: Status = Status.REQUESTED) -> Visit:
    window = Window(AT + timedelta(days=opens), AT + timedelta(days=due))
    return Visit(f"{kind}-{person}", kind, person, window, 30, status=status)


FACTS = Facts(
    on=ON,
    at=AT,
    quarter=QUARTER,
    members=(Member("a", False, "lixiu", 90), Member("b", True, "lixiu", 50), Member("c", False, "tuixiu", 80)),
    terms=(
        Term("a", date(2026, 1, 1), date(2026, 12, 31), promised=4, delivered=3, due=3),
        Term("b", date(2026, 1, 1), date(2026, 12, 31), promised=4, delivered=1, due=3),
    ),
    visits=(
        Made(visit("a", status=Status.COMPLETED), AT - timedelta(days=1)),
        Made(visit("b", due=-1), None),
        Made(visit("c", status=Status.CANCELLED), None),
        Made(visit("c", "follow-up", due=-2, status=Status.COMPLETED), AT),
    ),
    stays=(
        Stay("a", date(2026, 11, 13), None, AT - timedelta(days=8), AT - timedelta(days=8)),
        Stay("c", date(2026, 9, 21), date(2026, 10, 10), AT - timedelta(days=50), None),
    ),
    doses=(Dose("a", ON, False), Dose("a", ON - timedelta(days=1), True), Dose("b", date(2026, 9, 30), False)),
    uses=(Used("a", ON, True), Used("a", ON, True), Used("b", ON, False), Used("b", date(2026, 9, 30), True)),
    rights=(Right("a", date(2026, 1, 1), None), Right("b", date(2026, 1, 1), date(2026, 11, 21))),
)


@pytest.mark.parametrize(
    ("code", "numerator", "denominator", "people", "missing"),
    [
        ("fulfilment", 4, 6, ("a",), ("b",)),
        ("signing", 2, 3, ("a", "b"), ("c",)),
        ("checkup-quarter", 1, 2, ("a",), ("b",)),
        ("timeliness", 1, 2, ("a",), ("c",)),
        ("overdue", 1, None, ("b",), ()),
        ("home-beds", 1, None, ("a",), ()),
        ("home-bed-days", 20, None, ("a", "c"), ()),
        ("first-round", 1, 2, ("a",), ("c",)),
        ("infusions", 2, None, ("a",), ()),
        ("infusion-reactions", 1, 2, ("a",), ()),
        ("green-channel", 1, 2, ("a",), ("b",)),
        ("green-channel-holders", 1, None, ("a",), ()),
        ("green-channel-honour", 2, 3, ("a",), ("b",)),
        ("completeness", 2, 3, ("a", "c"), ("b",)),
    ],
)
def test_every_measure(code: str, numerator: int, denominator: int | None, people: tuple[str, ...], missing: tuple[str, ...]) -> None:
    (one,) = [figure for figure in figures(FACTS, POLICY) if figure.code == code and figure.group is Group.ALL]
    assert (one.numerator, one.denominator) == (numerator, denominator)
    assert (one.people, one.missing) == (people, missing)
    assert one.name_zh
    assert one.name_en


def test_fulfilment_comes_first_and_groups_last() -> None:
    found = figures(FACTS, POLICY)
    assert found[0].code == "fulfilment"
    assert [one.group for one in found[: len(MEASURES)]] == [Group.ALL] * len(MEASURES)
    signing = {one.group: (one.numerator, one.denominator) for one in found if one.code == "signing"}
    assert signing == {Group.ALL: (2, 3), Group.LOCAL: (1, 2), Group.RESETTLED: (1, 1)}


def test_local_and_resettled_add_up() -> None:
    local, resettled = only(FACTS, Group.LOCAL), only(FACTS, Group.RESETTLED)
    assert len(local.members) + len(resettled.members) == len(FACTS.members)
    assert len(local.visits) + len(resettled.visits) == len(FACTS.visits)


def test_nothing_to_divide_by_is_no_rate() -> None:
    empty = replace(FACTS, members=(), terms=(), visits=(), stays=(), doses=(), rights=(), uses=())
    assert all(one.rate is None for one in figures(empty, POLICY))


def test_a_measure_report_counts_and_names_nobody() -> None:
    report = to_measure_report(figures(FACTS, POLICY)[0], FACTS)
    assert report["group"][0]["population"][0]["count"] == 4
    assert report["group"][0]["measureScore"]["value"].text == "0.6667"
    assert report["type"] == "summary"
    assert "subject" not in report


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


def test_the_figures_as_a_table() -> None:
    table = table_of([Figure("x", "指标", "Figure", 1, 3)])
    assert table.rows == (("指标", "Figure", "全部", 1, 3, 0.3333),)
