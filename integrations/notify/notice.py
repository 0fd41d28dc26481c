"""What is sent, and what a notifier is."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one person. ``key`` is the same when the same message is sent again, so that a gateway can drop the second."""

    key: str
    to: str
    """Where: a phone number, or an address of the gateway."""
    role: str
    text: str


class NotReached(Exception):
    """The notice did not get through. ``again``: whether trying once more may help."""

    def __init__(self, why: str, *, again: bool = True) -> None:
        super().__init__(why)
        self.why = why
        """Without a name or a number: it goes into a log."""
        self.again = again


class Notifier(Protocol):
    """A way to reach people."""

    def send(self, notice: Notice) -> None:
        """Hand a notice over.

        Raises:
            NotReached: it did not get through.
        """
