"""应用授权 a person lets a program act in their name: who it is, what it wants, and for whom."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.access.headers import CONTENT_SECURITY_POLICY
from healthsvc.access.smart import clients, grants
from healthsvc.access.smart import scopes as smart
from healthsvc.access.smart.clients import Client
from healthsvc.access.smart.endpoints import base_of
from healthsvc.errors import Malformed, NotSignedIn
from healthsvc.healthfile.resources import to_person
from healthsvc.store import Store
from healthsvc.web.people import find
from healthsvc.web.render import SignedPage

router = APIRouter()
_CHALLENGE: Final = 43
"""Characters of an S256 challenge (RFC 7636 4.2)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of an authorization request."""

    client_id: str
    redirect_uri: str
    response_type: str
    scope: str
    state: str
    aud: str
    code_challenge: str
    code_challenge_method: str
    nonce: str


def by_query(
    client_id: Annotated[str, Query()] = "",
    redirect_uri: Annotated[str, Query()] = "",
    response_type: Annotated[str, Query()] = "",
    scope: Annotated[str, Query()] = "",
    state: Annotated[str, Query()] = "",
    aud: Annotated[str, Query()] = "",
    code_challenge: Annotated[str, Query()] = "",
    code_challenge_method: Annotated[str, Query()] = "",
    nonce: Annotated[str, Query()] = "",
) -> Asked:
    """The request as an address says it."""
    return Asked(client_id, redirect_uri, response_type, scope, state, aud, code_challenge, code_challenge_method, nonce)


def by_form(
    client_id: Annotated[str, Form()] = "",
    redirect_uri: Annotated[str, Form()] = "",
    response_type: Annotated[str, Form()] = "",
    scope: Annotated[str, Form()] = "",
    state: Annotated[str, Form()] = "",
    aud: Annotated[str, Form()] = "",
    code_challenge: Annotated[str, Form()] = "",
    code_challenge_method: Annotated[str, Form()] = "",
    nonce: Annotated[str, Form()] = "",
) -> Asked:
    """The request as the form of our own page repeats it."""
    return Asked(client_id, redirect_uri, response_type, scope, state, aud, code_challenge, code_challenge_method, nonce)


@router.get("/auth/authorize", dependencies=[needs("self")])
def authorize(page: SignedPage, request: Request, store: StoreReading, asked: Annotated[Asked, Depends(by_query)]) -> Response:
    """Ask the person; what is wrong with the request goes back to the program, or is shown where that would be unsafe."""
    client = _client(store, asked)
    wrong = _wrong(request, asked, client)
    return _back(request, asked, **wrong) if wrong else _page(page, store, asked, client)


@router.post("/auth/authorize", dependencies=[needs("self")])
def decided(
    page: SignedPage,
    request: Request,
    store: StoreWriting,
    asked: Annotated[Asked, Depends(by_form)],
    decision: Annotated[str, Form()] = "",
    q: Annotated[str, Form(max_length=60)] = "",
    patient: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Look for the person whom it is about; or agree, or refuse, and go back to the program."""
    if page.who is None or page.who.session is None:
        raise NotSignedIn("sign in first")
    client = _client(store, asked)
    wrong = _wrong(request, asked, client)
    if wrong:
        return _back(request, asked, **wrong)
    if decision == "deny":
        return _back(request, asked, error="access_denied", error_description="the person refused")
    scopes = _scopes(asked, client)
    about = _wants_patient(scopes)
    if decision != "allow" or (about and store.find("Patient", patient) is None):
        return _page(page, store, asked, client, q=q, missing=decision == "allow")
    code = grants.agree(
        store, client, page.who.session.login, scopes, redirect=asked.redirect_uri, challenge=asked.code_challenge,
        patient=patient if about else None, nonce=asked.nonce or None,
    )  # fmt: skip
    return _back(request, asked, code=code)


def _client(store: Store, asked: Asked) -> Client:
    """The client, if the answer may go where it wants: nobody is ever sent to an address that is not registered."""
    client = clients.client_of(store, asked.client_id)
    if asked.redirect_uri not in client.redirects:
        raise Malformed("the program wants its answer at an address that is not registered for it; tell who runs it")
    return client


def _wrong(request: Request, asked: Asked, client: Client) -> dict[str, str]:
    """What is wrong with a request, as RFC 6749 4.1.2.1 tells it; empty where nothing is."""
    if asked.response_type != "code":
        return {"error": "unsupported_response_type", "error_description": "response_type must be code"}
    if asked.code_challenge_method != "S256" or len(asked.code_challenge) != _CHALLENGE:
        return {"error": "invalid_request", "error_description": "bring a code_challenge of PKCE with code_challenge_method S256"}
    if asked.aud.rstrip("/") != f"{base_of(request)}/fhir":
        return {"error": "invalid_request", "error_description": "aud must be the address of this FHIR API"}
    if not any(smart.read(one) or one == "openid" for one in _scopes(asked, client)):
        return {"error": "invalid_scope", "error_description": "none of these scopes can be given to this client"}
    return {}


def _scopes(asked: Asked, client: Client) -> frozenset[str]:
    return smart.agree(asked.scope.split(), client.scopes, ("patient", "user"))


def _wants_patient(scopes: frozenset[str]) -> bool:
    return "launch/patient" in scopes or any(one.startswith("patient/") for one in scopes)


def _page(page: SignedPage, store: Store, asked: Asked, client: Client, *, q: str = "", missing: bool = False) -> Response:
    scopes = _scopes(asked, client)
    about = _wants_patient(scopes)
    found = [(one.id, to_person(store.read("Patient", one.id)).name, one.age) for one in find(store, q)] if about and q.strip() else []
    wants: list[Any] = [one for text in sorted(scopes) if (one := smart.read(text)) is not None]
    answer = page.show(
        "authorize.html", client=client, asked=asked, wants=wants, offline=grants.OFFLINE in scopes, about=about, found=found, q=q,
        missing=missing,
    )  # fmt: skip
    place = urlsplit(asked.redirect_uri)
    target = f"{place.scheme}://{place.netloc}" if place.netloc else f"{place.scheme}:"
    # a browser holds the redirect after a form to the same rule as the form itself
    answer.headers["content-security-policy"] = CONTENT_SECURITY_POLICY.replace("form-action 'self'", f"form-action 'self' {target}")
    return answer


def _back(request: Request, asked: Asked, **told: str) -> Response:
    """To the program, with its state and with who answers (RFC 9207)."""
    query = urlencode({**told, **({"state": asked.state} if asked.state else {}), "iss": base_of(request)})
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    return RedirectResponse(f"{asked.redirect_uri}{joint}{query}", status_code=303)
