"""Local accounts: create, change the password, sign in with a lock-out, sign out."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import Row, delete, func, insert, select, update

from healthsvc.access import rules
from healthsvc.access.rules import AccessPolicy, Lock
from healthsvc.access.sessions import Origin, open_session
from healthsvc.errors import Conflict, NotFound, Refusal, RuleViolation
from healthsvc.store import Actor, Database, Store
from healthsvc.store.access_tables import AttemptRow, SessionRow, UserRow
from healthsvc.store.stored import micros, moment

USER = UserRow.__table__  # type: ignore[attr-defined]
_ATTEMPT = AttemptRow.__table__  # type: ignore[attr-defined]
_SESSION = SessionRow.__table__  # type: ignore[attr-defined]
_HASHER = PasswordHash((Argon2Hasher(),))
ANONYMOUS = Actor("anonymous", door="page")
"""Whoever has not signed in yet."""


class TooManyAttempts(Refusal):
    """This source or account has failed too often; waiting helps."""

    status = 429
    issue_code = "throttled"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as shown to an administrator."""

    login: str
    name: str
    roles: tuple[str, ...]
    practitioner: str | None
    areas: tuple[str, ...] | None
    active: bool
    must_change: bool
    locked: bool
    has_factor: bool
    expected: str | None = None
    """The name at the identity provider that may take this account."""
    linked: bool = False
    """Whether the provider's person has taken it."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that worked: the cookie's token and the CSRF token of the session."""

    token: str
    csrf: str
    login: str
    must_change: bool
    confirmed: bool
    """False: the session opens nothing but the page that asks for the second factor."""


def access_policy(store: Store) -> AccessPolicy:
    """The policy values of sign-in in force now."""
    return store.policy.fill(AccessPolicy, "access", store.at.date())


def create_user(
    store: Store,
    login: str,
    role: str,
    *,
    name: str = "",
    practitioner: str | None = None,
    areas: Iterable[str] | None = None,
    password: str | None = None,
    must_change: bool | None = None,
) -> str:
    """Make a local account and return its password.

    Args:
        login: 2 to 32 letters, digits, dots, dashes; stored in lower case.
        role: role code, or several separated by commas; see :class:`healthsvc.access.rules.Role`.
        practitioner: ``Practitioner/id`` of the member of the staff, so that "my day" is known.
        areas: ``Organization/id`` whose people the account looks after; None: everybody of this installation.
        password: None makes a random one.
        must_change: whether the person chooses another one at the first sign-in; None: yes, if it is a random one.

    Raises:
        Invalid, RuleViolation: login, role or password are not acceptable.
        Conflict: the login is taken.
    """
    login = rules.check_login(login)
    policy = access_policy(store)
    codes = rules.roles_of(role, apart=policy.administrators_apart)
    if must_change is None:
        must_change = password is None
    password = password or random_password()
    rules.check_password(password, login, policy)
    if store.connection.execute(select(USER.c.login).where(USER.c.login == login)).first():
        raise Conflict("this login is taken; choose another", path="login", reason="login-taken")
    now = micros(store.at)
    store.connection.execute(
        insert(USER).values(
            login=login, name=name.strip() or login, roles=" ".join(codes), practitioner=practitioner,
            areas=rules.joined_areas(areas), password=_HASHER.hash(password), must_change=must_change, active=True, failed=0,
            locked_until=0, created=now, changed=now,
        )
    )  # fmt: skip
    store.audit("user-create", f"user/{login}")
    return password


def random_password() -> str:
    """Sixteen letters and digits in four groups, without those that are mistaken for one another: about 78 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def accounts(store: Store) -> list[Account]:
    """All accounts by login."""
    now = micros(store.at)
    return [
        Account(
            r.login,
            r.name,
            tuple(r.roles.split()),
            r.practitioner,
            None if r.areas is None else tuple(r.areas.split()),
            r.active,
            r.must_change,
            r.locked_until > now,
            r.factor is not None,
            r.expected,
            r.subject is not None,
        )
        for r in store.connection.execute(select(USER).order_by(USER.c.login))
    ]


def set_password(store: Store, login: str, password: str, *, must_change: bool = False) -> None:
    """Set another password and end the person's sessions."""
    rules.check_password(password, login, access_policy(store))
    changed = {"password": _HASHER.hash(password), "must_change": must_change, "changed": micros(store.at), "failed": 0, "locked_until": 0}
    if store.connection.execute(update(USER).where(USER.c.login == login).values(**changed)).rowcount == 0:
        raise NotFound("there is no such account")
    store.connection.execute(delete(_SESSION).where(_SESSION.c.login == login))
    store.audit("password-change", f"user/{login}")


def change_own_password(database: Database, login: str, old: str, new: str, actor: Actor, *, at: datetime) -> None:
    """A person sets another password after giving the present one; sessions end everywhere."""
    with database.reading(actor, at=at) as store:
        row = store.connection.execute(select(USER.c.password).where(USER.c.login == login)).first()
    if row is None or not _HASHER.verify(old, row.password):
        raise RuleViolation("the present password is not right; type it again", reason="password-wrong")
    if old == new:
        raise RuleViolation("the new password is the present one; choose another", reason="password-unchanged")
    with database.writing(actor, at=at) as store:
        set_password(store, login, new)


