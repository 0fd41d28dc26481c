"""Gather the facts of a day from the store as it stood at the end of that day (or of a later one, with what was entered since)."""

import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, tzinfo
from typing import Any, TypeAlias, TypeVar

from healthsvc.checkup.rules import bounds
from healthsvc.contract.delivery import CONSULTATION, CONSULTED, NEVER, SUSPENDED, consultation_of, day_of
from healthsvc.contract.fulfilment import Given, count
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, State
from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.honour import USE, is_use, to_use, wait_policy
from healthsvc.greenchannel.resources import is_channel, to_channel
from healthsvc.greenchannel.waits import Use, judge
from healthsvc.healthfile.resources import is_deceased, links, to_person
from healthsvc.healthfile.rules import FilePolicy
from healthsvc.healthfile.rules import completeness as score
from healthsvc.homebed.resources import is_bed, to_bed
from healthsvc.homebed.rules.bed import Status as BedStatus
from healthsvc.indicators.facts import Called, Dose, Facts, Member, Promised, Right, Stay, Term, Used
from healthsvc.indicators.memory import answer, memory
from healthsvc.indicators.resources import made_at
from healthsvc.infusion.records import is_given, to_given
from healthsvc.infusion.rules.bedside import Act
from healthsvc.store import Store
from healthsvc.store.stored import micros
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Status

Made = TypeVar("Made")
USES = ("code", USE)
_NOT_IN_FORCE = (State.DRAFT, State.PENDING_SIGNATURE)
_Given: TypeAlias = dict[str, list[Given]]
"""By person."""


def end_of(store: Store, on: date) -> datetime:
    """The last moment of a day in the site's zone."""
    return datetime.combine(on, time.max, store.zone)


def facts(store: Store, on: date, *, known: date | None = None, first: date | None = None) -> Facts:
    """Everything that the measures look at, as of the end of a day in the site's zone.

    Args:
        known: what stood in the store at the end of this day is looked at; ``on`` unless told, so that a figure of a past day is what
            it was on that day. A later day brings in what was entered afterwards.
        first: first day of what is counted over time; the quarter of ``on`` unless told.
    """
    known = known or on
    if known < on:
        raise Invalid("what was known before the day cannot tell of the day; give a later date or none", path="known")
    if first is not None and first > on:
        raise Invalid("the period ends before it begins; swap the two days", path="first")
    before = micros(end_of(store, known)) + 1
    latest = None if before > micros(store.at) else before
    policy = store.policy.fill(FilePolicy, "healthfile", on)
    past = Past(store, latest)
    numbers = (*(past.all(*one)[1] for one in _LOOKED_AT), past.files(policy)[1])
    return answer(store, ("facts", on, first, repr(policy), numbers), lambda: _facts(past, policy, on, first))


