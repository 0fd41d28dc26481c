"""台账 Ledgers: visits, home beds, infusions, contracts, green channels of a span of days, as tables that can be printed and exported."""

from collections.abc import Callable, Iterable
from datetime import date, datetime

from healthsvc.contract.resources import is_family_doctor, to_agreement
from healthsvc.errors import NotFound
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.resources import is_channel, to_channel
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES
from healthsvc.greenchannel.rules import Right as Priority
from healthsvc.healthfile.resources import to_person
from healthsvc.homebed.resources import is_bed
from healthsvc.homebed.rules.bed import BED_KIND_NAMES
from healthsvc.homebed.service import with_diagnoses
from healthsvc.indicators.resources import made_at
from healthsvc.indicators.rules import Figure
from healthsvc.indicators.tables import Cell, Table
from healthsvc.infusion.records import is_given, to_given
from healthsvc.infusion.resources import to_order
from healthsvc.infusion.rules.bedside import Act
from healthsvc.store import Store
from healthsvc.visit.resources import is_visit, to_visit
from healthsvc.visit.rules import standing

Row = tuple[Cell, ...]
_GROUP_NAMES = {"all": "全部", "local": "本区管理", "resettled": "易地安置"}


def ledger(store: Store, name: str, first: date, last: date) -> Table:
    """One ledger with everything that falls between two days, both included; that it was drawn up is noted.

    Raises:
        NotFound: there is no such ledger; the text lists those that there are.
    """
    if name not in LEDGERS:
        raise NotFound(f"there is no ledger {name[:40]!r}; there are {', '.join(LEDGERS)}")
    title, columns, rows = LEDGERS[name]
    store.audit("ledger", None, purpose=f"{name} {first.isoformat()}..{last.isoformat()}")
    return Table(title, columns, tuple(sorted(rows(store, first, last), key=lambda row: str(row[0]))))


def table_of(figures: Iterable[Figure]) -> Table:
    """The figures as a table, without people."""
    rows = [
        (
            one.name_zh,
            one.name_en,
            _GROUP_NAMES[one.group],
            one.numerator,
            one.denominator,
            round(one.rate, 4) if one.rate is not None else None,
        )
        for one in figures
    ]
    return Table("考核指标", ("指标", "Indicator", "对象", "分子", "分母", "比率"), tuple(rows))


def people_of(store: Store, figure: Figure) -> Table:
    """The people behind a figure: those counted and those missing."""
    rows: list[Row] = [(_name(store, one), one, "计入") for one in figure.people]
    rows += [(_name(store, one), one, "未达到") for one in figure.missing]
    return Table(figure.name_zh, ("姓名", "档案", "情况"), tuple(rows))


def _visits(store: Store, first: date, last: date) -> Iterable[Row]:
    for task in store.select("Task"):
        if not is_visit(task):
            continue
        visit = to_visit(task)
        opens, due = _day(store, visit.window.start), _day(store, visit.window.end)
        if opens <= last and due >= first:
            done = made_at(task, store.at)
            yield (
                due,
                _name(store, visit.person),
                visit.title or visit.kind,
                opens,
                done.astimezone(store.zone) if done else None,
                standing(visit, store.at).value,
                visit.owner,
            )


def _home_beds(store: Store, first: date, last: date) -> Iterable[Row]:
    for episode in store.select("EpisodeOfCare"):
        if not is_bed(episode):
            continue
        bed = with_diagnoses(store, episode)
        end = bed.discharge.on if bed.discharge else None
        if bed.start <= last and (end is None or end >= first):
            diagnosis = f"{bed.diagnosis.code} {bed.diagnosis.text}" if bed.diagnosis else None
            reason, outcome = (bed.discharge.reason, bed.discharge.outcome) if bed.discharge else (None, None)
            yield bed.start, _name(store, bed.patient), BED_KIND_NAMES[bed.kind], diagnosis, bed.last_day, end, reason, outcome, bed.doctor


def _infusions(store: Store, first: date, last: date) -> Iterable[Row]:
    for record in store.select("MedicationAdministration"):
        given = to_given(record) if is_given(record) else None
        if given is None or not first <= (on := _day(store, given.bedside.log[0].at)) <= last:
            continue
        request = store.find("MedicationRequest", given.course)
        order = to_order(request) if request else None
        start, end = given.bedside.last(Act.PUNCTURE), given.bedside.last(Act.END)
        yield (
            on,
            _name(store, given.patient),
            order.drug_name if order else None,
            order.dose if order else None,
            start.at.astimezone(store.zone) if start else None,
            end.at.astimezone(store.zone) if end else None,
            given.bedside.step.value,
            "有" if given.bedside.reacted else "无",
            given.bedside.log[0].by,
        )


def _contracts(store: Store, first: date, last: date) -> Iterable[Row]:
    for contract in store.select("Contract"):
        if not is_family_doctor(contract):
            continue
        one = to_agreement(contract)
        if one.start <= last and one.end >= first:
            ended = one.end_reason.value if one.end_reason else None
            yield one.start, _name(store, one.person), one.number, one.end, one.state.value, one.doctor, one.nurse, ended


def _green_channels(store: Store, first: date, last: date) -> Iterable[Row]:
    for flag in store.select("Flag"):
        channel = to_channel(flag) if is_channel(flag) else None
        if channel is None or channel.decision.valid_from is None or channel.decision.valid_from > last:
            continue
        if channel.decision.valid_to is not None and channel.decision.valid_to < first:
            continue
        rights = "、".join(RIGHT_NAMES[right][0] for right in Priority if right in channel.decision.rights)
        reason = REASON_NAMES[channel.decision.reasons[0]][0]
        state = "已撤销" if channel.withdrawn else "有效"
        yield channel.decision.valid_from, _name(store, channel.patient), rights, reason, channel.decision.valid_to, state


def _name(store: Store, patient: str) -> str:
    file: Resource | None = store.find("Patient", patient)
    return to_person(file).name if file else ""


def _day(store: Store, at: datetime) -> date:
    return at.astimezone(store.zone).date()


LEDGERS: dict[str, tuple[str, tuple[str, ...], Callable[[Store, date, date], Iterable[Row]]]] = {
    "visits": ("上门服务台账", ("应访日期", "姓名", "服务", "可访日期", "完成时间", "状态", "负责人"), _visits),
    "home-beds": ("家庭病床台账", ("建床日期", "姓名", "类型", "诊断", "到期日", "撤床日期", "撤床原因", "转归", "医生"), _home_beds),
    "infusions": ("上门输液台账", ("日期", "姓名", "药品", "剂量", "开始", "结束", "步骤", "反应", "护士"), _infusions),
    "contracts": ("签约台账", ("签约日期", "姓名", "编号", "到期日", "状态", "医生", "护士", "终止原因"), _contracts),
    "green-channels": ("绿色通道台账", ("开通日期", "姓名", "权利", "事由", "有效期至", "状态"), _green_channels),
}
"""Name -> title, columns, rows; every ledger is a query, so it is never out of date."""
