"""催办 what one has been told and has not yet acknowledged: checkups that come due or are late, contracts that end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.checkup.reminders import acknowledge, code_of, open_reminders
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.rules import Person
from healthsvc.store import Store
from healthsvc.visit.resources import to_visit
from healthsvc.visit.rules import days_late
from healthsvc.web.lookup import Directory
from healthsvc.web.render import SignedPage
from healthsvc.web.today import mine_of

router = APIRouter()
_MANY: Final = 100
LEVELS: Final = {"checkup-doctor": "责任医生", "checkup-centre": "中心", "checkup-district": "区主管部门", "contract-renewal": "责任医生"}
WORDS: Final = {
    "checkup-doctor": "体检将到期或已逾期", "checkup-centre": "体检已逾期，报中心", "checkup-district": "体检已逾期，报区",
    "contract-renewal": "协议即将到期",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One reminder in the list."""

    id: str
    code: str
    level: str
    words: str
    sent: datetime
    person: str
    name: Person
    link: str
    late: int | None
    """Days since the window has closed (before it: negative); None where it is no visit."""


@router.get("/reminders")
def reminders(page: SignedPage, store: StoreReading, all: bool = False, level: str = "") -> Response:
    """Those addressed to me, or to anybody here; the highest level first."""
    mine = None if all else mine_of(page)
    names = Directory(store)
    found = [one for one in open_reminders(store, mine) if not level or code_of(one) == f"checkup-{level}"]
    rows = [_told(one, store, names) for one in found[:_MANY]]
    return page.show("reminders.html", rows=rows, total=len(found), many=_MANY, mine=mine, everybody=all, level=level)


@router.post("/reminders/{id}/seen")
def seen(id: str, store: StoreWriting) -> Response:
    """Whoever was told has seen it; who and when is kept."""
    acknowledge(store, id)
    return RedirectResponse("/reminders", status_code=303)


def _told(reminder: Resource, store: Store, names: Directory) -> Told:
    kind, _, id = reminder["basedOn"][0]["reference"].partition("/")
    person, code, late = reminder["subject"]["reference"].rpartition("/")[2], code_of(reminder), None
    if kind == "Task" and (task := store.find("Task", id)) is not None:
        late = days_late(to_visit(task).window, store.today, store.zone)
    link = f"/contracts/{id}" if kind == "Contract" else f"/visits/{id}"
    sent = datetime.fromisoformat(reminder["sent"])
    return Told(reminder["id"], code, LEVELS.get(code, ""), WORDS.get(code, code), sent, person, names.person(person), link, late)
