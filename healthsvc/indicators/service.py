"""考核 Gather the facts of a day and give the figures; every one of them can be explained."""

from collections.abc import Iterable
from datetime import date, datetime, time

from healthsvc.checkup.rules import bounds
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.contract.rules import Agreement, State
from healthsvc.errors import NotFound
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.honour import uses
from healthsvc.greenchannel.resources import is_channel, to_channel
from healthsvc.healthfile.resources import is_deceased, links, to_person
from healthsvc.healthfile.rules import FilePolicy
from healthsvc.healthfile.rules import completeness as score
from healthsvc.homebed.resources import is_bed, to_bed
from healthsvc.homebed.rules.bed import Status as BedStatus
from healthsvc.indicators import rules
from healthsvc.indicators.facts import Dose, Facts, Made, Member, Right, Stay, Term, Used
from healthsvc.indicators.resources import made_at, to_measure_report
from healthsvc.indicators.rules import Figure, Group, IndicatorPolicy
from healthsvc.infusion.records import is_given, to_given
from healthsvc.infusion.rules.bedside import Act
from healthsvc.store import Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import Status

_WRITTEN_OFF = (Status.FAILED,)
_NOT_IN_FORCE = (State.DRAFT, State.PENDING_SIGNATURE)


def policy_of(store: Store, on: date) -> IndicatorPolicy:
    """The indicator policy in force on a day."""
    return store.policy.fill(IndicatorPolicy, "indicators", on)


def figures(store: Store, on: date) -> list[Figure]:
    """All figures as of the end of a day: for everybody, then local and resettled cadres side by side."""
    return rules.figures(facts(store, on), policy_of(store, on))


def figure(store: Store, code: str, on: date, group: Group = Group.ALL) -> Figure:
    """One figure with the people behind it; that the people were shown is noted.

    Raises:
        NotFound: there is no such figure.
    """
    for one in figures(store, on):
        if (one.code, one.group) == (code, group):
            store.audit("figure-people", None, purpose=f"{code} {group}")
            return one
    raise NotFound(f"there is no figure {code[:40]!r} for {group}")


def measure_reports(store: Store, on: date) -> list[Resource]:
    """All figures as FHIR MeasureReports."""
    gathered = facts(store, on)
    return [to_measure_report(one, gathered) for one in rules.figures(gathered, policy_of(store, on))]


def facts(store: Store, on: date) -> Facts:
    """Everything that the measures look at, as of the end of a day in the site's zone."""
    at = datetime.combine(on, time.max, store.zone)
    quarter, visits = bounds(on.year, (on.month + 2) // 3), _visits(store, at)
    return Facts(
        on=on,
        at=at,
        quarter=quarter,
        members=_members(store, on),
        terms=tuple(_terms(store, visits, on, at)),
        visits=visits,
        stays=tuple(_stays(store, visits)),
        doses=tuple(_doses(store, at)),
        rights=tuple(_rights(store)),
        uses=tuple(_uses(store, quarter, on)),
    )


def _members(store: Store, on: date) -> tuple[Member, ...]:
    policy = store.policy.fill(FilePolicy, "healthfile", on)
    found = []
    for patient in store.select("Patient"):
        if patient.get("active") is False or links(patient, "replaced-by") or is_deceased(patient):
            continue
        person = to_person(patient)
        if person.category is not None:
            whole = score(person, policy).score
            found.append(Member(str(patient["id"]), bool(person.resettled), person.category.value, whole))
    return tuple(found)


def _visits(store: Store, at: datetime) -> tuple[Made, ...]:
    return tuple(Made(to_visit(task), made_at(task, at)) for task in store.select("Task") if is_visit(task))


def _terms(store: Store, visits: Iterable[Made], on: date, at: datetime) -> Iterable[Term]:
    by_contract: dict[str, list[Made]] = {}
    for made in visits:
        for source in made.visit.sources:
            by_contract.setdefault(source, []).append(made)
    for contract in store.select("Contract"):
        if not is_family_doctor(contract):
            continue
        agreement = to_agreement(contract)
        end = min(agreement.end, agreement.ended or agreement.end)
        if agreement.state not in _NOT_IN_FORCE and agreement.start <= on <= end:
            yield _term(agreement, end, by_contract.get(f"Contract/{agreement.id}", ()), at)


def _term(agreement: Agreement, end: date, visits: Iterable[Made], at: datetime) -> Term:
    """Promised, delivered and due, each service for itself: more of one never makes up for less of another."""
    own = list(visits)
    promised = delivered = due = 0
    for promise in agreement.promises:
        kind = [one for one in own if one.visit.kind == promise.service]
        done = sum(one.done is not None for one in kind)
        late = sum(one.done is None and (one.visit.status in _WRITTEN_OFF or _overdue(one, at)) for one in kind)
        promised += promise.times
        delivered += min(done, promise.times)
        due += min(done + late, promise.times)
    return Term(agreement.person, agreement.start, end, promised, delivered, due)


def _overdue(made: Made, at: datetime) -> bool:
    waiting = made.visit.status in (Status.REQUESTED, Status.ACCEPTED, Status.COMPLETED)
    return waiting and made.visit.window.end < at


def _stays(store: Store, visits: Iterable[Made]) -> Iterable[Stay]:
    rounds: dict[str, list[Made]] = {}
    for made in visits:
        for source in made.visit.sources:
            rounds.setdefault(source, []).append(made)
    for episode in store.select("EpisodeOfCare"):
        if not is_bed(episode):
            continue
        bed = to_bed(episode)
        if bed.status in (BedStatus.CANCELLED, BedStatus.ENTERED_IN_ERROR):
            continue
        first = min(rounds.get(f"EpisodeOfCare/{bed.id}", ()), key=lambda made: made.visit.window.end, default=None)
        yield Stay(
            bed.patient,
            bed.start,
            bed.discharge.on if bed.discharge else None,
            first.visit.window.end if first else None,
            first.done if first else None,
        )


def _doses(store: Store, at: datetime) -> Iterable[Dose]:
    for record in store.select("MedicationAdministration"):
        given = to_given(record) if is_given(record) else None
        started = given.bedside.last(Act.PUNCTURE) if given else None
        if given is not None and started is not None and started.at <= at:
            yield Dose(given.patient, started.at.astimezone(store.zone).date(), given.bedside.reacted)


def _rights(store: Store) -> Iterable[Right]:
    for flag in store.select("Flag"):
        if is_channel(flag):
            channel = to_channel(flag)
            if channel.decision.valid_from is not None:
                yield Right(channel.patient, channel.decision.valid_from, channel.decision.valid_to)


def _uses(store: Store, quarter: tuple[date, date], on: date) -> Iterable[Used]:
    for use in uses(store, quarter[0], min(on, quarter[1])):
        yield Used(use.patient, use.at.astimezone(store.zone).date(), use.honoured)
