"""双向转诊: the way of a referral as one table. 小病在社区,大病进医院,康复回社区."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation


class Stage(StrEnum):
    """How far a referral has come."""

    REQUESTED = "requested"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ADMITTED = "admitted"
    DISCHARGED = "discharged"
    TAKEN_BACK = "taken-back"
    FOLLOWED_UP = "followed-up"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What moves a referral on."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    ADMIT = "admit"
    DISCHARGE = "discharge"
    TAKE_BACK = "take-back"
    FOLLOW_UP = "follow-up"
    CLOSE = "close"
    WITHDRAW = "withdraw"
    CANCEL_ADMISSION = "cancel-admission"


TRANSITIONS: Final[dict[tuple[Stage, Act], Stage]] = {
    (Stage.REQUESTED, Act.ACCEPT): Stage.ACCEPTED,
    (Stage.REQUESTED, Act.REFUSE): Stage.REFUSED,
    (Stage.REQUESTED, Act.WITHDRAW): Stage.WITHDRAWN,
    (Stage.REQUESTED, Act.ADMIT): Stage.ADMITTED,
    (Stage.ACCEPTED, Act.ADMIT): Stage.ADMITTED,
    (Stage.ACCEPTED, Act.TAKE_BACK): Stage.TAKEN_BACK,
    (Stage.ACCEPTED, Act.WITHDRAW): Stage.WITHDRAWN,
    (Stage.ADMITTED, Act.DISCHARGE): Stage.DISCHARGED,
    (Stage.ADMITTED, Act.CANCEL_ADMISSION): Stage.ACCEPTED,
    (Stage.DISCHARGED, Act.ADMIT): Stage.ADMITTED,
    (Stage.DISCHARGED, Act.TAKE_BACK): Stage.TAKEN_BACK,
    (Stage.REQUESTED, Act.FOLLOW_UP): Stage.FOLLOWED_UP,
    (Stage.ACCEPTED, Act.FOLLOW_UP): Stage.FOLLOWED_UP,
    (Stage.DISCHARGED, Act.FOLLOW_UP): Stage.FOLLOWED_UP,
    (Stage.TAKEN_BACK, Act.FOLLOW_UP): Stage.FOLLOWED_UP,
    (Stage.FOLLOWED_UP, Act.FOLLOW_UP): Stage.FOLLOWED_UP,
    (Stage.FOLLOWED_UP, Act.ADMIT): Stage.ADMITTED,
    (Stage.REFUSED, Act.CLOSE): Stage.CLOSED,
    (Stage.FOLLOWED_UP, Act.CLOSE): Stage.CLOSED,
    **{(stage, Act.CLOSE): Stage.CLOSED for stage in (Stage.REQUESTED, Stage.ACCEPTED, Stage.ADMITTED, Stage.DISCHARGED, Stage.TAKEN_BACK)},
}
"""Closing is possible from everywhere, but asks for an outcome, and before the follow-up only for one of ``EARLY_OUTCOMES``."""

OVER: Final = frozenset({Stage.CLOSED, Stage.WITHDRAWN})


class Direction(StrEnum):
    """Up to the hospital, or down to the community."""

    UP = "up"
    DOWN = "down"


class Reason(StrEnum):
    """Why somebody is referred up (the reasons of the published referral rules and of deployed systems)."""

    CRITICAL = "critical"
    BEYOND_ABILITY = "beyond-ability"
    NEEDS_TEST = "needs-test"
    NOT_CONTROLLED_TWICE = "not-controlled-twice"
    ADVERSE_REACTION = "adverse-reaction"
    NEW_COMPLICATION = "new-complication"
    WORSE_COMPLICATION = "worse-complication"
    CONVALESCENCE = "convalescence"
    """Down: diagnosis clear, long care."""
    OWN_WISH = "own-wish"
    OTHER = "other"


class Outcome(StrEnum):
    """How a referral ended."""

    CURED = "cured"
    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    WORSE = "worse"
    DIED = "died"
    NOT_GONE = "not-gone"
    """The person did not go."""
    LOST = "lost"


EARLY_OUTCOMES: Final = frozenset({Outcome.DIED, Outcome.NOT_GONE, Outcome.LOST})
"""Outcomes that close a referral which has not been followed up."""


@dataclass(frozen=True, slots=True)
class Referral:
    """One referral of one person."""

    id: str
    person: str
    """Patient id."""
    reason: Reason
    hospital: str
    """``Organization/x``."""
    requester: str
    """``Practitioner/x`` who refers."""
    at: datetime
    urgent: bool = False
    direction: Direction = Direction.UP
    summary: str = ""
    """Illness, tests and results, in the doctor's words."""
    department: str = ""
    stage: Stage = Stage.REQUESTED
    stay: str | None = None
    """``Encounter/x``: the hospital stay that came of it."""
    outcome: Outcome | None = None
    remark: str = ""
    """Why it was refused, or what guidance came back."""
    since: datetime | None = None
    """When it came to this stage; None where the record does not say."""


