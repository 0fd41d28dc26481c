"""The outermost door: what it answers carries what all the middlewares would have given it, and is counted, numbered and logged alike."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fhirserver import token
from prometheus_client import REGISTRY
from serving import serving

from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.installation import Installation, open_installation
from healthsvc.rest.lane import Lane
from healthsvc.store import Room, Store

SECRET = "王小二 330299193012179014"
OWN_NUMBER = "0123456789abcdef0123456789abcdef"
VARYING = {"x-request-id", "date", "etag", "last-modified", "location", "content-length"}


def admit(old: Resource | None, new: Resource | None, store: Store) -> None:
    """A room that refuses some, and fails on others with a text that must not get out."""
    code = (new or {}).get("code", {}).get("text")
    if code == "refuse":
        raise RuleViolation("not today", reason="not-today")
    if code == "fail":
        raise RuntimeError(SECRET)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    opened = open_installation(settings=Settings(data=Path(tmp_path_factory.mktemp("express")), secure_cookies=True))
    opened.database._rooms["Basic"] = [Room("test", frozenset({"Basic"}), admit)]
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(here: Installation) -> Iterator[httpx.Client]:
    app = create_app(here)
    with (
        serving(app) as base,
        httpx.Client(base_url=f"{base}/fhir", headers={"authorization": f"Bearer {token(here.database)}"}, timeout=60) as opened,
    ):
        opened.get("/Patient").raise_for_status()  # from now on the token is known
        yield opened


ASKED = [
    ("GET", "/Basic/{id}", None, {}, 200),
    ("HEAD", "/Basic/{id}", None, {}, 200),
    ("GET", "/Basic/{id}", None, {"if-none-match": 'W/"1"'}, 304),
    ("GET", "/Basic/{id}?_pretty=true", None, {}, 200),
    ("GET", "/Basic/nobody", None, {}, 404),
    ("GET", "/Basic/{id}", None, {"accept": "application/fhir+xml"}, 406),
    ("GET", "/Basic?_count=1", None, {}, 200),
    ("POST", "/Basic", {"resourceType": "Basic", "code": {"text": "plain"}}, {}, 201),
    ("POST", "/Basic", {"resourceType": "Basic", "code": {"text": "refuse"}}, {}, 422),
    ("POST", "/Basic", {"resourceType": "Basic", "code": {"text": "fail"}}, {}, 500),
]


@pytest.mark.parametrize(("method", "address", "body", "headers", "status"), ASKED)
def test_what_goes_express_looks_as_if_it_had_gone_the_long_way(
    client: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    address: str,
    body: Resource | None,
    headers: dict[str, str],
    status: int,
) -> None:
    made = client.post("/Basic", json={"resourceType": "Basic", "code": {"text": "plain"}}).json()
    ways: list[str] = []
    answered = Lane.answer

    def noticing(self: Lane, *args: object) -> object:
        ways.append(sys._getframe(1).f_globals["__name__"])
        return answered(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Lane, "answer", noticing)
    asked = {"method": method, "url": address.format(id=made["id"]), "json": body}
    express = client.request(**asked, headers=headers)
    whole = client.request(**asked, headers={**headers, "x-request-id": OWN_NUMBER})
    assert ways == ["healthsvc.express", "healthsvc.rest.lane"]
    assert (express.status_code, whole.status_code) == (status, status)
    assert {name: value for name, value in express.headers.items() if name not in VARYING} == {
        name: value for name, value in whole.headers.items() if name not in VARYING
    }
    assert set(express.headers) == set(whole.headers)
    assert whole.headers["x-request-id"] == OWN_NUMBER
    assert len(express.headers["x-request-id"]) == 32
    assert express.headers["strict-transport-security"]
    assert SECRET not in express.text + whole.text
    if status == 500:
        assert express.headers["x-request-id"] in express.text  # the number under which the log has the place


def test_it_is_counted_and_every_answer_has_a_number_of_its_own(client: httpx.Client) -> None:
    def counted() -> float:
        labels = {"method": "GET", "route": "/fhir", "status": "404"}
        return REGISTRY.get_sample_value("healthsvc_http_request_seconds_count", labels) or 0.0

    before = counted()
    numbers = {client.get("/Basic/nobody").headers["x-request-id"] for _ in range(20)}
    assert len(numbers) == 20
    assert counted() == before + 20
    assert REGISTRY.get_sample_value("healthsvc_http_requests_open") == 0


def test_other_origins_meet_the_list_of_clients(client: httpx.Client) -> None:
    answer = client.get("/Basic", headers={"origin": "https://stranger.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["vary"] == "Origin"
