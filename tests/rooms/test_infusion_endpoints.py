"""Infusions over a real socket: the drug list, a refused and a given course, the bedside step by step."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import time_machine
from roomserver import room_client
from test_infusion_room import KIT

from healthsvc import clock
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as homebeds
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.infusion.endpoints import router
from healthsvc.store import SYSTEM, Database

QUALIFIED = code_system("staff-qualification")


def staff(id: str, *held: str) -> dict[str, Any]:
    entries = [{"code": {"coding": [{"system": QUALIFIED, "code": one}]}, "period": {"start": "2010-01-01"}} for one in held]
    return {"resourceType": "Practitioner", "id": id, "qualification": entries}


def prepared(database: Database, now: datetime) -> str:
    on = now.date()
    with database.writing(SYSTEM, at=now) as store:
        store.put(staff("dr-1", "doctor"))
        store.put(staff("nu-1", "nurse", "infusion", "charge-nurse"))
        patient = str(register(store, Person("测试甲", category=Category.LIXIU), "urn:test").patient["id"])
        found = Assessment(
            patient, "dr-1", on, Diagnosis("J15.900", "肺炎恢复期"), frozenset({"other"}), frozenset(), True, 20, True, True, "同意建床"
        )
        agreed = SignedConsent("ag-1", patient, "home-bed", now - timedelta(hours=2), risks_told=True, fees_told=True, copies=3)
        homebeds.establish(store, patient, found, agreed, "dr-1", "nu-1", on)
        active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
        none = {"coding": [{"system": "http://snomed.info/sct", "code": "716186003"}]}
        store.create(
            {"resourceType": "AllergyIntolerance", "clinicalStatus": active, "code": none, "patient": {"reference": f"Patient/{patient}"}}
        )
    return patient


def test_a_course_over_http(database: Database, tmp_path: Path) -> None:
    now = clock.now()
    patient = prepared(database, now)
    tomorrow = (now + timedelta(days=1)).date()
    order = {
        "patient": patient,
        "prescriber": "dr-1",
        "drug_code": "ambroxol",
        "drug_name": "氨溴索",
        "dose": "30 mg",
        "solvent": "0.9%氯化钠",
        "volume_ml": 100,
        "rate_ml_h": 120,
        "start": tomorrow.isoformat(),
        "days": 1,
        "batch": "B1",
    }
    consent = {"id": "c-1", "patient": patient, "kind": "infusion", "signed": now.isoformat(), "risks_told": True}
    proof = {"on": now.date().isoformat(), "institution": "示范医院", "drug_code": "ambroxol"}
    with room_client(database, tmp_path, router) as client:
        assert client.get("/api/infusion/drip-rate", params={"rate_ml_h": 120}).json()["drops_a_minute"] == 40
        assert client.get("/api/infusion/drip-rate", params={"rate_ml_h": 50, "drops_per_ml": 15}).json()["drops_a_minute"] == 13
        assert client.get("/api/infusion/drip-rate", params={"rate_ml_h": 0}).status_code == 422
        listed = client.get("/api/infusion/drugs").json()
        assert listed["example"] is True
        refused = client.post("/api/infusion/courses", json={"order": order | {"drug_code": "salvia-injection"}, "consent": consent})
        assert refused.status_code == 422
        assert "infusion-drug-forbidden" in refused.text
        assert "infusion-first-dose-unproven" in refused.text
        made = client.post("/api/infusion/courses", json={"order": order, "consent": consent, "first_dose": proof, "nurse": "nu-1"})
        assert made.status_code == 201, made.text
        course, visits = made.json()["request"]["id"], made.json()["visits"]
        task = next(one["id"] for one in visits if "dose" in one["id"])
        assert [one["open"] for one in client.get(f"/api/infusion/courses/{course}").json()["gates"]] == [True] * 8
        assert client.get(f"/api/infusion/visits/{task}").json()["possible"] == ["arrive"]
        start = datetime.combine(tomorrow, datetime.min.time(), now.tzinfo) + timedelta(hours=9)

        def step(act: str, minute: int, **more: Any) -> Any:
            entry = {"act": act, "at": (start + timedelta(minutes=minute)).isoformat(), "by": "nu-1"}
            entry |= {key: value for key, value in more.items() if key != "of_the_day"}
            return client.post(f"/api/infusion/visits/{task}/steps", json={"entry": entry, "of_the_day": more.get("of_the_day")})

        with time_machine.travel(start + timedelta(minutes=25), tick=True):
            assert step("arrive", 0).status_code == 201
            assert step("puncture", 1).status_code == 422
            assert step("identify", 2, matched=["name", "file-number"]).json()["possible"] == ["clear", "refuse"]
            kit = list(KIT)
            evidence = {
                "companion": {"name_known": True, "adult": True, "confirmed_by": "nu-1", "on": tomorrow.isoformat()},
                "double_check": {"first": "nu-1", "second": "dr-1", "at": (start - timedelta(minutes=20)).isoformat()},
                "kit": {"on": tomorrow.isoformat(), "checked_by": "nu-1", "items": kit, "expires": "2099-01-01"},
            }
            asked = {"entry": {"act": "clear", "at": (start + timedelta(minutes=4)).isoformat(), "by": "nu-1"}}
            shut = [one["gate"] for one in client.post(f"/api/infusion/visits/{task}/gates", json=asked).json() if not one["open"]]
            assert shut == ["companion", "double-check", "nurse-and-kit"]
            assert step("clear", 5, of_the_day=evidence).status_code == 201
            vitals = {"systolic": 130, "diastolic": 75, "pulse": 70, "temperature": "36.5", "spo2": 97}
            assert step("measure", 8, vitals=vitals).status_code == 201
            running = step("puncture", 10).json()
            assert running["step"] == "running"
            assert running["next_check"] == (start + timedelta(minutes=25)).isoformat()
            assert step("react", 20, text="寒战").json()["possible"] == ["stop"]
            assert client.post(f"/api/infusion/courses/{course}/stop", json={"reason": "reaction"}).json()["status"] == "stopped"
            assert "entry" not in client.get("/api/infusion/returns", params={"patient": patient}).json()
            assert client.post("/api/infusion/returns/nothing/confirm", json={"by": "nu-1"}).status_code == 404
            assert "entry" not in client.get("/api/infusion/overrides").json()
