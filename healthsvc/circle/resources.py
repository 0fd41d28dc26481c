"""The circle in FHIR: positions with their origin, stations and homes read, answers kept as Observations with their provenance."""

import hashlib
import math
from typing import Any, Final

from healthsvc.circle.coverage import Answer, Home, Station
from healthsvc.circle.rules import Basis, Doubt, Membership, Mode, Travel, Verdict
from healthsvc.circle.words import BASIS_NAMES, DOUBT_NAMES, MODE_NAMES, VERDICT_NAMES
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import UCUM, code_system, extension
from healthsvc.healthfile.positions import number, to_coordinate
from healthsvc.healthfile.resources import GEOLOCATION, to_person

PROVENANCE: Final = extension("circle-provenance")
MEASUREMENT: Final = code_system("circle-measurement")
VERDICT: Final = code_system("circle-verdict")
BASIS: Final = code_system("circle-basis")
DOUBT: Final = code_system("circle-doubt")
STATION_CODES: Final = frozenset({"station", "centre"})
"""Codes in Location.type or in its Organization's type that make a service point of the circle."""
TRAVEL_CODES: Final = frozenset(f"travel-{mode}" for mode in Mode)
"""Codes of what is measured about a home: nothing that happened to a person."""
_CATEGORY: Final = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey"}


def to_home(patient: Resource) -> Home | None:
    """Where a person lives; None where the file has no position. The community is the residence area, the groups are tags and category."""
    addresses = [one for one in patient.get("address", []) if one.get("use") not in {"old", "billing"}]
    addresses.sort(key=lambda one: one.get("use") != "home")
    for address in addresses:
        for one in address.get("extension", []):
            at = to_coordinate(one) if one.get("url") == GEOLOCATION else None
            if at is not None:
                person = to_person(patient)
                groups = {tag.code for tag in person.tags} | ({person.category.value} if person.category else set())
                return Home(patient["id"], at.lon, at.lat, person.residence_area, frozenset(groups))
    return None


def to_station(location: Resource, organization: Resource | None) -> Station | None:
    """A service point; None for a ward, a hospital, a closed station or one without a position."""
    kinds = location.get("type") or (organization or {}).get("type", [])
    codes = {coding.get("code") for kind in kinds for coding in kind.get("coding", [])}
    at = to_coordinate(location.get("position", {}))
    if not codes & STATION_CODES or at is None or location.get("status", "active") != "active" or location.get("mode") == "kind":
        return None
    return Station(location["id"], location.get("name", ""), at.lon, at.lat)


def answer_id(patient: str, mode: str) -> str:
    """The id of a person's answer; one for each mode."""
    plain = f"circle-{patient}-{mode}"
    return plain if len(plain) <= 64 else f"circle-{hashlib.sha256(patient.encode()).hexdigest()[:40]}-{mode}"


def to_observation(answer: Answer, mode: Mode, limit_seconds: float, provenance: dict[str, Any], at: str) -> Resource:
    """An answer as an Observation: the unrounded seconds, the verdict as interpretation, the basis as method, doubts, provenance.

    Args:
        at: the moment of measuring, FHIR dateTime.
    """
    made = answer.membership
    way = made.travel
    said, said_en = MODE_NAMES[mode]
    told = provenance.get("estimate", provenance) if way.basis is Basis.ESTIMATE else provenance
    components = [
        _component("limit", valueQuantity=_quantity(limit_seconds, "s")),
        _component("home", valueString=f"{answer.home.lon!r},{answer.home.lat!r}"),
        *([_component("metres", valueQuantity=_quantity(way.metres, "m"))] if math.isfinite(way.metres) else []),
        *([_component("snap", valueQuantity=_quantity(answer.snap_metres, "m"))] if math.isfinite(answer.snap_metres) else []),
        *(_component("doubt", valueCodeableConcept=_concept(DOUBT, doubt, DOUBT_NAMES[doubt])) for doubt in made.doubts),
    ]
    found: Resource = {
        "resourceType": "Observation",
        "id": answer_id(answer.home.id, mode),
        "extension": [provenance_of(told)],
        "status": "final",
        "category": [{"coding": [_CATEGORY]}],
        "code": _concept(MEASUREMENT, f"travel-{mode}", (f"最近服务站{said}到达时间", f"Time from the nearest station {said_en}")),
        "subject": {"reference": f"Patient/{answer.home.id}"},
        "effectiveDateTime": at,
        "interpretation": [_concept(VERDICT, made.verdict, VERDICT_NAMES[made.verdict])],
        "method": _concept(BASIS, way.basis, BASIS_NAMES[way.basis]),
        "component": components,
    }
    if answer.station is not None:
        found["focus"] = [{"reference": f"Location/{answer.station.id}", "display": answer.station.name}]
    if math.isfinite(way.seconds):
        found["valueQuantity"] = _quantity(way.seconds, "s")
    else:
        found["dataAbsentReason"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}]}
    return found


