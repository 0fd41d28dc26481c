"""Bulk export over a real socket: kick-off, status, files, cancel; what is written, for whom, and what survives a crash."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import embedded
import httpx
import pytest
from fhirserver import fhir_client, token, working
from sqlalchemy import text, update

from healthsvc import clock
from healthsvc.config import Settings
from healthsvc.errors import Unavailable
from healthsvc.installation import open_installation
from healthsvc.policy import load as load_policy
from healthsvc.rest.export import files, jobs
from healthsvc.rest.export.later import carry_out, leave_again
from healthsvc.rest.export.run import Exporter
from healthsvc.rest.export.terms import Terms
from healthsvc.rest.progress.seen import call_off
from healthsvc.rest.site import Site
from healthsvc.store import SYSTEM, Actor, Database, progress
from healthsvc.store.progress import ROWS
from healthsvc.store.sealing.keys import Seal
from healthsvc.store.sealing.sealer import Sealer
from healthsvc.store.search import ast
from healthsvc.store.work import Finish, Report, State, Work, open_to_take, run

ASYNC = {"prefer": "respond-async"}
SMALL_STEPS = """
[[parameter]]
name = "rest.export_page_resources"
value = 7
unit = "resources"
title = "每步写出的资源数"
title_en = "Small steps for a test"
source = "test"
trust = "site"
effective_from = 2020-01-01
jurisdiction = "CN"

