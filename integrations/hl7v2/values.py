"""HL7 texts as hospitals really write them, read as values: dates of every shape, whole names in one component, misplaced phones."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from integrations.hl7v2.delimiters import Delimiters
from integrations.hl7v2.er7 import Part
from integrations.hl7v2.zones import SenderZone

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_MOMENT = re.compile(
    r"(?P<year>\d{4})(?:[-/.年]?(?P<month>\d{1,2})(?:[-/.月]?(?P<day>\d{1,2})日?)?)?"
    r"(?:[ T]*(?:(?P<half>[上下]午) *)?(?P<hour>\d{2}|(?<=[ T午])\d(?=:))"
    r"(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,6})\d*)?)?)?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)
_TIME = re.compile(r"([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d)(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?")
YEARS = range(1800, 2200)
"""Years that a hospital can mean."""
_POWER = re.compile(r"([^\w^]*\s*10)\^(\d{1,2}\s*/\s*[^\^~&\\|]+)")
_PACKED = re.compile(r"(\d{4,14}|\d{17})(?!\d)")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as precise as it was sent."""

    at: datetime
    """Aware; what was not sent is the beginning (1 January, midnight)."""
    precision: str
    """year, month, day, minute or second."""

    @property
    def fhir(self) -> str:
        """As FHIR writes it, no more precise than it was sent."""
        if self.precision == "year":
            return f"{self.at.year:04}"
        if self.precision == "month":
            return f"{self.at.year:04}-{self.at.month:02}"
        return self.day if self.precision == "day" else self.at.isoformat()

    @property
    def day(self) -> str:
        """The date alone, as far as it is known."""
        return self.fhir if self.precision in ("year", "month") else self.at.date().isoformat()


@lru_cache(maxsize=4096)  # a message says the same moment in several places, and birthdays come again
def moment(text: str, zone: tzinfo) -> Moment | None:
    """Read an HL7 time stamp, or a date with dashes, slashes or 年月日 (and 上午, 下午); None where it is empty or no date.

    ``00000000`` and other impossible dates are None, and so is a year of two digits (``260105`` would be the year 2601): which century
    was meant nobody here knows. A time without offset is meant in ``zone``; under a sender's zone it is told in that of the site.
    """
    text = text.strip()
    if not text:
        return None
    if packed := _PACKED.match(text):
        text = _spaced(packed.group()) + text[packed.end() :]
    found = _MOMENT.fullmatch(text)
    if not found:
        return None
    parts = found.groupdict()
    if int(parts["year"]) not in YEARS:
        return None
    precision = next(name for name in ("second", "minute", "hour", "day", "month", "year") if parts[name])
    sender = zone if isinstance(zone, SenderZone) else None
    try:
        offset = _offset(parts["zone"]) if sender is None or sender.believed else None
        at = datetime(
            int(parts["year"]),
            int(parts["month"] or 1),
            int(parts["day"] or 1),
            _hour(parts["hour"], parts["half"]),
            int(parts["minute"] or 0),
            min(int(parts["second"] or 0), 59),
            int((parts["fraction"] or "0").ljust(6, "0")),
            tzinfo=offset or (sender.meant if sender else zone),
        )
    except ValueError:  # the thirtieth of February, or an offset of 99 hours
        return None
    if sender and precision in ("second", "minute", "hour"):
        at = at.astimezone(sender.home)
    return Moment(at, "minute" if precision == "hour" else precision)


def day_of(text: str) -> Moment | None:
    """A birth date: the day as it was written, whatever time and offset stand behind it (``19320115000000+0900`` is the fifteenth)."""
    found = moment(text, UTC)
    if found is None or found.precision in ("year", "month", "day"):
        return found
    return Moment(datetime(found.at.year, found.at.month, found.at.day, tzinfo=UTC), "day")


def is_before(one: str, other: str) -> bool:
    """Whether one FHIR dateTime lies before another; by the day where only a day is known of one of them."""
    if len(one) > 10 and len(other) > 10:
        return datetime.fromisoformat(one) < datetime.fromisoformat(other)
    return one[:10] < other[:10]


