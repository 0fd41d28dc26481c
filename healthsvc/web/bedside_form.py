"""床旁 what a nurse has typed or ticked for one step at the bedside."""

from decimal import Decimal
from typing import Final

from healthsvc.errors import Invalid, Issue
from healthsvc.infusion.records import OfTheDay
from healthsvc.infusion.rules.bedside import Act, Entry, Vitals
from healthsvc.infusion.rules.gates import NEVER_OVERRIDDEN, Gate
from healthsvc.infusion.rules.order import Companion, DoubleCheck, Override, RescueKit
from healthsvc.infusion.service import policy_of
from healthsvc.store import Store
from healthsvc.web.findings_form import Typed

ACTS: Final = {
    Act.ARRIVE: "到达",
    Act.IDENTIFY: "核对身份",
    Act.CLEAR: "输液前把关",
    Act.MEASURE: "测生命体征",
    Act.PUNCTURE: "穿刺开始",
    Act.CHECK: "巡视",
    Act.END: "输液结束",
    Act.OBSERVE: "观察完毕",
    Act.LEAVE: "离开",
    Act.REFUSE: "本次不输",
    Act.REACT: "出现反应",
    Act.STOP: "停止输液",
    Act.ALARM: "呼叫急救",
    Act.REFER: "转诊",
    Act.REPORT: "上报",
}
WAY: Final = (Act.ARRIVE, Act.IDENTIFY, Act.CLEAR, Act.MEASURE, Act.PUNCTURE, Act.CHECK, Act.END, Act.OBSERVE, Act.LEAVE)
"""The usual way, for the line of steps on top of the page."""
REACTION_WAY: Final = (Act.REACT, Act.STOP, Act.ALARM, Act.REFER, Act.REPORT, Act.LEAVE)
MATCHED: Final = (("name", "姓名"), ("birth-date", "出生日期"), ("citizen-id", "身份证"), ("file-number", "档案编号"))
KIT: Final = {
    "adrenaline": "肾上腺素",
    "antihistamine": "抗过敏药",
    "dexamethasone": "地塞米松",
    "oxygen-or-bag": "氧气或简易呼吸器",
    "tourniquet": "止血带",
    "bp-cuff": "血压计",
    "spare-infusion-set": "备用输液器和针头",
    "disinfectant": "消毒用品",
    "sharps-box": "锐器盒",
}
GATES: Final = {
    Gate.CARE: "在用的家庭病床或签约",
    Gate.ORDER: "有权医生的医嘱",
    Gate.FORBIDDEN: "非禁用药",
    Gate.RESTRICTED: "限制药有书面批准",
    Gate.FIRST_DOSE: "首剂证明",
    Gate.SKIN_TEST: "皮试",
    Gate.ALLERGY: "过敏史",
    Gate.CONSENT: "本疗程知情同意",
    Gate.COMPANION: "成年陪护",
    Gate.DOUBLE_CHECK: "双人核对",
    Gate.NURSE_AND_KIT: "护士资质与急救箱",
    Gate.SLOT: "时间足够",
}
SIGNS: Final = ("寒战", "发热", "皮疹", "瘙痒", "胸闷", "呼吸困难", "心悸", "恶心呕吐", "面色苍白", "血压下降", "局部肿痛")
"""What is seen most often, to be ticked with a thumb."""
VITAL_FIELDS: Final = (
    ("systolic", "收缩压", "mmHg"),
    ("diastolic", "舒张压", "mmHg"),
    ("pulse", "心率", "次/分"),
    ("temperature", "体温", "℃"),
    ("spo2", "血氧", "%"),
)
WITH_VITALS: Final = frozenset({Act.MEASURE, Act.END})
WITH_WORDS: Final = frozenset({Act.REFUSE, Act.REACT, Act.REFER, Act.REPORT})


def entry_of(typed: Typed, store: Store) -> tuple[Entry, OfTheDay | None]:
    """A step as it was typed, and what only this day can prove.

    Raises:
        Invalid: the step or who takes it is missing, or a number cannot be read.
    """
    if typed["act"] not in {act.value for act in Act} or not typed["by"]:
        raise Invalid("a step at the bedside needs its name and who takes it", path="act")
    act, by = Act(typed["act"]), typed["by"].removeprefix("Practitioner/")
    vitals = _vitals(typed) if act in WITH_VITALS else None
    of_the_day = _of_the_day(typed, by, store) if act is Act.CLEAR else None
    if typed.wrong:
        raise Invalid("some fields cannot be read; mend them", issues=typed.wrong)
    matched = tuple(code for code, _ in MATCHED if typed[f"matched_{code}"])
    words = "、".join([*typed.danger, *([typed["text"]] if typed["text"] else [])])
    return Entry(act, store.at.astimezone(store.zone), by, words, vitals, matched), of_the_day


def _vitals(typed: Typed) -> Vitals | None:
    systolic, diastolic, pulse = typed.whole("systolic"), typed.whole("diastolic"), typed.whole("pulse")
    temperature, spo2 = typed.number("temperature"), typed.whole("spo2")
    if systolic is None or diastolic is None or pulse is None or temperature is None:
        if any(typed[name] for name in ("systolic", "diastolic", "pulse", "temperature")):
            typed.wrong.append(Issue("pressure, pulse and temperature belong together", "required", "pulse"))
        return None
    return Vitals(systolic, diastolic, pulse, Decimal(temperature), spo2)


def _of_the_day(typed: Typed, by: str, store: Store) -> OfTheDay:
    now = store.at.astimezone(store.zone)
    second = typed["second"].removeprefix("Practitioner/")
    items = frozenset(code for code in policy_of(store).kit_items if typed[f"kit_{code}"])
    said = (
        Override(gate, typed[f"override_{gate}_doctor"].removeprefix("Practitioner/"), typed[f"override_{gate}_reason"], now)
        for gate in Gate
        if gate not in NEVER_OVERRIDDEN
    )
    return OfTheDay(
        companion=Companion(True, True, by, now.date()) if typed["companion"] else None,
        double_check=DoubleCheck(by, second, now) if second else None,
        kit=RescueKit(now.date(), by, items, typed.day("expires")) if items else None,
        overrides=tuple(one for one in said if one.doctor and one.reason),
    )
