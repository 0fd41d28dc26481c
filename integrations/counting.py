"""Counts what has arrived, for monitoring."""

from collections.abc import Sequence
from functools import lru_cache

from prometheus_client import Counter, Gauge

from integrations import metrics
from integrations.arrival import Arrival
from integrations.hl7v2.ack import AckCode


def count(arrivals: Sequence[Arrival]) -> None:
    """Count messages that are answered, by link and code; note when each link was last heard."""
    numbers: dict[tuple[str, AckCode], int] = {}
    heard: dict[str, int] = {}
    for arrival in arrivals:
        told = arrival.link, arrival.code
        numbers[told] = numbers.get(told, 0) + 1
        heard[arrival.link] = arrival.received
    for (link, code), number in numbers.items():
        _received(link, code).inc(number)
    for link, received in heard.items():
        _last_message(link).set(received / 1e6)


@lru_cache(maxsize=1024)
def _received(link: str, code: AckCode) -> Counter:
    return metrics.RECEIVED.labels(link, code.value)


@lru_cache(maxsize=1024)
def _last_message(link: str) -> Gauge:
    return metrics.LAST_MESSAGE.labels(link)
