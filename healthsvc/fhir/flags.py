"""Flags of a result (OBX-8, HL7 table 0078; Observation.interpretation): which are known, which are abnormal, which are 危急值 critical."""

from typing import Final

HIGH: Final = frozenset({"H", "HH", "HU", "A", "AA"})
"""Shown as too high; what is abnormal without a direction (A, AA) is shown so, too."""
LOW: Final = frozenset({"L", "LL", "LU"})
ABNORMAL: Final = HIGH | LOW | {"POS", "RR", "WR", ">", "<", "W", "U", "D"}
CRITICAL: Final = frozenset({"AA", "HH", "LL"})
"""What calls for somebody at once: v3-ObservationInterpretation says "immediate action" of these three alone; HU and LU are significant."""
FLAGS: Final = ABNORMAL | {
    *("N", "NEG", "NR", "ND", "DET", "IND", "E", "B", "EXP", "UNE", "IE", "CAR"),
    *("S", "SDD", "I", "R", "NS", "NCL", "SYN-S", "SYN-R"),
}
"""Codes of table 0078 and its successor that are known here; any other flag is a laboratory's own word."""
