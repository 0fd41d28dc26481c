"""The second factor on a real socket: set up, asked for, used once, lost and taken away."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import time_machine
from serving import serving
from sqlalchemy import text

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import Unavailable
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM
from healthsvc.store.sealing import keys

PASSWORD = "bamboo-lantern-7"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    opened = open_installation(settings=Settings(data=tmp_path_factory.mktemp("factor")))
    with opened.database.writing(SYSTEM, at=clock.now()) as store:
        for login, role in (("anquan", "security-admin"), ("yisheng", "doctor"), ("shenji", "auditor"), ("xitong", "system-admin")):
            accounts.create_user(store, login, role, password=PASSWORD)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def url(here: Installation) -> Iterator[str]:
    with serving(create_app(here)) as base:
        yield base


def browser(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"accept": "text/html"})


def sign_in(client: httpx.Client, login: str) -> str:
    answer = client.post("/sign-in", data={"login": login, "password": PASSWORD})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def send(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    found = CSRF.search(client.get("/account/code" if path == "/account/code" else "/account/second-factor").text)
    assert found is not None
    return client.post(path, data={"csrf": found[1], **fields})


def enrol(client: httpx.Client) -> tuple[str, list[str]]:
    begun = send(client, "/account/second-factor")
    secret = re.search(r'class="mono">([A-Z2-7]{32})<', begun.text)
    assert secret is not None
    assert "<svg" in begun.text
    finished = send(client, "/account/second-factor/confirm", code=pyotp.TOTP(secret[1]).at(clock.now()))
    assert finished.status_code == 200
    return secret[1], [one.replace(" ", "") for one in re.findall(r"<li>([0-9a-f ]{23})</li>", finished.text)]


def test_an_administrator_sets_it_up_first_and_is_asked_for_it_ever_after(url: str, here: Installation) -> None:
    with browser(url) as client:
        assert sign_in(client, "anquan") == "/start"
        assert client.get("/users").headers["location"] == "/account/second-factor"
        assert send(client, "/account/second-factor/confirm", code="000000").status_code == 409
        secret, codes = enrol(client)
        assert len(set(codes)) == 10
        assert client.get("/users").status_code == 200
        assert send(client, "/account/second-factor").status_code == 409
    with here.database.reading(SYSTEM, at=clock.now()) as store:
        kept = store.connection.execute(text("SELECT factor, recovery FROM access_user WHERE login='anquan'")).one()
    assert secret.encode() not in kept.factor
    assert not any(code in kept.recovery for code in codes)
    with browser(url) as client, time_machine.travel(clock.now() + timedelta(seconds=60), tick=False):
        assert sign_in(client, "anquan") == "/account/code"
        for path in ("/users", "/account/password", "/account/second-factor", "/start", "/fhir/Patient"):
            answer = client.get(path, headers={"accept": "application/fhir+json" if path.startswith("/fhir") else "text/html"})
            assert answer.status_code in (303, 403), path
            assert answer.headers.get("location", "/account/code") == "/account/code", path
        waiting = client.cookies["healthsvc"]
        assert send(client, "/account/code", code="000000").status_code == 422
        code = pyotp.TOTP(secret).at(clock.now())
        assert send(client, "/account/code", code=f" {code[:3]} {code[3:]}").headers["location"] == "/start"
        assert client.cookies["healthsvc"] != waiting
        assert client.get("/users").status_code == 200
        with browser(url) as stolen:
            stolen.cookies.set("healthsvc", waiting)
            assert stolen.get("/users").headers["location"].startswith("/sign-in")
        with browser(url) as again:
            assert sign_in(again, "anquan") == "/account/code"
            assert send(again, "/account/code", code=code).status_code == 422, "a code counts once"
            assert send(again, "/account/code", code=codes[3]).headers["location"] == "/start"
        with browser(url) as again:
            assert sign_in(again, "anquan") == "/account/code"
            assert send(again, "/account/code", code=codes[3]).status_code == 422, "a recovery code counts once"
            assert send(again, "/account/code", code=codes[4].upper()).headers["location"] == "/start"


def test_guessing_locks_the_account(url: str) -> None:
    with browser(url) as client:
        sign_in(client, "shenji")
        enrol(client)
    with browser(url) as client:
        sign_in(client, "shenji")
        answers = [send(client, "/account/code", code=f"{n:06d}").status_code for n in range(6)]
    assert answers == [422, 422, 422, 422, 422, 429]


def test_who_need_not_have_it_may_and_a_lost_one_is_taken_away(url: str) -> None:
    with browser(url) as client:
        assert sign_in(client, "yisheng") == "/start"
        assert client.get("/people").status_code == 200
        enrol(client)
    with browser(url) as client, browser(url) as admin:
        assert sign_in(client, "yisheng") == "/account/code"
        sign_in(admin, "xitong")
        enrol(admin)
        assert send(admin, "/users/yisheng/factor").status_code == 403, "who runs the machine does not let people in"


def test_sealed_values_open_under_old_keys_and_nowhere_else(tmp_path: Path) -> None:
    first = keys.Seal.of(tmp_path / "keys")
    kept = first.close("秘密".encode(), "a/1")
    assert keys.rotate(tmp_path / "keys")
    second = keys.Seal.of(tmp_path / "keys")
    assert second.close(b"x", "a/1")[:8] != kept[:8]
    assert second.open(kept, "a/1").decode() == "秘密"
    for wrong, what in ((kept, "a/2"), (kept[:-1] + bytes([kept[-1] ^ 1]), "a/1"), (bytes(8) + kept[8:], "a/1")):
        with pytest.raises(Unavailable):
            second.open(wrong, what)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "keys").glob("*.json"))
    assert {path.name for path in (tmp_path / "keys").iterdir()} >= {"first.json"}


@pytest.mark.browser
def test_who_must_first_set_a_factor_sees_one_page_and_not_a_page_within_its_head(here: Installation, url: str, chromium: Any) -> None:
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        accounts.create_user(store, "xinshenji", "auditor", password=PASSWORD)
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{url}/sign-in")
    page.get_by_label("账号").fill("xinshenji")
    page.get_by_label("密码").fill(PASSWORD)
    with page.expect_response(lambda answer: "/progress/open" in answer.url):
        page.get_by_role("button", name="登录").click()
    page.wait_for_load_state("networkidle")
    assert page.url.endswith("/account/second-factor")
    assert (page.locator("h1").count(), page.locator("header.top").count()) == (1, 1)
    context.close()
