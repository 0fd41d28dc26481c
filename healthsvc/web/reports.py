"""检查报告 one report of a laboratory or of imaging, whole: results with ranges and flags, what they were before, files, corrections, where
it came from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from healthsvc.access.door import StoreReading
from healthsvc.fhir.elements import reference_id, words_of
from healthsvc.fhir.flags import ABNORMAL, CRITICAL
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow, replaced
from healthsvc.store import Store
from healthsvc.store.stored import Stored
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.web.attachments import WITHDRAWN, attached_to, when_of
from healthsvc.web.lookup import Directory, name_of
from healthsvc.web.render import SignedPage
from healthsvc.web.telling import stands_for
from healthsvc.web.values import Value, flags_of, value_of
from healthsvc.web.words import clock_time

router = APIRouter()
STATUSES: Final = {
    "registered": ("已登记，尚无结果", "amber"), "partial": ("部分结果", "amber"), "preliminary": ("初步报告", "amber"),
    "final": ("正式报告", "green"), "amended": ("已修改", "blue"), "corrected": ("已更正", "blue"), "appended": ("已补充", "blue"),
    "cancelled": ("已撤销", "red"), "entered-in-error": ("已撤销", "red"),
}  # fmt: skip
"""How a report or a result stands (R4 diagnostic-report-status, observation-status), and the colour of it."""
_EARLIER: Final = 3
"""Values of the same item that stand beside a result: as many as show which way it goes."""


@dataclass(frozen=True, slots=True)
class Result:
    """One result as it stands in the table."""

    value: Value
    critical: bool
    abnormal: bool
    bounds: str
    """The range of the laboratory, as one reads it; empty where it told none."""
    status: tuple[str, str] | None
    """Word and colour where it is not simply final."""
    gone: bool
    """Taken back: its value is not shown."""
    notes: tuple[str, ...]
    earlier: tuple[tuple[str, Value], ...]
    """When, and what; the latest first."""
    former: tuple[tuple[datetime, Value], ...]
    """What stood here before it was corrected, and since when."""


@dataclass(frozen=True, slots=True)
class Version:
    """The report as it stood at a time."""

    at: datetime
    status: tuple[str, str]
    conclusion: str
    """Empty where it was the same as in the version after it."""
    message: Any
    """The hospital message that made it; None where none did."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A report in a list that leads to it."""

    id: str
    title: str
    when: str
    abnormal: bool


@router.get("/reports/{id}")
def report(request: Request, page: SignedPage, store: StoreReading, id: str) -> Response:
    """The report; one that was taken back says so and shows nothing of what it said: it may have been another person's."""
    told = store.read("DiagnosticReport", id)
    patient = follow(store, reference_id(told.get("subject"), "Patient") or "")
    store.audit("read", f"DiagnosticReport/{id}", patient=patient["id"], purpose="report")
    names, gone = Directory(store), told.get("status") in WITHDRAWN
    held = [] if gone else _held(store, told)
    files = (patient["id"], *replaced(store, patient["id"]))
    earlier = _earlier(store, files, held, when_of(told))
    find = getattr(request.app.state, "origin", None)
    messages = {one.version: one for one in find(store, "DiagnosticReport", id, "")} if find else {}
    visits = [to_visit(one) for one in store.select("Task", based_on=f"DiagnosticReport/{id}") if is_visit(one)]
    return page.show(
        "report.html",
        id=id,
        title=words_of(told.get("code")) or "检查报告",
        patient=patient["id"],
        person=to_person(patient),
        stands=STATUSES.get(str(told.get("status")), ("", "")),
        gone=gone,
        results=[_result(store, one, earlier) for one in held],
        conclusion="" if gone else str(told.get("conclusion", "")),
        conclusions=[] if gone else [words_of(one) for one in told.get("conclusionCode", ())],
        files=attached_to(told),
        facts=list(_facts(store, told, names)),
        taken=when_of(told),
        stands_for=stands_for(told),
        clock_of=lambda at: clock_time(datetime.fromisoformat(at), store.zone),
        issued=told.get("issued", ""),
        visits=[(visit, names.staff(visit.owner)) for visit in visits],
        versions=_versions(store.history("DiagnosticReport", id), files, messages),
        from_hospital=bool(messages),
    )


def latest(store: Store, patient: str, most: int) -> list[Listed]:
    """The latest reports of a person that stand, the newest first."""
    files = [patient, *replaced(store, patient)]
    found = [one for one in store.select("DiagnosticReport", patient=files) if one.get("status") not in WITHDRAWN]
    found.sort(key=when_of, reverse=True)
    return [
        Listed(one["id"], words_of(one.get("code")) or "检查报告", when_of(one), _is_abnormal(_held(store, one))) for one in found[:most]
    ]


def _is_abnormal(results: Sequence[Resource]) -> bool:
    return any(not ABNORMAL.isdisjoint(flags_of(one)) for one in results)


