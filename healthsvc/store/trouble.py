"""Database trouble, said clearly: one refusal for whatever a driver throws, without its statements and values."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from healthsvc.errors import Conflict, Unavailable
from healthsvc.store.postgres import COLLISION
from healthsvc.store.postgres import said as postgres_said


@contextmanager
def said_clearly() -> Iterator[None]:
    """Database trouble becomes one clear refusal; statements and values never leave this module."""
    try:
        yield
    except IntegrityError as error:
        raise Conflict("somebody else wrote the same in this very moment; read it again and repeat the change", reason=COLLISION) from error
    except NoConnection as error:
        raise Unavailable("all connections to the database are busy; try again, or raise HEALTHSVC_DATABASE_POOL") from error
    except (OperationalError, InterfaceError, InternalError, sqlite3.OperationalError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        words, reason = postgres_said(cause)
        if isinstance(error, InternalError) and words is None:  # a fault of ours, not of the server
            raise
        raise Unavailable(f"the database does not answer: {words or _kind(cause)}; try again", reason=reason) from error


def _kind(cause: BaseException | None) -> str:
    told = str(cause).lower()
    for known in ("database is locked", "disk is full", "readonly", "unable to open", "connection refused", "disk i/o error"):
        if known in told:
            return known
    if "connection" in told:
        return "the connection was lost"
    return type(cause).__name__
