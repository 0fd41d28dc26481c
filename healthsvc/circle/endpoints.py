"""The circle over HTTP: travel times, coverage, siting, reach and the map's layers. Positions of homes travel in bodies only."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.circle import geojson, service, shapes, town
from healthsvc.circle.coverage import Station
from healthsvc.circle.providers import site_roads, travel_times
from healthsvc.circle.roads import Roads
from healthsvc.circle.rules import Mode
from healthsvc.circle.travel import TravelTimes
from healthsvc.errors import NotFound, TooLarge
from healthsvc.fhir.json import Resource, dumps
from healthsvc.healthfile.datum import place

router = APIRouter(prefix="/api/circle", tags=["十分钟医疗卫生服务圈 Ten-minute circle"])

MOST_PAIRS = 4_000_000
"""Pairs in one question: their answer is about 100 MB of JSON."""


def open_times(request: Request) -> TravelTimes:
    """Whoever answers at this site: what the composition root put into ``app.state.travel_times``, or the site's roads."""
    told: TravelTimes | None = getattr(request.app.state, "travel_times", None)
    return told or travel_times(request.app.state.settings.data, request.app.state.policy)


Times = Annotated[TravelTimes, Depends(open_times)]


class Asked(BaseModel):
    """A question about ways. Positions are [longitude, latitude] in the datum that the question declares."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    origins: list[tuple[float, float]] = Field(max_length=10_000)
    destinations: list[tuple[float, float]] = Field(max_length=10_000)
    mode: Mode
    datum: str | None = Field(None, description="WGS-84, GCJ-02 or BD-09; a question without one is refused")
    limit_seconds: float | None = Field(None, gt=0)


class Placed(BaseModel):
    """Where a home or station is, in which datum, by whose word."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    longitude: float
    latitude: float
    datum: str | None = None
    source: str = Field("", max_length=200)


