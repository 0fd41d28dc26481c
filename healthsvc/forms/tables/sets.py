"""The answers that items offer: about the person here, about checks next door."""

from typing import Final

from healthsvc.fhir.systems import ICD10, code_system
from healthsvc.forms.reading import options
from healthsvc.forms.rules import Option
from healthsvc.forms.tables.sets_of_checks import CHECKS

SETS: Final[dict[str, tuple[Option, ...]]] = CHECKS | {
    "sex": options("sex", """
        0 | 未知的性别 | Unknown
        1 | 男 | Male
        2 | 女 | Female
        9 | 未说明的性别 | Not stated
    """, code_system("gbt-2261-1")),
    "household": options("household", """
        registered   | 户籍 | Registered here
        unregistered | 非户籍 | Not registered here
    """),
    "abo": options("abo", """
        A | A型 | A
        B | B型 | B
        O | O型 | O
        AB | AB型 | AB
        unknown | 不详 | Unknown
    """),
    "rh": options("rh", """
        rh-positive | RhD阳性 | RhD positive
        rh-negative | RhD阴性 | RhD negative
        rh-unknown  | 不详 | Unknown
    """),
    "education": options("education", """
        postgraduate | 研究生 | Postgraduate
        university   | 大学本科 | University
        college      | 大学专科和专科学校 | College
        vocational   | 中等专业学校 | Vocational school
        technical    | 技工学校 | Technical school
        high-school  | 高中 | High school
        middle       | 初中 | Middle school
        primary      | 小学 | Primary school
        none         | 文盲或半文盲 | None
        unknown      | 不详 | Unknown
    """),
    "marital": options("marital", """
        10 | 未婚 | Never married
        20 | 已婚 | Married
        30 | 丧偶 | Widowed
        40 | 离婚 | Divorced
        90 | 未说明 | Not stated
    """, code_system("gbt-2261-2")),
    "payment": options("payment", """
        01 | 城镇职工基本医疗保险 | Urban employees' insurance
        02 | 城镇居民基本医疗保险 | Urban residents' insurance
        03 | 新型农村合作医疗 | Rural cooperative scheme
        04 | 贫困救助 | Aid to the poor
        05 | 商业医疗保险 | Commercial insurance
        06 | 全公费 | Wholly public
        07 | 全自费 | Wholly private
        lixiu-fund | 离休干部医疗统筹 | Fund of veteran cadres
        99 | 其他 | Other
    """),
    "category": options("category", """
        lixiu  | 离休 | Retired with veteran status
        tuixiu | 退休 | Retired
    """, code_system("cadre-category")),
    "tag": options("tag", """
        disabled             | 失能 | Disabled
        cannot-care-for-self | 生活不能自理 | Cannot care for themselves
        dementia             | 失智 | Dementia
        falls                | 跌倒风险 | Falls
        serious-illness      | 重病 | Seriously ill
        special-file         | 专项档案 | Special file
    """, code_system("risk-tag")),
    "living": options("living", """
        alone        | 独居 | Alone
        couple-alone | 夫妻空巢 | With the spouse only
        with-family  | 与家人同住 | With family
        with-carer   | 与护工（保姆）同住 | With a carer
        institution  | 机构养老 | In an institution
    """, code_system("living-arrangement")),
    "drug-class": options("drug-class", """
        penicillin     | 青霉素类 | Penicillins
        cephalosporin  | 头孢菌素类 | Cephalosporins
        sulfonamide    | 磺胺类 | Sulfonamides
        aminoglycoside | 链霉素（氨基糖苷类） | Streptomycin (aminoglycosides)
        quinolone      | 喹诺酮类 | Quinolones
        macrolide      | 大环内酯类 | Macrolides
        iodine         | 碘造影剂 | Iodine contrast
        other          | 其他 | Other
    """, code_system("drug-class")),
    "exposure": options("exposure", """
        none      | 无 | None
        chemical  | 化学品 | Chemicals
        poison    | 毒物 | Poisons
        radiation | 射线 | Radiation
        dust      | 粉尘 | Dust
        other     | 其他 | Other
    """),
    "disease": options("disease", """
        I10   | 高血压 | Hypertension
        E11   | 2型糖尿病 | Type 2 diabetes
        I25.1 | 冠心病 | Coronary heart disease
        J44   | 慢性阻塞性肺疾病 | COPD
        C80   | 恶性肿瘤 | Malignant tumour
        I64   | 脑卒中 | Stroke
        F20.9 | 严重精神障碍 | Severe mental disorder
        A16.9 | 结核病 | Tuberculosis
        B19.9 | 肝炎 | Hepatitis
        M81.9 | 骨质疏松 | Osteoporosis
        F03   | 痴呆 | Dementia
        G20   | 帕金森病 | Parkinson's disease
    """, ICD10),
    "relative": options("relative", """
        FTH   | 父亲 | Father
        MTH   | 母亲 | Mother
        SIB   | 兄弟姐妹 | Sibling
        CHILD | 子女 | Child
    """, "http://terminology.hl7.org/CodeSystem/v3-RoleCode"),
    "disability": options("disability", """
        none         | 无残疾 | None
        sight        | 视力残疾 | Sight
        hearing      | 听力残疾 | Hearing
        speech       | 言语残疾 | Speech
        limbs        | 肢体残疾 | Limbs
        intellectual | 智力残疾 | Intellectual
        mental       | 精神残疾 | Mental
        other        | 其他残疾 | Other
    """),
    "exhaust": options("exhaust", """
        none    | 无 | None
        hood    | 油烟机 | Hood
        fan     | 换气扇 | Fan
        chimney | 烟囱 | Chimney
    """),
    "fuel": options("fuel", """
        lpg | 液化气 | Bottled gas
        coal | 煤 | Coal
        gas | 天然气 | Natural gas
        biogas | 沼气 | Biogas
        wood | 柴火 | Wood
        electric | 电 | Electricity
        other | 其他 | Other
    """),
    "water": options("water", """
        tap | 自来水 | Tap
        purified | 经净化过滤的水 | Purified
        well | 井水 | Well
        river | 河湖水 | River or lake
        pond | 塘水 | Pond
        other | 其他 | Other
    """),
    "toilet": options("toilet", """
        sanitary | 卫生厕所 | Sanitary
        pail | 一格或二格粪池式 | Cesspit
        bucket | 马桶 | Bucket
        open | 露天粪坑 | Open pit
        shed | 简易棚厕 | Shed
    """),
    "pen": options("pen", """
        none | 无 | None
        separate | 单设 | Apart
        indoor | 室内 | Indoors
        outdoor | 室外 | Outdoors
    """),
}  # fmt: skip
