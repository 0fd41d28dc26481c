"""The hospital window over a real socket."""

from pathlib import Path

import pytest
from roomserver import room_client

from healthsvc import clock
from healthsvc.fhir.systems import CITIZEN_ID, hospital_number
from healthsvc.greenchannel.endpoints import router
from healthsvc.greenchannel.honour import uses
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database

NUMBER = "33029919300101901"
CITIZEN = NUMBER + check_digit(NUMBER)


def test_the_window_asks_and_is_told(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        numbers = (Identifier(CITIZEN_ID, CITIZEN), Identifier(hospital_number("h1"), "000123"))
        patient = register(store, Person("测试甲", category=Category.LIXIU, identifiers=numbers), "urn:test").patient["id"]
    with room_client(database, tmp_path, router) as doctor:
        granted = doctor.post("/api/greenchannel/grant", json={"patient": patient})
        assert granted.status_code == 201
        assert granted.json()["resourceType"] == "Flag"
    with room_client(database, tmp_path, router, "hospital-window") as window:
        for question in ({"citizen_id": CITIZEN}, {"hospital": "h1", "number": "000123"}, {"system": CITIZEN_ID, "value": CITIZEN}):
            told = window.post("/api/greenchannel/answer", json=question).json()
            assert told["entitled"] is True
            assert told["reason"] == "lixiu"
            assert [one["name"] for one in told["rights"]] == ["优先就诊", "优先结算", "优先取药"]
            assert told["valid_to"]
        unknown = window.post("/api/greenchannel/answer", json={"hospital": "h1", "number": "9"}).json()
        assert (unknown["entitled"], unknown["standing"]) == (False, "unknown-person")
        use = {"hospital": "h1", "number": "000123", "right": "dispensing", "honoured": False, "wait_minutes": 35, "at_hospital": "h1"}
        assert window.post("/api/greenchannel/used", json=use).status_code == 201
        assert window.post("/api/greenchannel/used", json=use | {"number": "9"}).status_code == 404
        assert window.post("/api/greenchannel/used", json=use | {"at": "2020-01-01T08:00:00+08:00"}).status_code == 422
        with database.reading(SYSTEM, at=clock.now()) as store:
            (noted,) = uses(store, clock.today(), clock.today())
        assert (noted.patient, noted.right, noted.honoured, noted.wait_minutes) == (patient, "dispensing", False, 35)
        assert window.post("/api/greenchannel/withdraw", json={"patient": patient}).status_code == 403
    with room_client(database, tmp_path, router) as doctor:
        assert doctor.post("/api/greenchannel/withdraw", json={"patient": patient}).json()["status"] == "inactive"
        assert doctor.post("/api/greenchannel/answer", json={"citizen_id": CITIZEN}).json()["standing"] == "withdrawn"
        assert doctor.post("/api/greenchannel/renew", json={"patient": patient}).status_code == 422


TWO = {"citizen_id": CITIZEN, "hospital": "h1", "number": "1"}


@pytest.mark.parametrize("question", [{}, TWO, {"citizen_id": CITIZEN[:-1]}, {"hospital": "h1"}])
def test_a_question_that_cannot_be_answered_never_repeats_the_number(database: Database, tmp_path: Path, question: dict[str, str]) -> None:
    with room_client(database, tmp_path, router, "hospital-window") as window:
        refused = window.post("/api/greenchannel/answer", json=question)
        assert refused.status_code in (400, 422)
        assert NUMBER not in refused.text
        assert window.get(f"/api/greenchannel/answer?citizen_id={CITIZEN}").status_code == 405
        assert (
            window.post(
                "/api/greenchannel/answer", json={"hospital": "h1", "number": "1"}, headers={"authorization": "Bearer x"}
            ).status_code
            == 401
        )
