"""起草 a contract is drafted from the person's file; what cannot be is said beside the form, with what was typed."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreWriting
from healthsvc.contract import service
from healthsvc.errors import Invalid, Refusal
from healthsvc.healthfile.service import follow
from healthsvc.store import Store
from healthsvc.web.person import show_file
from healthsvc.web.render import SignedPage

router = APIRouter()
_FIELDS: Final = {
    "contract-doctor-missing": "doctor", "contract-staff-role": "doctor", "contract-capacity": "doctor",
    "contract-pair-capacity": "nurse", "contract-first-day": "start", "contract-start-far": "start", "contract-package": "package",
}  # fmt: skip
"""Beside which field a refusal is said; the others are said above the form."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, as it was typed."""

    doctor: str
    nurse: str
    start: str
    package: str
    months: str


def asked(
    doctor: Annotated[str, Form(max_length=80)] = "",
    nurse: Annotated[str, Form(max_length=80)] = "",
    start: Annotated[str, Form(max_length=40)] = "",
    package: Annotated[str, Form(max_length=40)] = "basic",
    months: Annotated[str, Form(max_length=4)] = "",
) -> Asked:
    """The fields of the form."""
    return Asked(doctor, nurse, start.strip(), package, months)


@router.post("/people/{id}/contract")
def draft(id: str, page: SignedPage, store: StoreWriting, typed: Annotated[Asked, Depends(asked)]) -> Response:
    """Draft a contract and go on to sign it."""
    try:
        with store.savepoint():
            drafted = _drafted(store, id, typed)
    except Refusal as refusal:
        file, wrong = follow(store, id), _FIELDS.get(refusal.reason or "", "")
        return show_file(page, store, file, status=refusal.status, draft=typed, refused=page.told(refusal), wrong=wrong)
    return RedirectResponse(f"/contracts/{drafted}", status_code=303)


def _drafted(store: Store, id: str, typed: Asked) -> str:
    if not typed.doctor:
        raise Invalid("choose the doctor who signs", path="doctor", reason="contract-doctor-missing")
    try:
        start = date.fromisoformat(typed.start)
    except ValueError:
        raise Invalid("the first day is a day of the calendar, written 2026-01-31", path="start", reason="contract-first-day") from None
    if typed.months and not typed.months.isdecimal():
        raise Invalid("the months of the contract are a number", path="months", reason="contract-months")
    made = service.draft(store, id, typed.doctor, typed.nurse or None, start, months=int(typed.months or 0) or None, package=typed.package)
    return str(service.offer(store, made)["id"])
