"""Tables of sign-in: accounts, page sessions, API tokens and attempts. No password, session or token stands here in clear."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, false, true
from sqlmodel import Field, SQLModel

_PK = BigInteger().with_variant(Integer, "sqlite")


class UserRow(SQLModel, table=True):
    """A local account."""

    __tablename__ = "access_user"
    login: str = Field(sa_column=Column(String(64), primary_key=True))
    name: str = Field(sa_column=Column(String, nullable=False))
    roles: str = Field(sa_column=Column(String, nullable=False))
    """Role codes, separated by blanks."""
    practitioner: str | None = Field(default=None, sa_column=Column(String))
    """``Practitioner/x`` where the account belongs to a member of the staff."""
    areas: str | None = Field(default=None, sa_column=Column(String))
    """``Organization/x`` whose people the account looks after, separated by blanks; NULL: everybody."""
    password: str = Field(sa_column=Column(String, nullable=False))
    """argon2id in its own text form."""
    must_change: bool = Field(sa_column=Column(Boolean, nullable=False))
    active: bool = Field(sa_column=Column(Boolean, nullable=False))
    failed: int = Field(sa_column=Column(Integer, nullable=False))
    locked_until: int = Field(sa_column=Column(BigInteger, nullable=False))
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    changed: int = Field(sa_column=Column(BigInteger, nullable=False))
    """When the password was last set, microseconds since 1970 UTC."""
    factor: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """The secret of the second factor, sealed; NULL: none."""
    factor_waiting: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """A secret whose first code has not been given yet, sealed."""
    factor_step: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    """The last time step whose code was used: a code counts once."""
    recovery: str | None = Field(default=None, sa_column=Column(String))
    """SHA-256 of the recovery codes that are left, separated by blanks."""
    expected: str | None = Field(default=None, sa_column=Column(String(64), unique=True))
    """The name under which the identity provider's person may take this account at the first sign-in there; NULL: nobody may."""
    subject: str | None = Field(default=None, sa_column=Column(String, unique=True))
    """Issuer and ``sub`` of the provider's person whose account it is; NULL: nobody has signed in there yet."""


class SessionRow(SQLModel, table=True):
    """A page session, kept on the server."""

    __tablename__ = "access_session"
    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    """SHA-256 of the random token in the cookie."""
    login: str = Field(sa_column=Column(String(64), nullable=False, index=True))
    csrf: str = Field(sa_column=Column(String, nullable=False))
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    seen: int = Field(sa_column=Column(BigInteger, nullable=False))
    confirmed: bool = Field(default=True, sa_column=Column(Boolean, nullable=False, server_default=true()))
    """False: the password was right, the second factor is still wanted."""
    agent: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    """What the browser calls itself, cut short."""
    place: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))
    """Network address that the sign-in came from."""
    provided: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    """Whether the identity provider vouched for the person, and not a password of ours."""
    strong: bool = Field(default=False, sa_column=Column(Boolean, nullable=False, server_default=false()))
    """Whether the provider asked for a second factor that counts here."""
    sid: str | None = Field(default=None, sa_column=Column(String, index=True))
    """The provider's own session, which it may end."""
    hint: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """The identity token, sealed: the provider wants it when the person signs out."""


class TokenRow(SQLModel, table=True):
    """A bearer token for the API."""

    __tablename__ = "access_token"
    id: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    name: str = Field(sa_column=Column(String, nullable=False))
    role: str = Field(sa_column=Column(String, nullable=False))
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    expires: int = Field(sa_column=Column(BigInteger, nullable=False))
    areas: str | None = Field(default=None, sa_column=Column(String))
    """As of an account."""
    certificate: str | None = Field(default=None, sa_column=Column(String))
    """``sha256:`` or ``subject:`` of the client certificate without which it is worth nothing; NULL: none is wanted."""
    revoked: int | None = Field(default=None, sa_column=Column(BigInteger))


class AttemptRow(SQLModel, table=True):
    """A failed attempt to sign in, for the rate limit of its source."""

    __tablename__ = "access_attempt"
    __table_args__ = (Index("ix_access_attempt_source", "source", "at"),)
    id: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    source: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """SHA-256 of the network address."""
    at: int = Field(sa_column=Column(BigInteger, nullable=False))


class HandoverRow(SQLModel, table=True):
    """A browser that was sent to the identity provider and has not come back yet; good once."""

    __tablename__ = "access_handover"
    state: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    """SHA-256 of the ``state`` that comes back."""
    browser: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    """SHA-256 of the cookie that only this browser has; nonce and verifier are made of it."""
    back: str = Field(sa_column=Column(String, nullable=False))
    """Where the person wanted to go."""
    expires: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))


class GlassRow(SQLModel, table=True):
    """Somebody looked past their area at one person, why and until when, and what a reviewer said of it."""

    __tablename__ = "access_glass"
    __table_args__ = (Index("ix_access_glass_actor", "actor", "until"), Index("ix_access_glass_reviewed", "reviewed", "at"))
    id: int | None = Field(default=None, sa_column=Column(_PK, primary_key=True))
    actor: str = Field(sa_column=Column(String, nullable=False))
    patient: str = Field(sa_column=Column(String(64), nullable=False))
    reason: str = Field(sa_column=Column(String, nullable=False))
    at: int = Field(sa_column=Column(BigInteger, nullable=False))
    until: int = Field(sa_column=Column(BigInteger, nullable=False))
    reviewer: str | None = Field(default=None, sa_column=Column(String))
    reviewed: int | None = Field(default=None, sa_column=Column(BigInteger))
    justified: bool | None = Field(default=None, sa_column=Column(Boolean))
    note: str | None = Field(default=None, sa_column=Column(String))
