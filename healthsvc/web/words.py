"""Chinese first, English second: the pages' words, and dates and times the way each language writes them."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

LANGUAGES: Final = ("zh", "en")
COOKIE: Final = "lang"
_HERE = Path(__file__).parent
_WEEKDAYS = {"zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"), "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SLOT = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=1)
def english() -> Mapping[str, str]:
    """The catalogue: Chinese text -> English text."""
    return {key: value for section in _read("english.toml").values() for key, value in section.items()}


@lru_cache(maxsize=1)
def codes() -> Mapping[str, tuple[str, str]]:
    """Code -> Chinese and English word, for codes that pages show."""
    return {key: (str(value[0]), str(value[1])) for key, value in _read("codes.toml")["codes"].items()}


@lru_cache(maxsize=1)
def labels() -> Mapping[str, str]:
    """Field of a form -> the Chinese label beside it; behind the path of a route, of that route alone."""
    return {key: str(value) for key, value in _read("codes.toml")["labels"].items()}


@lru_cache(maxsize=1)
def units() -> Mapping[str, tuple[str, str]]:
    """Unit of a policy parameter -> how it reads behind its value, in Chinese and English; empty where the value says it all."""
    return {key: (str(value[0]), str(value[1])) for key, value in _read("codes.toml")["units"].items()}


def unit(code: str, language: str = "zh") -> str:
    """How a unit reads; what the table lacks is written alike in both languages."""
    return units().get(code, (code, code))[language != "zh"]


@lru_cache(maxsize=1)
def reasons() -> Mapping[str, str]:
    """Reason code of a refusal -> what to tell the reader in Chinese."""
    return {key: str(value) for key, value in _read("reasons.toml")["reason"].items()}


@lru_cache(maxsize=1)
def cells() -> Mapping[str, str]:
    """Reason code of a cell of a list that cannot be taken -> its Chinese words; ``{choices}`` are what one may write."""
    return {key: str(value) for key, value in _read("reasons.toml")["cell"].items()}


def row_words(reason: str, text: str, language: str = "zh") -> str:
    """What is wrong with a row of a list, in the reader's language; what no table has stays as it was said."""
    if language != "zh":
        return text
    told = cells().get(reason) or reasons().get(reason) or text
    return told.replace("{choices}", text.partition("write one of ")[2])


@lru_cache(maxsize=1)
def deliveries() -> Mapping[str, str]:
    """How what a line says of a failed delivery begins -> its Chinese words."""
    return {key: str(value) for key, value in _read("reasons.toml")["delivery"].items()}


@lru_cache(maxsize=1)
def remarks() -> Mapping[str, str]:
    """A remark on a message of the hospital line, ``{}`` for what changes in it -> its Chinese words."""
    return {key: str(value) for key, value in _read("reasons.toml")["remark"].items()}


def delivery_words(said: str, language: str = "zh") -> str:
    """What a failed delivery means, in the reader's language; empty where what was said is the hospital's own answer."""
    if language != "zh":
        return ""
    return next((told for begins, told in deliveries().items() if said.startswith(begins)), reasons().get(said, ""))


def refusal_words(why: str, language: str = "zh") -> str:
    """Why a line was turned away, in the reader's language; empty where its own text says it all."""
    if language != "zh":
        return ""
    return next((told for begins, told in _refusals().items() if why.startswith(begins)), "")


@lru_cache(maxsize=1)
def _refusals() -> dict[str, str]:
    return {key: str(value) for key, value in _read("reasons.toml")["refusal"].items()}


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_HERE / name).read_text(encoding="utf-8"))


def say(text: str, language: str = "zh", **values: object) -> str:
    """A text or a code in a language; ``{name}`` in it stands for a value. What the catalogue lacks stays Chinese."""
    if text in codes():
        return codes()[text][language != "zh"]
    spoken = text if language == "zh" else english().get(text, text)
    return _SLOT.sub(lambda slot: str(values.get(slot[1], slot[0])), spoken) if values else spoken


def long_day(on: date, language: str = "zh") -> str:
    """2026年11月23日 周一, or Mon 23 Nov 2026."""
    if language == "zh":
        return f"{on.year}年{on.month}月{on.day}日 {_WEEKDAYS['zh'][on.weekday()]}"
    return f"{_WEEKDAYS['en'][on.weekday()]} {on.day} {_MONTHS[on.month - 1]} {on.year}"


def short_day(on: date, language: str = "zh", this_year: int | None = None) -> str:
    """11月23日, or 23 Nov; with the year where it is another one."""
    other = this_year is not None and on.year != this_year
    if language == "zh":
        return f"{on.year}年{on.month}月{on.day}日" if other else f"{on.month}月{on.day}日"
    return f"{on.day} {_MONTHS[on.month - 1]}" + (f" {on.year}" if other else "")


def weekday(on: date, language: str = "zh") -> str:
    """周一, or Mon."""
    return _WEEKDAYS[language][on.weekday()]


def clock_time(at: datetime, zone: tzinfo) -> str:
    """09:05, in the site's zone, whatever zone the browser has."""
    return at.astimezone(zone).strftime("%H:%M")


def as_day(value: object, zone: tzinfo) -> date | None:
    """The day of a FHIR date, dateTime or Python value in the site's zone; None where it has none (only a year, or nothing)."""
    if isinstance(value, datetime):
        return value.astimezone(zone).date()
    if isinstance(value, date):
        return value
    try:
        text = str(value)
        return date.fromisoformat(text) if len(text) == len("2026-01-01") else datetime.fromisoformat(text).astimezone(zone).date()
    except ValueError:
        return None
