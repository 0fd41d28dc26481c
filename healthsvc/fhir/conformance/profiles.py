"""Our profiles: what a resource must hold so that its room can work with it."""

from typing import Any

from healthsvc.fhir.conformance.tables import Profile, Rule
from healthsvc.fhir.systems import code_system

PEOPLE = ("Patient",)
STAFF = ("Practitioner", "PractitionerRole")


def coded(system: str, code: str) -> dict[str, Any]:
    """The pattern of a concept that has one of our codes."""
    return {"coding": [{"system": code_system(system), "code": code}]}


CADRE_PATIENT = Profile(
    "cadre-patient", "Patient", "离退休干部健康档案", "Health file of a retired cadre",
    (
        Rule("name", 1, short="姓名 Name"),
        Rule("name.text", 1, short="完整姓名 The whole name as people write it"),
        Rule("gender", 1, short="性别 Sex for administration"),
        Rule("identifier.value", 1, short="号码 The number itself"),
        Rule("contact.relationship", 1, short="联系人角色 Role of the contact"),
        Rule("generalPractitioner", targets=("Practitioner", "PractitionerRole", "Organization"), short="责任医生 Responsible doctor"),
        Rule("managingOrganization", short="建档机构 The centre that keeps the file"),
    ),
    {
        "cadre-category": "0..1", "managing-unit": "0..1", "residence-area": "0..1", "risk-tag": "0..*", "resettled": "0..1",
        "living-arrangement": "0..1", "sex-as-recorded": "0..1", "former-unit": "0..1", "file-keeper": "0..1", "household": "0..1",
        "ethnicity": "0..1", "education": "0..1", "occupation": "0..1", "payment-mode": "0..*",
        "carer": "0..1", "nursing-allowance": "0..1", "file-closed": "0..1",
    },
)  # fmt: skip
FAMILY_DOCTOR_CONTRACT = Profile(
    "family-doctor-contract", "Contract", "家庭医生签约协议", "Family-doctor contract",
    (
        Rule(
            "status", 1, short="协议状态 Status",
            values=("negotiable", "offered", "executable", "executed", "terminated", "cancelled", "revoked", "rejected"),
        ),
        Rule("type", 1, pattern=coded("contract-type", "family-doctor"), short="家庭医生签约 Family-doctor contract"),
        Rule("subject", 1, "1", targets=PEOPLE, short="签约居民 The person"),
        Rule("applies", 1, short="协议期限 Term"),
        Rule("applies.start", 1), Rule("applies.end", 1),
        Rule("authority", targets=("Organization",), short="签约机构 Centre"),
    ),
    {
        "contract-state": "0..1", "signed-doctor": "0..1", "paired-nurse": "0..1", "contract-end-reason": "0..1",
        "contract-ended-on": "0..1", "contract-predecessor": "0..1",
    },
)  # fmt: skip
VISIT_TASK = Profile(
    "visit-task", "Task", "上门服务任务", "Visit to be made",
    (
        Rule(
            "status", 1, short="状态 Status",
            values=("draft", "requested", "accepted", "in-progress", "on-hold", "completed", "cancelled", "failed", "entered-in-error"),
        ),
        Rule("intent", 1, values=("order",)),
        Rule("code", 1, codes="visit-kind", short="服务类型 Kind of visit"),
        Rule("for", 1, targets=PEOPLE, short="服务对象 The person"),
        Rule("owner", targets=STAFF, short="责任人 Who is responsible"),
        Rule("restriction", 1), Rule("restriction.period", 1, short="服务窗口 From when until when"),
        Rule("restriction.period.start", 1), Rule("restriction.period.end", 1, short="截止 When it is due"),
        Rule("input", 1, short="时长等要求 Duration and what else it needs"),
    ),
    {"suspension-cause": "0..1", "calendar-provisional": "0..1", "pocket-record": "0..*"},
)  # fmt: skip
QUARTERLY_CHECKUP_TASK = Profile(
    "quarterly-checkup-task", "Task", "每季上门体检任务", "Quarterly checkup at home",
    (
        Rule("code", 1, pattern=coded("visit-kind", "quarterly-checkup"), short="每季上门体检 Quarterly checkup"),
        Rule("basedOn", 1, targets=("Contract",), short="签约协议 The contract that promises it"),
    ),
    {},
    base="visit-task",
)  # fmt: skip
HOME_VISIT = Profile(
    "home-visit", "Encounter", "上门服务记录", "Visit, planned or made",
    (
        Rule("status", 1, values=("planned", "arrived", "in-progress", "onleave", "finished", "cancelled", "entered-in-error")),
        Rule("class", 1, short="服务方式：HH 上门 How it is made: HH at home"),
        Rule("type", 1, codes="visit-kind", short="服务类型 Kind of visit"),
        Rule("subject", 1, targets=PEOPLE, short="服务对象 The person"),
        Rule("period", 1), Rule("period.start", 1),
        Rule("participant.individual", targets=STAFF, short="服务人员 Staff"),
    ),
    {},
)  # fmt: skip
GREEN_CHANNEL_FLAG = Profile(
    "green-channel-flag", "Flag", "绿色通道", "Green channel",
    (
        Rule("status", 1, values=("active", "inactive", "entered-in-error")),
        Rule("category", 1, "1", pattern={"coding": [{"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "admin"}]}),
        Rule("code", 1, codes="green-channel", short="三项权益 The three rights"),
        Rule("subject", 1, targets=PEOPLE, short="享受人 The person"),
        Rule("period", 1, short="有效期 Validity"), Rule("period.start", 1),
    ),
    {"green-channel-reason": "1..*"},
)  # fmt: skip
HOME_BED_EPISODE = Profile(
    "home-bed-episode", "EpisodeOfCare", "家庭病床", "Home bed",
    (
        Rule("status", 1, values=("active", "onhold", "finished", "cancelled", "entered-in-error")),
        Rule("type", 1, pattern=coded("home-care", "home-bed"), codes="home-bed-kind", short="家庭病床及类型 Home bed and its kind"),
        Rule("patient", 1, targets=PEOPLE),
        Rule("period", 1), Rule("period.start", 1, short="建床日期 Day of establishment"),
        Rule("careManager", 1, targets=("Practitioner",), short="责任医生 Responsible doctor"),
    ),
    {
        "home-bed-nurse": "1..1", "home-bed-last-day": "1..1", "home-bed-round-days": "0..1", "home-bed-stable": "0..1",
        "home-bed-assessment": "0..1", "home-bed-agreement": "0..1", "home-bed-held-for": "0..1", "home-bed-previous": "0..1",
        "home-bed-discharge-reason": "0..1", "home-bed-outcome": "0..1", "home-bed-discharge-summary": "0..1",
    },
)  # fmt: skip
HOME_BED_ASSESSMENT = Profile(
    "home-bed-assessment-impression", "ClinicalImpression", "家庭病床建床评估", "Assessment for a home bed",
    (
        Rule("status", 1, values=("completed", "entered-in-error")),
        Rule("code", 1, pattern=coded("home-care", "home-bed-assessment")),
        Rule("subject", 1, targets=PEOPLE),
        Rule("effective", 1, x="dateTime", short="评估日期 Day"),
        Rule("assessor", 1, targets=("Practitioner",), short="评估医生 Doctor"),
    ),
    {"assessment-stable": "0..1", "assessment-home-suitable": "0..1", "assessment-carer": "0..1", "assessment-self-care": "0..1"},
)  # fmt: skip
INFUSION_COURSE = Profile(
    "infusion-course", "MedicationRequest", "上门输液医嘱（疗程）", "Course of infusions at home",
    (
        Rule("intent", 1, values=("order",)),
        Rule("category", 1, pattern=coded("home-care", "home-infusion")),
        Rule("medication", 1, x="CodeableConcept", short="药品 Drug"),
        Rule("subject", 1, targets=PEOPLE),
        Rule("authoredOn", 1, short="开具日期 Day of the order"),
        Rule("requester", 1, targets=STAFF, short="开具医生 Doctor"),
        Rule("dosageInstruction", 1, "1", short="用法 How it is given"),
        Rule("dosageInstruction.timing", 1), Rule("dosageInstruction.timing.repeat", 1),
        Rule("dosageInstruction.timing.repeat.bounds", 1, x="Period", short="疗程起止 First and last day"),
        Rule("dosageInstruction.timing.repeat.frequency", 1, short="每日次数 Times a day"),
        Rule("dosageInstruction.doseAndRate", 1), Rule("dosageInstruction.doseAndRate.rate", 1, x="Quantity", short="滴速 mL/h Rate"),
    ),
    {
        "infusion-dose": "0..1", "infusion-solvent": "0..1", "infusion-volume": "1..1", "infusion-batch": "0..1",
        "infusion-consent": "0..1", "infusion-nurse": "0..1", "infusion-approval": "0..1", "infusion-first-dose": "0..1",
        "infusion-skin-test": "0..1",
        "infusion-override": "0..*",
    },
)  # fmt: skip
INFUSION_GIVEN = Profile(
    "infusion-given", "MedicationAdministration", "上门输液记录", "Infusion at the bedside",
    (
        Rule("category", 1, pattern=coded("home-care", "home-infusion")),
        Rule("subject", 1, targets=PEOPLE),
        Rule("request", 1, targets=("MedicationRequest",), short="医嘱 The course"),
        Rule("effective", 1, x="Period"),
    ),
    {
        "infusion-visit": "1..1", "infusion-step": "1..*", "infusion-gate": "0..*", "infusion-companion": "0..1",
        "infusion-double-check": "0..1", "infusion-kit": "0..1", "infusion-override": "0..*",
    },
)  # fmt: skip
REFERRAL_REQUEST = Profile(
    "referral-request", "ServiceRequest", "双向转诊申请", "Two-way referral",
    (
        Rule("intent", 1, values=("order",)),
        Rule("category", 1, codes="referral-direction", short="转诊方向 Direction"),
        Rule("subject", 1, targets=PEOPLE),
        Rule("authoredOn", 1),
        Rule("requester", 1),
        Rule("performer", 1, short="接诊医院 Hospital"),
        Rule("reasonCode", 1, codes="referral-reason", short="转诊原因 Reason"),
    ),
    {"referral-department": "0..1"},
)  # fmt: skip
SIGNED_CONSENT = Profile(
    "signed-consent", "Consent", "已签知情同意", "Signed consent",
    (
        Rule("category", 1, codes="consent-kind", short="类型 Kind"),
        Rule("patient", 1, targets=PEOPLE),
        Rule("dateTime", 1, short="签字时间 When it was signed"),
    ),
    {"signer": "1..1", "signature-kind": "1..1", "signer-relation": "0..1", "risks-told": "0..1", "fees-told": "0..1", "copies": "0..1"},
)  # fmt: skip
PURPOSE_CONSENT = Profile(
    "purpose-consent", "Consent", "按用途的知情同意", "Consent to a purpose",
    (
        Rule("status", 1, values=("active", "inactive", "entered-in-error")),
        Rule("category", 1, "1", codes="consent-purpose", short="用途 Purpose"),
        Rule("patient", 1, targets=PEOPLE),
        Rule("dateTime", 1, short="表示的时间 When it was said"),
        Rule("provision", 1), Rule("provision.type", 1, short="同意或拒绝 Given or refused"),
        Rule("provision.actor", 0, "1", short="哪家医院；不写为全部 Which hospital; every one where none stands"),
    ),
    {"signer": "1..1", "consent-form": "1..1", "signer-relation": "0..1"},
)  # fmt: skip
CARE_PAIR = Profile(
    "care-pair", "CareTeam", "结对团队", "The pair of doctor and nurse",
    (
        Rule("status", 1, values=("active", "inactive", "entered-in-error")),
        Rule("subject", 1, targets=PEOPLE, short="服务对象 The person"),
        Rule("period", 1), Rule("period.start", 1),
        Rule("participant", 1, "2", short="医生和护士 Doctor and nurse"),
        Rule("participant.role", 1, codes="care-role"), Rule("participant.member", 1, targets=STAFF),
    ),
    {},
)  # fmt: skip
DAY_PLAN = Profile(
    "day-plan", "List", "日程安排", "Day plan",
    (
        Rule("status", 1, values=("current", "retired", "entered-in-error")),
        Rule("mode", 1, values=("working",)),
        Rule("code", 1, pattern=coded("plan-kind", "day-plan")),
        Rule("date", 1, short="制定时间 When it was made"),
        Rule("entry.flag", 1, codes="dayplan-flag", short="已安排、已确认或未安排 Planned, confirmed or left over"),
        Rule("entry.item", targets=("Task",), short="上门任务 The visit"),
    ),
    {"dayplan-figures": "1..1", "dayplan-route": "0..*"},
)  # fmt: skip
FROZEN_DOCUMENT = Profile(
    "frozen-document", "DocumentReference", "冻结文书", "Frozen document",
    (
        Rule("identifier", 1, short="SHA-256 of the bytes"),
        Rule("status", 1, values=("current", "superseded", "entered-in-error")),
        Rule("docStatus", 1, values=("final",)),
        Rule("type", 1, codes="document-kind", short="文书类型 Kind"),
        Rule("subject", 1, targets=PEOPLE, short="服务对象 The person"),
        Rule("content", 1, "1", short="PDF/A, in a Binary that is frozen too"),
    ),
    {"document-seal": "1..1"},
)  # fmt: skip
PROFILES: tuple[Profile, ...] = (
    CADRE_PATIENT,
    FAMILY_DOCTOR_CONTRACT,
    VISIT_TASK,
    QUARTERLY_CHECKUP_TASK,
    HOME_VISIT,
    GREEN_CHANNEL_FLAG,
    HOME_BED_EPISODE,
    HOME_BED_ASSESSMENT,
    INFUSION_COURSE,
    INFUSION_GIVEN,
    REFERRAL_REQUEST,
    SIGNED_CONSENT,
    PURPOSE_CONSENT,
    CARE_PAIR,
    FROZEN_DOCUMENT,
    DAY_PLAN,
)
