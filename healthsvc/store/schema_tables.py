"""What the schema promises to programs of an earlier release."""

from sqlalchemy import Column, Integer, String
from sqlmodel import Field, SQLModel


class SchemaPromise(SQLModel, table=True):
    """One row: the last step that took something away, or that tables are laid out by. A program that knows this step works on this schema,
    however new it is; one that does not refuses."""

    __tablename__ = "schema_promise"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    oldest: str = Field(sa_column=Column(String, nullable=False))
