"""Code systems about care: visits, checkups, home beds, infusions, referrals."""

from healthsvc.fhir.conformance.tables import CodeTable, codes

CARE: tuple[CodeTable, ...] = (
    codes("visit-kind", "上门服务类型", "Kind of visit", """
        quarterly-checkup | 每季上门体检 | Quarterly checkup at home
        home-bed-round    | 家庭病床查床 | Home-bed round
        home-infusion     | 上门输液 | Infusion at home
        follow-up         | 随访 | Follow-up
        admission-visit   | 住院探视 | Visit in hospital
        home-nursing      | 上门护理 | Nursing at home
        medicine-delivery | 送药上门 | Delivery of medicine
        condolence-visit  | 走访慰问 | Courtesy visit
        phone-follow-up   | 电话随访 | Follow-up by phone
        consultation      | 健康咨询 | Consultation
    """, closed=False),
    codes("visit-subtype", "上门服务细分", "Subtype of a visit", """
        annual-full     | 年度全面体检 | Full yearly checkup
        quarterly-basic | 季度基础体检 | Basic quarterly checkup
    """, closed=False),
    codes("visit-input", "上门服务要求", "What a visit needs", """
        duration | 时长 | Duration
        staff    | 人数 | Number of staff
        skill    | 技能 | Skill
        earliest | 最早时刻 | Earliest time of day
        latest   | 最晚时刻 | Latest time of day
    """, closed=False),
    codes("visit-output", "上门服务结果", "What a visit found", """
        mode             | 服务方式 | Mode
        adherence        | 服药依从性 | Adherence
        adverse-reaction | 不良反应 | Adverse reaction
        complication     | 并发症 | Complication
        danger-sign      | 危险体征 | Danger sign
        next-on          | 下次日期 | Next date
        observation      | 测量结果 | Observation
    """, closed=False),
    codes("visit-signature", "上门签字", "Signature given at home", """
        visit-confirmed | 上门确认签字 | The visit is confirmed by signature
        home-bed-agreed | 建床协议签字 | The agreement of a home bed is signed by both sides
    """),
    codes("visit-reason", "上门服务变更原因", "Why a visit was suspended, cancelled or missed", """
        admitted | 住院 | In hospital
        away     | 外出 | Away
        deceased | 去世 | Deceased
    """, closed=False),
    codes("self-care", "生活自理能力评估项", "Item of the self-care assessment", """
        total    | 总分 | Total
        eating   | 进餐 | Eating
        grooming | 梳洗 | Grooming
        dressing | 穿衣 | Dressing
        toilet   | 如厕 | Toilet
        moving   | 活动 | Moving
    """),
    codes("self-care-level", "生活自理能力分级", "Level of self-care", """
        independent | 可自理 | Independent
        light       | 轻度依赖 | Light dependence
        moderate    | 中度依赖 | Moderate dependence
        cannot      | 不能自理 | Cannot care for themselves
    """),
    codes("follow-up-rule", "随访规则", "Rule of a follow-up class", """
        hypertension | 高血压 | Hypertension
        diabetes     | 2型糖尿病 | Type 2 diabetes
    """, closed=False),
    codes("follow-up-result", "随访分类", "Class of a follow-up", """
        controlled       | 控制满意 | Controlled
        not-controlled   | 控制不满意 | Not controlled
        adverse-reaction | 不良反应 | Adverse reaction
        complication     | 并发症 | Complication
        emergency        | 危急 | Emergency
        not-measured     | 未测量 | Not measured
        suspected        | 待排查 | Suspected, to be measured again
    """),
    codes("home-care", "居家医疗", "Regime of care at home", """
        home-bed            | 家庭病床 | Home bed
        home-infusion       | 上门输液 | Infusion at home
        home-bed-assessment | 家庭病床建床评估 | Assessment for a home bed
        home-bed-application    | 家庭病床建床申请 | Application for a home bed
        home-bed-treatment-plan | 诊疗计划 | Treatment plan of a home bed
        home-bed-nursing-plan   | 护理计划 | Nursing plan of a home bed
        home-bed-round-note     | 查床记录 | Note of a round
        home-bed-nursing-note   | 护理记录 | Nursing note
        home-bed-front-note     | 病历首页补充 | What completes the front page
        home-bed-handover-note  | 交接班 | Hand-over between shifts
    """, closed=False),
    codes("home-bed-application-input", "建床申请内容", "What an application says", """
        contact  | 联系人 | Contact
        relation | 与患者关系 | Relation
        phone    | 联系电话 | Telephone
        origin   | 来源 | Where the person comes from
        opinion  | 收治指征和建床意见 | Indication and opinion
    """),
    codes("home-bed-note-section", "家庭病床记录段落", "Section of a note about a home bed", """
        complaint       | 主诉 | Complaint
        exam            | 体格检查 | Examination
        tests           | 辅助检查 | Tests
        talk            | 与患者家属谈话 | Talk with the family
        orders          | 医嘱与处理 | Orders
        measures        | 护理措施 | Measures
        observed        | 病情观察 | Observed
        other-diagnoses | 其他诊断 | Other diagnoses
        psychological   | 心理诊断 | Psychological diagnosis
        social          | 社会诊断 | Social diagnosis
        blood-type      | 血型 | Blood group
        quality         | 病历质量等级 | Quality grade of the record
        situation       | 现况 | Situation
        watch           | 需观察 | To be watched
        to-do           | 待办 | To be done
        late            | 补记 | Late entry
    """),
    codes("home-bed-kind", "家庭病床类型", "Kind of home bed", """
        treatment      | 治疗型 | Treatment
        rehabilitation | 康复型 | Rehabilitation
        palliative     | 舒缓照顾型 | Palliative care
    """),
    codes("home-bed-criterion", "家庭病床收治指征", "Indication for a home bed", """
        immobile-chronic       | 慢性病行动不便 | Chronic illness, cannot go out
        hemiplegia             | 偏瘫 | Hemiplegia
        rehab-nursing          | 需康复护理 | Needs rehabilitation or nursing
        late-cancer            | 晚期肿瘤 | Late cancer
        diabetes-complications | 糖尿病并发症 | Complications of diabetes
        dementia               | 痴呆 | Dementia
        fracture               | 骨折 | Fracture
        pressure-sore          | 压疮 | Pressure sore
        tube-or-stoma          | 带管或造口 | Tube or stoma
        recurrent-infection    | 反复感染 | Recurrent infection
        heart-failure-ckd-copd | 心衰、慢性肾病、慢阻肺 | Heart failure, kidney disease, COPD
        after-hospital-stay    | 出院后需继续治疗 | Treatment goes on after a hospital stay
        hospice                | 安宁疗护 | Hospice care
        other                  | 其他 | Other
    """, closed=False),
    codes("home-bed-exclusion", "家庭病床排除情形", "What excludes a home bed", """
        critical               | 病情危重 | Critical illness
        needs-ward-equipment   | 需病房设备 | Needs equipment of a ward
        infectious-isolation   | 传染病需隔离 | Infectious, needs isolation
        violent-mental-illness | 有暴力倾向的精神障碍 | Mental illness with violence
        home-unsafe-for-staff  | 居家环境不安全 | Home not safe for staff
    """, closed=False),
    codes("home-bed-outcome", "家庭病床转归", "Outcome of a home bed", """
        cured       | 治愈 | Cured
        improved    | 好转 | Improved
        no-effect   | 无效 | No effect
        untreated   | 未治 | Untreated
        death       | 死亡 | Death
        transferred | 转院 | Transferred
        other       | 其他 | Other
    """, closed=False),
    codes("home-bed-discharge-reason", "撤床原因", "Reason for the end of a home bed", """
        better       | 好转 | Better
        stable       | 病情稳定 | Stable
        admission    | 住院 | Admission
        referral     | 转诊 | Referral
        death        | 死亡 | Death
        patient-wish | 患者要求 | Wish of the patient
        term-ended   | 到期 | Term ended
        moved        | 迁出 | Moved
        other        | 其他 | Other
    """, closed=False),
    codes("route", "给药途径", "Route", """
        iv-drip | 静脉滴注 | Intravenous drip
    """, closed=False),
    codes("infusion-stop-reason", "停止输液原因", "Why a course of infusions was stopped", """
        order-changed | 医嘱变更 | Order changed
        admitted      | 住院 | Admitted to hospital
        reaction      | 不良反应 | Reaction
        deceased      | 去世 | Deceased
        patient-wish  | 患者要求 | Wish of the patient
        file-closed   | 档案终止 | File closed
    """, closed=False),
    codes("origin", "来源标记", "Where a directory entry comes from", """
        hospital-directory | 医院科室与人员 | A hospital's own department or staff
    """, closed=False),
    codes("infusion-override", "输液安全关口放行记录", "Gate of an infusion that was overridden", """
        infusion-no-active-care         | 无有效病床或签约 | No active bed or contract
        infusion-order-not-authorised   | 医嘱未经授权 | Order not authorised
        infusion-drug-forbidden         | 禁用药品 | Drug forbidden at home
        infusion-drug-not-approved      | 限制药品未批准 | Restricted drug not approved
        infusion-first-dose-unproven    | 无首次用药证明 | First dose not proven
        infusion-skin-test-invalid      | 皮试无效 | Skin test not valid
        infusion-allergy                | 过敏 | Allergy
        infusion-no-consent             | 无知情同意 | No consent
        infusion-no-companion           | 无陪护 | No companion
        infusion-not-double-checked     | 未双人核对 | Not checked by two
        infusion-nurse-or-kit-not-ready | 护士资质或急救箱不符 | Nurse or rescue kit not ready
        infusion-slot-too-short         | 时间不足 | Time too short
    """),
    codes("infusion-signature", "输液核对签署", "Signed check of an infusion", """
        double-check | 双人核对 | Check by two people
    """),
    codes("infusion-late", "巡视逾时处置", "What a late look at a drip has led to", """
        late  | 已提醒护士和医生 | Nurse and doctor told
        alarm | 已启动应急呼叫 | Emergency chain called
    """),
    codes("infusion-input", "输液任务要求", "What a dose needs", """
        dose-number | 第几次 | Number of the dose
        after       | 前一次 | The dose before
        gap         | 最短间隔（分钟） | Least minutes after the dose before
    """, closed=False),
    codes("infusion-reaction", "输液反应", "Reaction to an infusion", """
        infusion-reaction | 输液反应 | Reaction to an infusion
    """, closed=False),
    codes("drug", "药品目录（机构自定）", "The site's own drug list", "", closed=False),
    codes("staff-qualification", "人员资质", "Qualification of staff", """
        doctor   | 执业医师 | Licensed doctor
        nurse    | 注册护士 | Registered nurse
        infusion | 居家输液资质 | May infuse at home
    """, closed=False),
    codes("care-skill", "服务技能", "Skill", "", closed=False),
    codes("referral", "双向转诊", "Two-way referral", """
        referral | 双向转诊 | Two-way referral
        outcome  | 转归 | Outcome
    """),
    codes("referral-direction", "转诊方向", "Direction of a referral", """
        up   | 上转 | To the hospital
        down | 下转 | Back to the community
    """),
    codes("referral-stage", "转诊进度", "Stage of a referral", """
        requested   | 已申请 | Requested
        accepted    | 已接受 | Accepted
        refused     | 已拒绝 | Refused
        admitted    | 已住院 | Admitted
        discharged  | 已出院 | Discharged
        taken-back  | 已接回 | Taken back
        followed-up | 已随访 | Followed up
        closed      | 已结束 | Closed
        withdrawn   | 已撤回 | Withdrawn
    """),
    codes("referral-reason", "转诊原因", "Reason of a referral", """
        critical             | 病情危急 | Critical
        beyond-ability       | 超出服务能力 | Beyond our ability
        needs-test           | 需进一步检查 | Needs a test
        not-controlled-twice | 连续两次控制不满意 | Not controlled twice
        adverse-reaction     | 药物不良反应 | Adverse reaction
        new-complication     | 出现新并发症 | New complication
        worse-complication   | 并发症加重 | Worse complication
        convalescence        | 康复期 | Convalescence
        own-wish             | 本人意愿 | Own wish
        other                | 其他 | Other
    """),
    codes("referral-outcome", "转诊转归", "Outcome of a referral", """
        cured     | 治愈 | Cured
        improved  | 好转 | Improved
        unchanged | 未愈 | Unchanged
        worse     | 加重 | Worse
        died      | 死亡 | Died
        not-gone  | 未就诊 | Did not go
        lost      | 失访 | Lost
    """),
    codes("organization-type", "机构类型", "Type of organization", """
        centre   | 社区卫生服务中心 | Community health centre
        station  | 社区卫生服务站 | Community health station
        hospital | 医院 | Hospital
        unit     | 管理单位 | Managing unit
        city     | 市 | City
        county   | 区县 | County or district
        street   | 街道、乡镇 | Street or township
        community | 社区、村 | Community or village
    """, closed=False),
    codes("location-type", "地点类型", "Type of location", """
        centre   | 服务中心 | Centre
        station  | 服务站 | Station
        hospital | 医院 | Hospital
    """, closed=False),
    codes("door", "来源入口", "Door through which somebody came", "", closed=False),
    codes("act", "系统操作", "What was done", "", closed=False),
    codes("actor", "操作者", "Who acted, where it is not a Practitioner", "", closed=False),
    codes("reason", "规则原因码", "Stable reason code of a rule that refused", "", closed=False),
    codes("plan-kind", "计划类型", "Kind of plan", """
        day-plan | 日程安排 | Day plan
    """, closed=False),
    codes("dayplan-flag", "日程条目状态", "How a visit stands in a day plan", """
        planned   | 已安排 | Planned
        pinned    | 已确认 | Confirmed
        left-over | 未安排 | Left over
    """),
    codes("dayplan-reason", "未安排原因", "Constraint that kept a visit out of a day plan", "", closed=False),
    codes("travel-mode", "出行方式", "How staff travel; type of a vehicle", """
        walk  | 步行       | On foot
        ebike | 电动自行车 | E-bike
        drive | 汽车       | Car
    """),
    codes("dayplan-input", "排班要求", "What a visit asks of the planner", """
        not-by | 不宜上门人员     | Must not come
        from   | 希望不早于       | Would like it not before (valueTime)
        until  | 希望不晚于       | Would like it to begin no later (valueTime)
        apart  | 两人先后间隔     | Minutes between the two people's starts (valueRange)
    """, closed=False),
)  # fmt: skip
