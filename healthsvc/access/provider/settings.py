"""The file ``DATA/identity-provider.toml``: which provider, what we are there, and what its groups mean here."""

import tomllib
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from healthsvc import sitefile
from healthsvc.access import rules
from healthsvc.errors import Invalid, Unavailable

FILE: Final = "identity-provider.toml"
EVERYBODY: Final = "*"
"""In ``[areas]``: the people of the whole installation."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class ProviderSettings(BaseModel):
    """What a site says of its identity provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(description="Address of the provider, exactly as its discovery document names it")
    client: str = Field(min_length=1, description="Our client id there")
    secret: SecretStr = Field(SecretStr(""), description="Our client secret; better in HEALTHSVC_PROVIDER_SECRET; none: a public client")
    ca: str = Field("", description="File of certificates (PEM) that its https is checked against; empty: the system's")
    title: str = Field("统一身份登录", min_length=1, max_length=40, description="What the button on the sign-in page says")
    scopes: tuple[str, ...] = Field(("openid", "profile"), description="Scopes that are asked for")
    accounts: Literal["known", "make"] = Field("known", description="known: accounts are made here first; make: at the first sign-in")
    rights: Literal["account", "groups"] = Field("account", description="Whether roles and areas are kept here, or follow the groups")
    login: str = Field("preferred_username", description="Claim with the name that the account expects")
    name: str = Field("name", description="Claim with the person's name")
    groups: str = Field("groups", description="Claim with the groups; dots lead inside: realm_access.roles")
    practitioner: str = Field("", description="Claim with the id of the Practitioner; empty: as the account says")
    userinfo: bool = Field(False, description="Ask the userinfo endpoint too, where the identity token lacks the groups")
    second_factor: tuple[str, ...] = Field((), description="Values of amr or acr that count as a second factor here")
    roles: dict[str, str] = Field(default_factory=dict, description="Group -> role code")
    areas: dict[str, tuple[str, ...]] = Field(default_factory=dict, description='Group -> Organization/ID, or "*" for everybody')

    @field_validator("issuer")
    @classmethod
    def safe(cls, issuer: str) -> str:
        """https, or http on this very machine."""
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("write an https address")
        if parts.query or parts.fragment or not parts.hostname:
            raise ValueError("write an address without ? and #")
        return issuer

    @field_validator("scopes")
    @classmethod
    def with_openid(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Without ``openid`` there is no identity token."""
        if "openid" not in scopes:
            raise ValueError("openid must be among the scopes")
        return scopes

    @model_validator(mode="after")
    def whole(self) -> "ProviderSettings":
        """What stands in the mapping must exist, and rights must come from somewhere."""
        try:
            for code in self.roles.values():
                rules.role(code)
            for places in self.areas.values():
                rules.joined_areas(set(places) - {EVERYBODY} or None)
        except Invalid as wrong:
            raise ValueError(wrong.text) from None
        if self.accounts == "make" and self.rights != "groups":
            raise ValueError('accounts = "make" needs rights = "groups": an account that nobody gave rights would have none')
        if self.rights == "groups" and not self.roles:
            raise ValueError('rights = "groups" needs a table [roles] that says which group is which role')
        return self


def load(folder: Path, secret: str = "") -> ProviderSettings | None:
    """The settings of a data directory; None where there is no such file.

    Args:
        secret: the client secret from the environment; it wins over the file.

    Raises:
        Invalid: the file is wrong; the text names the field and never repeats a value.
        Unavailable: it cannot be read.
    """
    path = folder / FILE
    try:
        told = sitefile.read(path)
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"DATA/{FILE} is not TOML: {' '.join(str(error).split())[:120]}", reason="setting") from None
    except OSError as error:
        raise Unavailable(f"DATA/{FILE} cannot be read: {error.strerror}") from None
    try:
        return ProviderSettings.model_validate(told | ({"secret": secret} if secret else {}))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_input=False)
        )
        raise Invalid(f"DATA/{FILE} is wrong: {wrong}", reason="setting") from None
