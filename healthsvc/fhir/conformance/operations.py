"""The rooms' use cases as FHIR operations: what each takes and gives. ``healthsvc.rest.use_cases`` carries them out.

Citizen ids and other numbers of persons travel in the body (Parameters), never in an address that ends up in logs.
"""

from healthsvc.fhir.conformance.tables import Operand, Operation


def operands(text: str, **parts: tuple[Operand, ...]) -> tuple[Operand, ...]:
    """Operands from lines ``name type cardinality | 中文 | English``; a type is ``code:our-system`` or ``Reference:Patient``.

    ``parts`` are the parts of the operand of that name (dashes as underscores), which then has no type of its own.
    """
    found = []
    for line in text.strip().splitlines():
        head, zh, en = (part.strip() for part in line.split("|"))
        name, kind, cardinality = head.split()
        type, _, of = kind.partition(":")
        least, _, most = cardinality.partition("..")
        inner = parts.get(name.replace("-", "_"), ())
        targets = (of,) if type == "Reference" and of else ()
        codes = of or None if type in ("code", "Coding") else None
        found.append(Operand(name, "" if inner else type, int(least), most, zh, en, targets, codes, inner))
    return tuple(found)


PRESSURE = operands("""
    systolic  integer 1..1 | 收缩压 mmHg | Systolic, mmHg
    diastolic integer 1..1 | 舒张压 mmHg | Diastolic, mmHg
""")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "sign", "Contract", False, True, "签订家庭医生签约协议", "Sign a family-doctor contract",
        operands("""
            patient   Reference:Patient      1..1 | 签约居民，可用 identifier 指明 | The person, by reference or by identifier
            doctor    Reference:Practitioner 1..1 | 签约医生 | Doctor
            nurse     Reference:Practitioner 0..1 | 结对护士 | Nurse of the pair
            start     date                   0..1 | 起始日期，默认当日 | First day; today unless told
            months    positiveInt            0..1 | 期限（月） | Length of the term in months
            package   code:contract-package  0..1 | 服务包 | Service package
            number    string                 0..1 | 纸质协议编号 | Number printed on the paper
            signature code:signature-kind    0..1 | 签字方式 | How both sides signed
        """),
        operands("return Contract 1..1 | 生效的协议 | The contract in force"),
    ),
    Operation(
        "verify", "DocumentReference", True, False, "核验封存文书", "Check a frozen document",
        (),
        operands("""
            intact  boolean 1..1 | 是否仍是封存时的内容 | Whether it is still what was sealed
            sha256  string  1..1 | 内容的 SHA-256 | SHA-256 of the bytes
            kid     string  0..1 | 封存密钥编号 | Key that sealed it
            finding string  0..* | 发现的改动 | What has been changed
        """),
    ),
    Operation(
        "establish", "EpisodeOfCare", False, True, "建立家庭病床", "Establish a home bed",
        operands("""
            patient    Reference:Patient            1..1 | 患者，可用 identifier 指明 | The person, by reference or by identifier
            assessment Reference:ClinicalImpression 1..1 | 建床评估 | The doctor's assessment
            agreement  Reference:Consent            1..1 | 服务协议 | The signed agreement
            doctor     Reference:Practitioner       1..1 | 责任医生 | Responsible doctor
            nurse      Reference:Practitioner       1..1 | 责任护士 | Responsible nurse
            start      date                         0..1 | 建床日期，默认当日 | Day of establishment; today unless told
            kind       code:home-bed-kind           0..1 | 病床类型 | Kind of bed
            stable     boolean                      0..1 | 病情稳定 | The illness is stable
            previous   Reference:EpisodeOfCare      0..1 | 前一张家庭病床 | The bed that this one carries on
        """),
        operands("return EpisodeOfCare 1..1 | 家庭病床 | The home bed"),
    ),
    Operation(
        "discharge", "EpisodeOfCare", True, True, "撤销家庭病床", "Discharge a home bed",
        operands("""
            reason    code:home-bed-discharge-reason 1..1 | 撤床原因 | Reason
            outcome   code:home-bed-outcome          1..1 | 转归 | Outcome
            diagnosis Coding                         0..1 | 撤床诊断（ICD-10） | Diagnosis at discharge, ICD-10
            date      date                           0..1 | 撤床日期，默认当日 | Day; today unless told
            summary   string                         0..1 | 小结 | Summary
        """),
        operands("return EpisodeOfCare 1..1 | 已撤的病床 | The bed as it ended"),
    ),
    Operation(
        "gates", "MedicationRequest", True, False, "核查输液安全关口", "Ask the gates of an infusion order",
        (),
        operands(
            """
            open boolean 1..1 | 是否全部通过 | Whether all gates are open
            gate part    0..* | 关口 | One gate
            """,
            gate=operands("""
                gate     code   1..1 | 关口 | The gate
                outcome  code   1..1 | 结果 | passed, failed, missing or overridden
                reason   Coding:infusion-override 1..1 | 原因码 | Reason code of the gate
                text     string 1..1 | 说明 | In words
                override boolean 1..1 | 医生可否放行 | Whether a named doctor may override it
                evidence string 0..* | 依据 | What was looked at
            """),
        ),
    ),
    Operation(
        "green-channel", "Patient", False, False, "查询绿色通道权益", "Ask for a person's green channel",
        operands("""
            identifier Identifier 1..1 | 证件号、档案号或院内号 | A number of the person: citizen id, health file, hospital
            on         date       0..1 | 日期，默认当日 | Day; today unless told
        """),
        operands("""
            entitled boolean                      1..1 | 是否享有 | Whether priority is to be given
            standing code                         1..1 | 状态 | Where the person stands
            text     string                       1..1 | 说明 | In words
            right    Coding:green-channel         0..* | 权益 | A right
            reason   Coding:green-channel-reason  0..1 | 依据 | Reason
            valid-to date                         0..1 | 有效期至 | Last day
        """),
    ),
    Operation(
        "complete", "Task", True, True, "完成一次上门服务", "A visit has been made",
        operands(
            """
            start            dateTime               1..1 | 到达时间 | When it began
            end              dateTime               1..1 | 离开时间 | When it ended
            performer        Reference:Practitioner 1..* | 上门人员 | Who made it
            mode             code                   0..1 | 服务方式 | home, phone, station, clinic, group
            bp-left          part                   0..1 | 左上肢血压 | Blood pressure, left arm
            bp-right         part                   0..1 | 右上肢血压 | Blood pressure, right arm
            pulse            integer                0..1 | 脉搏 次/分 | Pulse, beats a minute
            respiration      integer                0..1 | 呼吸 次/分 | Breaths a minute
            temperature      decimal                0..1 | 体温 ℃ | Temperature, degrees Celsius
            weight           decimal                0..1 | 体重 kg | Weight, kg
            height           decimal                0..1 | 身高 cm | Height, cm
            waist            decimal                0..1 | 腰围 cm | Waist, cm
            glucose          decimal                0..1 | 血糖 mmol/L | Glucose, mmol/L
            glucose-fasting  boolean                0..1 | 空腹 | The glucose is a fasting one
            spo2             integer                0..1 | 血氧饱和度 % | Oxygen saturation, percent
            complaints       string                 0..1 | 主诉 | Complaints
            advice           string                 0..1 | 指导意见 | Advice
            adherence        code                   0..1 | 服药依从性 | regular, intermittent, none, refused
            adverse-reaction boolean                0..1 | 药物不良反应 | An adverse reaction
            complication     boolean                0..1 | 新发或加重的并发症 | A new or worse complication
            danger-sign      code                   0..* | 危险体征 | A danger sign
            late-reason      code:visit-reason      0..1 | 超期原因 | Why it was made after its window
            next-on          date                   0..1 | 下次日期 | Day agreed for the next visit
            """,
            bp_left=PRESSURE,
            bp_right=PRESSURE,
        ),
        operands("return Bundle 1..1 | 任务、就诊和观察 | Task, Encounter, Observations and what is unusual about them"),
    ),
    Operation(
        "timeline", "Patient", True, False, "健康档案时间轴", "Everything in a file on one line of time, newest first",
        operands("count positiveInt 0..1 | 最多条数 | At most so many (the newest)"),
        operands(
            "event part 0..* | 事件 | One event",
            event=operands("""
                at     dateTime          1..1 | 时间 | When
                what   Reference         1..1 | 资源 | The resource
                title  string            1..1 | 名称 | What it is
                status code              0..1 | 状态 | Its status
                file   Reference:Patient 1..1 | 所属档案 | The file that carries it
            """),
        ),
    ),
    Operation(
        "evaluate-measure", "Measure", True, False, "计算考核指标", "Reckon a figure",
        operands("""
            periodStart date   0..1 | 期初，默认本季首日 | First day of the period; of the quarter unless told
            periodEnd   date   0..1 | 期末，默认当日 | Last day of the period; today unless told
            measure     string 0..1 | 指标编码或规范地址 | Code or canonical of the measure, where the address names none
            reportType  code   0..1 | 报告类型 | population (summary), subject-list or subject (individual)
            subject     string 0..1 | 个人 | Patient/id of whom an individual report tells
            known       date   0..1 | 数据截至日，默认期末 | What stood in the store on this day counts; the last day unless told
        """),
        operands("return MeasureReport 1..1 | 报告 | The report"),
        both=True,
    ),
    Operation(
        "refer", "ServiceRequest", False, True, "上转到医院", "Refer a person to a hospital",
        operands("""
            patient    Reference:Patient      1..1 | 转诊对象，可用 identifier 指明 | The person, by reference or by identifier
            hospital   Reference:Organization 1..1 | 接诊医院 | Hospital
            requester  Reference:Practitioner 1..1 | 转诊医生 | Doctor who refers
            reason     code:referral-reason   1..1 | 转诊原因 | Reason
            urgent     boolean                0..1 | 紧急 | Urgent
            department string                 0..1 | 科室 | Department
            summary    string                 0..1 | 病情摘要 | What the hospital should know
        """),
        operands("return ServiceRequest 1..1 | 转诊申请，附摘要文档 | The referral, with its summary document"),
    ),
    Operation(
        "populate", "Questionnaire", True, False, "预填表单", "Fill in a form beforehand from the file and from the time before",
        operands("""
            subject   Reference:Patient 1..1 | 表单所关于的人，可用 identifier 指明 | The person, by reference or by identifier
            canonical uri               0..1 | 表单的 canonical，地址未指明时用 | Canonical url, where the address names no form
        """),
        operands("return QuestionnaireResponse 1..1 | 预填的答卷，未保存 | The response, not stored"),
        both=True,
    ),
    Operation(
        "extract", "QuestionnaireResponse", True, False, "提取表单内容", "What a filled-in form says, as resources",
        operands("""
            questionnaire-response QuestionnaireResponse 0..1 | 未保存的答卷 | A response that is not stored, where the address names none
        """),
        operands("""
            return Bundle           1..1 | 提取的资源 | The resources, as a transaction; those of a stored form are written already
            issues OperationOutcome 0..1 | 异常提示 | What is unusual
        """),
        both=True,
    ),
)  # fmt: skip
