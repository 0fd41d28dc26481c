"""花名册的列: which headings a roster may use for which value, and how one cell is read.

A cell that cannot be read is refused with a stable reason; the text never repeats what stood in the cell.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.healthfile.datum import Datum, datum
from healthsvc.healthfile.rules import Category, Living, check_phone


class BadCell(Invalid):
    """A cell that cannot be read: a stable reason and a text that says how to mend it."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text, reason=reason)


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula instead of a value."""


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a roster: its heading, other headings in use, and how a cell is read."""

    field: str
    heading: str
    aliases: tuple[str, ...]
    read: Callable[[Any], Any]
    example: str = ""


_SEX: Final = {
    "男": "1",
    "女": "2",
    "1": "1",
    "2": "2",
    "0": "0",
    "9": "9",
    "m": "1",
    "f": "2",
    "男性": "1",
    "女性": "2",
    "male": "1",
    "female": "2",
    "未知": "0",
    "未说明": "9",
    "不详": "0",
}
FHIR_SEX: Final = {"1": "male", "2": "female", "0": "unknown", "9": "unknown"}
_CATEGORY: Final = {
    "离休": Category.LIXIU,
    "离休干部": Category.LIXIU,
    "退休": Category.TUIXIU,
    "退休干部": Category.TUIXIU,
    "lixiu": Category.LIXIU,
    "tuixiu": Category.TUIXIU,
}
_LIVING: Final = {
    "独居": Living.ALONE,
    "空巢": Living.COUPLE_ALONE,
    "与配偶同住": Living.COUPLE_ALONE,
    "夫妻同住": Living.COUPLE_ALONE,
    "与子女同住": Living.WITH_FAMILY,
    "与家人同住": Living.WITH_FAMILY,
    "与保姆同住": Living.WITH_CARER,
    "保姆照料": Living.WITH_CARER,
    "养老机构": Living.INSTITUTION,
    "机构养老": Living.INSTITUTION,
} | {living.value: living for living in Living}
_YES_NO: Final = {
    "是": True,
    "有": True,
    "y": True,
    "yes": True,
    "1": True,
    "true": True,
    "否": False,
    "无": False,
    "n": False,
    "no": False,
    "0": False,
    "false": False,
}
_DATES: Final = (
    re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]00:00(?::00)?)?"),
    re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})"),
    re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})"),
    re.compile(r"(\d{4})(\d{2})(\d{2})"),
    re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日"),
)
_FORMULA_START: Final = ("=", "+", "-", "@")


def text(cell: Any) -> str:
    """A cell as text, refusing formulas: a list that is opened in a spreadsheet must never run something."""
    if isinstance(cell, Formula):
        raise BadCell("formula", "the cell holds a formula; put the value there instead")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    value = re.sub(r"[ \r\n\t]+", " ", unicodedata.normalize("NFKC", str(cell))).strip() if cell is not None else ""
    if any(unicodedata.category(mark) in ("Cc", "Cs", "Co", "Cn") for mark in value):
        raise BadCell("control-character", "the cell holds characters that cannot be printed; type it again")
    if value.startswith("'") and value[1:2] in _FORMULA_START:
        return value[1:]  # written so by whoever wanted it to be text
    if value.startswith(("=", "@")) or (value[:1] in ("+", "-") and not value[1:2].isdigit()):
        raise BadCell("formula", "the cell begins like a formula; put the value there instead")
    return value


def number(cell: Any) -> str:
    """A long number as text; one that a spreadsheet has stored as a number has lost its last digits."""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= 10**15:
        raise BadCell("number-rounded", "the cell is stored as a number and has lost digits; format the column as text and type it again")
    value = text(cell)
    if re.fullmatch(r"[0-9.]+[eE]\+?[0-9]+", value):
        raise BadCell("number-rounded", "the cell was saved in the form 3.3E+17 and has lost digits; format the column as text")
    return value.replace(" ", "")


def day(cell: Any) -> date | None:
    """A date, in the ways in which lists write it."""
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    value = text(cell)
    if not value:
        return None
    for pattern in _DATES:
        if found := pattern.fullmatch(value):
            try:
                return date(*(int(part) for part in found.groups()))
            except ValueError:
                break
    raise BadCell("date", "this is not a date; write it as 1930-01-31")


def degrees(cell: Any) -> float | None:
    """A coordinate in degrees, in the datum of its column 坐标系."""
    value = text(cell)
    if not value:
        return None
    try:
        found = float(value)
    except ValueError:
        raise BadCell("degrees", "this is not a coordinate; write degrees such as 121.5503") from None
    if not -180 <= found <= 180:
        raise BadCell("degrees", "a coordinate lies between -180 and 180 degrees")
    return found


