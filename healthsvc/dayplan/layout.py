"""How a problem lies in flat arrays for the compiled search: which column holds what.

Nodes are services ``0..n-1``; then one head a caregiver (where the route starts) and one tail (where it ends). Compiled code reads the
column numbers as constants, so rows stay together in the cache and few arrays travel between functions.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

# World.link[node]: the routes as linked lists
PRV, NXT, RT, STAMP = 0, 1, 2, 3
# World.time[node]: start and lateness, as they are and as tried
S, TS, LATE, TLATE = 0, 1, 2, 3
# World.spec[node]: constants of a service (floats); HOLD is room for a start while those of three or more people are worked out
DUR, LATEW, GAPMIN, GAPMAX, GRAIN, HOLD = 0, 1, 2, 3, 4, 5
SPEC_COLUMNS = 6
# World.kind[node]: constants of a service (integers); PARTNER: the next of those who come together, after the last the first (-1: alone)
PLACE, PARTNER, ROLE, JOB, NWIN, HARD, FIXED, MANDATORY = 0, 1, 2, 3, 4, 5, 6, 7
# World.route[caregiver]: figures of a route (floats), then what they were before the move, then constants
TRAVEL, WORK, WAIT, OVER, MISS, IDLE = 0, 1, 2, 3, 4, 5
OLD_TRAVEL, OLD_WORK, T_WAIT, T_OVER, T_MISS, T_IDLE = 6, 7, 8, 9, 10, 11
SHIFT_S, SHIFT_E, REST_S, REST_E, REST_D, REST_W, REST_F = 12, 13, 14, 15, 16, 17, 18
ROUTE_COLUMNS = 19
# World.person[caregiver]: integers of a route
ANCHOR, RSTAMP, MODE, OLD_ANCHOR, HAS_REST, BOUNDED = 0, 1, 2, 3, 4, 5
# World.job[visit]
FIRST, COUNT, POS, MUST = 0, 1, 2, 3
# World.total: sums over the plan (floats)
(
    SUM_TRAVEL,
    SUM_AFFINITY,
    SUM_SKIP,
    SUM_LATE,
    SUM_HARD,
    MAX_LATE,
    SUM_WAIT,
    SUM_OVER,
    SUM_MISS,
    MAX_IDLE,
    BALANCE,
    COST,
    FIXED_COST,
    TRUE_COST,
) = range(14)
TOTALS = 14
# World.price: weights, and the step of the clock on which breaks begin
W_TRAVEL, W_LATEST, W_WAIT, W_OVER, W_IDLE, W_BALANCE, W_HARD, W_MUST, SOFT_IDLE, STEP = range(10)
PRICES = 10
# World.flag: switches and counters
OVER_HARD, SHIFT_START, N, C, J, MOVE, N_DIRTY, N_TOUCHED, N_ROUTES, N_UNDO, N_OUT, WORST, N_NEAR, IDLEST, ACCEPTED = range(15)
FLAGS = 15
# World.undo rows
UNLINK, LINK, TAILS = 0, 1, 2


SHEETS: dict[str, tuple[str, *tuple[int, ...]]] = {
    "link": ("i", 0, 4),
    "time": ("f", 0, 4),
    "spec": ("f", 0, SPEC_COLUMNS),
    "kind": ("i", 0, 8),
    "win": ("f", 0, 0),
    "route": ("f", 0, ROUTE_COLUMNS),
    "person": ("i", 0, 6),
    "allow": ("b", 0, 0),
    "pref": ("f", 0, 0),
    "way": ("f", 0, 0, 0),
    "near": ("i", 0, 0),
    "job": ("i", 0, 4),
    "skip": ("f", 0),
    "out": ("i", 0),
    "earlier_at": ("i", 0),
    "earlier": ("i", 0),
    "later_at": ("i", 0),
    "later": ("i", 0),
    "gap": ("f", 0),
    "total": ("f", TOTALS),
    "price": ("f", PRICES),
    "flag": ("i", FLAGS),
    "dirty": ("i", 0),
    "touched": ("i", 0),
    "routes": ("i", 0),
    "undo": ("i", 0, 3),
    "dice": ("u", 1),
}
"""The arrays: whole numbers (i), floats (f), bytes (b) or unsigned (u), and how long each dimension is (0: as the problem has it)."""

WORDS = 4
"""Words of a row of the table: where the array lies, then its lengths."""

KINDS = {"i": np.int64, "f": np.float64, "b": np.uint8, "u": np.uint64}


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Everything that the compiled search touches, and the table by which it finds it."""

    link: Any
    time: Any
    spec: Any
    kind: Any
    win: Any
    route: Any
    person: Any
    allow: Any
    pref: Any
    way: Any
    near: Any
    job: Any
    skip: Any
    out: Any
    earlier_at: Any
    earlier: Any
    later_at: Any
    later: Any
    gap: Any
    total: Any
    price: Any
    flag: Any
    dirty: Any
    touched: Any
    routes: Any
    undo: Any
    dice: Any
    table: Any = field(init=False)
    address: int = field(init=False)

    def __post_init__(self) -> None:
        """Note where every array lies.

        :raises ValueError: an array does not lie as :data:`SHEETS` says; compiled code would read what is not there.
        """
        table = np.zeros((len(SHEETS), WORDS), dtype=np.int64)
        for row, (name, (kind, *lengths)) in enumerate(SHEETS.items()):
            array = getattr(self, name)
            fits = array.ndim == len(lengths) and all(want in (0, have) for want, have in zip(lengths, array.shape, strict=True))
            if not fits or array.dtype != KINDS[kind] or not array.flags.c_contiguous or not array.flags.writeable:
                raise ValueError(f"World.{name}: {array.dtype} {array.shape} does not lie as the compiled search reads it")
            table[row, : 1 + array.ndim] = (array.ctypes.data, *array.shape)
        object.__setattr__(self, "table", table)
        object.__setattr__(self, "address", table.ctypes.data)
