"""The facts of the sealing in the database: which keys it needs, and how far each walk has come."""

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, delete, select, text

from healthsvc.store.sealing_tables import SEALING

LOOKUP: Final = "lookup"
"""Fingerprint of the key of the look-up hashes."""
INDEX: Final = "index"
"""How far the search index has been hashed: a pk, or ``done``."""
_KEY: Final = "key:"
_PUT = text("INSERT INTO sealing (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
_PUT_NEW = text("INSERT INTO sealing (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING")


def facts(connection: Connection, to_change: str | None = None) -> dict[str, str]:
    """All facts; ``to_change`` names one that no other process may change before this transaction ends."""
    if to_change is not None and connection.dialect.name == "postgresql":
        connection.execute(select(SEALING.c.value).where(SEALING.c.name == to_change).with_for_update())
    return {row.name: row.value for row in connection.execute(select(SEALING))}


def put(connection: Connection, name: str, value: str, *, only_new: bool = False) -> None:
    """Write a fact down."""
    connection.execute(_PUT_NEW if only_new else _PUT, {"name": name, "value": value})


def forget(connection: Connection, name: str) -> None:
    """Take a fact away."""
    connection.execute(delete(SEALING).where(SEALING.c.name == name))


def key_fact(kid: str) -> str:
    """The fact that a key is in use; its value is since when."""
    return f"{_KEY}{kid}"


def held(known: Mapping[str, str]) -> Iterator[str]:
    """The kids of the keys in use."""
    return (name.removeprefix(_KEY) for name in known if name.startswith(_KEY))
