"""What a page could not read: the field by the label beside it and how to mend it, in the reader's words; never what was typed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from healthsvc.errors import Malformed
from healthsvc.web.words import labels

_HOW: Final[Mapping[str, str]] = {
    "missing": "没有填写",
    "string_too_short": "没有填写",
    "string_too_long": "最多 {max_length} 个字",
    "too_long": "最多选 {max_length} 项",
    "date_parsing": "不是日历上的一天，请写成 2026-01-31",
    "date_from_datetime_parsing": "不是日历上的一天，请写成 2026-01-31",
    "datetime_parsing": "日期和时间请写成 2026-01-31 09:30",
    "datetime_from_date_parsing": "日期和时间请写成 2026-01-31 09:30",
    "int_parsing": "请填整数",
    "int_parsing_size": "数字太大",
    "float_parsing": "请填数字",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
    "enum": "请从列出的项目中选择",
    "literal_error": "请从列出的项目中选择",
    "bool_parsing": "请从列出的项目中选择",
    "string_pattern_mismatch": "写法不对，日期写成 2026-01-31，时间写成 09:30",
}
"""Kind of error (pydantic's) -> how to mend it; the slots are pydantic's own."""
_ELSE: Final = "无法识别，请核对"
FRAME: Final = "页面内容已变化或不完整，请返回、刷新页面再试"
"""Said of what no reader types: what a form carries along by itself."""


class Unread(Malformed):
    """Fields of a page that are missing or cannot be read."""

    def __init__(self, error: RequestValidationError, template: str) -> None:
        self.fields = tuple(dict.fromkeys(_field(one["loc"]) for one in error.errors()))
        super().__init__(f"something is missing or cannot be read: {', '.join(self.fields)}", reason="input-unread")
        self.lines = tuple(dict.fromkeys(_lines(error, template)))
        """Label and how to mend it, and the values of its slots; the label is empty where no reader types the field."""


Line = tuple[str, str, tuple[tuple[str, Any], ...]]


def unread(request: Request, error: RequestValidationError) -> Unread:
    """The refusal of a request whose fields cannot be read."""
    return Unread(error, str(getattr(request.scope.get("route"), "path", "")))


def _lines(error: RequestValidationError, template: str) -> Iterator[Line]:
    for one in error.errors():
        label = label_of(template, _field(one["loc"]))
        if not label:
            yield "", FRAME, ()
            continue
        given = one.get("ctx", {})
        slots = tuple((name, given[name]) for name in ("max_length", "ge", "le") if name in given)
        yield label, _HOW.get(one["type"], _ELSE), slots


def label_of(template: str, field: str) -> str:
    """The label of a field on the form that is sent to this route; empty where the form carries it along unseen."""
    return labels().get(f"{template} {field}", labels().get(field, ""))


def _field(loc: tuple[int | str, ...]) -> str:
    return next((step for step in reversed(loc) if isinstance(step, str)), "")
