"""高血压、2型糖尿病随访: which class a result falls into and what follows from it (handbook 2.4).

The product schedules and checks, it does not diagnose: every decision names its rule, the version, the values it was given and the
parameters it used, so that it can be made again from the record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

RULE_VERSION: Final = "1"


class Disease(StrEnum):
    """The two diseases that the national rules follow up."""

    HYPERTENSION = "hypertension"
    DIABETES = "diabetes"


class Result(StrEnum):
    """随访分类: 1 控制满意 2 控制不满意 3 不良反应 4 并发症; emergencies stand before all."""

    CONTROLLED = "controlled"
    NOT_CONTROLLED = "not-controlled"
    ADVERSE_REACTION = "adverse-reaction"
    COMPLICATION = "complication"
    EMERGENCY = "emergency"
    NOT_MEASURED = "not-measured"
    SUSPECTED = "suspected"
    """Too high in somebody of whom the disease is not known: to be measured again (screening)."""


class Next(StrEnum):
    """What follows."""

    NEXT_QUARTER = "next-quarter"
    REVIEW = "review"
    """Adjust the medicine, see the person again within two weeks."""
    REFER = "refer"
    """Refer up, and follow up on the referral within two weeks."""
    REFER_URGENTLY = "refer-urgently"
    MEASURE = "measure"
    """The number that decides was not taken."""


@dataclass(frozen=True, slots=True)
class FollowUpPolicy:
    """Filled from ``policy/checkup.toml``."""

    review_days: int
    emergency_systolic: int
    emergency_diastolic: int
    target_systolic: int
    target_diastolic: int
    target_systolic_old: int
    target_diastolic_old: int
    old_age: int
    fasting_target: float
    fasting_low: float
    random_target: float
    emergency_glucose_high: float
    emergency_glucose_low: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What one visit found of a disease. Pressures in mmHg (the higher arm), glucose in mmol/L, age in years."""

    age: int
    systolic: int | None = None
    diastolic: int | None = None
    glucose: Decimal | None = None
    fasting: bool = True
    adverse_reaction: bool = False
    complication: bool = False
    danger_signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A decision: the class, what follows, until when, and why."""

    disease: Disease
    result: Result
    next: Next
    within_days: int | None
    """Days within which the person is to be seen again; None: at the next quarterly visit."""
    reasons: tuple[str, ...]
    rule: str
    """``hypertension/1``: rule and version."""


def classify(disease: Disease, reading: Reading, policy: FollowUpPolicy) -> tuple[Result, tuple[str, ...]]:
    """The class of one result, with its reasons."""
    dangers = [f"danger-sign:{sign}" for sign in reading.danger_signs] + _emergencies(disease, reading, policy)
    if dangers:
        return Result.EMERGENCY, tuple(dangers)
    if reading.complication:
        return Result.COMPLICATION, ("complication",)
    if reading.adverse_reaction:
        return Result.ADVERSE_REACTION, ("adverse-reaction",)
    missed = _missed_targets(disease, reading, policy)
    if missed is None:
        return Result.NOT_MEASURED, ("not-measured",)
    return (Result.NOT_CONTROLLED, tuple(missed)) if missed else (Result.CONTROLLED, ())


def decide(disease: Disease, reading: Reading, previous: Result | None, policy: FollowUpPolicy, *, known: bool = True) -> FollowUp:
    """Say what follows from a result, given the class of the visit before (of those at which it was measured).

    An emergency is referred at once; a complication, and a second bad result or reaction in a row, is referred; a first one is
    reviewed; all of these are seen again within two weeks. A controlled one waits for the next quarter.
    Where the file does not know the disease (``known`` false), a high value is measured again within two weeks (screening).
    """
    result, reasons = classify(disease, reading, policy)
    if not known and result is not Result.EMERGENCY:
        result, reasons = screen(disease, reading, policy)
    rule = f"{disease}/{RULE_VERSION}"
    again = previous in (Result.NOT_CONTROLLED, Result.ADVERSE_REACTION)
    if result is Result.EMERGENCY:
        return FollowUp(disease, result, Next.REFER_URGENTLY, policy.review_days, reasons, rule)
    if result is Result.COMPLICATION:
        return FollowUp(disease, result, Next.REFER, policy.review_days, reasons, rule)
    if result in (Result.NOT_CONTROLLED, Result.ADVERSE_REACTION):
        if again:
            return FollowUp(disease, result, Next.REFER, policy.review_days, (*reasons, "second-in-a-row"), rule)
        return FollowUp(disease, result, Next.REVIEW, policy.review_days, reasons, rule)
    if result in (Result.NOT_MEASURED, Result.SUSPECTED):
        return FollowUp(disease, result, Next.MEASURE, policy.review_days, reasons, rule)
    return FollowUp(disease, result, Next.NEXT_QUARTER, None, reasons, rule)


RULES: Final = {"1": decide}
"""Rule version -> the rule. A version that has decided something stays here, so that its decisions can be made again."""


def screen(disease: Disease, reading: Reading, policy: FollowUpPolicy) -> tuple[Result, tuple[str, ...]]:
    """Whether somebody of whom the disease is not known may have it: a pressure or fasting glucose at or above what defines it."""
    if disease is Disease.HYPERTENSION:
        found = [f"systolic>={policy.target_systolic}"] if (reading.systolic or 0) >= policy.target_systolic else []
        found += [f"diastolic>={policy.target_diastolic}"] if (reading.diastolic or 0) >= policy.target_diastolic else []
    else:
        high = reading.glucose is not None and reading.fasting and reading.glucose >= Decimal(str(policy.fasting_target))
        found = [f"glucose>={policy.fasting_target}"] if high else []
    return (Result.SUSPECTED, (*found, "not-known-before")) if found else (Result.CONTROLLED, ())


def grade(systolic: int | None, diastolic: int | None, bands: Sequence[Sequence[int]]) -> int:
    """血压分级: 0 normal, then the number of the highest band whose systolic or diastolic bound is reached (policy ``checkup.grades``)."""
    reached = [number for number, (high, low) in enumerate(bands, 1) if (systolic or 0) >= high or (diastolic or 0) >= low]
    return max(reached, default=0)


def is_needed(decision: FollowUp, on: date, planned: tuple[date, ...]) -> bool:
    """Whether an extra visit is to be asked for: not where one is already due in the days that the decision gives."""
    if decision.within_days is None:
        return False
    last = on + timedelta(days=decision.within_days)
    return not any(on < day <= last for day in planned)


def pressure_target(age: int, policy: FollowUpPolicy) -> tuple[int, int]:
    """Below which pressure somebody of that age counts as controlled."""
    if age >= policy.old_age:
        return policy.target_systolic_old, policy.target_diastolic_old
    return policy.target_systolic, policy.target_diastolic


def _emergencies(disease: Disease, reading: Reading, policy: FollowUpPolicy) -> list[str]:
    found = []
    if reading.systolic is not None and reading.systolic >= policy.emergency_systolic:
        found.append(f"systolic>={policy.emergency_systolic}")
    if reading.diastolic is not None and reading.diastolic >= policy.emergency_diastolic:
        found.append(f"diastolic>={policy.emergency_diastolic}")
    if disease is Disease.DIABETES and reading.glucose is not None:
        if reading.glucose >= Decimal(str(policy.emergency_glucose_high)):
            found.append(f"glucose>={policy.emergency_glucose_high}")
        if reading.glucose <= Decimal(str(policy.emergency_glucose_low)):
            found.append(f"glucose<={policy.emergency_glucose_low}")
    return found


def _missed_targets(disease: Disease, reading: Reading, policy: FollowUpPolicy) -> list[str] | None:
    """Which targets were missed; None where the deciding number was not measured."""
    if disease is Disease.HYPERTENSION:
        if reading.systolic is None or reading.diastolic is None:
            return None
        systolic, diastolic = pressure_target(reading.age, policy)
        missed = [f"systolic>={systolic}"] if reading.systolic >= systolic else []
        return missed + ([f"diastolic>={diastolic}"] if reading.diastolic >= diastolic else [])
    if reading.glucose is None:
        return None
    target = policy.fasting_target if reading.fasting else policy.random_target
    missed = [f"glucose>={target}"] if reading.glucose >= Decimal(str(target)) else []
    if reading.fasting and reading.glucose < Decimal(str(policy.fasting_low)):
        missed.append(f"glucose<{policy.fasting_low}")
    return missed
