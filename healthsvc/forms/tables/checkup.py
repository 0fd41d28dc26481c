"""健康体检表 The health check: the full yearly one of the national form, and the basic one of the other quarters."""

from typing import Final

from healthsvc.forms.reading import form
from healthsvc.forms.tables.parts import BODY, CLOSING, GLUCOSE, MEDICINES, OUTCOME, PRESSURES, SELF_CARE, VITALS, indented
from healthsvc.forms.tables.screens import CARE_SETS
from healthsvc.forms.tables.sets import SETS

_SETS: Final = {**SETS, **CARE_SETS}
_SYMPTOMS: Final = """
symptom | choice | 症状 | Symptoms | rep own opt=symptom obs
symptom-other | string | 其他症状 | Other symptoms | when=symptom=25
"""
_HOSPITAL: Final = """
stay | group | 住院史 | Hospital stays | rep x=stay
  stay-start | date | 入院日期 | Admitted | req part=onset
  stay-end | date | 出院日期 | Discharged | part=end
  stay-reason | string | 原因 | Reason | part=note
  stay-place | string | 医疗机构名称 | Institution | part=place
  stay-number | string | 病案号 | Case number | part=number
bed | group | 家庭病床史 | Home beds | rep x=bed
  bed-start | date | 建床日期 | Established | req part=onset
  bed-end | date | 撤床日期 | Discharged | part=end
  bed-reason | string | 原因 | Reason | part=note
  bed-place | string | 医疗机构名称 | Institution | part=place
"""
_LIFE: Final = """
exercise | choice | 体育锻炼频率 | Exercise | own opt=exercise obs cat=social carry
exercise-minutes | integer | 每次锻炼时间 | Minutes each time | own unit=分钟:min range=minutes obs cat=social carry when=exercise!=never
exercise-kind | string | 锻炼方式 | Kind of exercise | own obs cat=social carry when=exercise!=never
diet | choice | 饮食习惯 | Diet | rep own opt=diet obs cat=social carry
smoking | choice | 吸烟状况 | Smoking | code=72166-2 opt=smoking obs cat=social carry
smoking-a-day | integer | 日吸烟量 | Cigarettes a day | own unit=支:{cigarettes}/d range=cigarettes obs cat=social carry when=smoking=1|2
drinking | choice | 饮酒频率 | Drinking | own opt=drinking obs cat=social carry
drinking-a-day | decimal | 日饮酒量 | Alcohol a day | own unit=两:{liang}/d range=alcohol obs cat=social carry when=drinking!=never
exposure-at-work | choice | 职业病危害因素接触史 | Exposure at work | rep own opt=exposure obs cat=social carry
sleep | string | 睡眠 | Sleep | own obs cat=social
"""
_ORGANS: Final = """
lips | choice | 口唇 | Lips | own opt=lips obs cat=exam
teeth | string | 齿列（缺齿、龋齿、义齿） | Teeth | own obs cat=exam carry
throat | choice | 咽部 | Throat | own opt=normal obs cat=exam
sight-left | decimal | 左眼视力 | Sight, left | own unit=1:1 range=sight obs cat=exam
sight-right | decimal | 右眼视力 | Sight, right | own unit=1:1 range=sight obs cat=exam
hearing | choice | 听力 | Hearing | own opt=hearing obs cat=exam
motion | choice | 运动功能 | Motor function | own opt=motion obs cat=exam
"""
_EXAM: Final = "\n".join(
    f"{link} | choice | {zh} | {en} | own opt=normal obs cat=exam\n"
    f"{link}-note | string | {zh}（异常描述） | {en}, what is abnormal | own obs cat=exam when={link}=abnormal"
    for link, zh, en in (
        ("fundus", "眼底", "Fundus"), ("skin", "皮肤", "Skin"), ("sclera", "巩膜", "Sclera"), ("lymph", "淋巴结", "Lymph nodes"),
        ("lungs", "肺（桶状胸、呼吸音、罗音）", "Lungs"), ("heart", "心脏（心率、心律、杂音）", "Heart"),
        ("abdomen", "腹部（压痛、包块、肝大、脾大、移动性浊音）", "Abdomen"), ("oedema", "下肢水肿", "Oedema of the legs"),
        ("foot-pulse", "足背动脉搏动", "Foot pulses"), ("rectal", "肛门指诊", "Rectal examination"), ("breast", "乳腺", "Breasts"),
        ("gynaecology", "妇科", "Gynaecology"),
    )
)  # fmt: skip
_TESTS: Final = """
haemoglobin | decimal | 血红蛋白 | Haemoglobin | code=718-7 unit=g/L:g/L range=haemoglobin obs cat=lab
leucocytes | decimal | 白细胞 | Leucocytes | code=6690-2 unit=×10⁹/L:10*9/L range=leucocytes obs cat=lab
platelets | decimal | 血小板 | Platelets | code=777-3 unit=×10⁹/L:10*9/L range=platelets obs cat=lab
urine-protein | choice | 尿蛋白 | Protein in urine | code=20454-5 opt=presence obs cat=lab
urine-glucose | choice | 尿糖 | Glucose in urine | code=25428-4 opt=presence obs cat=lab
urine-ketones | choice | 尿酮体 | Ketones in urine | code=2514-8 opt=presence obs cat=lab
urine-blood | choice | 尿潜血 | Blood in urine | code=5794-3 opt=presence obs cat=lab
microalbumin | decimal | 尿微量白蛋白 | Microalbumin in urine | code=14957-5 unit=mg/L:mg/L range=microalbumin obs cat=lab
stool-blood | choice | 大便潜血 | Occult blood | code=2335-8 opt=presence obs cat=lab
hba1c | decimal | 糖化血红蛋白 | HbA1c | code=4548-4 unit=%:% range=hba1c obs cat=lab
hepatitis-b | choice | 乙型肝炎表面抗原 | Hepatitis B surface antigen | code=5195-3 opt=presence obs cat=lab
alt | decimal | 血清谷丙转氨酶 | ALT | code=1742-6 unit=U/L:U/L range=alt obs cat=lab
ast | decimal | 血清谷草转氨酶 | AST | code=1920-8 unit=U/L:U/L range=ast obs cat=lab
albumin | decimal | 白蛋白 | Albumin | code=1751-7 unit=g/L:g/L range=albumin obs cat=lab
bilirubin | decimal | 总胆红素 | Total bilirubin | code=14631-6 unit=μmol/L:umol/L range=bilirubin obs cat=lab
bilirubin-direct | decimal | 结合胆红素 | Conjugated bilirubin | code=14629-0 unit=μmol/L:umol/L range=bilirubin obs cat=lab
creatinine | decimal | 血清肌酐 | Creatinine | code=14682-9 unit=μmol/L:umol/L range=creatinine obs cat=lab
urea | decimal | 血尿素 | Urea | code=22664-7 unit=mmol/L:mmol/L range=urea obs cat=lab
potassium | decimal | 血钾 | Potassium | code=2823-3 unit=mmol/L:mmol/L range=potassium obs cat=lab
sodium | decimal | 血钠 | Sodium | code=2951-2 unit=mmol/L:mmol/L range=sodium obs cat=lab
cholesterol | decimal | 总胆固醇 | Total cholesterol | code=14647-2 unit=mmol/L:mmol/L range=cholesterol obs cat=lab
triglycerides | decimal | 甘油三酯 | Triglycerides | code=14927-8 unit=mmol/L:mmol/L range=triglycerides obs cat=lab
ldl | decimal | 低密度脂蛋白胆固醇 | LDL cholesterol | code=39469-2 unit=mmol/L:mmol/L range=ldl obs cat=lab
hdl | decimal | 高密度脂蛋白胆固醇 | HDL cholesterol | code=14646-4 unit=mmol/L:mmol/L range=hdl obs cat=lab
ecg | choice | 心电图 | ECG | code=11524-6 opt=normal obs cat=procedure
ecg-note | string | 心电图异常描述 | ECG, what is abnormal | own obs cat=procedure when=ecg=abnormal
chest-xray | choice | 胸部X线片 | Chest X-ray | code=30745-4 opt=normal obs cat=imaging
chest-xray-note | string | 胸片异常描述 | Chest X-ray, what is abnormal | own obs cat=imaging when=chest-xray=abnormal
ultrasound | choice | 腹部B超（肝胆胰脾） | Abdominal ultrasound | code=24558-9 opt=normal obs cat=imaging
ultrasound-note | string | B超异常描述 | Ultrasound, what is abnormal | own obs cat=imaging when=ultrasound=abnormal
test-other | text | 其他检查 | Other tests | own obs cat=lab
"""

