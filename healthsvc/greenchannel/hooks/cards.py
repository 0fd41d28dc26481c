"""Which services there are, and the card that each answers with. Pure: values in, JSON values out (CDS Hooks 2.0)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from healthsvc.fhir.systems import code_system
from healthsvc.greenchannel.rules import REASON_NAMES, RIGHT_NAMES, STANDING_NAMES, Answer, Right, Standing

PREFETCH: Final = {"patient": "Patient/{{context.patientId}}"}
TOPIC: Final = code_system("green-channel")
SUMMARY_LENGTH: Final = 140
"""Characters that a card's summary may have (CDS Hooks 2.0, "Card Attributes")."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: at which hook it is called, and which rights matter there."""

    hook: str
    title: str
    description: str
    rights: frozenset[Right]

    @property
    def id(self) -> str:
        """Id in the address."""
        return f"green-channel-{self.hook}"


SERVICES: Final = {
    one.id: one
    for one in (
        Service("patient-view", "绿色通道 Green channel", "打开病历时提示优先权益 Shows priorities when a record is opened.",
                frozenset(Right)),
        Service("appointment-book", "优先就诊 Priority consultation", "预约时提示优先就诊 Shows priority when an appointment is booked.",
                frozenset({Right.CONSULTATION})),
        Service("order-sign", "优先结算、优先取药 Priority settlement and dispensing",
                "签署医嘱时提示优先结算、取药 Shows priority in settling and dispensing when orders are signed.",
                frozenset({Right.SETTLEMENT, Right.DISPENSING})),
    )
}  # fmt: skip


def discovery() -> dict[str, Any]:
    """What ``GET /cds-services`` answers."""
    return {
        "services": [
            {"hook": one.hook, "id": one.id, "title": one.title, "description": one.description, "prefetch": PREFETCH}
            for one in SERVICES.values()
        ]
    }


def drafted(context: dict[str, Any]) -> frozenset[Right]:
    """The rights that the drafted orders of an order-sign call on: a drug is dispensed, everything is settled."""
    entries = (context.get("draftOrders") or {}).get("entry") or []
    kinds = {(one.get("resource") or {}).get("resourceType") for one in entries if isinstance(one, dict)}
    return frozenset({Right.SETTLEMENT} | ({Right.DISPENSING} if kinds & {"MedicationRequest"} or not kinds else set()))


def cards(service: Service, answer: Answer, source: str, uuid: str, wanted: Iterable[Right] | None = None) -> list[dict[str, Any]]:
    """The cards for a person: one with the rights that matter here, one where the channel has ended, none where there is nothing to say."""
    matter = service.rights & frozenset(wanted) if wanted is not None else service.rights
    rights = [right for right in Right if right in answer.rights & matter]
    origin = {"label": source, "topic": {"system": TOPIC, "code": "green-channel", "display": "绿色通道"}}
    if answer.entitled and rights:
        names = "、".join(RIGHT_NAMES[right][0] for right in rights)
        names_en = ", ".join(RIGHT_NAMES[right][1] for right in rights)
        reason, reason_en = REASON_NAMES[answer.reason] if answer.reason else ("", "")
        until = answer.valid_to.isoformat() if answer.valid_to else ""
        detail = f"**{names}**（{reason}）" + (f"，有效至 {until}" if until else "")
        detail += f"\n\n{names_en} ({reason_en})" + (f", valid to {until}" if until else "")
        card = {"summary": f"绿色通道：{names}（{reason}）"[:SUMMARY_LENGTH], "detail": detail, "indicator": "info"}
        return [{"uuid": uuid, **card, "source": origin}]
    if answer.standing in (Standing.EXPIRED, Standing.NOT_YET):
        said, said_en = STANDING_NAMES[answer.standing]
        return [{"uuid": uuid, "summary": said[:SUMMARY_LENGTH], "detail": f"{said}\n\n{said_en}", "indicator": "info", "source": origin}]
    return []
