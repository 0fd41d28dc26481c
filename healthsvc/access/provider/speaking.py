"""Talking to the provider: discovery, keys, tokens. What it publishes is kept for a while; a new key id makes keys be fetched again."""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, TypeVar

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from healthsvc.access.provider.checking import NotBelieved
from healthsvc.access.provider.settings import ProviderSettings, load
from healthsvc.config import Settings
from healthsvc.errors import Invalid, Unavailable

T = TypeVar("T")
_DISCOVERY: Final = "/.well-known/openid-configuration"
_PATIENCE: Final = 5.0
"""Seconds for one answer: a person waits, and the local sign-in is the way back."""
KEPT_SECONDS: Final = 600.0
"""How long the discovery document and the keys are taken as they are."""
AGAIN_SECONDS: Final = 5.0
"""An unknown key id makes the keys be fetched again, but not more often than this: anybody can send a token with an invented one."""
_DOWN = "the identity provider does not answer; sign in with a local account meanwhile"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the token endpoint gave."""

    id_token: str
    access_token: str


class Provider:
    """One provider, asked over HTTPS. Safe to use from many threads; asked never inside a transaction."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self._lock = Lock()
        self._verify = _trust(settings.ca)
        self._document: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def document(self) -> dict[str, Any]:
        """The discovery document, of our issuer and with what is needed.

        Raises:
            Unavailable: the provider does not answer, or its document is of another issuer or lacks an address.
        """
        with self._lock:
            if self._document is None or _age(self._document) > KEPT_SECONDS:
                self._document = (time.monotonic(), self._discovered())
            return self._document[1]

    def address(self, state: str, nonce: str, verifier: str, redirect: str) -> str:
        """Where the browser goes to sign in."""
        url = self.document()["authorization_endpoint"]
        with self._client(redirect) as client:
            return str(client.create_authorization_url(url, state=state, code_verifier=verifier, nonce=nonce)[0])

    def answer(self, code: str, verifier: str, redirect: str) -> Answer:
        """Exchange the code.

        Raises:
            NotBelieved: the provider refuses it (it was used, it is not ours, the verifier does not fit).
            Unavailable: it does not answer.
        """
        url = self.document()["token_endpoint"]
        with self._client(redirect) as client:
            got = _asked(lambda: client.fetch_token(url, grant_type="authorization_code", code=code, code_verifier=verifier))
        if not isinstance(got.get("id_token"), str):
            raise NotBelieved("the identity provider gave no identity token", reason="no-id-token")
        return Answer(got["id_token"], str(got.get("access_token", "")))

    def userinfo(self, access: str, sub: str) -> dict[str, Any]:
        """What the userinfo endpoint says of this very person (OpenID Connect Core 5.3.2); empty where there is no such endpoint."""
        url = self.document().get("userinfo_endpoint")
        if not url or not access:
            return {}
        told = self._fetched(str(url), {"authorization": f"Bearer {access}"})
        if told.get("sub") != sub:
            raise NotBelieved("userinfo is about somebody else", reason="userinfo-sub")
        return told

    def keys(self, kid: str | None, misfit: bool = False) -> KeySet:
        """The provider's keys; fetched again where this key id is not among them, or what was kept did not fit."""
        with self._lock:
            known = self._keys
        if known is not None and _age(known) <= KEPT_SECONDS:
            fits = not misfit and (kid is None or _has(known[1], kid))
            if fits or _age(known) < AGAIN_SECONDS:
                return known[1]
        told = self._fetched(str(self.document()["jwks_uri"]), {})
        try:
            fresh = KeySet.import_key_set({"keys": [one for one in told["keys"] if one.get("use", "sig") == "sig"]})
        except (KeyError, TypeError, ValueError, AttributeError, JoseError):
            raise Unavailable("the identity provider publishes no keys that can be read; tell whoever runs it") from None
        with self._lock:
            self._keys = (time.monotonic(), fresh)
        return fresh

    def _discovered(self) -> dict[str, Any]:
        told = self._fetched(self.settings.issuer.rstrip("/") + _DISCOVERY, {})
        if told.get("issuer") != self.settings.issuer:
            raise Unavailable("the discovery document is of another issuer: write issuer in DATA/identity-provider.toml as it names itself")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(told.get(name), str):
                raise Unavailable(f"the discovery document of the identity provider lacks {name}")
        return told

    def _fetched(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        with httpx2.Client(verify=self._verify, timeout=_PATIENCE, trust_env=False) as client:
            answer = _asked(lambda: client.get(url, headers=dict(headers)).raise_for_status().json())
        if not isinstance(answer, dict):
            raise Unavailable("the identity provider answers with something that is not a JSON object")
        return answer

    def _client(self, redirect: str) -> OAuth2Client:
        told = self.settings
        secret = told.secret.get_secret_value()
        offered = self.document().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "none" if not secret else "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"
        return OAuth2Client(
            client_id=told.client,
            client_secret=secret or None,
            token_endpoint_auth_method=method,
            scope=" ".join(told.scopes),
            redirect_uri=redirect,
            code_challenge_method="S256",
            verify=self._verify,
            timeout=_PATIENCE,
            trust_env=False,
        )


def provider_of(settings: Settings) -> Provider | None:
    """The provider of an installation; None where it has none.

    Raises:
        Invalid, Unavailable: its file is wrong or cannot be read.
    """
    told = load(settings.data, settings.provider_secret.get_secret_value())
    return None if told is None else Provider(told)


def _asked(ask: Callable[[], T]) -> T:
    """Ask, and tell a provider that refuses from one that does not answer."""
    try:
        return ask()
    except AuthlibBaseError as error:
        raise NotBelieved("the identity provider does not take this sign-in; begin anew", reason=str(error.error)[:60]) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, OSError):
        raise Unavailable(_DOWN, reason="provider-down") from None


def _trust(ca: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError):
        raise Invalid("DATA/identity-provider.toml: ca is no file of certificates (PEM)", reason="setting") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _age(kept: tuple[float, Any]) -> float:
    return time.monotonic() - kept[0]


def _has(keys: KeySet, kid: str) -> bool:
    return any(key.kid == kid for key in keys.keys)
