"""The doors of file, visit, checkup, contract and referral over a real socket: a year of one person by HTTP alone."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from fastapi import FastAPI
from serving import NO_TLS, serving

from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.checkup.endpoints import router as checkups
from healthsvc.config import Settings
from healthsvc.contract.endpoints import router as contracts
from healthsvc.healthfile.endpoints import router as files
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.referral.endpoints import router as referrals
from healthsvc.rest.errors import install
from healthsvc.store import SYSTEM, Database
from healthsvc.visit.endpoints import router as visits

ROSTERS = Path(__file__).resolve().parents[2] / "fixtures" / "rosters"
D1 = "Practitioner/d1"


@pytest.fixture(autouse=True)
def day() -> Iterator[None]:
    """A day on which this quarter's visit is due for who signs on it: in a quarter's last days the first one is the next quarter's."""
    with time_machine.travel(datetime(2026, 11, 23, 10, 0, tzinfo=clock.zone()), tick=True):
        yield


@pytest.fixture
def patient(database: Database) -> str:
    with database.writing(SYSTEM, at=clock.now()) as store:
        store.put({"resourceType": "Practitioner", "id": "d1"})
        store.put({"resourceType": "Practitioner", "id": "d2"})
        store.put({"resourceType": "Organization", "id": "h1", "name": "示例医院"})
        return str(register(store, Person("测试甲", birth=date(1930, 1, 1)), "urn:test").patient["id"])


@pytest.fixture
def client(database: Database, patient: str, tmp_path: Path) -> Iterator[httpx.Client]:
    app = FastAPI()
    app.state.database, app.state.settings, app.state.policy = database, Settings(data=tmp_path), database.policy
    install(app)
    for router in (files, visits, checkups, contracts, referrals):
        app.include_router(router)
    with database.writing(SYSTEM, at=clock.now()) as store:
        secret = tokens.issue_token(store, "coordinator", "test", 2)
    with (
        serving(app) as base,
        httpx.Client(base_url=base, headers={"authorization": f"Bearer {secret}"}, timeout=30, verify=NO_TLS) as opened,
    ):
        yield opened


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def test_nothing_is_open_without_a_token(client: httpx.Client) -> None:
    for path in ("visit/due", "contract/to-renew", "healthfile/x/timeline", "referral/x", "checkup/day/2026-10-01"):
        assert client.get(f"/api/{path}", headers={"authorization": ""}).status_code == 401


def test_sign_visit_and_count_by_http(client: httpx.Client, patient: str) -> None:
    contract = ok(client.post("/api/contract/sign", json={"patient": patient, "doctor": D1}), 201)
    assert ok(client.post("/api/contract/sign", json={"patient": patient, "doctor": D1}), 200)["id"] == contract["id"]
    refused = client.post("/api/contract/sign", json={"patient": patient, "doctor": "Practitioner/d2"})
    assert refused.status_code == 409
    (first, *_) = ok(client.get("/api/visit/due"))
    assert first["patient"] == patient
    now = clock.now().isoformat()
    planned = ok(client.post(f"/api/visit/{first['task']}/plan", json={"start": now, "end": now, "staff": [D1]}), 201)
    assert planned["status"] == "planned"
    ok(client.post(f"/api/visit/{first['task']}/start", json={"at": now, "staff": [D1]}))
    findings = {"start": now, "end": now, "bp_left": {"systolic": 134, "diastolic": 78}, "temperature": "36.50", "pulse": 130}
    self_care = {"eating": 0, "grooming": 0, "dressing": 0, "toilet": 1, "moving": 1}
    made = client.post(f"/api/checkup/{first['task']}/complete", json={"findings": findings, "by": [D1], "self_care": self_care})
    assert made.status_code == 200, made.text
    assert '"value":36.50' in made.text
    assert [one["resource"]["resourceType"] for one in made.json()["entry"]][-1] == "OperationOutcome"
    counted = ok(client.get(f"/api/contract/{contract['id']}/fulfilment"))
    assert (counted["promised"], counted["delivered"], counted["rate"]) == (4, 1, 0.25)
    events = ok(client.get(f"/api/healthfile/{patient}/timeline"))
    assert {"Contract", "Encounter", "Observation", "Task"} <= {one["type"] for one in events}
    assert ok(client.get(f"/api/healthfile/{patient}/completeness"))["score"] < 100


