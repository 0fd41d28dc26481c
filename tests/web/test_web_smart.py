"""SMART on FHIR over a real socket: a program is let in by a person or by its own key, gets what was agreed and no more, and is put out."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from conftest import Site
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from world import NAMES, PASSWORD

from healthsvc import clock
from healthsvc.access.smart import clients
from healthsvc.errors import Conflict, Invalid
from healthsvc.store import SYSTEM

CSRF = re.compile(r'name="csrf" value="([^"]+)"')
BACK = "https://app.example/back"
KEY = ECKey.generate_key("P-384")
RSA = RSAKey.generate_key(2048)
JSON = {"accept": "application/fhir+json"}


@pytest.fixture(scope="module")
def registered(site: Site) -> str:
    keys = json.dumps({"keys": [key.as_dict(private=False) | {"kid": key.thumbprint()} for key in (KEY, RSA)]})
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        wide = ["openid", "fhirUser", "launch/patient", "offline_access", "user/*.cruds"]
        clients.register(store, "app", name="血压曲线", redirects=[BACK], scopes=wide)
        secret = clients.register(store, "web", name="网页应用", redirects=[BACK], scopes=["user/*.rs"], confidential=True)
        clients.register(store, "backend", name="数据平台", scopes=["system/*.rs"], role="system", jwks=keys)
    assert secret is not None
    return secret


@pytest.fixture
def person(site: Site) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, headers={"accept": "text/html"}) as client:
        client.post("/sign-in", data={"login": "doctor1", "password": PASSWORD})
        yield client


def asking(site: Site, scopes: str, **changed: str) -> tuple[dict[str, str], str]:
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "client_id": "app", "redirect_uri": BACK, "response_type": "code", "scope": scopes, "state": "s-1", "aud": f"{site.url}/fhir",
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    return asked | changed, verifier


def agree(person: httpx.Client, asked: dict[str, str], **more: str) -> dict[str, str]:
    shown = person.get("/auth/authorize", params=asked)
    assert shown.status_code == 200, shown.text
    found = CSRF.search(shown.text)
    assert found is not None
    answer = person.post("/auth/authorize", data={**asked, "csrf": found[1], "decision": "allow", **more})
    assert answer.status_code == 303, answer.text
    return told(answer)


def told(answer: httpx.Response) -> dict[str, str]:
    assert answer.headers["location"].startswith(BACK + "?")
    return {name: value[0] for name, value in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def tokens(site: Site, code: str, verifier: str, **more: str) -> httpx.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier, "client_id": "app", **more}
    return httpx.post(f"{site.url}/auth/token", data=form)


def fhir(site: Site, token: str, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    return httpx.request(method, f"{site.url}/fhir/{path}", headers={**JSON, "authorization": f"Bearer {token}"}, timeout=30, **more)


def test_a_program_finds_its_way_without_being_told(site: Site) -> None:
    found = httpx.get(f"{site.url}/fhir/.well-known/smart-configuration").json()
    assert found["token_endpoint"] == f"{site.url}/auth/token"
    assert {"S256"} == set(found["code_challenge_methods_supported"])
    security = httpx.get(f"{site.url}/fhir/metadata").json()["rest"][0]["security"]
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    uris = {one["url"]: one["valueUri"] for one in security["extension"][0]["extension"]}
    assert uris["authorize"] == found["authorization_endpoint"]


def test_one_person_is_shown_to_a_program_and_nobody_else(site: Site, registered: str, person: httpx.Client) -> None:
    wanted = "openid fhirUser launch/patient patient/Patient.rs patient/Observation.read user/Contract.c"
    asked, verifier = asking(site, wanted, nonce="n-1")
    with httpx.Client(base_url=site.url, headers={"accept": "text/html"}) as nobody:
        sent = nobody.get("/auth/authorize", params=asked).headers["location"]
        assert sent.startswith("/sign-in?next=/auth/authorize%3F")
    shown = person.get("/auth/authorize", params=asked)
    assert "form-action 'self' https://app.example;" in shown.headers["content-security-policy"]
    assert "血压曲线" in shown.text
    csrf = CSRF.search(shown.text)
    assert csrf is not None
    searched = person.post("/auth/authorize", data={**asked, "csrf": csrf[1], "decision": "search", "q": NAMES[0]})
    assert f'value="{site.world.first}"' in searched.text
    unsaid = person.post("/auth/authorize", data={**asked, "csrf": csrf[1], "decision": "allow"})
    assert unsaid.status_code == 200, "whom it is about must be chosen"
    answer = agree(person, asked, patient=site.world.first)
    assert (answer["state"], answer["iss"]) == ("s-1", site.url)

    got = tokens(site, answer["code"], verifier).json()
    assert got["patient"] == site.world.first
    assert got["expires_in"] <= 300
    assert "refresh_token" not in got, "offline_access was not asked for"
    key = KeySet.import_key_set(httpx.get(f"{site.url}/auth/jwks").json())
    claims = jwt.decode(got["id_token"], key).claims
    assert (claims["aud"], claims["nonce"], claims["fhirUser"]) == ("app", "n-1", f"{site.url}/fhir/Practitioner/doctor-1")

    token = got["access_token"]
    assert fhir(site, token, f"Patient/{site.world.first}").status_code == 200
    assert {one["resource"]["id"] for one in fhir(site, token, "Patient").json()["entry"]} == {site.world.first}
    observations = fhir(site, token, "Observation?_count=200").json()
    assert {one["resource"]["subject"]["reference"] for one in observations["entry"]} == {f"Patient/{site.world.first}"}
    flagged = fhir(site, token, "Patient?_has:Flag:patient:status=active").json()
    assert "entry" not in flagged, "a type outside of the scopes is not looked through"
    for path in ("Flag", "Contract", "Practitioner", "Task?patient=" + site.world.first):
        refused = fhir(site, token, path)
        assert refused.status_code == 403, path
        assert "insufficient_scope" in refused.text
    everything = fhir(site, token, f"Patient/{site.world.first}/$everything?_count=500").json()
    assert {one["resource"]["resourceType"] for one in everything["entry"]} == {"Patient", "Observation"}
    note = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": f"Patient/{site.world.first}"},
    }
    assert fhir(site, token, "Observation", "POST", json=note).status_code == 403
    assert httpx.get(f"{site.url}/api/visit/due", headers={"authorization": f"Bearer {token}"}).status_code == 403
    assert httpx.get(f"{site.url}/people", headers={"authorization": f"Bearer {token}"}).status_code == 403


def test_what_is_wrong_with_a_request_goes_back_or_is_shown(site: Site, registered: str, person: httpx.Client) -> None:
    for changed, error in (
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"aud": "https://evil.example/fhir"}, "invalid_request"),
        ({"scope": "system/*.rs nonsense"}, "invalid_scope"),
    ):
        asked, _ = asking(site, "user/Patient.rs", **changed)
        assert told(person.get("/auth/authorize", params=asked))["error"] == error, changed
    for unsafe in ({"redirect_uri": "https://evil.example/back"}, {"redirect_uri": BACK + "/"}, {"client_id": "nobody"}):
        asked, _ = asking(site, "user/Patient.rs", **unsafe)
        answer = person.get("/auth/authorize", params=asked)
        assert answer.status_code in (400, 401), unsafe
        assert "location" not in answer.headers
    asked, _ = asking(site, "user/Patient.rs")
    csrf = CSRF.search(person.get("/auth/authorize", params=asked).text)
    assert csrf is not None
    assert told(person.post("/auth/authorize", data={**asked, "csrf": csrf[1], "decision": "deny"}))["error"] == "access_denied"
    assert person.post("/auth/authorize", data={**asked, "decision": "allow"}).status_code == 403, "no consent without the form's token"


def test_a_code_counts_once_and_only_for_its_client_address_and_verifier(site: Site, registered: str, person: httpx.Client) -> None:
    asked, verifier = asking(site, "user/Patient.rs")
    code = agree(person, asked)["code"]
    assert tokens(site, code, "wrong" * 10).json()["error"] == "invalid_grant"
    assert tokens(site, code, verifier, redirect_uri="https://app.example/other").json()["error"] == "invalid_grant"
    assert tokens(site, code, verifier, client_id="web", client_secret=registered).json()["error"] == "invalid_grant"
    got = tokens(site, code, verifier)
    assert got.status_code == 200
    assert got.headers["cache-control"] == "no-store"
    token = got.json()["access_token"]
    assert fhir(site, token, f"Patient/{site.world.first}").status_code == 200
    assert tokens(site, code, verifier).json()["error"] == "invalid_grant"
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        from healthsvc.access.smart import grants

        assert grants.known(store, token) is None, "a code that comes twice was stolen: its tokens end"


def test_refresh_tokens_turn_over_and_a_used_one_ends_them_all(site: Site, registered: str, person: httpx.Client) -> None:
    asked, verifier = asking(site, "offline_access user/Patient.rs")
    first = tokens(site, agree(person, asked)["code"], verifier).json()

    def again(token: str, **more: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", **more}
        return httpx.post(f"{site.url}/auth/token", data=form)

    assert again(first["refresh_token"], scope="user/*.cruds").json()["error"] == "invalid_scope"
    second = again(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert fhir(site, second["access_token"], "Patient?_count=1").status_code == 200
    assert again(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert again(second["refresh_token"]).json()["error"] == "invalid_grant", "whoever held the stolen one is out, too"


def test_a_program_is_told_and_put_out_by_its_own_word(site: Site, registered: str, person: httpx.Client) -> None:
    asked, verifier = asking(site, "user/Patient.rs", client_id="web")
    code = agree(person, asked)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": verifier}
    assert httpx.post(f"{site.url}/auth/token", data=form, auth=("web", "wrong")).status_code == 401
    token = httpx.post(f"{site.url}/auth/token", data=form, auth=("web", registered)).json()["access_token"]
    asked_of = httpx.post(f"{site.url}/auth/introspect", data={"token": token}, auth=("web", registered)).json()
    assert asked_of["active"]
    assert asked_of["sub"] == "Practitioner/doctor-1"
    assert httpx.post(f"{site.url}/auth/introspect", data={"token": token}).status_code == 401
    assert httpx.post(f"{site.url}/auth/revoke", data={"token": token}, auth=("web", registered)).status_code == 200
    assert httpx.post(f"{site.url}/auth/introspect", data={"token": token}, auth=("web", registered)).json() == {"active": False}
    assert httpx.post(f"{site.url}/auth/revoke", data={"token": "hs_unknown"}, auth=("web", registered)).status_code == 200


def assertion(site: Site, key: Any = KEY, alg: str = "ES384", **changed: Any) -> str:
    now = int(clock.now().timestamp())
    claims = {"iss": "backend", "sub": "backend", "aud": f"{site.url}/auth/token", "exp": now + 240, "jti": secrets.token_hex(8)}
    return jwt.encode({"alg": alg, "kid": key.thumbprint()}, claims | changed, key, algorithms=[alg])


def by_itself(site: Site, signed: str, scope: str = "system/*.rs") -> httpx.Response:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    form = {"grant_type": "client_credentials", "scope": scope, "client_assertion": signed, "client_assertion_type": kind}
    return httpx.post(f"{site.url}/auth/token", data=form)


def test_a_backend_service_proves_itself_by_its_key(site: Site, registered: str) -> None:
    got = by_itself(site, assertion(site), "system/Patient.rs system/Flag.r").json()
    assert set(got["scope"].split()) == {"system/Patient.rs", "system/Flag.r"}
    assert fhir(site, got["access_token"], "Patient?_count=1").status_code == 200
    assert fhir(site, got["access_token"], "Flag").status_code == 403, "r is not s"
    assert by_itself(site, assertion(site, RSA, "RS384")).status_code == 200
    assert by_itself(site, assertion(site), "system/*.cruds").json()["error"] == "invalid_scope"
    used = assertion(site)
    assert by_itself(site, used).status_code == 200
    assert by_itself(site, used).status_code == 401, "an assertion counts once"
    now = int(clock.now().timestamp())
    for wrong in (
        assertion(site, aud="https://elsewhere.example/token"),
        assertion(site, exp=now - 60),
        assertion(site, exp=now + 3600),
        assertion(site, iss="app"),
        assertion(site, sub="nobody"),
        assertion(site, ECKey.generate_key("P-384")),
        assertion(site)[:-4] + "AAAA",
        "no.token.at all",
    ):
        answer = by_itself(site, wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    none = ".".join([base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("="), assertion(site).split(".")[1], ""])
    assert by_itself(site, none).status_code == 401


def test_the_pages_of_a_registered_program_may_call_and_others_may_not(site: Site, registered: str) -> None:
    asked = {"access-control-request-method": "GET", "access-control-request-headers": "authorization"}
    let_in = httpx.options(f"{site.url}/fhir/Patient", headers={"origin": "https://app.example", **asked})
    assert let_in.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in let_in.headers
    kept_out = httpx.options(f"{site.url}/fhir/Patient", headers={"origin": "https://evil.example", **asked})
    assert "access-control-allow-origin" not in kept_out.headers
    assert "access-control-allow-origin" not in httpx.get(f"{site.url}/people", headers={"origin": "https://app.example"}).headers


def test_a_client_is_registered_with_sense(site: Site, registered: str) -> None:
    private = json.dumps({"keys": [KEY.as_dict(private=True)]})
    for wrong in (
        {"redirects": ["http://app.example/back"], "scopes": ["user/*.rs"]},
        {"redirects": ["https://app.example/#x"], "scopes": ["user/*.rs"]},
        {"redirects": ["javascript:alert(1)"], "scopes": ["user/*.rs"]},
        {"redirects": [], "scopes": ["user/*.rs"]},
        {"redirects": [BACK], "scopes": ["everything"]},
        {"redirects": [BACK], "scopes": []},
        {"scopes": ["system/*.rs"], "role": "system"},
        {"scopes": ["system/*.rs"], "role": "system", "jwks": private},
        {"scopes": ["system/*.rs"], "role": "king", "jwks": private},
    ):
        with site.database.writing(SYSTEM, at=clock.now()) as store, pytest.raises(Invalid):
            clients.register(store, "other", name="x", **wrong)  # type: ignore[arg-type]
    with site.database.writing(SYSTEM, at=clock.now()) as store, pytest.raises(Conflict):
        clients.register(store, "app", name="x", redirects=[BACK], scopes=["user/*.rs"])
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        clients.register(store, "phone", name="x", redirects=["example.phone.app:/back", "http://127.0.0.1:8765/cb"], scopes=["user/*.rs"])
        clients.close(store, "phone")
