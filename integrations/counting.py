"""Counts what has arrived, for monitoring."""

from collections import Counter as Numbers
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final

from prometheus_client import Counter, Gauge

from integrations import metrics
from integrations.arrival import Arrival
from integrations.hl7v2.ack import AckCode

_TOLD: Final = attrgetter("link", "code")
_HEARD: Final = attrgetter("link", "received")


def count(arrivals: Sequence[Arrival]) -> None:
    """Count messages that are answered, by link and code; note when each link was last heard."""
    for (link, code), number in Numbers(map(_TOLD, arrivals)).items():
        _received(link, code).inc(number)
    for link, received in dict(map(_HEARD, arrivals)).items():
        _last_message(link).set(received / 1e6)


@lru_cache(maxsize=1024)
def _received(link: str, code: AckCode) -> Counter:
    return metrics.RECEIVED.labels(link, code.value)


@lru_cache(maxsize=1024)
def _last_message(link: str) -> Gauge:
    return metrics.LAST_MESSAGE.labels(link)
