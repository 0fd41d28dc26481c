"""家庭病床文书: each document of a home bed, ready to be printed; the signed agreement is frozen."""

from datetime import datetime
from typing import Final

from healthsvc.documents import Document, Fields, Frozen, Paragraph, Section, Signature, Signatures, freeze, frozen_of, pdf_of
from healthsvc.documents.render import to_pdf
from healthsvc.errors import NotFound
from healthsvc.fhir.consent import SignedConsent
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import follow
from healthsvc.homebed import service
from healthsvc.homebed.applications import of_bed
from healthsvc.homebed.notes import notes_of
from healthsvc.homebed.paper_records import nursing, rounds, treatment, written_notes
from healthsvc.homebed.resources import to_assessment
from healthsvc.homebed.rules.application import ORIGIN_NAMES, STAGE_NAMES
from healthsvc.homebed.rules.bed import BED_KIND_NAMES, Bed, Diagnosis
from healthsvc.homebed.rules.note import SECTIONS, Note, NoteKind
from healthsvc.homebed.signing import Side, hands_of
from healthsvc.homebed.words import CRITERIA, OUTCOME_NAMES, REASON_NAMES, SIGNATURE_NAMES, named, yes_no
from healthsvc.store import Store

AGREEMENT: Final = "home-bed-agreement"
"""Code of CodeSystem document-kind."""
TITLES: Final = {
    "application": "家庭病床建床申请表",
    "assessment": "家庭病床建床评估表",
    "agreement": "家庭病床建床协议书",
    "front-page": "家庭病床病历首页",
    "treatment-plan": "诊疗计划",
    "nursing-plan": "护理计划",
    "rounds": "查床记录",
    "nursing-record": "护理记录",
    "handover": "交接班记录",
    "summary": "家庭病床撤床小结",
}
_HONEST: Final = "签字方式据实注明。屏幕手写的笔迹图像本身不是《电子签名法》所称可靠的电子签名；本文书另以封存签名保证签后未被改动。"


def papers(store: Store, bed_id: str) -> dict[str, Document]:
    """All documents that a bed has so far, by name; that they were drawn up is noted.

    Raises:
        NotFound: there is no such bed.
    """
    bed = service.read(store, bed_id)
    store.audit("print", f"EpisodeOfCare/{bed.id}", patient=str(follow(store, bed.patient)["id"]), purpose="home bed documents")
    return {name: _document(store, bed, name, sections) for name, sections in _all(store, bed).items()}


def names(store: Store, bed: Bed) -> list[str]:
    """Names of the documents that a bed has so far."""
    return list(_all(store, bed))


def _all(store: Store, bed: Bed) -> dict[str, tuple[Section, ...]]:
    person, notes = to_person(follow(store, bed.patient)), notes_of(store, bed.id, bed.patient)
    made = {
        "application": _application(store, bed),
        "assessment": _assessment(store, bed),
        "agreement": agreement_sections(store, bed, person),
        "front-page": _front_page(store, bed, person, notes),
        "treatment-plan": treatment(store, bed),
        "nursing-plan": nursing(store, bed),
        "rounds": rounds(store, bed, notes),
        "nursing-record": written_notes(store, notes, NoteKind.NURSING),
        "handover": written_notes(store, notes, NoteKind.HANDOVER),
        "summary": _summary(bed, person) if bed.discharge else (),
    }
    return {name: sections for name, sections in made.items() if sections}


def pdf(store: Store, bed_id: str, name: str) -> bytes:
    """One document as PDF; the agreement of a bed as it was frozen.

    Raises:
        NotFound: there is no such bed, or the bed has no such document yet.
    """
    frozen = frozen_of(store, f"EpisodeOfCare/{bed_id}", AGREEMENT) if name == "agreement" else []
    if frozen:
        return pdf_of(store, str(frozen[0]["id"]))[0]
    found = papers(store, bed_id).get(name)
    if found is None:
        raise NotFound("this bed has no such document yet")
    return to_pdf(found)


