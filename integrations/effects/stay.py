"""A hospital stay or visit as FHIR Encounter: written by ADT events that may come late, twice or in the wrong order."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b

from healthsvc.fhir.elements import concept
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import BASE, V3_ACT_CODE, V3_PARTICIPATION, hospital_number, visit_number
from healthsvc.store import Store
from healthsvc.visit.ward import inside
from integrations.effects.by_rule import by_its_own_word, is_closed_by_rule
from integrations.effects.erasing import erase
from integrations.hl7v2.adt import Stay
from integrations.hl7v2.values import is_before

CLASS_NAMES = {
    "IMP": "inpatient encounter",
    "ACUTE": "inpatient acute",
    "AMB": "ambulatory",
    "EMER": "emergency",
    "OBSENC": "observation encounter",
    "PRENC": "pre-admission",
    "SS": "short stay",
    "HH": "home health",
    "VR": "virtual",
    "FLD": "field",
}
_ATTENDING = [concept(V3_PARTICIPATION, "ATND")]
STAY = "stay-"
"""How the id of a stay begins that a hospital has told of."""
OPEN = frozenset({"planned", "arrived", "triaged", "in-progress", "onleave", "unknown"})


class Move(StrEnum):
    """What an event does to a stay."""

    ADMIT = "admit"
    PLAN = "plan"
    TRANSFER = "transfer"
    DISCHARGE = "discharge"
    CHANGE = "change"
    CANCEL_TRANSFER = "cancel-transfer"
    CANCEL_ADMIT = "cancel-admit"
    CANCEL_DISCHARGE = "cancel-discharge"
    LEAVE = "leave"
    RETURN = "return"


MOVES = {
    "A01": Move.ADMIT,
    "A02": Move.TRANSFER,
    "A03": Move.DISCHARGE,
    "A04": Move.ADMIT,
    "A05": Move.PLAN,
    "A06": Move.ADMIT,
    "A07": Move.ADMIT,
    "A08": Move.CHANGE,
    "A11": Move.CANCEL_ADMIT,
    "A12": Move.CANCEL_TRANSFER,
    "A13": Move.CANCEL_DISCHARGE,
    "A09": Move.TRANSFER,
    "A10": Move.TRANSFER,
    "A14": Move.PLAN,
    "A21": Move.LEAVE,
    "A22": Move.RETURN,
    "A27": Move.CANCEL_ADMIT,
    "A38": Move.CANCEL_ADMIT,
    "A52": Move.RETURN,
    "A53": Move.LEAVE,
    "A54": Move.CHANGE,
    **dict.fromkeys(("A15", "A16", "A25", "A26", "A55", "A61", "A62", "P12"), Move.CHANGE),
    "A17": Move.TRANSFER,
    "A32": Move.CANCEL_TRANSFER,
    "A33": Move.CANCEL_TRANSFER,
}


@dataclass(frozen=True, slots=True)
class Moved:
    """A stay before and after an event."""

    before: Resource | None
    after: Resource

    @property
    def id(self) -> str:
        """Encounter id."""
        return str(self.after["id"])

    def begins(self, classes: Collection[str]) -> bool:
        """Whether the person has come to be in hospital by this event (a stay of one of these classes)."""
        return inside(self.after, classes) and not (self.before and inside(self.before, classes))

    def ends(self, classes: Collection[str]) -> bool:
        """Whether the person has ceased to be in hospital by this event."""
        return bool(self.before) and inside(self.before, classes) and not inside(self.after, classes)

    def is_new_as(self, status: str) -> bool:
        """Whether the stay has just come to be in this state."""
        return self.after["status"] == status and (self.before is None or self.before["status"] != status)


@dataclass(frozen=True, slots=True)
class Late:
    """Whether an event comes after a later one of the same stay has been applied: one that moved it, or any at all."""

    state: bool = False
    details: bool = False


def has_ended(encounter: Resource | None, told: Stay) -> bool:
    """Whether the very stay that is told of (of the same class) has ended, by the hospital's own word."""
    here = encounter or {}
    return here.get("status") == "finished" and here.get("class", {}).get("code") == told.code and not is_closed_by_rule(here)


def opaque(*parts: str) -> str:
    """An id made of meaning that shows none of it: the same parts give the same id."""
    return blake2b("\x1f".join(parts).encode(), digest_size=15).hexdigest()


