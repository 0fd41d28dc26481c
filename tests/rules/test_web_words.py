"""Chinese first, English second: every text has its translation, dates read the way each language writes them."""

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from healthsvc import policy, web
from healthsvc.clock import zone
from healthsvc.web import words

HERE = Path(web.__file__).parent
SAID = re.compile(r"""(?<![\w.])t\(\s*['"]([^'"]*)['"]""")
SAID_IN_CODE = re.compile(r"""\.say\(\s*['"]([^'"]*)['"]""")


def _texts() -> set[str]:
    found = {text for path in (HERE / "templates").glob("*.html") for text in SAID.findall(path.read_text(encoding="utf-8"))}
    return found | {text for path in HERE.glob("*.py") for text in SAID_IN_CODE.findall(path.read_text(encoding="utf-8"))}


def test_every_text_of_a_page_has_its_english() -> None:
    known = {*words.english(), *words.codes()}
    assert sorted(text for text in _texts() if re.search("[\u4e00-\u9fff]", text) and text not in known) == []


def test_translations_keep_their_slots() -> None:
    slots = re.compile(r"\{\w+\}")
    wrong = [text for text, english in words.english().items() if sorted(slots.findall(text)) != sorted(slots.findall(english))]
    assert wrong == []


@pytest.mark.parametrize(
    ("language", "long", "short"),
    [("zh", "2026年11月23日 周一", "11月23日"), ("en", "Mon 23 Nov 2026", "23 Nov")],
)
def test_a_day_reads_as_the_language_writes_it(language: str, long: str, short: str) -> None:
    assert words.long_day(date(2026, 11, 23), language) == long
    assert words.short_day(date(2026, 11, 23), language, 2026) == short


def test_a_moment_falls_on_the_day_of_the_site_and_not_of_utc() -> None:
    assert words.as_day("2026-11-22T23:30:00Z", zone()) == date(2026, 11, 23)
    assert words.clock_time(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), zone()) == "07:30"
    assert words.as_day("2026", zone()) is None


def test_what_the_catalogue_lacks_stays_as_it_is() -> None:
    assert words.say("没有这句话", "en") == "没有这句话"
    assert words.say("剩 {n} 天", "en", n=3) == "3 d left"
    assert words.say("alone") == "独居"


def test_every_unit_of_a_parameter_reads_in_both_languages() -> None:
    shipped = {
        one["unit"]
        for path in sorted(Path(policy.__file__).parent.glob("*.toml"))
        for one in tomllib.loads(path.read_text("utf-8"))["parameter"]
    }
    alike = {"%", "10*9/L", "MiB", "U/L", "g/L", "km/h", "mL", "mL/h", "mg/L", "mmol/L", "umol/L"}
    assert shipped == set(words.units()) | alike
    assert words.unit("d") == "天"
    assert words.unit("d", "en") == "days"
    assert words.unit("mmol/L") == "mmol/L"
