"""Lines that were turned away: counted, said in the log, and kept for a while for whoever looks at the page of the lines."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from healthsvc import clock
from integrations import metrics

log = structlog.get_logger()
SAID_AGAIN_SECONDS: Final = 60.0
"""After so long the log says again that a peer is turned away for the same reason."""
PEERS_KEPT: Final = 1000
"""Peers and reasons that are remembered at most."""
SHOWN_FOR: Final = timedelta(hours=24)
"""So long one is shown that has not knocked again."""
MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Refused:
    """One peer that was turned away for one reason."""

    peer: str
    why: str
    """``address``, ``limit``, ``certificate-name``, or why TLS could not be agreed upon (``mllp/threshold.py``)."""
    times: int
    last: datetime


class Refusals:
    """Counts lines that are turned away, and says in the log who and why: each peer and reason once a minute, however often it knocks."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._said: dict[tuple[str, str], float] = {}
        self._known: dict[tuple[str, str], Refused] = {}
        self._lock = threading.Lock()

    def note(self, peer: str, why: str) -> None:
        """A line was turned away."""
        metrics.REFUSED.inc()
        key, at = (peer, why), self._now()
        with self._lock:
            if len(self._known) >= PEERS_KEPT and key not in self._known:
                self._known.clear()
            before = self._known.get(key, Refused(peer, why, 0, clock.utc_now()))
            self._known[key] = replace(before, times=before.times + 1, last=clock.utc_now())
        if at - self._said.get(key, -SAID_AGAIN_SECONDS) < SAID_AGAIN_SECONDS:
            return
        if len(self._said) >= PEERS_KEPT:
            self._said.clear()
        self._said[key] = at
        log.warning("hospital line refused", peer=peer, why=why)

    def of_late(self) -> list[Refused]:
        """Those of the last day, the latest first."""
        since = clock.utc_now() - SHOWN_FOR
        with self._lock:
            held = list(self._known.values())
        return sorted((one for one in held if one.last > since), key=lambda one: one.last, reverse=True)[:MOST_SHOWN]
