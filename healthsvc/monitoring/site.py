"""What monitoring asks of the place where this process runs: room on its disks, and until when its certificates hold."""

import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from healthsvc.config import Settings

LINE, PAGES = "hospital line", "pages and API"


class SiteCollector(Collector):
    """Figures of the disks and certificates that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures of now; what cannot be looked at has none, and the doctor says why."""
        free = GaugeMetricFamily("healthsvc_disk_free_bytes", "Room on the disk of the data and of the backups", labels=["of"])
        for of, folder in (("data", self._settings.data), ("backups", self._settings.backup_to)):
            if folder is not None and folder.is_dir():
                free.add_metric([of], shutil.disk_usage(folder).free)
        ends = GaugeMetricFamily("healthsvc_certificate_end_seconds", "When a certificate of ours ends (Unix time)", labels=["of"])
        for of, path, _ in certificates(self._settings):
            try:
                ends.add_metric([of], end_of(path).timestamp())
            except (OSError, ValueError):
                continue  # taken away, or exchanged at this very moment
        return [free, ends]


def certificates(settings: Settings) -> Iterator[tuple[str, Path, Path | None]]:
    """What each certificate that is set is for, its file, and that of its key where it is one of its own."""
    for of, path, key in (
        (LINE, settings.mllp_certificate, settings.mllp_key),
        (PAGES, settings.https_certificate, settings.https_key),
    ):
        if path is not None:
            yield of, path, key


def end_of(path: Path) -> datetime:
    """Until when the certificate in a file (PEM) holds.

    Raises:
        OSError: it cannot be read. ValueError: it is none.
    """
    from cryptography import x509

    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
