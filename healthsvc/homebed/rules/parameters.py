"""The policy parameters ``homebed.*`` that the rules need."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HomeBedPolicy:
    """The parameters ``homebed.*``."""

    criteria: tuple[str, ...]
    exclusions: tuple[str, ...]
    self_care_from: int
    establish_roles: tuple[str, ...]
    doctor_years: int
    assessment_valid_days: int
    max_days: int
    reapply_notice_days: int
    first_round_hours: int
    round_days: int
    round_days_stable: int
    round_days_infusing: int
    round_early_days: int
    round_opens: str
    round_closes: str
    round_minutes: int
    review_days: int
    agreement_copies: int
    agreement_holders: tuple[str, ...]
    record_hours: int
    agreement_clauses: tuple[str, ...]
    outcomes: tuple[str, ...]
    discharge_reasons: tuple[str, ...]
