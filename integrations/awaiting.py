"""What has come on a line and is not answered yet."""

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from integrations.arrival import Arrival
from integrations.journaling import goes_in
from integrations.mllp.state import Tell


@dataclass(slots=True)
class Waiting:
    """One frame that waits for its commit. A batch is taken apart by the thread that writes, so that nobody's line waits for it."""

    raw: bytes
    listen: str
    peer: str
    tell: Tell
    loop: asyncio.AbstractEventLoop | None
    """Where to tell it; None: in the thread that writes."""
    arrival: Arrival | None = None
    """None for a batch, and for several messages in one frame."""
    joint: bytes = b""
    """The answer to a batch."""
    line: Hashable = None
    """On which it came."""

    @property
    def answer(self) -> bytes:
        """What to tell."""
        return self.joint if self.arrival is None else self.arrival.answer

    @property
    def odd(self) -> bool:
        """Whether it has to go through the database, also where there is a journal."""
        return self.arrival is None or not goes_in(self.arrival)


def tell_all(answers: Iterable[Waiting]) -> None:
    """Give everybody their answer."""
    for waiting in answers:
        waiting.tell(waiting.answer)
