"""Table of bulk exports: what was asked, by whom, and how far it has come."""

from sqlalchemy import BigInteger, Column, Index, String, Text
from sqlmodel import Field, SQLModel


class ExportRow(SQLModel, table=True):
    """One export; its files are in the data directory under its id."""

    __tablename__ = "export"
    __table_args__ = (Index("ix_export_state", "state", "created"),)
    id: str = Field(sa_column=Column(String, primary_key=True))
    actor: str = Field(sa_column=Column(String, nullable=False, index=True))
    """Only whoever asked may see it."""
    asked: str = Field(sa_column=Column(Text, nullable=False))
    """Terms and actor as JSON."""
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    """The moment whose state is exported, microseconds since 1970 UTC."""
    state: str = Field(sa_column=Column(String, nullable=False))
    """running, done, failed or cancelled."""
    progress: str = Field(sa_column=Column(Text, nullable=False))
    """Position and files as JSON: what is on disk for certain."""
    holder: str = Field(sa_column=Column(String, nullable=False))
    """Which process works at it; empty: none."""
    until: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When another process may take over."""
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    finished: int | None = Field(default=None, sa_column=Column(BigInteger))
    error: str | None = Field(default=None, sa_column=Column(Text))
