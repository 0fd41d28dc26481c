"""应急信息表 Who may see the emergency sheet of a person, how much of it, and on which ground: pure rules.

The sheet is health data, given for one purpose (PIPL articles 28 and 29): by consent (单独同意), or because a life may be at risk
(article 13). Either way the ground is written into the audit with the purpose.
"""

from dataclasses import dataclass
from enum import StrEnum

from healthsvc.errors import RuleViolation

CONSENT = "emergency-sharing"
"""Kind of the consent to share the sheet with whoever answers an alarm."""


class Ground(StrEnum):
    """On which ground the sheet is shown."""

    CARE = "care"
    """Whoever asks looks after the person anyway."""
    CONSENT = "consent"
    ALARM = "alarm"
    """An alarm of the person is open; nobody waits for a signature."""


class Extent(StrEnum):
    """How much of the sheet is shown."""

    WHOLE = "whole"
    REACHING = "reaching"
    """Name, address, telephones, contacts: what it takes to get there, and nothing of the person's health."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A decision to show the sheet."""

    ground: Ground
    extent: Extent


def disclose(purpose: str, purposes: tuple[str, ...], *, cares: bool, consent: bool | None, alarm: bool) -> Shown:
    """Decide whether the sheet is shown.

    Args:
        purpose: why somebody asks; ``purposes`` are those that the policy allows.
        cares: whether they may read the person's file anyway.
        consent: whether the person agreed to sharing in emergencies; None: never asked; False: agreed and withdrew.
        alarm: whether an alarm of the person is open.

    Raises:
        RuleViolation: no such purpose, or neither consent nor an open alarm.
    """
    if purpose not in purposes:
        raise RuleViolation(
            f"say for which purpose the emergency sheet is opened: {', '.join(purposes)}", reason="emergency-purpose", path="purpose"
        )
    if cares:
        return Shown(Ground.CARE, Extent.WHOLE)
    if consent:
        return Shown(Ground.CONSENT, Extent.WHOLE)
    if alarm and purpose == "alarm":
        return Shown(Ground.ALARM, Extent.REACHING if consent is False else Extent.WHOLE)
    raise RuleViolation(
        "the person has not agreed to share the emergency sheet, and no alarm is open; ask the community doctor",
        reason="emergency-no-consent",
        path="patient",
    )
