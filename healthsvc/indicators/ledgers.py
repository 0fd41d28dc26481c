"""台账 Ledgers: visits, home beds, infusions, contracts, green channels of a span of days, as tables that can be printed and exported."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from healthsvc.access import looks
from healthsvc.access.masks import masks
from healthsvc.access.rules import Action, allows
from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.emergency.resources import EMERGENCY, to_alarm
from healthsvc.emergency.rules import Act as AlarmAct
from healthsvc.errors import NotFound
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.honour import uses, wait_policy
from healthsvc.greenchannel.resources import is_channel, to_channel
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES
from healthsvc.greenchannel.rules import Right as Priority
from healthsvc.greenchannel.waits import judge
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.homebed.resources import is_bed
from healthsvc.homebed.rules.bed import BED_KIND_NAMES
from healthsvc.homebed.service import with_diagnoses
from healthsvc.indicators.figure import ALL, By, Part
from healthsvc.indicators.resources import made_at
from healthsvc.indicators.tables import Cell, Table
from healthsvc.infusion.records import is_given, to_given
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.rules.bedside import Act
from healthsvc.masking import Form, Kind, Masks
from healthsvc.mustvisit.resources import OCCASION, to_must_visit
from healthsvc.mustvisit.rules import OCCASION_NAMES, Occasion
from healthsvc.referral.resources import is_referral, to_referral
from healthsvc.store import Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import standing


@dataclass(frozen=True, slots=True)
class Who:
    """Whose row it is; becomes a name, or a masked one."""

    patient: str


Row = tuple[Cell | Who, ...]
BY_NAMES = {
    By.RESETTLED: ("管理", "Management"),
    By.UNIT: ("管理单位", "Managing unit"),
    By.AREA: ("居住社区", "Community"),
    By.DOCTOR: ("责任医生", "Responsible doctor"),
    By.CENTRE: ("服务中心", "Health centre"),
}


class Pages:
    """What a ledger is drawn up from: the store, and the files and staff that it has already looked up."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.at = store.at
        self.zone = store.zone
        self._people: dict[str, Person | None] = {}
        self._staff: dict[str, str] = {}

    def name(self, patient: str) -> Who:
        """Whose row it is."""
        return Who(patient)

    def person(self, patient: str) -> Person | None:
        """Who it is; None where the file is not seen."""
        if patient not in self._people:
            file: Resource | None = self.store.find("Patient", patient)
            self._people[patient] = to_person(file) if file else None
        return self._people[patient]

    def staff(self, reference: str) -> str:
        """The name of a member of the staff."""
        if reference not in self._staff:
            found = self.store.find("Practitioner", reference.rpartition("/")[2]) or {}
            names = found.get("name") or [{}]
            self._staff[reference] = names[0].get("text") or "".join((names[0].get("family", ""), *names[0].get("given", ()))) or reference
        return self._staff[reference]

    def belongs(self, patient: str, part: Part) -> bool:
        """Whether a person is one of those of whom the ledger tells."""
        person = self.person(patient)
        return person is not None and (part.by is None or trait_of(person, part.by) == part.value)

    def day(self, at: datetime) -> date:
        """The day of a moment in the site's zone."""
        return at.astimezone(self.zone).date()


def trait_of(person: Person, by: By) -> str:
    """The value of a person's trait, by which ledgers are kept apart."""
    if by is By.RESETTLED:
        return "resettled" if person.resettled else "local"
    kept = {By.UNIT: person.managing_unit, By.AREA: person.residence_area, By.DOCTOR: person.doctor, By.CENTRE: person.centre}
    return kept[by] or ""


