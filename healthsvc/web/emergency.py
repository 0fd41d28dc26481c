"""一键通 the operator's desk: who calls for help, whom we call, who comes; the sheet beside it; every act to the second."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access.door import StoreReading, needs
from healthsvc.access.masks import masks
from healthsvc.emergency import service
from healthsvc.emergency.endpoints import DeskInUse
from healthsvc.emergency.journal import Call
from healthsvc.emergency.resources import Reachable
from healthsvc.emergency.rules import Act, Alarm, Line, Status
from healthsvc.emergency.service import policy_of
from healthsvc.emergency.sheet import Sheet, sheet
from healthsvc.errors import NotFound, Refusal
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER
from healthsvc.healthfile import citizen_id
from healthsvc.healthfile.resources import links, to_person
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.reports import Listed, latest

router = APIRouter(dependencies=[needs("emergency")])
_SOURCE: Final = "operator"
_REPORTS: Final = 3
"""Reports that the sheet leads to: what was found last is what a doctor on the way asks for."""
_CITIZEN_ID_LENGTHS: Final = (15, 18)


@dataclass(frozen=True, slots=True)
class Callee:
    """Somebody of the chain and how it stands with them."""

    key: str
    role: str
    name: str
    phone: str
    relation: str
    state: str
    """``waiting``, ``called``, ``missed`` or ``has-it``."""
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Ringing:
    """One alarm in the list: the name masked, since nobody has asked for a purpose yet."""

    alarm: Alarm
    name: str
    area: str
    seconds: int


@router.get("/emergency")
def desk(page: SignedPage, store: StoreReading, desk: DeskInUse) -> Response:
    """All alarms that are not closed, and the form for a call by telephone."""
    return _desk(page, store, desk)


@router.get("/emergency/list")
def ringing(page: SignedPage, store: StoreReading, desk: DeskInUse) -> Response:
    """The list alone: the page asks for it every other second."""
    return page.show("emergency.html", block="ringing", rows=_rows(store, desk), puzzling=desk.journal.puzzling())


@router.post("/emergency")
def raise_alarm(
    page: SignedPage,
    store: StoreReading,
    desk: DeskInUse,
    number: Annotated[str, Form(max_length=64)] = "",
    kind: Annotated[str, Form(max_length=40)] = "help",
    text: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """A call by telephone: for a device by its number, or for a person by telephone, citizen id or file number."""
    number = number.strip()
    try:
        device, patient = _whom(store, number)
        at = clock.utc_now()
        raised = desk.raise_alarm(Call(kind, _SOURCE, at, patient, device, service.DEVICE_NUMBER if device else "", text.strip()))
    except Refusal as refusal:
        return _desk(page, store, desk, refusal=refusal, typed={"number": number, "kind": kind, "text": text})
    return RedirectResponse(f"/emergency/{raised.id}", status_code=303)


@router.get("/emergency/{alarm}")
def alarm(alarm: str, page: SignedPage, store: StoreReading, desk: DeskInUse) -> Response:
    """One alarm: the sheet, the chain, the log."""
    return _alarm(page, store, desk.read(alarm))


@router.get("/emergency/{alarm}/course")
def course(alarm: str, page: SignedPage, store: StoreReading, desk: DeskInUse) -> Response:
    """Chain and log alone: the page asks for them every other second."""
    one = desk.read(alarm)
    return page.show("alarm.html", block="course", **_course(store, one))


@router.post("/emergency/{alarm}")
def act(
    alarm: str,
    page: SignedPage,
    store: StoreReading,
    desk: DeskInUse,
    what: Annotated[str, Form(max_length=20)],
    who: Annotated[str, Form(max_length=64)] = "",
    text: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Somebody comes or cannot come; the alarm is taken, handed over, noted or closed."""
    me = page.who.actor.name if page.who else ""
    try:
        if what in ("comes", "declines"):
            desk.answer(alarm, who, comes=what == "comes", text=text.strip())
        else:
            desk.act(alarm, Act(what), who.strip() or me, text.strip())
    except (Refusal, ValueError) as refusal:
        return _alarm(page, store, desk.read(alarm), page.told(refusal) if isinstance(refusal, Refusal) else page.say("没有这种操作。"))
    return RedirectResponse(f"/emergency/{alarm}", status_code=303)


@router.post("/emergency/puzzling/{alarm}")
def settle(alarm: str, desk: DeskInUse) -> Response:
    """Somebody has looked at a call from a device that is nobody's."""
    desk.journal.settle(alarm)
    return RedirectResponse("/emergency", status_code=303)