[[parameter]]
name = "rest.export_file_resources"
value = 20
unit = "resources"
title = "单个导出文件的资源数上限"
title_en = "Small files for a test"
source = "test"
trust = "site"
effective_from = 2020-01-01
jurisdiction = "CN"
"""


def small_steps(data: Path) -> None:
    (data / "policy").mkdir(exist_ok=True)
    (data / "policy" / "rest.toml").write_text(SMALL_STEPS)


def fill(database: Database, patients: int = 5, observations: int = 10) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "陈一"}]})
        for number in range(patients):
            store.put({"resourceType": "Patient", "id": f"p{number}", "name": [{"text": f"王{number}"}], "birthDate": "1934-12-17"})
            for turn in range(observations):
                code = {"coding": [{"system": "http://loinc.org", "code": "8480-6" if turn % 2 else "8462-4"}]}
                subject = {"reference": f"Patient/p{number}"}
                store.put({"resourceType": "Observation", "id": f"o{number}-{turn}", "status": "final", "code": code, "subject": subject})
        members = [{"entity": {"reference": "Patient/p0"}}, {"entity": {"reference": "Patient/p1"}, "inactive": True}]
        members.append({"entity": {"reference": "Patient/p2"}})
        store.put({"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members})
        store.put({"resourceType": "Group", "id": "described", "type": "person", "actual": False})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """The language alone, and small steps."""
    small_steps(tmp_path)
    opened = Database.open(embedded.made(tmp_path), policy=load_policy(tmp_path / "policy"))
    fill(opened)
    yield opened
    opened.close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with working(database, tmp_path), fhir_client(database, tmp_path) as opened:
        yield opened


def manifest(client: httpx.Client, address: str) -> dict[str, Any]:
    """Poll until it is done, as a bulk client does."""
    for _ in range(600):
        answer = client.get(address)
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.text
            assert answer.headers["expires"].endswith("GMT")
            return answer.json()
        assert "resource types" in answer.headers["x-progress"]
        time.sleep(0.02)
    raise AssertionError("the export does not end")


def lines(client: httpx.Client, made: dict[str, Any], kind: str = "output") -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for file in made[kind]:
        answer = client.get(file["url"], headers={"accept": "application/fhir+ndjson"})
        assert answer.headers["content-type"].startswith("application/fhir+ndjson")
        read = [json.loads(line) for line in answer.text.splitlines()]
        assert len(read) == file["count"]
        found.setdefault(file["type"], []).extend(read)
    return found


def exported(client: httpx.Client, path: str, **asked: str) -> dict[str, list[dict[str, Any]]]:
    answer = client.get(path, params=asked, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return lines(client, manifest(client, answer.headers["content-location"]))


def ids(found: dict[str, list[dict[str, Any]]], type: str) -> set[str]:
    return {one["id"] for one in found.get(type, ())}


def test_the_whole_system(client: httpx.Client) -> None:
    answer = client.get("/$export", headers=ASYNC)
    made = manifest(client, answer.headers["content-location"])
    assert (made["requiresAccessToken"], made["error"], made["deleted"]) == (True, [], [])
    assert made["request"].endswith("/fhir/$export")
    found = lines(client, made)
    assert {type: len(listed) for type, listed in found.items()} == {"Group": 2, "Observation": 50, "Patient": 5, "Practitioner": 1}
    assert [one["count"] for one in made["output"] if one["type"] == "Observation"] == [21, 21, 8]
    assert found["Patient"][0] == client.get(f"/Patient/{found['Patient'][0]['id']}").json()


def test_of_patients_and_of_a_group(client: httpx.Client) -> None:
    found = exported(client, "/Patient/$export")
    assert set(found) == {"Patient", "Observation", "Group"}
    assert set(exported(client, "/Patient/$export", _type="Patient,Practitioner")) == {"Patient", "Practitioner"}
    group = exported(client, "/Group/g/$export", _type="Patient,Observation")
    assert ids(group, "Patient") == {"p0", "p2"}
    assert {one["subject"]["reference"] for one in group["Observation"]} == {"Patient/p0", "Patient/p2"}
    assert client.get("/Group/described/$export", headers=ASYNC).status_code == 422
    assert client.get("/Group/nobody/$export", headers=ASYNC).status_code == 404
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "patient", "valueReference": {"reference": "Patient/p1"}}, {"name": "_type", "valueString": "Observation"}],
    }
    answer = client.post("/Patient/$export", json=body, headers=ASYNC)
    narrowed = lines(client, manifest(client, answer.headers["content-location"]))
    assert {one["subject"]["reference"] for one in narrowed["Observation"]} == {"Patient/p1"}


def test_since_filters_and_elements(client: httpx.Client, database: Database) -> None:
    first = manifest(client, client.get("/$export", headers=ASYNC).headers["content-location"])
    client.put("/Patient/p3", json={"resourceType": "Patient", "id": "p3", "name": [{"text": "改名"}]})
    client.delete("/Observation/o4-1")
    answer = client.get("/$export", params={"_since": first["transactionTime"]}, headers=ASYNC)
    made = manifest(client, answer.headers["content-location"])
    assert {type: [one["id"] for one in listed] for type, listed in lines(client, made).items()} == {"Patient": ["p3"]}
    gone = lines(client, made, "deleted")["Bundle"]
    assert [entry["request"] for one in gone for entry in one["entry"]] == [{"method": "DELETE", "url": "Observation/o4-1"}]
    some = exported(client, "/$export", _type="Observation,Patient", _typeFilter="Observation?code=http://loinc.org|8480-6")
    assert len(some["Observation"]) == 24
    assert len(some["Patient"]) == 5
    narrow = exported(client, "/$export", _type="Patient", _elements="birthDate")["Patient"]
    assert {frozenset(one) for one in narrow} <= {
        frozenset({"resourceType", "id", "meta", "birthDate"}),
        frozenset({"resourceType", "id", "meta"}),
    }


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/$export", {"_type": "Nonsense"}, 400),
        ("/$export", {"_outputFormat": "csv"}, 400),
        ("/$export", {"_since": "soon"}, 400),
        ("/$export", {"_typeFilter": "Observation?nonsense=1"}, 400),
        ("/$export", {"_typeFilter": "Observation?_sort=date"}, 400),
        ("/$export", {"includeAssociatedData": "x"}, 400),
        ("/$export", {"patient": "Patient/p1"}, 400),
        ("/Patient/$export", {"_type": "Questionnaire"}, 400),
        ("/Patient/$export", {"_type": "AuditEvent"}, 403),
    ],
)
def test_what_cannot_be_exported_is_said_at_once(client: httpx.Client, path: str, asked: dict[str, str], status: int) -> None:
    answer = client.get(path, params=asked, headers=ASYNC)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_the_client_must_be_ready_to_wait(client: httpx.Client) -> None:
    assert client.get("/$export").status_code == 400
    lenient = client.get("/$export", params={"nonsense": "1"}, headers={"prefer": "respond-async, handling=lenient"})
    assert lenient.status_code == 202
    statement = client.get("/metadata").json()
    assert statement["rest"][0]["operation"] == [
        {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"}
    ]


def test_an_export_is_its_callers_and_needs_the_right(client: httpx.Client, database: Database) -> None:
    address = client.get("/$export", headers=ASYNC).headers["content-location"]
    made = manifest(client, address)
    for role, status in (("centre-head", 404), ("doctor", 403), ("nurse", 403), ("bureau", 403), ("operator", 403)):
        other = {"authorization": f"Bearer {token(database, role)}"}
        assert client.get(address, headers=other).status_code == status
        assert client.get(made["output"][0]["url"], headers=other).status_code == status
        assert client.delete(address, headers=other).status_code == status
        if status == 403:
            assert client.get("/$export", headers={**ASYNC, **other}).status_code == 403
    assert client.get(made["output"][0]["url"].replace(".ndjson", ".x")).status_code == 404


def test_cancelled_and_expired(client: httpx.Client, database: Database, tmp_path: Path) -> None:
    address = client.get("/$export", headers=ASYNC).headers["content-location"]
    manifest(client, address)
    folder = tmp_path / "exports"
    assert oct((folder / address.rpartition("/")[2]).stat().st_mode)[-3:] == "700"
    assert client.delete(address).status_code == 202
    assert client.get(address).status_code == 404
    assert list(folder.iterdir()) == []
    other = client.get("/$export", headers=ASYNC).headers["content-location"]
    manifest(client, other)
    for hours, kept in ((23, 1), (25, 0)):
        with database.writing(SYSTEM, at=clock.now() + timedelta(hours=hours)) as store:
            jobs.forget(store, folder)
        assert len(list(folder.iterdir())) == kept
    assert client.get(other).status_code == 404


def test_one_caller_has_few_at_once(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        for _ in range(2):
            jobs.begin(store, Terms("system", None, ("Patient",)))
        with pytest.raises(jobs.TooMany):
            jobs.begin(store, Terms("system", None, ("Patient",)))


def test_called_off_as_work_and_left_again_where_nobody_knows_of_it(database: Database) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        one, other = (jobs.begin(store, Terms("system", None, ("Patient",))) for _ in range(2))
        waiting = progress.underway(store, jobs.KIND, one)
        assert waiting is not None
        call_off(store, waiting)
        ended = jobs.job(store, one)
        assert ended is not None
        assert ended.state == "cancelled"
        assert leave_again(store) == 0
        store.connection.execute(ROWS.delete())  # an older release has begun it
        assert leave_again(store) == 1
        assert progress.underway(store, jobs.KIND, other) is not None


def test_it_goes_on_after_a_crash_where_the_last_page_ended(database: Database, tmp_path: Path) -> None:
    site = Site.of(Settings(data=tmp_path))
    with database.writing(SYSTEM, at=clock.now()) as store:
        id = jobs.begin(store, Terms("system", None, ("Observation", "Patient")))
    dead = Exporter(database, site, tmp_path)
    with database.writing(SYSTEM, at=clock.now()) as store:
        job = jobs.take(store, dead.holder, id)
    assert job is not None
    place = job.progress
    for _ in range(4):
        place = dead.step(job, place)
        with database.writing(SYSTEM, at=clock.now()) as store:
            assert jobs.keep(store, job, dead.holder, place)
    dead.step(job, place)  # a page that is on disk, but nobody has written down that it is
    # what happens meanwhile is not of the moment that is exported
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Patient", "id": "late", "name": [{"text": "后来"}]})
        store.put({"resourceType": "Patient", "id": "p4", "name": [{"text": "改名"}]})
        store.delete("Observation", "o4-9")
    early = Exporter(database, site, tmp_path)
    with database.writing(SYSTEM, at=clock.now()) as store:
        assert jobs.take(store, early.holder, id) is None, "the other may still be alive"
    later = Exporter(database, site, tmp_path, now=lambda: clock.now() + timedelta(seconds=30))
    told: list[tuple[int, int]] = []
    assert later.see_through(id, lambda *done: told.append(done)) is not None
    assert told[-1] == (2, 2)
    with database.reading(SYSTEM, at=clock.now()) as store:
        done = jobs.job(store, id)
    assert done is not None
    assert done.state == "done"
    folder = tmp_path / "exports" / id
    kept = {file.name: b"".join(files.read(folder / file.name, file.size, database.sealer)) for file in done.progress.files}
    read = [json.loads(line) for content in kept.values() for line in content.splitlines()]
    assert len(read) == 54
    assert len({(one["resourceType"], one["id"]) for one in read}) == 54
    assert {one["name"][0]["text"] for one in read if one["resourceType"] == "Patient"} == {f"王{number}" for number in range(5)}


def test_a_process_that_stops_leaves_it_where_the_last_page_ended_and_another_goes_on_at_once(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        jobs.begin(store, Terms("system", None, ("Observation", "Patient")))
        (id,) = open_to_take(store.connection, store.at)
    leaving = threading.Event()

    def until_told(database: Database, work: Work, report: Report) -> Finish:
        def count(done: int, total: int) -> None:
            if done:
                leaving.set()
            report(done, total)

        return carry_out(tmp_path, database, work, count)

    assert run(database, id, {jobs.KIND: until_told}, leaving) is State.WAITING
    with database.reading(SYSTEM, at=clock.now()) as store:
        (export,) = jobs.running(store)
        assert store.connection.execute(text("SELECT holder FROM export")).scalar_one() == ""
    assert export.progress.place == 1
    assert run(database, id, {jobs.KIND: partial(carry_out, tmp_path)}) is State.DONE
    with database.reading(SYSTEM, at=clock.now()) as store:
        ended = jobs.job(store, export.id)
    assert ended is not None
    assert (ended.state, ended.error) == ("done", None)


def test_what_the_caller_may_not_see_is_not_exported(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def narrowed(store: Any) -> Any:
        if store.actor.id == "token/1":
            store.restrict = lambda type: None if type == "Practitioner" else ast.in_patient_compartment(type, ("p1",))
        return store

    monkeypatch.setattr("healthsvc.access.door.narrowed", narrowed)
    with database.writing(Actor("token/1", "", frozenset({"system"}), "rest"), at=clock.now()) as store:
        id = jobs.begin(store, Terms("system", None, ("Observation", "Patient", "Practitioner"), since=0))
        store.delete("Observation", "o1-0")
    exporter = Exporter(database, Site.of(Settings(data=tmp_path)), tmp_path)
    assert exporter.see_through(id, lambda *_: None) is not None
    with database.reading(SYSTEM, at=clock.now()) as store:
        done = jobs.job(store, id)
    assert done is not None
    assert {(one.kind, one.type): one.count for one in done.progress.files} == {
        ("output", "Observation"): 9, ("output", "Patient"): 1, ("output", "Practitioner"): 1,
    }  # fmt: skip


def test_a_killed_server_ends_the_export_when_it_is_back(tmp_path: Path) -> None:
    small_steps(tmp_path)
    here = open_installation(tmp_path)
    fill(here.database, patients=60, observations=30)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        from healthsvc.access.tokens import issue_token

        headers = {"authorization": f"Bearer {issue_token(store, 'system', 'test', 1)}"}
    here.close()

    with real_server(tmp_path) as (process, host), httpx.Client(headers=headers, timeout=30) as client:
        address = client.get(f"{host}/fhir/Patient/$export", headers=ASYNC).headers["content-location"]
        assert client.get(address).status_code == 202
        process.kill()
    database = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite")
    with database.writing(SYSTEM, at=clock.now()) as store:  # the twenty seconds that others wait for the dead
        store.connection.execute(update(jobs.EXPORT).values(until=0))
        store.connection.execute(update(ROWS).values(until=0))
    database.close()
    with real_server(tmp_path) as (_, other), httpx.Client(headers=headers, timeout=30) as client:
        found = lines(client, manifest(client, address.replace(host, other)))
    assert len(ids(found, "Observation")) == len(found["Observation"]) == 1800
    assert len(ids(found, "Patient")) == len(found["Patient"]) == 60


@contextmanager
def real_server(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command itself in a process of its own; its address."""
    command = [sys.executable, "-m", "healthsvc.main", "serve", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            line = next(line for line in process.stdout if "ready" in line)
            yield process, "http://" + line.split("http://")[1].split()[0]
        finally:
            process.terminate()


def test_the_files_are_sealed_on_the_disk_and_cannot_be_changed_or_moved(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    Seal.of(keys)
    sealer, folder = Sealer(keys, b"look-up"), tmp_path / "exports" / "e1"
    folder.mkdir(parents=True)
    path, lines = folder / "Patient.1.ndjson", [f'{{"name":"某甲{number}"}}\n'.encode() for number in range(3)]
    size = 0
    for line in lines:
        files.append(path, size, b"what a crash has left behind\n", sealer)
        size = files.append(path, size, line, sealer)
    assert b"".join(files.read(path, size, sealer)) == b"".join(lines)
    assert "某甲".encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    moved = folder / "Patient.2.ndjson"
    moved.write_bytes(path.read_bytes())
    cut = folder / "Patient.3.ndjson"
    cut.write_bytes(path.read_bytes()[:-5])
    for wrong in (moved, cut):
        with pytest.raises(Unavailable):
            list(files.read(wrong, size, sealer))
    plain = folder / "Patient.4.ndjson"
    plain.write_bytes(b"".join(lines))
    assert b"".join(files.read(plain, 1, sealer)) == b"".join(lines), "of a release that did not seal them yet"
