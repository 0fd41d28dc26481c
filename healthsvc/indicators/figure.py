"""A figure and what it consists of: one item for each thing that was looked at, so that every count can be explained."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property

from healthsvc.indicators.facts import Facts, Member


@dataclass(frozen=True, slots=True)
class IndicatorPolicy:
    """The parameters ``indicators.*``."""

    complete_from: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a measure looked at: whose, which resource, its share of numerator and denominator, or why it is left out."""

    person: str
    ref: str
    met: int
    asked: int = 1
    out: str = ""
    """Why it is excluded; an excluded item has no share of either."""
    note: str = ""
    """Why it was not met, where somebody said so."""

    def __post_init__(self) -> None:
        """Keep numerator within denominator, and excluded items out of both."""
        if not 0 <= self.met <= self.asked or (self.out and self.asked):
            raise ValueError("an item is counted or excluded, and never counts for more than was asked")


def left_out(person: str, ref: str, why: str) -> Item:
    """An excluded item."""
    return Item(person, ref, 0, 0, why)


class By(StrEnum):
    """What figures may be told apart by."""

    RESETTLED = "resettled"
    """本区管理 or 易地安置: managed here, or elsewhere and living here; both are to be served alike."""
    UNIT = "unit"
    AREA = "area"
    DOCTOR = "doctor"
    CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Part:
    """Whom a figure is about: everybody, or those with one value of a trait (an empty value: the file does not say)."""

    by: By | None = None
    value: str = ""


ALL = Part()
LOCAL, RESETTLED = Part(By.RESETTLED, "local"), Part(By.RESETTLED, "resettled")


def value_of(member: Member, by: By) -> str:
    """The value of a person's trait."""
    if by is By.RESETTLED:
        return "resettled" if member.resettled else "local"
    return str(getattr(member, by.value))


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its names, its rule in words with a version, what one item is, and the function that finds the items."""

    code: str
    name_zh: str
    name_en: str
    rule_zh: str
    rule_en: str
    version: str
    items: Callable[[Facts, IndicatorPolicy], Iterable[Item]]
    unit_zh: str = "人"
    rate: bool = True
    """Whether it has a denominator; otherwise it is a plain count."""
    parameters: tuple[str, ...] = ()
    """Policy parameters that it depends on."""
    good: bool = True
    """Whether more is better (a rate of reactions is not)."""
    compared: bool = False
    """Whether the pages show it for local and resettled cadres side by side."""


@dataclass(frozen=True)
class Figure:
    """One measure for some people on one day, with every item behind it."""

    measure: Measure
    items: tuple[Item, ...]
    on: date
    period: tuple[date, date]
    part: Part = ALL

    @property
    def code(self) -> str:
        """The measure's code."""
        return self.measure.code

    @cached_property
    def numerator(self) -> int:
        """What was met."""
        return sum(one.met for one in self.items)

    @cached_property
    def denominator(self) -> int | None:
        """What was asked for; None for a plain count."""
        return sum(one.asked for one in self.items) if self.measure.rate else None

    @property
    def rate(self) -> float | None:
        """Numerator by denominator; None for plain counts and where there is nothing to divide by."""
        return self.numerator / self.denominator if self.denominator else None

    @cached_property
    def excluded(self) -> Mapping[str, int]:
        """How many items are left out, by reason."""
        return dict(sorted(Counter(one.out for one in self.items if one.out).items()))

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """People of whom something that was asked for was not met."""
        return tuple(sorted({one.person for one in self.items if one.met < one.asked}))

    @cached_property
    def people(self) -> tuple[str, ...]:
        """People of whom everything that was asked for was met."""
        return tuple(sorted({one.person for one in self.items if one.met} - set(self.missing)))

    @cached_property
    def aside(self) -> tuple[str, ...]:
        """People of whom nothing counts: all that was looked at is excluded."""
        return tuple(sorted({one.person for one in self.items if one.out} - {one.person for one in self.items if one.asked}))

    def parts(self, members: Iterable[Member], by: By) -> list["Figure"]:
        """The same figure for each value of a trait; together they are the whole."""
        values = {one.id: value_of(one, by) for one in members}
        found: dict[str, list[Item]] = {}
        for item in self.items:
            found.setdefault(values.get(item.person, ""), []).append(item)
        return [Figure(self.measure, tuple(items), self.on, self.period, Part(by, value)) for value, items in sorted(found.items())]