def organization_id(hospital: str) -> str:
    """The id under which a hospital that is only known by its code becomes an Organization."""
    return f"hospital-{opaque(hospital)}"


def move(store: Store, id: str, patient: str, stay: Stay, event: Move, hospital: str, happened: datetime, late: Late) -> Moved:
    """Apply an event to the stay with this Encounter id. A late one fills in what is missing and takes nothing back."""
    stale = late.details
    before = store.find("Encounter", id)
    after: Resource = _copied(before) if before else {"resourceType": "Encounter", "id": id, "status": "unknown"}
    after["status"] = _status(before, event, stay, stale=late.state)
    _class(after, stay, replace_it=not stale or before is None)
    after.setdefault("subject", {"reference": f"Patient/{patient}"})
    _period(after, before, event, stay, happened, late)
    _identifiers(after, stay, hospital)
    if not stale:
        erase(after, stay)
    _places(store, after, stay, hospital, stale=stale, event=event)
    by_its_own_word(after)
    made = _ordered(after)
    return Moved(before, before if made == before else store.put(made))


def _copied(encounter: Resource) -> Resource:
    """A copy in which everything that an event may change is its own."""
    copy = dict(encounter)
    for key in ("hospitalization", "serviceProvider"):
        if key in copy:
            copy[key] = dict(copy[key])
    if "location" in copy:
        copy["location"] = [dict(one) for one in copy["location"]]
    return copy


def _status(before: Resource | None, event: Move, stay: Stay, *, stale: bool) -> str:
    now = str(before["status"]) if before else ""
    if stale:
        # an admission that comes after its discharge completes the record; nothing reopens
        return now
    if event is Move.ADMIT:
        return "in-progress"
    if event is Move.PLAN:
        return now or "planned"
    if event is Move.DISCHARGE:
        return "finished"
    if event is Move.CANCEL_ADMIT:
        return "cancelled"
    if event in (Move.CANCEL_DISCHARGE, Move.RETURN):
        return "in-progress"
    if event is Move.LEAVE:
        return "onleave"
    if event is Move.TRANSFER and is_closed_by_rule(before):
        return "in-progress"
    return now or ("finished" if stay.discharged else "unknown")


def _class(encounter: Resource, stay: Stay, *, replace_it: bool) -> None:
    if "class" not in encounter or (replace_it and stay.class_told):  # a word that nobody knows moves nobody into a ward, nor out of it
        encounter["class"] = {"system": V3_ACT_CODE, "code": stay.code, "display": CLASS_NAMES.get(stay.code, stay.code)}
    if "type" in encounter and not stay.class_sent:
        return
    types = [*([{"text": stay.class_sent}] if stay.class_sent else []), *stay.more.get("type", ())]
    if types and (replace_it or "type" not in encounter):
        encounter["type"] = types


def _period(encounter: Resource, before: Resource | None, event: Move, stay: Stay, happened: datetime, late: Late) -> None:
    period: dict[str, str] = dict(encounter.get("period", {}))
    if event is Move.ADMIT and not late.state and before is not None and before["status"] == "cancelled":
        period.pop("start", None)  # that admission never was
    if stay.admitted and (not late.details or "start" not in period):
        period["start"] = stay.admitted.fhir
    elif event is Move.ADMIT and "start" not in period:
        period["start"] = happened.isoformat()
    if not late.state:
        if event is Move.DISCHARGE:
            period["end"] = stay.discharged.fhir if stay.discharged else happened.isoformat()
        elif event in (Move.CANCEL_DISCHARGE, Move.ADMIT, Move.RETURN):
            period.pop("end", None)
        elif encounter["status"] == "finished" and stay.discharged and not late.details:
            period["end"] = stay.discharged.fhir  # A08 corrects the discharge
    if "end" in period and "start" in period and is_before(period["end"], period["start"]):
        period.pop("start")
    encounter["period"] = period  # an empty one is left out in the end


def _identifiers(encounter: Resource, stay: Stay, hospital: str) -> None:
    if stay.number:
        number = {"system": visit_number(hospital), "value": stay.number}
        if number not in encounter.get("identifier", []):
            encounter["identifier"] = [*encounter.get("identifier", []), number]


