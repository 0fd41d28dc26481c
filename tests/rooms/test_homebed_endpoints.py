"""Home beds over a real socket: from the assessment to the printed documents."""

from datetime import date, timedelta
from pathlib import Path

from roomserver import room_client
from staffed import staffed

from healthsvc import clock
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed.endpoints import router
from healthsvc.store import SYSTEM, Database


def test_a_bed_from_assessment_to_documents(database: Database, tmp_path: Path) -> None:
    now = clock.now()
    with database.writing(SYSTEM, at=now) as store:
        for one in (staffed("dr-1", "doctor"), staffed("nu-1", "nurse")):
            store.put(one)
        known = Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1))
        patient = register(store, known, "urn:test").patient["id"]
    on = now.date().isoformat()
    assessment = {
        "patient": patient,
        "doctor": "dr-1",
        "on": on,
        "diagnosis": {"code": "I69.300", "text": "脑梗死后遗症"},
        "criteria": ["hemiplegia"],
        "stable": True,
        "self_care": 20,
        "home_suitable": True,
        "carer": None,
        "indication": "同意建床",
    }
    with room_client(database, tmp_path, router) as client:
        judged = client.post("/api/homebed/assess", json=assessment).json()
        assert (judged["fits"], [one["reason"] for one in judged["issues"]]) == (False, ["homebed-carer-unknown"])
        signed = {
            "id": "agreement-1",
            "patient": patient,
            "kind": "home-bed",
            "signed": (now - timedelta(hours=1)).isoformat(),
            "signer": "family",
            "relation": "女儿",
            "risks_told": True,
            "fees_told": True,
            "copies": 3,
        }
        wanted = {"patient": patient, "assessment": assessment, "consent": signed, "doctor": "dr-1", "nurse": "nu-1"}
        refused = client.post("/api/homebed", json=wanted)
        assert refused.status_code == 422
        assert "carer" in refused.text or "可以" in refused.text or "help" in refused.text
        wanted["assessment"] = assessment | {"carer": True}
        made = client.post("/api/homebed", json=wanted)
        assert made.status_code == 201, made.text
        bed = made.json()["id"]
        assert client.get(f"/api/homebed/{bed}").json()["status"] == "active"
        assert client.get("/api/homebed/ending").json() == []
        assert client.post(f"/api/homebed/{bed}/stable", json={"stable": True}).status_code == 200
        assert client.post("/api/homebed/suspend", json={"patient": patient, "reason": "away"}).json()["held_for"] == "away"
        assert client.post("/api/homebed/resume", json={"patient": patient}).json()["status"] == "active"
        how = {"on": on, "reason": "better", "outcome": "improved"}
        assert [one["reason"] for one in client.post(f"/api/homebed/{bed}/blockers", json=how).json()] == ["homebed-no-discharge-diagnosis"]
        how = how | {"diagnosis": {"code": "I69.300", "text": "脑梗死后遗症"}, "summary": "好转"}
        assert client.post(f"/api/homebed/{bed}/discharge", json=how).json()["status"] == "finished"
        papers = client.get(f"/api/homebed/{bed}/documents").json()
        assert [(one["name"], one["copies"]) for one in papers] == [("front-page", 1), ("agreement", 3), ("rounds", 1), ("summary", 1)]
        lines = dict(line for section in papers[0]["sections"] for line in section["lines"])
        assert lines["建床诊断"] == "I69.300 脑梗死后遗症"
        assert lines["转归"] == "好转"
        assert dict(papers[1]["sections"][1]["lines"])["与患者关系"] == "女儿"
        assert client.get("/api/homebed/nothing").status_code == 404
