"""The policy values that visits need."""

from dataclasses import dataclass
from datetime import date

from healthsvc.policy import Policy


@dataclass(frozen=True, slots=True)
class VisitPolicy:
    """Filled from ``policy/visit.toml``."""

    minutes: dict[str, int]
    skills: dict[str, list[str]]
    titles: dict[str, str]
    once_a_quarter: tuple[str, ...]
    resume_grace_days: int
    clock_ahead_minutes: int
    ranges: dict[str, list[float]]

    def length(self, kind: str) -> int:
        """Minutes that a kind of visit takes; the shortest known where the policy does not name the kind."""
        return self.minutes.get(kind) or min(self.minutes.values())

    def skills_of(self, kind: str) -> frozenset[str]:
        """Skills that a kind of visit asks for."""
        return frozenset(self.skills.get(kind, ()))

    def title(self, kind: str) -> str:
        """The name of a kind of visit."""
        return self.titles.get(kind, kind)


def in_force(policy: Policy, on: date) -> VisitPolicy:
    """The visit policy on a day."""
    return policy.fill(VisitPolicy, "visit", on)