def agreement_paper(store: Store, bed: Bed, made: datetime) -> Document:
    """The agreement, one copy for each who keeps one; what is not signed yet is a line to be signed by hand."""
    sections = agreement_sections(store, bed, to_person(follow(store, bed.patient)))
    holders = service.policy_of(store, bed.start).agreement_holders
    return Document(TITLES["agreement"], sections, made, number=bed.id, copies=tuple(holders))


def freeze_agreement(store: Store, bed: Bed) -> Frozen | None:
    """Freeze the signed agreement of a bed; None where nobody has signed, or where it has been frozen already."""
    if service.signed_agreement(store, bed) is None or frozen_of(store, f"EpisodeOfCare/{bed.id}", AGREEMENT):
        return None
    paper = agreement_paper(store, bed, store.at)
    return freeze(store, paper, kind=AGREEMENT, patient=bed.patient, about=f"EpisodeOfCare/{bed.id}", author=f"Practitioner/{bed.doctor}")


def agreement_sections(store: Store, bed: Bed, person: Person) -> tuple[Section, ...]:
    """家庭病床建床协议书."""
    signed, policy = service.signed_agreement(store, bed), service.policy_of(store, bed.start)
    terms = (
        ("甲方（患者）", person.name),
        ("住址", person.address),
        ("诊断", _diagnosis(bed.diagnosis)),
        ("病床类型", BED_KIND_NAMES[bed.kind]),
        ("服务期限", f"{bed.start.isoformat()} 至 {bed.last_day.isoformat()}（不超过 {policy.max_days} 天，期满须撤床后重新申请）"),
        ("首次查床", f"建床后 {policy.first_round_hours} 小时内"),
        ("查床间隔", f"{bed.round_days} 天"),
        ("责任医生", named(store, bed.doctor)),
        ("责任护士", named(store, bed.nurse)),
        ("风险告知", "已告知" if signed and signed.risks_told else ""),
        ("费用告知", "已告知" if signed and signed.fees_told else ""),
    )
    clauses = tuple(Paragraph(f"{number}. {text}") for number, text in enumerate(policy.agreement_clauses, 1))
    return (
        Section("约定事项", (Fields(terms),)),
        Section("条款", clauses),
        Section("签字", (Signatures(_signatures(store, bed, person, signed)), Paragraph(_HONEST))),
    )


def _signatures(store: Store, bed: Bed, person: Person, signed: SignedConsent | None) -> tuple[Signature, ...]:
    if signed is None:
        return Signature("甲方（患者或家属）"), Signature("乙方 责任医生", named(store, bed.doctor))
    kind, at = SIGNATURE_NAMES.get(signed.signature, signed.signature), f"{signed.signed.astimezone(store.zone):%Y-%m-%d %H:%M}"
    hands = hands_of(store, signed.id)
    theirs, ours = hands.get(Side.PERSON), hands.get(Side.DOCTOR)
    by_patient = signed.signer == "patient"
    name = theirs.name if theirs else person.name if by_patient else ""
    role = "甲方" if by_patient else f"甲方代签人（{signed.relation}）"
    first = Signature(role, name, kind, at, theirs.drawing if theirs else None)
    doctor = Signature("乙方 责任医生", named(store, bed.doctor), *((kind, at, ours.drawing) if ours else ()))
    witness = (Signature("见证人", named(store, signed.witness)),) if signed.witness and signed.witness != bed.doctor else ()
    return (first, doctor, *witness)


def _document(store: Store, bed: Bed, name: str, sections: tuple[Section, ...]) -> Document:
    holders = service.policy_of(store, bed.start).agreement_holders if name == "agreement" else ()
    return Document(TITLES[name], sections, store.at, number=bed.id, copies=tuple(holders))


def _application(store: Store, bed: Bed) -> tuple[Section, ...]:
    one = of_bed(store, bed)
    if one is None:
        return ()
    asked = (
        ("申请日期", one.on.isoformat()),
        ("来源", ORIGIN_NAMES[one.origin]),
        ("联系人", f"{one.contact} {one.relation}".strip()),
        ("联系电话", one.phone),
        ("诊断", _diagnosis(one.diagnosis)),
        ("病情摘要", one.summary),
        ("收治指征和建床意见", one.opinion),
        ("申请医生", named(store, one.doctor)),
        ("状态", STAGE_NAMES[one.stage]),
    )
    return (Section("申请", (Fields(asked),)),)


