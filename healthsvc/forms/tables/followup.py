"""高血压、2型糖尿病随访服务记录表 The two follow-up forms."""

from typing import Final

from healthsvc.forms.reading import form
from healthsvc.forms.tables.parts import CLOSING, GLUCOSE, MEDICINES, OUTCOME, PRESSURES
from healthsvc.forms.tables.sets import SETS

_LIFE: Final = """
weight | decimal | 体重 | Weight | code=29463-7 unit=kg:kg range=weight obs cat=vital
weight-goal | decimal | 目标体重 | Goal for the weight | unit=kg:kg range=weight carry
pulse | integer | 心率 | Heart rate | code=8867-4 unit=次/分:/min range=pulse obs cat=vital
smoking-a-day | integer | 日吸烟量 | Cigarettes a day | own unit=支:{cigarettes}/d range=cigarettes obs cat=social carry
drinking-a-day | decimal | 日饮酒量 | Alcohol a day | own unit=两:{liang}/d range=alcohol obs cat=social carry
exercise-week | integer | 每周运动次数 | Exercise, times a week | own unit=次/周:/wk range=exercise obs cat=social carry
exercise-minutes | integer | 每次运动时间 | Minutes each time | own unit=分钟:min range=minutes obs cat=social carry
"""
_MIND: Final = """
mind | choice | 心理调整 | Psychological adjustment | own opt=grade obs carry
obedience | choice | 遵医行为 | Follows the doctor's advice | own opt=grade obs carry
"""

HYPERTENSION: Final = form("hypertension-follow-up", "高血压患者随访服务记录", "Follow-up of hypertension", f"""
symptom | choice | 症状 | Symptoms | rep own opt=symptom obs
symptom-other | string | 其他症状 | Other symptoms | when=symptom=25
{PRESSURES.strip()}
{_LIFE.strip()}
salt | choice | 摄盐情况 | Salt | own opt=salt obs cat=social carry
{_MIND.strip()}
test | text | 辅助检查 | Tests
{OUTCOME.strip()}
{MEDICINES.strip()}
{CLOSING.strip()}
""", SETS, source="国家基本公共卫生服务规范第三版 高血压患者随访服务记录表（项目名称）")  # fmt: skip

DIABETES: Final = form("diabetes-follow-up", "2型糖尿病患者随访服务记录", "Follow-up of type 2 diabetes", f"""
symptom | choice | 症状 | Symptoms | rep own opt=symptom obs
symptom-other | string | 其他症状 | Other symptoms | when=symptom=25
{PRESSURES.strip()}
{_LIFE.strip()}
foot-pulse-left | choice | 左足背动脉搏动 | Left foot pulse | own opt=pulses obs cat=exam
foot-pulse-right | choice | 右足背动脉搏动 | Right foot pulse | own opt=pulses obs cat=exam
staple | integer | 日主食量 | Staple food a day | own unit=克:g/d range=staple obs cat=social carry
{_MIND.strip()}
{GLUCOSE.strip()}
hba1c | decimal | 糖化血红蛋白 | HbA1c | code=4548-4 unit=%:% range=hba1c obs cat=lab
hypoglycaemia | choice | 低血糖反应 | Hypoglycaemia | own opt=hypoglycaemia obs
insulin | string | 胰岛素种类、用法和用量 | Insulin: kind and dose | own obs carry
{OUTCOME.strip()}
{MEDICINES.strip()}
{CLOSING.strip()}
""", SETS, source="国家基本公共卫生服务规范第三版 2型糖尿病患者随访服务记录表（项目名称）")  # fmt: skip
