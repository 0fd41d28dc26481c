"""The tables. Rows are dumb: no rule, no validation, no default that means something. One schema for SQLite and PostgreSQL.

Strings that repeat (types, parameters, code systems) are interned: the big tables carry small integers. A search parameter is interned
as ``Type.parameter`` (``Task.patient``); the patient compartment as ``Type.#patient``. The index tables are clustered on
(parameter, value, pk), so that a search is one range of a B-tree; a second index on pk lets an update replace a resource's entries.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, SmallInteger, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

metadata = SQLModel.metadata

_PK = BigInteger().with_variant(Integer, "sqlite")
_TEXT = String().with_variant(String(collation="C"), "postgresql")
"""Text that is compared by code points on both engines: prefix searches walk the B-tree whatever the database's language."""
LONG_MICROSECONDS = 172_800_000_000
"""Ranges of dates that are longer (two days) have an index of their own: what reaches over a moment is found among them and among the
ranges that begin shortly before it."""
LONG = f"high - low > {LONG_MICROSECONDS}"
NO_TERM = 0
"""Interned id of "there is none" (a code without a system)."""
HOT = ("resource", "history", "ix_token", "ix_string", "ix_date", "ix_reference", "ix_quantity", "ix_uri")
"""The tables of what is written about persons: each row carries the number of the county whose person it is about (``part``), so that a
PostgreSQL database can be laid out in partitions (:mod:`healthsvc.store.tenancy`). 0: nobody's, or of persons of several counties; on a
database that is not laid out, all."""
LAID_OUT = {**dict.fromkeys(HOT, "pk"), "audit": "seq"}
"""All tables that are laid out, each with the key by which its rows are copied: an act stays where its person was when it was done."""


def _part() -> Column[int]:
    return Column(SmallInteger, nullable=False, server_default="0")


class Term(SQLModel, table=True):
    """An interned string."""

    __tablename__ = "term"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    text: str = Field(sa_column=Column(String, nullable=False, unique=True))


