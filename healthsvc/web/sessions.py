"""登录会话 where one is signed in, and how to end it; for the security administrator: everybody's."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc.access import session_list
from healthsvc.access.door import COOKIE, StoreReading, StoreWriting, needs, session_life
from healthsvc.errors import NotSignedIn
from healthsvc.web.render import Page, SignedPage

router = APIRouter()


@router.get("/account/sessions", dependencies=[needs("self")])
def mine(page: SignedPage, request: Request, store: StoreReading) -> Response:
    """My own."""
    return _show(page, request, store, _login(page))


@router.post("/account/sessions/others", dependencies=[needs("self")])
def end_others(page: SignedPage, request: Request, store: StoreWriting) -> Response:
    """End all of mine but this one."""
    session_list.end_others(store, _login(page), request.cookies.get(COOKIE, ""))
    return RedirectResponse("/account/sessions", status_code=303)


@router.post("/account/sessions/{id}/end", dependencies=[needs("self")])
def end_mine(page: SignedPage, store: StoreWriting, id: str) -> Response:
    """End one of mine."""
    session_list.end(store, id, login=_login(page))
    return RedirectResponse("/account/sessions", status_code=303)


@router.get("/users/sessions", dependencies=[needs("admin")])
def everybodys(page: SignedPage, request: Request, store: StoreReading) -> Response:
    """Everybody's."""
    return _show(page, request, store, None)


@router.post("/users/sessions/{id}/end", dependencies=[needs("admin")])
def end_anybodys(store: StoreWriting, id: str) -> Response:
    """End one of anybody's."""
    session_list.end(store, id)
    return RedirectResponse("/users/sessions", status_code=303)


def _show(page: Page, request: Request, store: StoreReading, login: str | None) -> Response:
    life, token = session_life(request.app.state.settings), request.cookies.get(COOKIE, "")
    found = session_list.open_sessions(store, life, login=login, token=token)
    hours, minutes = life.absolute.total_seconds() / 3600, life.idle.total_seconds() / 60
    base = "/account/sessions" if login is not None else "/users/sessions"
    return page.show("sessions.html", sessions=found, own=login is not None, base=base, hours=f"{hours:g}", minutes=f"{minutes:g}")


def _login(page: Page) -> str:
    if page.who is None or page.who.session is None:
        raise NotSignedIn("sign in first")
    return page.who.session.login
