"""One line as it stands."""

from dataclasses import dataclass


@dataclass(slots=True)
class LineState:
    """One open line as an operator sees it."""

    peer: str
    since: float
    messages: int = 0
    faults: int = 0
    last: float = 0.0
    link: str = ""
    """Whose line it is by its last message."""
