"""Rooms' endpoints behind a real socket, with a token of the role that asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from fastapi import APIRouter, FastAPI
from serving import NO_TLS, serving

from healthsvc import clock
from healthsvc.access.throttle import Throttle
from healthsvc.access.tokens import issue_token
from healthsvc.config import Settings
from healthsvc.rest.errors import install
from healthsvc.store import SYSTEM, Database


@contextmanager
def room_client(database: Database, data: Path, router: APIRouter, role: str = "doctor") -> Iterator[httpx.Client]:
    """A client of a running server that has one room's endpoints."""
    app = FastAPI()
    app.state.database, app.state.settings, app.state.policy = database, Settings(data=data), database.policy
    app.state.throttle = Throttle(database.policy, app.state.settings.zone)
    install(app)
    app.include_router(router)
    with database.writing(SYSTEM, at=clock.now()) as store:
        secret = issue_token(store, role, "test", 1)
    with (
        serving(app) as base,
        httpx.Client(base_url=base, headers={"authorization": f"Bearer {secret}"}, timeout=60, verify=NO_TLS) as client,
    ):
        yield client
