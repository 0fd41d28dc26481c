"""Who may do what, how long a session lives and when an account is locked: pure rules."""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from healthsvc.errors import Invalid, RuleViolation


class Role(StrEnum):
    """The roles, coarse: a person may hold several."""

    DOCTOR = "doctor"
    NURSE = "nurse"
    COORDINATOR = "coordinator"
    CENTRE_HEAD = "centre-head"
    BUREAU = "bureau"
    HOSPITAL_WINDOW = "hospital-window"
    HOTLINE = "hotline"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    SYSTEM_ADMIN = "system-admin"
    SECURITY_ADMIN = "security-admin"
    SYSTEM = "system"


class Action(StrEnum):
    """What a door asks for."""

    READ_CLINICAL = "read-clinical"
    WRITE_CLINICAL = "write-clinical"
    PLAN = "plan"
    WINDOW = "window"
    FIGURES = "figures"
    EMERGENCY = "emergency"
    """Raise and work alarms, see the emergency sheet for a purpose."""
    FEED = "feed"
    """Hand in hospital messages over HTTP."""
    OPERATE = "operate"
    AUDIT = "audit"
    REVIEW = "review"
    """Judge emergency looks of others."""
    ADMIN = "admin"
    """Let people and programs in: accounts, tokens, clients."""
    CONFIGURE = "configure"
    """Change how the installation works: jobs, imports of roads and lists, moves."""
    EXPORT = "export"
    """Hand on whole stocks of records: bulk export, subscriptions of other systems."""
    SELF = "self"
    """What everybody may who is signed in: their own account."""
    DIRECTORY = "directory"
    """Read what names no cadre: stations, staff, code systems, the capability statement."""


_CARE = frozenset({Action.DIRECTORY, Action.READ_CLINICAL, Action.WRITE_CLINICAL, Action.WINDOW, Action.FIGURES, Action.EMERGENCY})

PERMITS: dict[Role, frozenset[Action]] = {
    Role.DOCTOR: _CARE | {Action.PLAN},
    Role.NURSE: _CARE,
    Role.COORDINATOR: _CARE | {Action.PLAN},
    Role.CENTRE_HEAD: _CARE | {Action.PLAN, Action.OPERATE, Action.REVIEW, Action.EXPORT},
    Role.BUREAU: frozenset({Action.DIRECTORY, Action.FIGURES}),
    Role.HOSPITAL_WINDOW: frozenset({Action.WINDOW}),
    Role.HOTLINE: frozenset({Action.EMERGENCY}),
    Role.OPERATOR: frozenset({Action.DIRECTORY, Action.OPERATE}),
    Role.AUDITOR: frozenset({Action.DIRECTORY, Action.AUDIT, Action.REVIEW}),
    Role.SYSTEM_ADMIN: frozenset({Action.DIRECTORY, Action.OPERATE, Action.CONFIGURE}),
    Role.SECURITY_ADMIN: frozenset({Action.DIRECTORY, Action.ADMIN}),
    Role.SYSTEM: frozenset(Action) - {Action.ADMIN, Action.AUDIT, Action.REVIEW},
}
"""The one table of rights: role -> what it may do. No role holds all of them, and no administrator reads a file."""

ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDITOR})
"""Who runs it, who lets people in, and who watches both: three persons (GB/T 22239-2019, 8.1.5)."""

DIRECTORY_TYPES = frozenset(
    {
        "CapabilityStatement", "CodeSystem", "ConceptMap", "Endpoint", "HealthcareService", "ImplementationGuide", "Location", "Measure",
        "NamingSystem", "OperationDefinition", "Organization", "Practitioner", "PractitionerRole", "Questionnaire", "SearchParameter",
        "StructureDefinition", "ValueSet",
    }
)  # fmt: skip
"""Resource types that say nothing of a cadre."""

AUDIT_TYPES = frozenset({"AuditEvent"})
EXPORT_TYPES = frozenset({"Subscription"})
"""Resource types that hand records on to others, and may carry the others' secrets."""

ROLE_TITLES: dict[Role, str] = {
    Role.DOCTOR: "医生",
    Role.NURSE: "护士",
    Role.COORDINATOR: "协调员",
    Role.CENTRE_HEAD: "中心负责人",
    Role.BUREAU: "老干部局",
    Role.HOSPITAL_WINDOW: "医院窗口",
    Role.HOTLINE: "一键通值守",
    Role.OPERATOR: "运行维护",
    Role.AUDITOR: "审计员",
    Role.SYSTEM_ADMIN: "系统管理员",
    Role.SECURITY_ADMIN: "安全管理员",
    Role.SYSTEM: "系统对接",
}


@lru_cache(maxsize=4096)
def allows(roles: frozenset[str], action: str, resource_type: str | None = None) -> bool:
    """Whether somebody with these roles may do this; a FHIR type narrows or widens the right to read."""
    wanted = Action(action)
    if resource_type in AUDIT_TYPES:
        if wanted is not Action.READ_CLINICAL:
            return wanted is Action.AUDIT and _holds(roles, Action.AUDIT)
        wanted = Action.AUDIT
    elif resource_type in EXPORT_TYPES and wanted in (Action.READ_CLINICAL, Action.WRITE_CLINICAL):
        wanted = Action.EXPORT
    elif resource_type in DIRECTORY_TYPES and wanted is Action.READ_CLINICAL:
        wanted = Action.DIRECTORY
    return _holds(roles, wanted)


