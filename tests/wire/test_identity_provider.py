"""Signing in at an identity provider, over sockets: one that nobody here wrote, and one of our own that can be bent."""

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from ports import free_port
from provider import CLIENT, SECRET, Claims, Provider, provider
from serving import serving
from sqlalchemy import text

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.access.provider import service, speaking
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import Invalid
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM

PASSWORD = "bamboo-lantern-7"
GROUPS = """
accounts = "make"
rights = "groups"
second_factor = ["mfa"]
[roles]
doctors = "doctor"
chiefs = "security-admin"
watchers = "auditor"
[areas]
doctors = ["Organization/east"]
"""


@dataclass
class Site:
    url: str
    here: Installation
    provider: Provider

    def rows(self, sql: str) -> list[Any]:
        with self.here.database.engine.connect() as connection:
            return list(connection.execute(text(sql)))


@contextmanager
def served(folder: Path, issuer: str, more: str = "") -> Iterator[tuple[str, Installation]]:
    told = f'issuer = "{issuer}"\nclient = "{CLIENT}"\nsecret = "{SECRET}"\n'
    (folder / "identity-provider.toml").write_text(told + more, encoding="utf-8")
    here = open_installation(settings=Settings(data=folder))
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        accounts.create_user(store, "local", "doctor", password=PASSWORD)
    with serving(create_app(here)) as url:
        yield url, here
    here.close()


@pytest.fixture(scope="module")
def bent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with provider() as it, served(tmp_path_factory.mktemp("bent"), it.url, GROUPS) as (url, here):
        yield Site(url, here, it)


