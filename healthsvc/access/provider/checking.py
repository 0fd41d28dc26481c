"""Identity tokens and logout tokens of a provider, checked: signature, issuer, audience, time, nonce, what they are for."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import KeySet

from healthsvc.errors import Refusal

ALGORITHMS: Final = ("RS256", "ES256", "PS256", "RS384", "ES384", "PS384", "RS512", "ES512", "PS512", "Ed25519", "EdDSA")
"""Signatures by a key that only the provider has; ``none`` and shared secrets are not among them (RFC 8725 3.1)."""
LEEWAY: Final = 60
"""Seconds by which the provider's clock may differ."""
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_LIFE: Final = 300
"""Seconds that a logout token is taken for, where it says no end of its own (older providers send none)."""

KeysFor = Callable[[str | None, bool], KeySet]
"""The provider's keys, which hold the one with this id if it has it; True: those that were kept did not fit."""


class NotBelieved(Refusal):
    """A token that the provider did not make, or not for us, or not now."""

    status = 401
    issue_code = "login"


def identity_claims(token: str, keys: KeysFor, *, issuer: str, client: str, nonce: str, access: str | None, at: datetime) -> dict[str, Any]:
    """The claims of an identity token (OpenID Connect Core 1.0, 3.1.3.7).

    Args:
        nonce: the one that was sent along with the question.
        access: the access token that came with it; checked against ``at_hash`` where the token has one.

    Raises:
        NotBelieved: anything about it is not right; the text does not say what, the log does.
    """
    try:
        decoded = _decoded(token, keys)
        options: Any = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client}}
        checked = CodeIDToken(decoded.claims, decoded.header, options, {"nonce": nonce, "client_id": client, "access_token": access})
        checked.validate(now=int(at.timestamp()), leeway=LEEWAY)
        if not isinstance(decoded.claims["sub"], str) or not decoded.claims["sub"]:
            raise NotBelieved("sub is empty", reason="sub")
        others = decoded.claims["aud"]
        if isinstance(others, list) and len(others) > 1 and decoded.claims.get("azp") != client:
            raise NotBelieved("several audiences and azp is another", reason="azp")
    except NotBelieved:
        raise
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise NotBelieved("the identity provider's answer cannot be believed", reason=_why(error)) from None
    return dict(decoded.claims)


def logout_claims(token: str, keys: KeysFor, *, issuer: str, client: str, at: datetime) -> dict[str, Any]:
    """The claims of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6).

    Raises:
        NotBelieved: anything about it is not right.
    """
    now = int(at.timestamp())
    try:
        claims = _decoded(token, keys).claims
        registry = jwt.JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client},
            iat={"essential": True},
            jti={"essential": True},
            events={"essential": True},
        )
        registry.validate(claims)
        ended = now - LEEWAY > claims.get("exp", claims["iat"] + _LOGOUT_LIFE)
        about = claims["events"].get(LOGOUT_EVENT) is not None and (claims.get("sub") or claims.get("sid"))
        if ended or not about or "nonce" in claims:
            raise NotBelieved("this is no logout token, or it has ended", reason="logout")
    except NotBelieved:
        raise
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotBelieved("the logout token cannot be believed", reason=_why(error)) from None
    return dict(claims)


def _decoded(token: str, keys: KeysFor) -> jwt.Token:
    told = jws.extract_compact(token.encode()).headers().get("kid")
    kid = told if isinstance(told, str) else None
    try:
        return jwt.decode(token, keys(kid, False), algorithms=list(ALGORITHMS))
    except BadSignatureError:
        # a provider that names no keys, or gives a new one the old name
        return jwt.decode(token, keys(kid, True), algorithms=list(ALGORITHMS))


def _why(error: Exception) -> str:
    """What was not right, without what the token says: for the log."""
    return str(getattr(error, "error", None) or type(error).__name__)
