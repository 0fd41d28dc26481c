"""Named invariants of R4."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One invariant: its key in the standard, what it demands, and the test."""

    key: str
    text: str
    severity: str
    holds: Callable[[dict[str, Any], dict[str, Any]], bool]


def rules_for(name: str) -> tuple[Rule, ...]:
    """The rules of one type."""
    return ()
