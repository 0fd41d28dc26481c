"""Numbers, ranges, ratios and reference ranges as laboratories and pharmacies write them."""

import re
from dataclasses import dataclass
from decimal import Decimal

from integrations.hl7v2.er7 import Part, Segment
from integrations.hl7v2.values import clean

_DIGITS = r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})"
_POWERED = r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?[Ee][+-]?[0-9]{1,2}"
"""A number with a power of ten (``1.2E+03``), as analysers print it."""
_RANGE = re.compile(rf"\s*({_DIGITS})\s*(-{{1,2}}|~|～|—|–|至)\s*({_DIGITS})\s*[^0-9]*")
_BOUND = re.compile(rf"\s*(<=|>=|<|>|≤|≥)\s*({_DIGITS})\s*[^0-9]*")
_NUMBER = re.compile(rf"(<=|>=|<|>|≤|≥)?\s*({_DIGITS}|{_POWERED})")
_POWER = re.compile(r"10(?:\^|\*{1,2}|[Ee])?([0-9]{1,2}|[⁰¹²³⁴-⁹]{1,2})(?=/)")
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_TIMES = re.compile(rf"(.*{_DIGITS})(?:\s*[*×xX✕]\s*|\s+)({_POWER.pattern}.*)")
"""A range that ends in a unit of powers of ten: ``4-10*10^9/L``."""
_SIDE = re.compile(rf"\s*({_DIGITS})([A-Za-zμµ/%℃ ]{{0,16}})[及或]?(以上|以下)\s*")
"""``5.2以下``: the number itself is within (民法典第一千二百五十九条); a word before it (岁, 个月) makes it something else."""
_WIDE = str.maketrans("０１２３４５６７８９．＋－−‐＜＞﹤﹥≦≧∼〜", "0123456789.+---<><>≤≥~~")
_SAID = {"小于等于": "≤", "大于等于": "≥", "不大于": "≤", "不小于": "≥", "小于": "<", "大于": ">"}
_GROUPED = re.compile(r"(?<![0-9.,])([1-9][0-9]{0,2}(?:,[0-9]{3}){1,9})(?![0-9,])")
"""A number in groups of three: ``5,100``, ``1,234,567``."""
_SURELY = re.compile(r"[^,]*(?:,[0-9]{3}){2,}[^,]*|[^,]*,[0-9]{3}\.[0-9]+")
"""A number in which the commas can only part thousands: there are two of them, or a point comes behind."""
_THOUSAND = 1000
_WRAPPED = re.compile(r"\s*[(（\[【](.+)[)）\]】]\s*[^0-9]*")
_COMPARATORS = {"≤": "<=", "≥": ">="}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured number as precise as it was written (``14.60`` stays so), with a comparator where one stood before it."""

    text: str
    comparator: str = ""

    @property
    def value(self) -> Decimal:
        """The number."""
        return Decimal(self.text)


@dataclass(frozen=True, slots=True)
class Span:
    """A value that is a range: ``^0^-^5`` (0 to 5)."""

    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Share:
    """A value that is a ratio: ``^1^:^128`` (a titre of 1 to 128)."""

    numerator: Quantity
    denominator: str


def number_in(text: str, *, comma: bool = False) -> Quantity | None:
    """A text that is a number, perhaps with a comparator before it; ``comma``: the sender writes 1,5 for one and a half.

    HL7 v2.5 2.A.45 allows a plus sign, leading zeros and a point at either end; JSON does not, so they go. No other digit is touched.
    """
    found = _NUMBER.fullmatch(_pointed(text, comma).strip())
    if not found:
        return None
    return Quantity(_plain(found[2]), _COMPARATORS.get(found[1] or "", found[1] or ""))


def structured(comparator: str, first: str, separator: str, second: str, *, comma: bool = False) -> Quantity | Span | Share | None:
    """A structured numeric (SN, HL7 v2.5 2.A.71) as HL7's maps have it: SN.1 to SN.4. None where it is neither number, range nor ratio:
    ``^2^+`` is a word (two plus), ``<>^5`` says only what it is not, a range with a comparator says nothing clear."""
    sign = "" if comparator == "=" else comparator
    low = number_in(f"{sign}{first}", comma=comma)
    if low is None or not (second or separator):
        return low
    high = number_in(second, comma=comma)
    if high is None or high.comparator:
        return None
    if separator in (":", "/"):
        return Share(low, high.text)
    if separator == "-" and not low.comparator and low.value <= high.value:
        return Span(low.text, high.text)
    return None


def measured(
    obx: Segment, kind: str, texts: tuple[str, ...], range: tuple[Decimal | None, Decimal | None] = (None, None), *, comma: bool
) -> Quantity | Span | Share | None:
    """A number, range or ratio where the value is one: NM, SN, or ST that is only a number (the rule in Chinese laboratories).

    ``5,100`` is five thousand where its range reaches a thousand, or where it can be nothing else; otherwise it stays a text, as nobody can
    say whether it is five."""
    if len(texts) != 1:
        return None
    if kind == "SN":
        return structured(*structure(obx[5]), comma=comma)
    if kind == "NR":
        low, high = (clean(obx[5].component(n).text) for n in (1, 2))
        return structured("", low, "-", high, comma=comma) if low and high else None
    if kind not in ("NM", "ST", "TX", ""):
        return None
    if (
        not comma
        and "," in texts[0]
        and (_SURELY.fullmatch(texts[0]) or max((end for end in range if end is not None), default=0) >= _THOUSAND)
    ):
        return number_in(_together(texts[0]))
    return number_in(texts[0], comma=comma)


def structure(field: Part) -> tuple[str, str, str, str]:
    """SN.1 to SN.4: comparator, number, separator, number."""
    one, two, three, four = (clean(field.component(n).text) for n in (1, 2, 3, 4))
    return one, two, three, four


def bounds(text: str, unit: str = "", *, comma: bool = False) -> tuple[Decimal | None, Decimal | None]:
    """Low and high of a reference range such as ``3.90-6.10``, ``(3.9-6.1)``, ``<5.2``, ``小于5.2`` or ``5.2以下``; nothing where it is
    prose. A unit with a power of ten behind it (``4-10*10^9/L``) must have the power of the result's own ``unit``."""
    text = _pointed(text, comma)
    if not comma:
        text = _together(text)
    if (power := _power(unit)) and (times := _TIMES.fullmatch(text)) and power == _power(times[2]):
        text = times[1]
    if wrapped := _WRAPPED.fullmatch(text):
        text = wrapped[1]
    if found := _RANGE.fullmatch(text):
        low, high = Decimal(found[1]), Decimal(found[3])
        if found[2] == "--" and low < -high < 0:  # the second dash is a sign: -3--1
            high = -high
        return (low, high) if low <= high else (None, None)
    if found := _BOUND.fullmatch(text):
        return (Decimal(found[2]), None) if found[1] in (">", ">=", "≥") else (None, Decimal(found[2]))
    return None, None


