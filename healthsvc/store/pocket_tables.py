"""Tables of what is carried on phones: which phone may, and which of its records have been taken in."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Text
from sqlmodel import Field, SQLModel


class PocketRow(SQLModel, table=True):
    """One browser of one account that carries visits along."""

    __tablename__ = "pocket"
    id: str = Field(sa_column=Column(String(40), primary_key=True))
    token: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """SHA-256 of the secret by which the phone asks whether it still may."""
    login: str = Field(sa_column=Column(String(64), nullable=False, index=True))
    session: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """Hash of the session that opened it last: it is called off with it."""
    key: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """The key of what lies on the phone, sealed; NULL: it was forgotten, and with it whatever it closed."""
    opened: int = Field(sa_column=Column(BigInteger, nullable=False))
    seen: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Its last contact, microseconds since 1970 UTC."""
    ended: int | None = Field(default=None, sa_column=Column(BigInteger))


class PocketRecordRow(SQLModel, table=True):
    """A record that came from a phone and had an effect: sent again, it is answered as the first time."""

    __tablename__ = "pocket_record"
    __table_args__ = (Index("ix_pocket_record_waiting", "outcome", "handled"),)
    key: str = Field(sa_column=Column(String(64), primary_key=True))
    """The idempotency key, made on the phone."""
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """SHA-256 of what was sent, without the moment of sending."""
    login: str = Field(sa_column=Column(String(64), nullable=False))
    task: str = Field(sa_column=Column(String(64), nullable=False, index=True))
    patient: str = Field(sa_column=Column(String(64), nullable=False))
    outcome: str = Field(sa_column=Column(String(16), nullable=False))
    """store, keep or desk."""
    clashes: str = Field(sa_column=Column(String, nullable=False))
    """What both sides differed in, separated by blanks."""
    answer: str = Field(sa_column=Column(Text, nullable=False))
    """What was answered, as JSON: codes and ids, nothing of a person."""
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """What was put aside or left to the desk, sealed."""
    made: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When it was signed, by the phone's clock."""
    received: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When it came in, by ours."""
    handled: int | None = Field(default=None, sa_column=Column(BigInteger))
    handler: str | None = Field(default=None, sa_column=Column(String))
    note: str | None = Field(default=None, sa_column=Column(String))
