"""The page of consents: read, give, withdraw, print, in a browser without scripts."""

import re

import httpx
from conftest import Site
from world import PASSWORD

CSRF = re.compile(r'name="csrf" value="([^"]+)"')


def signed(client: httpx.Client) -> None:
    assert client.post("/sign-in", data={"login": "coordinator1", "password": PASSWORD}).status_code == 303


def test_a_word_is_noted_and_withdrawn_by_word_of_mouth(site: Site, client: httpx.Client) -> None:
    signed(client)
    place = f"/people/{site.world.first}/consents"
    opened = client.get(place)
    assert opened.text.count("未表示") == 4
    csrf = CSRF.search(opened.text)
    assert csrf is not None
    told = {"csrf": csrf[1], "purpose": "community-worker", "permits": "true", "form": "oral"}
    refused = client.post(place, data=told)
    assert refused.status_code == 422
    assert "口头只能用于拒绝或撤回" in refused.text
    assert client.post(place, data=told | {"form": "written"}).status_code == 303
    assert "已同意" in client.get(place).text
    no_witness = client.post(place, data=told | {"permits": "false"})
    assert "须注明听取的工作人员" in no_witness.text
    assert client.post(place, data=told | {"permits": "false", "witness": "Practitioner/doctor-1"}).status_code == 303
    again = client.get(place).text
    assert "已拒绝或撤回" in again
    assert "已由后来的意愿取代" in again
    assert client.post(place, data=told | {"purpose": "everything"}).status_code == 422
    assert client.post(place, data=told | {"form": "written", "until": "tomorrow"}).status_code == 422
    sheet = client.get(f"{place}/print")
    assert sheet.text.count("☐") == 8
    assert "个人信息处理告知与同意书" in sheet.text
    assert client.get(f"/people/{site.world.first}").text.count("/consents") == 1
