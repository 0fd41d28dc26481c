"""表单: what a form asks, when an item is asked, and which answers cannot be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias

from healthsvc.errors import Issue


class Kind(StrEnum):
    """What an item is (FHIR questionnaire item types)."""

    GROUP = "group"
    DISPLAY = "display"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    STRING = "string"
    TEXT = "text"
    CHOICE = "choice"
    OPEN_CHOICE = "open-choice"


DONE: Final = frozenset({"completed", "amended"})
"""Status of a response that stands."""
NUMBERS: Final = frozenset({Kind.INTEGER, Kind.DECIMAL})


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its Chinese and English words."""

    system: str
    code: str
    zh: str = ""
    en: str = ""

    def same(self, other: "Code") -> bool:
        """Whether it is the same code, whatever the words."""
        return (self.system, self.code) == (other.system, other.code)


@dataclass(frozen=True, slots=True)
class Option:
    """One answer that is offered, with its points where the item is scored."""

    code: Code
    score: int | None = None


@dataclass(frozen=True, slots=True)
class When:
    """An item is asked when another one is answered so. ``answers``: any of these codes, or true/false, or a number to compare with."""

    link: str
    operator: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number can be at all, and outside of what it is worth a second look."""

    lowest: Decimal
    highest: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a form."""

    link: str
    kind: Kind
    zh: str
    en: str = ""
    code: Code | None = None
    unit: str = ""
    """As people write it."""
    ucum: str = ""
    options: tuple[Option, ...] = ()
    required: bool = False
    repeats: bool = False
    when: tuple[When, ...] = ()
    """One of these suffices."""
    range: str = ""
    """Name of the policy parameter ``forms.range.NAME`` (or the row of ``visit.ranges``) that limits it."""
    below: str = ""
    """The item whose number is larger."""
    sum: tuple[str, ...] = ()
    """The item is computed: the points of these items."""
    future: bool = False
    """A date that may lie ahead."""
    extract: str = ""
    """What becomes of it: observation, score, condition, allergy, family, procedure, medication, immunization, stay, bed; or nothing."""
    part: str = ""
    """Which part of what its group becomes: code, onset, end, note, relation ..."""
    category: str = "survey"
    site: str = ""
    carry: bool = False
    """May be filled in from the time before: a habit, a history; never a measurement."""
    fill: str = ""
    """Which field of the person's file it shows and changes."""
    items: tuple["Item", ...] = ()


Answers: TypeAlias = Mapping[str, Sequence[Any]]
"""linkId -> answers: bool, int, Decimal, str, date, :class:`Code`; for a group one mapping for each time that it is filled."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form. ``bands``: for a scored group, the policy parameter that names its levels."""

    name: str
    url: str
    zh: str
    en: str
    items: tuple[Item, ...]
    version: str = "1"
    bands: str = ""
    source: str = ""

    def walk(self) -> Iterator[Item]:
        """Every item, groups before what is in them."""
        return _walk(self.items)


