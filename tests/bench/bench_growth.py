"""How everything grows: `python -m tests.bench growth --people 10000`; the same for 100000, and for 1000000 where there is an hour.

A city of counties, streets and communities with N people is founded through the functions that everybody's writes go through (validated,
admitted by the rooms, indexed, sealed, audited), some hundred people in one transaction. Measured: rows and bytes for a person, a signed
contract with its checkups, a visit with its findings, a hospital message; then searches, a doctor's list, one person's whole file, what a
county's officer sees, the window, and a feed end to end.
Before each question ``livez`` is asked, the same socket with nothing behind, and the processor time of both is taken (the client's part
included): how many times that of ``livez`` a question takes also holds on a busy machine.

On a PostgreSQL server of this machine its processor time is told for each question, too. A city that was filled on SQLite is carried over
by ``healthsvc move`` and then asked with ``--database``.

``--into FILE`` keeps a row for each size in a JSON file, from which ``tests/bench/draw_growth.py`` draws the curves.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx
from multiply import multiply
from serving import serving
from sqlalchemy import text

from healthsvc import clock, logs
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.contract.service import sign
from healthsvc.demo.people import people
from healthsvc.documents import service as documents
from healthsvc.fhir.elements import concept, reference
from healthsvc.fhir.systems import CITIZEN_ID, code_system
from healthsvc.healthfile.resources import to_patient
from healthsvc.installation import Installation, open_installation
from healthsvc.store import Actor, Store
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.worker import Worker

BENCH = Actor("command/bench", "bench", frozenset({"system"}), "command")
A_COMMUNITY, A_STREET, A_COUNTY = 500, 5_000, 50_000
"""People of one community, street and county; a community has one doctor and one nurse."""
PORTION = 250
SIGNED, OF = 2, 5
"""So many of so many people have signed: a contract with its four checkups. Not everybody who is on file in a city has a family doctor by
contract; the figures for each contract are told one by one, so that another share can be reckoned."""
VISITED = 4
"""Of so many people one gets a visit written up: enough to measure what a visit takes."""
PAPERS = 100
"""So many contracts get their document typeset, sealed and stored; of the others the bytes of the PDF are left out, for they would be nine
tenths of the time and of the disk. What a paper takes is told by the difference."""
VITALS = (("8480-6", 138, "mm[Hg]"), ("8462-4", 82, "mm[Hg]"), ("8867-4", 71, "/min"), ("8310-5", 36.4, "Cel"), ("2339-0", 5.8, "mmol/L"))


def portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (values[start : start + PORTION] for start in range(0, len(values), PORTION))


def found(store: Store, count: int) -> list[str]:
    """The tree of organizations and the staff; gives the communities."""

    def organization(id: str, kind: str, above: str | None) -> None:
        part = {} if above is None else {"partOf": {"reference": f"Organization/{above}"}}
        kinds = [concept(code_system("organization-type"), kind)]
        store.put({"resourceType": "Organization", "id": id, "active": True, "name": id, "type": kinds, **part})

    organization("city", "centre", None)
    made = []
    for county in range(-(-count // A_COUNTY)):
        organization(f"county-{county}", "centre", "city")
    for street in range(-(-count // A_STREET)):
        organization(f"street-{street}", "centre", f"county-{street * A_STREET // A_COUNTY}")
    for community in range(-(-count // A_COMMUNITY)):
        made.append(f"community-{community}")
        organization(made[-1], "centre", f"street-{community * A_COMMUNITY // A_STREET}")
        for role in ("doctor", "nurse"):
            store.put(
                {"resourceType": "Practitioner", "id": f"{role}-{community}", "active": True, "name": [{"text": f"{role}{community}"}]}
            )
    return made


def visit(store: Store, patient: str, doctor: str, at: datetime) -> None:
    """One visit with its findings."""
    home = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HH"}
    encounter = {
        "resourceType": "Encounter",
        "id": f"visit-{patient}",
        "status": "finished",
        "class": home,
        "subject": reference("Patient", patient),
        "participant": [{"individual": {"reference": doctor}}],
        "period": {"start": at.isoformat(), "end": (at + timedelta(minutes=40)).isoformat()},
    }
    store.put(encounter)
    for code, value, unit in VITALS:
        store.create(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "subject": reference("Patient", patient),
                "encounter": reference("Encounter", f"visit-{patient}"),
                "effectiveDateTime": at.isoformat(),
                "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit},
            }
        )


def size(here: Installation) -> int:
    """Bytes that the store takes on the disk, its log written back."""
    engine = here.database.engine
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
        return (pages - int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())) * 4096


def rows(here: Installation) -> int:
    """Rows of all tables."""
    from sqlalchemy import inspect

    names = inspect(here.database.engine).get_table_names()
    with here.database.engine.connect() as connection:
        return sum(int(connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()) for name in names)


class Stages:
    """What each stage took and left."""

    def __init__(self, here: Installation) -> None:
        self.here = here
        self.told: dict[str, dict[str, float]] = {}
        self._bytes, self._rows = size(here), rows(here)

    def run(self, name: str, of: int, work: Callable[[], None]) -> None:
        begun = perf_counter()
        work()
        took, now, count = perf_counter() - begun, size(self.here), rows(self.here)
        each = {"bytes": (now - self._bytes) / of, "rows": (count - self._rows) / of, "milliseconds": 1000 * took / of}
        self.told[name] = {key: round(value, 2) for key, value in each.items()}
        self._bytes, self._rows = now, count
        took_each = f"{each['milliseconds']:7.2f} ms   {each['bytes']:9,.0f} bytes   {each['rows']:6.1f} rows each"
        sys.stdout.write(f"{name:28} {of:9,} in {took:7.1f} s   {took_each}\n")
        sys.stdout.flush()


def fill(here: Installation, count: int, at: datetime) -> tuple[Stages, list[str]]:
    """Found the city and fill it; gives the ids of the people."""
    with here.database.writing(BENCH, at=at) as store:
        communities = found(store, count)
    persons, chance, stages = people(count, 7, at.date()), Random(7), Stages(here)
    ids = [f"p{number:08d}" for number in range(count)]

    def each(numbers: Sequence[int], work: Callable[[Store, int], None]) -> None:
        for portion in portions(numbers):
            with here.database.writing(BENCH, at=at) as store:
                for number in portion:
                    work(store, number)

    def person(store: Store, number: int) -> None:
        home = {"reference": f"Organization/{communities[number // A_COMMUNITY]}"}
        store.put({**to_patient(persons[number], ids[number]), "managingOrganization": home})

    def contract(store: Store, number: int) -> None:
        team = number // A_COMMUNITY
        sign(
            store,
            ids[number],
            f"Practitioner/doctor-{team}",
            f"Practitioner/nurse-{team}",
            at.date() - timedelta(days=chance.randrange(90)),
        )

    def visited(store: Store, number: int) -> None:
        visit(store, ids[number], f"Practitioner/doctor-{number // A_COMMUNITY}", at - timedelta(days=chance.randrange(90)))

    stages.run("person", count, lambda: each(range(count), person))
    on_paper = range(0, count, max(1, count // PAPERS))
    stages.run("contract with its paper", len(on_paper), lambda: each(on_paper, contract))
    held, documents.typeset = documents.typeset, lambda document: (b"%PDF-1.7 left out here: see the row above", ())
    others = sorted({number for number in range(count) if number % OF < SIGNED} - set(on_paper))
    try:
        stages.run("contract without its paper", len(others), lambda: each(others, contract))
    finally:
        documents.typeset = held
    seen = range(0, count, VISITED)
    stages.run("visit with five findings", len(seen), lambda: each(seen, visited))
    return stages, ids


def grown(settings: Settings, note: Path, count: int, first: int, at: datetime) -> tuple[Installation, Stages, list[str]]:
    """The city, of which so many people were filled in one write at a time and the others by copies of them."""
    here = open_installation(settings=settings)
    if first == count or (note.exists() and json.loads(note.read_text(encoding="utf-8"))["people"] == count):
        return here, *filled(here, note, count, at)
    stages, _ = filled(here, note, first, at)
    begun = perf_counter()
    with here.database.writing(BENCH, at=at) as store:
        found(store, count)
    multiply(here, first, A_COMMUNITY, at, count // first)
    sys.stdout.write(f"copied in {perf_counter() - begun:.0f} s\n")
    note.write_text(json.dumps({"people": count, "each": stages.told}), encoding="utf-8")
    here = open_installation(settings=settings)
    return here, *filled(here, note, count, at)


def filled(here: Installation, note: Path, count: int, at: datetime) -> tuple[Stages, list[str]]:
    """The city, filled now or, where the note says so, in an earlier run."""
    if note.exists():
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["people"] != count:
            raise SystemExit(f"{note} tells of {known['people']} people, not of {count}; take another --data")
        stages = Stages(here)
        stages.told = known["each"]
        return stages, [f"p{number:08d}" for number in range(count)]
    begun = perf_counter()
    stages, ids = fill(here, count, at)
    sys.stdout.write(f"filled in {perf_counter() - begun:.0f} s\n")
    note.write_text(json.dumps({"people": count, "each": stages.told}), encoding="utf-8")
    return stages, ids


def messages(numbers: Iterable[str], at: datetime) -> list[bytes]:
    """Admissions of people who are on file, by their citizen id."""
    found_ = []
    for count, number in enumerate(numbers):
        head = f"MSH|^~\\&|HIS|H1|C|C|{at:%Y%m%d%H%M%S}||ADT^A01|G{count}|P|2.4|||AL|AL|CHN|UNICODE UTF-8\r"
        ward = f"PV1|1|I|W1^1^1||||||||||||||||V{count}" + "|" * 25 + f"{at:%Y%m%d%H%M%S}\r"
        rest = f"EVN|A01|{at:%Y%m%d%H%M%S}\rPID|1||M{count}^^^H1^PI~{number}^^^^NI||测试\r" + ward
        found_.append((head + rest).encode())
    return found_


def feed(here: Installation, stages: Stages, numbers: list[str], at: datetime) -> None:
    """Messages taken in, and their effects."""
    inbox, worker = Inbox(here.database, shelf()), Worker(here.database, shelf(), "bench")

    def end_to_end() -> None:
        codes = [one.code.value for one in inbox.take_all(messages(numbers, at), "127.0.0.1:2575", "127.0.0.1")]
        assert set(codes) == {"AA"}, set(codes)
        worker.drain()

    stages.run("hospital message, end to end", len(numbers), end_to_end)
    with here.database.engine.connect() as connection:
        states = connection.execute(text("SELECT state, count(*) FROM inbox GROUP BY state")).all()
    sys.stdout.write(f"  states of the inbox: {dict(tuple(one) for one in states)}\n")


def server_of(here: Installation) -> Callable[[], float]:
    """Milliseconds of processor time so far of all processes of a PostgreSQL server of this machine; nothing for what has none."""
    if here.database.engine.dialect.name != "postgresql":
        return lambda: 0.0
    with here.database.engine.connect() as connection:
        backend = int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    root = Path(f"/proc/{backend}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]

    def so_far() -> float:
        spent = 0
        for children in Path(f"/proc/{root}/task/{root}/children").read_text(encoding="utf-8").split():
            with suppress(OSError):  # it has just ended
                spent += int(Path(f"/proc/{children}/schedstat").read_text(encoding="utf-8").split()[0])
        return spent / 1e6

    return so_far


def ask(here: Installation, ids: list[str], at: datetime, times: int) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of what people ask, over a real socket, each for another person."""
    chance = Random(11)
    with here.database.writing(BENCH, at=at) as store:
        clerk, doctor, window = (
            issue_token(store, "system"),
            issue_token(store, "doctor", areas=["Organization/county-0"]),
            issue_token(store, "hospital-window"),
        )
        some = [store.read("Patient", id) for id in chance.sample(ids, min(len(ids), 100))]
    told: dict[str, dict[str, float]] = {}
    server = server_of(here)
    with serving(create_app(here)) as base, httpx.Client(base_url=base, timeout=120) as client:

        def measure(name: str, call: Callable[[dict[str, Any]], httpx.Response], token: str = clerk) -> None:
            client.headers["authorization"] = f"Bearer {token}"
            call(some[-1])  # what is read and compiled at the first of its kind is no part of what it costs
            took, spent, bare, servers = [], [], [], server()
            for number in range(times):
                one = some[number % len(some)]
                before = process_time()
                client.get("/livez")
                begun, between = perf_counter(), process_time()
                answer = call(one)
                took.append(1000 * (perf_counter() - begun))
                spent.append(1000 * (process_time() - between))
                bare.append(1000 * (between - before))
                assert answer.status_code == 200, (name, answer.status_code, answer.text[:300])
            took.sort()
            cpu, times_livez = median(spent), median(spent) / median(bare)
            found_ = told[name] = {"median": round(median(took), 2), "p99": round(took[int(len(took) * 0.99)], 2)}
            found_ |= {"cpu": round(cpu, 2), "of_livez": round(times_livez, 2), "server": round((server() - servers) / times, 2)}
            spent_each = f"{cpu:8.2f} ms cpu {times_livez:7.1f} x livez {found_['server']:8.2f} ms cpu of the server"
            sys.stdout.write(f"{name:44} {found_['median']:8.2f} ms median {found_['p99']:9.2f} ms p99 {spent_each}\n")
            sys.stdout.flush()

        def get(url: str) -> httpx.Response:
            return client.get(url)

        def number_of(one: dict[str, Any]) -> str:
            return next(str(each["value"]) for each in one["identifier"] if each["system"] == CITIZEN_ID)

        def community(one: dict[str, Any]) -> str:
            return str(one["managingOrganization"]["reference"]).rpartition("-")[2]

        measure("livez", lambda _: get("/livez"))
        measure("person by citizen id", lambda one: get(f"/fhir/Patient?identifier={CITIZEN_ID}|{number_of(one)}"))
        measure("people by name", lambda one: get(f"/fhir/Patient?name={one['name'][0]['text']}&_count=20"))
        measure(
            "people of a community", lambda one: get(f"/fhir/Patient?organization={one['managingOrganization']['reference']}&_count=20")
        )
        measure("a person's trend", lambda one: get(f"/fhir/Observation?patient={one['id']}&code=8480-6&_sort=-date"))
        measure("a person's whole file", lambda one: get(f"/fhir/Patient/{one['id']}/$everything"))
        due = f"&status=requested&window=le{at.date() + timedelta(days=30)}&_count=50&_sort=window"
        measure("day board: a doctor's open tasks", lambda one: get(f"/fhir/Task?owner=Practitioner/doctor-{community(one)}{due}"))
        measure("day board: all open tasks, first page", lambda _: get(f"/fhir/Task?{due[1:]}"))
        measure("county officer: people by name", lambda one: get(f"/fhir/Patient?name={one['name'][0]['text']}&_count=20"), doctor)
        measure("county officer: open tasks, first page", lambda _: get(f"/fhir/Task?{due[1:]}"), doctor)
        measure("hospital window", lambda one: client.post("/api/greenchannel/answer", json={"citizen_id": number_of(one)}), window)
    return told


