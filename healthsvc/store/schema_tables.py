"""What the schema promises to programs of an earlier release."""

from sqlalchemy import Column, Integer, String
from sqlmodel import Field, SQLModel


class SchemaPromise(SQLModel, table=True):
    """One row: the last step that took something away. A program that knows this step works on this schema, however new it is."""

    __tablename__ = "schema_promise"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=False))
    oldest: str = Field(sa_column=Column(String, nullable=False))
