"""How far a search has come, for whoever waits for it, and ending it early. How far searches in other processes are is not seen."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

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


_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and what a supervisor sends."""
_ENOUGH: list[int] = []
"""The signal that asked for an end, once one has."""
_ASKED: list["Synchronized[int]"] = []
"""Bytes shared between processes that search for one another: 1 where the search shall end."""


def enough() -> bool:
    """Whether somebody has asked the searches of this process to end with the best that they have."""
    return bool(_ENOUGH) or any(one.value for one in _ASKED)


def end_at_signal() -> None:
    """From now on the first Ctrl-C (or SIGTERM) ends the searches of this process with the best that they have, the second the process."""

    def note(number: int, _: object) -> None:
        _ENOUGH.append(number)
        for one in _ASKED:
            one.value = 1
        for ending in _ENDING:
            signal.signal(ending, signal.default_int_handler)

    _ENOUGH.clear()
    for number in _ENDING:
        signal.signal(number, note)


@contextmanager
def ended_by_signal() -> Iterator[None]:
    """Inside, Ctrl-C or SIGTERM ends a search with the best that it has (:func:`end_at_signal`); signals come to the first thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.getsignal(number) for number in _ENDING]
    end_at_signal()
    try:
        yield
    finally:
        _ENOUGH.clear()
        for number, handler in zip(_ENDING, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def searchers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes that search beside each other, compiled; a signal to this one ends them all with the best that they have."""
    context = get_context("spawn")
    asked = context.RawValue("b", 0)
    _ASKED.append(asked)
    asked.value = int(bool(_ENOUGH))
    try:
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_ready, initargs=(asked,)) as pool:
            held = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # what comes while they start waits until they can hear it
            try:
                pool.submit(int)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, held)
            yield pool
    finally:
        _ASKED.remove(asked)


def _ready(asked: "Synchronized[int]") -> None:
    """Prepare a process that searches for another one. It ends its search when it is told to, and itself when that one has its answer."""
    from healthsvc.dayplan import warm

    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches both; who asked for the search passes it on
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    warm()
    _ASKED.append(asked)
