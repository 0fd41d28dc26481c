"""时间线 the events of a file told from its resources: hospital, results, visits, bed, infusions, contracts, alarms."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, tzinfo
from typing import Any, Final

from healthsvc.emergency.resources import is_alarm, to_alarm
from healthsvc.emergency.rules import Act
from healthsvc.fhir.elements import performed, words_of
from healthsvc.fhir.flags import ABNORMAL, CRITICAL
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension
from healthsvc.infusion.evidence import says_none
from healthsvc.infusion.records import is_given, to_given
from healthsvc.web.attachments import WITHDRAWN, Attached, attached_to, when_of
from healthsvc.web.diagnosed import diagnoses, performers
from healthsvc.web.lookup import Directory
from healthsvc.web.standing import doses, given, is_over, of_dose, of_finding, of_order, of_procedure
from healthsvc.web.values import Value, flags_of, foremost, value_of

ATTENDED: Final = ("EMER", "OBSENC")
"""Classes of an Encounter that the line tells as it tells a stay in a ward, though it is none: the emergency room and its observation."""
_ENDED: Final = frozenset({"finished", "cancelled", "entered-in-error"})
_TIME_FROM: Final = extension("time-from")
_TIMES: Final = {"OBR-14": "时间按标本接收", "OBX-14": "时间按检验", "OBR-22": "时间按报告", "MSH-7": "时间按消息"}
"""What a report's time is where the collection was not told."""
_BY_RULE: Final = extension("closed-by-rule")
_EXPECTED: Final = extension("expected-discharge")
_MOST_VALUES: Final = 24


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, or is planned."""

    at: datetime
    whole_day: bool
    sign: str
    tone: str
    title: str
    lines: tuple[tuple[str, str], ...] = ()
    """Label (or empty) and text."""
    values: tuple[Value, ...] = ()
    link: str = ""
    kind: str = ""
    """hospital, visit, result, care: what the tabs filter by."""
    chips: tuple[tuple[str, str], ...] = ()
    about: str = ""
    """What it is about, in the words of whoever wrote it."""
    ref: str = ""
    """``Type/id`` of what it is told from."""
    part: str = ""
    """``end`` where it is the end of something that lasts."""
    files: tuple[Attached, ...] = ()
    """What came with it and can be opened."""


class Teller:
    """Turns the resources of one file into events; knows which Observations belong to which visit or report."""

    def __init__(self, zone: tzinfo, names: Directory, held: Mapping[str, Sequence[Resource]], stays: Collection[str]) -> None:
        self._zone, self._names, self._held, self._stays = zone, names, held, stays
        self._by_encounter: dict[str, list[Resource]] = {}
        self._by_id = {f"Observation/{one['id']}": one for one in held["Observation"]}
        self._tasks = {one.get("encounter", {}).get("reference"): one for one in held["Task"] if "encounter" in one}
        self._conditions = {str(one["id"]): one for one in held["Condition"]}
        self._told: set[str] = set()
        for one in held["Observation"]:
            self._by_encounter.setdefault(one.get("encounter", {}).get("reference", ""), []).append(one)

    def tell(self) -> Iterator[Event]:
        """All events, in no order."""
        ways: tuple[tuple[str, Callable[[Resource], Iterator[Event]]], ...] = (
            ("Encounter", self._encounter), ("DiagnosticReport", self._report), ("Contract", self._contract), ("EpisodeOfCare", self._bed),
            ("MedicationRequest", self._order), ("MedicationAdministration", self._infusion), ("ServiceRequest", self._referral),
            ("Flag", self._flag), ("Condition", self._condition), ("AllergyIntolerance", self._allergy), ("Task", self._task),
            ("DocumentReference", self._document), ("Procedure", self._procedure),
        )  # fmt: skip
        for type, way in ways:
            for one in self._held[type]:
                files = attached_to(one) if type in ("DiagnosticReport", "DocumentReference") else ()
                for event in way(one):
                    yield replace(event, ref=f"{type}/{one['id']}", files=files)
        yield from self._loose_results()

    def _encounter(self, encounter: Resource) -> Iterator[Event]:
        inpatient = encounter.get("class", {}).get("code") in self._stays
        yield from self._stay(encounter) if inpatient else self._visit(encounter)

    def _stay(self, encounter: Resource) -> Iterator[Event]:
        period = encounter.get("period", {})
        where = encounter.get("serviceProvider", {}).get("display", "")
        places = sorted(encounter.get("location", []), key=lambda one: one.get("status") == "active")
        ward = places[-1].get("location", {}).get("display", "") if places else ""
        reason = "，".join(filter(None, (words_of(one) for one in encounter.get("reasonCode", []))))
        lines = _plain(" ".join(filter(None, (where, ward))), reason)
        told = diagnoses(encounter, self._conditions)
        if encounter.get("status") in ("cancelled", "entered-in-error"):
            yield from self._at(period.get("start"), "hospital", "", "住院已取消", lines, kind="hospital")
            return
        emergency = encounter.get("class", {}).get("code") == "EMER"
        open_stay = "end" not in period and encounter.get("status") not in _ENDED
        by_rule = any(one["url"] == _BY_RULE for one in encounter.get("extension", ()))
        chips = (("在院", "red"),) if open_stay else (("按规则视为结束", ""),) if by_rule else ()
        expected = next((one["valueDateTime"] for one in encounter.get("extension", ()) if one["url"] == _EXPECTED), "")
        if len(expected) > len("2026-01-01"):
            expected = datetime.fromisoformat(expected).astimezone(self._zone).date().isoformat()
        lines = (*lines, ("预计出院", expected)) if expected and open_stay else lines
        first = tuple(line for line in told if line[0] == "入院诊断" or "end" not in period)
        yield from self._at(
            period.get("start"), "hospital", "red", "急诊" if emergency else "入院", (*lines, *first), kind="hospital", chips=chips
        )
        if "end" in period:
            left = "离开急诊" if emergency else "出院"
            last = tuple(line for line in told if line not in first)
            yield from self._at(period["end"], "hospital", "green", left, (*lines[:1], *last), kind="hospital", part="end")

    def _visit(self, encounter: Resource) -> Iterator[Event]:
        reference = f"Encounter/{encounter['id']}"
        task = self._tasks.get(reference)
        title = next((words_of(one) for one in encounter.get("type", []) if words_of(one)), "") or "就诊"
        staff = "、".join(
            filter(None, (self._names.staff(one.get("individual", {}).get("reference")) for one in encounter.get("participant", [])))
        )
        found = self._by_encounter.get(reference, [])
        self._told |= {one["id"] for one in found}
        status = encounter.get("status")
        notes = [note["text"] for note in (task or {}).get("note", []) if "text" in note]
        said = "，".join(filter(None, (words_of(one) for one in encounter.get("reasonCode", []))))
        lines = (*_plain(staff), *((("主诉", said),) if said else ()), *(("建议", note) for note in notes))
        by_rule = any(one["url"] == _BY_RULE for one in encounter.get("extension", ()))
        chips = {"planned": (("已排班", ""),), "in-progress": (("进行中", "blue"),), "cancelled": (("已取消", ""),)}.get(str(status), ())
        chips = (("按规则视为结束", ""),) if by_rule else chips
        link = f"/visits/{task['id']}" if task else ""
        tone = "main" if status == "finished" else ""
        shown = tuple(value_of(one) for one in found[:_MOST_VALUES])
        yield from self._at(encounter.get("period", {}).get("start"), "home", tone, title, lines, shown, link, "visit", chips)

    def _report(self, report: Resource) -> Iterator[Event]:
        held = [self._by_id[one["reference"]] for one in report.get("result", []) if one.get("reference") in self._by_id]
        self._told |= {one["id"] for one in held}
        results = [one for one in held if one.get("status") not in WITHDRAWN]
        shown = tuple(value_of(one) for one in foremost(results, _MOST_VALUES))
        when = when_of(report)
        lines, link, title = _plain(report.get("conclusion", "")), f"/reports/{report['id']}", words_of(report.get("code")) or "检查报告"
        if report.get("status") in WITHDRAWN:
            yield from self._at(when, "result", "", title, (), link=link, kind="result", chips=(("已撤销", ""),))
            return
        chips = (*_abnormal(results), *stands_for(report), *((("仅列部分结果", ""),) if len(results) > _MOST_VALUES else ()))
        yield from self._at(when, "result", _tone(results), title, lines, shown, link, "result", chips)

    def _document(self, document: Resource) -> Iterator[Event]:
        """A document of a hospital (discharge summary, letter), with its files or only announced."""
        status, title = document.get("status"), words_of(document.get("type")) or "医院文书"
        if status in WITHDRAWN:
            yield from self._at(when_of(document), "note", "", title, (), kind="hospital", chips=(("已撤销", ""),))
            return
        by = "、".join(filter(None, (one.get("display") or self._names.staff(one.get("reference")) for one in document.get("author", ()))))
        lines = _plain(by, document.get("description", ""), "" if attached_to(document) else "医院已告知，正文尚未送达")
        chips = (("已有新版", ""),) if status == "superseded" else ()
        yield from self._at(when_of(document), "note", "blue", title, lines, kind="hospital", chips=chips)

    def _loose_results(self) -> Iterator[Event]:
        """Observations that belong to no visit and no report, those of one moment together."""
        by_moment: dict[str, list[Resource]] = {}
        for one in self._held["Observation"]:
            if one["id"] not in self._told and one.get("status") not in ("cancelled", "entered-in-error"):
                when = one.get("effectiveDateTime") or one.get("effectivePeriod", {}).get("start") or one.get("issued") or ""
                by_moment.setdefault(when, []).append(one)
        for when, found in by_moment.items():
            shown = tuple(value_of(one) for one in foremost(found, _MOST_VALUES))
            title = shown[0].name if len(shown) == 1 else "检查结果"
            for event in self._at(when, "result", _tone(found), title, (), shown, kind="result", chips=_abnormal(found)):
                yield replace(event, ref=f"Observation/{found[0]['id']}")

    def _contract(self, contract: Resource) -> Iterator[Event]:
        applies = contract.get("applies", {})
        ended = contract.get("status") in ("terminated", "cancelled", "revoked")
        lines = _plain(f"{applies.get('start', '')} – {applies.get('end', '')}" if applies else "")
        chips = (("已终止", ""),) if ended else (("生效", "green"),) if contract.get("status") == "executed" else (("待签", "amber"),)
        yield from self._at(
            applies.get("start") or contract.get("issued"), "contract", "main", "家庭医生签约", lines, kind="care", chips=chips
        )

    def _bed(self, episode: Resource) -> Iterator[Event]:
        period = episode.get("period", {})
        about = next((words_of(one) for one in episode.get("type", []) if words_of(one)), "家庭病床")
        chips = {"active": (("在床", "blue"),), "onhold": (("暂停", "amber"),)}.get(str(episode.get("status")), ())
        yield from self._at(period.get("start"), "bed", "blue", "建床", (), kind="care", chips=chips, about=about)
        if episode.get("status") == "finished" and "end" in period:
            yield from self._at(period["end"], "bed", "", "撤床", (), kind="care", about=about, part="end")

    def _order(self, order: Resource) -> Iterator[Event]:
        title, lines = words_of(order.get("medicationCodeableConcept")) or "用药医嘱", _plain(*doses(order))
        yield from self._at(order.get("authoredOn"), "drip", "violet", title, lines, kind="care", chips=of_order(order))

    def _infusion(self, record: Resource) -> Iterator[Event]:
        """What was given: an infusion at home with its visit, or what a hospital tells."""
        at_home = is_given(record)
        title, link = ("上门输液", f"/visits/{to_given(record).task}") if at_home else ("给药", "")
        when = record.get("effectivePeriod", {}).get("start") or record.get("effectiveDateTime")
        about, lines = words_of(record.get("medicationCodeableConcept")), _plain("" if at_home else given(record))
        kind, chips = "care" if at_home else "hospital", of_dose(record)
        yield from self._at(when, "drip", "violet", title, lines, link=link, kind=kind, chips=chips, about=about)

    def _referral(self, request: Resource) -> Iterator[Event]:
        to = "、".join(one.get("display", "") for one in request.get("performer", []))
        title = words_of(request.get("code")) or "转诊"
        when = request.get("authoredOn") or request.get("occurrenceDateTime")
        yield from self._at(when, "route", "amber", title, _plain(to), kind="hospital", chips=of_order(request))

    def _flag(self, flag: Resource) -> Iterator[Event]:
        title = words_of(flag.get("code")) or "提示"
        chips = (("生效", "green"),) if flag.get("status") == "active" else (("已撤销", ""),)
        yield from self._at(flag.get("period", {}).get("start"), "flag", "green", title, (), kind="care", chips=chips)

    def _condition(self, condition: Resource) -> Iterator[Event]:
        when = condition.get("onsetDateTime") or condition.get("recordedDate")
        chips, about = of_finding(condition), words_of(condition.get("code"))
        yield from self._at(when, "note", "", "诊断", (), kind="care", chips=chips, about=about)

    def _procedure(self, record: Resource) -> Iterator[Event]:
        when = performed(record)
        chips, about = of_procedure(record), words_of(record.get("code"))
        yield from self._at(when, "note", "blue", "手术操作", _plain(performers(record)), kind="hospital", chips=chips, about=about)

    def _allergy(self, allergy: Resource) -> Iterator[Event]:
        when = allergy.get("onsetDateTime") or allergy.get("recordedDate")
        tone = "" if says_none(allergy) or is_over(allergy) else "red"
        yield from self._at(when, "warn", tone, "过敏", (), kind="care", chips=of_finding(allergy), about=words_of(allergy.get("code")))

    def _task(self, task: Resource) -> Iterator[Event]:
        """Only what no Encounter tells: visits that were missed, and alarms."""
        if is_alarm(task):
            alarm = to_alarm(task)
            closed = next((line.text for line in alarm.log if line.act is Act.CLOSE), "")
            chips = ((alarm.kind, "red"), *(((closed, ""),) if closed else ()))
            yield from self._at(
                task.get("authoredOn"), "phone", "red", "一键通求助", (), link=f"/emergency/{alarm.id}", kind="care", chips=chips
            )
        elif task.get("status") == "failed":
            when = task.get("restriction", {}).get("period", {}).get("end")
            lines, chips = _plain(words_of(task.get("statusReason"))), (("未访", "red"),)
            yield from self._at(
                when, "task", "red", words_of(task.get("code")), lines, link=f"/visits/{task['id']}", kind="visit", chips=chips
            )

    def _at(
        self,
        when: Any,
        sign: str,
        tone: str,
        title: str,
        lines: tuple[tuple[str, str], ...],
        values: tuple[Value, ...] = (),
        link: str = "",
        kind: str = "",
        chips: tuple[tuple[str, str], ...] = (),
        about: str = "",
        part: str = "",
    ) -> Iterator[Event]:
        """An event, if it is known when it was: a date stands for its whole day."""
        moment, whole = _moment(str(when or ""), self._zone)
        if moment is not None:
            yield Event(moment, whole, sign, tone, title, lines, values, link, kind, chips, about, part=part)


def _plain(*texts: str) -> tuple[tuple[str, str], ...]:
    """Lines without a label; empty ones are left out."""
    return tuple(("", text) for text in texts if text)


def _moment(when: str, zone: tzinfo) -> tuple[datetime | None, bool]:
    try:
        if len(when) <= len("2026-01-01"):
            return datetime.combine(
                date.fromisoformat(when + "-01-01"[len(when) - 10 :] if 4 <= len(when) < 10 else when), time.min, zone
            ), True
        at = datetime.fromisoformat(when)
    except ValueError:
        return None, False
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(zone), False


def _tone(results: Sequence[Resource]) -> str:
    return "red" if _abnormal(results) else ""


def _abnormal(results: Sequence[Resource]) -> tuple[tuple[str, str], ...]:
    """Of all results, whether they are shown or not."""
    flags = {flag for one in results for flag in flags_of(one)}
    return (("危急值", "red"),) if flags & CRITICAL else (("有异常", "red"),) if flags & ABNORMAL else ()


def stands_for(report: Resource) -> tuple[tuple[str, str], ...]:
    """From what a report's time was taken, where the laboratory did not tell when the specimen was taken."""
    told = next((one.get("valueCode", "") for one in report.get("extension", ()) if one["url"] == _TIME_FROM), "")
    return ((_TIMES[told], ""),) if told in _TIMES else ()
