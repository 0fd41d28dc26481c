"""Refusals at the edge: an OperationOutcome under /fhir, a problem document elsewhere (RFC 9457). One place translates, for all doors."""

import traceback
from http import HTTPStatus

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healthsvc.access import looks
from healthsvc.errors import Issue, Refusal
from healthsvc.fhir.json import dumps
from healthsvc.fhir.outcome import of_refusal, operation_outcome
from healthsvc.rest.answer import FHIR_JSON
from healthsvc.rest.inputs import said
from healthsvc.rest.lane import ShortWay
from healthsvc.rest.paths import methods_at, misaddressed

log = structlog.get_logger()
_CODES = {
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    413: "too-long",
    415: "not-supported",
}
"""FHIR issue types of the statuses that the framework gives by itself."""
_TEXTS = {
    404: "there is nothing at this address",
    405: "this address does not take that method",
}


def install(app: FastAPI) -> None:
    """Translate every refusal and every failure of an application."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_middleware(ShortWay)
    app.add_middleware(Unexpected)


def respond(path: str, status: int, issues: list[Issue], reason: str | None = None, headers: dict[str, str] | None = None) -> Response:
    """The error in the form that suits the address."""
    if path.startswith("/fhir"):
        return Response(dumps(operation_outcome(issues, reason=reason)), status, headers, media_type=FHIR_JSON)
    problem = {
        "type": f"urn:healthsvc:reason:{reason}" if reason else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": issues[0].text,
        "errors": [{"detail": one.text, "pointer": one.path, "code": one.code} for one in issues],
    }
    return Response(dumps(problem), status, headers, media_type="application/problem+json")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    looks.refused(request, error)
    if request.url.path.startswith("/fhir"):
        return Response(dumps(of_refusal(error)), error.status, media_type=FHIR_JSON)
    return respond(request.url.path, error.status, list(error.issues), error.reason)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:  # the framework names the methods of one route only (RFC 9110 10.2.1 asks for all)
        headers["allow"] = ", ".join(methods_at(request.app.routes, request.scope["path"]))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    text = _TEXTS.get(error.status_code, HTTPStatus(error.status_code).phrase)
    if error.status_code == 404 and request.url.path.startswith("/fhir/"):
        text = misaddressed(request.url.path.removeprefix("/fhir/")) or text
    issue = Issue(text, _CODES.get(error.status_code, "processing"))
    return respond(request.url.path, error.status_code, [issue], headers=headers)


def _not_valid(request: Request, error: Exception) -> Response:
    """What FastAPI found wrong with an input; its own text may repeat the value, so only the place is told."""
    assert isinstance(error, RequestValidationError)
    issues = [Issue(said(one), "invalid", ".".join(map(str, one["loc"]))) for one in error.errors()]
    return respond(request.url.path, 422, issues)


def unexpected(error: Exception, path: str) -> Response:
    """The answer to a failure of ours: logged by its place, never by its text (which may hold values), and told by a number only."""
    number = correlation_id.get() or "unknown"
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    log.error("unexpected failure", kind=type(error).__name__, at=places, request=number)
    issue = Issue(f"something went wrong here; tell the operator the number {number}", "exception", severity="fatal")
    return respond(path, 500, [issue])


class Unexpected:
    """ASGI middleware: a failure of ours is logged and told (:func:`unexpected`)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, noticing)
        except Exception as error:
            answer = unexpected(error, scope["path"])
            if started:
                raise
            await answer(scope, receive, send)
