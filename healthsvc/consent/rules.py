"""单独同意 For which purposes a person is asked, what a word of theirs must say, and which word counts: pure rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from healthsvc.errors import Invalid, RuleViolation


class Purpose(StrEnum):
    """What a person is asked for, each apart (PIPL articles 14, 23 and 29)."""

    CARE = "care"
    HOSPITAL_SHARING = "hospital-sharing"
    EMERGENCY_SHARING = "emergency-sharing"
    COMMUNITY_WORKER = "community-worker"


class Form(StrEnum):
    """In which form the word was given."""

    WRITTEN = "written"
    DRAWN = "drawn"
    CERTIFIED = "certified"
    ORAL = "oral"


@dataclass(frozen=True, slots=True)
class ConsentPolicy:
    """The policy values of consent (consent.toml)."""

    needs_permit: tuple[str, ...]
    permit_forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a person on one purpose."""

    id: str
    patient: str
    purpose: Purpose
    permits: bool
    """True: given; False: refused or withdrawn."""
    at: datetime
    form: Form
    recipient: str | None = None
    """Id of the Organization that it is about; None: every one."""
    signer: str = "patient"
    """``patient``, or ``family`` or ``guardian`` with the relation."""
    relation: str = ""
    witness: str | None = None
    """Practitioner id of whoever explained it and heard or saw it."""
    until: date | None = None
    """Last day of a permit that ends by itself."""
    ended: datetime | None = None
    """When another word took its place."""

    @property
    def claim(self) -> str:
        """What only one word at a time may hold."""
        return f"consent:{self.patient}:{self.purpose}:{self.recipient or '*'}"


def check(word: Word, at: datetime, policy: ConsentPolicy) -> None:
    """Refuse a word that cannot be.

    Raises:
        Invalid: it is about a recipient where there is none, or lies ahead.
        RuleViolation: the form is not enough for a permit, or nobody stands for it.
    """
    if word.recipient is not None and word.purpose is not Purpose.HOSPITAL_SHARING:
        raise Invalid("only sharing with hospitals is about a recipient", path="Consent.provision.actor")
    if word.at > at:
        raise Invalid("a consent is dated when it was given, not ahead", path="Consent.dateTime")
    if word.signer != "patient" and not word.relation.strip():
        raise RuleViolation("say how the signer is related to the person", reason="consent-relation", path="Consent.extension")
    if word.permits and word.form not in policy.permit_forms:
        raise RuleViolation(
            f"a consent is given as {', '.join(policy.permit_forms)}; by word of mouth it can only be refused or withdrawn",
            reason="consent-form",
            path="Consent.extension",
        )
    if word.form is Form.ORAL and word.witness is None:
        raise RuleViolation(
            "a word of mouth needs the member of the staff who heard it", reason="consent-witness", path="Consent.performer"
        )
    if word.until is not None and word.until < word.at.date():
        raise Invalid("the consent would end before it begins", path="Consent.provision.period.end")


def counts(said: Iterable[bool]) -> bool | None:
    """What the words in force come to: one refusal forbids, whatever else permits; None: nobody was asked."""
    told = frozenset(said)
    return False if False in told else True if True in told else None
