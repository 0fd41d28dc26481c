"""Tables of the counties: which has which part of the hot tables, whose people are where, and where each resource is.

They stay empty until a PostgreSQL database is laid out in partitions (:mod:`healthsvc.store.tenancy`).
"""

from sqlalchemy import BigInteger, Boolean, Column, Integer, SmallInteger, String
from sqlmodel import Field, SQLModel


class TenantRow(SQLModel, table=True):
    """A county with a partition of its own; the number 0, with no organization, is there as soon as the tables are laid out."""

    __tablename__ = "tenant"
    number: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    organization: str = Field(sa_column=Column(String(64), nullable=False, unique=True))
    """Id of the Organization."""


class TenantHomeRow(SQLModel, table=True):
    """In which part the people of an organization are kept; two rows while they are being moved from one to the other."""

    __tablename__ = "tenant_home"
    organization: str = Field(sa_column=Column(String(64), primary_key=True))
    part: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    is_current: bool = Field(sa_column=Column(Boolean, nullable=False))
    """Whoever is written now goes there."""


class DirectoryRow(SQLModel, table=True):
    """Where a resource is: what keeps (type, id) unique over all partitions, and leads to the one by an id. Kept by triggers."""

    __tablename__ = "directory"
    type: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    id: str = Field(sa_column=Column(String(64), primary_key=True))
    pk: int = Field(sa_column=Column(BigInteger, nullable=False))
    part: int = Field(sa_column=Column(SmallInteger, nullable=False))


TENANT = TenantRow.__table__  # type: ignore[attr-defined]
TENANT_HOME = TenantHomeRow.__table__  # type: ignore[attr-defined]
DIRECTORY = DirectoryRow.__table__  # type: ignore[attr-defined]
