"""Rate limits: how often one address signs in or asks for tokens, one caller asks the window or the API. Counted in this process."""

import threading
import time
from typing import Final

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from healthsvc import clock
from healthsvc.access.rules import ThrottlePolicy
from healthsvc.errors import Refusal
from healthsvc.policy import Policy

_KEPT_SECONDS: Final = 5.0
"""A changed policy value counts after so long."""


class TooOften(Refusal):
    """Too many calls within a minute; waiting helps."""

    status = 429
    issue_code = "throttled"


class Throttle:
    """The counters of one application."""

    def __init__(self, policy: Policy, zone: str) -> None:
        self._policy = policy
        self._zone = clock.zone(zone)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._known: tuple[float, ThrottlePolicy] | None = None

    def count(self, kind: str, who: str) -> None:
        """One more call.

        Args:
            kind: ``sign_in``, ``token``, ``window`` or ``api``.
            who: network address, or the id of the actor.

        Raises:
            TooOften: it is one too many for this minute.
        """
        most: int = getattr(self._values(), f"{kind}_per_minute")
        if most > 0 and not self._limiter.hit(RateLimitItemPerMinute(most), kind, who):
            raise TooOften(f"more than {most} calls within a minute; wait a minute and go on more slowly", reason="too-often")

    def allows(self, kind: str, who: str) -> bool:
        """Count one more call; False where it is one too many (and whoever counts it again says so)."""
        try:
            self.count(kind, who)
        except TooOften:
            return False
        return True

    def _values(self) -> ThrottlePolicy:
        now, known = time.monotonic(), self._known
        if known is None or now - known[0] > _KEPT_SECONDS:
            with self._lock:
                known = (now, self._policy.fill(ThrottlePolicy, "access", clock.today(self._zone)))
                self._known = known
        return known[1]


def count(request: Request, kind: str, who: str | None = None) -> None:
    """Count a request; ``who`` None: the network address that it comes from (a header says nothing here).

    Raises:
        TooOften: it is one too many.
    """
    throttle: Throttle | None = getattr(request.app.state, "throttle", None)
    if throttle is not None:
        throttle.count(kind, who or (request.client.host if request.client else "unknown"))
