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
        by_name = {one["name"]: one for one in papers}
        assert list(by_name) == ["assessment", "agreement", "front-page", "summary"]
        lines = dict(row for section in by_name["front-page"]["sections"] for row in section["blocks"][0]["rows"])
        assert lines["建床诊断"] == "I69.300 脑梗死后遗症"
        assert lines["转归"] == "好转"
        assert by_name["agreement"]["copies"] == ["患者或家属", "社区卫生服务站", "医院社区科"]
        signed_by = by_name["agreement"]["sections"][-1]["blocks"][0]["of"]
        assert signed_by[0]["role"] == "甲方代签人（女儿）"
        printed = client.get(f"/api/homebed/{bed}/documents/agreement.pdf")
        assert printed.content.startswith(b"%PDF-")
        assert client.get(f"/api/homebed/{bed}/documents/agreement.pdf").content == printed.content, "frozen: the same bytes each time"
        assert client.get(f"/api/homebed/{bed}/documents/front-page.pdf").content.startswith(b"%PDF-")
        assert client.get(f"/api/homebed/{bed}/documents/rounds.pdf").status_code == 404
        assert client.get("/api/homebed/nothing").status_code == 404
