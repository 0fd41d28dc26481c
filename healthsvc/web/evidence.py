"""What was looked at, in words: an id tells a reader nothing."""

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


def evidence_word(text: str) -> str:
    """``Type/id`` as the name of its kind; whatever else was noted stays as it is.

    >>> evidence_word("Consent/c-1"), evidence_word("2026-11-28 PS-07"), evidence_word("Location/x")
    ('知情同意', '2026-11-28 PS-07', '')
    """
    kind, slash, id = text.partition("/")
    if slash and kind.isalpha() and kind[:1].isupper() and id and " " not in id:
        return TYPE_NAMES.get(kind, "")
    return text