def ledger(store: Store, name: str, first: date, last: date, part: Part = ALL, *, named: bool = True) -> Table:
    """One ledger with everything that falls between two days, both included; that it was drawn up is noted.

    Args:
        store: an open transaction.
        name: one of :data:`LEDGERS`.
        first, last: the days.
        part: whose: of one community, doctor, unit or centre; everybody unless told.
        named: whether names stand in full; whoever may not read files gets masked names and no clinical words whatever is asked.

    Raises:
        NotFound: there is no such ledger; the text lists those that there are.
    """
    if name not in LEDGERS:
        raise NotFound(f"there is no ledger {name[:40]!r}; there are {', '.join(LEDGERS)}")
    one, pages = LEDGERS[name], Pages(store)
    clinical = allows(store.actor.roles, Action.READ_CLINICAL, "Patient")
    hidden = frozenset() if clinical else frozenset(place for place, column in enumerate(one.columns) if column in CLINICAL)
    shown_as = masks(store, "ledger" if named else "ledger-masked")
    shown = "full names" if shown_as.form(Kind.NAME) is Form.FULL else "masked names"
    rows: list[tuple[Cell, ...]] = []
    people: list[str] = []
    for row in one.rows(pages, first, last):
        who = next(cell.patient for cell in row if isinstance(cell, Who))
        if pages.belongs(who, part):
            people.append(who)
            rows.append(tuple(None if place in hidden else _cell(pages, cell, shown_as) for place, cell in enumerate(row)))
    many = looks.named(store, people, f"ledger {name}")
    store.audit("ledger", None, purpose=f"{name} {first.isoformat()}..{last.isoformat()} {part.by or 'all'} {shown} {many} files")
    return Table(one.title, one.columns, tuple(sorted(rows, key=lambda row: str(row[0]))))


def _cell(pages: Pages, cell: Cell | Who, shown_as: Masks) -> Cell:
    if isinstance(cell, Who):
        person = pages.person(cell.patient)
        return shown_as.name(person.name) if person else ""
    return pages.staff(cell) if isinstance(cell, str) and cell.startswith("Practitioner/") else cell


