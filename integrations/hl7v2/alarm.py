"""ORU^R40: a device or an alarm centre says that somebody calls for help (IHE PCD, Alert Communication Management). Text to values."""

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from healthsvc.errors import Invalid
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.header import Header
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.values import Moment, clean, moment
from integrations.hospitals.profile import Profile

ALARM_EVENTS: Final = frozenset({"R40"})
KINDS: Final = {
    "help": ("help", "sos", "求助", "呼救", "求救"),
    "fall": ("fall", "跌倒", "摔倒"),
    "sudden-illness": ("sudden-illness", "illness", "突发疾病", "急病", "不适"),
    "device-silent": ("device-silent", "offline", "失联", "离线"),
    "drill": ("drill", "test", "演练", "测试"),
}
"""Our kinds of alarm by the words that senders use in OBX-3 or OBX-5; whatever is not here is a call for help."""


_DEVICE: Final = {"PRT": 10, "OBX": 18, "OBR": 10}
"""Where a segment names the device, as an entity identifier."""


@dataclass(frozen=True, slots=True)
class AlarmEvent:
    """One call for help: by whom, or from which device, of which kind and when."""

    kind: str
    device: str
    device_system: str
    person: Demographics | None
    at: Moment | None
    text: str


def read_alarm(message: Message, header: Header, profile: Profile, zone: tzinfo) -> AlarmEvent:
    """Read an alarm; the device is in PRT-10, OBX-18 or OBR-10, the person in PID.

    Raises:
        Invalid: it names neither a device nor a person.
    """
    person = demographics(message, header, profile, zone) if "PID" in message and message["PID"][3] else None
    numbers = [segment[place] for segment in message.segments if (place := _DEVICE.get(segment.name)) and segment[place]]
    device, system = next(((clean(one.component(1).text), clean(one.component(3).text)) for one in numbers), ("", ""))
    if not device and (person is None or not person.numbers):
        raise Invalid("an alarm names its device (PRT-10, OBX-18 or OBR-10) or its person (PID-3)", path="OBX-18", reason="no-person")
    words = [clean(part.text) for obx in message.all("OBX") for field in (3, 5) for part in obx[field].components if part]
    kind = next((kind for kind, known in KINDS.items() for word in words if word.lower() in known), "help")
    obr = message.get("OBR")
    when = moment(obr[7].component(1).text, zone) if obr else None
    said = [clean(obx[5].text) for obx in message.all("OBX") if clean(obx[2].text) in ("ST", "TX", "FT") and clean(obx[5].text)]
    return AlarmEvent(kind, device, system, person, when or moment(message["MSH"][7].component(1).text, zone), "；".join(said)[:500])
