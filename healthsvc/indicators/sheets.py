"""Figures, and the people behind them, as tables to take away."""

from collections.abc import Iterable

from healthsvc.indicators.figure import Figure, Part
from healthsvc.indicators.ledgers import BY_NAMES
from healthsvc.indicators.people import STANDING_NAMES, behind
from healthsvc.indicators.tables import Cell, Table
from healthsvc.store import Store

_VALUE_NAMES = {"local": "本区管理", "resettled": "易地安置"}


def table_of(figures: Iterable[Figure]) -> Table:
    """The figures as a table, without people; each with its rule, so that whoever gets the file can check it."""
    rows = [
        (
            one.measure.name_zh,
            one.measure.name_en,
            _part_name(one.part),
            one.numerator,
            one.denominator,
            round(one.rate, 4) if one.rate is not None else None,
            sum(one.excluded.values()),
            one.measure.unit_zh,
            one.period[0],
            one.on,
            f"{one.measure.rule_zh}（第{one.measure.version}版）",
        )
        for one in figures
    ]
    columns = ("指标", "Indicator", "对象", "分子", "分母", "比率", "不计入", "单位", "期初", "截至", "口径")
    return Table("考核指标", columns, tuple(rows))


def _part_name(part: Part) -> str:
    if part.by is None:
        return "全部"
    return f"{BY_NAMES[part.by][0]}：{_VALUE_NAMES.get(part.value, part.value) or '未填'}"


def people_of(store: Store, figure: Figure) -> Table:
    """The people behind a figure: those missing, those who meet it, those left out and why; masked for whoever may not read files."""
    rows: list[tuple[Cell, ...]] = [
        (one.name, one.id, one.unit, one.area, STANDING_NAMES[one.standing][0], one.met, one.asked, "、".join(one.why))
        for one in behind(store, figure)
    ]
    return Table(figure.measure.name_zh, ("姓名", "档案", "管理单位", "居住社区", "情况", "达到", "应达到", "不计入原因"), tuple(rows))
