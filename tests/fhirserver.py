"""The FHIR API alone behind a real socket, with a token of the role that asks: what a FHIR client meets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI
from serving import NO_TLS, serving

from healthsvc import clock
from healthsvc.access.throttle import Throttle
from healthsvc.access.tokens import issue_token
from healthsvc.config import Settings
from healthsvc.rest.errors import install
from healthsvc.rest.router import router
from healthsvc.store import SYSTEM, Database
from integrations.longwork.kinds import kinds
from integrations.longwork.runner import runner


def fhir_app(database: Database, settings: Settings) -> FastAPI:
    """An application with nothing but the FHIR API."""
    app = FastAPI()
    app.state.database, app.state.settings = database, settings
    app.state.throttle = Throttle(database.policy, settings.zone)
    install(app)
    app.include_router(router(settings), prefix="/fhir")
    return app


def token(database: Database, role: str = "system") -> str:
    """A bearer token."""
    with database.writing(SYSTEM, at=clock.now()) as store:
        return issue_token(store, role, "test", 1)


@contextmanager
def working(database: Database, data: Path) -> Iterator[None]:
    """A worker that does what long work is left."""
    worker = runner(database, kinds(data))
    worker.start()
    try:
        yield
    finally:
        worker.stop()


@contextmanager
def fhir_client(database: Database, data: Path, *, role: str = "system", **set: object) -> Iterator[httpx.Client]:
    """A client of a running server; ``set`` are settings."""
    settings = Settings(data=data, **set)
    with serving(fhir_app(database, settings)) as base:
        headers = {"authorization": f"Bearer {token(database, role)}"}
        with httpx.Client(base_url=f"{base}/fhir", headers=headers, timeout=60, verify=NO_TLS) as client:
            yield client
