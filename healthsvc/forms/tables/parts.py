"""Blocks of lines that several forms share, so that the same thing is asked in the same way and becomes the same Observation."""

VITALS = """
vitals | group | 一般状况 | General state
  temperature | decimal | 体温 | Temperature | code=8310-5 unit=℃:Cel range=temperature obs cat=vital
  pulse | integer | 脉率 | Pulse | code=8867-4 unit=次/分:/min range=pulse obs cat=vital
  respiration | integer | 呼吸频率 | Respiration | code=9279-1 unit=次/分:/min range=respiration obs cat=vital
  spo2 | integer | 血氧饱和度 | Oxygen saturation | code=2708-6 unit=%:% range=spo2 obs cat=vital
"""
PRESSURES = """
bp-left | group | 血压（左臂） | Blood pressure, left arm | code=85354-9 obs cat=vital site=left
  systolic-left | integer | 左臂收缩压 | Systolic, left | code=8480-6 unit=mmHg:mm[Hg] range=systolic
  diastolic-left | integer | 左臂舒张压 | Diastolic, left | code=8462-4 unit=mmHg:mm[Hg] range=diastolic below=systolic-left
bp-right | group | 血压（右臂） | Blood pressure, right arm | code=85354-9 obs cat=vital site=right
  systolic-right | integer | 右臂收缩压 | Systolic, right | code=8480-6 unit=mmHg:mm[Hg] range=systolic
  diastolic-right | integer | 右臂舒张压 | Diastolic, right | code=8462-4 unit=mmHg:mm[Hg] range=diastolic below=systolic-right
"""
GLUCOSE = """
glucose | decimal | 血糖 | Glucose | code=15074-8 unit=mmol/L:mmol/L range=glucose obs cat=lab
glucose-kind | choice | 血糖时点 | When the glucose was taken | req opt=glucose-kind when=glucose>=0
"""
BODY = """
height | decimal | 身高 | Height | code=8302-2 unit=cm:cm range=height obs cat=vital carry
weight | decimal | 体重 | Weight | code=29463-7 unit=kg:kg range=weight obs cat=vital
waist | decimal | 腰围 | Waist | code=8280-0 unit=cm:cm range=waist obs cat=vital
"""
MEDICINES = """
medicine | group | 主要用药情况 | Medicines | rep carry x=medication
  medicine-name | string | 药物名称 | Name | req part=code carry
  medicine-use | string | 用法 | How it is taken | part=use carry
  medicine-dose | string | 用量 | Dose | part=dose carry
  medicine-since | date | 用药时间 | Since | part=onset carry
  medicine-adherence | choice | 服药依从性 | Adherence | opt=adherence part=adherence
"""
OUTCOME = """
adherence | choice | 服药依从性 | Adherence | opt=adherence
adverse-reaction | boolean | 药物不良反应 | Adverse reaction to a medicine
adverse-note | string | 不良反应表现 | What the reaction was | when=adverse-reaction=true
complication | boolean | 新发或加重的并发症 | New or worse complication
danger-sign | choice | 危险情况 | Danger signs | rep opt=danger
"""
CLOSING = """
mode | choice | 随访方式 | How the visit was made | opt=mode
complaints | text | 主诉 | Complaints
advice | text | 指导建议 | Advice
next-on | date | 下次随访日期 | Next visit | future
"""
SELF_CARE = """
self-care | group | 生活自理能力评估 | Self-care assessment | code=self-care#total x=score
  eating | choice | 进餐：使用餐具送食、咀嚼、吞咽 | Eating | code=self-care#eating req opt=eating
  grooming | choice | 梳洗：梳头、洗脸、刷牙、剃须、洗澡 | Grooming | code=self-care#grooming req opt=grooming
  dressing | choice | 穿衣：穿脱衣裤、袜子、鞋子 | Dressing | code=self-care#dressing req opt=dressing
  toilet | choice | 如厕：小便、大便及自控 | Toilet | code=self-care#toilet req opt=toileting
  moving | choice | 活动：站立、室内行走、上下楼梯、户外活动 | Moving | code=self-care#moving req opt=moving
  self-care-total | integer | 自理能力总分 | Total | sum=eating,grooming,dressing,toilet,moving range=selfcare
"""


def indented(block: str) -> str:
    """A block two spaces deeper, to stand in a group."""
    return "\n".join(f"  {line}" for line in block.strip("\n").splitlines())
