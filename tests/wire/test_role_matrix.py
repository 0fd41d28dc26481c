"""Every route of the application declares the right that it needs, and whoever lacks it is refused: role by role, from the route table."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from serving import serving

from healthsvc import clock
from healthsvc.access import rules, tokens
from healthsvc.access.door import open_nearby, open_reading, open_writing, who_is_there
from healthsvc.access.rules import Action, Role
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM

OPEN = {
    "/sign-in/provider", "/sign-in/provider/back", "/sign-in/provider/ended",
    "/sign-in", "/language", "/fhir/metadata", "/api/documents/keys", "/livez", "/readyz", "/metrics", "/.well-known/smart-configuration",
    "/fhir/.well-known/smart-configuration", "/.well-known/openid-configuration", "/auth/jwks", "/auth/token", "/auth/revoke",
    "/auth/introspect", "/cds-services", "/cds-services/{id}", "/cds-services/{id}/feedback",
    "/pocket", "/worker.js", "/api/pocket/standing",
}  # fmt: skip
"""Open to everybody, without a word about a person; the endpoints of OAuth and the services of CDS Hooks ask for a proof of their own
(tests/web/test_web_smart.py, tests of the green channel's hooks)."""
_NEEDS = "needs_"


@dataclass(frozen=True, slots=True)
class Route:
    """One address of the application."""

    path: str
    methods: frozenset[str]
    dependant: Dependant


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    opened = open_installation(settings=Settings(data=tmp_path_factory.mktemp("matrix")))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def app(here: Installation) -> FastAPI:
    return create_app(here)


def routes(app: FastAPI) -> list[Route]:
    return list(walk(app.routes, ""))


def walk(some: Iterable[Any], prefix: str) -> Iterator[Route]:
    """All routes below, with their whole path; FastAPI keeps included routers as they are."""
    for one in some:
        inner = getattr(one, "original_router", None)
        if inner is not None:
            yield from walk(inner.routes, prefix + one.include_context.prefix)
        elif isinstance(one, APIRoute):
            yield Route(prefix + one.path, frozenset(one.methods) - {"HEAD"}, one.dependant)


def asked(dependant: Dependant) -> set[str]:
    """What a route asks for: rights by name, ``reading`` and ``writing`` of clinical content, or only to be ``signed`` in."""
    found = set()
    for one in dependant.dependencies:
        name = getattr(one.call, "__name__", "")
        if name.startswith(_NEEDS):
            found.add(name.removeprefix(_NEEDS).replace("_", "-"))
        elif one.call in (open_reading, open_nearby):
            found.add("reading")
        elif one.call is open_writing:
            found.add("writing")
        elif one.call is who_is_there:
            found.add("signed")
        found |= asked(one)
    return found


def required(route: Route) -> Action | None:
    """The right without which a route refuses; None where being signed in is enough."""
    found = asked(route.dependant)
    named = found - {"reading", "writing", "signed"}
    if named:
        return Action(sorted(named)[0]) if len(named) == 1 else None
    if "writing" in found:
        return Action.WRITE_CLINICAL
    return Action.READ_CLINICAL if "reading" in found else None


def test_every_route_declares_what_it_needs(app: FastAPI) -> None:
    assert len(routes(app)) > 250
    bare = sorted({route.path for route in routes(app) if not asked(route.dependant)} - OPEN)
    assert bare == [], "say needs(...), StoreReading, StoreNearby, StoreWriting or Signed; or list the path as open, and why"


def test_who_lacks_the_right_is_refused_everywhere(app: FastAPI, here: Installation) -> None:
    with here.database.writing(SYSTEM, at=clock.now()) as store:
        secrets = {role: tokens.issue_token(store, role, "test", 2) for role in Role}
    let_in: list[tuple[str, str, str]] = []
    tried = 0
    with serving(app) as base, httpx.Client(base_url=base, timeout=30) as client:
        for route in routes(app):
            wanted = required(route)
            if wanted is None or route.path in OPEN or ":fhirtype" in route.path or route.path in ("/fhir", "/fhir/"):
                continue  # by resource type: tests of the FHIR API and of the rules
            path = re.sub(r"\{(\w+)[^}]*\}", lambda found: {"on": "2026-11-22", "form": "csv"}.get(found[1], "x"), route.path)
            for role in Role:
                if rules.allows(frozenset({role}), wanted):
                    continue
                for method in route.methods:
                    tried += 1
                    answer = client.request(method, path, headers={"authorization": f"Bearer {secrets[role]}"})
                    if answer.status_code not in (401, 403, 405):
                        let_in.append((role, f"{method} {path}", str(answer.status_code)))
    assert tried > 800
    assert let_in == [], let_in
