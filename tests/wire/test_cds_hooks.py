"""CDS Hooks over a socket as a hospital's software calls them: discovery, signed tokens, cards; and the QR code at the window."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey
from serving import serving

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.config import Settings
from healthsvc.fhir.systems import CITIZEN_ID, hospital_number
from healthsvc.greenchannel import service as channels
from healthsvc.greenchannel.endpoints import router as greenchannel
from healthsvc.greenchannel.hooks.endpoints import router
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.rest.errors import install
from healthsvc.store import SYSTEM, Database

NUMBER = "33029919300101901"
CITIZEN = NUMBER + check_digit(NUMBER)
KEY = ECKey.generate_key("P-384", {"kid": "his-1", "use": "sig", "alg": "ES384"})
STRANGER = ECKey.generate_key("P-384", {"kid": "his-1", "use": "sig", "alg": "ES384"})


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[tuple[str, str, str]]:
    """Address, the person's id, and a token of the hospital window."""
    keys = {"keys": [KEY.as_dict(private=False)]}
    (tmp_path / "his.json").write_text(json.dumps(keys), encoding="utf-8")
    client = '[[client]]\nissuer = "https://his.h1.example"\nhospital = "h1"\nname = "某医院门诊"\nkeys = "his.json"\n'
    (tmp_path / "cds-clients.toml").write_text(client, encoding="utf-8")
    app = FastAPI()
    app.state.database, app.state.settings, app.state.policy = database, Settings(data=tmp_path), database.policy
    install(app)
    app.include_router(router)
    app.include_router(greenchannel)
    with database.writing(SYSTEM, at=clock.now()) as store:
        numbers = (Identifier(CITIZEN_ID, CITIZEN), Identifier(hospital_number("h1"), "M77"))
        file = Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1), identifiers=numbers)
        patient = str(register(store, file, "urn:test").patient["id"])
        channels.grant(store, patient, clock.now().astimezone(store.zone).date())
        token = issue_token(store, "hospital-window", "test", 1)
    with serving(app) as base:
        yield base, patient, token


def signed(url: str, key: ECKey = KEY, **claims: Any) -> dict[str, str]:
    now = int(time.time())
    body = {"iss": "https://his.h1.example", "aud": url, "iat": now, "exp": now + 240, "jti": str(uuid.uuid4())} | claims
    body = {name: value for name, value in body.items() if value is not None}
    return {"authorization": "Bearer " + jwt.encode({"alg": "ES384", "kid": "his-1", "typ": "JWT"}, body, key, algorithms=["ES384"])}


def called(hook: str, identifier: list[dict[str, str]] | None = None, **context: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "hook": hook,
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/x", "patientId": "9"} | context,
    }
    if identifier is not None:
        asked["prefetch"] = {"patient": {"resourceType": "Patient", "id": "9", "identifier": identifier}}
    return asked


OWN = [{"system": "urn:oid:1.2.3.4", "value": "M77"}]


def test_discovery_and_cards(site: tuple[str, str, str]) -> None:
    base, _, _ = site
    found = httpx.get(f"{base}/cds-services").json()["services"]
    assert {one["hook"] for one in found} == {"patient-view", "appointment-book", "order-sign"}
    assert all(one["prefetch"]["patient"] == "Patient/{{context.patientId}}" for one in found)
    expected = {"patient-view": "优先就诊、优先结算、优先取药", "appointment-book": "优先就诊", "order-sign": "优先结算、优先取药"}
    for one in found:
        url = f"{base}/cds-services/{one['id']}"
        answer = httpx.post(url, json=called(one["hook"], OWN), headers=signed(url))
        assert answer.status_code == 200, answer.text
        (card,) = answer.json()["cards"]
        assert card["summary"] == f"绿色通道：{expected[one['hook']]}（离休干部）"
        assert card["indicator"] == "info"
        assert card["source"]["label"]
        assert card["source"]["topic"]["system"].endswith("/CodeSystem/green-channel")
        assert "有效至" in card["detail"]
        assert CITIZEN not in answer.text
        assert "测试甲" not in answer.text
    url = f"{base}/cds-services/green-channel-order-sign"
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "ServiceRequest"}}]}
    (card,) = httpx.post(url, json=called("order-sign", OWN, draftOrders=drafts), headers=signed(url)).json()["cards"]
    assert card["summary"] == "绿色通道：优先结算（离休干部）"
    told = httpx.post(
        f"{url}/feedback", json={"feedback": [{"card": card["uuid"], "outcome": "accepted"}]}, headers=signed(f"{url}/feedback")
    )
    assert told.status_code == 200


