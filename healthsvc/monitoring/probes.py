"""Liveness, readiness, metrics: open to whoever can reach them."""

import threading

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from healthsvc.errors import Unavailable
from healthsvc.store import Database


def router(database: Database, draining: threading.Event) -> APIRouter:
    """The three addresses of one process.

    Args:
        draining: set when the process is about to stop: from then on it is alive, finishes what it has begun, and is not ready.
    """
    made = APIRouter(include_in_schema=False)

    @made.get("/livez")
    def live() -> dict[str, str]:
        return {"status": "alive"}

    @made.get("/readyz")
    def ready() -> dict[str, str]:
        if draining.is_set():
            raise Unavailable("this process is stopping; another one answers", reason="draining")
        try:
            with database.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise Unavailable(f"the database does not answer: {type(error).__name__}") from None
        return {"status": "ready"}

    @made.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return made
