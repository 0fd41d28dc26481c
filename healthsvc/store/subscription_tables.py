"""Tables of subscriptions: how far each subscriber has been told, and what has happened that concerns it."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Text
from sqlmodel import Field, SQLModel


class SubscriberRow(SQLModel, table=True):
    """One subscription as it is carried out; its terms stand in the Subscription resource."""

    __tablename__ = "subscriber"
    id: str = Field(sa_column=Column(String, primary_key=True))
    """Id of the Subscription."""
    actor: str = Field(sa_column=Column(Text, nullable=False))
    """In whose name it was written, as JSON: only what they may see is told."""
    state: str = Field(sa_column=Column(String, nullable=False, index=True))
    """As Subscription.status."""
    follows: bool = Field(sa_column=Column(Boolean, nullable=False))
    """Whether what happens is counted for it: from its first activation until it is off."""
    since: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Number of the change after which it counts."""
    last: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Number of its latest event."""
    told: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Number of the latest event of which it has been told."""
    attempts: int = Field(sa_column=Column(Integer, nullable=False))
    due: int = Field(sa_column=Column(BigInteger, nullable=False))
    """Not to be tried before, microseconds since 1970 UTC."""
    heard: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When it last answered."""
    error: str | None = Field(default=None, sa_column=Column(String))


class SubscriptionEventRow(SQLModel, table=True):
    """One event of one subscription: the queue of what is to be told, and the record of it."""

    __tablename__ = "subscription_event"
    subscription: str = Field(sa_column=Column(String, primary_key=True))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    type: str = Field(sa_column=Column(String, nullable=False))
    id: str = Field(sa_column=Column(String, nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    action: str = Field(sa_column=Column(String, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
