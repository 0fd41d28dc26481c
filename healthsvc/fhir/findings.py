"""What validation finds, its path put together from the inside outwards, and the scope in which ``#id`` is looked up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(slots=True)
class Scope:
    """One resource with what it contains: where ``#id`` references are looked up."""

    root: dict[str, Any]
    resource: dict[str, Any]
    """The resource that is being walked: the root or one that it contains."""
    contained: dict[str, str] = field(default_factory=dict)
    """Id of each contained resource -> its type."""
    pointed: set[str] = field(default_factory=set)
    """Ids that ``#id`` references name."""
    ids: set[str] = field(default_factory=set)
    """Ids of elements, which are unique in a resource."""
    entries: bool = True
    """Whether resources inside a Bundle or Parameters are checked too."""
    inside: bool = False
    """While a contained resource is walked."""


class Finding:
    """One problem, its path put together from the inside outwards."""

    __slots__ = ("code", "path", "severity", "text")

    def __init__(self, text: str, code: str = "structure", path: str = "", severity: str = "error") -> None:
        self.text, self.code, self.path, self.severity = text, code, path, severity

    def under(self, step: str) -> None:
        """The problem lies in the child ``step`` of the caller's element."""
        self.path = f"{step}.{self.path}" if self.path else step


Walk: TypeAlias = Callable[[Any, list[Finding], Scope], None]


def prefix(found: list[Finding], since: int, step: str) -> None:
    """Put a step before the paths of all findings since a place."""
    for one in found[since:]:
        one.under(step)
