"""医院窗口 one field, one big answer, keyboard only. The number travels in the body, never in an address."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Response
from sqlalchemy import select

from healthsvc.access.door import StoreReading, needs
from healthsvc.access.masks import masks
from healthsvc.errors import Invalid
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER
from healthsvc.greenchannel import service
from healthsvc.greenchannel.resources import CODE
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, STANDING_NAMES, Answer, Standing
from healthsvc.greenchannel.service import CODE_MARK
from healthsvc.healthfile.resources import to_person
from healthsvc.store import Store
from healthsvc.store.tables import Term
from healthsvc.web.render import SignedPage

router = APIRouter(dependencies=[needs("window")])
_CITIZEN_ID_LENGTHS: Final = (15, 18)
_HOSPITAL_NUMBERS: Final = "/NamingSystem/hospital/"
_TERM = Term.__table__  # type: ignore[attr-defined]


@router.get("/window")
def window(page: SignedPage) -> Response:
    """The empty field."""
    return page.show("window.html", told=None, wrong="", name="", words=None)


@router.post("/window")
def ask(page: SignedPage, store: StoreReading, number: Annotated[str, Form(max_length=64)] = "") -> Response:
    """The answer for a citizen id, a health file number or a hospital number; the field is empty again for the next person."""
    try:
        told = answer(store, number.strip().upper())
        wrong = (
            "姓名会重名，窗口只按号码查询：请输入身份证号、档案编号或院内号。"
            if told.standing is Standing.UNKNOWN and _is_name(number)
            else ""
        )
    except Invalid:
        wrong = "这不是有效的证件号码，请核对后重新输入。"
    if wrong:
        return page.show("window.html", status=422, told=None, wrong=page.say(wrong), name="", words=None)
    name = masks(store, "window").name(to_person(store.read("Patient", told.patient)).name) if told.patient else ""
    words = {
        "standing": STANDING_NAMES[told.standing],
        "rights": [RIGHT_NAMES[right] for right in sorted(told.rights)],
        "reason": REASON_NAMES[told.reason] if told.reason else None,
    }
    return page.show("window.html", told=told, wrong="", name=name, words=words)


def _is_name(text: str) -> bool:
    """Whether somebody has typed a name: every number here has a digit."""
    return bool(text.strip()) and not any(character.isdigit() for character in text)


def answer(store: Store, number: str) -> Answer:
    """Ask by whatever the number looks like: a citizen id by its length, else a file number, else any hospital's number."""
    if number.startswith(CODE_MARK):
        return service.answer(store, CODE, number)
    if len(number) in _CITIZEN_ID_LENGTHS and number[:-1].isdigit():
        return service.answer(store, CITIZEN_ID, number)
    told = service.answer(store, HEALTH_FILE_NUMBER, number)
    if told.standing is not Standing.UNKNOWN:
        return told
    for system in hospital_systems(store):
        told = service.answer(store, system, number)
        if told.standing is not Standing.UNKNOWN:
            break
    return told


def hospital_systems(store: Store) -> list[str]:
    """Identifier systems of hospitals that this database has met."""
    known = store.connection.execute(select(_TERM.c.text).where(_TERM.c.text.contains(_HOSPITAL_NUMBERS)))
    return sorted(known.scalars())
