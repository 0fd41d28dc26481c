"""A form as fields of a page, and what was typed into them as answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Protocol

from healthsvc.errors import Issue
from healthsvc.forms.rules import NUMBERS, Answers, Code, Form, Item, Kind, is_asked

_SPARE: Final = 3
"""Empty rows of a list behind "one more"; the first stands open."""
_PREFIX: Final = "q-"
"""Before every name: ``form.elements["2"]`` would be an index where a site's linkIds are numbers."""


class Given(Protocol):
    """What a browser has sent."""

    def getlist(self, key: Any) -> list[Any]:
        """All values of a field."""


@dataclass(slots=True)
class Field:
    """One item as the page shows it."""

    item: Item
    name: str
    values: list[str] = field(default_factory=list)
    text: str = ""
    """What was typed beside an open choice."""
    hint: str = ""
    wrong: bool = False
    when: str = ""
    """The condition as JSON, for the browser."""
    fields: list["Field"] = field(default_factory=list)
    rows: list[list["Field"]] = field(default_factory=list)
    filled: int = 0
    """Rows that have something in them."""

    @property
    def widget(self) -> str:
        """Which part of the template shows it."""
        item = self.item
        if item.kind is Kind.GROUP:
            return "rows" if item.repeats else "group"
        if item.kind is Kind.CHOICE:
            return "checks" if item.repeats else "select"
        if item.sum:
            return "sum"
        return {Kind.OPEN_CHOICE: "open", Kind.BOOLEAN: "boolean", Kind.TEXT: "area", Kind.DISPLAY: "display", Kind.DATE: "date"}.get(
            item.kind, "number" if item.kind in NUMBERS else "line"
        )


def fields(items: Sequence[Item], answers: Answers, wrong: frozenset[str], hints: Mapping[str, str], row: str = "") -> list[Field]:
    """The fields of a form, filled with answers; ``wrong`` are linkIds to be marked, ``hints`` what was measured last time."""
    made = []
    for item in items:
        name = f"{_PREFIX}{row}{item.link}"
        given = answers.get(item.link, ())
        one = Field(item, name, hint=hints.get(item.link, ""), wrong=item.link in wrong, when=_condition(item))
        if item.kind is Kind.GROUP and item.repeats:
            filled = [*given, *({} for _ in range(_SPARE))]
            one.rows = [fields(item.items, values, wrong, hints, f"{item.link}.{n}.") for n, values in enumerate(filled)]
            one.filled = len(given)
        elif item.kind is Kind.GROUP:
            one.fields = fields(item.items, given[0] if given else {}, wrong, hints, row)
        else:
            one.values = [_shown(value) for value in given]
            one.text = next((str(value) for value in given if isinstance(value, str)), "") if item.kind is Kind.OPEN_CHOICE else ""
        made.append(one)
    return made


def answers(form: Form, given: Given) -> tuple[dict[str, Any], list[Issue]]:
    """What was typed, as answers; what the other answers do not ask for is left out. And what cannot be read at all."""
    wrong: list[Issue] = []
    found = _read(form.items, given, "", wrong)
    return _asked_only(form.items, found, ()), wrong


def _read(items: Sequence[Item], given: Given, row: str, wrong: list[Issue]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items:
        if item.kind is Kind.GROUP and item.repeats:
            count = 0
            filled = []
            while count < 60 and _has_row(item, given, count):
                if values := _read(item.items, given, f"{item.link}.{count}.", wrong):
                    filled.append(values)
                count += 1
            if filled:
                found[item.link] = filled
        elif item.kind is Kind.GROUP:
            if values := _read(item.items, given, row, wrong):
                found[item.link] = [values]
        elif item.kind is not Kind.DISPLAY and not item.sum:
            told = [one for text in _texts(item, given, row) if (one := _value(item, text, wrong)) is not None]
            if told:
                found[item.link] = told if item.repeats else told[:1]
    return found


def _has_row(item: Item, given: Given, number: int) -> bool:
    return any(given.getlist(f"{_PREFIX}{item.link}.{number}.{inner.link}") for inner in item.items)


def _texts(item: Item, given: Given, row: str) -> list[str]:
    name = f"{_PREFIX}{row}{item.link}"
    told = [text.strip() for text in given.getlist(name) if isinstance(text, str) and text.strip()]
    if item.kind is Kind.OPEN_CHOICE and not told:
        told = [text.strip() for text in given.getlist(f"{name}.text") if isinstance(text, str) and text.strip()]
    if item.repeats and item.kind in (Kind.STRING, Kind.TEXT):
        told = [part.strip() for text in told for part in text.replace("；", ";").split(";") if part.strip()]
    return told


def _value(item: Item, text: str, wrong: list[Issue]) -> Any:
    if item.kind in (Kind.CHOICE, Kind.OPEN_CHOICE):
        code = next((one.code for one in item.options if one.code.code == text), None)
        return code or (text if item.kind is Kind.OPEN_CHOICE else Code("", text))
    if item.kind is Kind.BOOLEAN:
        return text == "true"
    if item.kind in NUMBERS:
        return _number(item, text, wrong)
    if item.kind is Kind.DATE:
        try:
            return date.fromisoformat(text.replace("/", "-").replace(".", "-"))
        except ValueError:
            wrong.append(Issue("a day is written 2026-11-23", "value", item.link))
            return None
    return text


def _number(item: Item, text: str, wrong: list[Issue]) -> int | Decimal | None:
    try:
        number = Decimal(text.replace("，", ".").replace(",", ".").replace("．", ".").replace("。", "."))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > 10**9:
        wrong.append(Issue("not a number; write digits, for example 36.5", "value", item.link))
        return None
    if item.kind is Kind.DECIMAL:
        return number
    if number != int(number):
        wrong.append(Issue("not a whole number", "value", item.link))
        return None
    return int(number)


def _asked_only(items: Sequence[Item], found: Mapping[str, Any], around: tuple[Answers, ...]) -> dict[str, Any]:
    """A browser without scripts shows every item; what is filled in though nobody asks for it is not an answer."""
    scopes = (*around, found)
    kept: dict[str, Any] = {}
    for item in items:
        if item.link in found and is_asked(item, scopes):
            given = found[item.link]
            inner = [_asked_only(item.items, one, scopes) for one in given] if item.kind is Kind.GROUP else given
            if any(inner) or item.kind is not Kind.GROUP:
                kept[item.link] = inner
    return kept


def _condition(item: Item) -> str:
    if not item.when:
        return ""
    return json.dumps([{"q": _PREFIX + one.link, "op": one.operator, "a": list(one.answers)} for one in item.when], ensure_ascii=False)


def _shown(value: Any) -> str:
    if isinstance(value, Code):
        return value.code
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
