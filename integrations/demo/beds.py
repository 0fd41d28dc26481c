"""Home beds and courses of infusions of the demonstration: invented findings, the same gates as in earnest."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from healthsvc.errors import RuleViolation
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.elements import concept, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.service import responsible_doctor
from healthsvc.homebed.applications import apply
from healthsvc.homebed.plans import keep_plan
from healthsvc.homebed.rules.application import Application, Origin
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.rules.plan import Goal, Item, Plan, PlanKind
from healthsvc.homebed.service import establish
from healthsvc.infusion.rules.order import FirstDose, Order
from healthsvc.infusion.service import order_course
from healthsvc.store import Store
from integrations.demo.district import Staff

# ICD-10, indication, what the doctor writes
_ILLNESSES: Final = (
    ("I69.3", "脑梗死后遗症", "hemiplegia", "左侧偏瘫，长期卧床，需定期换药及康复护理。"),
    ("J44.9", "慢性阻塞性肺疾病", "heart-failure-ckd-copd", "活动后气促，外出就医困难，需家庭氧疗及巡诊。"),
    ("L89.9", "压疮", "pressure-sore", "骶尾部二期压疮，需定期换药。"),
    ("I50.9", "慢性心力衰竭", "heart-failure-ckd-copd", "心功能三级，病情稳定，外出困难。"),
    ("F03.X", "老年期痴呆", "dementia", "认知障碍，生活不能自理，家属要求居家治疗。"),
)
_NONE_KNOWN: Final = {"system": "http://snomed.info/sct", "code": "716186003", "display": "No known allergy"}


def establish_beds(store: Store, staff: Sequence[Staff], at: datetime, count: int) -> list[str]:
    """Establish beds for the first people who have a contract and a doctor, today and yesterday; gives the Patient ids."""
    nurses = {one.station: one for one in reversed(staff) if one.role == "nurse"}
    doctors = {one.reference: one for one in staff if one.role == "doctor"}
    chosen: list[str] = []
    for contract in store.select("Contract", status="executed"):
        patient = contract["subject"][0]["reference"].removeprefix("Patient/")
        doctor = doctors.get(responsible_doctor(store, patient) or "")
        if doctor is None or patient in chosen:
            continue
        _establish(store, patient, doctor, nurses[doctor.station], at, len(chosen))
        chosen.append(patient)
        if len(chosen) == count:
            break
    return chosen


def _establish(store: Store, patient: str, doctor: Staff, nurse: Staff, at: datetime, number: int) -> None:
    code, text, criterion, opinion = _ILLNESSES[number % len(_ILLNESSES)]
    established = at.date() - timedelta(days=number % 2)
    assessment = Assessment(
        patient=patient,
        doctor=doctor.id,
        on=established,
        diagnosis=Diagnosis(code, text),
        criteria=frozenset({criterion}),
        stable=True,
        self_care=12 + number % 9,
        home_suitable=True,
        carer=True,
        indication=opinion,
    )
    agreement = SignedConsent(
        id=f"bed-{patient}",
        patient=patient,
        kind="home-bed",
        signed=at - timedelta(days=number % 2, hours=2),
        signer="family",
        relation="女儿",
        witness=doctor.id,
        risks_told=True,
        fees_told=True,
        copies=3,
    )
    asked = Application(
        id="",
        patient=patient,
        on=established,
        contact="测试联系人",
        relation="女儿",
        phone="0574-00000000",
        origin=Origin.OUTPATIENT,
        diagnosis=Diagnosis(code, text),
        summary=opinion,
        opinion=opinion,
        doctor=doctor.id,
    )
    apply(store, asked)
    bed = str(establish(store, patient, assessment, agreement, doctor.id, nurse.id, established, stable=True)["id"])
    keep_plan(store, Plan(bed, patient, PlanKind.TREATMENT, doctor.id, at.date(), (Item("换药", established, "", "隔日一次", "外用"),)))
    goal = Goal("有皮肤完整性受损的危险", "住床期间不发生压疮", "每两小时翻身，保持皮肤清洁")
    keep_plan(store, Plan(bed, patient, PlanKind.NURSING, nurse.id, at.date(), (), (goal,)))


def order_courses(store: Store, staff: Sequence[Staff], patients: Sequence[str], at: datetime) -> tuple[int, list[str]]:
    """Order an expectorant for these people, and a penicillin for one; gives how many were ordered, and why the one was refused."""
    nurse = next(one for one in staff if one.infusion)
    refused: list[str] = []
    for patient in patients:
        store.put(_no_allergy(patient, at))
        doctor = (responsible_doctor(store, patient) or "").removeprefix("Practitioner/")
        start = at.date() + timedelta(days=1)
        order = Order(
            patient=patient,
            prescriber=doctor,
            drug_code="ambroxol",
            drug_name="盐酸氨溴索注射液",
            dose="30 mg",
            solvent="0.9%氯化钠注射液",
            volume_ml=100,
            rate_ml_h=120,
            start=start,
            days=5,
            indication="痰液黏稠、咳痰无力，口服化痰药效果不佳。",
            authored=at.date(),
        )
        given = FirstDose(on=at.date() - timedelta(days=1), institution=_hospital_name(store), drug_code="ambroxol")
        order_course(store, order, consent=_consent(patient, at, doctor), first_dose=given, nurse=nurse.id)
    if patients:
        refused = _try_forbidden(store, patients[0], at)
    return len(patients), refused


def _try_forbidden(store: Store, patient: str, at: datetime) -> list[str]:
    """A penicillin at home: nobody may order it, and the refusal says which gates stay shut."""
    doctor = (responsible_doctor(store, patient) or "").removeprefix("Practitioner/")
    order = Order(
        patient=patient,
        prescriber=doctor,
        drug_code="benzylpenicillin",
        drug_name="青霉素钠",
        dose="1.6 MU",
        solvent="0.9%氯化钠注射液",
        volume_ml=100,
        rate_ml_h=120,
        start=at.date() + timedelta(days=1),
        days=3,
        indication="肺部感染",
        authored=at.date(),
    )
    try:
        with store.savepoint():
            order_course(store, order, consent=_consent(patient, at, doctor))
    except RuleViolation as refusal:
        return [issue.text.partition(":")[0] for issue in refusal.issues]
    return []


def _consent(patient: str, at: datetime, doctor: str) -> SignedConsent:
    return SignedConsent(
        id=f"inf-{patient}",
        patient=patient,
        kind="infusion",
        signed=at - timedelta(hours=1),
        signer="family",
        relation="女儿",
        witness=doctor,
        risks_told=True,
        fees_told=True,
        copies=3,
    )


def _no_allergy(patient: str, at: datetime) -> Resource:
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"none-{patient}",
        "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        "verificationStatus": concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"),
        "category": ["medication"],
        "code": {"coding": [_NONE_KNOWN], "text": "无已知过敏"},
        "patient": reference("Patient", patient),
        "recordedDate": at.date().isoformat(),
    }


def _hospital_name(store: Store) -> str:
    hospital = store.first("Organization", type=f"{code_system('organization-type')}|hospital")
    return str(hospital["name"]) if hospital else ""
