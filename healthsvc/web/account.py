"""Sign in, sign out, change the password, choose the language."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access import accounts, rules, sessions, throttle
from healthsvc.access.accounts import SignedIn
from healthsvc.access.door import CHANGE_PASSWORD, COOKIE, GIVE_CODE, Signed
from healthsvc.access.provider.service import farewell
from healthsvc.access.smart.endpoints import base_of
from healthsvc.config import Settings
from healthsvc.errors import Forbidden, NotSignedIn, Refusal
from healthsvc.store.sealing import Seal
from healthsvc.web import words
from healthsvc.web.menu import home
from healthsvc.web.render import OpenPage, Page, SignedPage

router = APIRouter()
_YEAR = 365 * 24 * 3600


@router.get("/sign-in")
def sign_in_page(page: OpenPage, next: str = "/") -> Response:
    """The sign-in form."""
    return gate(page, back=next)


@router.post("/sign-in")
def sign_in(
    page: OpenPage,
    request: Request,
    login: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    back: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in and go on to where one wanted to go."""
    _same_site(request)
    try:
        throttle.count(request, "sign_in")
        signed_in = accounts.sign_in(
            request.app.state.database,
            login,
            password,
            source=place_of(request),
            at=clock.now(),
            agent=request.headers.get("user-agent", ""),
        )
    except Refusal as refusal:
        return gate(page, refusal, back=back, login=login[:64])
    return enter(request, signed_in, back)


def gate(page: Page, refusal: Refusal | None = None, *, back: str = "/", login: str = "") -> Response:
    """The sign-in page, with what was refused on it."""
    provider = page.request.app.state.provider
    return page.show(
        "sign_in.html", status=refusal.status if refusal else 200, back=rules.safe_return(back), login=login,
        refused=page.told(refusal) if refusal else None, provider=provider.settings.title if provider else None,
    )  # fmt: skip


def enter(request: Request, signed_in: SignedIn, back: str) -> Response:
    """Through the gate: to what must be done first, or to where one wanted to go."""
    first = GIVE_CODE if not signed_in.confirmed else CHANGE_PASSWORD if signed_in.must_change else _after(back)
    return set_cookie(RedirectResponse(first, status_code=303), signed_in.token, request.app.state.settings)


def place_of(request: Request) -> str:
    """Network address that a request comes from; a header says nothing here."""
    return request.client.host if request.client else "unknown"


def set_cookie(answer: Response, token: str, settings: Settings) -> Response:
    """The session's cookie: for this site alone, and not for scripts."""
    answer.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=settings.secure_cookies, path="/")
    return answer


@router.post("/sign-out")
def sign_out(page: OpenPage, request: Request, who: Signed) -> Response:
    """End the session; the browser forgets what it kept."""
    state, token = request.app.state, request.cookies.get(COOKIE, "")
    away = None
    if state.provider is not None:
        seal = Seal.of(state.settings.sealing_folder)
        away = farewell(state.database, state.provider, seal, token, back=f"{base_of(request)}/sign-in", at=clock.now())
    sessions.sign_out(state.database, token, who.actor, at=clock.now())
    # a form must not lead to another host (CSP form-action): the page leads there
    answer = RedirectResponse("/sign-in", status_code=303) if away is None else page.show("signed_out.html", away=away)
    answer.delete_cookie(COOKIE, path="/")
    answer.headers["clear-site-data"] = '"cache", "storage"'
    return answer


@router.get(CHANGE_PASSWORD)
def password_page(page: SignedPage) -> Response:
    """The form for another password."""
    return page.show("password.html", refused=None)


@router.post(CHANGE_PASSWORD)
def change_password(
    page: SignedPage,
    request: Request,
    old: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Set another password; all sessions of the account end and one signs in anew."""
    if page.who is None or page.who.session is None:
        raise NotSignedIn("sign in first")
    if new != again:
        return page.show("password.html", status=422, refused=page.say("两次输入的新密码不一致。"))
    try:
        accounts.change_own_password(request.app.state.database, page.who.session.login, old, new, page.who.actor, at=clock.now())
    except Refusal as refusal:
        return page.show("password.html", status=refusal.status, refused=page.told(refusal))
    return RedirectResponse("/sign-in", status_code=303)


@router.post("/language")
def choose_language(request: Request, to: Annotated[str, Form()] = "zh", back: Annotated[str, Form()] = "/") -> Response:
    """Chinese or English from now on; the cookie says nothing else."""
    _same_site(request)
    answer = RedirectResponse(rules.safe_return(back), status_code=303)
    if to in words.LANGUAGES:
        answer.set_cookie(words.COOKIE, to, max_age=_YEAR, httponly=True, samesite="lax", secure=request.app.state.settings.secure_cookies)
    return answer


@router.get("/start")
def start(who: Signed) -> Response:
    """The first page that one's role opens."""
    return RedirectResponse(home(who), status_code=303)


def _after(back: str) -> str:
    """Where to go after sign-in: where one wanted to go, else the first page that one's role opens."""
    wanted = rules.safe_return(back)
    return "/start" if wanted == "/" else wanted


def _same_site(request: Request) -> None:
    """There is no session yet whose token could be checked; another site must still not sign anybody in."""
    if not rules.same_origin(request.headers.get("host", ""), request.headers.get("origin"), request.headers.get("sec-fetch-site")):
        raise Forbidden("the form comes from another site; open the page here and repeat", reason="csrf")
