"""All pages: the routes, the static files, and how a refusal looks to a reader."""

from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from healthsvc.access import looks
from healthsvc.access.door import CHANGE_PASSWORD, GIVE_CODE, SET_UP_FACTOR, who_is_there
from healthsvc.errors import Forbidden, Malformed, NotFound, NotSignedIn, Refusal
from healthsvc.web import (
    account,
    attachments,
    audit,
    authorize,
    beds,
    beds_agreement,
    bedside,
    boardrisk,
    boardstaff,
    boardvisit,
    channels,
    clients,
    consents,
    contract_draft,
    contracts,
    coverage,
    dayboard,
    duplicates,
    emergency,
    factor,
    figures,
    form,
    glass,
    help,
    infusions,
    kept,
    ledgers,
    maps,
    mine,
    mustvisits,
    newfile,
    operate,
    origin,
    people,
    person,
    pocket,
    pocket_desk,
    policy,
    progress,
    provider,
    referrals,
    reminders,
    replanning,
    reports,
    roster,
    sessions,
    siting,
    taking_over,
    timers,
    today,
    users,
    visit,
    weekboard,
    window,
)
from healthsvc.web.render import Page
from healthsvc.web.wrong_input import Unread, unread

_STATIC = Path(__file__).parent / "static"
_PAGES = (
    account,
    provider,
    sessions,
    clients,
    authorize,
    today,
    dayboard,
    weekboard,
    boardvisit,
    boardrisk,
    boardstaff,
    replanning,
    coverage,
    siting,
    mine,
    maps,
    mustvisits,
    people,
    newfile,
    duplicates,
    person,
    consents,
    pocket_desk,
    pocket,
    referrals,
    form,
    channels,
    contract_draft,
    taking_over,
    contracts,
    reminders,
    beds,
    beds_agreement,
    infusions,
    bedside,
    emergency,
    factor,
    visit,
    window,
    roster,
    ledgers,
    figures,
    glass,
    operate,
    timers,
    users,
    audit,
    policy,
    help,
    origin,
    attachments,
    reports,
    progress,
)
_PATHS = frozenset(
    {
        "",
        "start",
        "sign-in",
        "sign-out",
        "account",
        "auth",
        "language",
        "day",
        "board",
        "circle",
        "contracts",
        "cards",
        "reminders",
        "documents",
        "map",
        "people",
        "pocket",
        "mine",
        "beds",
        "infusions",
        "visits",
        "window",
        "referrals",
        "reports",
        "emergency",
        "channels",
        "mustvisits",
        "roster",
        "duplicates",
        "figures",
        "origin",
        "attachments",
        "forms",
        "glass",
        "operate",
        "users",
        "tokens",
        "audit",
        "policy",
        "help",
        "progress",
    }
)
"""First steps of the paths that are pages; a refusal there is answered as a page, elsewhere as the API answers."""

_FIRST_DO = {"password-must-change": CHANGE_PASSWORD, "factor-wanted": GIVE_CODE, "factor-must-enrol": SET_UP_FACTOR}
"""What one does first, before any other page opens: reason of the refusal -> its page."""


def install(app: FastAPI) -> None:
    """Add the pages to the application; call it after the API's own handlers of refusals are in place."""
    for page in _PAGES:
        app.include_router(page.router, include_in_schema=False)
    app.mount("/static", GZipMiddleware(_Unchanging(directory=_STATIC, check_dir=False), minimum_size=1000), name="static")
    _answer_as_page(app, Refusal, lambda _request, error: error)
    _answer_as_page(app, HTTPException, _of_status)
    _answer_as_page(app, RequestValidationError, unread)


def _answer_as_page(app: FastAPI, kind: type[Exception], translate: Callable[[Request, Any], Refusal]) -> None:
    """Answer an error on a page's address as a page, and leave all others to the handler that is already there."""
    before: Any = app.exception_handlers.get(kind)

    async def handler(request: Request, error: Exception) -> Response:
        if before is None or _is_page(request):
            refusal = translate(request, error)
            looks.refused(request, refusal)
            return await refusal_page(request, refusal)
        answer = before(request, error)
        return cast(Response, await answer if isawaitable(answer) else answer)

    app.add_exception_handler(kind, handler)


def _of_status(_request: Request, error: HTTPException) -> Refusal:
    return NotFound("there is no such page") if error.status_code == 404 else Malformed("this address does not take that request")


async def refusal_page(request: Request, refusal: Refusal) -> Response:
    """What a reader sees instead of the page: the reason, how to go on, never a word about a person; a form stays where it stands."""
    if isinstance(refusal, NotSignedIn):
        if request.headers.get("hx-request"):
            return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
        if request.method == "GET":
            wanted = request.url.path
            if wanted == "/auth/authorize":
                wanted += f"?{request.url.query}"  # what a program asks; it says nothing of a person
            back = "" if wanted == "/" else "?next=" + quote(wanted)
            return RedirectResponse("/sign-in" + back, status_code=303)
    if refusal.reason in _FIRST_DO:
        return RedirectResponse(_FIRST_DO[refusal.reason], status_code=303)
    try:
        who = await who_is_there(request)
    except Refusal:
        who = None
    page = Page(request, who)
    told: dict[str, Any] = {"told": page.told(refusal), "lines": _lines(page, refusal)}
    if request.method == "POST" and who is not None and not page.wants_part and not isinstance(refusal, Forbidden):
        again = await kept.shown_again(request, page.written("refusal_part.html", **told), _wrong(refusal))
        if again is not None:
            return HTMLResponse(again, status_code=refusal.status)
    template = "refusal_part.html" if page.wants_part else "refusal.html"
    return page.show(template, status=refusal.status, refusal=refusal, sent=request.method == "POST", **told)


def _wrong(refusal: Refusal) -> frozenset[str]:
    """The fields that are to blame."""
    return frozenset(refusal.fields if isinstance(refusal, Unread) else (one.path for one in refusal.issues if one.path))


def _lines(page: Page, refusal: Refusal) -> list[str]:
    """What is wrong with which field; none where the refusal is about no field."""
    if not isinstance(refusal, Unread):
        return []
    told = [(page.say(label), page.say(how, **dict(slots))) for label, how, slots in refusal.lines]
    return [page.say("{label}：{how}", label=label, how=how) if label else how for label, how in told]


def _is_page(request: Request) -> bool:
    """Whether the address is one of ours, or a browser looks for a page that nobody has."""
    first = request.url.path.split("/")[1]
    return first in _PATHS or ("text/html" in request.headers.get("accept", "") and first not in ("fhir", "api", "static"))


class _Unchanging(StaticFiles):
    """Static files may be kept by the browser; their addresses carry the version, behind ``?v=`` or as a folder ``@version``."""

    def get_path(self, scope: Any) -> str:
        """As the base class; a folder that only tells the version is left out."""
        path = super().get_path(scope)
        first, _, rest = path.partition("/")
        return rest if first.startswith("@") else path

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """As the base class, with the header that lets the browser keep it."""
        answer: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        answer.headers["cache-control"] = "public, max-age=3600"
        return answer