def to_answer(observation: Resource, home: Home, stations: dict[str, Station]) -> Answer:
    """Read an answer back. A station that is gone stays as a name without a place."""
    parts = {one["code"]["coding"][0]["code"]: one for one in observation.get("component", [])}
    doubts = tuple(
        Doubt(one["valueCodeableConcept"]["coding"][0]["code"])
        for one in observation.get("component", [])
        if one["code"]["coding"][0]["code"] == "doubt"
    )
    way = Travel(
        float(observation.get("valueQuantity", {}).get("value", math.inf)),
        float(parts.get("metres", {}).get("valueQuantity", {}).get("value", math.inf)),
        Basis(observation["method"]["coding"][0]["code"]),
    )
    focus = next(iter(observation.get("focus", [])), None)
    station = None
    if focus is not None:
        id = focus["reference"].rpartition("/")[2]
        station = stations.get(id) or Station(id, focus.get("display", ""), math.nan, math.nan)
    verdict = Verdict(observation["interpretation"][0]["coding"][0]["code"])
    snap = float(parts.get("snap", {}).get("valueQuantity", {}).get("value", math.nan))
    return Answer(home, station, Membership(None if station is None else 0, way, verdict, doubts), snap)


def measured_home(observation: Resource) -> tuple[float, float] | None:
    """The position for which an answer was measured."""
    for one in observation.get("component", []):
        if one["code"]["coding"][0]["code"] == "home":
            lon, _, lat = one["valueString"].partition(",")
            return float(lon), float(lat)
    return None


def provenance_of(told: dict[str, Any]) -> Resource:
    """Engine, mode, speed, network fingerprint, data date, formula: whatever is known of how an answer came about."""
    parts: list[Resource] = []
    for key in ("engine", "mode", "kmh", "network", "data_date", "formula"):
        value = told.get(key)
        if value is not None:
            kind = {"valueDecimal": number(float(value))} if isinstance(value, int | float) else {"valueString": str(value)}
            parts.append({"url": key.replace("_", "-"), **kind})
    return {"url": PROVENANCE, "extension": parts}


def to_provenance(resource: Resource) -> dict[str, Any]:
    """Read the provenance of an answer."""
    for one in resource.get("extension", []):
        if one.get("url") == PROVENANCE:
            return {
                part["url"].replace("-", "_"): float(part["valueDecimal"]) if "valueDecimal" in part else part["valueString"]
                for part in one["extension"]
            }
    return {}


def _component(code: str, **value: Any) -> Resource:
    return {"code": {"coding": [{"system": MEASUREMENT, "code": code}]}, **value}


def _quantity(value: float, unit: str) -> Resource:
    return {"value": number(value), "unit": unit, "system": UCUM, "code": unit}


def _concept(system: str, code: str, names: tuple[str, str]) -> Resource:
    return {"coding": [{"system": system, "code": str(code), "display": names[1]}], "text": names[0]}
