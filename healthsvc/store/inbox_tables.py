"""Tables of the hospital line: what has arrived, and how far each stream of events has been followed."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

_PK = BigInteger().with_variant(Integer, "sqlite")


class InboxRow(SQLModel, table=True):
    """One message as it arrived, its answer, and what has become of it."""

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("link", "sender", "control_id", "hash", name="uq_inbox_message"),
        Index("ix_inbox_state", "state", "id"),
        Index("ix_inbox_control_id", "control_id", "id"),
    )
    id: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    link: str = Field(sa_column=Column(String, nullable=False))
    """Name of the link profile; empty where no profile knew the sender."""
    sender: str = Field(sa_column=Column(String, nullable=False))
    """MSH-3 and MSH-4 as sent, with the delimiter between them."""
    control_id: str = Field(sa_column=Column(String, nullable=False))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """BLAKE2b-128 of the bytes."""
    event: str = Field(sa_column=Column(String, nullable=False))
    listen: str = Field(sa_column=Column(String, nullable=False))
    peer: str = Field(sa_column=Column(String, nullable=False))
    received: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    """Microseconds since 1970 UTC."""
    raw: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """The bytes; None once a message about somebody who is none of ours has been forgotten, or the time of the inbox's own copy is over."""
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    code: str = Field(sa_column=Column(String(2), nullable=False))
    """MSA-1 of the answer."""
    state: str = Field(sa_column=Column(String, nullable=False))
    """pending, done, ignored, review, dead, quarantine, forgotten or replaced."""
    reused: bool = Field(sa_column=Column(Boolean, nullable=False))
    """The sender had used the same control id for other content before."""
    attempts: int = Field(sa_column=Column(Integer, nullable=False))
    due: int = Field(sa_column=Column(BigInteger, nullable=False))
    finished: int | None = Field(default=None, sa_column=Column(BigInteger))
    reason: str | None = Field(default=None, sa_column=Column(String))
    """A stable reason code where it is not done."""
    place: str | None = Field(default=None, sa_column=Column(String))
    """The HL7 position or FHIR path that is to blame."""
    remark: str | None = Field(default=None, sa_column=Column(Text))
    """What an operator should know, without any person's particulars."""
    made: str | None = Field(default=None, sa_column=Column(Text))
    """What it wrote, as references separated by blanks."""
    overrules: bool | None = Field(default=None, sa_column=Column(Boolean))
    """An operator has said that its word counts, whatever was corrected here since it came."""


class ArrivedRow(SQLModel, table=True):
    """One message that is on disk and answered, on its way into the inbox (``anteroom``); its columns are those of the inbox."""

    __tablename__ = "arrived"
    id: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    """The number that it will have in the inbox."""
    link: str = Field(sa_column=Column(String, nullable=False))
    sender: str = Field(sa_column=Column(String, nullable=False))
    control_id: str = Field(sa_column=Column(String, nullable=False))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    event: str = Field(sa_column=Column(String, nullable=False))
    listen: str = Field(sa_column=Column(String, nullable=False))
    peer: str = Field(sa_column=Column(String, nullable=False))
    received: int = Field(sa_column=Column(BigInteger, nullable=False))
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    answer: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    code: str = Field(sa_column=Column(String(2), nullable=False))


class SequenceRow(SQLModel, table=True):
    """How far the sequence numbers (MSH-13) of one sender have come; most senders have none."""

    __tablename__ = "line_sequence"
    link: str = Field(sa_column=Column(String, primary_key=True))
    sender: str = Field(sa_column=Column(String, primary_key=True))
    last: int = Field(sa_column=Column(BigInteger, nullable=False))
    missing: str = Field(sa_column=Column(Text, nullable=False))
    """Ranges that did not come, as JSON: first, last, when it was noticed."""


class FollowedRow(SQLModel, table=True):
    """How far a stream of events has been followed: of one visit, one report, one person's particulars on one link."""

    __tablename__ = "followed"
    key: str = Field(sa_column=Column(String, primary_key=True))
    happened: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When the latest event that was applied happened, microseconds since 1970 UTC."""
    event: str = Field(sa_column=Column(String, nullable=False))
