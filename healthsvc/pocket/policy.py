"""The policy values of what is carried on the phone."""

from dataclasses import dataclass
from datetime import timedelta

from healthsvc.healthfile.service import today
from healthsvc.store import Store


@dataclass(frozen=True, slots=True)
class PocketPolicy:
    """Filled from ``policy/pocket.toml``."""

    days: int
    most_visits: int
    keep_hours: int
    idle_hours: int
    lock_minutes: int
    code_length: int
    code_tries: int
    clock_minutes: int
    batch: int
    retry_seconds: int

    @property
    def tolerance(self) -> timedelta:
        """How far the telephone's clock may drift on the way."""
        return timedelta(minutes=self.clock_minutes)


def policy_of(store: Store) -> PocketPolicy:
    """The values in force today."""
    return store.policy.fill(PocketPolicy, "pocket", today(store))
