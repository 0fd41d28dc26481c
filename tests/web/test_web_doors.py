"""Who is signed in where, which programs are let in, and how often one may knock: on real sockets."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import NO_FACTOR
from joserfc.jwk import ECKey
from serving import serving

from healthsvc import clock
from healthsvc.access import accounts, tokens
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM

PRINT = "sha256:" + "ab" * 32
ANDROID = "Mozilla/5.0 (Linux; Android 15) Firefox/140"
PASSWORD = "bamboo-lantern-7"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
LIMITS = """
[[parameter]]
name = "access.{name}_per_minute"
value = {most}
unit = "1/min"
title = "上限"
title_en = "limit"
source = "a test"
trust = "site"
effective_from = 2026-11-28
jurisdiction = "CN"
"""


@contextmanager
def served(folder: Path, **limits: int) -> Iterator[tuple[str, Installation]]:
    (folder / "policy").mkdir()
    policy = NO_FACTOR + "".join(LIMITS.format(name=name, most=most) for name, most in limits.items())
    (folder / "policy" / "access.toml").write_text(policy, encoding="utf-8")
    here = open_installation(settings=Settings(data=folder))
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        for login, role in (("anquan", "security-admin"), ("yisheng", "doctor"), ("hushi", "nurse")):
            accounts.create_user(store, login, role, password=PASSWORD)
        store.put({"resourceType": "Organization", "id": "h1", "name": "示例医院"})
    with serving(create_app(here)) as url:
        yield url, here
    here.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Installation]]:
    with served(tmp_path_factory.mktemp("doors")) as it:
        yield it


@contextmanager
def browser(url: str, login: str, agent: str = "Mozilla/5.0 (Windows NT 10.0) Chrome/140") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"accept": "text/html", "user-agent": agent}, timeout=20) as client:
        assert client.post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 303
        yield client


def send(client: httpx.Client, path: str, page: str, **fields: object) -> httpx.Response:
    found = CSRF.search(client.get(page).text)
    assert found is not None
    return client.post(path, data={"csrf": found[1], **fields})


def ids(client: httpx.Client, page: str) -> list[str]:
    return re.findall(r"/sessions/([0-9a-f]{16})/end", client.get(page).text)


def test_a_person_sees_their_sessions_and_ends_them(site: tuple[str, Installation]) -> None:
    url, _ = site
    with browser(url, "yisheng") as desk, browser(url, "yisheng", ANDROID) as phone, browser(url, "hushi") as other:
        listed = desk.get("/account/sessions").text
        assert "Chrome · Windows" in listed
        assert "Firefox · Android" in listed
        assert "127.0.0.1" in listed
        assert listed.count("本次") == 1
        [of_phone] = ids(desk, "/account/sessions")
        assert send(other, f"/account/sessions/{of_phone}/end", "/account/sessions").status_code == 404, "somebody else's"
        assert phone.get("/people").status_code == 200
        assert send(desk, f"/account/sessions/{of_phone}/end", "/account/sessions").status_code == 303
        assert phone.get("/people").status_code == 303, "signed out"
        with browser(url, "yisheng") as third:
            assert send(desk, "/account/sessions/others", "/account/sessions").status_code == 303
            assert third.get("/people").status_code == 303
        assert (desk.get("/people").status_code, other.get("/people").status_code) == (200, 200)
        assert desk.get("/users/sessions").status_code == 403


def test_the_security_administrator_ends_anybodys(site: tuple[str, Installation]) -> None:
    url, here = site
    with browser(url, "anquan") as admin, browser(url, "hushi") as nurse:
        assert "hushi" in admin.get("/users/sessions").text
        for id in ids(admin, "/users/sessions"):
            assert send(admin, f"/users/sessions/{id}/end", "/users/sessions").status_code == 303
        assert nurse.get("/people").status_code == 303
        assert ids(admin, "/users/sessions") == [], "all but the one that asks"
        assert send(admin, "/users/sessions/0011223344556677/end", "/users/sessions").status_code == 404
    with here.database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit WHERE action = 'session-end'").scalar_one() >= 3


def test_programs_are_registered_closed_and_their_tokens_ended(site: tuple[str, Installation]) -> None:
    url, _ = site
    page = "/users/clients"
    with browser(url, "anquan") as admin, browser(url, "yisheng") as doctor:
        assert doctor.get(page).status_code == 403
        wrong = send(admin, page, page, id="app", proof="public", scopes="everything", redirects="https://app.example/back")
        assert wrong.status_code == 422
        assert "scopes are written like" in wrong.text
        made = send(
            admin, page, page, id="app", name="图表", proof="secret", scopes="patient/*.rs openid", redirects="https://app.example/back"
        )
        assert re.search(r'<strong class="mono">[\w-]{43}</strong>', made.text)
        keys = json.dumps({"keys": [ECKey.generate_key("P-384", {"kid": "1"}).as_dict(private=False)]})
        told = {"id": "his", "proof": "keys", "scopes": "system/*.rs", "jwks": keys, "role": "doctor", "areas": "Organization/h1"}
        assert send(admin, page, page, **told).status_code == 200
        held = send(admin, page, page, id="his2", proof="certificate", scopes="system/*.rs", role="doctor", certificate=PRINT)
        assert "示例医院" in held.text
        assert PRINT in held.text
        assert made.text.count("有效") < held.text.count("有效")
        assert send(admin, f"{page}/his/tokens", page).status_code == 303
        assert send(admin, f"{page}/his/close", page).status_code == 303
        assert "停用" in admin.get(page).text
        assert send(admin, f"{page}/nobody/close", page).status_code == 404


def test_whoever_knocks_too_often_waits(tmp_path: Path) -> None:
    with served(tmp_path, sign_in=3, token=2, window=4, api=5) as (url, here):
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            secrets = {
                name: tokens.issue_token(store, role, name) for name, role in (("w", "hospital-window"), ("d", "doctor"), ("e", "doctor"))
            }
        with httpx.Client(base_url=url, headers={"accept": "text/html"}) as client:
            wrong = {"login": "nobody", "password": "x"}
            assert [client.post("/sign-in", data=wrong).status_code for _ in range(5)] == [422, 422, 422, 429, 429]
            late = client.post("/sign-in", data=wrong)
            assert late.headers["retry-after"] == "60"
            assert "一分钟后再试" in late.text
            assert [client.post("/auth/token", data={"grant_type": "x"}).status_code for _ in range(3)] == [401, 401, 429]
            forged = {"x-forwarded-for": "203.0.113.9"}
            assert client.post("/auth/token", data={"grant_type": "x"}, headers=forged).status_code == 429, "a header makes nobody another"
        bearer = {name: {"authorization": f"Bearer {secret}"} for name, secret in secrets.items()}
        with httpx.Client(base_url=url) as client:
            number = {"health_file_number": "33029900100100001"}
            asked = [client.post("/api/greenchannel/answer", json=number, headers=bearer["w"]).status_code for _ in range(5)]
            assert asked == [200, 200, 200, 200, 429]
            answers = [client.get("/fhir/Organization/h1", headers=bearer["d"]) for _ in range(7)]
            assert [one.status_code for one in answers] == [200] * 5 + [429] * 2
            assert answers[-1].json()["issue"][0]["code"] == "throttled"
            assert client.get("/fhir/Organization/h1", headers=bearer["e"]).status_code == 200, "another caller is not held up"