FULL: Final = form("health-check-full", "健康体检表（年度全面）", "Health check, full", f"""
{_SYMPTOMS.strip()}
{VITALS.strip()}
{PRESSURES.strip()}
body | group | 身高体重 | Body
{indented(BODY)}
elder | group | 老年人评估 | Assessment of older people
  self-rated | choice | 老年人健康状态自我评估 | Self-rated health | own opt=satisfaction obs
{indented(SELF_CARE)}
  cognition-positive | boolean | 认知功能粗筛阳性 | Cognition screen positive | own obs
  mmse | integer | 简易智力状态检查总分 | Mental state examination, total | code=72106-8 range=mmse obs when=cognition-positive=true
  mood-positive | boolean | 情感状态粗筛阳性 | Mood screen positive | own obs
  mood-score | integer | 老年抑郁评分 | Depression score | own range=mood obs when=mood-positive=true
life | group | 生活方式 | Way of life
{indented(_LIFE)}
organs | group | 脏器功能 | Organs
{indented(_ORGANS)}
exam | group | 查体 | Examination
{indented(_EXAM)}
tests | group | 辅助检查 | Tests
{indented(GLUCOSE)}
{indented(_TESTS)}
constitution | choice | 中医体质辨识 | TCM constitution | rep own opt=constitution obs
problem | choice | 现存主要健康问题 | Present problems | rep opt=problem x=condition carry
problem-other | string | 其他健康问题 | Other problems | rep x=condition carry
{_HOSPITAL.strip()}
{MEDICINES.strip()}
vaccine | group | 非免疫规划预防接种史 | Vaccinations outside the programme | rep x=immunization
  vaccine-name | string | 名称 | Name | req part=code
  vaccine-on | date | 接种日期 | Day | req part=onset
  vaccine-place | string | 接种机构 | Where | part=place
evaluation | choice | 健康评价 | Evaluation | own opt=normal obs
evaluation-note | text | 异常情况 | What is abnormal | own obs when=evaluation=abnormal
guidance | choice | 健康指导 | Guidance | rep own opt=guidance obs
{OUTCOME.strip()}
{CLOSING.strip()}
""", _SETS, bands="checkup.selfcare_bands", source="国家基本公共卫生服务规范第三版 健康体检表（项目名称）")  # fmt: skip

BASIC: Final = form("health-check-basic", "健康体检表（季度基础）", "Health check, basic", f"""
{_SYMPTOMS.strip()}
{VITALS.strip()}
{PRESSURES.strip()}
weight | decimal | 体重 | Weight | code=29463-7 unit=kg:kg range=weight obs cat=vital
{GLUCOSE.strip()}
{SELF_CARE.strip()}
{MEDICINES.strip()}
{OUTCOME.strip()}
{CLOSING.strip()}
""", _SETS, bands="checkup.selfcare_bands", source="基础项目清单无国家规范，为本系统拟定")  # fmt: skip
