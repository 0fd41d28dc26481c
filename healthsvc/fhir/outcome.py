"""Issues as OperationOutcome, the way FHIR says what went wrong."""

from collections.abc import Iterable
from typing import Any

from healthsvc.errors import Issue, Refusal
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system


def operation_outcome(issues: Iterable[Issue], *, reason: str | None = None) -> Resource:
    """An OperationOutcome of these issues; without any it says that all is well. ``reason`` is the stable reason code of a rule."""
    listed = [issue(one, reason) for one in issues]
    return {"resourceType": "OperationOutcome", "issue": listed or [all_well()]}


def of_refusal(refusal: Refusal) -> Resource:
    """The OperationOutcome of a refusal."""
    return operation_outcome(refusal.issues, reason=refusal.reason)


def issue(one: Issue, reason: str | None = None) -> dict[str, Any]:
    """One issue as FHIR."""
    made: dict[str, Any] = {"severity": one.severity, "code": one.code}
    details: dict[str, Any] = {"text": one.text}
    if reason:
        details["coding"] = [{"system": code_system("reason"), "code": reason}]
    made["details"] = details
    made["diagnostics"] = one.text
    if one.path:
        made["expression"] = [one.path]
    return made


def all_well() -> dict[str, Any]:
    """What to say where nothing is wrong."""
    return {"severity": "information", "code": "informational", "diagnostics": "没有问题 No issues detected"}
