"""绿色通道 Who has which of the three priorities, by which reason, and for how long. Pure.

The priorities are those of the source text: 优先就诊, 优先结算, 优先取药 (seen, settled, dispensed first). This is never the other
meaning that hospitals give to 绿色通道, an emergency that is treated first and paid later.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from healthsvc.errors import RuleViolation
from healthsvc.healthfile.rules import age


class Right(StrEnum):
    """One of the three priorities."""

    CONSULTATION = "consultation"
    SETTLEMENT = "settlement"
    DISPENSING = "dispensing"


RIGHT_NAMES = {
    Right.CONSULTATION: ("优先就诊", "Priority consultation"),
    Right.SETTLEMENT: ("优先结算", "Priority settlement"),
    Right.DISPENSING: ("优先取药", "Priority dispensing"),
}


class Reason(StrEnum):
    """Why somebody is entitled; the order is the order of precedence when several hold."""

    LIXIU = "lixiu"
    VETERAN = "veteran"
    DISABILITY = "disability"
    AGE = "age"
    OTHER = "other"


REASON_NAMES = {
    Reason.LIXIU: ("离休干部", "Veteran cadre (lixiu)"),
    Reason.VETERAN: ("退役军人优待", "Veteran"),
    Reason.DISABILITY: ("残疾或失能", "Disability"),
    Reason.AGE: ("高龄", "Old age"),
    Reason.OTHER: ("单独批准", "Approved one by one"),
}


@dataclass(frozen=True, slots=True)
class GreenChannelPolicy:
    """The parameters ``greenchannel.*``: rights and years of validity per reason, and the age that counts as old."""

    lixiu_rights: tuple[str, ...]
    veteran_rights: tuple[str, ...]
    disability_rights: tuple[str, ...]
    age_rights: tuple[str, ...]
    age_years: int
    lixiu_valid_years: int
    other_valid_years: int
    renewal_notice_days: int
    disability_tags: tuple[str, ...]
    veteran_tags: tuple[str, ...]
    code_days: int
    review_months: int


@dataclass(frozen=True, slots=True)
class Cadre:
    """What the health file says of a person, as far as entitlement depends on it."""

    category: str | None
    """``lixiu``, ``tuixiu`` or None where the file does not say."""
    birth: date | None = None
    disabled: bool = False
    veteran: bool = False
    deceased: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The rights, the reasons (strongest first) and the days between which they hold, both included."""

    rights: frozenset[Right]
    reasons: tuple[Reason, ...]
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def entitled(self) -> bool:
        """Whether there is any right at all."""
        return bool(self.rights)

    @property
    def reason(self) -> Reason | None:
        """The strongest reason; None where there is none."""
        return self.reasons[0] if self.reasons else None


NOT_ENTITLED = Decision(frozenset(), ())


def decide(cadre: Cadre, on: date, policy: GreenChannelPolicy) -> Decision:
    """Decide what a person is entitled to from a day on: 离休 by category, 退休 by age, disability or veteran status.

    Only cadres have the channel (``category`` set), and nobody after death. Several reasons add up; the strongest gives the validity.
    """
    if cadre.deceased or cadre.category not in {"lixiu", "tuixiu"}:
        return NOT_ENTITLED
    holding = {
        Reason.LIXIU: cadre.category == "lixiu",
        Reason.VETERAN: cadre.veteran,
        Reason.DISABILITY: cadre.disabled,
        Reason.AGE: cadre.birth is not None and age(cadre.birth, on) >= policy.age_years,
    }
    granted = {
        Reason.LIXIU: policy.lixiu_rights,
        Reason.VETERAN: policy.veteran_rights,
        Reason.DISABILITY: policy.disability_rights,
        Reason.AGE: policy.age_rights,
    }
    reasons = tuple(reason for reason, holds in holding.items() if holds and granted[reason])
    if not reasons:
        return NOT_ENTITLED
    return grant([Right(right) for reason in reasons for right in granted[reason]], reasons, on, policy)


def grant(rights: Iterable[Right], reasons: tuple[Reason, ...], on: date, policy: GreenChannelPolicy) -> Decision:
    """Put rights and reasons into force from a day on, for as many years as the strongest reason allows."""
    chosen = frozenset(rights)
    if not chosen or not reasons:
        raise RuleViolation("a green channel needs at least one right and one reason", reason="greenchannel-empty")
    years = policy.lixiu_valid_years if Reason.LIXIU in reasons else policy.other_valid_years
    return Decision(chosen, reasons, on, years_later(on, years) - timedelta(days=1))


