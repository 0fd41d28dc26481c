"""Tables of those who follow the changes: how far each has come, and what each hospital was last told."""

from sqlalchemy import BigInteger, Column, String, Text, text
from sqlmodel import Field, SQLModel


class PlaceRow(SQLModel, table=True):
    """How far a reader of the changes has come."""

    __tablename__ = "reader_place"
    reader: str = Field(sa_column=Column(String, primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, nullable=False))


class ToldRow(SQLModel, table=True):
    """What a hospital was last told about something: only a digest of it, so that the same is not told twice."""

    __tablename__ = "told"
    destination: str = Field(sa_column=Column(String, primary_key=True))
    subject: str = Field(sa_column=Column(String, primary_key=True))
    digest: str = Field(sa_column=Column(String, nullable=False))
    event: str = Field(sa_column=Column(String, nullable=False))
    """The event with which it was told; empty where the hospital itself had told us."""
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Microseconds since 1970 UTC."""


class FeedRow(SQLModel, table=True):
    """The open lines of one listening process, written every few seconds so that pages of another process can show them."""

    __tablename__ = "feed"
    process: str = Field(sa_column=Column(String, primary_key=True))
    listen: str = Field(sa_column=Column(String, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    lines: str = Field(sa_column=Column(Text, nullable=False))
    """JSON: peer, seconds since it connected, messages, faults. No person, no message."""
    refused: str | None = Field(default=None, sa_column=Column(Text))
    """JSON: who was turned away of late: peer, why, how often, when last."""


PLACE = PlaceRow.__table__  # type: ignore[attr-defined]
TOLD = ToldRow.__table__  # type: ignore[attr-defined]
FEED = FeedRow.__table__  # type: ignore[attr-defined]
SET_PLACE = text("INSERT INTO reader_place (reader, seq) VALUES (:reader, :seq) ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq")
SET_TOLD = text(
    "INSERT INTO told (destination, subject, digest, event, at) VALUES (:destination, :subject, :digest, :event, :at) "
    "ON CONFLICT (destination, subject) DO UPDATE SET digest = excluded.digest, event = excluded.event, at = excluded.at"
)
SET_FEED = text(
    "INSERT INTO feed (process, listen, at, lines, refused) VALUES (:process, :listen, :at, :lines, :refused) "
    "ON CONFLICT (process) DO UPDATE SET listen = excluded.listen, at = excluded.at, lines = excluded.lines, refused = excluded.refused"
)