@dataclass(frozen=True, slots=True)
class ReferralPolicy:
    """Filled from ``policy/referral.toml``. Days."""

    follow_up_days: int
    answer_days: int
    admission_days: int
    closing_days: int


class Late(StrEnum):
    """What is late about a referral."""

    NO_ANSWER = "no-answer"
    NOT_ADMITTED = "not-admitted"
    NOT_FOLLOWED_UP = "not-followed-up"
    NOT_CLOSED = "not-closed"


def late(referral: Referral, at: datetime, policy: ReferralPolicy) -> Late | None:
    """What is late about a referral at a moment; computed wherever it is asked, stored nowhere.

    An urgent referral and a discharge are followed up within two weeks (handbook 2.4, 2.9); the other limits are the site's.
    """
    if referral.stage in OVER or referral.stage is Stage.ADMITTED:
        return None
    waited = (at - (referral.since or referral.at)).days
    if referral.stage in (Stage.DISCHARGED, Stage.TAKEN_BACK) and waited > policy.follow_up_days:
        return Late.NOT_FOLLOWED_UP
    before = referral.stage in (Stage.REQUESTED, Stage.ACCEPTED)
    if before and referral.urgent and (at - referral.at).days > policy.follow_up_days:
        return Late.NOT_FOLLOWED_UP
    if referral.stage is Stage.REQUESTED and waited > policy.answer_days:
        return Late.NO_ANSWER
    if referral.stage is Stage.ACCEPTED and waited > policy.admission_days:
        return Late.NOT_ADMITTED
    if referral.stage in (Stage.FOLLOWED_UP, Stage.REFUSED) and waited > policy.closing_days:
        return Late.NOT_CLOSED
    return None


def step(stage: Stage, act: Act) -> Stage:
    """Move a referral on; refuses with ``referral-transition``."""
    try:
        return TRANSITIONS[stage, act]
    except KeyError:
        raise RuleViolation(f"cannot {act} a referral that is {stage}", reason="referral-transition") from None


def check_step(old: Stage | None, new: Stage) -> None:
    """Refuse a change of stage that no act makes."""
    if old is new:
        return
    if old is None:
        if new is not Stage.REQUESTED:
            raise RuleViolation("a referral begins as requested", reason="referral-transition", path="Task.businessStatus")
        return
    if new not in {after for (before, _), after in TRANSITIONS.items() if before is old}:
        raise RuleViolation(f"a referral that is {old} cannot become {new}", reason="referral-transition", path="Task.businessStatus")


def check_closing(before: Stage, outcome: Outcome | None) -> None:
    """Refuse closing without an outcome, or before the follow-up unless the outcome explains it."""
    if outcome is None:
        raise RuleViolation("a referral is closed with an outcome", reason="referral-outcome", path="Task.output")
    if before not in (Stage.FOLLOWED_UP, Stage.REFUSED) and outcome not in EARLY_OUTCOMES:
        raise RuleViolation(
            "a referral is followed up before it is closed; complete the follow-up visit first", reason="referral-not-followed-up"
        )
