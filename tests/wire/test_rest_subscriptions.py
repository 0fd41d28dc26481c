"""Subscriptions with a real endpoint on a real socket: handshake, events in order, heartbeats, trouble, rights, and nothing lost."""

import copy
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhirserver import fhir_client, token
from sqlalchemy import text

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.access.tokens import revoke as revoke_token
from healthsvc.fhir.conformance.topics import BACKPORT, TOPICS, canonical
from healthsvc.fhir.json import loads
from healthsvc.fhir.systems import code_system
from healthsvc.fhir.validation import validate
from healthsvc.rooms import ROOMS
from healthsvc.store import SYSTEM, Database
from healthsvc.store.search.condition import condition
from healthsvc.subscription.room import ROOM as SUBSCRIPTION
from integrations.subscribers.teller import Teller

Sent = list[dict[str, Any]]


class Endpoint:
    """A subscriber's own server; ``answer`` is the status that it gives."""

    def __init__(self) -> None:
        self.got: Sent = []
        self.answer = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                if endpoint.answer < 300:
                    body = json.loads(raw) if raw else None
                    endpoint.got.append({"method": self.command, "path": self.path, "body": body, "headers": dict(self.headers)})
                self.send_response(endpoint.answer)
                if endpoint.answer == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_POST  # noqa: N815 - the library asks for the name
            do_GET = do_POST  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def kinds(self) -> list[str]:
        return [said(one["body"], "type") for one in self.got]

    def numbers(self) -> list[int]:
        return [int(part["valueString"]) for one in self.got for part in parts(one["body"], "event-number")]


def said(bundle: dict[str, Any], name: str) -> str:
    parameters = bundle["entry"][0]["resource"]["parameter"]
    return next(value for one in parameters if one["name"] == name for key, value in one.items() if key.startswith("value"))


def parts(bundle: dict[str, Any], name: str) -> list[dict[str, Any]]:
    events = [one for one in bundle["entry"][0]["resource"]["parameter"] if one["name"] == "notification-event"]
    return [part for one in events for part in one["part"] if part["name"] == name]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[httpx.Client]:
    with fhir_client(database, tmp_path) as opened:
        yield opened


