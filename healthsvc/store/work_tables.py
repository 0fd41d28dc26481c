"""Table of long work: what was asked, how far it has come, what came of it. Persons stand here only sealed, in what was handed over."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Text
from sqlmodel import Field, SQLModel


class WorkRow(SQLModel, table=True):
    """One piece of long work."""

    __tablename__ = "work"
    __table_args__ = (
        Index("ix_work_state", "state", "until"),
        Index("ix_work_owner", "owner", "created"),
        Index("ix_work_about", "kind", "about", "created"),
    )
    id: str = Field(sa_column=Column(String(36), primary_key=True))
    kind: str = Field(sa_column=Column(String, nullable=False))
    asked: str = Field(sa_column=Column(Text, nullable=False))
    """JSON."""
    actor: str = Field(sa_column=Column(Text, nullable=False))
    """In whose name it is done, as JSON."""
    state: str = Field(sa_column=Column(String, nullable=False))
    """waiting, running, done, failed or cancelled."""
    done: int = Field(sa_column=Column(Integer, nullable=False))
    total: int = Field(sa_column=Column(Integer, nullable=False))
    step: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    """What is done before anything can be counted, by the code of its kind."""
    attempts: int = Field(sa_column=Column(Integer, nullable=False))
    holder: str = Field(sa_column=Column(String, nullable=False))
    """Who is at it: new with every attempt."""
    until: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When another may take it over, or when it may be tried again."""
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    begun: int | None = Field(default=None, sa_column=Column(BigInteger))
    """When somebody last took it up."""
    finished: int | None = Field(default=None, sa_column=Column(BigInteger))
    result: str | None = Field(default=None, sa_column=Column(Text))
    """JSON."""
    error: str | None = Field(default=None, sa_column=Column(Text))
    owner: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    """Id of whoever asked."""
    about: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    """What it is about, as its kind names it: a day, for one."""
    paper: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """What was handed over to be worked on (a roster), sealed; gone once the work has ended."""
