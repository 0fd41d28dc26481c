"""What only one resource may hold at a time (the one active contract of a person): one row with a unique key."""

from sqlalchemy import Connection

from healthsvc.store.driver import for_driver, run

_TAKE = "INSERT INTO claim (key, holder) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
_HOLDER = "SELECT holder FROM claim WHERE key = ?"
_RELEASE = "DELETE FROM claim WHERE key = ?"


def take(connection: Connection, key: str, holder: str) -> None:
    """Take what nobody holds; who has it now is to be asked afterwards."""
    run(connection, for_driver(connection, _TAKE), (key, holder))


def holder(connection: Connection, key: str) -> str | None:
    """Who holds it."""
    row = run(connection, for_driver(connection, _HOLDER), (key,)).fetchone()
    return None if row is None else str(row[0])


def release(connection: Connection, key: str, holder: str | None) -> None:
    """Give it back (only if ``holder`` has it, where one is named)."""
    if holder is None:
        run(connection, for_driver(connection, _RELEASE), (key,))
    else:
        run(connection, for_driver(connection, f"{_RELEASE} AND holder = ?"), (key, holder))
