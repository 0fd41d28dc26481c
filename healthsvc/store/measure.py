"""How long transactions take, and how long writers wait for each other on the embedded database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Histogram

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TRANSACTION = Histogram("healthsvc_store_transaction_seconds", "How long transactions take, commit included", ["kind"], buckets=_BUCKETS)
WRITER_WAIT = Histogram("healthsvc_store_writer_wait_seconds", "How long a writer waited for the others of its process", buckets=_BUCKETS)
_READS, _WRITES = TRANSACTION.labels("read"), TRANSACTION.labels("write")


@contextmanager
def measured(*, writing: bool) -> Iterator[None]:
    """Measure one transaction, whatever comes of it."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        (_WRITES if writing else _READS).observe(time.perf_counter() - begun)