class Time:
    """The teller's clock, put forward by a test."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return clock.utc_now() + self.ahead


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def turn(database: Database, time: Time) -> Iterator[Callable[[], None]]:
    teller = Teller(database, "test", "http://our.example/fhir", time)

    def once() -> None:
        teller.turn()
        teller.settle()

    yield once
    teller.stop()


def subscription(endpoint: Endpoint, topic: str = "health-file", content: str | None = "full-resource", **more: Any) -> dict[str, Any]:
    channel: dict[str, Any] = {"type": "rest-hook", "endpoint": endpoint.url, "payload": "application/fhir+json"}
    if content:
        channel["_payload"] = {"extension": [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}]}
    channel |= more.pop("channel", {})
    by_name = {one.name: canonical(one) for one in TOPICS}
    made = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "test",
        "criteria": by_name.get(topic, topic),
        "channel": channel,
    }
    filters = more.pop("filters", ())
    if filters:
        made["_criteria"] = {"extension": [{"url": f"{BACKPORT}/backport-filter-criteria", "valueString": one} for one in filters]}
    return made | more


def asked(client: httpx.Client, made: dict[str, Any]) -> str:
    answer = client.post("/Subscription", json=made)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def patient(name: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"text": name}], "gender": "male", **more}


def test_handshake_then_events_in_order(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None]) -> None:
    before = client.post("/Patient", json=patient("早先")).json()["id"]
    id = asked(client, subscription(endpoint, channel={"header": ["Authorization: Bearer secret"]}))
    turn()
    assert endpoint.kinds() == ["handshake"]
    assert client.get(f"/Subscription/{id}").json()["status"] == "active"
    first = client.post("/Patient", json=patient("王小二")).json()
    client.put(f"/Patient/{first['id']}", json={**first, "gender": "female"})
    client.delete(f"/Patient/{before}")
    turn()
    assert endpoint.kinds() == ["handshake", "event-notification"]
    assert endpoint.numbers() == [1, 2, 3]
    bundle, headers = endpoint.got[1]["body"], endpoint.got[1]["headers"]
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"] == "application/fhir+json"
    assert [one["request"]["method"] for one in bundle["entry"]] == ["GET", "POST", "PUT", "DELETE"]
    assert [one["resource"]["gender"] for one in bundle["entry"][1:3]] == ["male", "female"], "each event carries its own version"
    assert said(bundle, "topic") == canonical(TOPICS[0])
    assert said(bundle, "events-since-subscription-start") == "3"
    assert [issue for issue in validate(loads(json.dumps(bundle))) if issue.severity == "error"] == []
    turn()
    assert len(endpoint.got) == 2, "nothing is told twice"


@pytest.mark.parametrize(("content", "entries", "focus"), [("empty", 1, 0), ("id-only", 2, 1), ("full-resource", 2, 1)])
def test_how_much_is_told(
    client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None], content: str, entries: int, focus: int
) -> None:
    asked(client, subscription(endpoint, content=content))
    turn()
    made = client.post("/Patient", json=patient("王小二")).json()
    turn()
    bundle = endpoint.got[-1]["body"]
    assert (len(bundle["entry"]), len(parts(bundle, "focus"))) == (entries, focus)
    assert ("王小二" in json.dumps(bundle, ensure_ascii=False)) == (content == "full-resource")
    if focus:
        assert parts(bundle, "focus")[0]["valueReference"]["reference"] == f"http://our.example/fhir/Patient/{made['id']}"


def test_filters_and_changes_of_state(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None], database: Database) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        for id in ("p1", "p2"):
            store.put({**patient("王"), "id": id})
    asked(client, subscription(endpoint, "green-channel", filters=["Flag?patient=Patient/p1&status=active"]))
    turn()

    def flag(id: str, who: str, status: str = "active") -> None:
        code = {"coding": [{"system": "http://x", "code": "x"}]}
        made = {"resourceType": "Flag", "id": id, "status": status, "code": code, "subject": {"reference": f"Patient/{who}"}}
        client.put(f"/Flag/{id}", json=made).raise_for_status()

    flag("f1", "p1")
    flag("f2", "p2")
    flag("f1", "p1", "inactive")
    client.delete("/Flag/f1")
    flag("f3", "p1")
    turn()
    told = [part["valueReference"]["reference"].rpartition("/fhir/")[2] for one in endpoint.got for part in parts(one["body"], "focus")]
    assert told == ["Flag/f3"], "f1 was active when it was written, but is not to be seen any more"
    assert endpoint.numbers() == [2], "its event was counted all the same"


def test_what_a_visit_was_before_counts(endpoint: Endpoint, tmp_path: Path) -> None:
    """Several versions in one turn: each is judged by what it was, not by what has become of it."""
    database = Database.open(f"sqlite:///{tmp_path}/alone.sqlite", rooms=[SUBSCRIPTION])
    teller = Teller(database, "test")
    code = {"coding": [{"system": code_system("visit-kind"), "code": "follow-up"}]}
    task = {"resourceType": "Task", "id": "t", "intent": "order", "code": code, "for": {"reference": "Patient/p"}}
    with fhir_client(database, tmp_path) as client:
        client.put("/Patient/p", json={**patient("王"), "id": "p"}).raise_for_status()
        asked(client, subscription(endpoint, "visit-made", "id-only"))
        teller.turn()
        teller.settle()
        for state in ("requested", "completed", "completed", "in-progress", "completed", "cancelled"):
            client.put("/Task/t", json={**task, "status": state, "note": [{"text": clock.now().isoformat()}]}).raise_for_status()
        client.put("/Task/u", json={**task, "id": "u", "status": "completed"}).raise_for_status()
        client.put("/Task/w", json={**task, "id": "w", "status": "completed", "code": {"text": "other"}}).raise_for_status()
        teller.turn()
        teller.settle()
    teller.stop()
    database.close()
    told = [part["valueReference"]["reference"].rpartition("/")[2] for part in parts(endpoint.got[1]["body"], "focus")]
    assert told == ["t", "t", "u"]


def test_every_topic_can_be_carried_out(database: Database) -> None:
    with database.reading(SYSTEM, at=clock.now()) as store:
        for topic in TOPICS:
            for trigger in topic.triggers:
                for query in (trigger.current, trigger.previous, *(f"{name}=x" for name in topic.filters)):
                    if query:
                        condition(store, trigger.type, query)


def test_r4s_own_rest_hook(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None]) -> None:
    quiet = subscription(endpoint, "Patient?gender=female", content=None)
    del quiet["channel"]["payload"]
    asked(client, quiet)
    asked(client, subscription(endpoint, "Patient?gender=male", content=None))
    turn()
    assert endpoint.got == [], "R4's own form knows no handshake"
    client.post("/Patient", json=patient("女", gender="female"))
    turn()
    assert [(one["method"], one["path"], one["body"]) for one in endpoint.got] == [("POST", "/hook", None)]
    made = client.post("/Patient", json=patient("男")).json()
    turn()
    assert [(one["method"], one["path"], one["body"]) for one in endpoint.got[1:]] == [("PUT", f"/hook/Patient/{made['id']}", made)]


def test_trouble_waits_and_ends_in_error(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None], time: Time) -> None:
    id = asked(client, subscription(endpoint))
    turn()
    endpoint.answer = 302
    client.post("/Patient", json=patient("王小二"))
    turn()
    turn()
    attempts = status(client, id)
    assert attempts["error"] == "the endpoint answered 302", "a redirect is not followed"
    for _ in range(12):
        time.ahead += timedelta(hours=2)
        turn()
    failed = client.get(f"/Subscription/{id}").json()
    assert failed["status"] == "error"
    assert "10 attempts in a row failed" in failed["error"]
    client.post("/Patient", json=patient("王大山"))
    turn()
    endpoint.answer = 200
    again = client.put(f"/Subscription/{id}", json={**failed, "status": "requested"})
    assert again.status_code == 200
    turn()
    assert endpoint.kinds() == ["handshake", "handshake", "event-notification"]
    assert endpoint.numbers() == [1, 2], "what happened meanwhile is told"
    assert client.get(f"/Subscription/{id}").json()["status"] == "active"


def status(client: httpx.Client, id: str) -> dict[str, str]:
    answer = client.get(f"/Subscription/{id}/$status")
    assert answer.status_code == 200, answer.text
    parameters = answer.json()["entry"][0]["resource"]["parameter"]
    found = {one["name"]: next((v for k, v in one.items() if k.startswith("value")), None) for one in parameters}
    return {key: value["text"] if key == "error" else value for key, value in found.items()}  # type: ignore[index]


def test_heartbeats_status_and_past_events(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None], time: Time) -> None:
    beat = {"extension": [{"url": f"{BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": 60}]}
    id = asked(client, subscription(endpoint, channel=beat))
    turn()
    time.ahead += timedelta(seconds=61)
    turn()
    turn()
    assert endpoint.kinds() == ["handshake", "heartbeat"]
    for number in range(3):
        client.post("/Patient", json=patient(f"王{number}"))
    turn()
    found = status(client, id)
    assert (found["status"], found["type"], found["events-since-subscription-start"]) == ("active", "query-status", "3")
    assert client.get("/Subscription/$status", params={"status": "error"}).json()["total"] == 0
    assert client.get("/Subscription/$status", params={"id": id}).json()["total"] == 1
    body = {
        "resourceType": "Parameters",
        "parameter": [{"name": "eventsSinceNumber", "valueString": "2"}, {"name": "content", "valueCode": "id-only"}],
    }
    again = client.post(f"/Subscription/{id}/$events", json=body).json()
    assert (said(again, "type"), [part["valueString"] for part in parts(again, "event-number")]) == ("query-event", ["2", "3"])
    assert "resource" not in again["entry"][1]
    assert client.get("/Subscription/nobody/$status").status_code == 404
    assert client.get(f"/Subscription/{id}/$events", params={"content": "all"}).status_code == 400


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"channel": {"type": "websocket"}}, 400),
    ({"channel": {"type": "email"}}, 400),
    ({"channel": {"payload": "application/fhir+xml"}}, 400),
    ({"channel": {"endpoint": "ftp://127.0.0.1/x"}}, 422),
    ({"channel": {"endpoint": "http://169.254.169.254/latest"}}, 422),
    ({"channel": {"endpoint": "https://elsewhere.example/hook"}}, 422),
    ({"channel": {"header": ["Host: elsewhere"]}}, 422),
    ({"channel": {"header": ["no header"]}}, 422),
    ({"criteria": "http://nobody.example/SubscriptionTopic/x"}, 400),
    ({"criteria": "Nonsense?x=1"}, 400),
    ({"criteria": "Patient?nonsense=1"}, 400),
    ({"criteria": "Patient?_sort=name"}, 400),
    ({"status": "active"}, 422),
    ({"filters": ["Patient?name=x"]}, 422),
    ({"filters": ["Flag?patient=x"]}, 422),
]


def test_what_cannot_be_carried_out_is_said_at_once(client: httpx.Client, endpoint: Endpoint) -> None:
    for more, status in REFUSED:
        answer = client.post("/Subscription", json=subscription(endpoint, **copy.deepcopy(more)))
        assert answer.status_code == status, (more, answer.text)
        assert answer.json()["issue"][0]["expression"], answer.text
    assert client.get("/Subscription").json()["total"] == 0


def test_a_subscriber_is_told_of_their_own_people_only(
    endpoint: Endpoint, turn: Callable[[], None], database: Database, tmp_path: Path
) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        for id in ("o1", "o2"):
            store.put({"resourceType": "Organization", "id": id, "name": id})
        narrow = issue_token(store, "centre-head", "test", 1, areas=["Organization/o1"])
    with fhir_client(database, tmp_path) as everybody, fhir_client(database, tmp_path) as theirs:
        theirs.headers["authorization"] = f"Bearer {narrow}"
        id = asked(theirs, subscription(endpoint))
        turn()
        for name, organization in (("甲", "o1"), ("乙", "o2")):
            made = patient(name, managingOrganization={"reference": f"Organization/{organization}"})
            everybody.post("/Patient", json=made).raise_for_status()
        turn()
        told = [entry["resource"]["name"][0]["text"] for one in endpoint.got[1:] for entry in one["body"]["entry"][1:]]
        assert told == ["甲"]
        past = theirs.get(f"/Subscription/{id}/$events").json()
        assert len(past["entry"]) == 2


def test_who_may_and_what_they_are_told(
    client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None], database: Database, tmp_path: Path
) -> None:
    id = asked(client, subscription(endpoint))
    for role in ("doctor", "nurse", "bureau", "operator"):
        with fhir_client(database, tmp_path, role=role) as other:
            assert other.post("/Subscription", json=subscription(endpoint)).status_code == 403
            assert other.get(f"/Subscription/{id}").status_code == 403
            assert other.get(f"/Subscription/{id}/$events").status_code == 403
            assert other.get("/Subscription").status_code in (200, 403)
    turn()
    quiet = client.post("/Patient", json=patient("不愿告知")).json()["id"]
    client.post("/Patient", json=patient("愿意"))
    consent = {
        "resourceType": "Consent", "status": "active", "patient": {"reference": f"Patient/{quiet}"}, "dateTime": "2026-01-01",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}], "policyRule": {"text": "x"},
        "provision": {"type": "deny"},
    }  # fmt: skip
    client.post("/Consent", json=consent).raise_for_status()
    turn()
    told = [entry["resource"]["name"][0]["text"] for one in endpoint.got[1:] for entry in one["body"]["entry"][1:]]
    assert told == ["愿意"]


def test_a_revoked_key_ends_it(endpoint: Endpoint, turn: Callable[[], None], database: Database, tmp_path: Path) -> None:
    with fhir_client(database, tmp_path) as first:
        id = asked(first, subscription(endpoint))
        with database.writing(SYSTEM, at=clock.now()) as store:
            revoke_token(store, 1)
        first.headers["authorization"] = f"Bearer {token(database)}"
        turn()
        assert endpoint.got == []
        assert first.get(f"/Subscription/{id}").json()["status"] == "off"


def test_off_end_and_deleted(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None], time: Time) -> None:
    ends = (clock.now() + timedelta(hours=1)).isoformat(timespec="seconds")
    id = asked(client, subscription(endpoint, end=ends))
    other = asked(client, subscription(endpoint))
    turn()
    assert len(endpoint.got) == 2
    client.delete(f"/Subscription/{other}")
    time.ahead += timedelta(hours=2)
    turn()
    assert client.get(f"/Subscription/{id}").json()["status"] == "off"
    client.post("/Patient", json=patient("王小二"))
    turn()
    assert len(endpoint.got) == 2
    assert status(client, id)["status"] == "off"


def test_a_client_reads_and_writes_back_what_it_has(client: httpx.Client, endpoint: Endpoint, turn: Callable[[], None]) -> None:
    id = asked(client, subscription(endpoint))
    turn()
    active = client.get(f"/Subscription/{id}").json()
    assert client.put(f"/Subscription/{id}", json={**active, "reason": "another"}).status_code == 200
    moved = {**active, "channel": {**active["channel"], "endpoint": endpoint.url + "2"}}
    refused = client.put(f"/Subscription/{id}", json=moved)
    assert (refused.status_code, "requested" in refused.text) == (422, True)
    assert client.put(f"/Subscription/{id}", json={**moved, "status": "requested"}).status_code == 200
    turn()
    assert [one["path"] for one in endpoint.got] == ["/hook", "/hook2"]


def test_nothing_is_lost_when_the_server_is_killed(tmp_path: Path, endpoint: Endpoint) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", rooms=ROOMS)
    headers = {"authorization": f"Bearer {token(database)}"}
    database.close()
    with real_server(tmp_path) as (process, host), httpx.Client(base_url=f"{host}/fhir", headers=headers, timeout=30) as client:
        asked(client, subscription(endpoint, content="id-only"))
        wait_until(lambda: endpoint.kinds() == ["handshake"])
        endpoint.answer = 503
        for number in range(5):
            client.post("/Patient", json=patient(f"王{number}")).raise_for_status()
        process.kill()
        process.wait()
    endpoint.answer = 200
    let_the_dead_be_outlived(tmp_path)
    with real_server(tmp_path):
        wait_until(lambda: set(endpoint.numbers()) >= {1, 2, 3, 4, 5})
    assert sorted(set(endpoint.numbers())) == [1, 2, 3, 4, 5]


def let_the_dead_be_outlived(data: Path) -> None:
    """The half minute for which others take a killed process for a living one has passed."""
    database = Database.open(f"sqlite:///{data}/healthsvc.sqlite", rooms=ROOMS)
    with database.plainly() as connection:
        assert connection.execute(text("UPDATE lease SET until = 0 WHERE name = 'subscriptions'")).rowcount == 1
    database.close()


def wait_until(done: Callable[[], bool], seconds: float = 60.0) -> None:
    end = clock.utc_now() + timedelta(seconds=seconds)
    pause = threading.Event()
    while not done():
        assert clock.utc_now() < end
        pause.wait(0.05)


@contextmanager
def real_server(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command itself in a process of its own; its address."""
    words = ["serve", "--data", str(data), "--http", "127.0.0.1:0", "--mllp", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-m", "healthsvc.main", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = next(line for line in process.stdout if "ready" in line)
            yield process, "http://" + line.split("http://")[1].split()[0]
        finally:
            process.terminate()
