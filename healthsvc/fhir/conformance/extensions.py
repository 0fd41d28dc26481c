"""Our extensions: only where R4 has no element. A part is ``url type`` with ``*`` (repeats) or ``!`` (must be there)."""

from healthsvc.fhir.conformance.tables import Extension, Part

CODE, CONCEPT, TEXT, DATE, MOMENT, YES_NO, COUNT = (
    ("code",),
    ("CodeableConcept",),
    ("string",),
    ("date",),
    ("dateTime",),
    ("boolean",),
    ("positiveInt",),
)
LINK = ("Reference",)


def parts(text: str) -> tuple[Part, ...]:
    """Parts from ``url type[!*]``, separated by commas."""
    found = []
    for one in text.split(","):
        url, type = one.split()
        found.append(Part(url, type.rstrip("!*"), int("!" in type), "*" if "*" in type else "1"))
    return tuple(found)


EXTENSIONS: tuple[Extension, ...] = (
    Extension("subscriber", "被通知的机构", "Organization that a subscription tells", ("Subscription",), LINK, targets=("Organization",)),
    Extension("cadre-category", "离退休类别", "Category of retired cadre", ("Patient",), CONCEPT, codes="cadre-category"),
    Extension("managing-unit", "管理单位", "Unit that manages the cadre", ("Patient",), LINK, targets=("Organization",)),
    Extension("residence-area", "居住地区划", "Area where the person lives", ("Patient",), CONCEPT),
    Extension("risk-tag", "风险标签", "Risk tag", ("Patient",), CONCEPT, codes="risk-tag"),
    Extension("resettled", "易地安置", "Settled away from the managing unit", ("Patient",), YES_NO),
    Extension("living-arrangement", "居住情况", "Living arrangement", ("Patient",), CONCEPT, codes="living-arrangement"),
    Extension("sex-as-recorded", "性别代码原值", "Sex code as it was recorded", ("Patient",), CONCEPT, codes="gbt-2261-1"),
    Extension("former-unit", "工作单位（退休前最后单位）", "Last work unit", ("Patient",), TEXT),
    Extension("file-keeper", "专项档案专管人", "Keeper of the special file", ("Patient",), TEXT),
    Extension("household", "常住类型", "Household registration", ("Patient",), CONCEPT),
    Extension("ethnicity", "民族", "Nation", ("Patient",), TEXT),
    Extension("education", "文化程度", "Education", ("Patient",), CONCEPT),
    Extension("occupation", "职业", "Occupation", ("Patient",), TEXT),
    Extension("payment-mode", "医疗费用支付方式", "Who pays for care", ("Patient",), CONCEPT),
    Extension("carer", "照护人", "Carer", ("Patient",), TEXT),
    Extension(
        "nursing-allowance", "护理费", "Nursing allowance", ("Patient",),
        parts=parts("approved boolean!, amount decimal, from date, to date"),
    ),
    Extension(
        "file-closed", "档案终止", "The file is closed: moved, lost", ("Patient",),
        parts=parts("reason code!, on date!, text string"),
    ),
    Extension("form-visit", "所属上门服务", "The visit that a form belongs to", ("QuestionnaireResponse",), LINK, targets=("Task",)),
    Extension("form-bands", "分级参数", "Policy parameter that names the levels of a score", ("Questionnaire",), TEXT),
    Extension(
        "form-item", "表单项目", "What an item of a form becomes, and how it is limited", ("Questionnaire.item",),
        parts=parts(
            "extract string, part string, site string, below string, fill string, range string, category string, low decimal, "
            "high decimal, sum string*, future boolean"
        ),
    ),
    Extension("expected-admission", "预计入院时间", "When the hospital expects the admission (PV2-8)", ("Encounter",), MOMENT),
    Extension("expected-discharge", "预计出院时间", "When the hospital expects the discharge (PV2-9)", ("Encounter",), MOMENT),
    Extension(
        "closed-by-rule", "按规则视为结束", "When a visit was taken as ended, its end never being told", ("Encounter",), MOMENT,
    ),
    Extension(
        "time-from", "时间取自", "HL7 field that the time was taken from, where the collection (OBR-7) was not told",
        ("DiagnosticReport", "Observation"), CODE,
    ),
    Extension("upgraded-from-15-digits", "由15位号码升位", "The number was converted from 15 digits", ("Identifier",), YES_NO),
    Extension(
        "coordinate-origin", "坐标来源", "Where a position comes from", ("Extension", "Location.position"),
        parts=parts("datum code!, source string!, given-longitude decimal, given-latitude decimal"),
    ),
    Extension("green-channel-withdrawn-for", "绿色通道撤销原因", "Why the green channel was withdrawn", ("Flag",), ("string",)),
    Extension("green-channel-reason", "绿色通道依据", "Reason for the green channel", ("Flag",), CODE, codes="green-channel-reason"),
    Extension("contract-state", "签约状态", "State of the contract", ("Contract",), CODE, codes="contract-state"),
    Extension("signed-doctor", "签约医生", "Doctor who signed", ("Contract",), LINK, targets=("Practitioner", "PractitionerRole")),
    Extension("paired-nurse", "结对护士", "Nurse of the pair", ("Contract",), LINK, targets=("Practitioner", "PractitionerRole")),
    Extension("contract-end-reason", "解约原因", "Why the contract ended", ("Contract",), CODE, codes="contract-end-reason"),
    Extension("contract-ended-on", "解约日期", "Day on which the contract ended", ("Contract",), DATE),
    Extension("contract-predecessor", "前一份协议", "The contract before", ("Contract",), LINK, targets=("Contract",)),
    Extension("signature-kind", "签字方式", "How the signature was made", ("Signature", "Consent"), CODE, codes="signature-kind"),
    Extension("document-seal", "文书封存签名", "Seal of a frozen document", ("DocumentReference",), ("Signature",)),
    Extension("proxy-relation", "代签人关系", "Relation of the proxy", ("Signature",), TEXT),
    Extension("consent-form", "同意的形式", "Form of the consent", ("Consent",), CODE, codes="consent-form"),
    Extension("signer", "签字人", "Who signed: patient, family or guardian", ("Consent",), CODE),
    Extension("signer-relation", "签字人关系", "Relation of the signer", ("Consent",), TEXT),
    Extension("risks-told", "已告知风险", "Risks were explained", ("Consent",), YES_NO),
    Extension("fees-told", "已告知费用", "Fees were explained", ("Consent",), YES_NO),
    Extension("copies", "份数", "Copies", ("Consent",), COUNT),
    Extension("suspension-cause", "暂停起因", "What suspended the visit", ("Task",), LINK),
    Extension(
        "pocket-record", "离线记录", "The visit was written down on a phone without network: its clock and ours", ("Task",),
        parts=parts("key string!, device dateTime!, received dateTime!, offset integer!, decided code"),
    ),
    Extension("calendar-provisional", "日历待定", "The holiday calendar of that year is not yet known", ("Task",), YES_NO),
    Extension("home-bed-nurse", "责任护士", "Responsible nurse", ("EpisodeOfCare",), LINK, targets=("Practitioner",)),
    Extension("home-bed-last-day", "最后一天", "Last day of the bed", ("EpisodeOfCare",), DATE),
    Extension("home-bed-round-days", "查床间隔", "Days between rounds", ("EpisodeOfCare",), COUNT),
    Extension("home-bed-stable", "病情稳定", "The illness is stable", ("EpisodeOfCare",), YES_NO),
    Extension("home-bed-assessment", "建床评估", "Assessment before it", ("EpisodeOfCare",), LINK, targets=("ClinicalImpression",)),
    Extension("home-bed-agreement", "服务协议", "The signed agreement", ("EpisodeOfCare",), LINK, targets=("Consent",)),
    Extension("home-bed-held-for", "暂停原因", "Why the bed is on hold", ("EpisodeOfCare",), CODE),
    Extension("home-bed-previous", "前一张家庭病床", "The home bed before", ("EpisodeOfCare",), LINK, targets=("EpisodeOfCare",)),
    Extension("home-bed-discharge-reason", "撤床原因", "Why it ended", ("EpisodeOfCare",), CODE, codes="home-bed-discharge-reason"),
    Extension("home-bed-outcome", "转归", "Outcome", ("EpisodeOfCare",), CODE, codes="home-bed-outcome"),
    Extension("home-bed-discharge-summary", "撤床小结", "Summary at the end", ("EpisodeOfCare",), TEXT),
    Extension(
        "home-bed-plan-item", "诊疗计划条目", "One order of a treatment plan", ("CarePlan.activity",),
        parts=parts("dose string, frequency string, route string, start date!, end date"),
    ),
    Extension("assessment-stable", "病情稳定", "The illness is stable", ("ClinicalImpression",), YES_NO),
    Extension("assessment-home-suitable", "居家环境适宜", "The home is suitable", ("ClinicalImpression",), YES_NO),
    Extension("assessment-carer", "有人照护", "Somebody cares at home", ("ClinicalImpression",), YES_NO),
    Extension("assessment-self-care", "自理能力评分", "Self-care score", ("ClinicalImpression",), ("integer",)),
    Extension("infusion-dose", "药品剂量", "Dose", ("MedicationRequest",), TEXT),
    Extension("infusion-solvent", "溶媒", "Solvent", ("MedicationRequest",), TEXT),
    Extension("infusion-volume", "输液量", "Volume", ("MedicationRequest",), ("Quantity",)),
    Extension("infusion-batch", "批号", "Batch", ("MedicationRequest",), TEXT),
    Extension("infusion-consent", "知情同意", "The signed consent", ("MedicationRequest",), LINK, targets=("Consent",)),
    Extension("infusion-nurse", "输液护士", "Nurse who is to give it", ("MedicationRequest",), LINK, targets=("Practitioner",)),
    Extension(
        "infusion-approval", "限制药品批准", "Written approval of a restricted drug", ("MedicationRequest",),
        parts=parts("doctor Reference!, at dateTime!, text string"),
    ),
    Extension(
        "infusion-first-dose", "首次用药证明", "Proof of a first dose in an institution", ("MedicationRequest",),
        parts=parts("on date!, institution string, drug string, batch string, reaction boolean!"),
    ),
    Extension(
        "infusion-skin-test", "皮试结果", "Skin test", ("MedicationRequest",),
        parts=parts("at dateTime!, drug string, batch string, negative boolean!"),
    ),
    Extension(
        "infusion-override", "安全关口人工放行", "A gate overridden by a doctor", ("MedicationRequest", "MedicationAdministration"),
        parts=parts("gate code!, doctor Reference!, reason string, at dateTime!"),
    ),
    Extension("infusion-visit", "所属上门服务", "The visit of the infusion", ("MedicationAdministration",), LINK, targets=("Task",)),
    Extension(
        "infusion-companion", "陪护确认", "A companion is present", ("MedicationAdministration",),
        parts=parts("name_known boolean!, adult boolean!, by Reference!, on date!"),
    ),
    Extension(
        "infusion-double-check", "双人核对", "Checked by two", ("MedicationAdministration",),
        parts=parts("first Reference!, second Reference!, at dateTime!, signed boolean"),
    ),
    Extension(
        "infusion-kit", "急救箱核对", "Rescue kit checked", ("MedicationAdministration",),
        parts=parts("on date!, by Reference!, item code*, expires date"),
    ),
    Extension(
        "infusion-step", "输液步骤", "One step at the bedside", ("MedicationAdministration",),
        parts=parts(
            "act code!, at dateTime!, by Reference!, text string, matched code*, systolic decimal, diastolic decimal, pulse decimal, "
            "temperature decimal, spo2 decimal"
        ),
    ),
    Extension(
        "infusion-gate", "安全关口结果", "What a gate said at the bedside", ("MedicationAdministration",),
        parts=parts("gate code!, outcome code!, overridden-by Reference"),
    ),
    Extension(
        "alarm-line", "求助处置记录", "One line of the log of an alarm", ("Task",),
        parts=parts("act code!, at dateTime!, who string, round positiveInt, text string"),
    ),
    Extension("referral-department", "接诊科室", "Department", ("ServiceRequest",), TEXT),
    Extension(
        "circle-provenance", "计算来源", "How an answer came about", ("Observation", "MeasureReport", "List"),
        parts=parts("engine string, mode string, kmh decimal, network string, data-date string, formula string"),
    ),
    Extension(
        "siting-study", "选址研究数据", "Figures of a siting study", ("List",),
        parts=parts(
            "limit-seconds decimal!, already-inside integer!, gained integer!, gained-estimated integer!, outside integer!, "
            "unreachable integer!, proven boolean!, gap decimal!"
        ),
    ),
    Extension("travel-mode", "出行方式", "How somebody travels to visits", ("PractitionerRole",), CODE, codes="travel-mode"),
    Extension(
        "dayplan-figures", "日程计划各级代价", "What a day plan weighs, and how it was found", ("List",),
        parts=parts(
            "tier-visits decimal, tier-continuity decimal, tier-travel decimal, tier-fairness decimal, tier-breaks decimal, "
            "tier-travel-minutes decimal, seed string!, evaluations string!, later string!, base string!"
        ),
    ),
    Extension(
        "dayplan-route", "人员路线", "One person's route of a day plan", ("List",),
        parts=parts(
            "practitioner Reference!, station Reference!, departure dateTime!, "
            "back dateTime!, rest-start dateTime, rest-end dateTime, part positiveInt"
        ),
    ),
    Extension(
        "dayplan-leg", "路线一站", "One visit on a route", ("List.entry",),
        parts=parts(
            "practitioner Reference!, part positiveInt, person Reference!, kind code!, title string!, staff Reference*, "
            "arrival dateTime!, start dateTime!, "
            "end dateTime!, travel-minutes decimal!, basis code!, slack decimal!, why code*"
        ),
    ),
    Extension(
        "dayplan-left-over", "未安排原因", "A visit that a day plan left over, and why", ("List.entry",),
        parts=parts("person Reference!, kind code!, title string!, code code*, reason string!, reason-en string!"),
    ),
    Extension("dayplan-version", "依据的任务版本", "Version of the Task that a plan was made from", ("List.entry",), TEXT),
)  # fmt: skip