def _visits(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for task in pages.store.select("Task"):
        if not is_visit(task):
            continue
        visit = to_visit(task)
        opens, due = pages.day(visit.window.start), pages.day(visit.window.end)
        if opens <= last and due >= first:
            done = made_at(task, visit.status)
            yield (
                due,
                pages.name(visit.person),
                visit.title or visit.kind,
                opens,
                done.astimezone(pages.zone) if done else None,
                standing(visit, pages.at).value,
                visit.owner,
            )


def _home_beds(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for episode in pages.store.select("EpisodeOfCare"):
        if not is_bed(episode):
            continue
        bed = with_diagnoses(pages.store, episode)
        end = bed.discharge.on if bed.discharge else None
        if bed.start <= last and (end is None or end >= first):
            diagnosis = f"{bed.diagnosis.code} {bed.diagnosis.text}" if bed.diagnosis else None
            reason, outcome = (bed.discharge.reason, bed.discharge.outcome) if bed.discharge else (None, None)
            yield bed.start, pages.name(bed.patient), BED_KIND_NAMES[bed.kind], diagnosis, bed.last_day, end, reason, outcome, bed.doctor


def _infusions(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for record in pages.store.select("MedicationAdministration"):
        given = to_given(record) if is_given(record) else None
        if given is None or not first <= (on := pages.day(given.bedside.log[0].at)) <= last:
            continue
        request = pages.store.find("MedicationRequest", given.course)
        order = to_order(request) if request else None
        start, end = given.bedside.last(Act.PUNCTURE), given.bedside.last(Act.END)
        yield (
            on,
            pages.name(given.patient),
            order.drug_name if order else None,
            order.dose if order else None,
            start.at.astimezone(pages.zone) if start else None,
            end.at.astimezone(pages.zone) if end else None,
            given.bedside.step.value,
            "有" if given.bedside.reacted else "无",
            given.bedside.log[0].by,
        )


def _contracts(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for contract in pages.store.select("Contract"):
        if not is_family_doctor(contract):
            continue
        one = to_agreement(contract)
        if one.start <= last and one.end >= first:
            ended = one.end_reason.value if one.end_reason else None
            yield one.start, pages.name(one.person), one.number, one.end, one.state.value, one.doctor, one.nurse, ended


def _green_channels(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for flag in pages.store.select("Flag"):
        channel = to_channel(flag) if is_channel(flag) else None
        if channel is None or channel.decision.valid_from is None or channel.decision.valid_from > last:
            continue
        if channel.decision.valid_to is not None and channel.decision.valid_to < first:
            continue
        rights = "、".join(RIGHT_NAMES[right][0] for right in Priority if right in channel.decision.rights)
        reason = REASON_NAMES[channel.decision.reasons[0]][0]
        state = "已撤销" if channel.withdrawn else "有效"
        yield channel.decision.valid_from, pages.name(channel.patient), rights, reason, channel.decision.valid_to, state


def _green_uses(pages: Pages, first: date, last: date) -> Iterable[Row]:
    told = uses(pages.store, first, last)
    for one in judge(told, wait_policy(pages.store, last)):
        said = {True: "兑现", False: "未兑现", None: "无法判断"}[one.honoured]
        at = one.use.at.astimezone(pages.zone)
        yield (
            at,
            pages.name(one.use.patient),
            RIGHT_NAMES[one.use.right][0],
            one.use.hospital,
            one.use.wait_minutes,
            one.bound,
            said,
            one.why,
        )


def _referrals(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for task in pages.store.select("Task"):
        if not is_referral(task):
            continue
        request = pages.store.find("ServiceRequest", task.get("focus", {}).get("reference", "").rpartition("/")[2])
        if request is None:
            continue
        one = to_referral(request, task)
        on = pages.day(one.at)
        if first <= on <= last:
            outcome = one.outcome.value if one.outcome else None
            yield on, pages.name(one.person), one.direction.value, one.reason.value, one.hospital, one.stage.value, outcome, one.requester


def _alarms(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for task in pages.store.select("Task", code=f"{EMERGENCY}|alarm"):
        one = to_alarm(task)
        if first <= pages.day(one.raised) <= last:
            taken = next((line.at for line in one.log if line.act is AlarmAct.TAKE), None)
            closed = next((line for line in one.log if line.act is AlarmAct.CLOSE), None)
            waited = int((taken - one.raised).total_seconds()) if taken else None
            calls = sum(line.act is AlarmAct.CALL for line in one.log)
            raised = one.raised.astimezone(pages.zone)
            yield raised, pages.name(one.patient), one.kind, one.source, calls, waited, one.taken_by, closed.text if closed else None


def _must_visits(pages: Pages, first: date, last: date) -> Iterable[Row]:
    for task in pages.store.select("Task", code=[f"{OCCASION}|{one}" for one in Occasion]):
        one = to_must_visit(task, pages.zone)
        if one.first <= last and one.last >= first:
            done = one.done_at.astimezone(pages.zone) if one.done_at else None
            name = OCCASION_NAMES[one.occasion][0]
            yield one.last, pages.name(one.patient), name, one.title, one.status, done, one.done_by, one.mode, one.note


@dataclass(frozen=True, slots=True)
class Ledger:
    """A ledger: its title, its columns, and what finds its rows between two days."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Pages, date, date], Iterable[Row]]


CLINICAL = frozenset({"诊断", "药品", "剂量", "反应", "转归", "情况", "说明", "结果"})
"""Columns that say something of a person's health: only for whoever may read files."""
LEDGERS: dict[str, Ledger] = {
    "visits": Ledger("上门服务台账", ("应访日期", "姓名", "服务", "可访日期", "完成时间", "状态", "负责人"), _visits),
    "home-beds": Ledger("家庭病床台账", ("建床日期", "姓名", "类型", "诊断", "到期日", "撤床日期", "撤床原因", "转归", "医生"), _home_beds),
    "infusions": Ledger("上门输液台账", ("日期", "姓名", "药品", "剂量", "开始", "结束", "步骤", "反应", "护士"), _infusions),
    "contracts": Ledger("签约台账", ("签约日期", "姓名", "编号", "到期日", "状态", "医生", "护士", "终止原因"), _contracts),
    "green-channels": Ledger("绿色通道台账", ("开通日期", "姓名", "权利", "事由", "有效期至", "状态"), _green_channels),
    "green-channel-uses": Ledger("绿色通道使用台账", ("时间", "姓名", "权利", "医院", "等候分钟", "对比分钟", "兑现", "原因"), _green_uses),
    "referrals": Ledger("双向转诊台账", ("转诊日期", "姓名", "方向", "原因", "医院", "进度", "转归", "经办"), _referrals),
    "alarms": Ledger("一键通台账", ("求助时间", "姓名", "类型", "来源", "呼叫次数", "接手用时秒", "接手人", "结果"), _alarms),
    "must-visits": Ledger("五必到台账", ("应到日期", "姓名", "事由", "说明", "状态", "到场时间", "到场人", "方式", "情况"), _must_visits),
}
"""By name; every ledger is a query, so it is never out of date."""
