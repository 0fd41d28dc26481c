"""Every refusal of home bed, infusion, green channel and emergency is told in Chinese words, not only as a code."""

import re
from datetime import date
from pathlib import Path

import pytest

from healthsvc.infusion.rules.gates import NEVER_OVERRIDDEN, REASONS
from healthsvc.infusion.rules.parameters import InfusionPolicy
from healthsvc.policy import load
from healthsvc.web.words import reasons

POLICY = load(Path("absent")).fill(InfusionPolicy, "infusion", date(2026, 11, 23))
HOUSE = Path(__file__).resolve().parents[2] / "healthsvc"


def codes(room: str) -> set[str]:
    """Reason codes that stand in the source of a room."""
    found = set()
    for path in (HOUSE / room).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(rf'reason="({room}-[a-z-]+)"', text))
        if path.name == "course.py":
            found |= set(re.findall(rf'"({room}-[a-z-]+)"\)', text))
        found |= set(re.findall(r'"(homebed-[a-z-]+)"', text))
    return found | (set(REASONS.values()) if room == "infusion" else set())


@pytest.mark.parametrize("room", ["infusion", "homebed", "greenchannel", "emergency"])
def test_every_reason_has_words(room: str) -> None:
    found = codes(room)
    assert len(found) >= 6
    assert sorted(found - set(reasons())) == []


def test_a_gate_that_nobody_opens_says_so() -> None:
    for gate, code in REASONS.items():
        assert reasons()[code].startswith("第")
        assert ("不可越过" in reasons()[code]) == (gate in NEVER_OVERRIDDEN)


def test_the_document_says_what_the_rules_say() -> None:
    text = (HOUSE / "docs" / "home-care.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`infusion-" in line]
    assert len(rows) == len(REASONS)
    for number, (row, (gate, code)) in enumerate(zip(rows, REASONS.items(), strict=True), start=1):
        assert row.startswith(f"| {number} |")
        assert f"`{code}`" in row
        assert ("否 never" in row) == (gate in NEVER_OVERRIDDEN)
        assert ("a named doctor |" in row) == (gate not in NEVER_OVERRIDDEN and gate.value not in POLICY.absolute_gates)
