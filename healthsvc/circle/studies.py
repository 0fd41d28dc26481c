"""Coverage and siting in FHIR: a MeasureReport for the district, a List of places for a study, both with their provenance."""

from typing import Final

from healthsvc.circle.coverage import Count, Coverage
from healthsvc.circle.resources import MEASUREMENT, provenance_of
from healthsvc.circle.rules import Mode
from healthsvc.circle.siting import Siting
from healthsvc.circle.travel import Status
from healthsvc.circle.words import MODE_NAMES
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, extension
from healthsvc.healthfile.datum import place
from healthsvc.healthfile.positions import number, position

MEASURE: Final = f"{BASE}/Measure/ten-minute-circle"
STUDY: Final = extension("siting-study")
_FIGURES: Final = ("people", "inside", "outside", "estimated_inside", "estimated_outside", "ask", "doubtful")


def to_report(found: Coverage, status: Status, on: str) -> Resource:
    """A day's coverage: one group whose populations are the verdicts, stratified by community and by risk group.

    Args:
        on: the day, ISO date; one report a day and mode.
    """
    strata = [("community", found.by_community), ("group", found.by_group)]
    return {
        "resourceType": "MeasureReport",
        "id": f"circle-{found.mode}-{on}",
        "extension": [provenance_of(found.provenance)],
        "status": "complete",
        "type": "summary",
        "measure": MEASURE,
        "date": on,
        "period": {"start": on, "end": on},
        "group": [
            {
                "code": _coded(f"travel-{found.mode}", f"{found.limit_seconds / 60:g} 分钟圈（{MODE_NAMES[Mode(found.mode)][0]}）"),
                "population": [*_populations(found.total), _population("unlocated", found.unlocated)],
                **_score(found.total),
                "stratifier": [
                    {"code": [_coded(name)], "stratum": [_stratum(each) for each in counts]} for name, counts in strata if counts
                ],
            }
        ],
        **({"text": _narrative(status.roads["attribution"])} if status.roads else {}),
    }


def to_list(found: Siting, status: Status, at: str, on: str) -> Resource:
    """A siting study: the chosen places as contained Locations, the figures and whether the optimum is proven as an extension.

    Args:
        at: the moment, FHIR dateTime.
        on: the day, which goes into the id: one study a day, mode and number of places.
    """
    source = f"siting study of {on}"
    contained = [
        {"resourceType": "Location", "id": f"place-{i}", "name": one.name, "position": position(place(one.lon, one.lat, "WGS-84", source))}
        for i, one in enumerate(found.places, start=1)
    ]
    figures: dict[str, Resource] = {
        "limit-seconds": {"valueDecimal": number(found.limit_seconds)},
        "already-inside": {"valueInteger": found.already_inside},
        "gained": {"valueInteger": len(found.gained)},
        "gained-estimated": {"valueInteger": len(found.estimated)},
        "outside": {"valueInteger": len(found.outside)},
        "unreachable": {"valueInteger": len(found.unreachable)},
        "proven": {"valueBoolean": found.proven},
        "gap": {"valueDecimal": number(found.gap)},
    }
    return {
        "resourceType": "List",
        "id": f"siting-{found.mode}-{len(found.places)}-{on}",
        "contained": contained,
        "extension": [
            {"url": STUDY, "extension": [{"url": key, **value} for key, value in figures.items()]},
            provenance_of(found.provenance),
        ],
        "status": "current",
        "mode": "snapshot",
        "title": "增设站点研究",
        "code": _coded("siting-study", "增设站点研究"),
        "date": at,
        "entry": [{"item": {"reference": f"#{one['id']}", "display": str(one["name"])}} for one in contained],
        **({"text": _narrative(status.roads["attribution"])} if status.roads else {}),
    }


def _stratum(count: Count) -> Resource:
    return {"value": {"text": count.key or "未登记"}, "population": _populations(count), **_score(count, "measureScore")}


def _score(count: Count, name: str = "measureScore") -> Resource:
    share = count.share_inside
    return {} if share is None else {name: {"value": number(share), "system": "http://unitsofmeasure.org", "code": "1"}}


def _populations(count: Count) -> list[Resource]:
    return [_population(name.replace("_", "-"), int(getattr(count, name))) for name in _FIGURES]


def _population(name: str, people: int) -> Resource:
    return {"code": _coded(name), "count": people}


def _coded(code: str, text: str = "") -> Resource:
    return {"coding": [{"system": MEASUREMENT, "code": code}], **({"text": text} if text else {})}


def _narrative(*lines: str) -> Resource:
    body = "".join(f"<p>{line}</p>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{body}</div>'}
