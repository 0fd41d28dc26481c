"""Table of the sealing: which keys a database needs, and how far what was not sealed yet has been sealed."""

from sqlalchemy import Column, String
from sqlmodel import Field, SQLModel


class SealingRow(SQLModel, table=True):
    """One fact: the fingerprint of the look-up key, a key in use (``key:KID``), or the place of a walk (``place:TABLE``)."""

    __tablename__ = "sealing"
    name: str = Field(sa_column=Column(String, primary_key=True))
    value: str = Field(sa_column=Column(String, nullable=False))


SEALING = SealingRow.__table__  # type: ignore[attr-defined]