class ResourceRow(SQLModel, table=True):
    """The current version of a resource."""

    __tablename__ = "resource"
    __table_args__ = (
        UniqueConstraint("type", "id", name="uq_resource_type_id"),
        Index("ix_resource_updated", "type", "updated", "pk"),
        Index("ix_resource_type", "type", "deleted", "pk"),
    )
    pk: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    type: int = Field(sa_column=Column(Integer, nullable=False))
    id: str = Field(sa_column=Column(String(64), nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    deleted: bool = Field(sa_column=Column(Boolean, nullable=False))
    updated: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Microseconds since 1970 UTC."""
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """BLAKE2b-128 of the body without meta.versionId and meta.lastUpdated: an unchanged PUT makes no version."""
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    part: int = Field(default=0, sa_column=_part())


class HistoryRow(SQLModel, table=True):
    """A former version of a resource."""

    __tablename__ = "history"
    __table_args__ = (Index("ix_history_type", "type", "updated", "pk", "version"),)
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    version: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    type: int = Field(sa_column=Column(Integer, nullable=False))
    deleted: bool = Field(sa_column=Column(Boolean, nullable=False))
    updated: int = Field(sa_column=Column(BigInteger, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    part: int = Field(default=0, sa_column=_part())


def _clustered(name: str) -> tuple[Index, dict[str, object]]:
    return Index(f"{name}_pk", "pk"), {"sqlite_with_rowid": False}


class TokenIndex(SQLModel, table=True):
    """Codes, identifiers, booleans."""

    __tablename__ = "ix_token"
    __table_args__ = _clustered("ix_token")
    param: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    code: str = Field(sa_column=Column(_TEXT, primary_key=True))
    system: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    part: int = Field(default=0, sa_column=_part())


class StringIndex(SQLModel, table=True):
    """Folded texts."""

    __tablename__ = "ix_string"
    __table_args__ = _clustered("ix_string")
    param: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    folded: str = Field(sa_column=Column(_TEXT, primary_key=True))
    exact: str = Field(sa_column=Column(_TEXT, primary_key=True))
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    part: int = Field(default=0, sa_column=_part())


class DateIndex(SQLModel, table=True):
    """Half-open ranges of microseconds since 1970 UTC."""

    __tablename__ = "ix_date"
    __table_args__ = (
        Index("ix_date_high", "param", "high", "low", "pk"),
        Index("ix_date_long", "param", "high", "low", "pk", sqlite_where=text(LONG), postgresql_where=text(LONG)),
        *_clustered("ix_date"),
    )
    param: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    low: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    high: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    part: int = Field(default=0, sa_column=_part())


class ReferenceIndex(SQLModel, table=True):
    """References: (type, id) for those that may live here; type ``NO_TERM`` and the url as id for all others."""

    __tablename__ = "ix_reference"
    __table_args__ = _clustered("ix_reference")
    param: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    target: str = Field(sa_column=Column(_TEXT, primary_key=True))
    target_type: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    part: int = Field(default=0, sa_column=_part())


class QuantityIndex(SQLModel, table=True):
    """Numbers and quantities as half-open ranges."""

    __tablename__ = "ix_quantity"
    __table_args__ = (Index("ix_quantity_middle", "param", "middle", "pk"), *_clustered("ix_quantity"))
    param: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    low: float = Field(sa_column=Column(Float, primary_key=True))
    high: float = Field(sa_column=Column(Float, primary_key=True))
    system: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    code: str = Field(sa_column=Column(_TEXT, primary_key=True))
    """The unit; an empty text where there is none (part of the key, hence not null)."""
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    middle: float | None = Field(default=None, sa_column=Column(Float))
    """Half of low and high together, by which numbers are compared and sorted; null where both ends are open."""
    part: int = Field(default=0, sa_column=_part())


class UriIndex(SQLModel, table=True):
    """URIs."""

    __tablename__ = "ix_uri"
    __table_args__ = _clustered("ix_uri")
    param: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    uri: str = Field(sa_column=Column(_TEXT, primary_key=True))
    pk: int = Field(sa_column=Column(_PK, primary_key=True, autoincrement=False))
    part: int = Field(default=0, sa_column=_part())


class ClaimRow(SQLModel, table=True):
    """Something that only one resource may hold at a time (the one active contract of a person)."""

    __tablename__ = "claim"
    key: str = Field(sa_column=Column(String, primary_key=True))
    holder: str = Field(sa_column=Column(String, nullable=False, index=True))


class OutboxRow(SQLModel, table=True):
    """Work for an outside system, written in the transaction that made it due."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_due", "state", "kind", "due"), Index("ix_outbox_number", "number", "kind"))
    id: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    kind: str = Field(sa_column=Column(String, nullable=False))
    key: str = Field(sa_column=Column(String, nullable=False))
    """Order is kept among rows of the same kind and key (one patient on one link)."""
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(sa_column=Column(String, nullable=False))
    attempts: int = Field(sa_column=Column(Integer, nullable=False))
    due: int = Field(sa_column=Column(BigInteger, nullable=False))
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    error: str | None = Field(default=None, sa_column=Column(Text))
    number: str | None = Field(default=None, sa_column=Column(String))
    """By what the other side names it in an answer that may come later (the control id of a hospital's message)."""


class AuditRow(SQLModel, table=True):
    """One act of one actor; append-only, each row carries the hash of the one before."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_patient", "patient", "seq"),
        Index("ix_audit_actor", "actor", "seq"),
        Index("ix_audit_chain", "chain", "seq", sqlite_where=text("chain > 0"), postgresql_where=text("chain > 0")),
        Index("ix_audit_anchor", "seq", sqlite_where=text("action = 'anchor'"), postgresql_where=text("action = 'anchor'")),
    )
    seq: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str = Field(sa_column=Column(String, nullable=False))
    door: str = Field(sa_column=Column(String, nullable=False))
    action: str = Field(sa_column=Column(String, nullable=False))
    subject: str | None = Field(default=None, sa_column=Column(String))
    """``Type/id`` of the resource that was read or written, or what was searched (parameter names, never values)."""
    version: int | None = Field(default=None, sa_column=Column(Integer))
    patient: str | None = Field(default=None, sa_column=Column(String))
    outcome: str = Field(sa_column=Column(String, nullable=False))
    purpose: str | None = Field(default=None, sa_column=Column(String))
    previous: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    chain: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    """Of the chains that grow side by side, the one that it belongs to."""
    part: int = Field(default=0, sa_column=_part())
