"""Every address of the whole application, tried by nobody and by a stranger's token: refused, or sent to the sign-in page."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import httpx
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from serving import serving

import healthsvc
from healthsvc import clock
from healthsvc.access import tokens
from healthsvc.app import create_app
from healthsvc.installation import open_installation
from healthsvc.rest.router import router as rest_router
from healthsvc.store import SYSTEM
from integrations.hospitals.shelf import shelf
from integrations.operating.desk import Desk

OPEN = {
    "/sign-in/provider", "/sign-in/provider/back", "/sign-in/provider/ended",
    "/sign-in", "/language", "/fhir/metadata", "/cds-services", "/start", "/api/documents/keys", "/.well-known/smart-configuration",
    "/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration", "/auth/jwks",
    "/pocket", "/worker.js", "/api/pocket/standing",
}  # fmt: skip
"""Open to everybody, and without a word about a person."""


def routes(folder: Path) -> list[tuple[str, str]]:
    """Method and path of every route of the rooms, the pages and the FHIR API, with made-up parameters."""
    routers = [("/fhir", rest_router(open_settings(folder)))]
    for found in walk_packages(healthsvc.__path__, "healthsvc."):
        if found.name.endswith(".endpoints") or found.name.startswith("healthsvc.web."):
            router = vars(import_module(found.name)).get("router")
            routers += [("", router)] if isinstance(router, APIRouter) else []
    names = {"on": "2026-11-22", "type": "Patient", "of": "Patient", "form": "csv"}
    listed = set()
    for prefix, router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            path = prefix + re.sub(r"\{(\w+)[^}]*\}", lambda match: names.get(match[1], "x"), route.path)
            listed |= {(method, path) for method in route.methods or ()}
    return sorted(listed)


def open_settings(folder: Path):  # type: ignore[no-untyped-def]
    from healthsvc.config import Settings

    return Settings(data=folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("routes")
    here = open_installation(folder)
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        secrets = {role: tokens.issue_token(store, role, "test", 2) for role in ("hospital-window", "coordinator")}
    with serving(create_app(here, wiring={"desk": Desk(shelf())})) as base:
        yield base, folder, secrets
    here.close()


def test_nothing_answers_to_nobody(served: tuple[str, Path, dict[str, str]]) -> None:
    base, folder, _ = served
    found = routes(folder)
    assert len(found) > 150
    with httpx.Client(base_url=base, timeout=30) as nobody:
        answers = {(method, path): nobody.request(method, path).status_code for method, path in found if path not in OPEN}
        assert nobody.get("/openapi.json").status_code == 401
    assert {place: status for place, status in answers.items() if status not in (401, 303)} == {}


def test_the_hospital_window_reaches_the_window_only(served: tuple[str, Path, dict[str, str]]) -> None:
    base, folder, secrets = served
    allowed = re.compile(
        r"/(window|account|progress|auth|sign|help|policy|start|language|static)|/api/greenchannel/(answer|used)|/api/progress|/cds-services|.*\$green-channel|/fhir$"
    )
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {secrets['hospital-window']}"}, timeout=30) as window:
        for method, path in routes(folder):
            if path in OPEN or allowed.match(path):
                continue
            assert window.request(method, path).status_code in (403, 404, 405, 415, 400, 422), (method, path)
        assert window.get("/fhir/Patient").status_code == 403


def test_a_wrong_input_is_told_in_words_without_its_value(served: tuple[str, Path, dict[str, str]]) -> None:
    base, _, secrets = served
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {secrets['coordinator']}"}, timeout=30) as client:
        refused = client.post("/api/contract/x/terminate", json={"reason": "测试原因"})
        assert "must be one of" in refused.json()["detail"]
        assert "测试原因" not in refused.text
        assert client.post("/api/contract/sign", json={}).json()["detail"] == "is missing; send it"
        assert "exactly one" in client.post("/api/greenchannel/answer", json={}).json()["detail"]
        assert "YYYY-MM-DD" in client.get("/api/visit/due", params={"on": "22.11.2026"}).json()["detail"]
        search = client.post("/fhir/Patient/_search", json={"name": "x"})
        assert search.status_code == 415
