"""A process of lines tells the one that started it what it has counted, so that one address shows the figures of all of them.

Words go over its standard output, one line of JSON each behind :data:`COUNTED`: counters by how much they have grown, gauges as they stand.
"""

import json
import sys
from collections import Counter as Numbers
from collections.abc import Callable
from typing import Any, Final

from prometheus_client import Counter

from integrations import metrics
from integrations.mllp.state import LineState

COUNTED: Final = "counted "
_COUNTERS: Final[dict[str, Counter]] = {
    "received": metrics.RECEIVED,
    "duplicates": metrics.DUPLICATES,
    "reused": metrics.REUSED,
    "faults": metrics.FAULTS,
    "refused": metrics.REFUSED,
}
_Grown = tuple[str, tuple[tuple[str, str], ...]]
"""A counter, and its labels."""


class Telling:
    """The side of the process of lines."""

    def __init__(self, lines: Callable[[], list[LineState]]) -> None:
        self._lines = lines
        self._told: Numbers[_Grown] = Numbers()

    def tell(self) -> bool:
        """Say what has grown and what stands, also where that is as before: a word is a sign of life (``pulse``). There is never more to
        say at once."""
        now = _standing()
        grown = [[name, dict(labels), number] for (name, labels), number in (now - self._told).items()]
        heard = {one.labels["link"]: one.value for family in metrics.LAST_MESSAGE.collect() for one in family.samples}
        sys.stdout.write(f"{COUNTED}{json.dumps([grown, heard, len(self._lines())])}\n")
        sys.stdout.flush()
        self._told = now
        return False


class Heard:
    """The side of the one that started them: what several processes have told."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}
        self._last: dict[str, float] = {}

    def hear(self, process: int, line: str) -> bool:
        """Take a line that a process has said; False where it is no word of this kind."""
        if not line.startswith(COUNTED):
            return False
        grown, heard, lines = json.loads(line.removeprefix(COUNTED))
        for name, labels, number in grown:
            counter: Any = _COUNTERS[name].labels(**labels) if labels else _COUNTERS[name]
            counter.inc(number)
        for link, at in heard.items():
            self._last[link] = max(at, self._last.get(link, 0.0))
            metrics.LAST_MESSAGE.labels(link).set(self._last[link])
        self._stand(process, lines)
        return True

    def gone(self, process: int) -> None:
        """A process is gone, and its lines with it."""
        self._stand(process, 0)

    def _stand(self, process: int, lines: int) -> None:
        self._open[process] = lines
        metrics.CONNECTIONS.set(sum(self._open.values()))


def _standing() -> Numbers[_Grown]:
    found: Numbers[_Grown] = Numbers()
    for name, counter in _COUNTERS.items():
        for family in counter.collect():
            for one in family.samples:
                if one.name.endswith("_total"):
                    found[name, tuple(sorted(one.labels.items()))] = int(one.value)
    return found
