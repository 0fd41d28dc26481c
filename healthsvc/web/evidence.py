"""What was looked at, in words: an id tells a reader nothing."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Final

TYPE_NAMES: Final = {
    "AllergyIntolerance": "过敏登记",
    "CarePlan": "治疗计划",
    "Condition": "诊断",
    "Consent": "知情同意",
    "Contract": "签约协议",
    "DocumentReference": "文书",
    "Encounter": "就诊记录",
    "EpisodeOfCare": "家庭病床",
    "MedicationAdministration": "用药记录",
    "MedicationRequest": "用药医嘱",
    "Observation": "检验结果",
    "Practitioner": "医护人员",
    "PractitionerRole": "岗位",
    "Procedure": "操作记录",
    "QuestionnaireResponse": "表单",
    "Task": "上门任务",
}


_REGIMES: Final = {"home-bed": "家庭病床", "contract": "签约协议"}
_SAID: Final = (
    (re.compile(r"drug list (.+)"), "药品目录 {}"),
    (re.compile(r"batch (.+)"), "批号 {}"),
    (re.compile(r"(\d+) on file"), "档案中登记 {} 条"),
    (re.compile(r"(\d+) of (\d+) min"), "时段 {} 分钟，需 {} 分钟"),
)
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T[^ ]+")


def evidence_word(text: str, zone: tzinfo = UTC, language: str = "zh") -> str:
    """What a gate has looked at, as a reader understands it: ``Type/id`` as the name of its kind, moments to the minute in the site's zone.

    >>> evidence_word("Consent/c-1"), evidence_word("2026-11-28 PS-07"), evidence_word("Location/x"), evidence_word("batch B1")
    ('知情同意', '2026-11-28 PS-07', '', '批号 B1')
    """
    kind, slash, id = text.partition("/")
    if slash and id and " " not in id:
        if kind in _REGIMES:
            return _REGIMES[kind]
        if kind.isalpha() and kind[:1].isupper():
            return TYPE_NAMES.get(kind, "")
    found = _MOMENT.fullmatch(text)
    if found:
        return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}"
    if language == "zh":
        for pattern, words in _SAID:
            if told := pattern.fullmatch(text):
                return words.format(*told.groups())
    return text
