"""来源追溯 From a value in the file to the hospital message and field that it came from; each look is audited."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, cast

from fastapi import APIRouter, Request, Response

from healthsvc.access.door import StoreReading
from healthsvc.errors import Unavailable
from healthsvc.fhir.json import dumps
from healthsvc.store import Store
from healthsvc.web.render import SignedPage

router = APIRouter()
Find = Callable[[Store, str, str, str], Sequence[Any]]
"""Gives the origins of an element (type, id, element); wired in by the part that knows hospital messages (``app.state.origin``)."""


@router.get("/origin/{type}/{id}")
def page_of(request: Request, page: SignedPage, store: StoreReading, type: str, id: str, element: str = "") -> Response:
    """Which messages have made a resource, or which field an element came from."""
    found = _find(request)(store, type, id, element)
    return page.show("origin.html", of=f"{type}/{id}", type=type, id=id, element=element, found=found)


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
