"""来源追溯 From a value in the file to the hospital message and field that it came from; each look is audited."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import Unavailable
from healthsvc.fhir.json import dumps
from healthsvc.store import Store
from healthsvc.web.render import SignedPage

router = APIRouter()
NAMES: Final = {
    "identifier": "号码", "name": "姓名", "gender": "性别", "birthDate": "出生日期", "telecom": "电话", "address": "住址",
    "contact": "联系人", "maritalStatus": "婚姻状况", "status": "状态", "code": "项目", "period": "起止时间", "location": "地点",
    "diagnosis": "诊断", "note": "备注",
}  # fmt: skip
"""Elements that everybody asks about, by the words for them; any other is shown by its own name."""
_OF_THE_STORE: Final = frozenset({"resourceType", "id", "meta", "text", "contained"})
Find = Callable[[Store, str, str, str], Sequence[Any]]
"""Gives the origins of an element (type, id, element); wired in by the part that knows hospital messages (``app.state.origin``)."""


@router.get("/origin/{type}/{id}")
def page_of(request: Request, page: SignedPage, store: StoreReading, type: str, id: str, element: str = "") -> Response:
    """Which messages have made a resource, or which field an element came from."""
    found = [(one, datetime.fromisoformat(one.recorded)) for one in _find(request)(store, type, id, element)]
    held = [name for name in store.find(type, id) or () if name not in _OF_THE_STORE]
    return page.show("origin.html", of=f"{type}/{id}", type=type, id=id, element=element, found=found, held=held, names=NAMES)


@router.get("/api/hl7/origin/{type}/{id}")
def origin(request: Request, store: StoreReading, type: str, id: str, element: str = "") -> Response:
    """The same for programs."""
    found = _find(request)(store, type, id, element)
    return Response(dumps([asdict(one) for one in found]), media_type="application/json")


def _find(request: Request) -> Find:
    find = getattr(request.app.state, "origin", None)
    if find is None:
        raise Unavailable("this process does not know hospital messages; ask the one that `healthsvc serve` runs")
    return cast(Find, find)
