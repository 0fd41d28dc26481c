"""All FHIR interactions under one router. Fixed words come before patterns; ids and types match only what FHIR allows."""

from fastapi import APIRouter

from healthsvc.config import Settings
from healthsvc.rest import (
    bundle,
    capability,
    create,
    delete,
    everything,
    history,
    match,
    operation,
    patch,
    paths,
    read,
    search,
    subscription,
    terminology,
    update,
    use_cases,
)
from healthsvc.rest.export import endpoints as export
from healthsvc.rest.site import Site

paths.register()


def router(settings: Settings) -> APIRouter:
    """The FHIR API of one installation, to be mounted under ``/fhir``."""
    site = Site.of(settings)
    whole = APIRouter(tags=["FHIR R4"])
    for part in (
        read, search, create, update, patch, delete, history, bundle, operation, everything, export, subscription, terminology,
        match, use_cases, capability,
    ):  # fmt: skip
        part.routes(site, whole)
    return whole