def _desk(page: Page, store: Store, desk: DeskInUse, *, refusal: Refusal | None = None, typed: dict[str, str] | None = None) -> Response:
    return page.show(
        "emergency.html",
        status=422 if refusal else 200,
        rows=_rows(store, desk),
        puzzling=desk.journal.puzzling(),
        kinds=[kind for kind in policy_of(store).kinds if not kind.startswith("infusion")],
        refused=page.told(refusal) if refusal else "",
        typed=typed or {"number": "", "kind": "help", "text": ""},
    )


def _rows(store: Store, desk: DeskInUse) -> list[Ringing]:
    rows, shown = [], masks(store, "alarms")
    with store.wholly():
        for one in desk.all_open():
            person = to_person(store.find("Patient", one.patient) or {})
            seconds = max(0, int((store.at - one.raised).total_seconds()))
            rows.append(Ringing(one, shown.name(person.name), person.residence_area, seconds))
    store.looked.add(one.alarm.patient for one in rows)
    return rows


def _alarm(page: Page, store: Store, one: Alarm, refused: str = "") -> Response:
    shown: Sheet | None = None
    why = ""
    try:
        shown = sheet(store, one.patient, "drill" if one.kind == "drill" else "alarm")
    except Refusal as refusal:
        why = page.told(refusal)
    outcomes = policy_of(store).outcomes
    return page.show(
        "alarm.html",
        status=422 if refused else 200,
        sheet=shown,
        reports=_reports(page, store, one.patient),
        why=why,
        refused=refused,
        outcomes=["drill", *outcomes] if one.kind == "drill" else outcomes,
        **_course(store, one),
    )


def _reports(page: Page, store: Store, patient: str) -> list[Listed]:
    """The latest reports, for those who may open the person's file anyway."""
    reads = page.who is not None and page.who.may("read-clinical") and store.find("Patient", patient) is not None
    return latest(store, patient, _REPORTS) if reads else []


def _course(store: Store, one: Alarm) -> dict[str, Any]:
    with store.wholly():
        callees = [_callee(whom, one) for whom in service.reachable(store, one)]
        name = service.name_of(store, one.patient)
    store.looked.add([one.patient])
    return {
        "alarm": one,
        "name": name,
        "callees": callees,
        "log": [(line, _second(line.at, store), _said(line)) for line in reversed(one.log)],
        "ringing": one.status in (Status.RINGING, Status.EXHAUSTED),
        "over": one.status is Status.CLOSED,
        "seconds": int(((one.log[-1].at if one.status is Status.CLOSED else store.at) - one.raised).total_seconds()),
    }


def _callee(whom: Reachable, one: Alarm) -> Callee:
    key = whom.callee.key
    about: list[Line] = [line for line in one.log if line.who == key]
    last = next((line for line in reversed(about) if line.act in (Act.CALL, Act.NOT_REACHED)), None)
    if one.taken_by == key:
        state = "has-it"
    elif last is None:
        state = "waiting"
    else:
        state = "called" if last.act is Act.CALL else "missed"
    return Callee(key, whom.callee.role, whom.name, whom.phone, whom.relation, state, last.at if last else None)


def _whom(store: Store, number: str) -> tuple[str | None, str | None]:
    """The device or the person that a number means.

    Raises:
        NotFound: nobody's; or several people's, who are then asked for by another number.
    """
    with store.wholly():
        if store.first("Device", identifier=f"{service.DEVICE_NUMBER}|{number}") is not None:
            return number, None
        found = store.select("Patient", phone=number) if number else []
        if not found and number:
            systems = [f"{HEALTH_FILE_NUMBER}|{number}"]
            if len(number) in _CITIZEN_ID_LENGTHS:
                systems.append(f"{CITIZEN_ID}|{citizen_id.read(number, today(store)).number}")
            found = store.select("Patient", identifier=systems)
        people = {str(one["id"]) for one in found if not links(one, "replaced-by")}
    if len(people) == 1:
        return None, people.pop()
    raise NotFound(
        "this number is nobody's device, telephone or file; ask for another" if not people else "several people have this number",
        reason="emergency-nobody" if not people else "emergency-several",
    )


def _said(line: Line) -> str:
    """What a line says beside its act; of a doctor near by how far away they are."""
    return line.text.partition(" ")[2] if line.act is Act.STANDBY and line.who else line.text


def _second(at: datetime, store: Store) -> str:
    return at.astimezone(store.zone).strftime("%H:%M:%S")
