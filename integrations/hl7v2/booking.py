"""SIU: what the hospital has booked for a person, moved or called off. Text to values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from healthsvc.errors import Invalid
from healthsvc.fhir.json import Resource
from integrations.hl7v2.er7 import Message, Segment
from integrations.hl7v2.header import Header
from integrations.hl7v2.maps import care
from integrations.hl7v2.maps.row import View, pour
from integrations.hl7v2.person import Demographics, demographics
from integrations.hl7v2.values import clean, coded, lines, moment
from integrations.hospitals.profile import Profile

BOOKING_EVENTS = {
    "S12": "booked", "S13": "booked", "S14": "booked", "S15": "cancelled", "S16": "cancelled", "S17": "entered-in-error",
    "S18": "booked", "S19": "booked", "S20": "booked", "S21": "booked", "S22": "booked", "S26": "noshow",
}  # fmt: skip
"""Event to appointmentstatus; SCH-25 may say more of those that are booked, and why one that is called off was."""
_CALLED_OFF = frozenset({"cancelled", "noshow", "entered-in-error"})
_MINUTES = {"": 1.0, "M": 1.0, "S": 1 / 60, "H": 60.0, "D": 1440.0}


@dataclass(frozen=True, slots=True)
class Booking:
    """One SIU message: the Appointment without person and id."""

    event: str
    person: Demographics
    number: str
    """SCH-2, the scheduling system's number, else SCH-1, the asker's."""
    appointment: Resource
    sent: datetime | None


def read_booking(message: Message, header: Header, profile: Profile, zone: tzinfo) -> Booking:
    """Read SIU^S12 to S22 and S26.

    Raises:
        Invalid: it has no PID, no SCH, or an appointment without a number.
    """
    for name in ("PID", "SCH"):
        if name not in message:
            raise Invalid(f"the message has no {name} segment, so nothing can be booked for anybody", path=name, reason="segment-missing")
    sch = message["SCH"]
    number = next((text for n in (2, 1) if (text := clean(sch[n].component(1).text, profile.nothing))), "")
    if not number:
        raise Invalid("SCH-2 and SCH-1 are empty: an appointment without a number can be neither moved nor called off", path="SCH-2")
    view = View(profile.hospital_of(header), zone, profile.nothing)
    sent = moment(message["MSH"][7].component(1).text, zone)
    return Booking(
        event=header.trigger,
        person=demographics(message, header, profile, zone),
        number=number,
        appointment=_appointment(message, header, view, profile.appointment),
        sent=sent.at if sent else None,
    )


def _appointment(message: Message, header: Header, view: View, site: Mapping[str, str]) -> Resource:
    made: Resource = {"resourceType": "Appointment", "status": _status(message, header, site)}
    sch = message["SCH"]
    pour(made, sch, care.SCH_APPOINTMENT, view, nulls=True)
    for name, rows in (("AIS", care.AIS_APPOINTMENT), ("AIG", care.AIG_APPOINTMENT), ("AIL", care.AIL_APPOINTMENT)):
        for segment in message.all(name):
            pour(made, segment, rows, view, nulls=True)
    for segment in message.all("AIP"):
        pour(made, segment, care.AIP_APPOINTMENT, view)
    notes = [words for segment in message.all("NTE") if (words := lines(segment[3], view.nothing))]
    reason = coded(sch[6], view.nothing)
    if made["status"] == "cancelled" and reason:
        made["cancelationReason"] = {"text": reason.text or reason.code}
    elif made["status"] == "noshow" and reason:
        notes.insert(0, reason.text or reason.code)  # R4 app-4 lets only what is called off have a reason
    if notes:
        made["comment"] = "\n".join(dict.fromkeys(notes))
    start, end = _span(message, view)
    if start and end:
        made |= {"start": start.isoformat(), "end": end.isoformat()}
    elif start:
        made["start"] = start.isoformat()  # the effect adds the assumed length
    return made


def _status(message: Message, header: Header, site: Mapping[str, str]) -> str:
    """What the event says, and beside it SCH-25, else AIS-10, by code or text: by the site's own words, then by table 0278."""
    by_event = BOOKING_EVENTS[header.trigger]
    known = {**care.APPOINTMENT_STATUS, **site}
    parts = (message["SCH"][25], message["AIS"][10])
    words = (clean(part.component(n).text).upper() for part in parts for n in (1, 2, 4, 5))
    told = next((known[word] for word in words if word in known), by_event)
    if by_event == "booked":
        return told
    return told if by_event == "cancelled" and told in _CALLED_OFF else by_event


def _span(message: Message, view: View) -> tuple[datetime | None, datetime | None]:
    """From when to when: TQ1, else SCH-11, else the resources; an end that is not given follows from the length."""
    sch, tq1 = message["SCH"], message["TQ1"]
    resources = [one for name in ("AIS", "AIG", "AIL", "AIP") for one in message.all(name)]
    starts = [_at(tq1, 7, 1, view), _at(sch, 11, 4, view)]
    own = sorted(at for one in resources if (at := _at(one, 4 if one.name == "AIS" else 8 if one.name == "AIG" else 6, 1, view)))
    start = next((at for at in (*starts, *own) if at), None)
    end = _at(tq1, 8, 1, view) or _at(sch, 11, 5, view)
    if start and (end is None or end <= start):
        lengths = [_minutes(sch, 9)]
        lengths += [_minutes(one, 7 if one.name == "AIS" else 11 if one.name == "AIG" else 9) for one in resources]
        minutes = next((length for length in lengths if length), None)
        end = start + timedelta(minutes=minutes) if minutes else None
        if end is None:
            return start, None
    return start, end


def _at(segment: Segment, position: int, component: int, view: View) -> datetime | None:
    found = moment(segment[position].component(component).text, view.zone)
    return found.at if found and found.precision in ("minute", "second") else None


def _minutes(segment: Segment, position: int) -> float | None:
    length = clean(segment[position].component(1).text)
    unit = clean(segment[position + 1].component(1).text).upper()[:1]
    try:
        minutes = float(length) * _MINUTES.get(unit, 1.0)
    except ValueError:
        return None
    return minutes if 0 < minutes <= 10080 else None
