"""Work that goes on beside everything else: one thread that does a portion, and rests longer when there was nothing to do."""

import threading
from collections.abc import Callable

import structlog

from healthsvc.errors import Refusal

log = structlog.get_logger()


class Repeating:
    """One thread; several processes may run the same, each portion is done by one of them."""

    def __init__(self, name: str, portion: Callable[[], bool], *, breath: float, rest: float, last: bool = False) -> None:
        """Prepare it.

        Args:
            name: for the log.
            portion: does some of the work; True where there is more.
            breath: seconds after a portion, so that others write in between.
            rest: seconds after the last one.
            last: do one more portion when the service stops.
        """
        self.name = name
        self._portion = portion
        self._breath = breath
        self._rest = rest
        self._last = last
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the portion at hand and end; nothing happens where it has not begun."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = self._once()
            self._stopping.wait(self._breath if more else self._rest)
        if self._last:
            self._once()

    def _once(self) -> bool:
        try:
            return self._portion()
        except Refusal as refusal:
            log.error("work waits", work=self.name, reason=refusal.text)
        except Exception as error:  # noqa: BLE001 - the service goes on; what is not done yet is tried again
            log.error("work failed and goes on", work=self.name, error=type(error).__name__)
        return False
