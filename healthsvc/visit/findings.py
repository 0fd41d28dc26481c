"""上门所见: what was measured and noticed at a visit, and which numbers a human being cannot have."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from healthsvc.errors import Invalid, Issue


class Mode(StrEnum):
    """How the visit was made (the modes of the national follow-up form and of the retired-cadre form)."""

    HOME = "home"
    PHONE = "phone"
    STATION = "station"
    CLINIC = "clinic"
    GROUP = "group"


class Adherence(StrEnum):
    """How the person takes the prescribed medicine: 1 规律 2 间断 3 不服药 4 拒绝."""

    REGULAR = "regular"
    INTERMITTENT = "intermittent"
    NONE = "none"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Pressure:
    """A blood pressure, mmHg."""

    systolic: int
    diastolic: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What one visit found. Everything but the two times may be absent: what was not measured is not invented."""

    start: datetime
    end: datetime
    bp_left: Pressure | None = None
    bp_right: Pressure | None = None
    pulse: int | None = None
    """Beats a minute."""
    respiration: int | None = None
    """Breaths a minute."""
    temperature: Decimal | None = None
    """Degrees Celsius."""
    weight: Decimal | None = None
    """Kilograms."""
    height: Decimal | None = None
    """Centimetres."""
    waist: Decimal | None = None
    """Centimetres."""
    glucose: Decimal | None = None
    """Blood glucose, mmol/L."""
    glucose_fasting: bool = True
    spo2: int | None = None
    """Oxygen saturation by pulse oximeter, percent."""
    mode: Mode = Mode.HOME
    complaints: str = ""
    advice: str = ""
    adherence: Adherence | None = None
    adverse_reaction: bool = False
    """A reaction to a medicine was seen or told."""
    complication: bool = False
    """A complication is new or has become worse."""
    danger_signs: tuple[str, ...] = ()
    """Codes of danger signs: consciousness, severe-headache, chest-pain, dyspnoea, visual-loss, vomiting ..."""
    late_reason: str | None = None
    """Why it was done after its window, where it was (a stable code)."""
    next_on: date | None = None
    """The day that was agreed for the next visit."""

    @property
    def empty(self) -> bool:
        """Whether nothing was found: no number, no word, no mark; when, how and why late is no finding."""
        bare = Findings(
            self.start, self.end, glucose_fasting=self.glucose_fasting, mode=self.mode, late_reason=self.late_reason, next_on=self.next_on
        )
        return self == bare


@dataclass(frozen=True, slots=True)
class Vital:
    """One number that a visit measures: its field, its LOINC code, its UCUM unit."""

    field: str
    loinc: str
    title: str
    display: str
    unit: str
    ucum: str


VITALS: Final = (
    Vital("pulse", "8867-4", "脉搏", "Heart rate", "/min", "/min"),
    Vital("respiration", "9279-1", "呼吸", "Respiratory rate", "/min", "/min"),
    Vital("temperature", "8310-5", "体温", "Body temperature", "°C", "Cel"),
    Vital("weight", "29463-7", "体重", "Body weight", "kg", "kg"),
    Vital("height", "8302-2", "身高", "Body height", "cm", "cm"),
    Vital("waist", "8280-0", "腰围", "Waist Circumference at umbilicus by Tape measure", "cm", "cm"),
    Vital("spo2", "2708-6", "血氧饱和度", "Oxygen saturation in Arterial blood", "%", "%"),
)
GLUCOSE: Final = Vital("glucose", "15074-8", "血糖", "Glucose [Moles/volume] in Blood", "mmol/L", "mmol/L")
FASTING_GLUCOSE: Final = Vital("glucose", "76629-5", "空腹血糖", "Fasting glucose [Moles/volume] in Blood", "mmol/L", "mmol/L")


@dataclass(frozen=True, slots=True)
class Range:
    """What a measurement can be at all, and outside of what it is worth a second look. Same unit as the measurement."""

    lowest: Decimal
    highest: Decimal
    low: Decimal
    high: Decimal


def ranges(table: dict[str, list[float]]) -> dict[str, Range]:
    """Read the policy table ``visit.ranges``: measurement = [lowest possible, highest possible, unusual below, unusual above]."""
    return {name: Range(*(Decimal(str(bound)) for bound in bounds)) for name, bounds in table.items()}


def measured(findings: Findings) -> dict[str, Decimal]:
    """All numbers of the findings by name; the arms' pressures as ``systolic_left`` and so on."""
    numbers: dict[str, Decimal] = {}
    for arm, pressure in (("left", findings.bp_left), ("right", findings.bp_right)):
        if pressure is not None:
            numbers[f"systolic_{arm}"] = Decimal(pressure.systolic)
            numbers[f"diastolic_{arm}"] = Decimal(pressure.diastolic)
    for vital in (*VITALS, GLUCOSE):
        value = getattr(findings, vital.field)
        if value is not None:
            numbers[vital.field] = Decimal(value)
    return numbers


def check_made(findings: Findings, at: datetime, ahead: timedelta) -> None:
    """What was found lies behind us: a visit cannot be completed before it has ended.

    ``ahead`` is how far the clock of a telephone may be fast.

    Raises:
        Invalid: the visit ends later than now (``findings-in-future``).
    """
    if findings.end.tzinfo is not None and findings.end > at + ahead:
        text = "the visit ends in the future; enter the time at which it really ended"
        raise Invalid(text, reason="findings-in-future", issues=[Issue(text, "value", "end")])


def check(findings: Findings, allowed: dict[str, Range]) -> tuple[Issue, ...]:
    """Look at every number: an impossible one refuses the whole visit, an unusual one comes back as a warning.

    Raises:
        Invalid: one issue for each impossible number, and for times or pressures that contradict each other.
    """
    wrong: list[Issue] = []
    odd: list[Issue] = []
    if findings.start.tzinfo is None or findings.end.tzinfo is None:
        wrong.append(Issue("the times of a visit need a time zone, for example 2026-01-05T08:00:00+08:00", "value", "start"))
    elif findings.end < findings.start:
        wrong.append(Issue("the visit ends before it starts; mend the two times", "value", "end"))
    for arm, pressure in (("left", findings.bp_left), ("right", findings.bp_right)):
        if pressure is not None and pressure.diastolic >= pressure.systolic:
            wrong.append(Issue(f"{arm} arm: the diastolic pressure is not below the systolic one", "value", f"bp_{arm}"))
    for name, value in measured(findings).items():
        bounds = allowed.get(name.partition("_")[0])
        if bounds is None:
            continue
        if not bounds.lowest <= value <= bounds.highest:
            wrong.append(
                Issue(f"{name} {value} is not possible ({bounds.lowest} to {bounds.highest}); check number and unit", "value", name)
            )
        elif not bounds.low <= value <= bounds.high:
            text = f"{name} {value} is unusual ({bounds.low} to {bounds.high} expected); measure again"
            odd.append(Issue(text, "value", name, "warning"))
    if wrong:
        raise Invalid("; ".join(issue.text for issue in wrong), reason="findings-impossible", issues=wrong)
    return tuple(odd)
