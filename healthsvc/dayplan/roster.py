"""值班 Staff and what the planner must know of them, written as FHIR: enrol somebody, give them duty on a day, note a station's car."""

from datetime import date, datetime, time, timedelta

from healthsvc.dayplan.staffing import CAR, MODES, TRAVEL_MODE
from healthsvc.errors import Invalid, NotFound
from healthsvc.fhir.elements import concept, extension, instant, reference
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.store import Store

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ROLES = frozenset({"doctor", "nurse"})
Hours = tuple[time, time]


def hours_of(text: str) -> Hours:
    """Read ``08:00-17:00``; what ends before it begins is a night: ``20:00-08:00``.

    Raises:
        Invalid: it is written otherwise, or ends when it begins.
    """
    try:
        begins, ends = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise Invalid(f"hours are written 08:00-17:00, not {text}", path="hours") from None
    if ends == begins:
        raise Invalid(f"hours end when they begin: {text}", path="hours")
    return begins, ends


def enrol(
    store: Store,
    id: str,
    name: str,
    station: str,
    skills: dict[str, date | None],
    hours: tuple[Hours, ...],
    days: tuple[str, ...] = DAYS[:5],
    mode: str | None = None,
) -> Resource:
    """Write somebody with one role at a station; the same again changes nothing. Returns the role.

    Args:
        store: an open writing transaction.
        id: Practitioner id.
        name: as people call them.
        station: Location id of the station where the day starts and ends.
        skills: doctor or nurse, and whatever else they may do (infusion), each with the last day on which it holds (None: no end).
        hours: stretches of the usual day; between two of them lies the break.
        days: days of the usual week.
        mode: walk, ebike or drive (None: as policy says).

    Raises:
        Invalid: neither doctor nor nurse, an unknown day or mode, or no hours.
        NotFound: there is no such station.
    """
    role = next((skill for skill in ("doctor", "nurse") if skill in skills), None)
    if role is None:
        raise Invalid("whoever makes visits is a doctor or a nurse; name one of the two as a skill", path="skills")
    if unknown := sorted(set(days) - set(DAYS)):
        raise Invalid(f"unknown days {', '.join(unknown)}; days are {', '.join(DAYS)}", path="days")
    if mode is not None and mode not in MODES:
        raise Invalid(f"nobody travels by {mode}; known are {', '.join(sorted(MODES))}", path="mode")
    if not hours:
        raise Invalid("a role needs its hours, for example 08:00-17:00", path="hours")
    _check_station(store, station)
    person = store.find("Practitioner", id) or {"resourceType": "Practitioner", "id": id}
    held = [
        {
            "code": concept(code_system("staff-qualification"), skill),
            **({"period": {"end": last.isoformat()}} if last else {}),
        }
        for skill, last in sorted(skills.items())
    ]
    store.put(person | {"active": True, "name": [{"text": name}], "qualification": held})
    extra = [skill for skill in sorted(skills) if skill != role]
    made: Resource = {
        "resourceType": "PractitionerRole",
        "id": f"role-{id}-{station}",
        "active": True,
        "practitioner": {**reference("Practitioner", id), "display": name},
        "code": [concept(code_system("care-role"), role)],
        "specialty": [concept(code_system("care-skill"), skill) for skill in (role, *extra)],
        "location": [reference("Location", station)],
        "availableTime": [
            {"daysOfWeek": list(days), "availableStartTime": begins.isoformat(), "availableEndTime": ends.isoformat()}
            for begins, ends in hours
        ],
    }
    if mode is not None:
        made["extension"] = [extension("travel-mode", valueCode=mode)]
    known = store.find("PractitionerRole", str(made["id"])) or {}
    return store.put(made | {name: known[name] for name in ("notAvailable",) if name in known})


def give_duty(store: Store, practitioner: str, on: date, hours: tuple[Hours, ...], station: str | None = None) -> Resource:
    """Write the roster of one person for one day; it overrules the usual week (no hours: a day off). Returns the Schedule.

    Raises:
        NotFound: there is no such person or station.
    """
    if store.find("Practitioner", practitioner) is None:
        raise NotFound("there is nobody of that id")
    if station is not None:
        _check_station(store, station)
    id = f"duty-{practitioner}-{on.isoformat()}"
    schedule = store.put(
        {
            "resourceType": "Schedule",
            "id": id,
            "active": True,
            "actor": [reference("Practitioner", practitioner), *([reference("Location", station)] if station else [])],
            "planningHorizon": {"start": on.isoformat(), "end": on.isoformat()},
        }
    )
    for slot in store.select("Slot", schedule=id):
        store.delete("Slot", str(slot["id"]))
    for number, (begins, ends) in enumerate(hours, 1):
        start = datetime.combine(on, begins, store.zone)
        end = datetime.combine(on if ends > begins else on + timedelta(days=1), ends, store.zone)
        store.put(
            {
                "resourceType": "Slot",
                "id": f"{id}-{number}",
                "schedule": reference("Schedule", id),
                "status": "free",
                "start": instant(start),
                "end": instant(end),
            }
        )
    return schedule


def note_car(store: Store, id: str, station: str, *, usable: bool = True) -> Resource:
    """Note a car of a station, or that it cannot be used for the time being.

    Raises:
        NotFound: there is no such station.
    """
    _check_station(store, station)
    return store.put(
        {
            "resourceType": "Device",
            "id": id,
            "status": "active" if usable else "inactive",
            "type": concept(TRAVEL_MODE, CAR),
            "location": reference("Location", station),
        }
    )


def _check_station(store: Store, station: str) -> None:
    if store.find("Location", station) is None:
        raise NotFound("there is no such station; write its Location first")
