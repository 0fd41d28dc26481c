"""Whatever a template says in Chinese goes through the catalogue, and the catalogue has it in English: no page, no browser."""

import re
from pathlib import Path

import pytest

from healthsvc.web import words

HERE = Path(words.__file__).parent
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
HAN = re.compile(r"[\u4e00-\u9fff]")
SAID = re.compile(r"\bt\(\s*'((?:[^'\\]|\\.)*)'")
QUOTED = re.compile(r"'([^'\n]*)'")
NOT_SAID = {"中文"}
"""The name of the other language stands in its own."""
OWN_WORDS = {"contract.html": {"配偶", "儿子", "女儿", "监护人"}, "course_new.html": {"0.9%氯化钠"}, "board_staff.html": {"病假"}}
"""What becomes part of a record when it is chosen: suggestions of a list."""


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_each_text_has_its_english(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    known = words.english().keys() | words.codes().keys() | NOT_SAID | OWN_WORDS.get(template.name, set())
    said = {one for pattern in (SAID, QUOTED) for one in pattern.findall(text) if HAN.search(one)}
    assert sorted(said - known) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_no_text_stands_outside_of_the_catalogue(template: Path) -> None:
    bare = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", template.read_text(encoding="utf-8"), flags=re.S)
    loose = set(re.findall(r"[^\s<>\"'=|]*[\u4e00-\u9fff][^\s<>\"'=|]*", bare))
    assert sorted(loose - OWN_WORDS.get(template.name, set()) - NOT_SAID) == []


def test_slots_are_the_same_in_both_languages() -> None:
    slots = re.compile(r"\{\w+\}")
    apart = {zh: en for zh, en in words.english().items() if set(slots.findall(zh)) != set(slots.findall(en))}
    assert apart == {}
