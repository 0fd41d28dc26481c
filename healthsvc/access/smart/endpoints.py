"""The endpoints of OAuth that programs call: what there is, tokens, their end, and who a token stands for."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import JSONResponse

from healthsvc import clock
from healthsvc.access import throttle
from healthsvc.access.accounts import ANONYMOUS
from healthsvc.access.certificate import Certificate, presented, thumbprint
from healthsvc.access.smart import clients, grants
from healthsvc.access.smart import scopes as smart
from healthsvc.access.smart.clients import ALGORITHMS, Client
from healthsvc.access.smart.identity import identity_token, public_keys
from healthsvc.errors import Refusal
from healthsvc.store import Actor, Store

router = APIRouter(tags=["SMART on FHIR"])
CAPABILITIES = (
    "launch-standalone", "client-public", "client-confidential-symmetric", "client-confidential-asymmetric", "sso-openid-connect",
    "context-standalone-patient", "permission-offline", "permission-online", "permission-patient", "permission-user", "permission-v1",
    "permission-v2", "authorize-post",
)  # fmt: skip
Text = Annotated[str | None, Form()]


@dataclass(frozen=True, slots=True)
class Proof:
    """What a client sends to show who it is; HTTP Basic comes on top."""

    id: str | None
    secret: str | None
    assertion_type: str | None
    assertion: str | None


def proof_of(
    client_id: Text = None, client_secret: Text = None, client_assertion: Text = None, client_assertion_type: Text = None
) -> Proof:
    """The proof that stands in a form."""
    return Proof(client_id, client_secret, client_assertion_type, client_assertion)


Proven = Annotated[Proof, Depends(proof_of)]


def base_of(request: Request) -> str:
    """Our own address as clients know it, without the last slash."""
    told: str = request.app.state.settings.public_url
    return told.rstrip("/") or str(request.base_url).rstrip("/")


@router.get("/.well-known/smart-configuration")
@router.get("/fhir/.well-known/smart-configuration")
def configuration(request: Request) -> JSONResponse:
    """What this server offers (SMART App Launch 2.2, conformance)."""
    base = base_of(request)
    return JSONResponse(
        {
            "issuer": base,
            "jwks_uri": f"{base}/auth/jwks",
            "authorization_endpoint": f"{base}/auth/authorize",
            "token_endpoint": f"{base}/auth/token",
            "revocation_endpoint": f"{base}/auth/revoke",
            "introspection_endpoint": f"{base}/auth/introspect",
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
                "tls_client_auth",
                "none",
            ],
            "tls_client_certificate_bound_access_tokens": True,
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": ["patient/*.cruds", "user/*.cruds", "system/*.cruds", *sorted(smart.OTHERS)],
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": list(CAPABILITIES),
        }
    )


@router.get("/.well-known/openid-configuration")
def openid(request: Request) -> JSONResponse:
    """The same for clients of OpenID Connect."""
    base = base_of(request)
    return JSONResponse(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/auth/authorize",
            "token_endpoint": f"{base}/auth/token",
            "jwks_uri": f"{base}/auth/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }
    )


@router.get("/auth/jwks")
def keys(request: Request) -> JSONResponse:
    """The public keys that identity tokens are signed with."""
    return JSONResponse(public_keys(request.app.state.settings.sealing_folder))


@router.post("/auth/token")
def token(
    request: Request,
    proof: Proven,
    grant_type: Text = None,
    code: Text = None,
    redirect_uri: Text = None,
    code_verifier: Text = None,
    refresh_token: Text = None,
    scope: Text = None,
) -> JSONResponse:
    """Exchange a code, refresh, or give a backend service its token (RFC 6749 4.1.3, 6, 4.4)."""

    def act(store: Store, client: Client) -> dict[str, Any]:
        if grant_type == "authorization_code":
            made = grants.exchange(store, client, code or "", redirect_uri or "", code_verifier or "")
        elif grant_type == "refresh_token":
            made = grants.refresh(store, client, refresh_token or "", None if scope is None else scope.split())
        elif grant_type == "client_credentials":
            made = _by_itself(store, client, scope or "", presented(request.scope))
        else:
            raise grants.BadGrant(
                "grant_type is one of authorization_code, refresh_token, client_credentials", reason="unsupported_grant_type"
            )
        return _told(request, store, client, made)

    return _answered(request, proof, act)


@router.post("/auth/revoke")
def revoke(request: Request, proof: Proven, token: Text = None) -> JSONResponse:
    """End a token and all that came with it (RFC 7009)."""

    def act(store: Store, client: Client) -> dict[str, Any]:
        grants.revoke(store, client, token or "")
        return {}

    return _answered(request, proof, act)


@router.post("/auth/introspect")
def introspect(request: Request, proof: Proven, token: Text = None) -> JSONResponse:
    """Who a token stands for, for a client that can prove who it is (RFC 7662)."""

    def act(store: Store, client: Client) -> dict[str, Any]:
        found = grants.known(store, token or "")
        if client.is_public:
            raise clients.NotAuthenticated("a public client may not ask about tokens", reason="invalid_client")
        if found is None:
            return {"active": False}
        told: dict[str, Any] = {
            "active": True,
            "client_id": found.client,
            "scope": " ".join(sorted(found.scopes)),
            "exp": int(found.expires.timestamp()),
        }
        if found.bound is not None:
            told["cnf"] = {"x5t#S256": thumbprint(found.bound)}
        return told | ({"patient": found.actor.patient} if found.actor.patient else {}) | {"sub": found.actor.id}

    return _answered(request, proof, act)


def _by_itself(store: Store, client: Client, asked: str, shown: Certificate | None) -> grants.Tokens:
    if client.role is None or client.is_public:
        raise grants.BadGrant("this client is no backend service", reason="unauthorized_client")
    scopes = smart.agree(asked.split(), client.scopes, ("system",))
    if not scopes:
        raise grants.BadGrant("none of these scopes can be given to this client", reason="invalid_scope")
    return grants.by_itself(store, client, scopes, shown.fingerprint if client.certificate and shown else None)


def _told(request: Request, store: Store, client: Client, made: grants.Tokens) -> dict[str, Any]:
    told: dict[str, Any] = {
        "access_token": made.access,
        "token_type": "Bearer",
        "expires_in": made.expires_in,
        "scope": " ".join(sorted(made.scopes)),
    }
    if made.refresh is not None:
        told["refresh_token"] = made.refresh
    if made.patient is not None:
        told["patient"] = made.patient
    if "openid" in made.scopes and made.login is not None:
        found = grants.known(store, made.access)
        who = found.actor.id if found is not None else ""
        claims = {"iss": base_of(request), "aud": client.id, "sub": made.login} | ({"nonce": made.nonce} if made.nonce else {})
        if "fhirUser" in made.scopes and who.startswith("Practitioner/"):
            claims["fhirUser"] = f"{base_of(request)}/fhir/{who}"
        told["id_token"] = identity_token(request.app.state.settings.sealing_folder, claims, store.at, made.expires_in)
    return told


def _answered(request: Request, proof: Proof, act: Callable[[Store, Client], dict[str, Any]]) -> JSONResponse:
    """Carry out what an authenticated client asks; what it must not repeat (a used code ends its grant) stays done though it is refused."""
    throttle.count(request, "token")
    id, secret = proof.id, proof.secret
    head = {"cache-control": "no-store", "pragma": "no-cache"}
    with request.app.state.database.writing(ANONYMOUS, at=clock.now()) as store:
        try:
            basic = _basic(request.headers.get("authorization", ""))
            if basic is not None:
                id, secret = basic
            audiences = [str(request.url), f"{base_of(request)}{request.url.path}", f"{base_of(request)}/auth/token"]
            client = clients.authenticated(
                store, id=id, secret=secret, assertion_type=proof.assertion_type, assertion=proof.assertion, audiences=audiences,
                shown=presented(request.scope),
            )  # fmt: skip
            store.actor = Actor(f"client/{client.id}", client.name, frozenset(), "rest")
            return JSONResponse(act(store, client), headers=head)
        except Refusal as refusal:
            wrong = {"error": refusal.reason or "invalid_request", "error_description": refusal.text}
            return JSONResponse(wrong, status_code=refusal.status, headers=head)


def _basic(header: str) -> tuple[str, str] | None:
    """Client id and secret of HTTP Basic, each encoded as a form (RFC 6749 2.3.1)."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise clients.NotAuthenticated("the Basic header cannot be read", reason="invalid_client") from None
    return unquote(id), unquote(secret)
