"""建档 open a health file for one person; what is typed is read as a row of a roster is, by the same rules."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import Refusal
from healthsvc.healthfile.roster import read_person
from healthsvc.healthfile.roster_columns import COLUMNS, Column
from healthsvc.healthfile.service import identify, register
from healthsvc.web.findings_form import Typed
from healthsvc.web.forms import typed_form
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.words import row_words

router = APIRouter(dependencies=[needs("write-clinical")])
SOURCE: Final = "urn:healthsvc:page"
_ASKED: Final = (
    ("本人", ("name", "sex_code", "birth", "citizen_id", "file_number", "certificate", "category", "managing_unit")),
    ("住址和电话", ("residence_area", "address", "phone", "living", "resettled")),
    ("家属", ("family", "relation", "family_phone")),
)
"""What the page asks of the columns that a roster may have; the rest is filled in on the form of personal information."""
CHOICES: Final = {
    "sex_code": ("男", "女", "未知"),
    "category": ("离休", "退休"),
    "living": ("独居", "空巢", "与家人同住", "保姆照料", "机构养老"),
    "resettled": ("是", "否"),
}
_BY_FIELD: Final = {column.field: column for column in COLUMNS}
GROUPS: Final[tuple[tuple[str, tuple[Column, ...]], ...]] = tuple(
    (title, tuple(map(_BY_FIELD.__getitem__, names))) for title, names in _ASKED
)
Given = Annotated[Typed, Depends(typed_form)]


@router.get("/people/new")
def blank(page: SignedPage, store: StoreReading) -> Response:
    """The empty form."""
    return _show(page, Typed({}))


@router.post("/people/new")
def take(page: SignedPage, store: StoreWriting, typed: Given) -> Response:
    """Open the file and show it; a number that is on file already leads to that file, which stays as it is."""
    columns = [column for _title, group in GROUPS for column in group]
    person, odd = read_person([typed[column.field] for column in columns], dict(enumerate(columns)))
    if person is None:
        return _show(page, typed, [f"{page.say(title)}：{row_words(str(bad.reason), bad.text, page.language)}" for title, bad in odd])
    try:
        known = identify(store, person.identifiers)
        if known is not None:
            return _show(page, typed, known=str(known["id"]))
        with store.savepoint():
            filed = register(store, person, SOURCE, strict=True)
    except Refusal as refusal:
        return _show(page, typed, [page.told(refusal)])
    return RedirectResponse(f"/people/{filed.patient['id']}", status_code=303)


def _show(page: Page, typed: Typed, wrong: list[str] | None = None, known: str | None = None) -> Response:
    status = 422 if wrong or known else 200
    return page.show("person_new.html", status=status, typed=typed, groups=GROUPS, choices=CHOICES, wrong=wrong or [], known=known)
