"""当天的上门: the Encounters of a day, planned, made or under way."""

from datetime import date, datetime
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.store import Store

BEGUN: Final = ("arrived", "in-progress", "onleave")
"""States of an Encounter in which somebody is there now."""


def encounters_on(store: Store, on: date, **narrowed: str) -> list[Resource]:
    """Encounters of a day, planned, made or under way; ``narrowed``: further search parameters."""
    inside = store.select("Encounter", date=on.isoformat(), **narrowed)
    return list({one["id"]: one for one in (*inside, *under_way_on(store, on, **narrowed))}.values())


def under_way_on(store: Store, on: date, **narrowed: str) -> list[Resource]:
    """Visits at home that began on a day and are not over.

    They have no end yet, so FHIR's ``date`` does not find them inside the day.
    """
    found = store.select("Encounter", status=list(BEGUN), **{"class": "HH"}, **narrowed)
    return [one for one in found if _began(one, store) == on]


def _began(encounter: Resource, store: Store) -> date | None:
    start = encounter.get("period", {}).get("start", "")
    return datetime.fromisoformat(start).astimezone(store.zone).date() if len(start) > 10 else None
