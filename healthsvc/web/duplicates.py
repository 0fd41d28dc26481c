"""疑似重复档案 pairs of files that may be one person: joined or parted by somebody who has looked; closing a file, and taking that back."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreNearby, StoreReading, StoreWriting
from healthsvc.access.masks import masks
from healthsvc.errors import Invalid, Refusal
from healthsvc.healthfile import closing, duplicates, merging
from healthsvc.healthfile.resources import links, to_person
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store
from healthsvc.web.lookup import Directory
from healthsvc.web.render import Page, SignedPage

router = APIRouter()
_MOST: Final = 100
REASONS: Final = {
    "linked": "医院告知为同一人",
    "same-name": "姓名相同",
    "same-sound": "姓名同音",
    "other-name": "姓名不同",
    "same-birth": "出生日期相同",
    "near-birth": "出生日期相近",
    "other-birth": "出生日期不同",
    "same-phone": "电话相同",
    "same-address": "住址相同",
    "same-number": "证件号相同",
    "near-number": "证件号相近",
    "other-number": "证件号不同",
    "other-sex": "性别不同",
}
CLOSED: Final = {"moved-away": "迁出", "lost": "失访", "refused": "拒绝服务", "other": "其他"}


@router.get("/duplicates")
def review(page: SignedPage, store: StoreNearby) -> Response:
    """The pairs that wait for a decision, and the files that were merged lately."""
    return _show(page, store, None)


@router.post("/duplicates")
def decide(
    page: SignedPage,
    store: StoreWriting,
    one: Annotated[str, Form()],
    other: Annotated[str, Form()],
    act: Annotated[str, Form()],
    by: Annotated[str, Form(max_length=80)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Join two files (``one`` stays), or say that they are two people."""
    try:
        with store.savepoint():
            if act == "merge":
                merging.merge(store, one, other, by=by, reason=reason)
            elif act == "part":
                duplicates.part(store, one, other, by, reason)
            else:
                merging.unmerge(store, other, by=by, reason=reason)
    except Refusal as refusal:
        return _show(page, store, refusal)
    return RedirectResponse("/duplicates", status_code=303)


@router.get("/people/{id}/closing")
def closing_page(id: str, page: SignedPage, store: StoreReading) -> Response:
    """Death, moving away, loss: the form; and taking it back."""
    return _closing(page, store, id, {}, None)


@router.post("/people/{id}/closing")
def shut(
    id: str,
    page: SignedPage,
    store: StoreWriting,
    act: Annotated[str, Form()],
    day: Annotated[str, Form()] = "",
    text: Annotated[str, Form(max_length=500)] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Close the file, or open it again."""
    typed = {"day": day, "text": text, "reason": reason}
    try:
        with store.savepoint():
            _take(store, id, act, typed)
    except Refusal as refusal:
        return _closing(page, store, id, typed, refusal)
    return RedirectResponse(f"/people/{id}", status_code=303)


def _take(store: Store, id: str, act: str, typed: dict[str, str]) -> None:
    if act == "alive":
        closing.take_back_death(store, id)
        return
    if act == "reopen":
        closing.reopen(store, id)
        return
    try:
        on = date.fromisoformat(typed["day"].strip())
    except ValueError:
        raise Invalid("a day is written 2026-01-31", reason="death-day", path="day") from None
    if act == "death":
        closing.record_death(store, id, on, typed["text"])
    else:
        closing.close(store, id, typed["reason"], on, typed["text"])


def _closing(page: Page, store: Store, id: str, typed: dict[str, str], refusal: Refusal | None) -> Response:
    patient = follow(store, id)
    store.audit("read", f"Patient/{patient['id']}", patient=patient["id"], purpose="closing")
    return page.show(
        "closing.html",
        status=refusal.status if refusal else 200,
        told=page.told(refusal) if refusal else "",
        id=patient["id"],
        person=to_person(patient),
        closed=closing.closed_of(patient),
        reasons=CLOSED,
        typed={"day": str(today(store)), "text": "", "reason": "moved-away"} | typed,
    )


def _show(page: Page, store: Store, refusal: Refusal | None) -> Response:
    found = duplicates.pairs(store, _MOST)
    names = Directory(store)
    rows = [(pair, [(id, names.person(id)) for id in (pair.one, pair.other)], [REASONS.get(r, r) for r in pair.reasons]) for pair in found]
    retired = [one for one in store.select("Patient", active="false") if links(one, "replaced-by")]
    merged = sorted(retired, key=lambda one: str(one.get("meta", {}).get("lastUpdated")), reverse=True)[:20]
    return page.show(
        "duplicates.html",
        status=refusal.status if refusal else 200,
        told=page.told(refusal) if refusal else "",
        rows=rows,
        merged=[(one["id"], to_person(one), links(one, "replaced-by")[0], one["meta"]["lastUpdated"]) for one in merged],
        shown_as=masks(store, "duplicates"),
        can_write=page.who is not None and page.who.may("write-clinical"),
    )
