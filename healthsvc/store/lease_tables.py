"""Tables of the timers: who may run them, and which firings have run."""

from sqlalchemy import BigInteger, Column, Integer, String
from sqlmodel import Field, SQLModel


class LeaseRow(SQLModel, table=True):
    """A right that one process holds for a while. ``token`` grows with every new holder (a fencing token)."""

    __tablename__ = "lease"
    name: str = Field(sa_column=Column(String, primary_key=True))
    holder: str = Field(sa_column=Column(String, nullable=False))
    token: int = Field(sa_column=Column(Integer, nullable=False))
    until: int = Field(sa_column=Column(BigInteger, nullable=False))


class FiringRow(SQLModel, table=True):
    """One firing of one job; the key makes it run once."""

    __tablename__ = "firing"
    job: str = Field(sa_column=Column(String, primary_key=True))
    scheduled_for: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    started: int = Field(sa_column=Column(BigInteger, nullable=False))
    outcome: str = Field(sa_column=Column(String, nullable=False))