class Candidate(BaseModel):
    """A place where a station could stand."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    longitude: float
    latitude: float


class Study(BaseModel):
    """A siting study to make; without candidates they are taken among the homes that are outside."""

    model_config = ConfigDict(extra="forbid")

    count: int = Field(1, ge=1, le=50)
    mode: Mode | None = None
    candidates: list[Candidate] = Field(default_factory=list, max_length=2_000)
    datum: str | None = Field(None, description="Datum of the candidates")
    keep: bool = Field(False, description="Keep the study as a FHIR List")


@router.get("/status", dependencies=[needs("directory")])
def status(times: Times, store: StoreReading) -> dict[str, Any]:
    """Which roads are loaded, from when, for which modes; the limit and mode in force."""
    policy = service.policy_of(store)
    return {**times.status().as_json(), "limit_minutes": policy.limit_minutes, "mode": policy.mode}


@router.post("/matrix", dependencies=[needs("directory")])
def matrix(asked: Asked, times: Times, store: StoreReading) -> Response:
    """Seconds, metres and basis from every origin to every destination, and how each address was brought to the road."""
    if len(asked.origins) * len(asked.destinations) > MOST_PAIRS:
        raise TooLarge(f"more than {MOST_PAIRS} pairs in one question; ask in parts", path="destinations")
    origins, destinations = ([_wgs84(pair, asked.datum) for pair in pairs] for pairs in (asked.origins, asked.destinations))
    found = times.matrix(origins, destinations, asked.mode, asked.limit_seconds)
    return Response(dumps(shapes.matrix_told(found)), media_type="application/json")


@router.get("/coverage")
def coverage(
    times: Times,
    store: StoreReading,
    mode: Mode | None = None,
    kept: Annotated[bool, Query(description="As last measured and kept, instead of now")] = False,
    homes: Annotated[bool, Query(description="With the answer for every home")] = False,
) -> dict[str, Any]:
    """Who lives inside, by community and by risk group, and the gaps."""
    if homes:
        store.audit("coverage", None, purpose=f"homes {mode or ''}".strip())
    if kept:
        found, missing = service.coverage_kept(store, mode)
        return {**shapes.coverage_told(found, homes), "not_measured": missing}
    return shapes.coverage_told(service.coverage_now(store, times, mode), homes)


@router.post("/coverage", dependencies=[needs("plan")])
def measure(times: Times, store: StoreWriting, mode: Mode | None = None) -> dict[str, Any]:
    """Measure every home and keep the answers with their provenance."""
    return shapes.coverage_told(service.measure(store, times, mode), False)


@router.get("/coverage.geojson")
def coverage_map(times: Times, store: StoreReading, mode: Mode | None = None) -> dict[str, Any]:
    """Stations, and homes by verdict, for the map."""
    store.audit("coverage", None, purpose=f"map {mode or ''}".strip())
    return geojson.points(service.coverage_now(store, times, mode), service.stations(store))


@router.post("/siting", dependencies=[needs("plan")])
def siting(wanted: Study, times: Times, request: Request, store: StoreReading) -> dict[str, Any]:
    """Where further stations bring most people inside: proven, or with the gap stated. Nobody waits to write while it thinks."""
    places = []
    for i, one in enumerate(wanted.candidates, start=1):
        lon, lat = _wgs84((one.longitude, one.latitude), wanted.datum)
        places.append(Station(f"candidate-{i}", one.name, lon, lat))
    found = service.study(store, times, wanted.count, wanted.mode, places)
    study: Resource | None = None
    if wanted.keep:
        with request.app.state.database.writing(store.actor, at=store.at) as writing:
            study = service.keep_study(writing, found, times)
    return {
        "mode": found.mode,
        "limit_seconds": found.limit_seconds,
        "places": [shapes.station_told(one) for one in found.places],
        "already_inside": found.already_inside,
        "gained": found.gained,
        "gained_by_estimate_only": found.estimated,
        "outside": found.outside,
        "unreachable": found.unreachable,
        "proven": found.proven,
        "gap": found.gap,
        "seconds": found.seconds,
        "provenance": found.provenance,
        "kept_as": f"List/{study['id']}" if study else None,
    }


@router.get("/reach")
def reach(
    times: Times, store: StoreReading, station: str, mode: Mode | None = None, minutes: Annotated[float | None, Query(gt=0, le=120)] = None
) -> dict[str, Any]:
    """The ground reached from a station, as a GeoJSON Feature: a drawing; whoever lives inside is decided by travel time alone."""
    return service.drawn_reach(store, times, station, mode, minutes)


@router.get("/roads.geojson", dependencies=[needs("directory")])
def roads(
    request: Request,
    store: StoreReading,
    bbox: Annotated[str | None, Query(description="west,south,east,north")] = None,
    detail: Annotated[int, Query(ge=0, le=6)] = 6,
) -> Response:
    """The roads as lines. The attribution must be shown on every map."""
    engine = site_roads(request.app.state.settings.data, request.app.state.policy).roads
    if not isinstance(engine, Roads):
        raise NotFound("this site has no roads to draw; load an extract with `healthsvc roads load FILE.osm.pbf`")
    drawn = geojson.roads(engine.network, engine.manifest, geojson.bbox(bbox), detail)
    if engine.manifest.get("invented"):
        drawn["features"] = geojson.town(town.town())["features"] + drawn["features"]
    return Response(dumps(drawn), media_type="application/geo+json")


@router.get("/home/{patient}")
def home(patient: str, store: StoreReading, mode: Mode | None = None) -> dict[str, Any]:
    """The answer kept for one person, with its provenance."""
    store.audit("read", f"Patient/{patient}", patient=patient, purpose="circle")
    kept = service.answer_of(store, patient, mode)
    if kept is None:
        raise NotFound("no answer is in force for this person: the home has no position, has moved, or was never measured")
    return {**shapes.answer_told(kept[0]), "provenance": kept[1]}


@router.put("/home/{patient}", dependencies=[needs("write-clinical")])
def locate_home(patient: str, placed: Placed, times: Times, store: StoreWriting) -> dict[str, Any]:
    """Put a person's home on the map and measure it."""
    service.locate_home(store, patient, placed.longitude, placed.latitude, placed.datum, placed.source)
    answer = service.measure_home(store, times, patient) if service.stations(store) else None
    return {"measured": answer is not None, **(shapes.answer_told(answer) if answer else {})}


@router.put("/station/{location}", dependencies=[needs("plan")])
def locate_station(location: str, placed: Placed, store: StoreWriting) -> Resource:
    """Put a station on the map; gives the Location."""
    return service.locate_station(store, location, placed.longitude, placed.latitude, placed.datum, placed.source)


def _wgs84(pair: tuple[float, float], datum: str | None) -> tuple[float, float]:
    at = place(pair[0], pair[1], datum, "question")
    return at.lon, at.lat
