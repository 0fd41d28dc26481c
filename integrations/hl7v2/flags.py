"""Flags of a result (OBX-8, table 0078): which are known, which are abnormal, which call for somebody at once."""

from typing import Final

ABNORMAL: Final = frozenset({"A", "AA", "H", "HH", "HU", "L", "LL", "LU", "POS", ">", "<", "W", "U", "D"})
CRITICAL: Final = frozenset({"AA", "HH", "LL"})
FLAGS: Final = ABNORMAL | {"N", "NEG", "IND", "B", "S", "R", "I", "DET", "ND"}
"""Codes of table 0078 and its successor that are known here; any other flag is a laboratory's own word."""
