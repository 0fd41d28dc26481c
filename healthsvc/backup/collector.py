"""How old the newest backup is, for monitoring."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from healthsvc.backup.make import backups
from healthsvc.backup.site import keys_there
from healthsvc.config import Settings


class BackupCollector(Collector):
    """Figures of one installation's backups in a folder that others may use as well."""

    def __init__(self, settings: Settings, target: Path) -> None:
        self._settings, self._target = settings, target

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return []

    def collect(self) -> Iterable[Metric]:
        """When the newest whole backup was made, and how many there are."""
        found = backups(self._target, keys_there(self._settings))
        newest = GaugeMetricFamily("healthsvc_backup_last_seconds", "When the newest whole backup was made (Unix time); 0: there is none")
        newest.add_metric([], datetime.fromisoformat(found[0][1].created).timestamp() if found else 0.0)
        count = GaugeMetricFamily("healthsvc_backups", "Whole backups that are kept")
        count.add_metric([], len(found))
        return [newest, count]
