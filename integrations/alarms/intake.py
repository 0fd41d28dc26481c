"""An alarm as a hotline or a device sends it: a small JSON object. Read strictly, so that nothing is guessed in an emergency."""

from dataclasses import dataclass
from datetime import datetime

from healthsvc.emergency import service
from healthsvc.emergency.rules import Alarm
from healthsvc.errors import Invalid, Malformed
from healthsvc.fhir.json import loads
from healthsvc.store import Store

_FIELDS = frozenset({"device", "system", "patient", "kind", "at", "source", "text"})


@dataclass(frozen=True, slots=True)
class Message:
    """What a device or hotline says."""

    kind: str
    source: str
    device: str | None = None
    system: str = service.DEVICE_NUMBER
    patient: str | None = None
    at: datetime | None = None
    text: str = ""


def read_message(raw: bytes) -> Message:
    """Read a message.

    Raises:
        Malformed: no JSON object. Invalid: neither or both of device and patient, an unknown field, a time without a zone.
    """
    values = loads(raw)
    if not isinstance(values, dict):
        raise Malformed('an alarm is a JSON object such as {"device": "0001", "kind": "help", "source": "81890"}')
    if unknown := sorted(set(values) - _FIELDS):
        raise Invalid(f"unknown {', '.join(unknown)}; an alarm has {', '.join(sorted(_FIELDS))}", path=unknown[0])
    if wrong := sorted(key for key, value in values.items() if not isinstance(value, str)):
        raise Invalid(f"{wrong[0]} must be text", path=wrong[0])
    if ("device" in values) == ("patient" in values):
        raise Invalid("an alarm names its device or its patient, one of them", path="device")
    at = None
    if "at" in values:
        try:
            at = datetime.fromisoformat(values["at"])
        except ValueError:
            raise Invalid("at must be a date and time such as 2026-11-22T08:00:00+08:00", path="at") from None
        if at.tzinfo is None:
            raise Invalid("at needs its zone, for example +08:00", path="at")
    rest = {key: value for key, value in values.items() if key not in ("at", "kind", "source")}
    return Message(kind=values.get("kind", "help"), source=values.get("source", "device"), at=at, **rest)


def take_in(store: Store, message: Message) -> Alarm:
    """Raise the alarm."""
    return service.take_in(store, message.patient, message.device, message.system, message.kind, message.source, message.at, message.text)
