"""Leases that nobody takes any more: monitoring would say for ever that nobody does their work."""

from healthsvc import clock
from healthsvc.store import SYSTEM, Database, lease
from integrations.herald.herald import listeners
from integrations.hospitals.shelf import Shelf
from integrations.outbox import COURIER
from integrations.worker import LEASE as WORKER


def forget(database: Database, shelf: Shelf) -> None:
    """Remove those of couriers to hospitals that get nothing from us any more, and, on a server, that of the one worker that SQLite has.

    One that still runs stays: another process may have other profiles.
    """
    couriers = {f"{COURIER}{one.destination.name}" for one in listeners(shelf)}
    embedded = database.engine.dialect.name == "sqlite"

    def unused(name: str) -> bool:
        return (name.startswith(COURIER) and name not in couriers) or (name == WORKER and not embedded)

    with database.writing(SYSTEM, at=clock.now()) as store:
        lease.forget_ended(store.connection, unused, lease.clock_of(store.connection, store.at))
