"""An identity provider of our own on a real socket: it does what OpenID Connect asks, unless a test bends a token or a key."""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from serving import serving

CLIENT, SECRET = "healthsvc", "not-a-secret-of-anybody"
Claims = dict[str, Any]
KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


@dataclass
class Provider:
    """What it knows and how it is bent."""

    url: str = ""
    person: Claims = field(default_factory=lambda: {"sub": "s-1", "preferred_username": "wangli", "name": "王丽", "groups": ["doctors"]})
    key: RSAKey | ECKey = field(default_factory=lambda: KEY)
    published: list[Any] | None = None
    """Keys that it publishes; None: the one that it signs with."""
    bend: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked_for_keys: int = 0
    claims_issuer: str | None = None

    def token(self, claims: Claims) -> str:
        """Sign as it should, or as the test says."""
        algorithm = "RS256" if isinstance(self.key, RSAKey) else "ES256"
        return self.sign(claims) if self.sign else jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key)

    def logout_token(self, **more: Any) -> str:
        """A logout token as it should be, with what a test adds or takes away (None)."""
        now = int(time.time())
        events = {"http://schemas.openid.net/event/backchannel-logout": {}}
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": secrets.token_hex(8), "events": events}
        return self.token({name: value for name, value in (claims | more).items() if value is not None})


@contextmanager
def provider() -> Iterator[Provider]:
    """Serve it."""
    it = Provider()
    app = FastAPI(openapi_url=None)

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, Any]:
        names = {name: f"{it.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "end_session_endpoint", "jwks_uri")}
        return names | {"issuer": it.claims_issuer or it.url, "authorization_response_iss_parameter_supported": True}

    @app.get("/jwks_uri")
    def keys() -> dict[str, Any]:
        it.asked_for_keys += 1
        return {"keys": [key.as_dict(private=False) for key in (it.published if it.published is not None else [it.key])]}

    @app.get("/authorization_endpoint")
    def authorize(request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        it.codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"], "iss": it.url})
        return RedirectResponse(f"{asked['redirect_uri']}?{back}", status_code=303)

    @app.post("/token_endpoint")
    def token(
        request: Request,
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        grant_type: Annotated[str, Form()],
    ) -> JSONResponse:
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        asked = it.codes.pop(code, None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
        good = asked and basic == f"{CLIENT}:{SECRET}" and grant_type == "authorization_code"
        if not good or asked is None or asked["redirect_uri"] != redirect_uri or asked["code_challenge"] != challenge:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        claims = it.person | {"iss": it.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], "sid": "sid-1"}
        made = it.token(it.bend(claims))
        return JSONResponse({"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "expires_in": 300, "id_token": made})

    with serving(app) as url:
        it.url = url
        yield it
