"""增设站点研究 where further stations bring most people inside: proven or with its gap, kept, compared."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access.door import Signed, StoreReading, StoreWriting, needs
from healthsvc.circle import service, studies
from healthsvc.circle.resources import MEASUREMENT
from healthsvc.circle.rules import Mode
from healthsvc.circle.words import MODE_NAMES
from healthsvc.errors import Conflict, NotFound, Refusal
from healthsvc.fhir.json import Resource
from healthsvc.store import Actor, Database, Store
from healthsvc.web.coverage import times_of
from healthsvc.web.render import SignedPage

router = APIRouter(dependencies=[needs("plan")])
log = structlog.get_logger()
_RUN: Final = "siting-run"
"""Id of the List that says that a study runs: one at a time in a site."""
_SLACK: Final = timedelta(minutes=2)
"""After its time limit a study still measures ways and writes; one that has not ended by then was cut off."""
_MOST: Final = 10
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Study:
    """A kept study."""

    id: str
    on: datetime
    mode: Mode
    places: tuple[str, ...]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """A study that is under way. ``failed``: why it ended without an answer (None while it runs)."""

    since: datetime
    count: int
    failed: Refusal | None
    seconds: int
    limit: int

    @property
    def cut_off(self) -> bool:
        """Whether whoever worked on it has ended without a word."""
        return not self.failed and self.seconds > self.limit + _SLACK.total_seconds()


@router.get("/circle/siting")
def siting(page: SignedPage, store: StoreReading) -> Response:
    """The studies that were kept side by side, the one that runs, and the form for another."""
    policy = service.policy_of(store)
    kept = [_study(one) for one in sorted(_kept(store), key=lambda one: str(one["meta"]["lastUpdated"]), reverse=True)]
    run = _running(store)
    values: dict[str, Any] = {"studies": kept[:_SHOWN], "run": run, "most": _MOST, "mode": Mode(policy.mode)}
    values["failed"] = page.told(run.failed) if run and run.failed else ""
    return page.show("siting.html", limit=policy.limit_minutes, modes=MODE_NAMES, **values)


@router.post("/circle/siting")
def begin(who: Signed, request: Request, count: Annotated[int, Form(ge=1, le=_MOST)], mode: Annotated[Mode, Form()]) -> Response:
    """Begin a study; it goes on when one leaves the page."""
    database: Database = request.app.state.database
    with database.writing(who.actor, at=clock.now()) as store:
        run = _running(store)
        if run is not None and not run.failed and not run.cut_off:
            raise Conflict("a study is under way; wait for it to end", reason="siting-running")
        store.put(_mark(count, store.at))
    times = times_of(request)
    threading.Thread(target=_work, args=(database, who.actor, times, count, mode), name="siting", daemon=True).start()
    return RedirectResponse("/circle/siting", status_code=303)


@router.post("/circle/siting/drop")
def drop(store: StoreWriting, id: Annotated[str, Form(pattern=r"siting-[a-z0-9-]{1,50}")]) -> Response:
    """Drop a kept study, or the word that one was cut off."""
    if store.find("List", id) is None:
        raise NotFound("there is no such study")
    store.delete("List", id)
    return RedirectResponse("/circle/siting", status_code=303)


def _work(database: Database, actor: Actor, times: Any, count: int, mode: Mode) -> None:
    """The study itself, in a thread of its own: it reads a snapshot, thinks, then writes."""
    failed: Refusal | None = Refusal("the study failed; the operator's log says more", reason="siting-failed")
    try:
        with database.reading(actor, at=clock.now()) as store:
            found = service.study(store, times, count, mode)
        with database.writing(actor, at=clock.now()) as store:
            service.keep_study(store, found, times)
            store.delete("List", _RUN)
        failed = None
    except Refusal as refusal:
        log.info("siting study refused", reason=refusal.reason)
        failed = refusal
    finally:  # whatever it was, the page must not wait for ever
        if failed:
            _note_failure(database, actor, count, failed)


def _note_failure(database: Database, actor: Actor, count: int, failed: Refusal) -> None:
    why = {"text": failed.text} | ({"coding": [{"system": MEASUREMENT, "code": failed.reason}]} if failed.reason else {})
    with database.writing(actor, at=clock.now()) as store:
        store.put(_mark(count, store.at) | {"status": "retired", "emptyReason": why})


def _mark(count: int, at: datetime) -> Resource:
    return {
        "resourceType": "List",
        "id": _RUN,
        "status": "current",
        "mode": "working",
        "title": f"增设站点研究（计算中，{count} 处）",
        "date": at.isoformat(timespec="seconds"),
    }


def _running(store: Store) -> Run | None:
    found = store.find("List", _RUN)
    if found is None:
        return None
    since = datetime.fromisoformat(found["date"]).astimezone(store.zone)
    why = found.get("emptyReason", {})
    reason = next((str(one["code"]) for one in why.get("coding", ())), None)
    failed = Refusal(str(why.get("text", "")), reason=reason) if found.get("status") == "retired" else None
    seconds = int((store.at - since).total_seconds())
    count = int("".join(char for char in str(found.get("title", "")) if char.isdigit()) or 1)
    return Run(since, count, failed, seconds, round(service.policy_of(store).siting_seconds))


def _kept(store: Store) -> list[Resource]:
    return [one for one in store.select("List", code=f"{MEASUREMENT}|siting-study") if one.get("mode") == "snapshot"]


def _study(resource: Resource) -> Study:
    parts = next(one["extension"] for one in resource["extension"] if one["url"] == studies.STUDY)
    figures = {one["url"]: next(value for key, value in one.items() if key.startswith("value")) for one in parts}
    names = tuple(str(one["name"]) for one in resource.get("contained", ()))
    return Study(str(resource["id"]), datetime.fromisoformat(resource["date"]), Mode(str(resource["id"]).split("-")[1]), names, figures)


@router.get("/map/siting.json")
def places(store: StoreReading, id: str) -> dict[str, Any]:
    """The places of a kept study, for the map."""
    found = store.read("List", id)
    spots = [one for one in found.get("contained", ()) if one.get("resourceType") == "Location"]
    at = [(one["name"], one["position"]) for one in spots]
    return {
        "places": [{"name": name, "lon": float(where["longitude"]), "lat": float(where["latitude"])} for name, where in at],
        "stations": [{"lon": one.lon, "lat": one.lat, "name": one.name} for one in service.stations(store)],
    }
