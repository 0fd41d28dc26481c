"""Clients: programs that ask for tokens; registered by a security administrator, told apart by a secret or by their keys."""

import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.util import urlsafe_b64decode
from sqlalchemy import delete, insert, select, update

from healthsvc.access import rules
from healthsvc.access.certificate import Certificate, holds
from healthsvc.access.certificate import read as read_certificate
from healthsvc.access.sessions import digest
from healthsvc.access.smart import scopes as smart
from healthsvc.errors import Conflict, Invalid, NotFound, Refusal
from healthsvc.store import Store
from healthsvc.store.smart_tables import AssertionRow, ClientRow
from healthsvc.store.stored import micros, moment

_CLIENT = ClientRow.__table__  # type: ignore[attr-defined]
_ASSERTION = AssertionRow.__table__  # type: ignore[attr-defined]
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ALGORITHMS: Final = ("ES384", "RS384", "ES256", "RS256")
"""SMART asks for ES384 and RS384; the others are what many clients still have."""
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE: Final = timedelta(minutes=5)
"""Longest life of an assertion (SMART backend services: exp no more than five minutes ahead)."""
_CLOCK_SKEW: Final = 30
"""Seconds by which a client's clock may differ."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class NotAuthenticated(Refusal):
    """The client is not known, or did not prove who it is."""

    status = 401
    issue_code = "login"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client."""

    id: str
    name: str
    secret: bytes | None
    jwks: str | None
    certificate: str | None
    redirects: tuple[str, ...]
    scopes: tuple[str, ...]
    role: str | None
    areas: frozenset[str] | None
    created: datetime
    closed: datetime | None

    @property
    def is_public(self) -> bool:
        """Whether it cannot keep a secret (a page in a browser, an app on a telephone)."""
        return self.secret is None and self.jwks is None and self.certificate is None


def register(
    store: Store,
    id: str,
    *,
    name: str,
    redirects: Iterable[str] = (),
    scopes: Iterable[str],
    role: str | None = None,
    areas: Iterable[str] | None = None,
    jwks: str | None = None,
    certificate: str | None = None,
    confidential: bool = False,
) -> str | None:
    """Register a client; gives its secret, shown once, where it has one.

    Args:
        redirects: https addresses (http on this machine, or an app's own scheme) that an answer may go to.
        scopes: what it may ever ask for.
        role: the role of a backend service, which acts by itself; it needs ``jwks`` or ``certificate``.
        jwks: its public keys as a JWK set in JSON.
        certificate: PEM, ``sha256:FINGERPRINT`` or ``subject:NAME`` of the certificate that it connects with (RFC 8705).
        confidential: whether it gets a secret (not where it has keys).

    Raises:
        Invalid: something of it cannot be; the text says what.
        Conflict: the id is taken.
    """
    wanted, places = tuple(dict.fromkeys(scopes)), tuple(dict.fromkeys(redirects))
    if not _ID.fullmatch(id):
        raise Invalid("a client id has 1 to 64 letters, digits, dots, dashes and underscores")
    wrong = next((one for one in wanted if smart.read(one) is None and one not in smart.OTHERS), None)
    if wrong is not None or not wanted:
        raise Invalid(f"scopes are written like patient/*.rs or user/Observation.read, not {str(wrong)[:80]!r}")
    for place in places:
        _check_redirect(place)
    if role is not None:
        rules.role(role)
        if jwks is None and certificate is None:
            raise Invalid("a backend service proves who it is with a key: give its public keys as a JWK set, or its certificate")
    elif not places:
        raise Invalid("name at least one address that an answer may go to, or a role for a backend service")
    if jwks is not None:
        _keys(jwks)
    if jwks is not None and certificate is not None:
        raise Invalid("a client proves who it is in one way: by its keys or by its certificate")
    held = None if certificate is None else read_certificate(certificate)
    if store.connection.execute(select(_CLIENT.c.id).where(_CLIENT.c.id == id)).first():
        raise Conflict("this client id is taken; choose another")
    secret = secrets.token_urlsafe(32) if confidential and jwks is None and held is None else None
    store.connection.execute(
        insert(_CLIENT).values(
            id=id, name=name.strip()[:80] or id, secret=digest(secret) if secret else None, jwks=jwks, redirects=" ".join(places),
            certificate=held, scopes=" ".join(wanted), role=role, areas=rules.joined_areas(areas), created=micros(store.at), closed=None,
        )
    )  # fmt: skip
    store.audit("client-register", f"client/{id}")
    return secret


def client_of(store: Store, id: str) -> Client:
    """A client that is open.

    Raises:
        NotAuthenticated: there is none.
    """
    row = store.connection.execute(select(_CLIENT).where(_CLIENT.c.id == id, _CLIENT.c.closed.is_(None))).first()
    if row is None:
        raise NotAuthenticated("this client is not registered here, or was closed", reason="invalid_client")
    return _client(row)


