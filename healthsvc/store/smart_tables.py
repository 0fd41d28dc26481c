"""Tables of OAuth: clients, codes that wait to be exchanged, and tokens. No secret stands here in clear."""

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, String, Text
from sqlmodel import Field, SQLModel

_PK = BigInteger()


class ClientRow(SQLModel, table=True):
    """A program that may ask for tokens."""

    __tablename__ = "oauth_client"
    id: str = Field(sa_column=Column(String(64), primary_key=True))
    name: str = Field(sa_column=Column(String, nullable=False))
    secret: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    """SHA-256 of its random secret (confidential, symmetric); NULL: none."""
    jwks: str | None = Field(default=None, sa_column=Column(Text))
    """Its public keys as a JWK set (confidential, asymmetric; backend services); NULL: none."""
    certificate: str | None = Field(default=None, sa_column=Column(String))
    """``sha256:`` or ``subject:`` of the certificate that proves who it is (RFC 8705); NULL: none."""
    redirects: str = Field(sa_column=Column(Text, nullable=False))
    """Where an answer may go, separated by blanks; compared letter by letter."""
    scopes: str = Field(sa_column=Column(Text, nullable=False))
    role: str | None = Field(default=None, sa_column=Column(String))
    """The role of a backend service; NULL: it never acts by itself."""
    areas: str | None = Field(default=None, sa_column=Column(String))
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    closed: int | None = Field(default=None, sa_column=Column(BigInteger))


class GrantRow(SQLModel, table=True):
    """What a person agreed to for a client, or what a backend service got: the family of its codes and tokens."""

    __tablename__ = "oauth_grant"
    id: str = Field(sa_column=Column(String(64), primary_key=True))
    client: str = Field(sa_column=Column(String(64), nullable=False, index=True))
    login: str | None = Field(default=None, sa_column=Column(String(64)))
    scopes: str = Field(sa_column=Column(Text, nullable=False))
    patient: str | None = Field(default=None, sa_column=Column(String(64)))
    bound: str | None = Field(default=None, sa_column=Column(String))
    """``sha256:`` of the certificate without which its tokens are worth nothing; NULL: none."""
    created: int = Field(sa_column=Column(BigInteger, nullable=False))
    revoked: int | None = Field(default=None, sa_column=Column(BigInteger))


class OauthTokenRow(SQLModel, table=True):
    """A code, an access token or a refresh token of a grant."""

    __tablename__ = "oauth_token"
    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    grant: str = Field(sa_column=Column("grant_id", String(64), nullable=False, index=True))
    kind: str = Field(sa_column=Column(String, nullable=False))
    """``code``, ``access`` or ``refresh``."""
    redirect: str | None = Field(default=None, sa_column=Column(Text))
    challenge: str | None = Field(default=None, sa_column=Column(String))
    nonce: str | None = Field(default=None, sa_column=Column(String))
    expires: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    used: bool = Field(default=False, sa_column=Column(Boolean, nullable=False))


class AssertionRow(SQLModel, table=True):
    """A signed assertion that was taken: its jti counts once (RFC 7523 3)."""

    __tablename__ = "oauth_assertion"
    hash: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    expires: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
