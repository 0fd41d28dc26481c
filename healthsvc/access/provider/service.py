"""Sign in at the provider: send the browser there, believe what comes back, find or make the account; and be told that a session ended."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from authlib.common.urls import add_params_to_uri
from sqlalchemy import Row, delete, insert, select, update

from healthsvc.access import accounts, rules
from healthsvc.access.accounts import ANONYMOUS, USER, SignedIn, access_policy
from healthsvc.access.phones import call_off
from healthsvc.access.provider import checking
from healthsvc.access.provider.checking import NotBelieved
from healthsvc.access.provider.rules import Identity, identity, rights_of, subject_of
from healthsvc.access.provider.settings import ProviderSettings
from healthsvc.access.provider.speaking import Provider
from healthsvc.access.sessions import Origin, digest
from healthsvc.errors import Conflict, Forbidden, NotFound, Refusal
from healthsvc.store import Database, Store
from healthsvc.store.access_tables import HandoverRow, SessionRow
from healthsvc.store.sealing import Seal
from healthsvc.store.smart_tables import AssertionRow
from healthsvc.store.stored import micros

log = structlog.get_logger()
_HANDOVER = HandoverRow.__table__  # type: ignore[attr-defined]
_SESSION = SessionRow.__table__  # type: ignore[attr-defined]
_SEEN = AssertionRow.__table__  # type: ignore[attr-defined]
_AWAY: Final = timedelta(minutes=15)
"""How long a browser may be away at the provider: somebody sets up a second factor there, and is still the same browser."""
HINT: Final = "access_session.hint"


@dataclass(frozen=True, slots=True)
class Handover:
    """What a browser takes along to the provider."""

    address: str
    cookie: str
    """Held by the browser alone; what comes back is believed only together with it."""


def begin(database: Database, provider: Provider, *, back: str, redirect: str, at: datetime) -> Handover:
    """Send a browser to the provider.

    Args:
        back: where the person wanted to go.
        redirect: our own address that the provider answers to.

    Raises:
        Unavailable: the provider does not answer.
    """
    state, cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    address = provider.address(state, _made(cookie, "nonce"), _made(cookie, "verifier"), redirect)
    with database.writing(ANONYMOUS, at=at) as store:
        row = {"state": digest(state), "browser": digest(cookie), "back": back, "expires": micros(at + _AWAY)}
        store.connection.execute(insert(_HANDOVER).values(**row))
    return Handover(address, cookie)


def finish(
    database: Database, provider: Provider, seal: Seal, *, state: str, cookie: str, code: str, iss: str | None, redirect: str,
    source: str, agent: str, at: datetime,
) -> tuple[SignedIn, str]:  # fmt: skip
    """A browser comes back; gives the session and where the person wanted to go. Every refusal is audited.

    Args:
        iss: who answers, where the provider says it (RFC 9207).

    Raises:
        NotBelieved: not this browser, not once, or not what our provider says.
        Forbidden: known to the provider, but nobody here.
        Unavailable: the provider does not answer.
    """
    told = provider.settings
    try:
        back = _taken(database, state, cookie, at)
        if iss not in (None, told.issuer) or (iss is None and provider.document().get("authorization_response_iss_parameter_supported")):
            raise NotBelieved("the answer comes from another identity provider", reason="iss")
        answer = provider.answer(code, _made(cookie, "verifier"), redirect)
        claims = checking.identity_claims(
            answer.id_token, provider.keys, issuer=told.issuer, client=told.client, nonce=_made(cookie, "nonce"),
            access=answer.access_token or None, at=at,
        )  # fmt: skip
        if told.userinfo:
            claims = provider.userinfo(answer.access_token, claims["sub"]) | claims
        who = identity(claims, told)
        with database.writing(ANONYMOUS, at=at) as store:
            row = _account(store, told, who)
            session = secrets.token_urlsafe(9)  # the sealed hint is bound to a name that is not the secret of the cookie
            hint = session.encode() + b"." + seal.close(answer.id_token.encode(), f"{HINT}/{session}")
            return accounts.let_in(store, row, Origin(source, agent, provided=True, strong=who.strong, sid=who.session, hint=hint)), back
    except Refusal as refusal:
        log.warning("sign-in at the identity provider refused", reason=refusal.reason)
        with database.writing(ANONYMOUS, at=at) as store:
            store.audit("sign-in", None, outcome="failure", purpose="identity-provider")
        raise


def _taken(database: Database, state: str, cookie: str, at: datetime) -> str:
    """The handover of this state and this browser, which is used up by it."""
    with database.writing(ANONYMOUS, at=at) as store:
        mine = (_HANDOVER.c.state == digest(state)) & (_HANDOVER.c.browser == digest(cookie)) & (_HANDOVER.c.expires > micros(at))
        row = store.connection.execute(select(_HANDOVER.c.back).where(mine)).first()
        if row is None or store.connection.execute(delete(_HANDOVER).where(mine)).rowcount != 1:
            raise NotBelieved("this sign-in was not begun in this browser, was used already, or took too long", reason="provider-state")
    return str(row.back)


def _account(store: Store, told: ProviderSettings, who: Identity) -> Row[Any]:
    """The account of a person of the provider: theirs already, the one that expects them, or a new one."""
    row = _row(store, USER.c.subject == who.subject) or _expected(store, who)
    if row is None:
        if told.accounts != "make":
            raise Forbidden("nobody has made an account for you here; ask a security administrator", reason="provider-unknown")
        row = _made_account(store, told, who)
    elif not row.active:
        raise Forbidden("your account here is closed; ask a security administrator", reason="provider-closed")
    if told.rights == "groups":
        row = _with_rights(store, told, who, row)
    return row


def _expected(store: Store, who: Identity) -> Row[Any] | None:
    """The account that a security administrator has told to expect this name; from now on it is this person's and nobody else's."""
    row = _row(store, (USER.c.expected == who.expected) & USER.c.subject.is_(None))
    if row is None:
        return None
    store.connection.execute(update(USER).where(USER.c.login == row.login).values(subject=who.subject))
    store.audit("user-link", f"user/{row.login}")
    return row


def _made_account(store: Store, told: ProviderSettings, who: Identity) -> Row[Any]:
    """An account at the first sign-in; its password is known to nobody, so that it opens by the provider alone."""
    rights = rights_of(who.groups, told, apart=access_policy(store).administrators_apart)
    login = _login_of(who)
    if _row(store, USER.c.login == login) is not None:
        login = f"{login[:26]}-{hashlib.sha256(who.subject.encode()).hexdigest()[:5]}"
    accounts.create_user(store, login, ",".join(rights.roles), name=who.name or login, practitioner=None, areas=rights.areas)
    store.connection.execute(update(USER).where(USER.c.login == login).values(subject=who.subject))
    row = _row(store, USER.c.login == login)
    assert row is not None
    return row


def _with_rights(store: Store, told: ProviderSettings, who: Identity, row: Row[Any]) -> Row[Any]:
    """Roles and areas as the groups say today."""
    rights = rights_of(who.groups, told, apart=access_policy(store).administrators_apart)
    practitioner = _practitioner(store, who.practitioner) if told.practitioner else row.practitioner
    now = {"roles": " ".join(rights.roles), "areas": rules.joined_areas(rights.areas), "practitioner": practitioner}
    if any(getattr(row, name) != value for name, value in now.items()):
        store.connection.execute(update(USER).where(USER.c.login == row.login).values(**now))
        store.audit("user-rights", f"user/{row.login}")
        row = _row(store, USER.c.login == row.login) or row
    return row


def _practitioner(store: Store, id: str | None) -> str | None:
    if id is None:
        return None
    if store.find("Practitioner", id) is None:
        raise Forbidden("the identity provider names a member of the staff whom nobody knows here", reason="provider-practitioner")
    return f"Practitioner/{id}"


def expect(store: Store, login: str, name: str | None) -> None:
    """Say under which name of the provider an account may be taken; another name, or none, lets go of who has taken it.

    Raises:
        NotFound, Conflict: there is no such account, or another one expects this name.
    """
    wanted = (name or "").strip().lower() or None
    if wanted is not None and _row(store, (USER.c.expected == wanted) & (USER.c.login != login)) is not None:
        raise Conflict("another account expects this name", reason="provider-expected")
    changed = update(USER).where(USER.c.login == login).values(expected=wanted, subject=None)
    if store.connection.execute(changed).rowcount == 0:
        raise NotFound("there is no such account")
    store.connection.execute(delete(_SESSION).where(_SESSION.c.login == login, _SESSION.c.provided))
    store.audit("user-expect", f"user/{login}")


def farewell(database: Database, provider: Provider, seal: Seal, token: str, *, back: str, at: datetime) -> str | None:
    """Where to go to end the provider's own session too (RP-Initiated Logout 1.0); None where it cannot, or the session is not its."""
    with database.reading(ANONYMOUS, at=at) as store:
        row = store.connection.execute(select(_SESSION.c.hint).where(_SESSION.c.hash == digest(token), _SESSION.c.provided)).first()
    if row is None or row.hint is None:
        return None
    name, _, sealed = row.hint.partition(b".")
    try:
        address = provider.document().get("end_session_endpoint")
        hint = seal.open(sealed, f"{HINT}/{name.decode()}").decode()
    except Refusal as refusal:
        log.warning("the identity provider's session goes on", reason=refusal.reason)
        return None
    if not isinstance(address, str):
        return None
    asked = [("id_token_hint", hint), ("client_id", provider.settings.client), ("post_logout_redirect_uri", back)]
    return str(add_params_to_uri(address, asked))


