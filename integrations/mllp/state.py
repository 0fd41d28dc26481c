"""One line as it stands, and what deals with that which comes on it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from integrations.mllp.framing import Fault

Tell = Callable[[bytes | None], None]
"""Takes the answer to a message, in the thread of the line: empty for none, None where there never will be one (the line is dropped)."""
Handler = Callable[[bytes, str, str, Tell, Hashable], str]
"""``handler(message, listen, peer, tell, line)`` begins to deal with a message and calls ``tell`` once it has the answer; it gives whose
line this is, empty where the message does not say. The order of messages is that of their line."""
FaultHandler = Callable[[Fault, str, str], bytes]
"""What to answer to a block that is no whole message; empty for nothing."""


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
