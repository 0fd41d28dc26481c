"""What a provider says of a person, and what that person is here: pure rules."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from healthsvc.access import rules
from healthsvc.access.provider.settings import EVERYBODY, ProviderSettings
from healthsvc.errors import Forbidden

_LOGIN_KEPT = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as the provider names them."""

    subject: str
    """The one name that never changes: issuer and ``sub`` together."""
    expected: str
    """The name under which an account here expects them, in lower case."""
    name: str
    groups: frozenset[str]
    practitioner: str | None
    session: str | None
    """``sid``: the provider's own session, which it may end."""
    strong: bool
    """Whether the provider asked for a second factor that counts here."""


@dataclass(frozen=True, slots=True)
class Rights:
    """Roles and areas; areas None: everybody."""

    roles: tuple[str, ...]
    areas: frozenset[str] | None


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name; where there is none of that name, dots lead inside (``realm_access.roles``); None: not there."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found


def identity(claims: Mapping[str, Any], told: ProviderSettings) -> Identity:
    """Read checked claims.

    Raises:
        Forbidden: the claim that names the account is not there.
    """
    expected = claim(claims, told.login)
    if not isinstance(expected, str) or not expected.strip():
        raise Forbidden(f"the identity provider sends no claim {told.login!r}; whoever runs it must add it", reason="provider-claims")
    name, practitioner, sid = claim(claims, told.name), claim(claims, told.practitioner) if told.practitioner else None, claims.get("sid")
    return Identity(
        subject_of(told.issuer, str(claims["sub"])),
        expected.strip().lower()[:_LOGIN_KEPT],
        name.strip() if isinstance(name, str) else "",
        frozenset(_texts(claim(claims, told.groups))),
        practitioner if isinstance(practitioner, str) and practitioner else None,
        sid if isinstance(sid, str) else None,
        bool(set(told.second_factor) & {*_texts(claims.get("amr")), *_texts(claims.get("acr"))}),
    )


def subject_of(issuer: str, sub: str) -> str:
    """Who it is, among all providers there ever were: ``sub`` is unique within its issuer only (OpenID Connect Core 2)."""
    return f"{issuer} {sub}"


def rights_of(groups: Iterable[str], told: ProviderSettings, *, apart: bool) -> Rights:
    """Roles and areas that groups give. Nobody who reads files gets them all by an omission: without an area there is no entry.

    Args:
        apart: whether the three administrators must be three persons.

    Raises:
        Forbidden: no group gives a role, or a role that reads files has no area.
        RuleViolation: two administrators in one person.
    """
    held = frozenset(groups)
    roles = {told.roles[group] for group in held if group in told.roles}
    if not roles:
        raise Forbidden("none of your groups gives a right here; ask whoever runs the identity provider", reason="provider-no-role")
    codes = rules.roles_of(",".join(sorted(roles)), apart=apart)
    places = {place for group in held for place in told.areas.get(group, ())}
    if EVERYBODY in places:
        return Rights(codes, None)
    if not places and any(rules.allows(frozenset({code}), rules.Action.READ_CLINICAL) for code in codes):
        raise Forbidden("none of your groups says whose people you look after; ask whoever runs the provider", reason="provider-no-area")
    return Rights(codes, frozenset(places) or None)


def _texts(value: Any) -> tuple[str, ...]:
    """One text or a list of texts."""
    if isinstance(value, str):
        return (value,)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
