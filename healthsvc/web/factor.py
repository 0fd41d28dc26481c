"""第二因素 set up the second factor, give its code, take it away from somebody who lost the telephone."""

from typing import Annotated

import segno
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access import second_factor, throttle
from healthsvc.access.door import COOKIE, GIVE_CODE, SET_UP_FACTOR, StoreWriting, needs
from healthsvc.access.sessions import Session
from healthsvc.errors import NotSignedIn, Refusal
from healthsvc.store.sealing import Seal
from healthsvc.web.account import place_of, set_cookie
from healthsvc.web.render import SignedPage

router = APIRouter()
Code = Annotated[str, Form(max_length=40)]


@router.get(GIVE_CODE)
def code_page(page: SignedPage) -> Response:
    """The form for the code."""
    return page.show("factor_code.html", refused=None)


@router.post(GIVE_CODE)
def give_code(page: SignedPage, request: Request, code: Code = "") -> Response:
    """Confirm the session; it goes on under a new cookie."""
    session = _session(page)
    state = request.app.state
    try:
        throttle.count(request, "sign_in")
        token = second_factor.confirm(
            state.database, _seal(request), session.login, request.cookies.get(COOKIE, ""), code, source=place_of(request), at=clock.now()
        )
    except Refusal as refusal:
        return page.show("factor_code.html", status=refusal.status, refused=page.told(refusal))
    return set_cookie(RedirectResponse("/start", status_code=303), token, state.settings)


@router.get(SET_UP_FACTOR)
def set_up_page(page: SignedPage) -> Response:
    """What it is, and the button that begins."""
    return page.show("factor.html", secret="", picture="", codes=None, refused=None)


@router.post(SET_UP_FACTOR, dependencies=[needs("self")])
def begin(page: SignedPage, request: Request, store: StoreWriting) -> Response:
    """A new secret as a picture to scan."""
    try:
        secret, address = second_factor.begin(store, _seal(request), _session(page).login, request.app.state.settings.site_name)
    except Refusal as refusal:
        return page.show("factor.html", status=refusal.status, secret="", picture="", codes=None, refused=page.told(refusal))
    return page.show("factor.html", secret=secret, picture=_picture(address), codes=None, refused=None)


@router.post(SET_UP_FACTOR + "/confirm", dependencies=[needs("self")])
def finish(page: SignedPage, request: Request, store: StoreWriting, code: Code = "") -> Response:
    """The first code puts it in force; the recovery codes show once."""
    try:
        with store.savepoint():
            codes = second_factor.finish(store, _seal(request), _session(page).login, "".join(code.split()))
    except Refusal as refusal:
        return page.show("factor.html", status=refusal.status, secret="", picture="", codes=None, refused=page.told(refusal))
    return page.show("factor.html", secret="", picture="", codes=codes, refused=None)


@router.post("/users/{login}/factor", dependencies=[needs("admin")])
def take_away(store: StoreWriting, login: str) -> Response:
    """Take the factor away from somebody who lost it."""
    second_factor.take_away(store, login)
    return RedirectResponse("/users", status_code=303)


def _session(page: SignedPage) -> Session:
    if page.who is None or page.who.session is None:
        raise NotSignedIn("sign in first")
    return page.who.session


def _seal(request: Request) -> Seal:
    return Seal.of(request.app.state.settings.sealing_folder)


def _picture(address: str) -> str:
    """A QR code as SVG; it leaves the host as little as the secret does."""
    return segno.make(address, error="m", micro=False).svg_inline(scale=5, border=2, omitsize=False)
