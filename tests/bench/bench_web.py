"""Pages measured: a coordinator's day, a file with a thousand events, search among fifty thousand people, the hospital window.

All beside /livez; ``--only board`` or ``--only people`` measures a part.
``make bench ARGS="web --people 50000"``. Exit code 1 where 5 of 100 answers take longer than the target (the 95th percentile).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from os import cpu_count, getloadavg
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

import board_day
from serving import serving

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.demo.people import people
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import CITIZEN_ID, LOINC, UCUM, V3_ACT_CODE
from healthsvc.greenchannel import service as greenchannel
from healthsvc.healthfile.resources import to_patient
from healthsvc.healthfile.rules import Identifier, Person
from healthsvc.installation import Installation, open_installation
from healthsvc.store import Actor, Database, Store

BENCH = Actor("command/bench", "bench", frozenset({"system"}), "command")
PAGE_MS, WINDOW_MS = 100, 200
AREAS = 20
_BATCH = 2000


def filled(folder: Path, count: int, events: int) -> Installation:
    """So many people in twenty areas; the first has a file with so many events.

    They are written without validation and without the rooms' rules, which take more than half of a write: here it is reading that counts.
    """
    here = open_installation(settings=Settings(data=folder))
    at = clock.now()
    bare = Database.open(str(here.database.engine.url), rooms=(), validate=lambda _resource: [], sealing_keys=folder / "sealing-keys")
    with bare.writing(BENCH, at=at) as store:
        for number in range(AREAS):
            store.once({"resourceType": "Organization", "id": f"area-{number}", "name": f"第{number + 1}社区"})
    persons = people(count, 7, at.date())
    for start in range(0, count, _BATCH):
        with bare.writing(BENCH, at=at) as store:
            for number, person in enumerate(persons[start : start + _BATCH], start):
                store.put(_patient(person, number))
        if start % 10_000 == 0:
            sys.stderr.write(f"{start} people written\n")
    with bare.writing(BENCH, at=at) as store:
        for one in _story("p0", events, at):
            store.put(one)
    bare.close()
    here.close()
    here = open_installation(settings=Settings(data=folder))
    with here.database.writing(BENCH, at=at) as store:
        greenchannel.grant(store, "p0", at.date())
    return here


def _patient(person: Person, number: int) -> Resource:
    return {**to_patient(person, f"p{number}"), "managingOrganization": {"reference": f"Organization/area-{number % AREAS}"}}


def _story(patient: str, count: int, at: datetime) -> Iterator[Resource]:
    """A long illness: stays, visits with their findings, reports with ten results each; ``count`` events on the line of time."""
    subject = {"reference": f"Patient/{patient}"}
    for number in range(count):
        when = at - timedelta(days=3 * number, hours=number % 9)
        kind = number % 10
        if kind == 0:
            yield {
                "resourceType": "Encounter", "id": f"stay-{number}", "status": "finished", "class": {"system": V3_ACT_CODE, "code": "IMP"},
                "subject": subject, "period": {"start": (when - timedelta(days=2)).isoformat(), "end": when.isoformat()},
                "serviceProvider": {"display": "澜湾医院"}, "reasonCode": [{"text": "慢性阻塞性肺疾病急性加重"}],
            }  # fmt: skip
        elif kind < 4:
            visit: Resource = {
                "resourceType": "Encounter", "id": f"visit-{number}", "status": "finished", "class": {"system": V3_ACT_CODE, "code": "HH"},
                "type": [{"text": "上门护理"}], "subject": subject,
                "period": {"start": when.isoformat(), "end": (when + timedelta(minutes=30)).isoformat()},
            }  # fmt: skip
            yield visit
            for code, value, unit in (("8480-6", 120 + number % 40, "mm[Hg]"), ("8867-4", 60 + number % 30, "/min")):
                encounter = {"encounter": {"reference": f"Encounter/visit-{number}"}}
                yield _result(subject, f"v{number}-{code}", code, value, unit, when) | encounter
        elif kind < 8:
            results = [_result(subject, f"r{number}-{place}", f"{2000 + place}-0", 10 + place, "mmol/L", when) for place in range(10)]
            yield from results
            yield {
                "resourceType": "DiagnosticReport", "id": f"report-{number}", "status": "final", "code": {"text": "生化全套"},
                "subject": subject, "effectiveDateTime": when.isoformat(),
                "result": [{"reference": f"Observation/{one['id']}"} for one in results],
            }  # fmt: skip
        else:
            yield _result(subject, f"l{number}", "2339-0", 6, "mmol/L", when)


def _result(subject: Resource, id: str, code: str, value: int, unit: str, when: datetime) -> Resource:
    return {
        "resourceType": "Observation", "id": id, "status": "final", "code": {"coding": [{"system": LOINC, "code": code}], "text": code},
        "subject": subject, "effectiveDateTime": when.isoformat(),
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }  # fmt: skip


def asked_for(store: Store) -> dict[str, str]:
    """One word of each kind that people type, made from people who are there."""
    one: Person = next(iter(people(1, 7, store.at.date())))
    number = next(held for held in one.identifiers if held.system == CITIZEN_ID)
    assert isinstance(number, Identifier)
    return {
        "one character": "王", "a whole name": one.name, "full pinyin": "wangguo", "initials": "wgq", "a rare character": "尉",
        "id tail": number.value[-4:], "id tail of six": number.value[-6:], "phone tail": one.phones[0][-4:], "nobody": "龘",
    }  # fmt: skip


Row = tuple[float, float, float]
"""Median, 95th percentile and processor time of one answer (the client's share in it), milliseconds."""


def measured(call: Callable[[], httpx.Response], times: int) -> Row:
    """How long answers take."""
    took, busy = [], process_time()
    for _ in range(times):
        begun = perf_counter()
        answer = call()
        took.append(1000 * (perf_counter() - begun))
        assert answer.status_code == 200, answer.text[:400]
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[94], 1000 * (process_time() - busy) / times


def rows(here: Installation, times: int) -> tuple[dict[str, Row], dict[str, float]]:
    """What was measured, and the target of each where it has one."""
    with here.database.writing(BENCH, at=clock.now()) as store:
        coordinator = issue_token(store, "coordinator", "bench", 1)
        narrow = issue_token(store, "doctor", "bench of one area", 1, areas=["Organization/area-3"])
        window = issue_token(store, "hospital-window", "bench", 1)
        words, first = asked_for(store), store.read("Patient", "p0")
    citizen = next(one["value"] for one in first["identifier"] if one["system"] == CITIZEN_ID)
    found: dict[str, Row] = {}
    targets: dict[str, float] = {}
    with serving(create_app(here)) as base, httpx.Client(base_url=base, timeout=120) as client:

        def post(path: str, token: str, body: dict[str, str]) -> httpx.Response:
            return client.post(path, data=body, headers={"authorization": f"Bearer {token}", "hx-request": "true"})

        def add(name: str, call: Callable[[], httpx.Response], target: float | None) -> None:
            call()
            found[name] = measured(call, times)
            if target is not None:
                targets[name] = target

        add("livez (yardstick)", lambda: client.get("/livez"), None)
        add("file with its events", lambda: client.get("/people/p0", headers={"authorization": f"Bearer {coordinator}"}), PAGE_MS)
        for token, whose in ((coordinator, "all"), (narrow, "one area")):
            for name, word in words.items():
                add(f"search {name}, {whose}", lambda word=word, token=token: post("/people", token, {"q": word}), PAGE_MS)
        add("window page", lambda: post("/window", window, {"number": citizen}), WINDOW_MS)
    return found, targets


def report(asked: argparse.Namespace, found: dict[str, Row], targets: dict[str, float]) -> Sequence[str]:
    """Print the table; gives the names of those that miss their target."""
    yardstick = found["livez (yardstick)"][0]
    sys.stdout.write(f"{asked.people} people, a file with {asked.events} events\n")
    load = f"load of the machine {getloadavg()[0]:.1f} on {cpu_count()} cores"
    sys.stdout.write(f"{load}\n")
    for name, (middle, slow, busy) in found.items():
        told = f"{middle:8.1f} ms median  {slow:8.1f} ms p95  {middle / yardstick:6.1f} x livez  {busy:6.1f} ms of processor"
        wanted = f"  (target {targets[name]:.0f} ms)" if name in targets else ""
        sys.stdout.write(f"{name:34} {told}{wanted}\n")
    sys.stdout.write(json.dumps({"bench": "web", "people": asked.people, "events": asked.events, "rows": found}) + "\n")
    return [name for name, target in targets.items() if found[name][1] > target]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=50_000)
    parser.add_argument("--events", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="a folder that keeps the people for the next run")
    parser.add_argument("--only", choices=("board", "people"))
    asked = parser.parse_args()
    late = [] if asked.only == "people" else board_day.report(asked.times)
    if asked.only != "board":
        late += measured_people(asked)
    for name in late:
        sys.stdout.write(f"{name} misses its target\n")
    return int(bool(late))


def measured_people(asked: argparse.Namespace) -> Sequence[str]:
    """The pages of many people; gives the names of those that miss their target."""
    with tempfile.TemporaryDirectory() as folder:
        place = asked.keep or Path(folder)
        filled_before = (place / "healthsvc.sqlite").exists()
        here = open_installation(settings=Settings(data=place)) if filled_before else filled(place, asked.people, asked.events)
        late = report(asked, *rows(here, asked.times))
        here.close()
    return late


if __name__ == "__main__":
    sys.exit(main())
