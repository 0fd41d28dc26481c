"""Which report a laboratory speaks of: by its number, and where a number is given again, by the day the specimen was taken (OBR-7).

Many laboratories count from one again each day, so the number alone is no report's name for longer than that day.
"""

from collections.abc import Sequence
from datetime import timedelta

from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.healthfile.service import is_same_person
from healthsvc.store.lookup import holding
from integrations.effects.moments import day_of, gap, instant, is_apart
from integrations.effects.relevant import begin_of
from integrations.effects.scene import Scene
from integrations.effects.stay import opaque
from integrations.hl7v2.oru import Report

_UNRELEASED = frozenset({"registered", "partial", "preliminary"})
_OF_ONE_ON_FILE = frozenset({"C", "X"})
"""Words of OBR-25 that speak of a report told before."""
_OF_RESULTS_ON_FILE = frozenset({"B", "C", "D", "U", "V", "W", "X"})
"""Words of OBX-11 that speak of a result told before."""


def which_report(scene: Scene, report: Report, patient: str, fallback: str) -> str:
    """The DiagnosticReport id of the report that is told; of a new one where none on file is meant.

    Args:
        scene: the message.
        report: one OBR of it.
        patient: Patient id.
        fallback: what names the report where it has no number.
    """
    zone = scene.store.zone  # the day is the laboratory's, in whatever offset it writes its times
    id = scene.own_id("DiagnosticReport", _numbered(report, scene.hospital, fallback), patient)
    known = _under_its_number(scene, report, id, patient)
    if not known or report.taken is None:
        return str(max(known, key=lambda one: instant(_taken(one), zone))["id"]) if known else id
    told = report.taken.fhir
    nearest = sorted(known, key=lambda one: gap(_taken(one), told, zone))
    apart = timedelta(hours=scene.policy.report_apart_hours)
    if not is_apart(_taken(nearest[0]), told, apart, zone) or _corrects(report):
        return str(nearest[0]["id"])
    longest = timedelta(days=scene.policy.report_open_days)
    for one in nearest:
        waited = instant(told, zone) - instant(_taken(one), zone)
        if one["status"] in _UNRELEASED and timedelta() < waited <= longest:
            return str(one["id"])  # a culture goes on for days, and some laboratories move OBR-7 along
    taken = {str(one["id"]) for one in known}
    stem = f"{id}-{day_of(told)}"
    return next(new for new in (stem, *(f"{stem}-{turn}" for turn in range(2, len(taken) + 3))) if new not in taken)


def _numbered(report: Report, hospital: str, fallback: str) -> str:
    """By the laboratory's number, else the orderer's, else the message that brought it."""
    number = f"filler:{report.filler}" if report.filler else f"placer:{report.placer}" if report.placer else f"message:{fallback}"
    return f"report-{opaque(hospital, number, report.code.code or report.code.text)}"


def _under_its_number(scene: Scene, report: Report, id: str, patient: str) -> Sequence[Resource]:
    """This person's reports of this kind under the number, whenever."""
    number = report.filler or report.placer
    if not number:
        known = scene.store.find("DiagnosticReport", id)
        return [known] if known is not None else []
    held = holding(scene.store, "DiagnosticReport", [(f"{hospital_number(scene.hospital)}/order", number)])
    return [
        one
        for one in held
        if (one["id"] == id or one["id"].startswith(f"{id}-"))
        and is_same_person(scene.store, reference_id(one.get("subject"), "Patient") or patient, patient)
    ]


def _corrects(report: Report) -> bool:
    """Whether it speaks of what has been reported: a correction may correct the day, too."""
    words = {result.status for result in report.results}
    return report.status in _OF_ONE_ON_FILE or (bool(words) and words <= _OF_RESULTS_ON_FILE)


def _taken(report: Resource) -> str:
    return begin_of(report) or str(report["issued"])
