"""The store: tables, transactions, versioned resources, the search index and search. The only place with SQL for FHIR resources."""

from healthsvc.store.engine import Database
from healthsvc.store.room import SYSTEM, Actor, Room
from healthsvc.store.store import Store
from healthsvc.store.stored import Stored

__all__ = ["SYSTEM", "Actor", "Database", "Room", "Store", "Stored"]