def told_ended(database: Database, provider: Provider, token: str, *, at: datetime) -> int:
    """The provider says that a session, or all of a person, ended (Back-Channel Logout 1.0); gives how many ended here.

    Raises:
        NotBelieved: the token is not the provider's, not for us, or was used already.
    """
    told = provider.settings
    claims = checking.logout_claims(token, provider.keys, issuer=told.issuer, client=told.client, at=at)
    with database.writing(ANONYMOUS, at=at) as store:
        once = digest(f"{told.issuer}\n{claims['jti']}")
        if store.connection.execute(select(_SEEN.c.hash).where(_SEEN.c.hash == once)).first():
            raise NotBelieved("this logout token was used already", reason="replay")
        store.connection.execute(insert(_SEEN).values(hash=once, expires=micros(at + timedelta(days=1))))
        theirs = _SESSION.c.provided
        if claims.get("sid"):
            theirs &= _SESSION.c.sid == str(claims["sid"])
        if claims.get("sub"):
            whose = select(USER.c.login).where(USER.c.subject == subject_of(told.issuer, str(claims["sub"])))
            theirs &= _SESSION.c.login.in_(whose)
        call_off(store, theirs)
        ended = int(store.connection.execute(delete(_SESSION).where(theirs)).rowcount)
        store.audit("sign-out", None, purpose="identity-provider")
    return ended


def forget_handovers(store: Store) -> int:
    """Remove those who never came back; a timer calls it. Gives how many."""
    return int(store.connection.execute(delete(_HANDOVER).where(_HANDOVER.c.expires < micros(store.at))).rowcount)


def _made(cookie: str, what: str) -> str:
    """Nonce and verifier, 43 characters each, made of what only this browser holds: nothing of them lies in the database."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"{what}\n{cookie}".encode()).digest()).rstrip(b"=").decode()


def _login_of(who: Identity) -> str:
    """A login that looks like the provider's name of the person."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", who.expected.partition("@")[0]).strip("-._")
    plain = plain if plain[:1].isalpha() else f"u{plain}"
    return plain[:32] if len(plain) > 1 else f"u-{hashlib.sha256(who.subject.encode()).hexdigest()[:8]}"


def _row(store: Store, condition: Any) -> Row[Any] | None:
    row: Row[Any] | None = store.connection.execute(select(USER).where(condition)).first()
    return row
