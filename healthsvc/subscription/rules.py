"""订阅 What a subscription asks for, and what its state allows."""

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import urlsplit

from healthsvc.config_values import is_here
from healthsvc.errors import Invalid, RuleViolation


class Content(StrEnum):
    """How much of a resource a notification carries."""

    EMPTY = "empty"
    ID_ONLY = "id-only"
    FULL = "full-resource"


class State(StrEnum):
    """R4 Subscription.status."""

    REQUESTED = "requested"
    ACTIVE = "active"
    ERROR = "error"
    OFF = "off"


OURS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})
"""Headers that we set ourselves."""


def header(text: str) -> tuple[str, str]:
    """``Authorization: Bearer x`` as name and value.

    Raises:
        Invalid: it is not a header, or one of those that we set.
    """
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    plain = name.replace("-", "").replace("_", "")
    if not colon or not plain.isascii() or not plain.isalnum() or not value.isascii() or not value.isprintable():
        raise Invalid("a header is written Name: value, in ASCII on one line", path="Subscription.channel.header")
    if name.lower() in OURS:
        raise Invalid("the headers Host, Connection and those of the content are set here", path="Subscription.channel.header")
    return name, value


def check_endpoint(url: str, hosts: Collection[str]) -> None:
    """Refuse an address that this site does not send to.

    Args:
        hosts: names, addresses or ``name:port`` that the site's policy lists; the loopback needs no listing.

    Raises:
        Invalid: it is no http or https address.
        RuleViolation: the host is not listed, or is to be reached without TLS though it is not on the loopback.
    """
    path = "Subscription.channel.endpoint"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.fragment or not url.isascii() or not url.isprintable():
        raise Invalid("the endpoint is an http or https address without user and fragment", path=path)
    if is_here(host):
        return
    if host not in hosts and f"{host}:{port}" not in hosts:
        raise RuleViolation(
            "this site does not send to that host; add it to the policy parameter subscription.hosts", reason="subscriber-host", path=path
        )
    if parts.scheme != "https":
        raise RuleViolation("notifications leave this machine over https only", reason="subscriber-tls", path=path)


def admitted(was: State | None, now: State, ours: bool) -> None:
    """Which states a client may write: it asks (requested) or ends (off); the rest is the service's word.

    Raises:
        RuleViolation: it writes one of ours.
    """
    if ours or now in (State.REQUESTED, State.OFF) or now is was:
        return
    raise RuleViolation(
        "write status requested; the service sets active when the endpoint has answered, and error when it does not",
        reason="subscription-status",
        path="Subscription.status",
    )


def fires(both: bool, before: bool | None, after: bool | None, *, previous: bool, current: bool) -> bool:
    """Whether a change makes an event (R5 queryCriteria).

    Args:
        both: whether the two criteria must hold together; otherwise one is enough.
        before: whether the version before fulfils the criterion of the previous version; None: there is no such version.
        after: whether the version after fulfils the criterion of the current version; None: there is no such version.
        previous, current: whether there is such a criterion.
    """
    if not previous and not current:
        return True
    if not previous:
        return bool(after)
    if not current:
        return bool(before)
    if both:
        return before is not False and bool(after)  # what is created fulfilled nothing before, and nothing speaks against it
    return bool(before) or bool(after)