def set_areas(store: Store, login: str, areas: Iterable[str] | None) -> None:
    """Say whose people an account looks after (``Organization/id``; None: everybody); its open sessions see the change at once."""
    if store.connection.execute(update(USER).where(USER.c.login == login).values(areas=rules.joined_areas(areas))).rowcount == 0:
        raise NotFound("there is no such account")
    store.audit("user-areas", f"user/{login}")


def set_active(store: Store, login: str, active: bool) -> None:
    """Close an account, or open it again; closing ends its sessions at once."""
    if store.connection.execute(update(USER).where(USER.c.login == login).values(active=active)).rowcount == 0:
        raise NotFound("there is no such account")
    if not active:
        store.connection.execute(delete(_SESSION).where(_SESSION.c.login == login))
    store.audit("user-open" if active else "user-close", f"user/{login}")


def sign_in(database: Database, login: str, password: str, *, source: str, at: datetime, agent: str = "") -> SignedIn:
    """Sign a person in.

    The costly hash is computed outside the write, and also for a login that does not exist, so that the time tells nothing.
    Success and failure are audited; failures count against the account and against the source address.

    Args:
        source: network address of the browser; of a failure only its hash is kept, for the length of the window.
        agent: what the browser calls itself; the list of sessions shows it.

    Raises:
        RuleViolation: wrong login or password (one text for both).
        TooManyAttempts: the account or the source is locked for a while.
    """
    login = login.strip().lower()[:64]
    with database.reading(ANONYMOUS, at=at) as store:
        policy = access_policy(store)
        if _attempts(store, source, policy) >= policy.source_attempts:
            raise TooManyAttempts(f"too many failed attempts from this place; wait {policy.source_minutes} minutes", reason="source-locked")
        row = store.connection.execute(select(USER).where(USER.c.login == login)).first()
    right = _HASHER.verify(password, row.password if row else _nobody()) and row is not None
    with database.writing(ANONYMOUS, at=at) as store:
        row = store.connection.execute(select(USER).where(USER.c.login == login)).first()
        signed_in = None
        shut = False
        if row is not None:
            lock = Lock(row.failed, moment(row.locked_until) if row.locked_until else None)
            shut = lock.shut(at)
            if right and not shut and row.active:
                signed_in = let_in(store, row, Origin(source, agent))
            elif not shut:
                _fail(store, login, lock.fail(at, policy))
        if signed_in is None:
            store.connection.execute(insert(_ATTEMPT).values(source=_source(source), at=micros(at)))
            # the login that was tried may be a mistyped password: only logins that exist are named
            store.audit("sign-in", f"user/{login}" if row is not None else None, outcome="failure")
    if signed_in is not None:
        return signed_in
    if shut and right:
        # only who knows the password learns that the account is locked
        raise TooManyAttempts(
            f"the account is locked for up to {policy.lock_minutes} minutes; ask an administrator or wait", reason="locked"
        )
    raise RuleViolation("login or password is not right", reason="sign-in-failed")


def let_in(store: Store, row: Row[Any], origin: Origin) -> SignedIn:
    """Open a session for somebody who has shown who they are; a second factor of ours is still asked for, where there is one."""
    store.connection.execute(update(USER).where(USER.c.login == row.login).values(failed=0, locked_until=0))
    confirmed = row.factor is None or origin.strong
    token, csrf = open_session(store, row.login, confirmed=confirmed, origin=origin)
    store.audit("sign-in", f"user/{row.login}")
    return SignedIn(token, csrf, row.login, row.must_change and not origin.provided, confirmed)


def note_failure(store: Store, row: Row[Any], source: str) -> None:
    """Count a failure of a known account against it and against the address that it came from."""
    _fail(store, row.login, Lock(row.failed, None).fail(store.at, access_policy(store)))
    store.connection.execute(insert(_ATTEMPT).values(source=_source(source), at=micros(store.at)))


def source_is_shut(store: Store, source: str) -> bool:
    """Whether so much failed from this address that it has to wait."""
    policy = access_policy(store)
    return _attempts(store, source, policy) >= policy.source_attempts


def _fail(store: Store, login: str, lock: Lock) -> None:
    until = micros(lock.until) if lock.until else 0
    store.connection.execute(update(USER).where(USER.c.login == login).values(failed=lock.failed, locked_until=until))
    if lock.until:
        store.audit("lock", f"user/{login}")


def _attempts(store: Store, source: str, policy: AccessPolicy) -> int:
    since = micros(store.at - timedelta(minutes=policy.source_minutes))
    counted = select(func.count()).select_from(_ATTEMPT).where(_ATTEMPT.c.source == _source(source), _ATTEMPT.c.at >= since)
    return int(store.connection.execute(counted).scalar_one())


def forget_attempts(store: Store) -> int:
    """Remove attempts that no window counts any more; a timer calls it. Gives how many."""
    before = micros(store.at - timedelta(minutes=access_policy(store).source_minutes))
    return int(store.connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.at < before)).rowcount)


def _source(address: str) -> bytes:
    return hashlib.sha256(address.encode()).digest()


@lru_cache(maxsize=1)
def _nobody() -> str:
    """A hash that no password fits, so that an unknown login takes as long as a known one."""
    return _HASHER.hash(secrets.token_urlsafe(32))