def _facts(past: "Past", policy: FilePolicy, on: date, first: date | None) -> Facts:
    at, zone = end_of(past.store, on), past.store.zone
    period = (first or bounds(on.year, (on.month + 2) // 3)[0], on)
    visits = tuple(_as_of(one, at) for one in past.all("Task", _visit)[0])
    by_source: dict[str, list[Called]] = {}
    for one in visits:
        for source in one.sources:
            by_source.setdefault(source, []).append(one)
    members, survivors = _members(past.files(policy)[0], on)
    consultations = ((who, day_of(when, zone)) for who, when in past.all("Encounter", _consultation, CONSULTED)[0])
    given = _given(visits, ((who, day) for who, day in consultations if day is not None and day <= on), zone, survivors)
    doses, uses = past.all("MedicationAdministration", _dose)[0], past.all("Observation", _use, USES)[0]
    return Facts(
        on=on,
        at=at,
        period=period,
        members=members,
        terms=tuple(_terms(past, given, survivors, on, at)),
        visits=visits,
        stays=tuple(_stays(past, by_source, on)),
        doses=tuple(replace(dose, on=begun.astimezone(zone).date()) for dose, begun in doses if begun <= at),
        rights=tuple(past.all("Flag", _right)[0]),
        uses=tuple(_uses(past, uses, on, period)),
        survivors=survivors,
    )


@dataclass(frozen=True, slots=True)
class Past:
    """The store as it stood before a moment (microseconds since 1970 UTC); None: as it stands now."""

    store: Store
    before: int | None
    recalled: dict[Hashable, tuple[list[Any], int]] = field(default_factory=dict)

    def all(
        self, type: str, read: Callable[[Resource], Made | None], coded: tuple[str, str] | None = None, key: Hashable = ""
    ) -> tuple[list[Made], int]:
        """What a function makes of all resources of a type, and the number of that content; ``key``: what else it depends on."""
        name = (read.__name__, key)
        if name not in self.recalled:
            self.recalled[name] = memory(self.store, name, read).recall(self.store, type, before=self.before, coded=coded)
        return self.recalled[name]

    def files(self, policy: FilePolicy) -> tuple[list["_File"], int]:
        """All files, scored by a policy."""

        def _file(patient: Resource) -> _File | None:
            person = to_person(patient)
            survivor = next(iter(links(patient, "replaced-by")), None)
            if person.category is None and survivor is None:
                return None
            member = Member(
                str(patient["id"]), bool(person.resettled), person.category.value if person.category else "", score(person, policy).score,
                person.managing_unit, person.residence_area, person.doctor or "", person.centre or "",
            )  # fmt: skip
            died = (person.deceased or date.min) if is_deceased(patient) else None
            return _File(member, patient.get("active") is not False, died, survivor)

        return self.all("Patient", _file, key=repr(policy))


@dataclass(frozen=True, slots=True)
class _File:
    """A file as the figures need it."""

    member: Member
    active: bool
    died: date | None
    """A file that says only that the person has died counts as died long ago (``date.min``)."""
    survivor: str | None


def _members(files: Sequence[_File], on: date) -> tuple[tuple[Member, ...], dict[str, str]]:
    survivors = {one.member.id: one.survivor for one in files if one.survivor}
    for id in survivors:
        seen = {id}
        while (further := survivors.get(survivors[id])) and further not in seen:
            seen.add(further)
            survivors[id] = further
    members = (
        one.member if one.active and (one.died is None or one.died > on) else replace(one.member, counted=False)
        for one in files
        if not one.survivor
    )
    return tuple(members), survivors


def _visit(task: Resource) -> Called | None:
    if not is_visit(task):
        return None
    visit = to_visit(task)
    return Called(
        f"Task/{visit.id}", visit.person, sys.intern(visit.kind), visit.window.start, visit.window.end, visit.status,
        made_at(task, visit.status), visit.sources, sys.intern(visit.reason or ""),
    )  # fmt: skip


def _as_of(one: Called, at: datetime) -> Called:
    """What was made later had not been made by the moment."""
    return one if one.done is None or one.done <= at else replace(one, done=None)


def _terms(past: Past, given: _Given, survivors: dict[str, str], on: date, at: datetime) -> Iterable[Term]:
    for agreement in past.all("Contract", _agreement)[0]:
        end = min(agreement.end, agreement.ended or agreement.end)
        if agreement.state not in _NOT_IN_FORCE and agreement.start <= on <= end:
            ref = f"Contract/{agreement.id}"
            own = given.get(survivors.get(agreement.person, agreement.person), ())
            yield Term(ref, agreement.person, agreement.start, end, tuple(_promised(agreement, own, at)))


def _consultation(encounter: Resource) -> tuple[str, str] | None:
    return consultation_of(encounter)


def _agreement(contract: Resource) -> Agreement | None:
    return to_agreement(contract) if is_family_doctor(contract) else None


def _given(visits: Iterable[Called], consultations: Iterable[tuple[str, date]], zone: tzinfo, survivors: dict[str, str]) -> _Given:
    """What was asked for and given, by person, as contracts count it."""
    found: _Given = {}
    for one in visits:
        if one.status not in NEVER:
            on = one.done.astimezone(zone).date() if one.done else None
            closes = None if one.status in SUSPENDED else one.due
            given = Given(one.kind, on, closes, one.status is Status.FAILED, one.sources)
            found.setdefault(survivors.get(one.person, one.person), []).append(given)
    for person, on in consultations:
        found.setdefault(survivors.get(person, person), []).append(Given(CONSULTATION, on))
    return found


def _promised(agreement: Agreement, given: Iterable[Given], at: datetime) -> Iterable[Promised]:
    """Promised, delivered and due: the count of the contract itself."""
    for one in count(agreement, given, at).items:
        yield Promised(one.service, one.promised, min(one.delivered, one.promised), min(one.due, one.promised))


def _stays(past: Past, by_source: dict[str, list[Called]], on: date) -> Iterable[Stay]:
    for stay in past.all("EpisodeOfCare", _stay)[0]:
        if stay.start <= on:
            first = min(by_source.get(stay.ref, ()), key=lambda one: one.due, default=None)
            yield replace(stay, first_round_due=first.due if first else None, first_round_made=first.done if first else None)


def _stay(episode: Resource) -> Stay | None:
    if not is_bed(episode):
        return None
    bed = to_bed(episode)
    if bed.status in (BedStatus.CANCELLED, BedStatus.ENTERED_IN_ERROR):
        return None
    return Stay(f"EpisodeOfCare/{bed.id}", bed.patient, bed.start, bed.discharge.on if bed.discharge else None)


def _dose(record: Resource) -> tuple[Dose, datetime] | None:
    given = to_given(record) if is_given(record) else None
    started = given.bedside.last(Act.PUNCTURE) if given else None
    if given is None or started is None:
        return None
    return Dose(f"MedicationAdministration/{record['id']}", given.patient, started.at.date(), given.bedside.reacted), started.at


def _right(flag: Resource) -> Right | None:
    channel = to_channel(flag) if is_channel(flag) else None
    if channel is None or channel.decision.valid_from is None:
        return None
    return Right(f"Flag/{flag['id']}", channel.patient, channel.decision.valid_from, channel.decision.valid_to)


def _use(observation: Resource) -> tuple[str, Use] | None:
    return (f"Observation/{observation['id']}", to_use(observation)) if is_use(observation) else None


def _uses(past: Past, told: Iterable[tuple[str, Use]], on: date, period: tuple[date, date]) -> Iterable[Used]:
    """The uses of the period, each judged against the waits of the same period."""
    zone = past.store.zone
    inside = {use: ref for ref, use in told if period[0] <= use.at.astimezone(zone).date() <= period[1]}
    for one in judge(list(inside), wait_policy(past.store, on)):
        day = one.use.at.astimezone(zone).date()
        yield Used(inside[one.use], one.use.patient, day, one.honoured, one.use.right.value, one.why)


_LOOKED_AT: tuple[Any, ...] = (
    ("Task", _visit),
    ("Contract", _agreement),
    ("Encounter", _consultation, CONSULTED),
    ("EpisodeOfCare", _stay),
    ("MedicationAdministration", _dose),
    ("Flag", _right),
    ("Observation", _use, USES),
)
"""Everything but the files that facts are made of."""
