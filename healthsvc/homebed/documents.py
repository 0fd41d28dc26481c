"""The documents of a home bed 病历首页, 建床协议书, 查床记录, 撤床小结: what stands in them, ready to be printed."""

from collections.abc import Iterable
from dataclasses import dataclass

from healthsvc.fhir.json import Resource
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.service import follow
from healthsvc.homebed import service
from healthsvc.homebed.resources import to_assessment
from healthsvc.homebed.rules.bed import BED_KIND_NAMES, Bed
from healthsvc.store import Store
from healthsvc.visit.resources import is_visit, to_visit

OUTCOME_NAMES = {
    "cured": "治愈",
    "improved": "好转",
    "no-effect": "无效",
    "untreated": "未治",
    "death": "死亡",
    "transferred": "转院",
    "other": "其他",
}
REASON_NAMES = {
    "better": "病情好转",
    "stable": "病情稳定",
    "admission": "住院",
    "referral": "转诊",
    "death": "死亡",
    "patient-wish": "本人要求",
    "term-ended": "建床期满",
    "moved": "迁出",
    "other": "其他",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a document: a heading and its lines, label and value; an empty value is a line to be filled in by hand."""

    title: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """One document."""

    name: str
    title: str
    copies: int
    sections: tuple[Section, ...]


def documents(store: Store, bed_id: str) -> list[Document]:
    """All documents that a bed has so far; that they were drawn up is noted.

    Raises:
        NotFound: there is no such bed.
    """
    bed = service.read(store, bed_id)
    file = follow(store, bed.patient)
    store.audit("print", f"EpisodeOfCare/{bed.id}", patient=file["id"], purpose="home bed documents")
    found = [front_page(store, bed, file), agreement(store, bed, file), rounds_record(store, bed)]
    return found + ([summary(bed, file)] if bed.discharge else [])


def front_page(store: Store, bed: Bed, file: Resource) -> Document:
    """家庭病床病历首页."""
    person, impression = to_person(file), store.find("ClinicalImpression", bed.assessment)
    found = to_assessment(impression) if impression else None
    allergies = store.select("AllergyIntolerance", patient=bed.patient)
    named = "、".join(one.get("code", {}).get("text", "") for one in allergies)
    identity = (
        ("姓名", person.name),
        ("性别", {"male": "男", "female": "女"}.get(person.sex, "未说明")),
        ("出生日期", person.birth.isoformat() if person.birth else ""),
        ("住址", person.address),
        ("联系人", "、".join(f"{one.name} {one.relation} {one.phone}".strip() for one in person.contacts)),
        ("药物过敏", named),
    )
    stay = (
        ("病床类型", BED_KIND_NAMES[bed.kind]),
        ("建床日期", bed.start.isoformat()),
        ("到期日", bed.last_day.isoformat()),
        ("建床诊断", _diagnosis(bed.diagnosis)),
        ("收治指征和建床意见", found.indication if found else ""),
        ("自理能力评分", str(found.self_care) if found and found.self_care is not None else ""),
        ("责任医生", bed.doctor),
        ("责任护士", bed.nurse),
    )
    end = bed.discharge
    closing = (
        ("撤床日期", end.on.isoformat() if end else ""),
        ("撤床诊断", _diagnosis(end.diagnosis) if end else ""),
        ("撤床原因", REASON_NAMES.get(end.reason, end.reason) if end else ""),
        ("转归", OUTCOME_NAMES.get(end.outcome, end.outcome) if end else ""),
        ("心理、社会诊断", ""),
        ("病历质量等级", ""),
    )
    return Document("front-page", "家庭病床病历首页", 1, (Section("基本情况", identity), Section("建床", stay), Section("撤床", closing)))


def agreement(store: Store, bed: Bed, file: Resource) -> Document:
    """家庭病床建床协议书: as many copies as the policy says (patient, station, hospital community office)."""
    signed = service.signed_agreement(store, bed)
    policy = service.policy_of(store, bed.start)
    terms = (
        ("服务期限", f"{bed.start.isoformat()} 至 {bed.last_day.isoformat()}(不超过 {policy.max_days} 天,期满须撤床后重新申请)"),
        ("首次查床", f"建床后 {policy.first_round_hours} 小时内"),
        ("查床间隔", f"{bed.round_days} 天"),
        ("风险告知", "已告知" if signed and signed.risks_told else ""),
        ("费用告知", "已告知" if signed and signed.fees_told else ""),
    )
    by_patient = signed is not None and signed.signer == "patient"
    signatures = (
        ("患者", to_person(file).name),
        ("签字人", "本人" if by_patient else "家属或监护人" if signed else ""),
        ("与患者关系", signed.relation if signed else ""),
        ("签字日期", signed.signed.astimezone(store.zone).date().isoformat() if signed else ""),
        ("签字方式", {"wet-scan": "纸质签字扫描", "drawn": "屏幕手写", "certified": "电子认证签名"}[signed.signature] if signed else ""),
        ("见证人", signed.witness or "" if signed else ""),
    )
    return Document("agreement", "家庭病床建床协议书", policy.agreement_copies, (Section("约定", terms), Section("签字", signatures)))


def rounds_record(store: Store, bed: Bed) -> Document:
    """查床记录: every round made, with the numbers measured."""
    tasks = store.select("Task", based_on=f"EpisodeOfCare/{bed.id}", status="completed")
    made = sorted((task for task in tasks if is_visit(task)), key=lambda task: str(task.get("executionPeriod", {}).get("end", "")))
    return Document("rounds", "查床记录", 1, tuple(Section(_heading(task), tuple(_findings(store, task))) for task in made))


def summary(bed: Bed, file: Resource) -> Document:
    """撤床小结."""
    end = bed.discharge
    assert end is not None
    lines = (
        ("姓名", to_person(file).name),
        ("建床日期", bed.start.isoformat()),
        ("撤床日期", end.on.isoformat()),
        ("床日", str((end.on - bed.start).days + 1)),
        ("建床诊断", _diagnosis(bed.diagnosis)),
        ("撤床诊断", _diagnosis(end.diagnosis)),
        ("撤床原因", REASON_NAMES.get(end.reason, end.reason)),
        ("转归", OUTCOME_NAMES.get(end.outcome, end.outcome)),
        ("小结", end.summary),
    )
    return Document("summary", "家庭病床撤床小结", 1, (Section("小结", lines),))


def _diagnosis(diagnosis: object) -> str:
    return f"{getattr(diagnosis, 'code', '')} {getattr(diagnosis, 'text', '')}".strip() if diagnosis else ""


def _heading(task: Resource) -> str:
    visit = to_visit(task)
    return f"{visit.title or visit.kind} {task.get('executionPeriod', {}).get('end', '')}".strip()


def _findings(store: Store, task: Resource) -> Iterable[tuple[str, str]]:
    for output in task.get("output", ()):
        target = output.get("valueReference", {}).get("reference", "")
        observation = store.find("Observation", target.rpartition("/")[2]) if target.startswith("Observation/") else None
        if observation is not None:
            yield from _measured(observation)
    for note in task.get("note", ()):
        yield "医嘱与谈话", note.get("text", "")


def _measured(observation: Resource) -> Iterable[tuple[str, str]]:
    for one in (observation, *observation.get("component", ())):
        quantity = one.get("valueQuantity")
        if quantity:
            label = one.get("code", {}).get("text") or one.get("code", {}).get("coding", [{}])[0].get("display", "")
            yield label, f"{quantity.get('value')} {quantity.get('unit', '')}".strip()
