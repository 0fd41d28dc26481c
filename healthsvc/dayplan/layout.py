"""How a problem lies in flat arrays for the compiled search: which column holds what.

Nodes are services ``0..n-1``; then one head a caregiver (where the route starts) and one tail (where it ends). Compiled code reads the
column numbers as constants, so rows stay together in the cache and few arrays travel between functions.
"""

from typing import Any, NamedTuple

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


class World(NamedTuple):
    """Everything that the compiled search touches."""

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
