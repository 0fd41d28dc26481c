"""Counts what has arrived, for monitoring."""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from prometheus_client import Counter as Counting
from prometheus_client import Gauge

from integrations import metrics
from integrations.arrival import Arrival
from integrations.hl7v2.ack import AckCode


def count(arrivals: Sequence[Arrival]) -> None:
    """Count messages that are answered, by link and code; note when each link was last heard."""
    for (link, code), number in Counter((arrival.link, arrival.code) for arrival in arrivals).items():
        _received(link, code).inc(number)
    for link, received in {arrival.link: arrival.received for arrival in arrivals}.items():
        _last_message(link).set(received / 1e6)


@lru_cache(maxsize=1024)
def _received(link: str, code: AckCode) -> Counting:
    return metrics.RECEIVED.labels(link, code.value)


@lru_cache(maxsize=1024)
def _last_message(link: str) -> Gauge:
    return metrics.LAST_MESSAGE.labels(link)