def in_force(decision: Decision, on: date) -> bool:
    """Whether the rights hold on a day (both ends included; no end: open)."""
    started = decision.valid_from is None or decision.valid_from <= on
    return decision.entitled and started and (decision.valid_to is None or on <= decision.valid_to)


def due_for_renewal(decision: Decision, on: date, policy: GreenChannelPolicy) -> bool:
    """Whether the end is so near (or past) that somebody should renew."""
    return decision.valid_to is not None and on >= decision.valid_to - timedelta(days=policy.renewal_notice_days)


class ReviewReason(StrEnum):
    """Why a channel should be looked at."""

    ENDED = "ended"
    ENDS_SOON = "ends-soon"
    NO_LONGER = "no-longer-entitled"
    """A rule gave it, and gives it no more."""
    APPROVED_LONG_AGO = "approved-long-ago"


def review(decision: Decision, by_hand: bool, cadre: Cadre, on: date, policy: GreenChannelPolicy) -> ReviewReason | None:
    """Whether somebody should look at a channel that was not withdrawn, and why; None: it is in order."""
    if decision.valid_to is not None and on > decision.valid_to:
        return ReviewReason.ENDED
    if not by_hand and not decision.rights <= decide(cadre, on, policy).rights:
        return ReviewReason.NO_LONGER
    if by_hand and decision.valid_from is not None and months_between(decision.valid_from, on) >= policy.review_months:
        return ReviewReason.APPROVED_LONG_AGO
    return ReviewReason.ENDS_SOON if due_for_renewal(decision, on, policy) else None


def months_between(first: date, last: date) -> int:
    """Whole months from one day to a later one."""
    return 12 * (last.year - first.year) + last.month - first.month - (last.day < first.day)


def years_later(on: date, years: int) -> date:
    """The same day some years later; 29 February becomes 1 March where there is none."""
    try:
        return on.replace(year=on.year + years)
    except ValueError:
        return date(on.year + years, 3, 1)


class Standing(StrEnum):
    """What the window is told: each is a different answer, because each wants something else done."""

    ENTITLED = "entitled"
    NOT_ENTITLED = "not-entitled"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    WITHDRAWN = "withdrawn"
    DECEASED = "deceased"
    UNKNOWN = "unknown-person"
    CODE_ENDED = "code-ended"
    """The QR code was replaced or has ended; the person may still be entitled."""


STANDING_NAMES = {
    Standing.ENTITLED: ("享有绿色通道", "Entitled"),
    Standing.NOT_ENTITLED: ("档案中无绿色通道", "On file, but without a green channel"),
    Standing.EXPIRED: ("绿色通道已到期,请联系社区卫生服务中心续期", "The entitlement has ended; ask the community centre to renew it"),
    Standing.NOT_YET: ("绿色通道尚未生效", "The entitlement has not begun"),
    Standing.WITHDRAWN: ("绿色通道已撤销", "The entitlement was withdrawn"),
    Standing.DECEASED: ("档案显示已故", "The file says that the person has died"),
    Standing.UNKNOWN: ("查无此人", "No file under this number"),
    Standing.CODE_ENDED: ("二维码已失效,请用证件查询或换领新码", "This code has ended; ask by a number, or have a new code made"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a hospital window: whether, which rights, the reason, until when."""

    standing: Standing
    rights: frozenset[Right] = frozenset()
    reason: Reason | None = None
    valid_to: date | None = None
    patient: str | None = None
    """Id of the person's file (after following merges); None where there is none."""

    @property
    def entitled(self) -> bool:
        """Whether the window should give priority now."""
        return self.standing is Standing.ENTITLED


def answer(patient: str | None, deceased: bool, decision: Decision | None, withdrawn: bool, on: date) -> Answer:
    """Say where a person stands on a day. ``decision`` is what the Flag holds; None where there is no Flag."""
    if patient is None:
        return Answer(Standing.UNKNOWN)
    if deceased:
        return Answer(Standing.DECEASED, patient=patient)
    if decision is None or not decision.entitled:
        return Answer(Standing.NOT_ENTITLED, patient=patient)
    if withdrawn:
        return Answer(Standing.WITHDRAWN, patient=patient)
    if decision.valid_from is not None and on < decision.valid_from:
        return Answer(Standing.NOT_YET, patient=patient)
    if not in_force(decision, on):
        return Answer(Standing.EXPIRED, reason=decision.reason, valid_to=decision.valid_to, patient=patient)
    return Answer(Standing.ENTITLED, decision.rights, decision.reason, decision.valid_to, patient)
