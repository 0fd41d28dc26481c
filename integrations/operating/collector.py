"""What monitoring asks of the lines, read from the database when it asks: so any process can tell it, and a restart forgets nothing."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.store import SYSTEM, Database
from integrations.hospitals.shelf import Shelf
from integrations.operating.lines import standings


class LineCollector(Collector):
    """Figures of every link, by its name only."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the registry then does not ask the database at start."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures of now; none where the database does not answer."""
        silence = GaugeMetricFamily("healthsvc_hl7_silence_seconds", "Since when nothing has come on a link", labels=["link"])
        silent = GaugeMetricFamily("healthsvc_hl7_silent", "1 where a link has been silent for too long", labels=["link"])
        waiting = GaugeMetricFamily("healthsvc_hl7_messages", "Messages by link and state that are not done", labels=["link", "state"])
        oldest = GaugeMetricFamily("healthsvc_hl7_oldest_seconds", "How long the oldest message has waited", labels=["link", "direction"])
        try:
            with self._database.reading(SYSTEM, at=clock.utc_now()) as store:
                found, at = standings(store, self._shelf), store.at
        except Refusal:
            return []
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
        return [silence, silent, waiting, oldest]
