"""家庭医生签约: the life of a contract as one table, its term, its signatures, its promises."""

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation


class State(StrEnum):
    """Where a contract stands."""

    DRAFT = "draft"
    PENDING_SIGNATURE = "pending_signature"
    ACTIVE = "active"
    RENEWED = "renewed"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    TRANSFERRED = "transferred"


class Act(StrEnum):
    """What can be done with a contract."""

    OFFER = "offer"
    SIGN = "sign"
    RENEW = "renew"
    EXPIRE = "expire"
    TERMINATE = "terminate"
    TRANSFER = "transfer"


TRANSITIONS: Final[dict[tuple[State, Act], State]] = {
    (State.DRAFT, Act.OFFER): State.PENDING_SIGNATURE,
    (State.DRAFT, Act.SIGN): State.ACTIVE,
    (State.DRAFT, Act.TERMINATE): State.TERMINATED,
    (State.PENDING_SIGNATURE, Act.SIGN): State.ACTIVE,
    (State.PENDING_SIGNATURE, Act.TERMINATE): State.TERMINATED,
    (State.ACTIVE, Act.RENEW): State.RENEWED,
    (State.ACTIVE, Act.EXPIRE): State.EXPIRED,
    (State.ACTIVE, Act.TERMINATE): State.TERMINATED,
    (State.ACTIVE, Act.TRANSFER): State.TRANSFERRED,
}
FIRST: Final = frozenset({State.DRAFT, State.PENDING_SIGNATURE, State.ACTIVE})
"""How a contract may begin (one that was signed on paper is active at once)."""
OVER: Final = frozenset({State.RENEWED, State.EXPIRED, State.TERMINATED, State.TRANSFERRED})


class EndReason(StrEnum):
    """Why a contract ended early (the reasons of deployed systems: 失访 迁出 死亡 本人要求 改签 其他 ...)."""

    DECEASED = "deceased"
    MOVED_AWAY = "moved-away"
    OWN_WISH = "own-wish"
    CHANGED_TEAM = "changed-team"
    LOST = "lost"
    UNREACHABLE_A_YEAR = "unreachable-a-year"
    REFUSED_A_YEAR = "refused-a-year"
    MERGED = "merged"
    OTHER = "other"


class Side(StrEnum):
    """Who signs: the person, somebody for the person, the doctor."""

    RESIDENT = "resident"
    PROXY = "proxy"
    DOCTOR = "doctor"


class SignatureKind(StrEnum):
    """How it was signed, stated honestly: an image that was drawn is not a reliable electronic signature, a certified one is."""

    DRAWN = "drawn"
    WET_SCAN = "wet-scan"
    CERTIFIED = "certified"
    CARRIED_OVER = "carried-over"
    """Renewed by itself, as the contract before it says; nobody has signed again."""


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature."""

    side: Side
    kind: SignatureKind
    at: datetime
    name: str = ""
    """Who signed for the person (a proxy); the person's and the doctor's names stand in their own files."""
    relation: str = ""
    """The proxy's relation to the person."""
    data: bytes = b""
    """What was drawn (SVG), or the proof of a certified signature."""
    format: str = ""
    """Media type of ``data``: ``image/svg+xml``, ``application/jose`` ..."""


@dataclass(frozen=True, slots=True)
class Promise:
    """So many times of one service in the term."""

    service: str
    """Code of CodeSystem visit-kind."""
    times: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A family-doctor contract."""

    id: str
    person: str
    """Patient id."""
    doctor: str
    """``Practitioner/x``."""
    nurse: str | None
    start: date
    end: date
    """Last day of the term."""
    state: State = State.DRAFT
    centre: str | None = None
    """``Organization/x``."""
    number: str = ""
    package: str = "basic"
    promises: tuple[Promise, ...] = ()
    signatures: tuple[Signed, ...] = ()
    predecessor: str | None = None
    """``Contract/x`` that this one renews or takes over."""
    end_reason: EndReason | None = None
    ended: date | None = None
    """The day on which it ended, where that was before its term."""


@dataclass(frozen=True, slots=True)
class ContractPolicy:
    """Filled from ``policy/contract.toml``."""

    least_months: int
    doctor_capacity: int
    pair_capacity: int
    notice_days: int
    start_ahead_days: int
    automatic_renewal: bool
    packages: dict[str, dict[str, int]]


def step(state: State, act: Act) -> State:
    """Take one step in a contract's life; refuses with ``contract-transition``."""
    try:
        return TRANSITIONS[state, act]
    except KeyError:
        raise RuleViolation(f"cannot {act} a contract that is {state}", reason="contract-transition", path="Contract.status") from None


