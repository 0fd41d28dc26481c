"""时间线 one person's line of time, newest first, page by page: what happened when comes from the index, only what shows is read."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from healthsvc.circle.resources import TRAVEL_CODES
from healthsvc.documents.resources import KIND
from healthsvc.emergency.resources import EMERGENCY
from healthsvc.fhir.dates import END
from healthsvc.fhir.elements import reference_id
from healthsvc.fhir.json import Resource
from healthsvc.healthfile.inpatient import inpatient_classes
from healthsvc.healthfile.service import follow, replaced
from healthsvc.store import Store, chronicle
from healthsvc.store.stored import micros
from healthsvc.web.lookup import Directory
from healthsvc.web.telling import ATTENDED, Event, Teller

KINDS: Final = ("", "hospital", "result", "visit", "care")
"""What the line can be narrowed to; empty: everything."""
PAGE: Final = 60
_MANY: Final[Mapping[str, tuple[str, ...]]] = {
    "Encounter": ("date",),
    "Observation": ("date",),
    "DiagnosticReport": ("date", "issued"),
    "MedicationRequest": ("authoredon",),
    "MedicationAdministration": ("effective-time",),
    "ServiceRequest": ("authored", "occurrence"),
    "Condition": ("onset-date", "recorded-date"),
    "DocumentReference": ("period", "date"),
    "Procedure": ("date",),
}
"""Of what a file may hold thousands, and the search parameters that say when it was, the first that has a value."""
_FEW: Final = ("Contract", "EpisodeOfCare", "Flag", "AllergyIntolerance")
_KIND_OF: Final = {
    **dict.fromkeys(("DiagnosticReport", "Observation"), "result"),
    **dict.fromkeys(("DocumentReference", "Procedure", "ServiceRequest"), "hospital"),
}


class Spot(NamedTuple):
    """A place on the line of time that has not been read yet."""

    at: int
    """Microseconds since 1970 UTC."""
    type: str
    kind: str
    pks: tuple[int, ...]
    part: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """A page of the line of time."""

    events: tuple[Event, ...]
    total: int
    """Events of that kind, on all pages."""
    next: int | None
    """Where the next page begins; None: this was the last."""


def story(store: Store, patient: str, names: Directory, kind: str = "", before: int | None = None, most: int = PAGE) -> Story:
    """A page of everything in a file, and in the files that were merged into it.

    Args:
        store: an open transaction.
        patient: id of a file that the actor may read.
        names: whom staff references name.
        kind: one of :data:`KINDS`.
        before: ``next`` of the page before.
        most: events on a page; what happened at the same moment stays together.
    """
    survivor = str(follow(store, patient)["id"])
    files = (survivor, *replaced(store, survivor))
    told = {(event.ref, event.part): event for event in Teller(store.zone, names, _few(store, files), _stays(store)).tell()}
    spots = _spots(store, files) + [Spot(micros(event.at), "", event.kind, (), f"{ref} {part}") for (ref, part), event in told.items()]
    wanted = [spot for spot in spots if kind in ("", spot.kind)]
    ahead = sorted((spot for spot in wanted if before is None or spot.at < before), key=lambda spot: spot.at, reverse=True)
    shown = ahead[:most]
    while len(shown) < len(ahead) and ahead[len(shown)].at == shown[-1].at:
        shown.append(ahead[len(shown)])
    events = [told[tuple(spot.part.split(" "))] for spot in shown if not spot.type]  # type: ignore[index]
    events += _read(store, files, names, [spot for spot in shown if spot.type])
    events.sort(key=lambda event: event.at, reverse=True)
    return Story(tuple(events), len(wanted), shown[-1].at if len(shown) < len(ahead) else None)


def _few(store: Store, files: Sequence[str]) -> Mapping[str, list[Resource]]:
    """What every file has little of, read whole: missed visits and alarms are the only Tasks that tell something of their own."""
    held: dict[str, list[Resource]] = defaultdict(list)
    for type in _FEW:
        held[type] = store.select(type, patient=list(files))
    alarms = store.select("Task", patient=list(files), code=f"{EMERGENCY}|alarm")
    missed = store.select("Task", patient=list(files), status="failed")
    held["Task"] = list({one["id"]: one for one in (*alarms, *missed)}.values())
    return held


def _stays(store: Store) -> frozenset[str]:
    """Classes of an Encounter that the line tells as a stay in hospital."""
    return frozenset((*inpatient_classes(store), *ATTENDED))


def _spots(store: Store, files: Sequence[str]) -> list[Spot]:
    """All places of the line, without reading a resource."""
    stays = chronicle.coded(store, "Encounter", files, ("class",), _stays(store))
    visits = [pk for pk in chronicle.ids(store, "Encounter", files).values() if pk not in stays]
    spots: list[Spot] = []
    for type, params in _MANY.items():
        when: chronicle.Dates = {}
        for param in reversed(params):
            when |= chronicle.dates(store, type, files, param)
        if type == "Observation":
            spots += _loose(store, files, when, set(visits))
            continue
        if type == "DocumentReference":
            when = _of_others(store, files, when)
        for pk, (low, high) in when.items():
            kind = ("hospital" if pk in stays else "visit") if type == "Encounter" else _KIND_OF.get(type, "care")
            spots.append(Spot(low, type, kind, (pk,)))
            if pk in stays and high < END:
                spots.append(Spot(high, type, kind, (pk,), "end"))
    return spots


def _of_others(store: Store, files: Sequence[str], when: chronicle.Dates) -> chronicle.Dates:
    """Documents but those that we froze: the contract or agreement itself stands on the line."""
    ours = {str(one["id"]) for one in store.select("DocumentReference", patient=list(files), type=f"{KIND}|")}
    frozen = set(chronicle.ids(store, "DocumentReference", files, ours).values()) if ours else set()
    return {pk: span for pk, span in when.items() if pk not in frozen}


def _loose(store: Store, files: Sequence[str], when: chronicle.Dates, visits: set[int]) -> list[Spot]:
    """Observations that belong to no report and to no visit; those of one moment are one place. How far the station is, is no event."""
    encounters = chronicle.ids(store, "Encounter", files)
    results = {target for _, target in chronicle.targets(store, "DiagnosticReport", files, "result")}
    told = set(chronicle.ids(store, "Observation", files, results).values())
    told |= {pk for pk, target in chronicle.targets(store, "Observation", files, "encounter") if encounters.get(target) in visits}
    void = chronicle.coded(store, "Observation", files, ("status",), ("cancelled", "entered-in-error"))
    void |= chronicle.coded(store, "Observation", files, ("code",), TRAVEL_CODES)
    moments: dict[int, list[int]] = {}
    for pk, (low, _) in when.items():
        if pk not in told and pk not in void:
            moments.setdefault(low, []).append(pk)
    return [Spot(low, "Observation", "result", tuple(pks)) for low, pks in moments.items()]


def _read(store: Store, files: Sequence[str], names: Directory, spots: Sequence[Spot]) -> Iterable[Event]:
    """The events of these places, with the findings of visits and the results of reports that belong to them."""
    pks = {pk for spot in spots for pk in spot.pks}
    found = dict(chronicle.bodies(store, pks))
    parts: dict[str, set[str]] = defaultdict(set)
    for spot in spots:
        for pk in spot.pks:
            if pk in found:
                parts[f"{spot.type}/{found[pk]['id']}"].add(spot.part)
    encounters = (one for one in found.values() if one["resourceType"] == "Encounter")
    stays = _stays(store)
    shown = {one["id"] for one in encounters if one.get("class", {}).get("code") not in stays}
    named = {ref for one in found.values() if one["resourceType"] == "Encounter" for ref in _diagnoses(one)}
    results = {ref for one in found.values() if one["resourceType"] == "DiagnosticReport" for ref in _results(one)}
    more = {pk for pk, target in chronicle.targets(store, "Observation", files, "encounter") if target in shown} if shown else set()
    more |= {pk for pk, target in chronicle.targets(store, "Task", files, "encounter") if target in shown} if shown else set()
    more |= set(chronicle.ids(store, "Observation", files, results).values())
    more |= set(chronicle.ids(store, "Condition", files, named).values())
    held: dict[str, list[Resource]] = defaultdict(list)
    for one in (*found.values(), *(body for _, body in chronicle.bodies(store, more - pks))):
        held[one["resourceType"]].append(one)
    return [
        one
        for one in Teller(store.zone, names, held, _stays(store)).tell()
        if one.ref.startswith("Observation/") or one.part in parts[one.ref]
    ]


def _diagnoses(encounter: Resource) -> set[str]:
    return {id for one in encounter.get("diagnosis", ()) if (id := reference_id(one.get("condition"), "Condition"))}


def _results(report: Resource) -> set[str]:
    return {one["reference"].rpartition("/")[2] for one in report.get("result", []) if "reference" in one}
