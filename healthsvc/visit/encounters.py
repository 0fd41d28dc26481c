"""当天的上门: the Encounters of a day, planned, made or under way."""

from datetime import date, datetime, timedelta
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.store import Store

BEGUN: Final = ("arrived", "in-progress", "onleave")
"""States of an Encounter in which somebody is there now."""


def encounters_on(store: Store, on: date, **narrowed: str) -> list[Resource]:
    """Encounters of a day, planned, made or under way; ``narrowed``: further search parameters."""
    inside = store.select("Encounter", date=on.isoformat(), **narrowed)
    found = (*inside, *under_way_on(store, on, **narrowed), *_past_midnight(store, on, **narrowed))
    return list({one["id"]: one for one in found}.values())


def under_way_on(store: Store, on: date, **narrowed: str) -> list[Resource]:
    """Visits at home that began on a day and are not over.

    They have no end yet, so FHIR's ``date`` does not find them inside the day.
    """
    found = store.select("Encounter", status=list(BEGUN), **{"class": "HH"}, **narrowed)
    return [one for one in found if _began(one, store) == on]


def _past_midnight(store: Store, on: date, **narrowed: str) -> list[Resource]:
    """Visits at home that begin on a day and end on the next one: they lie inside of neither."""
    after = (on + timedelta(days=1)).isoformat()
    both = [("date", f"lt{after}"), ("date", f"gt{on.isoformat()}"), ("class", "HH"), *narrowed.items()]
    return [one for one in (match.resource for match in store.search("Encounter", both).matches) if _began(one, store) == on]


def _began(encounter: Resource, store: Store) -> date | None:
    start = encounter.get("period", {}).get("start", "")
    return datetime.fromisoformat(start).astimezone(store.zone).date() if len(start) > 10 else None
