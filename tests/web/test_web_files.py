"""Possible duplicates and closed files on pages."""

import re
from typing import Any

import httpx
import pytest
from conftest import SHOTS, Site, keep_shot, sign_in
from test_web_forms import someone
from test_web_pages import csrf
from test_web_pages import sign_in as sign_in_plainly
from world import NAMES


@pytest.fixture
def doctor(client: httpx.Client) -> httpx.Client:
    sign_in_plainly(client, "doctor1")
    return client


def twin(client: httpx.Client, name: str, phone: str, id: str) -> None:
    head = {"x-csrf-token": csrf(client), "content-type": "application/fhir+json", "accept": "application/fhir+json"}
    body = {"resourceType": "Patient", "id": id, "name": [{"text": name}], "gender": "female", "birthDate": "1933-04-05",
            "telecom": [{"system": "phone", "value": phone}]}  # fmt: skip
    assert client.put(f"/fhir/Patient/{id}", json=body, headers=head).status_code in (200, 201)


def offered(page: str, one: str, other: str) -> bool:
    """Whether the page asks about these two; other tests of the town bring other pairs."""
    pairs = [part for part in page.split("<section") if 'value="merge"' in part]
    return any(f'value="{one}"' in part and f'value="{other}"' in part for part in pairs)


def test_two_files_are_compared_joined_and_parted_again(doctor: httpx.Client) -> None:
    twin(doctor, "蔺相宜", "0574-55550001", "twin-a")
    twin(doctor, "蔺湘宜", "0574-55550001", "twin-b")
    page = doctor.get("/duplicates").text
    for text in ("蔺相宜", "蔺湘宜", "姓名同音", "电话相同"):
        assert text in page
    assert offered(page, "twin-a", "twin-b")
    given = {"csrf": csrf(doctor), "one": "twin-a", "other": "twin-b"}
    assert doctor.post("/duplicates", data=given | {"act": "merge"}).status_code == 303
    page = doctor.get("/duplicates").text
    assert "撤销合并" in page
    assert not offered(page, "twin-a", "twin-b")
    assert doctor.post("/duplicates", data=given | {"act": "unmerge"}).status_code == 303
    assert offered(doctor.get("/duplicates").text, "twin-a", "twin-b")
    assert doctor.post("/duplicates", data=given | {"act": "part", "by": "王主任", "reason": "姐妹"}).status_code == 303
    assert not offered(doctor.get("/duplicates").text, "twin-a", "twin-b")


def test_a_death_is_entered_and_taken_back(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[15])
    path = f"/people/{patient}/closing"
    wrong = doctor.post(path, data={"csrf": csrf(doctor), "act": "death", "day": "2999-01-01"})
    assert wrong.status_code == 422
    assert "不能晚于今天" in wrong.text
    day = re.search(r'id="day" name="day".*? value="([^"]+)"', doctor.get(path).text)
    assert day is not None
    assert doctor.post(path, data={"csrf": csrf(doctor), "act": "death", "day": day[1], "text": "心衰"}).status_code == 303
    assert "已故" in doctor.get(f"/people/{patient}").text
    assert doctor.post(path, data={"csrf": csrf(doctor), "act": "alive"}).status_code == 303
    file = doctor.get(f"/people/{patient}").text
    assert "已故" not in file
    assert "待办上门" in file
    assert doctor.post(path, data={"csrf": csrf(doctor), "act": "close", "day": day[1], "reason": "moved-away"}).status_code == 303
    assert "档案已终止" in doctor.get(path).text
    assert doctor.post(path, data={"csrf": csrf(doctor), "act": "reopen"}).status_code == 303


@pytest.mark.parametrize("width", [1280, 390])
def test_these_pages_are_fit_to_be_seen(chromium: Any, site: Site, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
    sign_in(page, site.url, "doctor1")
    for path, name in (
        ("/duplicates", "duplicates"),
        (f"/people/{site.world.first}/closing", "closing"),
        (f"/people/{site.world.first}", "file"),
    ):
        page.goto(site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        keep_shot(page, SHOTS / f"{name}-{width}.png")
    page.close()