def _holds(roles: frozenset[str], action: Action) -> bool:
    return action is Action.SELF or any(action in PERMITS[Role(role)] for role in roles if role in PERMITS)


def role(text: str) -> Role:
    """The role of that code.

    Raises:
        Invalid: there is no such role; the text lists those that there are.
    """
    try:
        return Role(text)
    except ValueError:
        raise Invalid(f"there is no role {text[:40]!r}; the roles are {', '.join(Role)}") from None


_AREA = re.compile(r"Organization/[A-Za-z0-9\-.]{1,64}")


def joined_areas(areas: Iterable[str] | None) -> str | None:
    """Areas as they are stored, in order and once each; None: everybody.

    Raises:
        Invalid: one of them is not a reference to an Organization, or none is named (that would be an account that sees nobody).
    """
    if areas is None:
        return None
    wanted = sorted({one.strip() for one in areas if one.strip()})
    wrong = next((one for one in wanted if not _AREA.fullmatch(one)), None)
    if wrong is not None:
        raise Invalid(f"an area is written Organization/ID, not {wrong[:80]!r}")
    if not wanted:
        raise Invalid("name at least one area as Organization/ID, or leave areas out so that everybody is seen")
    return " ".join(wanted)


def held_areas(stored: str | None) -> frozenset[str] | None:
    """The areas of a stored account or token; None: everybody."""
    return None if stored is None else frozenset(stored.split())


def roles_of(text: str, *, apart: bool = True) -> tuple[str, ...]:
    """The roles of an account from codes separated by commas, in order and once each.

    Args:
        apart: whether the three administrators must be three persons.

    Raises:
        Invalid: an unknown role, or none at all.
        RuleViolation: two administrators in one person.
    """
    held = sorted({role(code.strip()) for code in text.split(",") if code.strip()})
    if not held:
        raise Invalid(f"name at least one role; the roles are {', '.join(Role)}")
    if apart and len(ADMINISTRATORS & set(held)) > 1:
        raise RuleViolation(
            "system-admin, security-admin and auditor are three persons: give the account one of them", reason="administrators-apart"
        )
    return tuple(str(one) for one in held)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """The policy values of sign-in (access.toml)."""

    password_length: int
    lock_after: int
    lock_minutes: int
    source_attempts: int
    source_minutes: int
    token_days: int
    token_days_longest: int
    administrators_apart: bool


@dataclass(frozen=True, slots=True)
class ThrottlePolicy:
    """How often within a minute (access.toml); 0: no limit."""

    sign_in_per_minute: int
    token_per_minute: int
    window_per_minute: int
    api_per_minute: int


@dataclass(frozen=True, slots=True)
class FactorPolicy:
    """Who must have a second factor (access.toml)."""

    second_factor_roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GlassPolicy:
    """The policy values of an emergency look (access.toml)."""

    glass_minutes: int
    glass_reason_length: int


_LOGIN = re.compile(r"[a-z][a-z0-9._-]{1,31}")


def check_login(login: str) -> str:
    """The login in its one form; lower case letters, digits, dot, dash."""
    plain = login.strip().lower()
    if not _LOGIN.fullmatch(plain):
        raise Invalid("a login has 2 to 32 characters: a letter, then letters, digits, dot, dash or underscore")
    return plain


def check_password(password: str, login: str, policy: AccessPolicy) -> None:
    """Refuse a password that is too short, repeats one character or contains the login."""
    if len(password) < policy.password_length:
        raise RuleViolation(f"the password needs at least {policy.password_length} characters", reason="password-too-short")
    if len(set(password)) < 4:
        raise RuleViolation("the password repeats too few characters; mix letters and digits", reason="password-too-simple")
    if login in password.lower():
        raise RuleViolation("the password contains the login; choose another", reason="password-contains-login")


@dataclass(frozen=True, slots=True)
class Lock:
    """How often an account failed in a row, and until when it is locked (None: it is not)."""

    failed: int
    until: datetime | None

    def shut(self, at: datetime) -> bool:
        """Whether nobody may sign in to the account now."""
        return self.until is not None and at < self.until

    def fail(self, at: datetime, policy: AccessPolicy) -> "Lock":
        """One more failure: at the limit the account is locked and the count starts again."""
        failed = self.failed + 1
        if failed < policy.lock_after:
            return Lock(failed, None)
        return Lock(0, at + timedelta(minutes=policy.lock_minutes))


@dataclass(frozen=True, slots=True)
class SessionLife:
    """How long a page session may be idle, and how long it may live at all."""

    idle: timedelta
    absolute: timedelta

    def alive(self, created: datetime, seen: datetime, at: datetime) -> bool:
        """Whether a session still holds; one that a clock has stamped that ran far ahead and was set back since does not."""
        return abs(at - seen) < self.idle and -self.idle < at - created < self.absolute


def same_origin(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether a browser's write comes from our own pages, by its Sec-Fetch-Site or else its Origin header."""
    if fetch_site is not None:
        return fetch_site in ("same-origin", "none")
    if origin is None:
        return True  # old browsers omit it on same-origin posts; the CSRF token still has to match
    return origin.partition("://")[2] == host


def same_secret(given: str | None, held: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing."""
    return given is not None and hmac.compare_digest(given.encode(), held.encode())


def safe_return(path: str | None) -> str:
    """Where to go after sign-in: a path of this site, else the first page (no open redirect)."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or any(c in path for c in "\r\n\\"):
        return "/"
    return path
