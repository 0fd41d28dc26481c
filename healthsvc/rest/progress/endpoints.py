"""``/api/progress``: how far long work has come, and calling it off."""

from typing import Any

from fastapi import APIRouter

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.rest.progress.seen import all_seen, call_off, seen

router = APIRouter(prefix="/api/progress", tags=["长任务 Long work"])


@router.get("", dependencies=[needs("self")])
def listed(store: StoreReading) -> list[dict[str, Any]]:
    """The newest fifty that one has asked for (operators: that anybody has), newest first."""
    return [one.as_json() for one in all_seen(store)]


@router.get("/{id}", dependencies=[needs("self")])
def work(id: str, store: StoreReading) -> dict[str, Any]:
    """How far it has come: state (waiting, running, done, failed, cancelled), done of total, by whom, since when; result or error."""
    return seen(store, id).as_json()


@router.post("/{id}/cancel", dependencies=[needs("self")])
def cancel(id: str, store: StoreWriting) -> dict[str, Any]:
    """Call it off before it has had its effect."""
    call_off(store, seen(store, id))
    return seen(store, id).as_json()