@pytest.fixture
def site(bent: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The site with a provider that is straight again."""
    fresh = Provider(bent.provider.url)
    vars(bent.provider).update(vars(fresh))
    monkeypatch.setattr(speaking, "AGAIN_SECONDS", 0.0)
    yield bent
    vars(bent.provider).update(vars(fresh))


def browser(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"accept": "text/html"}, timeout=20)


def come_back(client: httpx.Client, next: str = "/") -> httpx.Response:
    """To the provider and back, as a browser goes."""
    away = client.get("/sign-in/provider", params={"next": next})
    assert away.status_code == 303, away.text
    at_provider = httpx.get(away.headers["location"])
    assert at_provider.status_code == 303
    return client.get(at_provider.headers["location"])


def test_who_is_in_a_group_gets_an_account_with_its_rights_and_nothing_more(site: Site) -> None:
    with browser(site.url) as client:
        assert "/sign-in/provider?next=" in client.get("/sign-in").text
        back = come_back(client, "/people")
        assert (back.status_code, back.headers["location"]) == (303, "/people")
        assert client.get("/people").status_code == 200
        assert client.get("/users").status_code == 403
        assert client.get("/account/password").status_code == 200
    [row] = site.rows("SELECT login, name, roles, areas, subject FROM access_user WHERE subject IS NOT NULL AND login LIKE 'wangli%'")
    assert row == ("wangli", "王丽", "doctor", "Organization/east", f"{site.provider.url} s-1")
    kept = site.rows("SELECT hint FROM access_session WHERE login = 'wangli'")
    assert kept
    assert all(b"eyJ" not in hint for (hint,) in kept), "the identity token lies sealed"


def test_rights_follow_the_groups_and_end_with_them(site: Site) -> None:
    site.provider.person = {"sub": "s-2", "preferred_username": "li.na@example.org", "groups": ["doctors"]}
    with browser(site.url) as client:
        assert come_back(client).status_code == 303
        site.provider.person["groups"] = ["chiefs"]
        site.provider.person["amr"] = ["pwd", "mfa"]
        assert come_back(client).status_code == 303
        assert client.get("/users").status_code == 200, "the provider's second factor counts"
        assert client.get("/people").status_code == 403
        site.provider.person["groups"] = ["gardeners"]
        refused = come_back(client)
        assert refused.status_code == 403
        assert "没有权限" in refused.text
        site.provider.person["groups"] = ["chiefs", "watchers"]
        assert come_back(client).status_code == 422, "two administrators in one person"
    assert site.rows("SELECT roles, areas FROM access_user WHERE login = 'li.na'") == [("security-admin", None)]


def test_a_role_that_must_have_a_second_factor_sets_one_up_where_the_provider_asked_for_none(site: Site) -> None:
    site.provider.person = {"sub": "s-3", "preferred_username": "zhao", "groups": ["chiefs"], "amr": ["pwd"]}
    with browser(site.url) as client:
        assert come_back(client).status_code == 303
        assert client.get("/users").headers["location"] == "/account/second-factor"


OTHER = RSAKey.generate_key(2048, {"kid": "k1"})
FORGED: dict[str, Callable[[Site], None]] = {
    "another key under the same id": lambda site: setattr(site.provider, "sign", by_another),
    "alg none": lambda site: setattr(site.provider, "sign", unsigned),
    "public key as a shared secret": lambda site: setattr(site.provider, "sign", lambda claims: by_public_key(site, claims)),
    "another issuer": lambda site: bend(site, iss="https://elsewhere.example"),
    "another audience": lambda site: bend(site, aud="another-client"),
    "audiences with another party": lambda site: bend(site, aud=[CLIENT, "another"], azp="another"),
    "audiences without a party": lambda site: bend(site, aud=[CLIENT, "another"]),
    "another nonce": lambda site: bend(site, nonce="n-0"),
    "no nonce": lambda site: bend(site, nonce=None),
    "ended": lambda site: bend(site, exp=int(time.time()) - 120, iat=int(time.time()) - 600),
    "not yet": lambda site: bend(site, nbf=int(time.time()) + 600),
    "no subject": lambda site: bend(site, sub=None),
    "an empty subject": lambda site: bend(site, sub=""),
    "a subject that is a number": lambda site: bend(site, sub=7),
    "another access token": lambda site: bend(site, at_hash="x" * 22),
    "no token at all": lambda site: setattr(site.provider, "sign", lambda claims: ""),
    "no token but words": lambda site: setattr(site.provider, "sign", lambda claims: "ein.zwei.drei"),
}


def bend(site: Site, **more: Any) -> None:
    site.provider.bend = lambda claims: {name: value for name, value in (claims | more).items() if value is not None}


def by_another(claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, OTHER)


def unsigned(claims: Claims) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def by_public_key(site: Site, claims: Claims) -> str:
    pem = site.provider.key.as_pem(private=False)
    return jwt.encode({"alg": "HS256", "kid": "k1"}, claims, OctKey.import_key(pem.replace(b"-----", b"")), algorithms=["HS256"])


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_token_opens_nothing(site: Site, how: str) -> None:
    FORGED[how](site)
    site.provider.person["sub"] = "forged"
    before = site.rows("SELECT count(*) FROM access_session")
    with browser(site.url) as client:
        answer = come_back(client)
        assert answer.status_code in (401, 422), answer.text
        assert client.get("/people").status_code == 303
    assert site.rows("SELECT count(*) FROM access_session") == before
    assert site.rows("SELECT login FROM access_user WHERE subject LIKE '%forged'") == []
    [last] = site.rows("SELECT action, outcome, purpose FROM audit ORDER BY seq DESC LIMIT 1")
    assert last == ("sign-in", "failure", "identity-provider")


def half_way(client: httpx.Client) -> tuple[str, str]:
    """The cookie that a browser holds, and the answer that the provider sends it back with."""
    away = client.get("/sign-in/provider")
    client.cookies.clear()
    return away.headers["set-cookie"].partition(";")[0], httpx.get(away.headers["location"]).headers["location"]


def test_an_answer_counts_once_in_the_browser_that_asked_and_from_the_provider_that_was_asked(site: Site) -> None:
    with httpx.Client(base_url=site.url, headers={"accept": "text/html"}) as client:
        cookie, answer = half_way(client)
        assert client.get(answer).status_code == 401, "another browser holds no cookie"
        mixed = re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Felsewhere.example", answer)
        assert client.get(mixed, headers={"cookie": cookie}).status_code == 401, "RFC 9207"
        assert client.get(answer, headers={"cookie": cookie}).status_code == 401, "the state was used up"
        cookie, answer = half_way(client)
        assert client.get(answer, headers={"cookie": cookie}).status_code == 303
        assert client.get(answer, headers={"cookie": cookie}).status_code == 401, "a replayed answer"
        cookie, fresh = half_way(client)
        used = re.search(r"code=([^&]+)", answer)
        assert used is not None
        replayed = client.get(re.sub(r"code=[^&]+", f"code={used[1]}", fresh), headers={"cookie": cookie})
        assert replayed.status_code == 401, "a replayed code with a good state"
        assert client.get("/sign-in/provider/back", params={"error": "access_denied", "state": "x"}).status_code == 422
        assert client.get("/sign-in/provider", params={"next": "https://elsewhere.example"}).status_code == 303
    assert site.rows("SELECT count(*) FROM access_handover WHERE back LIKE 'http%'") == [(0,)]


def test_keys_are_kept_and_fetched_again_when_a_new_one_appears(site: Site) -> None:
    with browser(site.url) as client:
        assert come_back(client).status_code == 303
        asked = site.provider.asked_for_keys
        assert come_back(client).status_code == 303
        assert site.provider.asked_for_keys == asked, "kept"
        site.provider.key = ECKey.generate_key("P-256", {"kid": "k2"})
        assert come_back(client).status_code == 303, "rotated"
        assert site.provider.asked_for_keys == asked + 1


def test_invented_key_ids_do_not_make_us_ask_again_and_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with browser(site.url) as client:
        assert come_back(client).status_code == 303
        monkeypatch.setattr(speaking, "AGAIN_SECONDS", 60.0)
        site.provider.key = RSAKey.generate_key(2048, {"kid": "invented"})
        asked = site.provider.asked_for_keys
        assert [come_back(client).status_code for _ in range(3)] == [401, 401, 401]
        assert site.provider.asked_for_keys == asked


def test_signing_out_ends_both_and_the_provider_may_end_it_too(site: Site) -> None:
    with browser(site.url) as client:
        come_back(client)
        csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/account/password").text)
        assert csrf is not None
        out = client.post("/sign-out", data={"csrf": csrf[1]})
        assert out.status_code == 200
        assert f"{site.provider.url}/end_session_endpoint?id_token_hint=" in out.text
        assert client.get("/people").status_code == 303
        for wrong in (
            site.provider.logout_token(sid="sid-1", nonce="n"),
            site.provider.logout_token(sid="sid-1", aud="another"),
            site.provider.logout_token(sid="sid-1", events={}),
            site.provider.logout_token(),
            site.provider.logout_token(sid="sid-1", exp=int(time.time()) - 600, iat=int(time.time()) - 900),
            unsigned({"iss": site.provider.url, "aud": CLIENT}),
            "",
        ):
            assert client.post("/sign-in/provider/ended", data={"logout_token": wrong}).status_code == 400
        come_back(client)
        assert client.get("/people").status_code == 200
        good = site.provider.logout_token(sid="sid-1")
        assert client.post("/sign-in/provider/ended", data={"logout_token": good}).status_code == 200
        assert client.get("/people").status_code == 303, "the session ended"
        assert client.post("/sign-in/provider/ended", data={"logout_token": good}).status_code == 400, "once"
        come_back(client)
        assert client.post("/sign-in/provider/ended", data={"logout_token": site.provider.logout_token(sub="s-1")}).status_code == 200
        assert client.get("/people").status_code == 303


def test_an_account_is_taken_by_the_name_that_it_expects_and_by_one_person_only(tmp_path: Path) -> None:
    with provider() as it, served(tmp_path, it.url) as (url, here), browser(url) as client:
        assert come_back(client).status_code == 403, "known accounts alone, and nobody is expected"
        it.person["preferred_username"] = "local"
        assert come_back(client).status_code == 403, "an account of the same name is not theirs for that"
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            service.expect(store, "local", "WangLi")
        it.person["preferred_username"] = "wangli"
        assert come_back(client).status_code == 303
        assert client.get("/people").status_code == 200
        it.person["sub"] = "s-9"
        assert come_back(client).status_code == 403, "another person of the same name"
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            accounts.set_active(store, "local", False)
        it.person["sub"] = "s-1"
        assert come_back(client).status_code == 403


def test_where_the_provider_is_down_local_accounts_still_open(tmp_path: Path) -> None:
    port = free_port()
    with served(tmp_path, f"http://127.0.0.1:{port}") as (url, _), browser(url) as client:
        down = client.get("/sign-in/provider")
        assert down.status_code == 503
        assert "暂时无法使用" in down.text
        assert client.post("/sign-in", data={"login": "local", "password": PASSWORD}).status_code == 303
        assert client.get("/people").status_code == 200
    with provider() as it, served(tmp_path / "..", it.url) as (url, _), browser(url) as client:
        it.claims_issuer = "https://elsewhere.example"
        assert client.get("/sign-in/provider").status_code == 503, "a document of another issuer"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ('issuer = "http://sso.example.org"\nclient = "x"', "issuer: write an https address"),
        ('issuer = "https://sso.example.org"\nclient = "x"\naccounts = "make"', "needs rights"),
        ('issuer = "https://sso.example.org"\nclient = "x"\nrights = "groups"', "roles"),
        ('issuer = "https://sso.example.org"\nclient = "x"\n[roles]\na = "king"', "there is no role"),
        ('issuer = "https://sso.example.org"\nclient = "x"\n[areas]\na = ["east"]', "an area is written"),
        ('issuer = "https://sso.example.org"\nclient = "x"\nca = "/nowhere.pem"', "ca is no file"),
        ('issuer = "https://sso.example.org"\nclient = "x"\nsecert = "hidden-7"', "secert"),
        ("issuer = ", "is not TOML"),
    ],
)
def test_a_wrong_file_is_told_in_words_without_its_values(tmp_path: Path, file: str, said: str) -> None:
    (tmp_path / "identity-provider.toml").write_text(file, encoding="utf-8")
    with pytest.raises(Invalid, match=said) as wrong:
        speaking.provider_of(Settings(data=tmp_path))
    assert "hidden-7" not in wrong.value.text


def test_its_secret_is_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "identity-provider.toml").write_text(f'issuer = "https://sso.example.org"\nclient = "x"\nsecret = "{SECRET}"\n')
    monkeypatch.setenv("HEALTHSVC_PROVIDER_SECRET", "another-one-8")
    settings = Settings(data=tmp_path, notify_secret="third-9", database="postgresql://a:fourth-10@h/d")
    found = speaking.provider_of(settings)
    assert found is not None
    assert found.settings.secret.get_secret_value() == "another-one-8", "the environment wins"
    shown = f"{settings!r}{settings}{found.settings!r}{vars(found)}"
    assert not re.search(f"{SECRET}|another-one-8|third-9|fourth-10", shown)


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    """A provider from a package, as a process of its own."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://localhost:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{url}/.well-known/openid-configuration").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        else:
            raise RuntimeError("the provider did not start")
        yield url
    finally:
        process.terminate()
        process.wait()


def test_with_a_provider_that_nobody_here_wrote(foreign: str, tmp_path: Path) -> None:
    told = 'login = "email"\nscopes = ["openid", "email"]\n'
    with served(tmp_path, foreign, told) as (url, here), browser(url) as client:
        with here.database.writing(SYSTEM, at=clock.now()) as store:
            service.expect(store, "local", "wang@example.org")
        away = client.get("/sign-in/provider", params={"next": "/people"}).headers["location"]
        assert "code_challenge=" in away
        assert "nonce=" in away
        back = httpx.post(away, data={"sub": "wang@example.org"})
        landed = client.get(back.headers["location"])
        assert (landed.status_code, landed.headers.get("location")) == (303, "/people"), landed.text
        assert client.get("/people").status_code == 200
        denied = httpx.post(client.get("/sign-in/provider").headers["location"], data={"action": "deny"})
        assert client.get(denied.headers["location"]).status_code == 422
