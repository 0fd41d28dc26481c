"""第二因素 a second factor at sign-in: a code of six digits that changes every half minute (RFC 6238), and recovery codes on paper."""

import hmac
import secrets
from datetime import datetime
from typing import Any

import pyotp
from sqlalchemy import Row, select, update

from healthsvc.access.accounts import ANONYMOUS, USER, TooManyAttempts, access_policy, note_failure, source_is_shut
from healthsvc.access.rules import Lock
from healthsvc.access.sessions import confirm_session, digest
from healthsvc.errors import Conflict, NotFound, RuleViolation
from healthsvc.store import Database, Store
from healthsvc.store.sealing import Seal
from healthsvc.store.stored import moment

_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10
"""80 random bits a code: a fast hash is enough."""
_SEPARATOR = " "


def begin(store: Store, seal: Seal, login: str, issuer: str) -> tuple[str, str]:
    """Make a secret that waits for its first code; gives it in base32 and as an otpauth address for a QR code."""
    row = _row(store, login)
    if row.factor is not None:
        raise Conflict("the account has a second factor; a security administrator can take it away first", reason="factor-there")
    secret = pyotp.random_base32()
    store.connection.execute(update(USER).where(USER.c.login == login).values(factor_waiting=seal.close(secret.encode(), _what(login))))
    return secret, pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def finish(store: Store, seal: Seal, login: str, code: str) -> list[str]:
    """Put the waiting secret in force, once its first code is right; gives the recovery codes, the only time they can be seen.

    Raises:
        RuleViolation: the code is not right.
        Conflict: no secret waits.
    """
    row = _row(store, login)
    if row.factor_waiting is None:
        raise Conflict("begin with a new secret", reason="factor-not-begun")
    step = _step_of(seal.open(row.factor_waiting, _what(login)).decode(), code, store.at, after=0)
    if step is None:
        raise RuleViolation("the code is not right; the clock of the telephone may be wrong", reason="factor-wrong")
    codes = [secrets.token_hex(_RECOVERY_BYTES) for _ in range(_RECOVERY_CODES)]
    store.connection.execute(
        update(USER)
        .where(USER.c.login == login)
        .values(factor=row.factor_waiting, factor_waiting=None, factor_step=step, recovery=_SEPARATOR.join(digest(c).hex() for c in codes))
    )
    store.audit("factor-on", f"user/{login}")
    return codes


def take_away(store: Store, login: str) -> None:
    """Take the second factor away (a lost telephone); the person sets up another where their role must have one."""
    _row(store, login)
    store.connection.execute(
        update(USER).where(USER.c.login == login).values(factor=None, factor_waiting=None, factor_step=0, recovery=None)
    )
    store.audit("factor-off", f"user/{login}")


def confirm(database: Database, seal: Seal, login: str, session: str, code: str, *, source: str, at: datetime) -> str:
    """Give the second factor of a session that waits for it; the session goes on under a new token, which is returned.

    A code counts once; failures count against the account and the address as wrong passwords do.

    Raises:
        RuleViolation: the code is not right, or was used.
        TooManyAttempts: too many failures.
    """
    with database.reading(ANONYMOUS, at=at) as store:
        if source_is_shut(store, source):
            raise TooManyAttempts("too many failed attempts from this place; wait a while", reason="source-locked")
    token: str | None = None
    with database.writing(ANONYMOUS, at=at) as store:
        row = _row(store, login)
        shut = Lock(row.failed, moment(row.locked_until) if row.locked_until else None).shut(at)
        if not shut and _accepted(store, seal, row, code):
            token = confirm_session(store, session)
            store.audit("second-factor", f"user/{login}")
        elif not shut:
            note_failure(store, row, source)
            store.audit("second-factor", f"user/{login}", outcome="failure")
    if shut:
        raise TooManyAttempts(
            f"the account is locked for up to {_lock_minutes(database, at)} minutes; ask an administrator or wait", reason="locked"
        )
    if token is None:
        raise RuleViolation("the code is not right, or was used already; wait for the next one", reason="factor-wrong")
    return token


def _accepted(store: Store, seal: Seal, row: Row[Any], code: str) -> bool:
    """Whether it is the code of the moment or an unused recovery code; either is used up by it."""
    if row.factor is None:
        return False
    given = "".join(code.split()).lower()
    step = _step_of(seal.open(row.factor, _what(row.login)).decode(), given, store.at, after=row.factor_step)
    if step is not None:
        store.connection.execute(update(USER).where(USER.c.login == row.login).values(factor_step=step, failed=0))
        return True
    kept = (row.recovery or "").split(_SEPARATOR)
    used = [one for one in kept if one and hmac.compare_digest(one, digest(given).hex())]
    if not used:
        return False
    left = _SEPARATOR.join(one for one in kept if one not in used)
    store.connection.execute(update(USER).where(USER.c.login == row.login).values(recovery=left, failed=0))
    return True


def _step_of(secret: str, code: str, at: datetime, *, after: int) -> int | None:
    """The time step whose code this is: now or one to either side (RFC 6238 5.2), and later than the last that was used."""
    totp = pyotp.TOTP(secret)
    now = totp.timecode(at)
    good = [step for step in (now - 1, now, now + 1) if step > after and hmac.compare_digest(totp.generate_otp(step), code)]
    return good[0] if good else None


def _row(store: Store, login: str) -> Row[Any]:
    row = store.connection.execute(select(USER).where(USER.c.login == login)).first()
    if row is None:
        raise NotFound("there is no such account")
    return row


def _lock_minutes(database: Database, at: datetime) -> int:
    with database.reading(ANONYMOUS, at=at) as store:
        return access_policy(store).lock_minutes


def _what(login: str) -> str:
    return f"access_user.factor/{login}"
