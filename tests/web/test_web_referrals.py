"""Referrals on pages: refer, see what is late, take the steps, close with an outcome."""

import re
from typing import Any

import httpx
import pytest
from conftest import SHOTS, Site, keep_shot, sign_in
from test_web_forms import send, someone
from test_web_pages import csrf
from test_web_pages import sign_in as sign_in_plainly
from world import NAMES

from healthsvc.fhir.systems import ICD10


@pytest.fixture
def doctor(client: httpx.Client) -> httpx.Client:
    sign_in_plainly(client, "doctor1")
    return client


def put(client: httpx.Client, resource: dict[str, Any]) -> None:
    head = {"x-csrf-token": csrf(client), "content-type": "application/fhir+json", "accept": "application/fhir+json"}
    answer = client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource, headers=head)
    assert answer.status_code in (200, 201), answer.text


def test_a_referral_is_advised_made_and_goes_its_way(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[14])
    put(doctor, {"resourceType": "Organization", "id": "lanwan", "name": "澜湾医院"})
    put(doctor, {"resourceType": "Condition", "id": f"htn-{patient}"[:64], "subject": {"reference": f"Patient/{patient}"},
                 "code": {"coding": [{"system": ICD10, "code": "I10"}], "text": "高血压"}})  # fmt: skip
    form = f"/people/{patient}/forms/hypertension-follow-up"
    for _ in range(2):
        assert send(doctor, form, systolic_left="168", diastolic_left="88").status_code == 303
    asked = doctor.get(f"/people/{patient}/referral").text
    assert "建议转诊" in asked
    assert "second-in-a-row" in asked
    assert re.search(r'value="not-controlled-twice" selected', asked)
    given = {"csrf": csrf(doctor), "reason": "not-controlled-twice", "summary": "两次血压不达标", "department": "心内科"}
    refused = doctor.post(f"/people/{patient}/referral", data=given)
    assert refused.status_code == 422
    assert "请选择接诊医院" in refused.text
    made = doctor.post(
        f"/people/{patient}/referral", data=given | {"hospital": "Organization/lanwan", "requester": "Practitioner/doctor-1"}
    )
    assert made.status_code == 303
    page = doctor.get(made.headers["location"]).text
    for text in ("澜湾医院", "心内科", "高血压", "两次血压不达标", "168 mmHg/88 mmHg"):
        assert text in page
    assert NAMES[14] in doctor.get("/referrals").text
    closed = doctor.post(made.headers["location"], data={"csrf": csrf(doctor), "act": "close", "outcome": "improved"})
    assert closed.status_code == 422
    assert "随访" in closed.text
    for act in ("accept", "take-back"):
        assert doctor.post(made.headers["location"], data={"csrf": csrf(doctor), "act": act, "remark": "继续服药"}).status_code == 303
    assert "继续服药" in doctor.get(made.headers["location"]).text
    over = doctor.post(made.headers["location"], data={"csrf": csrf(doctor), "act": "close", "outcome": "lost"})
    assert over.status_code == 303
    assert NAMES[14] not in doctor.get("/referrals").text


@pytest.mark.parametrize("width", [1280, 390])
def test_referrals_are_fit_to_be_seen(chromium: Any, site: Site, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
    sign_in(page, site.url, "doctor1")
    for path, name in (("/referrals", "referrals"), (f"/people/{site.world.first}/referral", "referral-new")):
        page.goto(site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        keep_shot(page, SHOTS / f"{name}-{width}.png", full_page=True)
    page.close()
