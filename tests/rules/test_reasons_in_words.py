"""Whatever a room refuses on a page is told in Chinese, and so is each reason why a row of a roster is not taken."""

import ast
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from healthsvc.healthfile import roster, roster_columns
from healthsvc.healthfile.roster_columns import COLUMNS, BadCell
from healthsvc.healthfile.rules import FilePolicy
from healthsvc.policy import load
from healthsvc.web.person import MISSING
from healthsvc.web.words import cells, reasons, row_words

ROOT = Path(__file__).resolve().parents[2] / "healthsvc"
ROOMS = (
    "checkup", "consent", "contract", "dayplan", "documents", "emergency", "forms", "greenchannel", "healthfile", "homebed", "infusion",
    "mustvisit", "pocket", "referral", "visit", "circle", "web",
)  # fmt: skip
PROGRAMS = {"greenchannel/hooks"}
"""What only other programs ask, and is answered in English."""


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))


def refused(room: str) -> set[str]:
    """Reason codes that are written in a room."""
    paths = [path for path in (ROOT / room).rglob("*.py") if path.parent.relative_to(ROOT).as_posix() not in PROGRAMS]
    words = [word for path in paths for call in calls(path) for word in call.keywords if word.arg == "reason"]
    return {
        one.value.value for one in words if isinstance(one.value, ast.Constant) and isinstance(one.value.value, str) and one.value.value
    }


@pytest.mark.parametrize("room", ROOMS)
def test_a_refusal_of_a_room_is_told_in_chinese(room: str) -> None:
    assert sorted(refused(room) - set(reasons())) == []


def test_each_reason_why_a_row_is_not_taken_is_told_in_chinese() -> None:
    written = {
        call.args[0].value
        for module in (roster, roster_columns)
        for call in calls(Path(str(module.__file__)))
        if isinstance(call.func, ast.Name) and call.func.id == "BadCell" and isinstance(call.args[0], ast.Constant)
    }
    assert len(written) > 8
    assert sorted(written - set(cells()) - set(reasons())) == []


@pytest.mark.parametrize(
    "column", [one for one in COLUMNS if one.field in ("sex_code", "category", "living", "resettled")], ids=lambda one: one.field
)
def test_a_word_that_is_not_known_is_answered_with_those_that_are(column: roster_columns.Column) -> None:
    with pytest.raises(BadCell) as wrong:
        column.read("别的")
    told = row_words(str(wrong.value.reason), wrong.value.text)
    assert told.startswith("请填写：")
    assert column.example in told
    assert row_words(str(wrong.value.reason), wrong.value.text, "en") == wrong.value.text


def test_whatever_a_file_may_lack_has_a_name(tmp_path: Path) -> None:
    weights = load(tmp_path).fill(FilePolicy, "healthfile", date(2026, 11, 29)).completeness_weights
    assert sorted(set(weights) - set(MISSING)) == []
