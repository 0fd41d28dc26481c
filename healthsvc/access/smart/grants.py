"""Grants: what a person agreed to, or a backend service got; the codes and tokens that come of it, and how they end."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Row, delete, func, insert, select, update

from healthsvc.access import rules
from healthsvc.access.sessions import digest
from healthsvc.access.smart import scopes as smart
from healthsvc.access.smart.clients import Client
from healthsvc.errors import Refusal
from healthsvc.store import Actor, Store
from healthsvc.store.access_tables import UserRow
from healthsvc.store.smart_tables import ClientRow, GrantRow, OauthTokenRow
from healthsvc.store.stored import micros, moment

_GRANT = GrantRow.__table__  # type: ignore[attr-defined]
_TOKEN = OauthTokenRow.__table__  # type: ignore[attr-defined]
_CLIENT = ClientRow.__table__  # type: ignore[attr-defined]
_USER = UserRow.__table__  # type: ignore[attr-defined]
PREFIX = "hs_"
OFFLINE = "offline_access"
ONLINE = "online_access"


class BadGrant(Refusal):
    """The code, token or verifier is not good (any more): RFC 6749 5.2 ``invalid_grant``."""

    status = 400
    issue_code = "security"


@dataclass(frozen=True, slots=True)
class SmartPolicy:
    """How long codes and tokens live (access.toml)."""

    code_seconds: int
    access_token_minutes: int
    refresh_days: int
    online_refresh_hours: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets."""

    access: str
    expires_in: int
    """Seconds."""
    scopes: frozenset[str]
    refresh: str | None = None
    patient: str | None = None
    login: str | None = None
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A token as introspection tells it."""

    actor: Actor
    client: str
    scopes: frozenset[str]
    expires: datetime
    login: str | None
    bound: str | None = None
    """``sha256:`` of the certificate that it wants (RFC 8705 3)."""


def smart_policy(store: Store) -> SmartPolicy:
    """The policy values in force now."""
    return store.policy.fill(SmartPolicy, "access", store.at.date())


def agree(
    store: Store,
    client: Client,
    login: str,
    scopes: frozenset[str],
    *,
    redirect: str,
    challenge: str,
    patient: str | None = None,
    nonce: str | None = None,
) -> str:
    """A person agrees: gives the code that the client exchanges for tokens.

    Args:
        challenge: the S256 challenge of PKCE; every client has to bring one.
        patient: id of the Patient whom ``patient/`` scopes are about.
    """
    grant = _new_grant(store, client, login, scopes, patient)
    code = secrets.token_urlsafe(32)
    life = timedelta(seconds=smart_policy(store).code_seconds)
    _keep(store, grant, "code", code, life, redirect=redirect, challenge=challenge, nonce=nonce)
    store.audit("client-agree", f"client/{client.id}", patient=patient)
    return code


def exchange(store: Store, client: Client, code: str, redirect: str, verifier: str) -> Tokens:
    """Exchange a code, once.

    Raises:
        BadGrant: it is not a code of this client and address, has ended, was used (then everything that came of it ends), or the
            verifier does not fit its challenge.
    """
    row = _found(store, code, "code")
    if row is None or row.client != client.id or row.redirect != redirect:
        raise BadGrant("the code is not good for this client and address", reason="invalid_grant")
    if row.used:
        end_grant(store, row.grant_id)
        raise BadGrant("the code was used already; everything that came of it has ended", reason="invalid_grant")
    if micros(store.at) >= row.expires or row.revoked is not None:
        raise BadGrant("the code has ended; ask for a new one", reason="invalid_grant")
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(made, row.challenge or ""):
        raise BadGrant("the code_verifier does not fit the code_challenge", reason="invalid_grant")
    _use(store, row.hash)
    return _issue(store, row.grant_id, row, nonce=row.nonce)


def refresh(store: Store, client: Client, token: str, narrower: Iterable[str] | None = None) -> Tokens:
    """New tokens for a refresh token, which is used up by it; used again, everything that came of the grant ends (RFC 9700 4.14)."""
    row = _found(store, token, "refresh")
    if row is None or row.client != client.id:
        raise BadGrant("the refresh token is not good for this client", reason="invalid_grant")
    if row.used:
        end_grant(store, row.grant_id)
        raise BadGrant("the refresh token was used already; everything that came of it has ended", reason="invalid_grant")
    if micros(store.at) >= row.expires or row.revoked is not None or not _person_open(store, row.login):
        raise BadGrant("the refresh token has ended; sign in again", reason="invalid_grant")
    held = frozenset(row.scopes.split())
    if narrower is not None and not frozenset(narrower) <= held:
        raise BadGrant("a refresh asks for more than was granted", reason="invalid_scope")
    _use(store, row.hash)
    return _issue(store, row.grant_id, row)


def by_itself(store: Store, client: Client, scopes: frozenset[str], bound: str | None = None) -> Tokens:
    """An access token for a backend service; ``bound`` to the certificate that it connects with, where that is its proof."""
    grant = _new_grant(store, client, None, scopes, None, bound)
    store.audit("client-token", f"client/{client.id}")
    return _issue(store, grant, None, scopes=scopes)


def end_grant(store: Store, grant: str) -> None:
    """End everything that came of a grant."""
    ended = update(_GRANT).where(_GRANT.c.id == grant, _GRANT.c.revoked.is_(None)).values(revoked=micros(store.at))
    if store.connection.execute(ended).rowcount:
        store.audit("client-end", f"grant/{grant}")


def end_all(store: Store, client: str) -> int:
    """End everything that a client was ever granted; gives how many grants were live."""
    alive = [row.id for row in store.connection.execute(select(_GRANT.c.id).where(_GRANT.c.client == client, _GRANT.c.revoked.is_(None)))]
    for grant in alive:
        end_grant(store, grant)
    return len(alive)


def live(store: Store) -> dict[str, int]:
    """How many grants of each client have a token that is still good."""
    good = (_GRANT.c.revoked.is_(None)) & (_TOKEN.c.expires > micros(store.at)) & (~_TOKEN.c.used)
    counted = select(_GRANT.c.client, func.count(_GRANT.c.id.distinct())).join(_TOKEN, _TOKEN.c.grant_id == _GRANT.c.id).where(good)
    return {client: int(count) for client, count in store.connection.execute(counted.group_by(_GRANT.c.client))}


def revoke(store: Store, client: Client, token: str) -> None:
    """End the grant of a token of this client (RFC 7009); a token that is not known changes nothing."""
    row = _found(store, token, None)
    if row is not None and row.client == client.id:
        end_grant(store, row.grant_id)


def known(store: Store, secret: str) -> Known | None:
    """Who a token stands for, and with which scopes; None where it is not good (any more)."""
    row = _found(store, secret, "access")
    if row is None or row.revoked is not None or row.closed is not None or micros(store.at) >= row.expires:
        return None
    scopes = frozenset(row.scopes.split())
    if row.login is None:
        held = rules.held_areas(row.areas)
        actor = Actor(f"client/{row.client}", row.name, frozenset({row.role or ""}), "rest", held, scopes, None, row.client)
        return Known(actor, row.client, scopes, moment(row.expires), None, row.bound)
    person = store.connection.execute(select(_USER).where(_USER.c.login == row.login, _USER.c.active)).first()
    if person is None:
        return None
    who = person.practitioner or f"user/{person.login}"
    roles, areas = frozenset(person.roles.split()), rules.held_areas(person.areas)
    actor = Actor(who, person.name, roles, "rest", areas, scopes, row.patient, row.client)
    return Known(actor, row.client, scopes, moment(row.expires), row.login, row.bound)


def forget_tokens(store: Store) -> int:
    """Remove codes and tokens that ended a while ago; a timer calls it. Gives how many."""
    before = micros(store.at - timedelta(days=smart_policy(store).refresh_days))
    return int(store.connection.execute(delete(_TOKEN).where(_TOKEN.c.expires < before)).rowcount)


def _new_grant(
    store: Store, client: Client, login: str | None, scopes: frozenset[str], patient: str | None, bound: str | None = None
) -> str:
    id = secrets.token_urlsafe(18)
    values = {"id": id, "client": client.id, "login": login, "scopes": " ".join(sorted(scopes)), "patient": patient, "bound": bound}
    store.connection.execute(insert(_GRANT).values(created=micros(store.at), revoked=None, **values))
    return id


def _issue(store: Store, grant: str, row: Row[Any] | None, *, scopes: frozenset[str] | None = None, nonce: str | None = None) -> Tokens:
    policy = smart_policy(store)
    held = scopes if scopes is not None else frozenset(row.scopes.split() if row is not None else ())
    access, life = PREFIX + secrets.token_urlsafe(32), timedelta(minutes=policy.access_token_minutes)
    _keep(store, grant, "access", access, life)
    again = None
    if row is not None and held & {OFFLINE, ONLINE}:
        again = PREFIX + secrets.token_urlsafe(32)
        lasting = timedelta(days=policy.refresh_days) if OFFLINE in held else timedelta(hours=policy.online_refresh_hours)
        _keep(store, grant, "refresh", again, lasting)
    patient, login = (row.patient, row.login) if row is not None else (None, None)
    return Tokens(access, int(life.total_seconds()), held, again, patient, login, nonce)


def _keep(store: Store, grant: str, kind: str, secret: str, life: timedelta, **more: str | None) -> None:
    row = {"hash": digest(secret), "grant_id": grant, "kind": kind, "expires": micros(store.at + life), "used": False, **more}
    store.connection.execute(insert(_TOKEN).values(**row))


def _use(store: Store, hash: bytes) -> None:
    """Of two that exchange the same code at once one changes the row; the other finds it changed."""
    if store.connection.execute(update(_TOKEN).where(_TOKEN.c.hash == hash, ~_TOKEN.c.used).values(used=True)).rowcount == 0:
        raise BadGrant("it was used at this very moment", reason="invalid_grant")


def _found(store: Store, secret: str, kind: str | None) -> Row[Any] | None:
    columns = (_TOKEN, _GRANT.c.client, _GRANT.c.login, _GRANT.c.scopes, _GRANT.c.patient, _GRANT.c.revoked, _GRANT.c.bound)
    program = (_CLIENT.c.name, _CLIENT.c.role, _CLIENT.c.areas, _CLIENT.c.closed)
    joined = _TOKEN.join(_GRANT, _GRANT.c.id == _TOKEN.c.grant_id).join(_CLIENT, _CLIENT.c.id == _GRANT.c.client)
    asked = select(*columns, *program).select_from(joined).where(_TOKEN.c.hash == digest(secret))
    row: Any = store.connection.execute(asked if kind is None else asked.where(_TOKEN.c.kind == kind)).first()
    return cast("Row[Any] | None", row)


def _person_open(store: Store, login: str | None) -> bool:
    return (
        login is None or store.connection.execute(select(_USER.c.login).where(_USER.c.login == login, _USER.c.active)).first() is not None
    )


__all__ = ["BadGrant", "Known", "Tokens", "agree", "by_itself", "end_grant", "exchange", "known", "refresh", "revoke", "smart"]
