"""Self-care, cognition and mood: short questions whose points are added up by the server."""

from typing import Final

from healthsvc.forms.reading import form, options
from healthsvc.forms.tables.parts import SELF_CARE as SELF_CARE_LINES

CARE_SETS: Final = {
    "eating": options("eating", """
        independent | 独立完成 | By themselves | 0
        moderate    | 需要协助，如切碎、搅拌食物 | Needs help | 3
        cannot      | 完全需要帮助 | Wholly dependent | 5
    """),
    "grooming": options("grooming", """
        independent | 独立完成 | By themselves | 0
        light       | 能独立洗头、梳头、洗脸、刷牙、剃须等，洗澡需要协助 | Bath needs help | 1
        moderate    | 在协助下和适当的时间内，能完成部分梳洗活动 | Partly, with help | 3
        cannot      | 完全需要帮助 | Wholly dependent | 7
    """),
    "dressing": options("dressing", """
        independent | 独立完成 | By themselves | 0
        moderate    | 需要协助，在适当的时间内完成部分穿衣 | Partly, with help | 3
        cannot      | 完全需要帮助 | Wholly dependent | 5
    """),
    "toileting": options("toileting", """
        independent | 不需协助，可自控 | By themselves | 0
        light       | 偶尔失禁，但基本上能如厕或使用便具 | Rarely incontinent | 1
        moderate    | 经常失禁，在很多提示和协助下尚能如厕或使用便具 | Often incontinent | 5
        cannot      | 完全失禁，完全需要帮助 | Wholly dependent | 10
    """),
    "moving": options("moving", """
        independent | 独立完成所有活动 | By themselves | 0
        light       | 借助较小的外力或辅助装置能完成站立、行走、上下楼梯等 | Some help or an aid | 1
        moderate    | 借助较大的外力才能完成站立、行走，不能上下楼梯 | Much help | 5
        cannot      | 卧床不起，活动完全需要帮助 | Bedridden | 10
    """),
}  # fmt: skip
SELF_CARE: Final = form(
    "self-care", "老年人生活自理能力评估", "Self-care assessment", SELF_CARE_LINES, CARE_SETS, bands="checkup.selfcare_bands",
    source="老年人生活自理能力评估表（五项，0–37 分）",
)  # fmt: skip

_WORDS: Final = options(
    "recall",
    """
    0 | 一个也没说出 | None | 0
    1 | 说出一个 | One | 1
    2 | 说出两个 | Two | 2
    3 | 三个都说出 | All three | 3
""",
)
COGNITION: Final = form("cognition-screen", "老年人认知功能粗筛", "Cognition screen", """
cognition-how | display | 慢慢说出三件常见物品，请老人立即重复；一分钟后再请老人说出。 | Name three objects; ask at once and after a minute.
cognition-now | choice | 立即重复 | Recall at once | req own opt=recall obs
cognition-later | choice | 一分钟后回忆 | Recall after a minute | req own opt=recall obs
mmse-hint | display | 粗筛阳性：请做简易智力状态检查并填写总分。 | Positive: do the mental state examination. | when=cognition-later=0|1|2
mmse | integer | 简易智力状态检查总分 | Mental state examination, total | code=72106-8 range=mmse obs when=cognition-later=0|1|2
cognition-note | text | 说明 | Remark
""", {"recall": _WORDS}, source="国家规范健康体检表：粗筛阴性/阳性，阳性者记录简易智力状态检查总分；措辞为本系统自拟")  # fmt: skip

_MOOD: Final = (
    ("satisfied", "总的说来，您对现在的日子满意吗？", "Content with life", False),
    ("dropped", "从前爱做的事，是不是有许多不再做了？", "Dropped interests", True),
    ("empty", "会不会觉得日子空落落的？", "Life feels empty", True),
    ("bored", "是不是常常提不起精神、觉得无聊？", "Often bored", True),
    ("cheerful", "大部分时间里，心情是好的吗？", "Mostly cheerful", False),
    ("afraid", "会不会担心有不好的事落到自己头上？", "Afraid of harm", True),
    ("happy", "一天里多半是高兴的吗？", "Mostly happy", False),
    ("helpless", "是不是常常感到没有依靠、使不上劲？", "Often helpless", True),
    ("indoors", "比起出门走走，是不是更愿意待在家里？", "Rather stays in", True),
    ("memory", "觉得自己的记性比旁人差许多吗？", "Memory worse than others", True),
    ("alive", "觉得现在能这样活着是件好事吗？", "Good to be alive", False),
    ("worthless", "是不是觉得自己没什么用了？", "Feels worthless", True),
    ("energy", "觉得自己精力还充足吗？", "Full of energy", False),
    ("hopeless", "是不是觉得自己的处境没有盼头？", "Feels hopeless", True),
    ("others", "觉得多数人都过得比自己好吗？", "Others are better off", True),
)
"""Link, our own wording, English, and whether "yes" is the answer that counts a point."""
_YES_COUNTS: Final = options("mood-yes", "yes | 是 | Yes | 1\nno | 否 | No | 0")
_NO_COUNTS: Final = options("mood-no", "yes | 是 | Yes | 0\nno | 否 | No | 1")
_ROWS: Final = "\n".join(f"  mood-{link} | choice | {zh} | {en} | req own opt={'yes' if bad else 'no'}" for link, zh, en, bad in _MOOD)
MOOD: Final = form("mood-screen", "老年人情感状态筛查", "Mood screen", f"""
mood-sad | boolean | 近来是不是常常感到难过、情绪低落？ | Often sad lately | req own obs
mood-poor | boolean | 近来是不是觉得心情不好、不想做事？ | Low spirits lately | req own obs
mood | group | 粗筛阳性：请逐条询问近一周的感受 | Positive: ask about the last week | own x=score when=mood-sad=true when=mood-poor=true
{_ROWS}
  mood-total | integer | 情感状态总分 | Total | sum={",".join(f"mood-{link}" for link, *_ in _MOOD)} range=mood
""", {"yes": _YES_COUNTS, "no": _NO_COUNTS}, bands="forms.mood_bands",
    source="国家规范健康体检表：粗筛阴性/阳性，阳性者记录抑郁评分；十五条是否题，措辞为本系统自拟")  # fmt: skip
