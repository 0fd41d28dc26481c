"""How far a search has come, for whoever waits for it. Searches in other processes (``jobs`` above 1) are not seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_TELL: ContextVar[Callable[[int], None] | None] = ContextVar("_TELL", default=None)


@contextmanager
def watched(tell: Callable[[int], None]) -> Iterator[None]:
    """Inside, ``tell`` hears of the proposals that were made so far, some hundred times a search; what it raises ends the search."""
    made = 0

    def add(steps: int) -> None:
        nonlocal made
        made += steps
        tell(made)

    token = _TELL.set(add)
    try:
        yield
    finally:
        _TELL.reset(token)


def made(steps: int) -> None:
    """Say that a search has made so many proposals more."""
    tell = _TELL.get()
    if tell is not None:
        tell(steps)
