"""bandit over the whole code: nothing is found but what has a reason, and no reason stands for what is not found any more."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REASONED: dict[tuple[str, str], str] = {
    ("B101", "*"): "an assert states an invariant; nothing relies on it for the safety of input (as ruff's S101)",
    ("B404", "*"): "importing subprocess is nothing; each call is looked at by B603",
    ("B405", "*"): "importing ElementTree is nothing; each call is looked at by B314",
    ("B406", "*"): "escape writes XML, it reads none",
    ("B608", "healthsvc/store/*"): "SQL is written from our own names only; every value is a parameter",
    ("B105", "healthsvc/access/smart/endpoints.py"): "'Bearer' is the name of a kind of token",
    ("B106", "healthsvc/web/factor.py"): "an empty field of a page before the secret is made",
    ("B311", "healthsvc/express.py"): "the number of a request is its name in the log; nobody gains by guessing one",
    ("B107", "*"): "an empty default of a form field or a setting is no password",
}
"""Test and files (a pattern) -> why it is no fault. A line may also carry its own reason: ``# noqa: S608 - why``, as ruff reads it."""
_OWN = re.compile(r"# noqa: .*\bS(\d{3})\b.* - \S")


def found() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "bandit", "-q", "-r", "healthsvc", "integrations", "-f", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    assert told["errors"] == []
    assert len(told["metrics"]) > 300, "every file was looked at"
    return list(told["results"])


def has_own_reason(one: dict[str, Any]) -> bool:
    lines = (ROOT / one["filename"]).read_text(encoding="utf-8").splitlines()
    span = lines[min(one["line_range"]) - 1 : max(one["line_range"]) + 1]
    return any(hit[1] == one["test_id"][1:] for line in span for hit in [_OWN.search(line)] if hit)


def test_every_finding_has_a_reason_and_every_reason_a_finding() -> None:
    unexplained, used = [], set()
    for one in found():
        file = one["filename"].removeprefix("./")
        rows = [row for row in REASONED if row[0] == one["test_id"] and fnmatch(file, row[1])]
        used |= set(rows)
        if not rows and not has_own_reason(one):
            unexplained.append(f"{file}:{one['line_number']} {one['test_id']} {one['issue_text']}")
    assert unexplained == [], "mend it, or say in the line or in the table why it is no fault"
    assert set(REASONED) - used == set(), "take reasons away that stand for nothing"
