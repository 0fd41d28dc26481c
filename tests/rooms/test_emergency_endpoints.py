"""The drill over HTTP: from the alarm to the first call in under one second; take, hand over, close."""

import time
from pathlib import Path

from roomserver import room_client

from healthsvc import clock
from healthsvc.emergency.endpoints import router
from healthsvc.emergency.service import DEVICE_NUMBER
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database


def test_the_drill(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        contacts = (Contact(ContactRole.FAMILY, "儿子", "13800000001"), Contact(ContactRole.COMMUNITY_DOCTOR, "医生", "13800000002"))
        patient = register(store, Person("测试甲", category=Category.LIXIU, contacts=contacts), "urn:test").patient["id"]
        device = {"identifier": [{"system": DEVICE_NUMBER, "value": "0001"}], "patient": {"reference": f"Patient/{patient}"}}
        store.put({"resourceType": "Device", "id": "phone-1", **device})
    with room_client(database, tmp_path, router) as client:
        client.get("/api/emergency/alarms")
        begun = time.monotonic()
        raised = client.post("/api/emergency/alarms", json={"device": "0001", "kind": "drill", "source": "81890"})
        print(f"from the alarm to its answer over HTTP: {1000 * (time.monotonic() - begun):.0f} ms")  # noqa: T201
        assert raised.status_code == 201, raised.text
        alarm = raised.json()["alarm"]
        assert [line["act"] for line in raised.json()["log"]] == ["raise", "call"]
        assert client.post("/api/emergency/alarms", json={"device": "0001"}).json()["alarm"] == alarm
        assert [one["alarm"] for one in client.get("/api/emergency/alarms").json()] == [alarm]
        shown = client.post("/api/emergency/sheet", json={"patient": patient, "purpose": "drill"}).json()
        assert shown["name"] == "测试甲"
        assert client.post(f"/api/emergency/alarms/{alarm}/take", json={"who": "family-0"}).json()["taken_by"] == "family-0"
        over = client.post(f"/api/emergency/alarms/{alarm}/hand-over", json={"who": "community-doctor-0", "text": "到场"})
        assert over.json()["taken_by"] == "community-doctor-0"
        assert client.post(f"/api/emergency/alarms/{alarm}/close", json={"who": "dr-1", "outcome": "tea"}).status_code == 422
        closed = client.post(f"/api/emergency/alarms/{alarm}/close", json={"who": "dr-1", "outcome": "drill"}).json()
        assert closed["status"] == "closed"
        assert client.get(f"/api/emergency/alarms/{alarm}").json() == closed
        assert client.get("/api/emergency/alarms").json() == []
        assert client.post("/api/emergency/alarms", json={"device": "9999"}).status_code == 404
        assert client.post("/api/emergency/alarms", json={}).status_code == 422