def check_step(old: State | None, new: State) -> None:
    """Refuse a change of state that no act makes (``old`` None: the contract is new)."""
    if old is new:
        return
    if old is None and new not in FIRST:
        raise RuleViolation(f"a contract cannot begin as {new}", reason="contract-transition", path="Contract.status")
    if old is not None and new not in {after for (before, _), after in TRANSITIONS.items() if before is old}:
        raise RuleViolation(f"a contract that is {old} cannot become {new}", reason="contract-transition", path="Contract.status")


def term_end(start: date, months: int) -> date:
    """Last day of a term of so many months: the day before the same day of the month (2026-11-22 + 12 -> 2027-11-21).

    Raises:
        RuleViolation: the calendar ends before the term does.
    """
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    if not MINYEAR <= year <= MAXYEAR:
        raise RuleViolation(
            "the term ends beyond the calendar; check its first day and its months", reason="contract-start-far", path="start"
        )
    days = monthrange(year, month)[1]
    return date(year, month, start.day) - timedelta(days=1) if start.day <= days else date(year, month, days)


def check_active(agreement: Agreement, policy: ContractPolicy) -> None:
    """Refuse a contract that may not be in force: a term that is too short, or a side that has not signed."""
    shortest = term_end(agreement.start, policy.least_months)
    if agreement.end < shortest:
        raise RuleViolation(
            f"a contract runs for at least {policy.least_months} months; set applies.end to {shortest} or later",
            reason="contract-term",
            path="Contract.applies",
        )
    sides = {one.side for one in agreement.signatures}
    if not sides & {Side.RESIDENT, Side.PROXY} or Side.DOCTOR not in sides:
        raise RuleViolation(
            "a contract is in force when both sides have signed it; add the missing signer",
            reason="contract-not-signed",
            path="Contract.signer",
        )
    for one in agreement.signatures:
        check_signature(one)
        if one.kind is SignatureKind.CARRIED_OVER and not (agreement.predecessor and policy.automatic_renewal):
            raise RuleViolation(
                "a signature is carried over only where contracts renew by themselves (policy contract.automatic_renewal)",
                reason="contract-carried-over",
                path="Contract.signer.signature",
            )


def check_signature(signed: Signed) -> None:
    """Refuse a signature that does not say what its kind and side ask for."""
    if signed.side is Side.PROXY and not (signed.name and signed.relation):
        raise RuleViolation("somebody who signs for the person gives name and relation", reason="contract-proxy", path="Contract.signer")
    if signed.kind is SignatureKind.CERTIFIED and not (signed.data and signed.format):
        raise RuleViolation(
            "a certified signature carries its proof: Signature.data and sigFormat; without it say drawn or wet-scan",
            reason="contract-certified-proof",
            path="Contract.signer.signature",
        )


def check_own_hand(signed: Signed, doctor: str, actor: str) -> None:
    """Refuse a member of the staff who draws the doctor's signature without being that doctor (``actor``: who is signed in)."""
    drawn = signed.side is Side.DOCTOR and signed.kind is SignatureKind.DRAWN
    if drawn and actor.startswith("Practitioner/") and actor != doctor:
        raise RuleViolation(
            "only the doctor of the contract draws the doctor's signature; let them sign in, or record what was signed on paper",
            reason="contract-other-hand",
            path="Contract.signer",
        )


def check_start(start: date, on: date, policy: ContractPolicy) -> None:
    """Refuse a contract that begins so late that it would only keep another one from being signed."""
    if (start - on).days > policy.start_ahead_days:
        raise RuleViolation(
            f"a contract begins within {policy.start_ahead_days} days of signing; sign it nearer to its first day",
            reason="contract-start-far",
            path="Contract.applies.start",
        )


def end_early(agreement: Agreement, act: Act, on: date, reason: EndReason | None) -> Agreement:
    """End a contract before its term, on a day of its term or before it began."""
    return replace(agreement, state=step(agreement.state, act), end_reason=reason, ended=min(max(on, agreement.start), agreement.end))