def hospital_on_file(store: Store, hospital: str) -> Resource | None:
    """The Organization of a hospital: the one that the site keeps under the hospital's code, else the one made of its messages."""
    return store.find("Organization", hospital) or store.find("Organization", organization_id(hospital))


def _called(store: Store, hospital: str) -> str:
    """The hospital's name where that is known; readers should not meet its code."""
    return str((hospital_on_file(store, hospital) or {}).get("name", ""))


def _places(store: Store, encounter: Resource, stay: Stay, hospital: str, *, stale: bool, event: Move) -> None:
    encounter.setdefault("serviceProvider", {"identifier": {"system": f"{BASE}/NamingSystem/hospital", "value": hospital}})
    if "display" not in encounter["serviceProvider"] and (name := _called(store, hospital) or stay.facility):
        encounter["serviceProvider"]["display"] = name
    if not stale or "location" not in encounter:
        _moved(encounter, stay, hospital, back=event is Move.CANCEL_TRANSFER)
    if encounter["status"] not in OPEN:
        for one in encounter.get("location", []):
            one["status"] = "completed"
    elif event is Move.CANCEL_DISCHARGE and not stale and encounter.get("location"):
        encounter["location"][-1]["status"] = "active"
    if not stale or "participant" not in encounter:
        _participants(encounter, stay, hospital)
    if stay.reason and (not stale or "reasonCode" not in encounter):
        encounter["reasonCode"] = [{"text": stay.reason}]
    _more(encounter, stay, stale=stale)


def _participants(encounter: Resource, stay: Stay, hospital: str) -> None:
    """Who takes part; whoever is in a part of which the message says nothing stays."""
    told: list[Resource] = list(stay.more.get("participant", ()))
    if stay.attending:
        person: Resource = {"display": stay.attending.text or stay.attending.code}
        if stay.attending.code:
            person["identifier"] = {"system": f"{hospital_number(hospital)}/staff", "value": stay.attending.code}
        told.insert(0, {"type": _ATTENDING, "individual": person})
    types = [one["type"] for one in told]
    kept = [one for one in encounter.get("participant", ()) if one.get("type") not in types]
    attending = [one for one in kept if one.get("type") == _ATTENDING]
    if told:
        encounter["participant"] = [*attending, *told, *(one for one in kept if one not in attending)]


def _moved(encounter: Resource, stay: Stay, hospital: str, *, back: bool) -> None:
    """Where the person is now; ``back``: the place where they were thought to be is taken back, as if they had never been there."""
    places: list[Resource] = encounter.get("location", [])
    now: Resource | None = None
    if stay.department:
        words = stay.department.text or stay.department.code
        now = {"display": f"{words} {stay.bed.removesuffix('床')}床" if stay.bed else words}
        if stay.department.code:
            now["identifier"] = {"system": f"{hospital_number(hospital)}/unit", "value": stay.department.code}
    if back:
        places = [one for one in places if one.get("status") != "active" or one["location"] == now] or places
        now = now or places[-1]["location"] if places else now
    if now is None:
        return
    former = [one | {"status": "completed"} for one in places if one["location"] != now]
    encounter["location"] = [*former, {"location": now, "status": "active"}]


def _more(encounter: Resource, stay: Stay, *, stale: bool) -> None:
    """What else the hospital says of the visit; a late word only fills gaps."""
    told = {key: value for key, value in stay.more.items() if key not in ("type", "participant", "hospitalization")}
    around = dict(stay.more.get("hospitalization", {}))
    if stay.vip:
        ours = [one for one in encounter.get("hospitalization", {}).get("specialCourtesy", ()) if "coding" in one]
        around["specialCourtesy"] = [{"text": stay.vip}, *ours]
    if around:
        held = encounter.get("hospitalization", {})
        told["hospitalization"] = {**around, **held} if stale else {**held, **around}
    if "extension" in told:
        urls = {one["url"] for one in told["extension"]}
        kept = [one for one in encounter.get("extension", ()) if one["url"] not in urls]
        told["extension"] = [*kept, *told["extension"]]
    for key, value in told.items():
        if not stale or key not in encounter or key == "hospitalization":
            encounter[key] = value


def _ordered(encounter: Resource) -> Resource:
    return {key: value for key, value in encounter.items() if value not in (None, [], {})}
