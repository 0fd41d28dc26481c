"""Numbers and reference ranges as laboratories and pharmacies write them."""

import re
from dataclasses import dataclass
from decimal import Decimal

_RANGE = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*(?:-{1,2}|~|～|—|–|至)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*[^0-9]*")
_BOUND = re.compile(r"\s*(<|>|<=|>=|≤|≥|＜|＞)\s*(-?[0-9]+(?:\.[0-9]+)?)\s*[^0-9]*")
_NUMBER = re.compile(r"([<>]=?|≤|≥|＜|＞)?\s*(-?[0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured number as written (``14.60`` stays so), with a comparator where one stood before it."""

    text: str
    comparator: str = ""

    @property
    def value(self) -> Decimal:
        """The number."""
        return Decimal(self.text)


def number_in(text: str) -> Quantity | None:
    """A text that is a number, perhaps with a comparator before it."""
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        return None
    comparator = {"≤": "<=", "≥": ">=", "＜": "<", "＞": ">"}.get(found[1] or "", found[1] or "")
    return Quantity(found[2], comparator)


def bounds(text: str) -> tuple[Decimal | None, Decimal | None]:
    """Low and high of a reference range such as ``3.90-6.10``, ``<5.2`` or ``≥1.0``; nothing where it is prose."""
    if found := _RANGE.fullmatch(text):
        low, high = Decimal(found[1]), Decimal(found[2])
        return (low, high) if low <= high else (None, None)
    if found := _BOUND.fullmatch(text):
        return (Decimal(found[2]), None) if found[1] in (">", ">=", "≥", "＞") else (None, Decimal(found[2]))
    return None, None
