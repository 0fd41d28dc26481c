"""How far a search has come, for whoever waits for it, and ending it early. Searches in other processes (``jobs`` above 1) are not seen."""

import signal
import threading
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


@contextmanager
def compiling(tell: Callable[[bool], None]) -> Iterator[None]:
    """Inside, ``tell`` hears True when this process begins to compile the search, and False when it is compiled.

    It hears nothing where the search is taken from the disk: numba says so itself, after its look at what is kept.
    """
    from numba.core import event

    class Listener(event.Listener):
        """A function that is compiled compiles those below it first, so the outermost ones count."""

        open = 0

        def on_start(self, event: object) -> None:
            """numba begins to compile a function."""
            self.open += 1
            if self.open == 1:
                tell(True)

        def on_end(self, event: object) -> None:
            """numba has compiled a function, or has failed to."""
            self.open = max(0, self.open - 1)  # what another thread had begun before we listened ends, too
            if self.open == 0:
                tell(False)

    with event.install_listener("numba:compile", Listener()):
        yield


_ENOUGH: list[int] = []
"""The signal that asked for an end, once one has."""


def enough() -> bool:
    """Whether somebody has asked the searches of this process to end with the best that they have."""
    return bool(_ENOUGH)


def end_at_interrupt() -> None:
    """From now on the first Ctrl-C ends the searches of this process with the best that they have, the second one the process."""

    def note(number: int, _: object) -> None:
        _ENOUGH.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    _ENOUGH.clear()
    signal.signal(signal.SIGINT, note)


def ready() -> None:
    """Prepare a process that searches for another one: compiled, and Ctrl-C, which reaches both, ends it with the best that it has."""
    from healthsvc.dayplan import warm

    end_at_interrupt()
    warm()


@contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Inside, Ctrl-C ends a search with the best that it has (see :func:`end_at_interrupt`); signals come to the first thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    end_at_interrupt()
    try:
        yield
    finally:
        _ENOUGH.clear()
        signal.signal(signal.SIGINT, before)
