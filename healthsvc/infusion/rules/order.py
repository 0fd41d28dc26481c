"""What the gates look at: the order, and the evidence that somebody has brought for it. Missing evidence is None, never a guess."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from healthsvc.infusion.rules.drugs import Substance


@dataclass(frozen=True, slots=True)
class Order:
    """One course of infusions as a doctor ordered it. Volumes in mL, rates in mL/h."""

    patient: str
    prescriber: str | None
    """Practitioner id of the doctor who ordered."""
    drug_code: str
    drug_name: str
    dose: str
    """The dose as written, for example ``2.0 g``."""
    solvent: str
    volume_ml: int
    rate_ml_h: int
    start: date
    days: int
    times_a_day: int = 1
    indication: str = ""
    """Why the drug is needed, and why it cannot be taken by mouth."""
    batch: str | None = None
    """Batch number of the packages set aside for the course."""
    authored: date | None = None


class CareKind(StrEnum):
    """What makes the person one of ours."""

    HOME_BED = "home-bed"
    CONTRACT = "contract"


@dataclass(frozen=True, slots=True)
class Care:
    """An active home bed or signed contract, with the days between which it holds."""

    kind: CareKind
    id: str
    start: date
    end: date | None = None


@dataclass(frozen=True, slots=True)
class Licence:
    """A doctor's or nurse's standing: the role, since when in clinical work, title, and until when the registration holds."""

    person: str
    role: str
    """``doctor`` or ``nurse``."""
    clinical_since: date | None
    valid_to: date | None
    title: str = ""
    """``nurse``, ``senior-nurse`` (护师), ``charge-nurse`` (主管护师), ...; empty for doctors."""
    may_infuse: bool = False
    may_order: bool = False
    """Whether the centre allows this doctor to order infusions at home."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A named doctor's written approval of a restricted drug."""

    doctor: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class FirstDose:
    """Proof that the drug was given in a medical institution without a reaction."""

    on: date
    institution: str
    drug_code: str
    batch: str | None = None
    reaction: bool = False


@dataclass(frozen=True, slots=True)
class SkinTest:
    """A skin test: when, with which batch, and what came of it."""

    at: datetime
    drug_code: str
    batch: str
    negative: bool
    carried_to: datetime | None = None
    """Start of the latest dose of this course and batch that was given without a reaction: the test holds on from there."""


@dataclass(frozen=True, slots=True)
class Consent:
    """The signed consent to this course."""

    id: str
    signed: date
    withdrawn: date | None = None
    kind: str = "infusion"
    risks_told: bool = True
    """Whether the risks and limits of an infusion at home were told before it was signed."""


@dataclass(frozen=True, slots=True)
class Companion:
    """The adult who stays: confirmed for the day by whom."""

    name_known: bool
    adult: bool
    confirmed_by: str
    on: date


@dataclass(frozen=True, slots=True)
class DoubleCheck:
    """Two people have checked order, drug and person, each for themselves."""

    first: str
    second: str
    at: datetime
    signed: bool = False
    """Whether each of the two has signed from an account of their own (else: as one of them says)."""


@dataclass(frozen=True, slots=True)
class RescueKit:
    """The rescue kit, as checked."""

    on: date
    checked_by: str
    items: frozenset[str]
    expires: date | None = None
    """The earliest expiry date of what lies in it; None: nobody has read the dates."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The time set aside for one dose: start and minutes."""

    start: datetime
    minutes: int


@dataclass(frozen=True, slots=True)
class Override:
    """A named doctor lets a gate pass that did not open by itself, and says why."""

    gate: str
    doctor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known for one order on one day. None (or an empty tuple) means: nobody has brought it."""

    on: date
    at: datetime
    """The moment of asking, in the site's zone."""
    care: tuple[Care, ...] = ()
    prescriber: Licence | None = None
    approval: Approval | None = None
    first_dose: FirstDose | None = None
    skin_test: SkinTest | None = None
    allergies: tuple[Substance, ...] | None = None
    """None: nobody has asked. Empty: asked, and no allergy known."""
    consent: Consent | None = None
    companion: Companion | None = None
    double_check: DoubleCheck | None = None
    nurse: Licence | None = None
    kit: RescueKit | None = None
    slot: Slot | None = None
    overrides: tuple[Override, ...] = field(default=())
