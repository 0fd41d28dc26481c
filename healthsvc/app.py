"""The ASGI application: the FHIR API, the rooms' operations, the pages, and the three addresses that operations ask."""

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import APIRouter, FastAPI, Request

from healthsvc import __version__
from healthsvc.access.door import Signed
from healthsvc.access.provider.speaking import provider_of
from healthsvc.access.throttle import Throttle
from healthsvc.express import Express, request_number
from healthsvc.installation import Installation
from healthsvc.monitoring.probes import router as probes
from healthsvc.monitoring.requests import Observed


def create_app(
    installation: Installation,
    *,
    wiring: dict[str, Any] | None = None,
    on_stop: Sequence[Callable[[], None]] = (),
    routers: Sequence[APIRouter] = (),
    draining: threading.Event | None = None,
) -> FastAPI:
    """Put the application together.

    Args:
        wiring: what the pages show of parts that they may not import (the HL7 lines, for one), by name; becomes ``app.state`` attributes.
        on_stop: called when the application stops.
        routers: further addresses, of parts that this one may not import.
        draining: set when the process is about to stop; it is not ready any more then.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        for stop in on_stop:
            stop()

    app = FastAPI(
        title="healthsvc",
        version=__version__,
        description="Community-care follow-up for retired cadres 离退休干部",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours says less: never the text of an error (monitoring/)
    )
    app.state.database = installation.database
    app.state.settings = installation.settings
    app.state.policy = installation.policy
    app.state.throttle = Throttle(installation.policy, installation.settings.zone)
    app.state.provider = provider_of(installation.settings)
    for name, value in (wiring or {}).items():
        setattr(app.state, name, value)
    _mount(app, installation, draining or threading.Event())
    for router in routers:
        app.include_router(router)
    app.add_middleware(Observed)
    app.add_middleware(CorrelationIdMiddleware, generator=request_number)
    app.add_middleware(Express, https=installation.settings.secure_cookies)
    return app


def _mount(app: FastAPI, installation: Installation, draining: threading.Event) -> None:
    from healthsvc.access.headers import install as install_headers
    from healthsvc.access.smart.endpoints import router as smart_router
    from healthsvc.access.smart.origins import install as install_origins
    from healthsvc.access.wrote import install as install_wrote
    from healthsvc.checkup import endpoints as checkup
    from healthsvc.circle import endpoints as circle
    from healthsvc.contract import endpoints as contract
    from healthsvc.dayplan import endpoints as dayplan
    from healthsvc.dayplan.board import endpoints as board
    from healthsvc.documents import endpoints as documents
    from healthsvc.emergency import endpoints as emergency
    from healthsvc.greenchannel import endpoints as greenchannel
    from healthsvc.greenchannel.hooks import endpoints as hooks
    from healthsvc.healthfile import endpoints as healthfile
    from healthsvc.homebed import endpoints as homebed
    from healthsvc.indicators import endpoints as indicators
    from healthsvc.infusion import endpoints as infusion
    from healthsvc.mustvisit import endpoints as mustvisit
    from healthsvc.referral import endpoints as referral
    from healthsvc.rest.bounded import install as install_bounds
    from healthsvc.rest.description import install as describe
    from healthsvc.rest.errors import install as install_errors
    from healthsvc.rest.progress import endpoints as progress
    from healthsvc.rest.router import router as rest_router
    from healthsvc.visit import endpoints as visit
    from healthsvc.web.router import install as install_pages

    install_errors(app)
    app.include_router(_description())
    app.include_router(probes(installation.database, draining))
    app.include_router(smart_router)
    app.include_router(rest_router(installation.settings), prefix="/fhir")
    for room in (
        documents,
        healthfile,
        greenchannel,
        hooks,
        circle,
        visit,
        checkup,
        referral,
        infusion,
        homebed,
        contract,
        emergency,
        mustvisit,
        dayplan,
        board,
        indicators,
        progress,
    ):
        app.include_router(room.router)
    install_pages(app)
    install_headers(app)
    install_wrote(app)
    install_origins(app)
    install_bounds(app, installation.settings.request_limit)
    describe(app)


def _description() -> APIRouter:
    """The description of the API, for whoever is signed in."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    def description(request: Request, _who: Signed) -> dict[str, Any]:
        document: dict[str, Any] = request.app.openapi()
        return document

    return router
