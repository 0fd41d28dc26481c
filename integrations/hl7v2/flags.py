"""What the words of a finding and its reference range say where the laboratory sent no flag (OBX-8)."""

import re
from typing import Final

_NEGATIVE: Final = re.compile(r"(?:阴性|neg(?:ative)?)?\s*(?:[(（]?[-－—][)）]?)?", re.IGNORECASE)
_POSITIVE: Final = re.compile(
    r"(?:(?:弱|强)?阳性|pos(?:itive)?)\s*(?:[(（]?[+＋]{1,4}[)）]?)?|[(（]?(?:[1-4]?[+＋]|[+＋]{2,4})[)）]?", re.IGNORECASE
)


def beside_word(value: str, normal: str) -> tuple[str, ...]:
    """POS where a finding is positive (阳性, ++) and the reference range should be negative; other words say nothing."""
    expected, found = normal.strip(), value.strip()
    return ("POS",) if expected and _NEGATIVE.fullmatch(expected) and _POSITIVE.fullmatch(found) else ()
