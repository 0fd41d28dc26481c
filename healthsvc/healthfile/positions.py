"""Positions in FHIR: WGS-84 always, with an extension that says in which datum and by whose word they were given."""

from decimal import Decimal
from typing import Final

from healthsvc.fhir.json import Lexical, Resource
from healthsvc.fhir.systems import extension
from healthsvc.healthfile.datum import Coordinate, Datum

GEOLOCATION: Final = "http://hl7.org/fhir/StructureDefinition/geolocation"
ORIGIN: Final = extension("coordinate-origin")
"""On a geolocation extension or a Location's position: datum, source and the pair as it was given."""


def number(value: float) -> Lexical:
    """A float as FHIR writes decimals, nothing lost and no exponent."""
    return Lexical(format(Decimal(repr(value)), "f"))


def origin(at: Coordinate) -> Resource:
    """The extension that says where a coordinate comes from."""
    parts: list[Resource] = [{"url": "datum", "valueCode": str(at.datum)}, {"url": "source", "valueString": at.source}]
    if at.datum is not Datum.WGS84:
        parts += [
            {"url": "given-longitude", "valueDecimal": number(at.given_lon)},
            {"url": "given-latitude", "valueDecimal": number(at.given_lat)},
        ]
    return {"url": ORIGIN, "extension": parts}


def geolocation(at: Coordinate) -> Resource:
    """The standard extension of an Address, WGS-84, with its origin inside."""
    return {
        "url": GEOLOCATION,
        "extension": [
            {"url": "latitude", "valueDecimal": number(at.lat)},
            {"url": "longitude", "valueDecimal": number(at.lon)},
            origin(at),
        ],
    }


def position(at: Coordinate) -> Resource:
    """Location.position, WGS-84, with its origin as an extension."""
    return {"extension": [origin(at)], "longitude": number(at.lon), "latitude": number(at.lat)}


def to_coordinate(element: Resource) -> Coordinate | None:
    """Read a geolocation extension or a Location.position; None where it is incomplete.

    FHIR defines both as WGS-84: where no origin is written, that is the declaration.
    """
    parts = {part.get("url"): part for part in element.get("extension", [])}
    lon = element.get("longitude", parts.get("longitude", {}).get("valueDecimal"))
    lat = element.get("latitude", parts.get("latitude", {}).get("valueDecimal"))
    if lon is None or lat is None:
        return None
    told = {part.get("url"): part for part in parts.get(ORIGIN, {}).get("extension", [])}
    system = Datum(told["datum"]["valueCode"]) if "datum" in told else Datum.WGS84
    given_lon = told.get("given-longitude", {}).get("valueDecimal", lon)
    given_lat = told.get("given-latitude", {}).get("valueDecimal", lat)
    source = told.get("source", {}).get("valueString", "FHIR")
    return Coordinate(float(lon), float(lat), system, source, float(given_lon), float(given_lat))


def positions(resource: Resource) -> list[Resource]:
    """All elements of a Patient or Location that carry a position."""
    if resource.get("resourceType") == "Location":
        return [resource["position"]] if "position" in resource else []
    return [one for address in resource.get("address", []) for one in address.get("extension", []) if one.get("url") == GEOLOCATION]