def datum_of(cell: Any) -> Datum | None:
    """The datum of a coordinate."""
    value = text(cell)
    if not value:
        return None
    try:
        return datum(value)
    except Invalid:
        raise BadCell("datum", "write one of WGS-84, GCJ-02 (AMap, Tencent), BD-09 (Baidu)") from None


def phone(cell: Any) -> str:
    """A telephone number."""
    value = text(cell)
    if value:
        try:
            check_phone(value)
        except RuleViolation as wrong:
            raise BadCell("phone", wrong.text) from None
    return value


def one_of(choices: dict[str, Any], reason: str) -> Callable[[Any], Any]:
    """A reader that accepts one of the given words."""
    offered = "、".join(choice for choice in choices if not choice.isascii()) or ", ".join(choices)

    def read(cell: Any) -> Any:
        value = text(cell).lower()
        if not value:
            return None
        if value not in choices:
            raise BadCell(reason, f"write one of {offered}")
        return choices[value]

    return read


def words(cell: Any) -> tuple[str, ...]:
    """Several words, separated by 、 or a comma."""
    return tuple(word for word in re.split(r"[、,，;；\s]+", text(cell)) if word)


COLUMNS: Final = (
    Column("name", "姓名", ("名字", "姓 名", "name"), text, "示例甲"),
    Column("sex_code", "性别", ("sex", "gender"), one_of(_SEX, "sex"), "男"),
    Column("citizen_id", "身份证号", ("身份证号码", "公民身份号码", "身份证", "证件号码", "citizen_id"), number, ""),
    Column("birth", "出生日期", ("出生年月日", "生日", "birth", "birthdate"), day, "1930-01-31"),
    Column("file_number", "健康档案号", ("健康档案编号", "档案编号", "档案号", "file_number"), number, ""),
    Column("certificate", "离休证号", ("离休荣誉证号", "离休干部荣誉证号", "certificate"), number, ""),
    Column("category", "干部类别", ("类别", "人员类别", "离退休类别", "category"), one_of(_CATEGORY, "category"), "离休"),
    Column("managing_unit", "管理单位", ("原单位", "所属单位", "工作单位", "managing_unit"), text, "示例单位"),
    Column("residence_area", "居住社区", ("居住地社区", "所在社区", "社区", "residence_area"), text, "示例社区"),
    Column("address", "家庭住址", ("住址", "居住地址", "现住址", "地址", "address"), text, "示例路1号"),
    Column("longitude", "经度", ("longitude", "lon"), degrees, ""),
    Column("latitude", "纬度", ("latitude", "lat"), degrees, ""),
    Column("datum", "坐标系", ("坐标系统", "坐标类型", "datum"), datum_of, ""),
    Column("phone", "联系电话", ("本人电话", "电话", "手机", "手机号", "phone"), phone, "0574-00000000"),
    Column("living", "居住情况", ("居住状况", "居住方式", "living"), one_of(_LIVING, "living"), "独居"),
    Column("resettled", "易地安置", ("是否易地安置", "resettled"), one_of(_YES_NO, "yes-no"), "否"),
    Column("tags", "重点关注", ("风险标签", "关注标签", "tags"), words, ""),
    Column("family", "家属姓名", ("亲属姓名", "家属", "紧急联系人", "family"), text, "示例乙"),
    Column("relation", "与本人关系", ("家属关系", "关系", "relation"), text, "女儿"),
    Column("family_phone", "家属电话", ("亲属电话", "紧急联系电话", "family_phone"), phone, "0574-00000001"),
    Column("unit_contact", "原单位联系人", ("单位联系人", "unit_contact"), text, "示例丙"),
    Column("unit_phone", "原单位联系电话", ("单位联系电话", "单位电话", "unit_phone"), phone, "0574-00000002"),
    Column("worker", "社区工作人员", ("社区联系人", "社工", "worker"), text, "示例丁"),
    Column("worker_phone", "社区电话", ("社区联系电话", "社工电话", "worker_phone"), phone, "0574-00000003"),
    Column("community_doctor", "社区医生", ("责任医生", "家庭医生", "community_doctor"), text, "示例戊"),
    Column("doctor_phone", "社区医生电话", ("责任医生电话", "家庭医生电话", "doctor_phone"), phone, "0574-00000004"),
)
NUMBERS: Final = ("citizen_id", "file_number", "certificate")
"""Columns of which a row needs at least one: without a number nobody can be recognised again."""


def heading(cell: Any) -> str:
    """A heading as it is compared: width, spaces, stars and remarks in brackets do not matter."""
    plain = unicodedata.normalize("NFKC", str(cell or ""))
    return re.sub(r"[\s*:]|\(.*?\)", "", plain).lower()


BY_HEADING: Final = {heading(name): column for column in COLUMNS for name in (column.heading, *column.aliases, column.field)}