def time_of(text: str) -> str:
    """A time of day (TM: ``0930``, ``093000.5+0800``, ``09:30``) as FHIR writes it, the offset left out; empty where it is none."""
    found = _TIME.fullmatch(text.strip())
    return f"{found[1]}:{found[2]}:{found[3] or '00'}" if found else ""


def _spaced(digits: str) -> str:
    """``20260105170124`` with its parts held apart; three digits more are milliseconds, as ``yyyyMMddHHmmssSSS`` writes them."""
    date, time, thousandths = digits[:8], digits[8:14], digits[14:]
    written = "-".join(part for part in (date[:4], date[4:6], date[6:8]) if part)
    clock = ":".join(time[at : at + 2] for at in range(0, len(time), 2))
    return written + (f" {clock}" if clock else "") + (f".{thousandths}" if thousandths else "")


def _hour(text: str | None, half: str | None) -> int:
    """The hour of the day; 下午3 and 下午15 are the same, 上午15 is none and raises ValueError."""
    hour = int(text or 0)
    if half is None:
        return hour
    if half == "上午" and hour > 12:
        raise ValueError(text)
    return hour % 12 + (12 if half == "下午" else 0) if hour <= 12 else hour


def _offset(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    return timezone((1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def clean(text: str, nothing: Iterable[str] = ()) -> str:
    """A text without surrounding space; empty where the sender wrote a word that means nothing (无, 同上)."""
    text = text.strip()
    return "" if text in nothing else text


def lines(field: Part, nothing: Iterable[str] = ()) -> str:
    """The words of a field of ST, TX or FT, its repetitions on lines of their own."""
    return "\n".join(words for part in field.repetitions if (words := clean(part.text, nothing)))


def number_of(text: str, nothing: Iterable[str] = ()) -> str:
    """A number of a person or a visit; empty where it names nothing: a word that means nothing, or zeros alone, as feeds write them where
    there is no number. Taken for a number, a lone 0 would make one of all to whom a hospital has not given one."""
    value = clean(text, nothing)
    return value if value.strip("0") else ""


def code_of(text: str) -> str:
    """A code as FHIR writes one: no space around it, and single spaces inside (a site's own ``A  B`` is one code all the same)."""
    return " ".join(text.split())


def has_han(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return _HAN.search(text) is not None


def member_of_staff(number: str, words: str) -> tuple[str, str]:
    """Number and name of an XCN; a name that stands where the number belongs (``李样例`` in XCN.1) is no number."""
    if has_han(number) and not any(one.isascii() and one.isalnum() for one in number):
        return "", words or number
    return number, words


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as one text, and its Latin spelling where one was sent beside a Chinese name."""

    text: str
    latin: str = ""


def name(field: Part, nothing: Iterable[str] = ()) -> Name | None:
    """Read XPN or XCN-like repetitions: ``测试甲``, ``CESHI^测试甲``, ``测试甲^CESHI``, ``向^某某``, ``Doe^Jane^M``."""
    latin, best = "", ""
    for repetition in sorted(field.repetitions, key=_is_byname):
        pieces = [clean(repetition.component(n).subcomponent(1).text, nothing) for n in (1, 2, 3)]
        chinese = "".join(piece for piece in pieces if has_han(piece))
        western = " ".join(piece for piece in (pieces[1], pieces[2], pieces[0]) if piece and not has_han(piece))
        if chinese and not has_han(best):
            latin, best = western or best or latin, chinese
        elif western and not best:
            best = western
        elif western and not latin:
            latin = western
    return Name(best, latin if latin != best else "") if best else None


def _is_byname(repetition: Part) -> bool:
    """Whether a name is not the one that somebody bears (XPN.7, table 0200): alias, maiden, nickname, of the spouse, coded."""
    return repetition.component(7).text.strip().upper() in ("A", "M", "N", "P", "S")


@dataclass(frozen=True, slots=True)
class Phone:
    """A telephone number and where it rings."""

    value: str
    use: str = ""
    """FHIR contact-point-use: home, work, mobile; empty: not said."""


def phones(field: Part, use: str, nothing: Iterable[str] = ()) -> list[Phone]:
    """Read XTN repetitions wherever the number stands: component 12, 1, 6+7+8 or the comment (9)."""
    found: list[Phone] = []
    for repetition in field.repetitions:
        component = [clean(piece.text, nothing) for piece in repetition.components[:12]]
        component += [""] * (12 - len(component))
        local = "-".join(part for part in (component[5], component[6]) if part)
        if local and component[7]:
            local += f"转{component[7]}"
        value = next((text for text in (component[11], component[0], local, component[8]) if sum(c.isdigit() for c in text) >= 5), "")
        if value and value not in (phone.value for phone in found):
            mobile = component[2] == "CP" or component[1] in ("PRS", "CP")
            found.append(Phone(value, "mobile" if mobile else {"WPN": "work", "PRN": "home"}.get(component[1], use)))
    return found


def address(field: Part, nothing: Iterable[str] = ()) -> str:
    """The home address as one text: the repetition typed H, or the first without a type."""
    chosen = None
    for repetition in field.repetitions:
        kind = repetition.component(7).text.strip().upper()
        if kind == "H" or (kind in ("", "C", "P", "L", "M") and chosen is None):
            text = _address_text(repetition, nothing)
            if text:
                chosen = text
                if kind == "H":
                    break
    return chosen or ""


def _address_text(repetition: Part, nothing: Iterable[str]) -> str:
    street = clean(repetition.component(1).subcomponent(1).text, nothing)
    other, city, province, code, area, county = (clean(repetition.component(n).text, nothing) for n in (2, 3, 4, 5, 8, 9))
    if any(has_han(part) for part in (street, other, city, province)):
        wider = dict.fromkeys(part for part in (province, city, county, area) if part and part not in street and has_han(part))
        return "".join(wider) + street + other
    return ", ".join(part for part in (street, other, city, f"{province} {code}".strip()) if part)


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded value as sent: code, words, code system; any of them may be empty."""

    code: str
    text: str = ""
    system: str = ""
    also: tuple[tuple[str, str, str], ...] = ()
    """The same in other systems: code, words and system of each further triplet that has a code."""

    def __bool__(self) -> bool:
        return bool(self.code or self.text)


REPEATED = 128
"""Characters of a coded value that is read once: laboratories send the same few hundred codes and units in message after message."""
NOTHING_CODED = Coded("")
"""No code was sent."""


def coded(part: Part, nothing: Iterable[str] = ()) -> Coded:
    """Read CE, CWE or CNE: the first triplet, the words of the second where the first has none, and what the others say beside it."""
    if not part.raw:
        return NOTHING_CODED
    if len(part.raw) <= REPEATED:
        return _coded_again(*part.said, frozenset(nothing))
    return _coded(part, nothing)


def _coded(part: Part, nothing: Iterable[str]) -> Coded:
    pieces = [clean(piece.text, nothing) for piece in part.components[:12]]
    pieces += [""] * (12 - len(pieces))
    further = [(code_of(sent), words, system) for sent, words, system in (pieces[3:6], pieces[9:12]) if sent]
    return Coded(code_of(pieces[0]), pieces[1] or pieces[4], pieces[2], tuple(further))


@lru_cache(maxsize=4096)
def _coded_again(raw: str, cut: Delimiters, level: int, nothing: frozenset[str]) -> Coded:
    return _coded(Part(raw, cut, level), nothing)


def unit_of(field: Part) -> Coded:
    """OBX-6; a power of ten that was not escaped (``×10^9/L``) is one unit, not a code and its words."""
    unit = coded(field)
    power = _POWER.fullmatch(field.raw)
    return Coded("".join((power[1].strip(), "^", power[2].strip()))) if power else unit
