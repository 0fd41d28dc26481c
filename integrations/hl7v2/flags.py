"""Flags of a result (OBX-8, table 0078): which are known, which are abnormal, which call for somebody at once."""

import re
from typing import Final

ABNORMAL: Final = frozenset({"A", "AA", "H", "HH", "HU", "L", "LL", "LU", "POS", ">", "<", "W", "U", "D"})
CRITICAL: Final = frozenset({"AA", "HH", "LL"})
FLAGS: Final = ABNORMAL | {"N", "NEG", "IND", "B", "S", "R", "I", "DET", "ND"}
"""Codes of table 0078 and its successor that are known here; any other flag is a laboratory's own word."""
_NEGATIVE: Final = re.compile(r"(?:阴性|neg(?:ative)?)?\s*(?:[(（]?[-－—][)）]?)?", re.IGNORECASE)
_POSITIVE: Final = re.compile(
    r"(?:(?:弱|强)?阳性|pos(?:itive)?)\s*(?:[(（]?[+＋]{1,4}[)）]?)?|[(（]?(?:[1-4]?[+＋]|[+＋]{2,4})[)）]?", re.IGNORECASE
)


def beside_word(value: str, normal: str) -> tuple[str, ...]:
    """POS where a finding is positive (阳性, ++) and the reference range should be negative; other words say nothing."""
    expected, found = normal.strip(), value.strip()
    return ("POS",) if expected and _NEGATIVE.fullmatch(expected) and _POSITIVE.fullmatch(found) else ()