def main() -> int:
    """Print tables and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--database", help="url of an empty PostgreSQL database; default: SQLite in a temporary folder")
    parser.add_argument("--into", type=Path)
    parser.add_argument("--data", type=Path, help="keep the city here; one that is filled already is only asked")
    parser.add_argument("--copies-of", type=int, help="fill so many people one write at a time and copy them until there are --people")
    parser.add_argument("--fill-only", action="store_true", help="with --data: fill it and ask another time, when the machine is idle")
    asked = parser.parse_args()
    at = clock.now()
    with tempfile.TemporaryDirectory() as passing:
        folder = asked.data or Path(passing)
        settings = Settings(data=folder, database=asked.database or None, log_level="ERROR")
        logs.configure(settings)
        first = asked.copies_of or asked.people
        if asked.people % first or (first != asked.people and (asked.database or first % A_COMMUNITY)):
            raise SystemExit("--copies-of needs SQLite, and a number of whole communities of which --people is a multiple")
        here, stages, ids = grown(settings, folder / "filled.json", asked.people, first, at)
        if asked.fill_only:
            here.close()
            return 0
        with here.database.reading(BENCH, at=at) as store:
            files = [store.read("Patient", id) for id in Random(3).sample(ids, min(len(ids), asked.messages))]
        numbers = [next(str(one["value"]) for one in each["identifier"] if one["system"] == CITIZEN_ID) for each in files]
        feed(here, stages, numbers, at)
        told = ask(here, ids, at, asked.times)
        row = {
            "people": asked.people,
            "engine": here.database.engine.dialect.name,
            "bytes": size(here),
            "rows": rows(here),
            "each": stages.told,
            "asked": told,
            "load": round(os.getloadavg()[0], 1),
        }
        here.close()
    sys.stdout.write(f"{row['bytes'] / asked.people:,.0f} bytes and {row['rows'] / asked.people:.0f} rows a person\n{json.dumps(row)}\n")
    if asked.into:
        kept = json.loads(asked.into.read_text()) if asked.into.exists() else []
        kept = [one for one in kept if (one["people"], one["engine"]) != (row["people"], row["engine"])]
        asked.into.write_text(json.dumps(sorted([*kept, row], key=lambda one: (one["engine"], one["people"])), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
