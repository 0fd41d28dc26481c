"""The form of a visit: its fields, what was typed, and the findings it means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Final

from healthsvc.checkup.selfcare import POINTS
from healthsvc.errors import Invalid, Issue
from healthsvc.visit.findings import Adherence, Findings, Mode, Pressure

NUMBERS: Final = (
    ("pulse", "心率", "次/分"),
    ("respiration", "呼吸", "次/分"),
    ("temperature", "体温", "℃"),
    ("spo2", "血氧", "%"),
    ("weight", "体重", "kg"),
    ("height", "身高", "cm"),
    ("waist", "腰围", "cm"),
    ("glucose", "血糖", "mmol/L"),
)
"""Field, name, unit."""
_WHOLE: Final = frozenset({"pulse", "respiration", "spo2"})
MODES: Final = ((Mode.HOME, "上门"), (Mode.PHONE, "电话"), (Mode.STATION, "站点"), (Mode.CLINIC, "门诊"), (Mode.GROUP, "群组"))
ADHERENCE: Final = (
    (Adherence.REGULAR, "规律服药"),
    (Adherence.INTERMITTENT, "间断服药"),
    (Adherence.NONE, "不服药"),
    (Adherence.REFUSED, "拒绝服药"),
)
DANGER: Final = (
    ("consciousness", "意识改变"),
    ("severe-headache", "剧烈头痛"),
    ("chest-pain", "胸痛"),
    ("dyspnoea", "呼吸困难"),
    ("visual-loss", "视力骤降"),
    ("vomiting", "恶心呕吐"),
)
LATE: Final = (
    ("person-away", "本人外出"),
    ("in-hospital", "住院"),
    ("no-staff", "人手不足"),
    ("refused-earlier", "此前拒访"),
    ("weather", "天气或交通"),
    ("other", "其他"),
)
MISSED: Final = (("not-at-home", "多次上门无人"), ("refused", "本人拒绝"), ("no-staff", "人手不足"), ("moved", "已搬离"), ("lost", "失访"))
SELF_CARE: Final = {
    "eating": ("进餐", ("独立完成", "需协助切碎、搅拌等", "完全需要帮助")),
    "grooming": ("梳洗", ("独立完成", "洗头、洗澡需要帮助", "协助下和适当时间内可完成部分", "完全需要帮助")),
    "dressing": ("穿衣", ("独立完成", "需协助，在适当时间内完成部分", "完全需要帮助")),
    "toilet": ("如厕", ("不需协助，可自控", "偶尔失禁，但基本能自理", "经常失禁，提示和协助下尚能如厕", "完全失禁，完全需要帮助")),
    "moving": ("活动", ("独立完成所有活动", "借助较小外力或辅助装置能完成", "借助较大外力才能完成", "卧床不起，完全需要帮助")),
}
"""The five rows of 生活自理能力评估, answers in the order of their points."""
FIELD_NAMES: Final = {
    **{name: title for name, title, _ in NUMBERS},
    "bp_left": "血压（左臂）",
    "bp_right": "血压（右臂）",
    "systolic": "收缩压",
    "diastolic": "舒张压",
    "end": "结束时间",
    "start": "开始时间",
    "day": "日期",
    "late_reason": "延迟原因",
}


@dataclass(slots=True)
class Typed:
    """What somebody typed, kept as typed so that it can be shown again."""

    values: Mapping[str, str]
    danger: Sequence[str] = ()
    wrong: list[Issue] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "").strip()

    def number(self, name: str) -> Decimal | None:
        """A number or nothing; whatever is neither is noted."""
        text = self[name].replace("，", ".").replace(",", ".").replace("．", ".")
        if not text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            self.wrong.append(Issue("not a number; write digits, for example 36.5", "value", name))
            return None
        return number

    def whole(self, name: str) -> int | None:
        """A whole number or nothing."""
        number = self.number(name)
        if number is not None and number != int(number):
            self.wrong.append(Issue("not a whole number", "value", name))
            return None
        return None if number is None else int(number)

    def day(self, name: str) -> date | None:
        """A day or nothing."""
        return _day(self, name)

    def pressure(self, arm: str) -> Pressure | None:
        """A blood pressure, of which both numbers are given or none."""
        systolic, diastolic = self.whole(f"systolic_{arm}"), self.whole(f"diastolic_{arm}")
        if systolic is not None and diastolic is not None:
            return Pressure(systolic, diastolic)
        if (self[f"systolic_{arm}"] == "") != (self[f"diastolic_{arm}"] == ""):
            self.wrong.append(Issue("a blood pressure has two numbers", "value", f"bp_{arm}"))
        return None


def findings(typed: Typed, zone: tzinfo) -> Findings:
    """What was found, read from what was typed.

    Raises:
        Invalid: with one issue for each field that cannot be read.
    """
    start, end = moments(typed, zone)
    numbers = {name: (typed.whole(name) if name in _WHOLE else typed.number(name)) for name, _, _ in NUMBERS}
    left, right = typed.pressure("left"), typed.pressure("right")
    next_on = _day(typed, "next_on")
    if typed.wrong:
        raise Invalid("some fields cannot be read; mend those that are marked", issues=typed.wrong)
    return Findings(
        start,
        end,
        bp_left=left,
        bp_right=right,
        **numbers,  # type: ignore[arg-type]
        glucose_fasting=typed["glucose_kind"] != "random",
        mode=Mode(typed["mode"] or Mode.HOME),
        complaints=typed["complaints"],
        advice=typed["advice"],
        adherence=Adherence(typed["adherence"]) if typed["adherence"] else None,
        adverse_reaction=bool(typed["adverse_reaction"]),
        complication=bool(typed["complication"]),
        danger_signs=tuple(sign for sign, _ in DANGER if sign in typed.danger),
        late_reason=typed["late_reason"] or None,
        next_on=next_on,
    )


def self_care(typed: Typed) -> dict[str, int] | None:
    """The five answers, or None where none was given; some but not all is refused by the rule."""
    given = {item.value: typed[f"care_{item.value}"] for item in POINTS}
    if not any(given.values()):
        return None
    return {item: int(points) for item, points in given.items() if points.isdigit()}


def moments(typed: Typed, zone: tzinfo) -> tuple[datetime, datetime]:
    day = _day(typed, "day")
    moments = []
    for name in ("start", "end"):
        try:
            moments.append(datetime.combine(day or date.min, time.fromisoformat(typed[name].zfill(5)), zone))
        except ValueError:
            typed.wrong.append(Issue("a time is written 09:30", "value", name))
            moments.append(datetime.combine(date.min, time.min, zone))
    if day is None and not any(one.path == "day" for one in typed.wrong):
        typed.wrong.append(Issue("the day is missing", "required", "day"))
    return moments[0], moments[1]


def _day(typed: Typed, name: str) -> date | None:
    if not typed[name]:
        return None
    try:
        return date.fromisoformat(typed[name])
    except ValueError:
        typed.wrong.append(Issue("a day is written 2026-11-23", "value", name))
        return None
