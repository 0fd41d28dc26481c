"""What long work there is, and what does each kind."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from healthsvc.dayplan import later
from healthsvc.healthfile.later import ROSTER, take_in
from healthsvc.rest.export.jobs import KIND as EXPORT
from healthsvc.rest.export.later import carry_out
from healthsvc.store.work import Kind


def kinds(data: Path) -> Mapping[str, Kind]:
    """Every kind, for an installation's data directory."""
    return {
        later.DAY: partial(later.propose_day, data),
        later.WEEK: partial(later.propose_week, data),
        ROSTER: take_in,
        EXPORT: partial(carry_out, data),
    }