def test_by_citizen_id_and_by_our_own_token_and_nobody(site: tuple[str, str, str]) -> None:
    base, _, token = site
    url = f"{base}/cds-services/green-channel-patient-view"
    bearer = {"authorization": f"Bearer {token}"}
    by_citizen = [{"system": CITIZEN_ID, "value": CITIZEN}]
    assert len(httpx.post(url, json=called("patient-view", by_citizen), headers=bearer).json()["cards"]) == 1
    # a number without its hospital means nobody
    assert httpx.post(url, json=called("patient-view", OWN), headers=bearer).json()["cards"] == []
    assert httpx.post(url, json=called("patient-view", []), headers=bearer).json()["cards"] == []
    assert httpx.post(url, json=called("patient-view"), headers=bearer).status_code == 412
    assert httpx.post(url, json=called("order-sign", OWN), headers=bearer).status_code == 422
    assert httpx.post(f"{base}/cds-services/tea", json=called("patient-view", OWN), headers=bearer).status_code == 404


def test_only_a_good_token_of_a_registered_client_is_taken(site: tuple[str, str, str]) -> None:
    base, _, _ = site
    url = f"{base}/cds-services/green-channel-patient-view"
    asked, now = called("patient-view", OWN), int(time.time())
    used = signed(url)
    assert httpx.post(url, json=asked, headers=used).status_code == 200
    wrong = {
        "replay": used,
        "another key": signed(url, STRANGER),
        "another issuer": signed(url, iss="https://else.example"),
        "another address": signed(f"{base}/cds-services/green-channel-order-sign"),
        "ended": signed(url, iat=now - 400, exp=now - 100),
        "not yet": signed(url, iat=now + 200, exp=now + 400),
        "too long": signed(url, exp=now + 4000),
        "no number": signed(url, jti=None),
        "no end": signed(url, exp=None),
        "no signature": {"authorization": "Bearer " + used["authorization"].removeprefix("Bearer ").rpartition(".")[0] + "."},
        "no token": {"authorization": "Bearer a.b.c"},
        "nobody": {},
    }
    answers = {name: httpx.post(url, json=asked, headers=headers).status_code for name, headers in wrong.items()}
    assert set(answers.values()) == {401}, answers


def test_a_code_opens_the_window_until_it_is_replaced_or_withdrawn(site: tuple[str, str, str], database: Database) -> None:
    base, patient, token = site
    with database.writing(SYSTEM, at=clock.now()) as store:
        doctor = {"authorization": f"Bearer {issue_token(store, 'doctor', 'test', 1)}"}
    window = {"authorization": f"Bearer {token}"}

    def standing(code: str) -> str:
        answer = httpx.post(f"{base}/api/greenchannel/answer", json={"code": code}, headers=window)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["standing"])

    made = httpx.post(f"{base}/api/greenchannel/code", json={"patient": patient}, headers=doctor).json()
    assert made["svg"].startswith("<svg")
    assert made["code"].startswith("HSGC:")
    for said in (CITIZEN, patient, "测试甲"):
        assert said not in made["code"]
    assert standing(made["code"]) == standing(made["code"].lower()) == "entitled"
    with database.reading(SYSTEM, at=clock.now()) as store:
        for version in store.history("Flag", f"greenchannel-{patient}"):
            assert made["code"].removeprefix("HSGC:").encode() not in version.body
    again = httpx.post(f"{base}/api/greenchannel/code", json={"patient": patient}, headers=doctor).json()
    assert standing(made["code"]) == "code-ended"
    assert standing(again["code"]) == "entitled"
    assert standing("HSGC:GUESS") == "code-ended"
    assert httpx.post(f"{base}/api/greenchannel/renew", json={"patient": patient}, headers=doctor).status_code == 200
    assert standing(again["code"]) == "entitled"
    shut = httpx.post(f"{base}/api/greenchannel/withdraw", json={"patient": patient, "why": "迁出"}, headers=doctor)
    assert shut.status_code == 200, shut.text
    assert standing(again["code"]) == "code-ended"
    assert httpx.post(f"{base}/api/greenchannel/code", json={"patient": patient}, headers=doctor).status_code == 422
    assert httpx.post(f"{base}/api/greenchannel/code", json={"patient": patient}, headers=window).status_code == 403


def test_a_code_ends_by_policy(database: Database) -> None:
    with database.writing(SYSTEM, at=clock.now()) as store:
        file = Person("测试乙", category=Category.LIXIU)
        patient = str(register(store, file, "urn:test").patient["id"])
        today = clock.now().astimezone(store.zone).date()
        channels.grant(store, patient, today)
        made = channels.make_code(store, patient, today)
        assert channels.by_code(store, made.text, made.until).entitled
        late = made.until.fromordinal(made.until.toordinal() + 1)
        assert channels.by_code(store, made.text, late).standing == "code-ended"
