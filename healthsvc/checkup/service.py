"""每季上门体检: lay out a term's checkups, complete one, decide what a result asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from healthsvc.checkup.calendar import SiteCalendar, look_up, next_workday, site_calendar
from healthsvc.checkup.resources import (
    PROVISIONAL,
    checkup_visit,
    self_care_observation,
)
from healthsvc.checkup.rules import CheckupPolicy, Quarter, quarters
from healthsvc.checkup.selfcare import SelfCare, assess
from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.service import today
from healthsvc.store import Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings
from healthsvc.visit.resources import is_visit, to_task, to_visit
from healthsvc.visit.rules import OPEN, Kind, Status, Visit, Window, quarter_of


@dataclass(frozen=True, slots=True)
class CheckedUp:
    """A checkup that has been made, with the self-care score where it was asked."""

    visit: visits.Completed
    self_care: SelfCare | None


def lay_out(store: Store, patient: str, source: str, signed: date, ends: date, doctor: str | None) -> list[Resource]:
    """Ask for the checkups of a contract's term, one Task a quarter; doing it again changes nothing.

    A quarter whose checkup is already open (from the contract before) goes over to the new contract and doctor; one that was called off
    is asked for again; one that was made under the contract before stays there, and the promise goes on behind it.

    Args:
        store: an open writing transaction.
        patient: Patient id.
        source: ``Contract/x``.
        signed: first day of the term.
        ends: last day of the term.
        doctor: ``Practitioner/x`` who is responsible.
    """
    policy = store.policy.fill(CheckupPolicy, "checkup", signed)
    site, made = site_calendar(store.policy, today(store)), []
    for planned in quarters(signed, ends, policy, _made_before(store, patient, source)):
        quarter = _closing_on_workday(planned, site)
        wanted = checkup_visit(patient, quarter, policy.minutes[quarter.form], doctor, source, store.zone)
        known = store.find("Task", wanted.id)
        if known is None:
            provisional = look_up(quarter.closes, site).provisional
            mark = [{"url": PROVISIONAL, "valueBoolean": True}] if provisional else []
            made.append(visits.request(store, wanted, mark))
        else:
            made.append(_taken_over(store, to_visit(known), wanted, known))
    return made


def call_off(store: Store, patient: str, reason: str) -> list[str]:
    """Call off the open visits that a person's contracts have asked for, the remaining ones of a renewed contract too."""
    gone = [one.id for one in visits.open_visits(store, patient) if any(source.startswith("Contract/") for source in one.sources)]
    for task_id in gone:
        visits.cancel(store, task_id, reason)
    return gone


def complete(
    store: Store, task_id: str, findings: Findings, by: Sequence[str] | str, self_care: Mapping[str, int] | None = None
) -> CheckedUp:
    """A checkup has been made: its findings as with any visit, and the self-care answers where they were asked.

    Raises:
        Invalid: an impossible number or an answer that the form does not offer; nothing is written.
        RuleViolation: nothing was found; a checkup of which nothing is on file has not been kept.
    """
    if findings.empty and self_care is None:
        raise RuleViolation(
            "nothing of the checkup is filled in; write what was measured, complained of or advised, or write the visit off as not made",
            reason="checkup-empty",
        )
    score = None
    if self_care is not None:
        score = assess(self_care, store.policy.value("checkup.selfcare_bands", today(store)))
        visit = visits.read(store, task_id)
        store.put(self_care_observation(score, visit.person, visit.id, visit.encounter, findings.end))
    return CheckedUp(visits.complete(store, task_id, findings, by), score)


def settle_calendar(store: Store) -> int:
    """Look again at open checkups whose year's holidays were not published; returns how many are no longer provisional.

    A window that now turns out to close on a day off closes on the worked day before.
    """
    settled, site = 0, site_calendar(store.policy, today(store))
    for task in store.select("Task", status=[status.value for status in OPEN]):
        mark = [one for one in task.get("extension", []) if one.get("url") == PROVISIONAL]
        if not mark:
            continue
        visit = to_visit(task)
        closes = visit.window.end.astimezone(store.zone).date()
        if not look_up(closes, site).provisional:
            rest = [one for one in task["extension"] if one not in mark]
            bare = {key: value for key, value in task.items() if key != "extension"}
            end = visit.window.end - (closes - next_workday(closes, closes, site))
            earlier = replace(visit, window=Window(visit.window.start, max(end, visit.window.start)))
            store.put(to_task(earlier, bare | ({"extension": rest} if rest else {})))
            settled += 1
    return settled


def _closing_on_workday(quarter: Quarter, site: SiteCalendar) -> Quarter:
    """A window that would close on a day off closes on the worked day before, unless that lies before its due day."""
    closes = next_workday(quarter.closes, quarter.closes, site)
    return replace(quarter, closes=closes) if closes >= quarter.due else quarter


def _made_before(store: Store, patient: str, source: str) -> frozenset[str]:
    found = store.select("Task", patient=patient, status=Status.COMPLETED.value)
    made = [to_visit(task) for task in found if is_visit(task)]
    return frozenset(
        quarter_of(one.window.start.astimezone(store.zone).date())
        for one in made
        if one.kind == Kind.QUARTERLY_CHECKUP and source not in one.sources
    )


def _taken_over(store: Store, known: Visit, wanted: Visit, task: Resource) -> Resource:
    if known.status is Status.CANCELLED:
        visits.reopen(store, known.id)
    elif known.status not in OPEN:
        return task
    window = wanted.window if known.status is Status.CANCELLED else None
    return visits.reassign(store, known.id, wanted.owner, sources=wanted.sources, window=window)
