"""The circle's use cases: put a home or station on the map, measure, say who lives inside, study where a further station should stand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from healthsvc.circle import coverage, geojson, siting, studies
from healthsvc.circle import resources as fhir
from healthsvc.circle.coverage import Answer, Coverage, Home, Station
from healthsvc.circle.policy import policy_values
from healthsvc.circle.providers import travel_times
from healthsvc.circle.rules import CirclePolicy, Mode
from healthsvc.circle.rules import mode as read_mode
from healthsvc.circle.siting import Siting
from healthsvc.circle.travel import TravelTimes
from healthsvc.errors import NotFound
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.datum import Coordinate, place
from healthsvc.healthfile.positions import geolocation, position
from healthsvc.healthfile.resources import GEOLOCATION, is_deceased
from healthsvc.healthfile.service import follow, today
from healthsvc.store import Store


def policy_of(store: Store) -> CirclePolicy:
    """The circle's parameters in force on the day of the transaction."""
    return policy_values(store.policy, today(store))


def locate_home(store: Store, patient: str, lon: float, lat: float, datum: str | None, source: str) -> Resource:
    """Put a person's home on the map; converted to WGS-84 once, here. Gives the Patient.

    Raises:
        Invalid: the datum or source is not declared, or the pair is no place on earth.
    """
    at = place(lon, lat, datum, source)
    file = follow(store, patient)
    addresses = list(file.get("address") or [{"use": "home"}])
    which = next((i for i, one in enumerate(addresses) if one.get("use") == "home"), 0)
    others = [one for one in addresses[which].get("extension", []) if one.get("url") != GEOLOCATION]
    addresses[which] = {**addresses[which], "extension": [*others, geolocation(at)]}
    return store.put({**file, "address": addresses})


def locate_station(store: Store, location: str, lon: float, lat: float, datum: str | None, source: str) -> Resource:
    """Put a station on the map; gives the Location.

    Raises:
        Invalid: the datum or source is not declared, or the pair is no place on earth.
    """
    at: Coordinate = place(lon, lat, datum, source)
    return store.put({**store.read("Location", location), "position": position(at)})


def stations(store: Store) -> list[Station]:
    """All service points in use, by id."""
    organizations = {one["id"]: one for one in store.select("Organization")}
    found = []
    for location in store.select("Location"):
        owner = location.get("managingOrganization", {}).get("reference", "").rpartition("/")[2]
        station = fhir.to_station(location, organizations.get(owner))
        if station is not None:
            found.append(station)
    return sorted(found, key=lambda one: one.id)


def homes(store: Store) -> tuple[list[Home], int]:
    """The homes of all living persons with an active file, and how many of them have no position."""
    found, unlocated = [], 0
    for patient in store.select("Patient"):
        if patient.get("active") is False or is_deceased(patient):
            continue
        home = fhir.to_home(patient)
        if home is None:
            unlocated += 1
        else:
            found.append(home)
    return sorted(found, key=lambda one: one.id), unlocated


def coverage_now(store: Store, times: TravelTimes, mode: str | None = None) -> Coverage:
    """Measure every home from every station, now; writes nothing.

    Raises:
        Invalid: no station has a position, or there is no such mode.
    """
    policy = policy_of(store)
    living, unlocated = homes(store)
    return coverage.measure(times, living, stations(store), mode or policy.mode, policy, unlocated)


def measure(store: Store, times: TravelTimes, mode: str | None = None) -> Coverage:
    """Measure every home and keep the answers (an Observation a person, a MeasureReport for the district); asking again changes nothing.

    Raises:
        Invalid: no station has a position, or there is no such mode.
    """
    found = coverage_now(store, times, mode)
    for answer in found.answers:
        _keep(store, answer, found)
    store.put(studies.to_report(found, times.status(), today(store).isoformat()))
    return found


def refresh(store: Store, data: Path | None) -> Coverage | None:
    """Keep the answers up with homes, stations, roads and policy, once a day; None where there is nothing to measure yet."""
    if not stations(store) or not homes(store)[0]:
        return None
    return measure(store, travel_times(data, store.policy, today(store)))


def measure_home(store: Store, times: TravelTimes, patient: str, mode: str | None = None) -> Answer | None:
    """Measure one person's home and keep the answer; None where the file has no position."""
    policy = policy_of(store)
    home = fhir.to_home(follow(store, patient))
    if home is None:
        return None
    found = coverage.measure(times, [home], stations(store), mode or policy.mode, policy)
    _keep(store, found.answers[0], found)
    return found.answers[0]