def _held(store: Store, report: Resource) -> list[Resource]:
    """Its results in its own order."""
    ids = [reference_id(one, "Observation") for one in report.get("result", ())]
    found = (store.find("Observation", id) for id in ids if id)
    return [one for one in found if one is not None]


def _earlier(store: Store, files: Sequence[str], results: Sequence[Resource], before: str) -> list[Resource]:
    """Results of the same items from before the report, the latest first."""
    codes = sorted({code for one in results for code in _codes(one)})
    if not codes or not before:
        return []
    mine = {one["id"] for one in results}
    found = store.select("Observation", patient=list(files), code=codes, date=f"lt{before}")
    valid = [one for one in found if one["id"] not in mine and one.get("status") not in WITHDRAWN]
    return sorted(valid, key=_moment, reverse=True)


def _codes(observation: Resource) -> set[str]:
    return {f"{one.get('system', '')}|{one['code']}" for one in observation.get("code", {}).get("coding", ()) if "code" in one}


def _moment(observation: Resource) -> str:
    return str(observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start") or "")


def _result(store: Store, observation: Resource, earlier: Sequence[Resource]) -> Result:
    flags = {one.get("code") for concept in observation.get("interpretation", ()) for one in concept.get("coding", ())}
    codes, status = _codes(observation), str(observation.get("status"))
    gone = status in WITHDRAWN
    same = [one for one in earlier if codes & _codes(one)][:_EARLIER]
    return Result(
        value=value_of(observation),
        critical=bool(flags & CRITICAL) and not gone,
        abnormal=bool(flags & ABNORMAL) and not gone,
        bounds="" if gone else "；".join(filter(None, map(_bounds, observation.get("referenceRange", ())))),
        status=None if status == "final" else STATUSES.get(status),
        gone=gone,
        notes=() if gone else tuple(one["text"] for one in observation.get("note", ()) if "text" in one),
        earlier=() if gone else tuple((_moment(one), value_of(one)) for one in same),
        former=() if gone else tuple(_former(store.history("Observation", observation["id"]))),
    )


def _bounds(range: Resource) -> str:
    low, high = (range.get(end, {}).get("value") for end in ("low", "high"))
    if low is not None and high is not None:
        return f"{low}–{high}"
    if low is not None or high is not None:
        return f"≥ {low}" if low is not None else f"≤ {high}"
    return str(range.get("text", ""))


def _former(versions: Sequence[Stored]) -> Iterator[tuple[datetime, Value]]:
    """Other values that stood in earlier versions, the latest first; nothing from before it was ever taken back."""
    shown = value_of(versions[0].resource).text if versions else ""
    for stored in versions[1:]:
        if stored.deleted or stored.resource.get("status") in WITHDRAWN:
            return
        value = value_of(stored.resource)
        if value.text != shown:
            yield stored.at, value
        shown = value.text


def _facts(store: Store, report: Resource, names: Directory) -> Iterator[tuple[str, str]]:
    """Who and with what: label and text."""
    sections = [one.get("code") or one.get("display", "") for concept in report.get("category", ()) for one in concept.get("coding", ())]
    yield "类别", "、".join(sections) or "、".join(filter(None, map(words_of, report.get("category", ()))))
    yield "检查单位", _named(store, report.get("performer", ()), names)
    yield "报告医生", _named(store, report.get("resultsInterpreter", ()), names)
    specimens = (store.find("Specimen", reference_id(one, "Specimen") or "") for one in report.get("specimen", ()))
    yield "标本", "、".join(filter(None, (words_of(one.get("type")) for one in specimens if one)))
    orders = (store.find("ServiceRequest", reference_id(one, "ServiceRequest") or "") for one in report.get("basedOn", ()))
    yield "检查申请", "、".join(filter(None, (words_of(one.get("code")) for one in orders if one)))
    yield "报告编号", "、".join(str(one["value"]) for one in report.get("identifier", ()) if "value" in one)


def _named(store: Store, references: Sequence[Resource], names: Directory) -> str:
    found = []
    for one in references:
        organization = store.find("Organization", reference_id(one, "Organization") or "")
        found.append(one.get("display") or (name_of(organization) if organization else names.staff(one.get("reference"))))
    return "、".join(dict.fromkeys(filter(None, found)))


def _versions(history: Sequence[Stored], files: Sequence[str], messages: dict[int, Any]) -> list[Version]:
    """All versions in this person's file, the latest first; of what stood before it was taken back no word is shown."""
    made: list[Version] = []
    after, hidden = "", False
    for stored in history:
        one = {} if stored.deleted else stored.resource
        if stored.deleted or reference_id(one.get("subject"), "Patient") not in files:
            hidden = True
            continue
        hidden = hidden or one.get("status") in WITHDRAWN
        said = "" if hidden else str(one.get("conclusion", ""))
        status = STATUSES.get(str(one.get("status")), ("", ""))
        made.append(Version(stored.at, status, said if made and said != after else "", messages.get(stored.version)))
        after = said
    return made
