"""What monitoring asks of the store, read when it asks: queues, timers, leases, connections, sizes. Labels are names of ours."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.pool import QueuePool

from healthsvc import clock
from healthsvc.errors import Refusal
from healthsvc.store import SYSTEM, Database
from healthsvc.store.lease_tables import FiringRow, LeaseRow
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.stored import micros

_FIRING: Any = FiringRow.__table__  # type: ignore[attr-defined]
_LEASE: Any = LeaseRow.__table__  # type: ignore[attr-defined]
_SECOND = 1e6


class StoreCollector(Collector):
    """Figures of one database, and of this process's connections to it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: the registry then does not ask the database at start."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The figures of now; only those of the process where the database does not answer."""
        yield from self._connections()
        yield from self._sizes()
        up = GaugeMetricFamily("healthsvc_store_up", "1 where the database answers this process")
        try:
            asked = list(self._asked())
        except Refusal:
            asked = []
        up.add_metric([], float(bool(asked)))
        yield from (up, *asked)

    def _asked(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily("healthsvc_outbox_rows", "Work for outside systems by kind and state", labels=["kind", "state"])
        oldest = GaugeMetricFamily("healthsvc_outbox_oldest_seconds", "How long the oldest due work has waited", labels=["kind"])
        fired = GaugeMetricFamily("healthsvc_timer_last_due_seconds", "Due time of a timer's last finished run (Unix time)", labels=["job"])
        held = GaugeMetricFamily("healthsvc_lease_seconds", "How long a lease still runs; below 0: nobody works", labels=["name"])
        token = GaugeMetricFamily("healthsvc_lease_token", "Fencing token of a lease: grows with every new holder", labels=["name"])
        at = micros(clock.utc_now())
        with self._database.reading(SYSTEM, at=clock.utc_now()) as store:
            ask = store.connection.execute
            waiting = select(OUTBOX.c.kind, OUTBOX.c.state, func.count().label("rows"), func.min(OUTBOX.c.due).label("since"))
            for row in ask(waiting.where(OUTBOX.c.state.in_(("due", "dead"))).group_by(OUTBOX.c.kind, OUTBOX.c.state)):
                depth.add_metric([row.kind, row.state], row.rows)
                if row.state == "due":
                    oldest.add_metric([row.kind], max(0.0, (at - row.since) / _SECOND))
            done = select(_FIRING.c.job, func.max(_FIRING.c.scheduled_for).label("last")).where(_FIRING.c.outcome == "done")
            for row in ask(done.group_by(_FIRING.c.job)):
                fired.add_metric([row.job], row.last / _SECOND)
            for row in ask(select(_LEASE.c.name, _LEASE.c.until, _LEASE.c.token)):
                held.add_metric([row.name], (row.until - at) / _SECOND)
                token.add_metric([row.name], row.token)
        return [depth, oldest, fired, held, token]

    def _connections(self) -> Iterable[Metric]:
        pool = self._database.engine.pool
        if isinstance(pool, QueuePool):
            used = GaugeMetricFamily("healthsvc_store_connections", "Connections of this process by state", labels=["state"])
            used.add_metric(["in use"], pool.checkedout())
            used.add_metric(["idle"], pool.checkedin())
            yield used

    def _sizes(self) -> Iterable[Metric]:
        if self._database.engine.dialect.name != "sqlite":
            return
        size = GaugeMetricFamily("healthsvc_store_bytes", "Size of the embedded database and of its write-ahead log", labels=["file"])
        path = Path(self._database.engine.url.database or "")
        for label, file in (("database", path), ("wal", path.with_name(f"{path.name}-wal"))):
            try:
                size.add_metric([label], file.stat().st_size)
            except OSError:
                size.add_metric([label], 0)
        yield size
