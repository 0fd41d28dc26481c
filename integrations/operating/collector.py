"""What monitoring asks of the lines, read from the database when it asks: so any process can tell it, and a restart forgets nothing."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.store import SYSTEM, Database, Store
from integrations.hospitals.shelf import Shelf
from integrations.operating.ends import Ends, visit_ends
from integrations.operating.lines import standings

ENDS_SECONDS: Final = 300.0
"""So long one count of how visits ended is told: it looks through some thousand of them, and changes by the day."""


class LineCollector(Collector):
    """Figures of every link and hospital, by its name only."""

    def __init__(self, database: Database, shelf: Shelf, trouble: Callable[[], str] = str) -> None:
        self._database = database
        self._shelf = shelf
        self._trouble = trouble
        self._ends: Ends | None = None
        self._counted = -ENDS_SECONDS

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the registry then does not ask the database at start."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures of now; none where the database does not answer."""
        silence = GaugeMetricFamily("healthsvc_hl7_silence_seconds", "Since when nothing has come on a link", labels=["link"])
        silent = GaugeMetricFamily("healthsvc_hl7_silent", "1 where a link has been silent for too long", labels=["link"])
        waiting = GaugeMetricFamily("healthsvc_hl7_messages", "Messages by link and state that are not done", labels=["link", "state"])
        oldest = GaugeMetricFamily("healthsvc_hl7_oldest_seconds", "How long the oldest message has waited", labels=["link", "direction"])
        version = GaugeMetricFamily("healthsvc_hl7_profile_version", "Version of the link profile that this process has", labels=["link"])
        wrong = GaugeMetricFamily("healthsvc_hl7_profiles_refused", "1 where changed link profiles are not put in force: a file is wrong")
        ends = GaugeMetricFamily(
            "healthsvc_hl7_visit_ends", "Outpatient visits that ended of late, by the hospital's word or by rule", labels=["hospital", "by"]
        )
        try:
            with self._database.reading(SYSTEM, at=clock.utc_now()) as store:
                found, at = standings(store, self._shelf), store.at
                hospitals = self._visit_ends(store).hospitals
        except Refusal:
            return []
        wrong.add_metric([], float(bool(self._trouble())))
        for profile in self._shelf.all:
            version.add_metric([profile.name], profile.version)
        for hospital in hospitals:
            ends.add_metric([hospital.hospital or "unknown", "word"], hospital.by_word)
            ends.add_metric([hospital.hospital or "unknown", "rule"], hospital.by_rule)
        for one in found:
            name = one.name or "unknown"
            gone = one.silence(at)
            if gone is not None:
                silence.add_metric([name], gone.total_seconds())
            silent.add_metric([name], float(one.silent))
            for state, count in one.counts.items():
                waiting.add_metric([name, state], count)
            waiting.add_metric([name, "to-send"], one.out_waiting)
            waiting.add_metric([name, "not-delivered"], one.out_stuck)
            for direction, since in (("in", one.oldest), ("out", one.out_oldest)):
                oldest.add_metric([name, direction], (at - since).total_seconds() if since else 0.0)
        return [silence, silent, waiting, oldest, version, wrong, ends]

    def _visit_ends(self, store: Store) -> Ends:
        if self._ends is None or time.monotonic() - self._counted > ENDS_SECONDS:
            self._ends, self._counted = visit_ends(store), time.monotonic()
        return self._ends
