"""The circle's answers as JSON values: no infinity, every verdict and doubt in words, Chinese first."""

from typing import Any

from healthsvc.circle import geojson
from healthsvc.circle.coverage import Answer, Count, Coverage, Station
from healthsvc.circle.travel import BASES, Matrix, Snap
from healthsvc.circle.words import DOUBT_NAMES, VERDICT_NAMES


def matrix_told(found: Matrix) -> dict[str, Any]:
    """Ways as lists; what is not known is null."""
    return {
        "seconds": [[geojson.finite(value) for value in row] for row in found.seconds.tolist()],
        "metres": [[geojson.finite(value) for value in row] for row in found.metres.tolist()],
        "basis": [[str(BASES[code]) for code in row] for row in found.basis.tolist()],
        "origins": snap_told(found.origins),
        "destinations": snap_told(found.destinations),
        "provenance": found.provenance,
    }


def snap_told(snap: Snap) -> list[dict[str, Any]]:
    """How each address was brought to the road."""
    return [
        {"snap_metres": geojson.finite(metres), "doubts": [str(doubt) for doubt in snap.doubts(i)]}
        for i, metres in enumerate(snap.metres.tolist())
    ]


def coverage_told(found: Coverage, homes: bool) -> dict[str, Any]:
    """Coverage with its gaps; with the answer for every home where asked."""
    return {
        "mode": found.mode,
        "limit_seconds": found.limit_seconds,
        "total": count_told(found.total),
        "unlocated": found.unlocated,
        "by_community": [count_told(one) for one in found.by_community],
        "by_group": [count_told(one) for one in found.by_group],
        "gaps": [
            {
                "community": gap.community,
                "people": gap.people,
                "not_inside": gap.not_inside,
                "median_seconds": gap.median_seconds,
                "homes": gap.homes,
            }
            for gap in found.gaps
        ],
        "provenance": found.provenance,
        **({"homes": [answer_told(one) for one in found.answers]} if homes else {}),
    }


def count_told(count: Count) -> dict[str, Any]:
    """One line of figures."""
    figures = ("people", "inside", "outside", "estimated_inside", "estimated_outside", "ask", "doubtful")
    return {"key": count.key, **{name: getattr(count, name) for name in figures}, "share_inside": count.share_inside}


def answer_told(answer: Answer) -> dict[str, Any]:
    """The answer for one home, in words too."""
    made = answer.membership
    text, text_en = VERDICT_NAMES[made.verdict]
    return {
        "patient": answer.home.id,
        "community": answer.home.community,
        "station": station_told(answer.station) if answer.station else None,
        "verdict": str(made.verdict),
        "text": text,
        "text_en": text_en,
        "seconds": geojson.finite(made.travel.seconds),
        "metres": geojson.finite(made.travel.metres),
        "basis": str(made.travel.basis),
        "snap_metres": geojson.finite(answer.snap_metres),
        "doubts": [{"code": str(doubt), "text": DOUBT_NAMES[doubt][0], "text_en": DOUBT_NAMES[doubt][1]} for doubt in made.doubts],
        "asks_a_person": made.asks_a_person,
    }


def station_told(station: Station) -> dict[str, Any]:
    """A station or place."""
    return {
        "id": station.id,
        "name": station.name,
        "longitude": geojson.finite(station.lon),
        "latitude": geojson.finite(station.lat),
    }
