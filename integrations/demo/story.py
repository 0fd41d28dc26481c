"""The main job, step by step, on an invented district. Every step goes through the same services as in earnest."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from healthsvc.circle.town import Town
from healthsvc.contract.service import sign
from healthsvc.demo.people import people, write_roster
from healthsvc.fhir.json import Resource
from healthsvc.greenchannel.service import refresh
from healthsvc.healthfile.roster import import_roster
from healthsvc.homebed.service import open_bed
from healthsvc.installation import Installation
from healthsvc.store import Actor
from integrations.demo.beds import establish_beds, order_courses
from integrations.demo.district import Staff, found

PEOPLE: Final = 600
SIGNED_SHARE: Final = 0.94
SIGNED_WITHIN_DAYS: Final = 45
BEDS: Final = 14
COURSES: Final = 4
SEED: Final = 2026
DEMO: Final = Actor("command/demo", "demo", frozenset({"system"}), "command")

Step = Callable[[int, int | None], None]
"""Told how much of a step is done, of how much."""


@dataclass(slots=True)
class Told:
    """What happened, for the closing table."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def say(self, what: str, how_much: str) -> None:
        """Add a line."""
        self.lines.append((what, how_much))


def settle(here: Installation, town: Town, at: datetime, told: Told) -> tuple[Staff, ...]:
    """Found the district."""
    with here.database.writing(DEMO, at=at) as store:
        staff = found(store, town)
    told.say("机构与人员 district", f"{len(town.stations)} stations, {len(staff)} doctors and nurses, {town.hospital.name}")
    return staff


def bring_in(here: Installation, town: Town, folder: Path, at: datetime, told: Told, step: Step) -> None:
    """Write a roster as a bureau would hand it over, and import it twice: the second time changes nothing."""
    roster = folder / "roster.csv"
    names = {community.id: community.name for community in town.communities}
    homes = [(home.lon, home.lat, names[home.community], home.address) for home in town.homes]
    write_roster(people(PEOPLE, SEED, at.date(), homes), roster)
    first = import_roster(here.database, roster, DEMO, at=at, progress=step)
    again = import_roster(here.database, roster, DEMO, at=at, progress=lambda _done, _total: None)
    told.say("健康档案 roster", f"{first.created} people created, {first.refused} rows refused; again: {again.unchanged} unchanged")


def sign_contracts(here: Installation, staff: Sequence[Staff], at: datetime, told: Told, step: Step) -> None:
    """Sign most people with the doctor and nurse of their station, on days of the last weeks."""
    chance = Random(SEED)  # noqa: S311 - a demonstration, not a secret
    doctors = [one for one in staff if one.role == "doctor"]
    nurses = [one for one in staff if one.role == "nurse"]
    with here.database.reading(DEMO, at=at) as store:
        ids = [str(patient["id"]) for patient in store.select("Patient", active="true")]
    chosen = sorted(ids)[: round(len(ids) * SIGNED_SHARE)]
    tasks = 0
    for done, portion in enumerate(_portions(chosen, 50)):
        with here.database.writing(DEMO, at=at) as store:
            for person in portion:
                number = chance.randrange(len(doctors))
                started = at.date() - timedelta(days=chance.randrange(SIGNED_WITHIN_DAYS))
                sign(store, person, doctors[number].reference, nurses[number % len(nurses)].reference, started)
        step(min((done + 1) * 50, len(chosen)), len(chosen))
    with here.database.reading(DEMO, at=at) as store:
        tasks = len(store.select("Task", code="quarterly-checkup"))
    told.say("家庭医生签约 contracts", f"{len(chosen)} signed, {tasks} quarterly checkups laid out")


def open_channels(here: Installation, at: datetime, told: Told) -> None:
    """Open the green channel for everybody whom a rule entitles."""
    with here.database.writing(DEMO, at=at) as store:
        opened = refresh(store, at.date())
    told.say("绿色通道 green channel", f"{len(opened.granted)} flags, each with its rights, reason and validity")


def open_beds(here: Installation, staff: Sequence[Staff], at: datetime, told: Told) -> None:
    """Establish home beds and order a few courses of infusions, through all the gates."""
    with here.database.writing(DEMO, at=at) as store:
        established = establish_beds(store, staff, at, BEDS)
        ordered, refused = order_courses(store, staff, established[:COURSES], at)
    told.say("家庭病床 home beds", f"{len(established)} established, with their rounds")
    told.say("上门输液 infusions", f"{ordered} courses passed the gates; one was refused: {', '.join(refused)}")


def inpatients(here: Installation, at: datetime, count: int) -> list[Resource]:
    """People for the hospital day: some with a bed at home, the others without."""
    with here.database.reading(DEMO, at=at) as store:
        files = store.select("Patient", active="true")
        with_bed = [patient for patient in files if open_bed(store, patient["id"])]
    others = [patient for patient in files if patient not in with_bed]
    return [*with_bed[:3], *others[: count - 3]]


def _portions(values: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (values[start : start + size] for start in range(0, len(values), size))
