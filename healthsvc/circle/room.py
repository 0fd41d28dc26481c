"""What every write of a position must pass, through whatever door it comes."""

from typing import Final

from healthsvc.circle.policy import policy_values
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.datum import distance, place
from healthsvc.healthfile.mainland import in_mainland
from healthsvc.healthfile.positions import ORIGIN, positions, to_coordinate
from healthsvc.healthfile.service import today
from healthsvc.store import Room, Store


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """Admit a position: what it says of its origin must be whole and true.

    FHIR defines positions as WGS-84, so one without an origin is declared by the standard; a site that does not trust its senders sets
    ``circle.declared`` to ``always``, and then one in mainland China without an origin is refused.
    """
    if new is None:
        return
    known = positions(old) if old else []
    for element in positions(new):
        if element not in known:
            _check(element, store)


def _check(element: Resource, store: Store) -> None:
    told = next((one for one in element.get("extension", []) if one.get("url") == ORIGIN), None)
    if told is None:
        at = to_coordinate(element)
        if at is not None:
            place(at.lon, at.lat, at.datum, at.source)  # on earth, and not an exchanged pair
        if at is not None and in_mainland(at.lon, at.lat) and policy_values(store.policy, today(store)).declared == "always":
            raise Invalid(
                f"position refused: it does not say in which datum it was given; add the extension {ORIGIN} with datum and source",
                path="position",
                reason="datum-undeclared",
            )
        return
    parts = {part.get("url"): part for part in told.get("extension", [])}
    given = place(0.0, 0.0, parts.get("datum", {}).get("valueCode"), parts.get("source", {}).get("valueString", ""))
    at = to_coordinate(element)
    if at is None:
        raise Invalid("position refused: longitude or latitude is missing", path="position", reason="position-incomplete")
    meant = place(at.given_lon, at.given_lat, given.datum, given.source)
    apart = distance(meant.lon, meant.lat, at.lon, at.lat)
    if apart > policy_values(store.policy, today(store)).datum_tolerance_metres:
        raise Invalid(
            f"position refused: it lies {apart:.0f} m from what its {given.datum} pair means; positions are written in WGS-84, "
            "with the pair as it was given in the origin",
            path="position",
            reason="datum-mismatch",
        )


ROOM: Final = Room("circle", frozenset({"Patient", "Location"}), admit)
