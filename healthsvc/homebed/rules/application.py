"""建床申请: who asks for a bed at home and why, and how far the application has come."""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.refusal import Finding


class Stage(StrEnum):
    """申请, 已提交, 退回, 已登记; and taken back by whoever applied."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    REGISTERED = "registered"
    WITHDRAWN = "withdrawn"


STAGE_NAMES: Final = {
    Stage.DRAFT: "申请",
    Stage.SUBMITTED: "已提交",
    Stage.RETURNED: "退回",
    Stage.REGISTERED: "已登记",
    Stage.WITHDRAWN: "已撤回",
}
TRANSITIONS: Final = {
    (None, Stage.DRAFT),
    (None, Stage.SUBMITTED),
    (Stage.DRAFT, Stage.SUBMITTED),
    (Stage.DRAFT, Stage.WITHDRAWN),
    (Stage.SUBMITTED, Stage.RETURNED),
    (Stage.SUBMITTED, Stage.REGISTERED),
    (Stage.SUBMITTED, Stage.WITHDRAWN),
    (Stage.RETURNED, Stage.SUBMITTED),
    (Stage.RETURNED, Stage.WITHDRAWN),
}
WAITING: Final = frozenset({Stage.DRAFT, Stage.SUBMITTED, Stage.RETURNED})


class Origin(StrEnum):
    """Where the person comes from: 门诊, 住院, 社区."""

    OUTPATIENT = "outpatient"
    INPATIENT = "inpatient"
    COMMUNITY = "community"


ORIGIN_NAMES: Final = {Origin.OUTPATIENT: "门诊", Origin.INPATIENT: "住院", Origin.COMMUNITY: "社区"}


@dataclass(frozen=True, slots=True)
class Application:
    """One application for a bed."""

    id: str
    patient: str
    on: date
    contact: str = ""
    relation: str = ""
    phone: str = ""
    origin: Origin = Origin.COMMUNITY
    diagnosis: Diagnosis | None = None
    summary: str = ""
    """The illness in short."""
    opinion: str = ""
    """收治指征和建床意见, as far as the doctor who applies gives it."""
    doctor: str | None = None
    """Practitioner id of the doctor who applies; None: the family does."""
    stage: Stage = Stage.SUBMITTED
    remark: str = ""
    """Why it was returned or withdrawn."""
    bed: str | None = None


def check_stage(old: Stage | None, new: Stage) -> None:
    """Refuse a change of stage that the table does not have."""
    if old is not new and (old, new) not in TRANSITIONS:
        raise RuleViolation(
            f"an application that is {old or 'new'} cannot become {new}", reason="homebed-application-transition", path="Task.status"
        )


def complete(application: Application) -> tuple[Finding, ...]:
    """What an application lacks before it can be submitted."""
    found = [
        (not application.contact.strip(), "homebed-application-contact", "name whom to call about the bed"),
        (not application.phone.strip(), "homebed-application-phone", "give the contact's telephone number"),
        (not application.summary.strip(), "homebed-application-summary", "say in a few words what the illness is"),
        (
            application.doctor is not None and application.diagnosis is None,
            "homebed-application-diagnosis",
            "a doctor who applies gives the diagnosis",
        ),
    ]
    return tuple((code, text) for holds, code, text in found if holds)


def move(application: Application, to: Stage, remark: str = "") -> Application:
    """Bring an application to another stage; returning it needs a reason."""
    check_stage(application.stage, to)
    if to is Stage.RETURNED and not remark.strip():
        raise RuleViolation(
            "say what is missing, so that it can be sent again", reason="homebed-application-remark", path="Task.statusReason"
        )
    return replace(application, stage=to, remark=remark.strip())
