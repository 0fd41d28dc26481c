"""The answers that the items of health checks and follow-ups offer."""

from typing import Final

from healthsvc.fhir.systems import ICD10
from healthsvc.forms.reading import options
from healthsvc.forms.rules import Option

CHECKS: Final[dict[str, tuple[Option, ...]]] = {
    "symptom": options("symptom", """
        01 | 无症状 | None
        02 | 头痛 | Headache
        03 | 头晕 | Dizziness
        04 | 心悸 | Palpitations
        05 | 胸闷 | Tight chest
        06 | 胸痛 | Chest pain
        07 | 慢性咳嗽 | Chronic cough
        08 | 咳痰 | Phlegm
        09 | 呼吸困难 | Breathlessness
        10 | 多饮 | Much thirst
        11 | 多尿 | Much urine
        12 | 体重下降 | Weight loss
        13 | 乏力 | Weakness
        14 | 关节肿痛 | Painful joints
        15 | 视力模糊 | Blurred sight
        16 | 手脚麻木 | Numb limbs
        17 | 尿急 | Urgent urine
        18 | 尿痛 | Painful urine
        19 | 便秘 | Constipation
        20 | 腹泻 | Diarrhoea
        21 | 恶心呕吐 | Nausea, vomiting
        22 | 眼花 | Dazzled sight
        23 | 耳鸣 | Ringing ears
        24 | 乳房胀痛 | Breast pain
        25 | 其他 | Other
    """),
    "satisfaction": options("satisfaction", """
        satisfied        | 满意 | Satisfied
        fairly-satisfied | 基本满意 | Fairly satisfied
        unclear          | 说不清楚 | Cannot say
        not-very         | 不太满意 | Not very satisfied
        dissatisfied     | 不满意 | Dissatisfied
    """),
    "exercise": options("exercise", """
        daily     | 每天 | Daily
        weekly    | 每周一次以上 | More than weekly
        sometimes | 偶尔 | Sometimes
        never     | 不锻炼 | Never
    """),
    "diet": options("diet", """
        balanced | 荤素均衡 | Balanced
        meat     | 荤食为主 | Mostly meat
        plants   | 素食为主 | Mostly plants
        salty    | 嗜盐 | Salty
        oily     | 嗜油 | Oily
        sweet    | 嗜糖 | Sweet
    """),
    "smoking": options("smoking", """
        1 | 现在每天吸 | Every day
        2 | 现在吸，但不是每天吸 | Not every day
        3 | 过去吸，现在不吸 | Formerly
        4 | 从不吸 | Never
    """),
    "drinking": options("drinking", """
        never     | 从不 | Never
        sometimes | 偶尔 | Sometimes
        often     | 经常 | Often
        daily     | 每天 | Daily
    """),
    "lips": options("lips", """
        red | 红润 | Red
        pale | 苍白 | Pale
        cyanotic | 发绀 | Cyanotic
        cracked | 皲裂 | Cracked
        blisters | 疱疹 | Blisters
    """),
    "hearing": options("hearing", """
        hears | 听见 | Hears
        unclear | 听不清或无法听见 | Hears badly or not
    """),
    "motion": options("motion", """
        able | 可顺利完成 | Able
        unable | 无法独立完成任何一个动作 | Unable
    """),
    "normal": options("normal", """
        normal   | 正常 | Normal
        abnormal | 异常 | Abnormal
    """),
    "presence": options("presence", """
        negative | 阴性（-） | Negative
        trace    | 弱阳性（±） | Trace
        positive | 阳性（+及以上） | Positive
    """),
    "problem": options("problem", """
        I63.9 | 缺血性卒中 | Ischaemic stroke
        I61.9 | 脑出血 | Cerebral haemorrhage
        G45.9 | 短暂性脑缺血发作 | Transient ischaemic attack
        I21.9 | 心肌梗死 | Myocardial infarction
        I20.9 | 心绞痛 | Angina
        I50.9 | 心力衰竭 | Heart failure
        I48.9 | 心房颤动 | Atrial fibrillation
        N18.9 | 慢性肾脏病 | Chronic kidney disease
        I71.0 | 夹层动脉瘤 | Dissecting aneurysm
        I70.2 | 动脉闭塞性疾病 | Arterial occlusion
        H35.0 | 视网膜病变 | Retinopathy
        H25.9 | 白内障 | Cataract
        G30.9 | 阿尔茨海默病 | Alzheimer's disease
        G20   | 帕金森病 | Parkinson's disease
    """, ICD10),
    "constitution": options("constitution", """
        balanced | 平和质 | Balanced
        qi       | 气虚质 | Qi deficiency
        yang     | 阳虚质 | Yang deficiency
        yin      | 阴虚质 | Yin deficiency
        phlegm   | 痰湿质 | Phlegm-dampness
        damp     | 湿热质 | Damp-heat
        stasis   | 血瘀质 | Blood stasis
        qi-stag  | 气郁质 | Qi stagnation
        special  | 特禀质 | Special
    """),
    "adherence": options("adherence", """
        regular      | 规律 | Regular
        intermittent | 间断 | Intermittent
        none         | 不服药 | None
        refused      | 拒绝 | Refused
    """),
    "mode": options("mode", """
        home    | 上门 | At home
        phone   | 电话 | Phone
        station | 站点 | Station
        clinic  | 门诊 | Clinic
        group   | 群组 | Group
    """),
    "danger": options("danger", """
        consciousness   | 意识改变 | Changed consciousness
        severe-headache | 剧烈头痛 | Severe headache
        chest-pain      | 胸痛 | Chest pain
        dyspnoea        | 呼吸困难 | Breathlessness
        visual-loss     | 视力骤降 | Sudden loss of sight
        vomiting        | 恶心呕吐 | Vomiting
    """),
    "salt": options("salt", """
        light  | 轻 | Light
        medium | 中 | Medium
        heavy  | 重 | Heavy
    """),
    "grade": options("grade", """
        good | 良好 | Good
        fair | 一般 | Fair
        poor | 差 | Poor
    """),
    "pulses": options("pulses", """
        normal   | 触及正常 | Normal
        weak     | 减弱 | Weak
        absent   | 消失 | Absent
    """),
    "glucose-kind": options("glucose-kind", """
        fasting | 空腹 | Fasting
        random  | 随机（餐后） | Random or after a meal
    """),
    "hypoglycaemia": options("hypoglycaemia", """
        none     | 无 | None
        sometimes | 偶尔 | Sometimes
        often    | 频繁 | Often
    """),
    "guidance": options("guidance", """
        chronic  | 纳入慢性病患者健康管理 | Enter chronic management
        recheck  | 建议复查 | Check again
        refer    | 建议转诊 | Refer
        quit     | 戒烟 | Stop smoking
        drink    | 健康饮酒 | Drink less
        diet     | 饮食 | Diet
        exercise | 锻炼 | Exercise
        weight   | 减体重 | Lose weight
        vaccine  | 建议接种疫苗 | Vaccinate
        falls    | 防跌倒 | Prevent falls
    """),
}  # fmt: skip