def test_what_is_wrong_is_told_with_its_place_and_without_the_person(client: httpx.Client, patient: str) -> None:
    ok(client.post("/api/contract/sign", json={"patient": patient, "doctor": D1}), 201)
    (first, *_) = ok(client.get("/api/visit/due"))
    now = clock.now().isoformat()
    wrong = client.post(f"/api/visit/{first['task']}/complete", json={"findings": {"start": now, "end": now, "pulse": 700}, "by": [D1]})
    assert wrong.status_code == 422
    assert "pulse" in wrong.text
    zoneless = {"start": "2026-11-22T09:00:00", "end": "2026-11-22T09:30:00"}
    assert client.post(f"/api/visit/{first['task']}/complete", json={"findings": zoneless, "by": [D1]}).status_code == 422
    assert client.post(f"/api/visit/{first['task']}/plan", json={**zoneless, "staff": [D1]}).status_code in (400, 422)
    assert client.post("/api/visit/nothing/cancel", json={"reason": "x"}).status_code == 404
    assert ok(client.get("/api/visit/overdue")) == []


def test_suspend_resume_transfer_renew_terminate(client: httpx.Client, patient: str) -> None:
    contract = ok(client.post("/api/contract/sign", json={"patient": patient, "doctor": D1, "package": "chronic"}), 201)["id"]
    assert len(ok(client.post("/api/visit/suspend", json={"patient": patient}))) == 4
    assert len(ok(client.post("/api/visit/resume", json={"patient": patient}))) == 4
    other = ok(client.post(f"/api/contract/{contract}/transfer", json={"doctor": "Practitioner/d2"}), 201)["id"]
    renewed = ok(client.post(f"/api/contract/{other}/renew"), 201)["id"]
    assert ok(client.get("/api/contract/to-renew")) == []
    ended = ok(client.post(f"/api/contract/{renewed}/terminate", json={"reason": "moved-away"}))
    assert ended["status"] == "terminated"
    assert ok(client.get("/api/visit/due")) == []


def test_a_referral_by_http(client: httpx.Client, patient: str) -> None:
    wanted = {"patient": patient, "reason": "critical", "hospital": "Organization/h1", "requester": D1, "urgent": True}
    referral = ok(client.post("/api/referral", json=wanted), 201)["id"]
    assert ok(client.post(f"/api/referral/{referral}/accept"))["stage"] == "accepted"
    assert ok(client.post(f"/api/referral/{referral}/take-back", json={"remark": "休息"}))["stage"] == "taken-back"
    assert client.post(f"/api/referral/{referral}/close", json={"outcome": "improved"}).status_code == 422
    assert ok(client.post(f"/api/referral/{referral}/close", json={"outcome": "lost"}))["stage"] == "closed"
    assert ok(client.get(f"/api/referral/{referral}"))["outcome"] == "lost"


def test_a_roster_by_http(client: httpx.Client) -> None:
    template = client.get("/api/healthfile/roster-template.xlsx")
    assert template.content.startswith(b"PK")
    for expected in (4, 0):
        with (ROSTERS / "mixed.csv").open("rb") as file:
            report = ok(client.post("/api/healthfile/roster", files={"file": ("mixed.csv", file)}))
        assert (report["created"], report["refused"]) == (expected, 9)
    assert client.post("/api/healthfile/roster", files={"file": ("a.pdf", b"x")}).status_code == 400


def test_merge_and_unmerge_by_http(client: httpx.Client, patient: str, database: Database) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        other = register(store, Person("测试乙"), "urn:test").patient["id"]
    assert ok(client.post("/api/healthfile/merge", json={"survivor": patient, "retired": other}))["id"] == patient
    assert ok(client.post("/api/healthfile/unmerge", json={"retired": other}))["patient"]["active"] is True


def test_what_kind_of_day_it_is(client: httpx.Client) -> None:
    assert ok(client.get("/api/checkup/day/2026-10-10")) == {"works": True, "name": "", "provisional": False}
