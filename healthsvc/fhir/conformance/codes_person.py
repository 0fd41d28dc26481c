"""Code systems about people: category, contacts, living, risk, green channel, contract, circle, must-visits, figures."""

from healthsvc.fhir.conformance.tables import CodeTable, codes

PERSON: tuple[CodeTable, ...] = (
    codes("cadre-category", "离退休类别", "Category of retired cadre", """
        lixiu  | 离休 | Retired with veteran status (joined the revolution before October 1949)
        tuixiu | 退休 | Retired
    """),
    codes("contact-role", "联系人角色", "Role of a contact", """
        family           | 家属 | Family
        former-unit      | 原单位联络员 | Former work unit
        community-worker | 社区工作者 | Community worker
        community-doctor | 社区医生 | Community doctor
    """),
    codes("living-arrangement", "居住情况", "Living arrangement", """
        alone        | 独居 | Alone
        couple-alone | 夫妻空巢 | With the spouse only
        with-family  | 与家人同住 | With family
        with-carer   | 与护工同住 | With a carer
        institution  | 机构养老 | In an institution
    """),
    codes("risk-tag", "风险标签", "Risk tag", """
        aged-80      | 80周岁以上 | 80 years or older
        aged-90      | 90周岁以上 | 90 years or older
        aged-100     | 100周岁以上 | 100 years or older
        alone        | 独居 | Lives alone
        couple-alone | 夫妻空巢 | Lives with the spouse only
        disabled     | 失能 | Disabled
        dementia     | 失智 | Dementia
        falls        | 跌倒风险 | Falls
        dependent    | 中度依赖 | Moderately dependent
        multi-illness | 多病 | Several illnesses
        cannot-care-for-self | 生活不能自理 | Cannot care for themselves
        serious-illness | 重病 | Seriously ill
        special-file | 专项档案 | Special file
    """, closed=False),
    codes("gbt-2261-1", "性别代码（GB/T 2261.1）", "Sex as recorded (GB/T 2261.1)", """
        0 | 未知的性别 | Unknown
        1 | 男性 | Male
        2 | 女性 | Female
        9 | 未说明的性别 | Not stated
    """),
    codes("gbt-2261-2", "婚姻状况代码（GB/T 2261.2）", "Marital status (GB/T 2261.2)", """
        10 | 未婚 | Never married
        20 | 已婚 | Married
        21 | 初婚 | First marriage
        22 | 再婚 | Remarried
        23 | 复婚 | Married again to the same person
        30 | 丧偶 | Widowed
        40 | 离婚 | Divorced
        90 | 未说明 | Not stated
    """),
    codes("file-issue", "档案问题", "Issue of a health file", """
        not-one-person | 已核实为两人 | Looked at: two people
    """, closed=False),
    codes("file-closed-reason", "档案终止原因", "Why a file is closed", """
        moved-away | 迁出 | Moved away
        lost       | 失访 | Lost to follow-up
        refused    | 拒绝 | Refuses service
        other      | 其他 | Other
    """),
    codes("green-channel", "绿色通道权益", "Green-channel right", """
        consultation | 优先就诊 | Priority consultation
        settlement   | 优先结算 | Priority settlement
        dispensing   | 优先取药 | Priority dispensing
    """),
    codes("green-channel-reason", "绿色通道依据", "Reason for the green channel", """
        lixiu      | 离休干部 | Veteran cadre (lixiu)
        veteran    | 退役军人优待 | Veteran
        disability | 残疾或失能 | Disability
        age        | 高龄 | Old age
        other      | 单独批准 | Approved one by one
    """),
    codes("green-channel-use", "绿色通道兑现", "Use of a green-channel right", """
        consultation | 优先就诊 | Priority consultation
        settlement   | 优先结算 | Priority settlement
        dispensing   | 优先取药 | Priority dispensing
    """),
    codes("must-visit", "五必到", "The five must-visits", """
        trouble   | 急难事必到 | In trouble
        admission | 生病住院必到 | In hospital
        checkup   | 定期体检必到 | At the checkup
        festival  | 重大节庆日必到 | At festivals
        birthday  | 生日祝愿必到 | On the birthday
    """),
    codes("must-visit-role", "五必到到场人", "Who comes to a must-visit", "", closed=False),
    codes("must-visit-mode", "五必到方式", "How somebody came", """
        visit | 上门 | In person
        phone | 电话 | By telephone
        other | 其他 | Otherwise
    """, closed=False),
    codes("indicator-trait", "指标分组依据", "What the figures of an indicator are told apart by", """
        all       | 全部 | All
        resettled | 本区管理或易地安置 | Managed here, or elsewhere and living here
        unit      | 管理单位 | Managing unit
        area      | 居住社区 | Community
        doctor    | 责任医生 | Responsible doctor
        centre    | 服务中心 | Health centre
    """),
    codes("green-channel-why", "绿色通道未兑现原因", "Why a right was not honoured, or cannot be judged", """
        not-recognised     | 窗口未识别身份 | The window did not recognise the right
        no-priority-window | 无优先窗口 | There is no window for priority
        refused            | 窗口拒绝 | The window refused
        busy               | 人多仍需排队 | Had to queue all the same
        window             | 窗口记录未兑现 | The window noted that priority was not given
        longer-than-others | 等候长于其他患者 | Waited longer than the others
        over-target        | 等候超过约定时限 | Waited longer than agreed
        no-clock           | 无法计时 | No time was measured
        no-comparison      | 无可比对象 | Nobody to compare with
    """),
    codes("green-channel-measure", "绿色通道测量项", "What is measured when a right is used", """
        wait | 等候时间 | Waiting time
    """, closed=False),
    codes("contract-type", "协议类型", "Kind of contract", """
        family-doctor | 家庭医生签约服务协议 | Family-doctor contract
    """),
    codes("contract-state", "签约状态", "State of a family-doctor contract", """
        draft             | 草稿 | Draft
        pending_signature | 待签字 | Waiting for signatures
        active            | 履约中 | In force
        renewed           | 已续约 | Renewed by a successor
        expired           | 已到期 | Expired
        terminated        | 已解约 | Ended early
        transferred       | 已转签 | Transferred to another team
    """),
    codes("contract-end-reason", "解约原因", "Why a contract ended", """
        deceased           | 去世 | Deceased
        moved-away         | 迁出 | Moved away
        own-wish           | 本人意愿 | Own wish
        changed-team       | 更换团队 | Changed team
        lost               | 失访 | Lost to follow-up
        unreachable-a-year | 一年联系不上 | Unreachable for a year
        refused-a-year     | 一年拒绝服务 | Refused service for a year
        merged             | 档案合并 | Files were merged
        other              | 其他 | Other
    """),
    codes("contract-signer", "签字方", "Who signs", """
        resident | 本人 | The person
        proxy    | 代签人 | Somebody for the person
        doctor   | 签约医生 | The doctor
    """),
    codes("signature-kind", "签字方式", "How a signature was made", """
        drawn     | 屏幕手写 | Drawn on a screen
        wet-scan  | 纸质签字扫描 | Signed on paper and scanned
        certified | 电子认证签名 | Certified electronic signature
        carried-over | 自动续约，未另行签字 | Renewed by itself, nobody signed again
    """),
    codes("reminder", "催办", "Reminder", """
        checkup-doctor   | 提醒责任医生体检将到期或已逾期 | The doctor is told that a checkup comes due or is late
        checkup-centre   | 提醒中心体检已逾期 | The centre is told that a checkup is late
        checkup-district | 提醒区主管部门体检已逾期 | The district is told that a checkup is late
        contract-renewal | 提醒签约医生协议即将到期 | The doctor is told that a contract ends soon
    """, closed=False),
    codes("contract-package", "服务包", "Service package", "", closed=False),
    codes("document-kind", "冻结文书类型", "Kind of frozen document", """
        contract           | 家庭医生签约服务协议 | Family-doctor contract
        contract-scan      | 纸质协议扫描件 | Scan of a contract signed on paper
        contact-card       | 联系卡 | Contact card
        home-bed-agreement | 家庭病床建床协议书 | Home-bed agreement
    """, closed=False),
    codes("consent-purpose", "同意的用途", "Purpose that a person agrees to", """
        care              | 诊疗照护 | Care
        hospital-sharing  | 向医院提供 | Sharing with hospitals
        emergency-sharing | 应急共享 | Sharing in emergencies
        community-worker  | 告知社区工作者 | Telling the community worker
    """),
    codes("consent-form", "同意的形式", "Form of a consent", """
        written   | 书面签字 | Signed on paper
        drawn     | 屏幕签名 | Drawn on a screen
        certified | 电子签名 | Certified electronic signature
        oral      | 口头（工作人员记录） | By word of mouth, noted by the staff
    """),
    codes("consent-kind", "知情同意类型", "Kind of consent", """
        home-bed | 家庭病床服务协议 | Home-bed agreement
        infusion | 上门输液知情同意 | Consent to infusion at home
    """, closed=False),
    codes("care-role", "结对角色", "Role in the pair", """
        doctor | 责任医生 | Responsible doctor
        nurse  | 责任护士 | Responsible nurse
    """, closed=False),
    codes("emergency", "一键通", "Emergency call", """
        alarm   | 一键通求助 | Call for help
        outcome | 处置结果 | Outcome
    """, closed=False),
    codes("alarm-kind", "求助类型", "Kind of alarm", """
        help              | 求助 | Call for help
        fall              | 跌倒 | Fall
        sudden-illness    | 突发疾病 | Sudden illness
        infusion-reaction | 输液反应 | Reaction to an infusion
        device-silent     | 设备离线 | Device is silent
        drill             | 演练 | Drill
    """, closed=False),
    codes("alarm-outcome", "求助处置结果", "Outcome of an alarm", """
        helped-at-home    | 上门处置 | Helped at home
        taken-to-hospital | 送医 | Taken to hospital
        false-alarm       | 误报 | False alarm
        drill             | 演练 | Drill
        deceased          | 去世 | Deceased
        other             | 其他 | Other
    """, closed=False),
    codes("circle-measurement", "十分钟圈测量项", "What is measured for the ten-minute circle", """
        travel-walk  | 步行到达时间 | Travel time on foot
        travel-ebike | 电动自行车到达时间 | Travel time by e-bike
        travel-drive | 汽车到达时间 | Travel time by car
        limit        | 时限 | Limit
        home         | 住址坐标 | Position of the home
        metres       | 路程 | Length of the way
        snap         | 距最近道路 | Distance to the nearest road
        doubt        | 存疑 | Doubt
    """, closed=False),
    codes("circle-verdict", "十分钟圈结论", "Verdict of the ten-minute circle", """
        inside            | 圈内 | Inside
        outside           | 圈外 | Outside
        estimated-inside  | 可能在圈内（估算） | Probably inside (estimated)
        estimated-outside | 可能在圈外（估算） | Probably outside (estimated)
        ask               | 需人工核实 | A person has to look
    """),
    codes("circle-basis", "十分钟圈依据", "What the verdict rests on", """
        road     | 路网 | By road
        estimate | 估算 | Estimate
        no_path  | 路网不通 | No path in the road data
    """),
    codes("circle-doubt", "十分钟圈存疑", "Doubt about the verdict", """
        estimated         | 估算值 | Estimated
        no-path           | 路网数据中无可通行路线 | No way from any station in the road data
        no-path-to-nearer | 更近的站点在路网数据中不通 | A nearer station has no path
        snapped-far       | 地址离最近道路过远 | The address is far from every usable road
        outside-data      | 地址在路网数据范围之外 | The address lies outside the road data
    """),
    codes("drug-class", "药品类别", "Class of drugs", """
        penicillin            | 青霉素类 | Penicillins
        cephalosporin         | 头孢菌素类 | Cephalosporins
        carbapenem            | 碳青霉烯类 | Carbapenems
        beta-lactam           | β-内酰胺类 | Beta-lactams
        sulfonamide           | 磺胺类 | Sulfonamides
        aminoglycoside        | 链霉素（氨基糖苷类） | Streptomycin (aminoglycosides)
        quinolone             | 喹诺酮类 | Quinolones
        macrolide             | 大环内酯类 | Macrolides
        xanthine              | 黄嘌呤类 | Xanthines
        proton-pump-inhibitor | 质子泵抑制剂 | Proton pump inhibitors
        amino-acids           | 氨基酸制剂 | Amino acids
        chemotherapy          | 化疗药物 | Chemotherapy
        biologic              | 生物制剂 | Biologics
        blood-product         | 血液制品 | Blood products
        vasopressor           | 升压药 | Vasopressors
        iv-antihypertensive   | 静脉降压药 | Intravenous antihypertensives
        tcm-injection         | 中药注射剂 | Injections of traditional medicine
        iodine                | 碘造影剂 | Iodine contrast
        other                 | 其他 | Other
    """, closed=False),
)  # fmt: skip
