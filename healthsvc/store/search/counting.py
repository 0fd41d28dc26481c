"""How many rows a search finds: as many as are worth counting."""

from healthsvc.store.search.leaf import EVER, Piece, all_of, among
from healthsvc.store.search.plan import Plan
from healthsvc.store.search.sql import LIVE

SMALL = 1000
"""Candidates that may all be tested to give a total that nobody asked for."""


def count(plan: Plan, most: int) -> int:
    """How many rows there are, counting no further than ``most``."""
    made = plan.selected("r.pk", None, bare=plan.tests.sql == EVER, source=plan.source or plan.ranged)
    return _counted(plan, made, most)


def count_freely(plan: Plan, most: int) -> int | None:
    """How many rows there are, where that costs little: few candidates, one range of an index, or a small type. Else None."""
    if plan.ranged is not None:
        if len(plan.nodes) > 1 and _counted(plan, plan.ranged, SMALL + 1) > SMALL:
            return None
    elif plan.source is None and plan.tests.sql != EVER and plan.nodes:
        known = all_of((among("type", plan.rows.terms(plan.types)), Piece(LIVE)))
        # in the order of an index, which a server would not take for so many of its rows: it does not reckon with the bound
        order = " ORDER BY type, deleted, pk" if plan.rows.postgres and len(plan.types) == 1 else ""
        if _counted(plan, Piece(f"SELECT 1 FROM resource WHERE {known.sql}{order}", known.args), SMALL + 1) > SMALL:
            return None
    found = count(plan, most + 1) if plan.pks is None else len(plan.pks)
    return found if found <= most else None


def _counted(plan: Plan, made: Piece, most: int) -> int:
    limited = f"SELECT count(*) FROM (SELECT 1 FROM ({made.sql}) AS s LIMIT {int(most)}) AS c"
    return int(plan.rows.run(limited, made.args)[0][0])
