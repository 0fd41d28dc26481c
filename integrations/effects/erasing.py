"""What a hospital erases of a stay: a field that carries the null ``""`` deletes what stood there (HL7 v2.5.1 2.5.3)."""

from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import extension
from integrations.hl7v2.adt import Stay

_ELEMENTS = {"PV1-10": "serviceType", "PV2-3": "reasonCode", "PV2-25": "priority"}
_AROUND = {
    "PV1-5": "preAdmissionIdentifier",
    "PV1-13": "reAdmission",
    "PV1-14": "admitSource",
    "PV1-15": "specialArrangement",
    "PV1-36": "dischargeDisposition",
    "PV1-37": "destination",
    "PV1-38": "dietPreference",
}
_PARTS = {"PV1-7": "ATND", "PV1-8": "REF", "PV1-9": "CON", "PV1-17": "ADM", "PV1-52": "PART", "PV2-13": "REF"}
_EXPECTED = {"PV2-8": extension("expected-admission"), "PV2-9": extension("expected-discharge")}


def erase(encounter: Resource, stay: Stay) -> None:
    """Take out (in place) what the message erases; class, number and times of a stay are never erased by a feed."""
    for place in stay.erased:
        if place in _ELEMENTS:
            encounter.pop(_ELEMENTS[place], None)
        elif place in _AROUND:
            encounter.get("hospitalization", {}).pop(_AROUND[place], None)
        elif place == "PV1-16":  # theirs; that our channel is open is our own word
            around = encounter.get("hospitalization", {})
            around["specialCourtesy"] = [one for one in around.get("specialCourtesy", ()) if "coding" in one]
        elif place == "PV1-3":
            for one in encounter.get("location", ()):
                one["status"] = "completed"
        elif place in _PARTS:
            encounter["participant"] = [one for one in encounter.get("participant", ()) if _part(one) != _PARTS[place]]
        elif place in _EXPECTED:
            encounter["extension"] = [one for one in encounter.get("extension", ()) if one["url"] != _EXPECTED[place]]
    around = encounter.get("hospitalization", {})
    for key in [key for key, value in around.items() if not value]:
        del around[key]


def _part(participant: Resource) -> str:
    return next((str(coding.get("code")) for type in participant.get("type", ()) for coding in type.get("coding", ())), "")
