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
from healthsvc.web.remarks import remark_words
from healthsvc.web.words import cells, reasons, remarks, row_words
from integrations.hl7v2.maps.events import UNNEEDED

ROOT = Path(__file__).resolve().parents[2] / "healthsvc"
LINE = ROOT.parent / "integrations"
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


def template(node: ast.expr) -> str | None:
    """A text as it is written, ``{}`` for what is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(piece.value) if isinstance(piece, ast.Constant) else "{}" for piece in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def named(node: ast.expr) -> str:
    """The last name of an expression."""
    return str(getattr(node, "attr", "") or getattr(node, "id", ""))


def remarked(path: Path) -> Iterator[str]:
    """Texts that a module puts into the remarks of a message, or into the warnings that become some."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        said: ast.AST | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            said = node.args[0] if named(node.func.value) in ("remarks", "warnings") else None
        elif isinstance(node, ast.Call) and named(node.func) == "_wrong":
            said = node.args[1]
        elif isinstance(node, ast.AugAssign | ast.Assign):
            target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
            said = node.value if named(target) in ("remark", "remarks", "warnings") else None
        for piece in ast.walk(said) if said else ():
            words = template(piece) if isinstance(piece, ast.JoinedStr | ast.Constant) else None
            if words and words.count(" ") > 1:
                yield words


def test_whatever_is_remarked_on_a_message_is_told_in_chinese() -> None:
    written = {words for path in (LINE / "effects").glob("*.py") for words in remarked(path)}
    written |= {words for path in (LINE / "processing.py", LINE / "operating" / "inbox_desk.py") for words in remarked(path)}
    written |= {words for name in ("demographics", "citizen_id") for words in remarked(ROOT / "healthfile" / f"{name}.py")}
    written |= set(UNNEEDED.values())
    pieces = {words for words in written if any(words != whole and words in whole for whole in written)}
    assert len(written - pieces) > 40
    assert sorted(written - pieces - set(remarks())) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("PID-8 could not be read; PV1-44 could not be read as a time and counts as not told",
         "PID-8 无法识别；PV1-44 不是可识别的时间，按未填处理"),
        ("an order is older than what is on file and was left aside", "医嘱比档案中的旧，未采用"),
        ("2 of the 3 persons are none of ours and were left aside", "3 人中有 2 人不在本机档案，未写入"),
        ("report 1 is older than the version on file; it was left aside", "第 1 份报告比档案中的旧，未采用"),
        ("something new; the two numbers were one file already", "something new；两个号码本来就是同一份档案"),
        ("something new", ""),
    ],
)  # fmt: skip
def test_remarks_that_stand_one_behind_the_other_are_told_one_by_one(said: str, told: str) -> None:
    assert remark_words(said) == told
    assert remark_words(said, "en") == ""
