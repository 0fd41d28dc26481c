"""统一身份登录 sign in at the site's identity provider: there, back again, and what the provider itself tells us."""

from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from healthsvc import clock
from healthsvc.access import rules, throttle
from healthsvc.access.provider import service
from healthsvc.access.provider.speaking import Provider
from healthsvc.access.smart.endpoints import base_of
from healthsvc.errors import NotFound, Refusal, RuleViolation
from healthsvc.store.sealing import Seal
from healthsvc.web.account import enter, gate, place_of
from healthsvc.web.render import OpenPage

router = APIRouter()
log = structlog.get_logger()
_COOKIE: Final = "healthsvc-away"
_PATH: Final = "/sign-in/provider"
_BACK: Final = _PATH + "/back"
_AWAY_SECONDS: Final = 15 * 60
Text = Annotated[str, Query(max_length=4000)]


@router.get(_PATH)
def go(page: OpenPage, request: Request, next: Annotated[str, Query(max_length=2000)] = "/") -> Response:
    """To the provider; where it does not answer, back to the local sign-in with a word on it."""
    state, provider = request.app.state, _provider(request)
    try:
        throttle.count(request, "sign_in")
        away = service.begin(state.database, provider, back=rules.safe_return(next), redirect=_redirect(request), at=clock.now())
    except Refusal as refusal:
        return gate(page, refusal, back=next)
    answer = RedirectResponse(away.address, status_code=303)
    secure = state.settings.secure_cookies
    answer.set_cookie(_COOKIE, away.cookie, max_age=_AWAY_SECONDS, httponly=True, samesite="lax", secure=secure, path=_PATH)
    return answer


@router.get(_BACK)
def back(page: OpenPage, request: Request, state: Text = "", code: Text = "", iss: Text | None = None, error: Text = "") -> Response:
    """Back from the provider: a session, or the sign-in page with the reason."""
    app, provider = request.app.state, _provider(request)
    try:
        if error:
            raise RuleViolation("the identity provider did not let you in; try again, or use a local account", reason="provider-refused")
        signed_in, wanted = service.finish(
            app.database, provider, Seal.of(app.settings.sealing_folder), state=state, cookie=request.cookies.get(_COOKIE, ""), code=code,
            iss=iss, redirect=_redirect(request), source=place_of(request), agent=request.headers.get("user-agent", ""), at=clock.now(),
        )  # fmt: skip
        answer = enter(request, signed_in, wanted)
    except Refusal as refusal:
        answer = gate(page, refusal)
    answer.delete_cookie(_COOKIE, path=_PATH)
    return answer


@router.post(_PATH + "/ended")
def ended(request: Request, logout_token: Annotated[str, Form(max_length=20_000)] = "") -> Response:
    """The provider tells that a session of its ended (OpenID Connect Back-Channel Logout 1.0); the token is its proof."""
    try:
        service.told_ended(request.app.state.database, _provider(request), logout_token, at=clock.now())
    except NotFound:
        raise
    except Refusal as refusal:
        log.warning("a logout of the identity provider was refused", reason=refusal.reason)
        wrong: dict[str, Any] = {"error": "invalid_request", "error_description": refusal.text}
        return JSONResponse(wrong, status_code=refusal.status if refusal.status >= 500 else 400)
    return Response(status_code=200)


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise NotFound("this installation has no identity provider; sign in with a local account")
    return provider


def _redirect(request: Request) -> str:
    return f"{base_of(request)}{_BACK}"
