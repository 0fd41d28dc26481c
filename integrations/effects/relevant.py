"""At what time a laboratory's finding is clinically relevant, and from which field that was taken where the collection was not told.

HL7's v2-to-FHIR tables take OBR-7, and OBX-14 for a result of its own. A laboratory that sends neither says when the specimen came
(OBR-14), when it was examined (OBX-14 of its results), when it reported (OBR-22), and at last when it sent the message (MSH-7).
"""

from datetime import datetime
from typing import Final

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension
from integrations.hl7v2.oru import Report

TIME_FROM: Final = extension("time-from")
_RANK: Final = ("", "OBR-14", "OBX-14", "OBR-22", "MSH-7")
"""Fields by how near they are to the collection, which itself is marked by nothing."""


def effective(report: Report, known: Resource | None, sent: datetime) -> tuple[str, str]:
    """The time of a report as a FHIR dateTime, and the field it was taken from; one on file that is nearer to the collection stays."""
    if report.taken is not None:
        told = report.taken.fhir, report.taken_from
    else:
        told = (report.issued.fhir, "OBR-22") if report.issued else (sent.isoformat(), "MSH-7")
    held = begin_of(known), time_from(known)
    return held if held[0] and _RANK.index(held[1]) < _RANK.index(told[1]) else told


def begin_of(report: Resource | None) -> str:
    """When a report on file is of: its moment, or the start of its period; empty where neither is told."""
    known = report or {}
    return str(known.get("effectiveDateTime") or known.get("effectivePeriod", {}).get("start", ""))


def span_of(report: Report, known: Resource | None, at: str) -> Resource:
    """The time of a report as its element: a period where the end was told too (OBR-8), now or before of the same start."""
    held = (known or {}).get("effectivePeriod", {})
    end = report.ended.fhir if report.ended and report.taken and report.taken.fhir == at else ""
    end = end or (held.get("end", "") if held.get("start") == at else "")
    return {"effectivePeriod": {"start": at, "end": end}} if end else {"effectiveDateTime": at}


def time_from(resource: Resource | None) -> str:
    """The field from which a finding's time was taken; empty where it is that of the collection."""
    found = next((str(one.get("valueCode", "")) for one in (resource or {}).get("extension", ()) if one.get("url") == TIME_FROM), "")
    return found if found in _RANK else ""


def marked(resource: Resource, source: str) -> Resource:
    """A finding that says from which field its time was taken, and no longer from which it was before."""
    rest = [one for one in resource.get("extension", ()) if one.get("url") != TIME_FROM]
    says = [*rest, {"url": TIME_FROM, "valueCode": source}] if source else rest
    return {key: value for key, value in resource.items() if key != "extension"} | ({"extension": says} if says else {})