def _assessment(store: Store, bed: Bed) -> tuple[Section, ...]:
    impression = store.find("ClinicalImpression", bed.assessment)
    found = to_assessment(impression) if impression else None
    if found is None:
        return ()
    rows = (
        ("评估日期", found.on.isoformat()),
        ("评估医生", named(store, found.doctor)),
        ("诊断", _diagnosis(found.diagnosis)),
        ("收治指征", "、".join(CRITERIA.get(one, one) for one in sorted(found.criteria))),
        ("排除情形", "、".join(CRITERIA.get(one, one) for one in sorted(found.exclusions)) or "无"),
        ("病情稳定", yes_no(found.stable)),
        ("自理能力评分", "" if found.self_care is None else str(found.self_care)),
        ("居家环境适宜", yes_no(found.home_suitable)),
        ("家中有人照护", yes_no(found.carer)),
        ("收治指征和建床意见", found.indication),
    )
    return (Section("评估", (Fields(rows),)),)


def _front_page(store: Store, bed: Bed, person: Person, notes: list[Note]) -> tuple[Section, ...]:
    impression = store.find("ClinicalImpression", bed.assessment)
    found, extra = to_assessment(impression) if impression else None, next((one for one in notes if one.kind is NoteKind.FRONT), None)
    allergies = store.select("AllergyIntolerance", patient=bed.patient)
    more = {code: extra.text(code) if extra else "" for code, _ in SECTIONS[NoteKind.FRONT]}
    identity = (
        ("姓名", person.name),
        ("性别", {"male": "男", "female": "女"}.get(person.sex, "未说明")),
        ("出生日期", person.birth.isoformat() if person.birth else ""),
        ("血型", more["blood-type"]),
        ("住址", person.address),
        ("联系人", "、".join(f"{one.name} {one.relation} {one.phone}".strip() for one in person.contacts)),
        ("药物过敏", "、".join(one.get("code", {}).get("text", "") for one in allergies)),
    )
    stay = (
        ("病床类型", BED_KIND_NAMES[bed.kind]),
        ("建床日期", bed.start.isoformat()),
        ("到期日", bed.last_day.isoformat()),
        ("建床诊断", _diagnosis(bed.diagnosis)),
        ("其他诊断", more["other-diagnoses"]),
        ("心理诊断", more["psychological"]),
        ("社会诊断", more["social"]),
        ("收治指征和建床意见", found.indication if found else ""),
        ("自理能力评分", str(found.self_care) if found and found.self_care is not None else ""),
        ("责任医生", named(store, bed.doctor)),
        ("责任护士", named(store, bed.nurse)),
    )
    end = bed.discharge
    closing = (
        ("撤床日期", end.on.isoformat() if end else ""),
        ("撤床诊断", _diagnosis(end.diagnosis) if end else ""),
        ("撤床原因", REASON_NAMES.get(end.reason, end.reason) if end else ""),
        ("转归", OUTCOME_NAMES.get(end.outcome, end.outcome) if end else ""),
        ("病历质量等级", more["quality"]),
    )
    return tuple(Section(title, (Fields(rows),)) for title, rows in (("基本情况", identity), ("建床", stay), ("撤床", closing)))


def _summary(bed: Bed, person: Person) -> tuple[Section, ...]:
    end = bed.discharge
    assert end is not None
    rows = (
        ("姓名", person.name),
        ("建床日期", bed.start.isoformat()),
        ("撤床日期", end.on.isoformat()),
        ("床日", str((end.on - bed.start).days + 1)),
        ("建床诊断", _diagnosis(bed.diagnosis)),
        ("撤床诊断", _diagnosis(end.diagnosis)),
        ("撤床原因", REASON_NAMES.get(end.reason, end.reason)),
        ("转归", OUTCOME_NAMES.get(end.outcome, end.outcome)),
        ("小结", end.summary),
    )
    return (Section("小结", (Fields(rows),)),)


def _diagnosis(diagnosis: Diagnosis | None) -> str:
    return f"{diagnosis.code} {diagnosis.text}".strip() if diagnosis else ""
