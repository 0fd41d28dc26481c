"""How the outpatient visits of each hospital ended in the last days: by the hospital's word, or by the clock since none came.

Counts only; nobody is named.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import inpatient_classes
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.store.search import matches_all
from integrations.effects.by_rule import closed_when
from integrations.effects.stay import STAY, hospital_on_file
from integrations.unended import UnendedPolicy, hospital_of

MOST: Final = 2_000
"""Visits that are looked through for the page, the newest first: it has to come at once, however large the hospitals are."""


@dataclass(frozen=True, slots=True)
class EndsPolicy:
    """Filled from ``policy/hospital.toml``."""

    unended_shown_days: int


@dataclass(frozen=True, slots=True)
class HospitalEnds:
    """Visits of one hospital that have ended."""

    hospital: str
    """Its code; empty where a visit names none."""
    name: str
    """Empty where it is not known."""
    by_word: int
    """The hospital told the end (A03, PV1-45)."""
    by_rule: int
    """Nothing more came, and the clock took it as ended."""

    @property
    def never_told(self) -> bool:
        """Whether every end was the clock's."""
        return self.by_rule > 0 and self.by_word == 0


@dataclass(frozen=True, slots=True)
class Ends:
    """How visits ended of late."""

    days: int
    hospitals: tuple[HospitalEnds, ...]
    """Those whose ends are least often told first."""
    is_part: bool
    """Whether only the newest :data:`MOST` were counted."""


def visit_ends(store: Store) -> Ends:
    """Count the visits of the classes that a clock may end (``hospital.unended_hours``), of the last ``hospital.unended_shown_days``."""
    on = today(store)
    days = store.policy.fill(EndsPolicy, "hospital", on).unended_shown_days
    since = store.at - timedelta(days=days)
    classes = sorted(set(store.policy.fill(UnendedPolicy, "hospital", on).unended_hours) - set(inpatient_classes(store)))
    wanted = {"status": "finished", "class": classes, "_lastUpdated": f"ge{since.isoformat()}", "_sort": "-_lastUpdated"}
    by_word, by_rule = Counter[str](), Counter[str]()
    with store.wholly():  # an operator may count what they may not read
        seen = list(islice(matches_all(store, "Encounter", wanted), MOST + 1)) if classes else []
        for stored in seen[:MOST]:
            if stored.id.startswith(STAY):
                _count(stored.resource, since, by_word, by_rule)
        names = {code: str((hospital_on_file(store, code) or {}).get("name", "")) for code in {*by_word, *by_rule} if code}
    found = [HospitalEnds(code, names.get(code, ""), by_word[code], by_rule[code]) for code in {*by_word, *by_rule}]
    least_told = sorted(found, key=lambda one: (one.by_word / (one.by_word + one.by_rule), -one.by_rule, one.hospital))
    return Ends(days, tuple(least_told), len(seen) > MOST)


def _count(visit: Resource, since: datetime, by_word: Counter[str], by_rule: Counter[str]) -> None:
    closed, end = closed_when(visit), str(visit.get("period", {}).get("end", ""))
    if closed is not None:
        by_rule[hospital_of(visit)] += closed >= since
    elif len(end) > len("2026-01-01"):
        by_word[hospital_of(visit)] += datetime.fromisoformat(end) >= since
