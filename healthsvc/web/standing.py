"""How a diagnosis, an allergy, an order or a dose stands, and what an order says of its doses, as the line of time tells it."""

from collections.abc import Mapping
from typing import Final

from healthsvc.fhir.elements import words_of
from healthsvc.fhir.json import Resource

Chips = tuple[tuple[str, str], ...]
TAKEN_BACK: Final[Chips] = (("已撤销", "red"),)
_ORDERS: Final[Mapping[str, Chips]] = {
    "draft": (("待处理", "amber"),), "on-hold": (("暂停", "amber"),), "cancelled": (("已取消", ""),), "stopped": (("已停", "red"),),
    "revoked": (("已取消", ""),), "completed": (("已完成", "green"),), "entered-in-error": TAKEN_BACK,
}  # fmt: skip
"""medicationrequest-status and request-status; one that is in force needs no word."""
_GIVEN: Final[Mapping[str, Chips]] = {
    "completed": (("已完成", "green"),), "stopped": (("中止", "red"),), "not-done": (("未输", "amber"),),
    "in-progress": (("进行中", "blue"),), "on-hold": (("暂停", "amber"),), "entered-in-error": TAKEN_BACK,
}  # fmt: skip
"""medication-admin-status."""
_DONE: Final[Mapping[str, Chips]] = {
    "preparation": (("计划中", "amber"),), "in-progress": (("进行中", "blue"),), "not-done": (("未做", ""),),
    "on-hold": (("暂停", "amber"),), "stopped": (("中止", "red"),), "unknown": (("未确认", "amber"),), "entered-in-error": TAKEN_BACK,
}  # fmt: skip
"""event-status of a Procedure; one that is completed needs no word."""
_CERTAINTY: Final[Mapping[str, Chips]] = {
    "provisional": (("疑似", "amber"),), "differential": (("待排", "amber"),), "unconfirmed": (("未确认", "amber"),),
    "refuted": (("已排除", ""),), "entered-in-error": TAKEN_BACK,
}  # fmt: skip
"""condition-ver-status and allergyintolerance-verification; what is confirmed needs no word."""
_COURSE: Final[Mapping[str, Chips]] = {
    "resolved": (("已愈", "green"),), "inactive": (("非活动", ""),), "remission": (("缓解", "green"),), "recurrence": (("复发", "red"),),
    "relapse": (("复发", "red"),),
}  # fmt: skip
"""condition-clinical and allergyintolerance-clinical; what is active needs no word."""
OVER: Final = frozenset({"resolved", "inactive", "refuted", "entered-in-error"})
"""States of an allergy that no longer warns."""


def of_order(order: Resource) -> Chips:
    """How an order stands, of a drug or of a service."""
    return _ORDERS.get(str(order.get("status")), ())


def of_dose(record: Resource) -> Chips:
    """How the giving of a drug stands."""
    return _GIVEN.get(str(record.get("status")), ())


def of_procedure(record: Resource) -> Chips:
    """How something that was to be done stands."""
    return _DONE.get(str(record.get("status")), ())


def of_finding(finding: Resource) -> Chips:
    """How certain a diagnosis or an allergy is and what has become of it; one that was taken back has no course."""
    certain = _CERTAINTY.get(_state(finding, "verificationStatus"), ())
    gone = _state(finding, "verificationStatus") in OVER
    return certain if gone else (*certain, *_COURSE.get(_state(finding, "clinicalStatus"), ()))


def is_over(finding: Resource) -> bool:
    """Whether it no longer counts: over, refuted, or taken back."""
    return bool({_state(finding, key) for key in ("verificationStatus", "clinicalStatus")} & OVER)


def _state(finding: Resource, key: str) -> str:
    return next((str(one.get("code", "")) for one in finding.get(key, {}).get("coding", ())), "")


def doses(order: Resource) -> tuple[str, ...]:
    """A line for each dosage of an order: its own words, and what they leave out of amount, route, rhythm, times and days."""
    return tuple(line for one in order.get("dosageInstruction", ()) if (line := _dosage(one)))


def given(record: Resource) -> str:
    """What was given of a drug: amount and route; empty where nobody says."""
    dosage = record.get("dosage", {})
    return "，".join(filter(None, (_amount(dosage.get("dose", {})), words_of(dosage.get("route", {})))))


def _dosage(dosage: Resource) -> str:
    timing = dosage.get("timing", {})
    repeat, own = timing.get("repeat", {}), str(dosage.get("text", ""))
    parts = [
        *(_rate(one) for one in dosage.get("doseAndRate", ())),
        words_of(dosage.get("route", {})),
        words_of(timing.get("code", {})),
        "、".join(str(one)[:5] for one in repeat.get("timeOfDay", ())),
        _days(repeat.get("boundsPeriod", {})),
        f"共 {repeat['count']} 次" if "count" in repeat else "",
        *(words_of(one) for one in dosage.get("additionalInstruction", ())),
    ]
    return "，".join(filter(None, [own, *(part for part in parts if part and part not in own)]))


def _rate(one: Resource) -> str:
    span = one.get("doseRange", {})
    low, high = (_amount(span.get(end, {})) for end in ("low", "high"))
    amount = f"{low} – {high}" if low and high else _amount(one.get("doseQuantity", {})) or low or high
    return "，".join(filter(None, (amount, _amount(one.get("rateQuantity", {})))))


def _amount(quantity: Resource) -> str:
    return f"{quantity['value']} {quantity.get('unit', '')}".strip() if "value" in quantity else ""


def _days(period: Resource) -> str:
    start, end = (str(period.get(key, ""))[:10] for key in ("start", "end"))
    return f"{start} – {end}" if start and end and start != end else start or (f"– {end}" if end else "")
