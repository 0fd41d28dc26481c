"""个人基本信息表 The personal information form: who the person is, and what has been."""

from typing import Final

from healthsvc.forms.reading import form
from healthsvc.forms.tables.sets import SETS

PERSONAL: Final = form("personal-information", "个人基本信息表", "Personal information", """
who | group | 基本情况 | Who
  name | string | 姓名 | Name | req fill=name
  sex | choice | 性别 | Sex | req opt=sex fill=sex_code
  birth | date | 出生日期 | Date of birth | req fill=birth
  citizen-id | string | 身份证号 | Citizen id | fill=citizen_id
  file-number | string | 健康档案编号 | Health file number | fill=file_number
  certificate | string | 离休荣誉证号 | Veteran's certificate | fill=certificate
  category | choice | 干部类别 | Category | opt=category fill=category
  former-unit | string | 工作单位（退休前最后单位） | Last work unit | fill=former_unit
  managing-unit | string | 管理单位 | Managing unit | fill=managing_unit
  resettled | boolean | 易地安置 | Resettled from elsewhere | fill=resettled
  tag | choice | 重点关注（人工标注） | Marked by hand | rep opt=tag fill=tags
  keeper | string | 专项档案专管人 | Keeper of the special file | fill=keeper
contact | group | 联系 | How to reach
  phone | string | 本人电话 | Own phone | fill=phone
  address | string | 现住址 | Address | fill=address
  residence-area | string | 居住社区 | Community | fill=residence_area
  family-name | string | 家属联系人 | Family contact | fill=contact:family:name
  family-relation | string | 与本人关系 | Relation | fill=contact:family:relation
  family-phone | string | 家属电话 | Family phone | fill=contact:family:phone
  unit-name | string | 原单位联络员 | Liaison of the former unit | fill=contact:former-unit:name
  unit-phone | string | 原单位联络电话 | Liaison's phone | fill=contact:former-unit:phone
  worker-name | string | 社区工作者 | Community worker | fill=contact:community-worker:name
  worker-phone | string | 社区工作者电话 | Community worker's phone | fill=contact:community-worker:phone
  doctor-name | string | 社区医生 | Community doctor | fill=contact:community-doctor:name
  doctor-phone | string | 社区医生电话 | Community doctor's phone | fill=contact:community-doctor:phone
social | group | 社会情况 | Social
  household | choice | 常住类型 | Household registration | opt=household fill=household
  ethnicity | string | 民族 | Nation | fill=ethnicity
  education | choice | 文化程度 | Education | opt=education fill=education
  occupation | string | 职业 | Occupation | fill=occupation
  marital | choice | 婚姻状况 | Marital status | opt=marital fill=marital
  payment | choice | 医疗费用支付方式 | Who pays | rep opt=payment fill=payment
  living | choice | 居住情况 | Living arrangement | opt=living fill=living
  carer | string | 照护人 | Carer | fill=carer
  abo | choice | 血型 | Blood group | code=883-9 opt=abo obs cat=lab carry
  rh | choice | Rh血型 | Rh | code=10331-7 opt=rh obs cat=lab carry
allowance | group | 护理费 | Nursing allowance
  allowance-approved | boolean | 已批准 | Approved | fill=allowance_approved
  allowance-amount | decimal | 每月金额 | A month | unit=元:{CNY} range=allowance fill=allowance_amount when=allowance-approved=true
  allowance-from | date | 起始日期 | From | fill=allowance_from when=allowance-approved=true future
  allowance-to | date | 截止日期 | To | fill=allowance_to when=allowance-approved=true future
device | string | 一键通设备编号 | One-key device | fill=device
no-allergy | boolean | 无药物过敏史 | No drug allergy is known | x=no-allergy
allergy | group | 药物过敏史 | Drug allergies | rep carry x=allergy when=no-allergy!=true
  allergy-class | choice | 药物类别 | Drug class | req opt=drug-class part=class carry
  allergy-name | string | 具体药物 | The drug | part=code carry
  allergy-reaction | string | 反应表现 | Reaction | part=note carry
exposure | choice | 暴露史 | Exposure | rep own opt=exposure obs cat=social carry
disease | group | 既往疾病 | Past illnesses | rep carry x=condition
  disease-code | open-choice | 疾病 | Illness | req opt=disease part=code carry
  disease-since | date | 确诊日期 | Diagnosed | part=onset carry
surgery | group | 手术 | Operations | rep carry x=procedure
  surgery-name | string | 名称 | Name | req part=code carry
  surgery-on | date | 日期 | Day | part=onset carry
trauma | group | 外伤 | Injuries | rep carry x=condition
  trauma-name | string | 名称 | Name | req part=code carry
  trauma-on | date | 日期 | Day | part=onset carry
transfusion | group | 输血 | Transfusions | rep carry x=procedure
  transfusion-reason | string | 原因 | Reason | req part=code carry
  transfusion-on | date | 日期 | Day | part=onset carry
family | group | 家族史 | Family history | rep carry x=family
  family-who | choice | 亲属 | Relative | req opt=relative part=relation carry
  family-disease | open-choice | 疾病 | Illness | req opt=disease part=code carry
hereditary | string | 遗传病史 | Hereditary illness | rep x=condition carry
disability | choice | 残疾情况 | Disability | rep own opt=disability obs carry
disability-number | string | 残疾证号 | Disability certificate | when=disability!=none
home | group | 生活环境 | Home
  exhaust | choice | 厨房排风设施 | Kitchen exhaust | own opt=exhaust obs cat=social carry
  fuel | choice | 燃料类型 | Fuel | own opt=fuel obs cat=social carry
  water | choice | 饮水 | Water | own opt=water obs cat=social carry
  toilet-kind | choice | 厕所 | Toilet | own opt=toilet obs cat=social carry
  pen | choice | 禽畜栏 | Livestock pen | own opt=pen obs cat=social carry
""", SETS, source="国家基本公共卫生服务规范第三版 个人基本信息表（项目名称）")  # fmt: skip
