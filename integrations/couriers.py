"""The couriers of one process: one for each hospital that takes messages from us, as the link profiles in force have it."""

import random
import threading

from healthsvc.store import Database
from integrations.ended import forget
from integrations.herald.herald import listeners
from integrations.hospitals.destination import Destination
from integrations.hospitals.shelf import Shelf
from integrations.outbox import Courier


class Couriers:
    """Starts, replaces and stops them."""

    def __init__(self, database: Database, shelf: Shelf, holder: str) -> None:
        self._database, self._shelf, self._holder = database, shelf, holder
        self._at_work: dict[str, tuple[Destination, Courier]] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def follow(self) -> None:
        """Let each hospital have its courier, and leases that nobody takes any more go.

        One whose destination has changed finishes the message at hand and makes room for another.

        Raises:
            Invalid: a setting of a destination is wrong.
        """
        wanted = {one.destination.name: one.destination for one in listeners(self._shelf)}
        with self._lock:
            for name, (destination, courier) in list(self._at_work.items()):
                if wanted.get(name) != destination:
                    del self._at_work[name]
                    courier.stop()
            for name, destination in wanted.items():
                if name not in self._at_work and not self._stopped:
                    courier = Courier(self._database, destination, random.random, self._holder)
                    courier.start()
                    self._at_work[name] = (destination, courier)
        forget(self._database, self._shelf)

    def stop(self) -> None:
        """Each finishes the message at hand; none begins any more."""
        with self._lock:
            self._stopped = True
            for _, courier in self._at_work.values():
                courier.stop()
            self._at_work.clear()