def clients(store: Store) -> list[Client]:
    """All clients by id."""
    return [_client(row) for row in store.connection.execute(select(_CLIENT).order_by(_CLIENT.c.id))]


def _client(row: Any) -> Client:
    return Client(
        row.id, row.name, row.secret, row.jwks, row.certificate, tuple(row.redirects.split()), tuple(row.scopes.split()), row.role,
        rules.held_areas(row.areas), moment(row.created), moment(row.closed) if row.closed else None,
    )  # fmt: skip


def close(store: Store, id: str) -> None:
    """Close a client: its tokens end with it."""
    if store.connection.execute(update(_CLIENT).where(_CLIENT.c.id == id).values(closed=micros(store.at))).rowcount == 0:
        raise NotFound("there is no such client")
    store.audit("client-close", f"client/{id}")


def authenticated(
    store: Store, *, id: str | None, secret: str | None, assertion_type: str | None, assertion: str | None, audiences: Iterable[str],
    shown: Certificate | None = None,
) -> Client:  # fmt: skip
    """The client that proved who it is; a public one says it only.

    Args:
        audiences: urls of the token endpoint that an assertion may be meant for.
        shown: the certificate that it connects with.

    Raises:
        NotAuthenticated: it did not.
    """
    if assertion is not None:
        if assertion_type != ASSERTION_TYPE:
            raise NotAuthenticated(f"client_assertion_type must be {ASSERTION_TYPE}", reason="invalid_client")
        return _by_assertion(store, assertion, frozenset(audiences))
    client = client_of(store, id or "")
    if client.jwks is not None:
        raise NotAuthenticated("this client proves who it is with a signed assertion", reason="invalid_client")
    if not holds(client.certificate, shown):
        raise NotAuthenticated("this client proves who it is with its certificate; connect with it", reason="invalid_client")
    if client.secret is not None and not hmac.compare_digest(digest(secret or ""), client.secret):
        raise NotAuthenticated("the secret of this client is not right", reason="invalid_client")
    return client


def _by_assertion(store: Store, assertion: str, audiences: frozenset[str]) -> Client:
    """RFC 7523 3: signed by a key of the client, for us, not for long, and once."""
    refused = NotAuthenticated(
        "the client assertion is not signed by a key of this client for this server, or has ended", reason="invalid_client"
    )
    try:
        claimed = json.loads(urlsafe_b64decode(assertion.split(".")[1].encode()))
        client = client_of(store, str(claimed["sub"]))
        claims = jwt.decode(assertion, _keys(client.jwks or '{"keys":[]}'), algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, KeyError, IndexError, TypeError, Invalid):
        raise refused from None
    now, expires, told = store.at.timestamp(), claims.get("exp"), claims.get("aud")
    meant = {told} if isinstance(told, str) else set(told or ())
    if claims.get("iss") != client.id or not meant & audiences or not isinstance(claims.get("jti"), str):
        raise refused
    if not isinstance(expires, int | float) or not now < expires <= now + _LIFE.total_seconds() + _CLOCK_SKEW:
        raise refused
    if claims.get("nbf", 0) > now + _CLOCK_SKEW:
        raise refused
    jti = digest(f"{client.id}\n{claims['jti']}")
    if store.connection.execute(select(_ASSERTION.c.hash).where(_ASSERTION.c.hash == jti)).first():
        raise NotAuthenticated("this client assertion was used already; sign a new one", reason="invalid_client")
    store.connection.execute(insert(_ASSERTION).values(hash=jti, expires=int(expires * 1_000_000)))
    store.connection.execute(delete(_ASSERTION).where(_ASSERTION.c.expires < micros(store.at - _LIFE)))
    return client


def _keys(jwks: str) -> KeySet:
    try:
        told: Any = json.loads(jwks)
        keys = KeySet.import_key_set(told)
    except (ValueError, KeyError, TypeError, JoseError):
        raise Invalid('the keys are not a JWK set such as {"keys": [{"kty": "EC", ...}]}') from None
    if any(key.is_private for key in keys.keys):
        raise Invalid("the keys hold a private part: give the public keys alone, and make new ones, since these have been shown")
    return keys


def _check_redirect(place: str) -> None:
    parts = urlsplit(place)
    own_scheme = "." in parts.scheme  # an app's own scheme is a reversed domain name (RFC 8252 7.1)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if parts.fragment or not (own_scheme or local or (parts.scheme == "https" and parts.netloc)) or " " in place:
        raise Invalid("an answer goes to an https address, to http on the same machine, or to an app's own scheme, without a fragment")