def beside_range(quantity: Quantity | None, low: Decimal | None, high: Decimal | None) -> tuple[str, ...]:
    """Where a value lies beside its reference range, as a flag of table 0078 (H, L, N); none where nobody can say."""
    if quantity is None or (low is None and high is None):
        return ()
    if quantity.comparator:  # over 100 lies above a range that ends at 50; over 30 may lie in it
        over, equal = quantity.comparator.startswith(">"), quantity.comparator.endswith("=")
        end = high if over else low
        if end is None or (quantity.value == end and equal):
            return ()
        return (("H",) if over else ("L",)) if (quantity.value >= end if over else quantity.value <= end) else ()
    if low is not None and quantity.value < low:
        return ("L",)
    if high is not None and quantity.value > high:
        return ("H",)
    return ("N",)


def _power(unit: str) -> str:
    """The power of ten of a unit: 9 of ``×10^9/L``, ``10*9/L`` and ``10⁹/L``; empty where it has none."""
    found = _POWER.search(unit)
    return found[1].translate(_SUPERSCRIPT) if found else ""


def _pointed(text: str, comma: bool) -> str:
    if comma:
        text = text.replace(",", ".")
    if not text.isascii():
        text = text.translate(_WIDE)
        for words, sign in _SAID.items():
            text = text.replace(words, sign)
        if side := _SIDE.fullmatch(text):
            text = f"{'≥' if side[3] == '以上' else '≤'}{side[1]}{side[2]}"
    return text


def _together(text: str) -> str:
    """A text with its numbers in groups of three written in one: ``4,000-10,000`` as ``4000-10000``."""
    return _GROUPED.sub(lambda found: found[1].replace(",", ""), text) if "," in text else text


def _plain(written: str) -> str:
    """A number as JSON writes it, with the same digits after the point."""
    sign, digits = ("-" if written[0] == "-" else ""), written.lstrip("+-")
    digits, _, power = digits.upper().partition("E")
    whole, _, after = digits.partition(".")
    return f"{sign}{whole.lstrip('0') or '0'}{f'.{after}' if after else ''}{f'E{power}' if power else ''}"