def answer_of(store: Store, patient: str, mode: str | None = None) -> tuple[Answer, dict[str, Any]] | None:
    """The answer kept for a person and its provenance; None where there is none, or the person has moved since."""
    how = read_mode(mode or policy_of(store).mode)
    home = fhir.to_home(follow(store, patient))
    kept = store.find("Observation", fhir.answer_id(home.id, how)) if home else None
    if home is None or kept is None or fhir.measured_home(kept) != (home.lon, home.lat):
        return None
    return fhir.to_answer(kept, home, {one.id: one for one in stations(store)}), fhir.to_provenance(kept)


def coverage_kept(store: Store, mode: str | None = None) -> tuple[Coverage, int]:
    """The coverage as last measured, and how many located homes have no answer in force (new, or moved since)."""
    policy = policy_of(store)
    how = read_mode(mode or policy.mode)
    living, unlocated = homes(store)
    known = {one.id: one for one in stations(store)}
    kept = {one["id"]: one for one in store.select("Observation", code=f"{fhir.MEASUREMENT}|travel-{how}")}
    answers, provenance, missing = [], {}, 0
    for home in living:
        observation = kept.get(fhir.answer_id(home.id, how))
        if observation is None or fhir.measured_home(observation) != (home.lon, home.lat):
            missing += 1
            continue
        answers.append(fhir.to_answer(observation, home, known))
        provenance = fhir.to_provenance(observation)
    return coverage.summarise(answers, str(how), policy.limit_seconds, unlocated, provenance), missing


def study(
    store: Store,
    times: TravelTimes,
    count: int = 1,
    mode: str | None = None,
    places: Sequence[Station] = (),
) -> Siting:
    """Where ``count`` further stations bring most people inside; without ``places`` the candidates are taken among the homes outside.

    Raises:
        Invalid: there is no home, or fewer candidates than stations wanted.
    """
    policy = policy_of(store)
    living, _ = homes(store)
    here = stations(store)
    how = mode or policy.mode
    if not places:
        outside = living
        if here and living:
            measured = coverage.measure(times, living, here, how, policy)
            outside = [one.home for one in measured.answers if one.membership.verdict != "inside"]
        places = siting.candidates(outside or living, policy.siting_candidates)
    return siting.study(times, living, here, places, how, policy, count)


def drawn_reach(store: Store, times: TravelTimes, station: str, mode: str | None = None, minutes: float | None = None) -> dict[str, Any]:
    """The ground reached from a station as a GeoJSON Feature, with how it was found.

    Raises:
        NotFound: there is no such station, or it has no position.
    """
    policy = policy_of(store)
    here = next((one for one in stations(store) if one.id == station), None)
    if here is None:
        raise NotFound("there is no such station with a position", path="station")
    found = times.reach((here.lon, here.lat), mode or policy.mode, minutes or policy.limit_minutes)
    return {
        "type": "Feature",
        "id": here.id,
        "geometry": found.geometry,
        "properties": {
            "station": here.name,
            "minutes": minutes or policy.limit_minutes,
            "square_km": found.square_km,
            "basis": str(found.basis),
            "snap_metres": geojson.finite(found.snap_metres),
            "doubts": [str(doubt) for doubt in found.doubts],
            "provenance": found.provenance,
        },
    }


def keep_study(store: Store, found: Siting, times: TravelTimes) -> Resource:
    """Keep a siting study: a List whose entries are the places, best first."""
    return store.put(studies.to_list(found, times.status(), store.at.isoformat(timespec="seconds"), today(store).isoformat()))


def _keep(store: Store, answer: Answer, found: Coverage) -> None:
    """Write an answer unless the one kept says the same; the moment alone is no news."""
    fresh = fhir.to_observation(answer, Mode(found.mode), found.limit_seconds, found.provenance, store.at.isoformat(timespec="seconds"))
    kept = store.find("Observation", fresh["id"])
    if kept is not None:
        same = {key: value for key, value in kept.items() if key not in {"meta", "effectiveDateTime", "text"}}
        if same == {key: value for key, value in fresh.items() if key != "effectiveDateTime"}:
            return
    store.put(fresh)