def _walk(items: Sequence[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _walk(item.items)


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong (refuses the whole response) and what is only unusual."""

    wrong: tuple[Issue, ...]
    odd: tuple[Issue, ...]


def check(form: Form, answers: Answers, limits: Mapping[str, Limits], on: date, *, finished: bool = True) -> Checked:
    """Look at every answer; the texts name the item and never repeat what was answered of a person.

    Args:
        form: what was asked.
        answers: what was answered.
        limits: by the items' ``range``.
        on: the day; no date lies after it unless the item allows that.
        finished: whether what is required must be there (a form under way need not be whole).
    """
    wrong: list[Issue] = []
    odd: list[Issue] = []
    _check(form.items, answers, (answers,), limits, on, finished, wrong, odd)
    return Checked(tuple(wrong), tuple(odd))


def is_asked(item: Item, scopes: Sequence[Answers]) -> bool:
    """Whether an item is asked, given the answers around it (innermost last)."""
    return not item.when or any(_holds(one, scopes) for one in item.when)


def total(item: Item, items: Sequence[Item], answers: Answers) -> int | None:
    """The points of a computed item; None where one of its parts is not answered."""
    by_link = {one.link: one for one in items}
    points = [score_of(by_link[link], answers.get(link, ())) for link in item.sum if link in by_link]
    known = [one for one in points if one is not None]
    return sum(known) if known and len(known) == len(item.sum) else None


def score_of(item: Item, given: Sequence[Any]) -> int | None:
    """The points of one answer."""
    if not given:
        return None
    if isinstance(given[0], bool):
        return int(given[0])
    if isinstance(given[0], int):
        return given[0]
    return next((one.score for one in item.options if isinstance(given[0], Code) and one.code.same(given[0])), None)


def level(points: int, bands: Mapping[str, int]) -> str | None:
    """The highest level whose lowest total is reached."""
    reached = [(lowest, name) for name, lowest in bands.items() if points >= lowest]
    return max(reached)[1] if reached else None


def _check(
    items: Sequence[Item], given: Answers, scopes: tuple[Answers, ...], limits: Mapping[str, Limits], on: date, finished: bool,
    wrong: list[Issue], odd: list[Issue],
) -> None:  # fmt: skip
    known = {one.link for one in items}
    wrong += [Issue(f"the form has no item {link!r} here", "code-invalid", link) for link in given if link not in known]
    for item in items:
        found = given.get(item.link, ())
        if item.kind is Kind.DISPLAY:
            continue
        if not is_asked(item, scopes):
            if found:
                wrong.append(Issue(f"{_name(item)}: is not asked after the other answers; leave it out", "business-rule", item.link))
            continue
        if not found:
            if item.required and finished and not item.sum:
                wrong.append(Issue(f"{_name(item)}: needs an answer", "required", item.link))
            continue
        if len(found) > 1 and not item.repeats:
            wrong.append(Issue(f"{_name(item)}: takes one answer", "structure", item.link))
        if item.kind is Kind.GROUP:
            for one in found:
                _check(item.items, one, (*scopes, one), limits, on, finished, wrong, odd)
            continue
        for one in found:
            _check_value(item, one, scopes, limits, on, wrong, odd)
        if item.sum and (due := total(item, items, given)) is not None and found[0] != due:
            wrong.append(Issue(f"{_name(item)}: is computed from the answers, and is not what was given", "value", item.link))


def _check_value(
    item: Item, value: Any, scopes: Sequence[Answers], limits: Mapping[str, Limits], on: date, wrong: list[Issue], odd: list[Issue]
) -> None:
    if not _fits(item, value):
        wrong.append(Issue(f"{_name(item)}: the answer is not of the kind {item.kind}", "structure", item.link))
        return
    if isinstance(value, Code) and not any(one.code.same(value) for one in item.options):
        wrong.append(Issue(f"{_name(item)}: this answer is not offered", "code-invalid", item.link))
    if isinstance(value, date) and value > on and not item.future:
        wrong.append(Issue(f"{_name(item)}: the date lies ahead", "value", item.link))
    if item.kind not in NUMBERS:
        return
    bounds = limits.get(item.range)
    if bounds is not None and not bounds.lowest <= value <= bounds.highest:
        text = f"{_name(item)}: is not possible ({bounds.lowest} to {bounds.highest} {item.unit}); check number and unit"
        wrong.append(Issue(text, "value", item.link))
    elif bounds is not None and not bounds.low <= value <= bounds.high:
        odd.append(Issue(f"{_name(item)}: is unusual ({bounds.low} to {bounds.high} {item.unit} expected)", "value", item.link, "warning"))
    larger = _found(item.below, scopes) if item.below else ()
    if larger and value >= larger[0]:
        wrong.append(Issue(f"{_name(item)}: is not below the number that must be larger", "value", item.link))


def _fits(item: Item, value: Any) -> bool:
    if item.kind is Kind.BOOLEAN:
        return isinstance(value, bool)
    if item.kind is Kind.INTEGER:
        return isinstance(value, int) and not isinstance(value, bool)
    if item.kind is Kind.DECIMAL:
        return isinstance(value, int | Decimal) and not isinstance(value, bool)
    if item.kind is Kind.DATE:
        return isinstance(value, date)
    if item.kind is Kind.CHOICE:
        return isinstance(value, Code)
    return isinstance(value, str) or (item.kind is Kind.OPEN_CHOICE and isinstance(value, Code))


def _holds(when: When, scopes: Sequence[Answers]) -> bool:
    given = _found(when.link, scopes)
    if when.operator == "exists":
        return bool(given) is (when.answers[0] == "true")
    if when.operator in ("=", "!="):
        met = any(_word(one) in when.answers for one in given)
        return met is (when.operator == "=")
    wanted = Decimal(when.answers[0])
    numbers = [one for one in given if isinstance(one, int | Decimal) and not isinstance(one, bool)]
    compared = {">": lambda n: n > wanted, "<": lambda n: n < wanted, ">=": lambda n: n >= wanted, "<=": lambda n: n <= wanted}
    return any(compared[when.operator](one) for one in numbers)


def _found(link: str, scopes: Sequence[Answers]) -> Sequence[Any]:
    for scope in reversed(scopes):
        if found := _inside(link, scope):
            return found
    return ()


def _inside(link: str, scope: Answers) -> Sequence[Any]:
    if link in scope:
        return scope[link]
    for given in scope.values():
        for one in given:
            if isinstance(one, Mapping) and (found := _inside(link, one)):
                return found
    return ()


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.code if isinstance(value, Code) else str(value)


def _name(item: Item) -> str:
    return f"{item.zh} {item.en}".strip()
