"""``/$export``, ``/Patient/$export``, ``/Group/x/$export`` with ``Prefer: respond-async``; its status, its files, how to cancel it."""

from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from healthsvc.access import handing_on
from healthsvc.access.door import StoreReading, StoreWriting, needs
from healthsvc.errors import Gone, Issue, NotFound, NotSupported, RuleViolation
from healthsvc.fhir.json import dumps
from healthsvc.fhir.systems import extension as extension_address
from healthsvc.rest.answer import FHIR_JSON, outcome
from healthsvc.rest.call import Call, call_of
from healthsvc.rest.export import files, jobs
from healthsvc.rest.export.jobs import ExportPolicy, File, Job
from healthsvc.rest.export.later import call_off
from healthsvc.rest.export.run import FOLDER
from healthsvc.rest.export.terms import terms_of
from healthsvc.rest.permitted import require_read
from healthsvc.rest.site import Site
from healthsvc.store import Store
from healthsvc.store.search import search
from healthsvc.store.stored import moment

NDJSON = "application/fhir+ndjson"
STATUS, FILE = "$export-status", "$export-file"
WITHHELD = extension_address("export-withheld")
"""Key in the manifest: how many patients are left out because they have not let their records be handed on."""
AGAIN_SECONDS = 2
"""How long a client that asks for the status should wait before it asks again."""


def kick_off(site: Site, request: Request, store: Store, call: Call, scope: str, group: str | None = None) -> Response:
    """Begin an export; 202 with the address of its status.

    Raises:
        NotSupported: the client does not say that it waits (``Prefer: respond-async``).
        NotFound, RuleViolation: the Group is not there, or describes people instead of listing them.
    """
    if "respond-async" not in call.prefer:
        raise NotSupported("an export is made in the background; send Prefer: respond-async", path="Prefer")
    if group is not None:
        _listed(store, group)
    id = jobs.begin(store, terms_of(site, store, call, scope, group, str(request.url)))
    headers = {"content-location": f"{call.base}/{STATUS}/{id}"}
    said = outcome([Issue("the export has begun", "informational", severity="information")])
    return Response(said, 202, headers, FHIR_JSON)


def _listed(store: Store, group: str) -> None:
    require_read(store, "Group")
    stored = store.get("Group", group)
    if stored is None or stored.deleted or not store.sees(stored):
        raise NotFound("there is no such Group")
    if stored.resource.get("actual") is not True or stored.resource.get("type") != "person":
        raise RuleViolation("only a Group of persons that lists its members (actual) can be exported", path="Group.actual")


def status(store: Store, job: Job, call: Call) -> Response:
    """202 while it runs, the manifest when it is done."""
    if job.state == "running":
        types = len(job.terms.types)
        said = f"{min(job.progress.place, types)} of {types} resource types, {job.progress.resources} resources written"
        return Response(b"", 202, {"x-progress": said, "retry-after": str(AGAIN_SECONDS)})
    if job.state == "failed":
        return Response(outcome([Issue(job.error or "the export failed", "exception")]), 500, media_type=FHIR_JSON)
    listed = job.progress.files
    manifest: dict[str, Any] = {
        "transactionTime": moment(job.at).astimezone(store.zone).isoformat(timespec="milliseconds"),
        "request": job.terms.request,
        "requiresAccessToken": True,
        "output": [_listed_file(call, job, one) for one in listed if one.kind == "output"],
        "deleted": [_listed_file(call, job, one) for one in listed if one.kind == "deleted"],
        "error": [],
        "extension": {WITHHELD: {"purpose": handing_on.PURPOSE, "patients": job.progress.withheld}},
    }
    kept = moment(job.finished or job.at) + timedelta(hours=ExportPolicy.of(store).export_keep_hours)
    return Response(dumps(manifest), 200, {"expires": format_datetime(kept, usegmt=True)}, "application/json")


def _listed_file(call: Call, job: Job, file: File) -> dict[str, Any]:
    return {"type": file.type, "url": f"{call.base}/{FILE}/{job.id}/{file.name}", "count": file.count}


def _folder(request: Request) -> Path:
    folder: Path = request.app.state.settings.data / FOLDER
    return folder


def _own(store: Store, id: str) -> Job:
    """The export, if it is the caller's and has not been cancelled."""
    found = jobs.job(store, id)
    if found is None or found.actor.id != store.actor.id or found.state == "cancelled":
        raise NotFound("there is no such export, or it has been cancelled or has expired")
    return found


def _must_still_be_agreed(store: Store, job: Job) -> None:
    """A file may be fetched long after it was written: whoever has withdrawn meanwhile would still be in it.

    Raises:
        Gone: somebody has.
    """
    with store.wholly():
        refused = search(store, "Consent", [("_summary", "count")], within=handing_on.refusals_since(job.created)).total
    if refused:
        raise Gone("since this export began somebody has refused or withdrawn that their records are handed on; begin it anew")


def routes(site: Site, router: APIRouter) -> None:
    """Kick-off, status, files, cancel; all need the right to export."""
    asks = [needs("export")]

    @router.api_route("/$export", methods=["GET", "POST"], dependencies=asks)
    def export_system(request: Request, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return kick_off(site, request, store, call, "system")

    @router.api_route("/Patient/$export", methods=["GET", "POST"], dependencies=asks)
    def export_patients(request: Request, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return kick_off(site, request, store, call, "patient")

    @router.api_route("/Group/{id:fhirid}/$export", methods=["GET", "POST"], dependencies=asks)
    def export_group(id: str, request: Request, store: StoreWriting, call: Call = Depends(call_of)) -> Response:
        return kick_off(site, request, store, call, "group", id)

    @router.get(f"/{STATUS}/{{job:fhirid}}", dependencies=asks)
    def export_status(job: str, request: Request, store: StoreReading, call: Call = Depends(call_of)) -> Response:
        return status(store, _own(store, job), call)

    @router.delete(f"/{STATUS}/{{job:fhirid}}", dependencies=asks)
    def cancel_export(job: str, request: Request, store: StoreWriting) -> Response:
        found = _own(store, job)
        call_off(store, found.id)
        jobs.remove(_folder(request), found.id)
        store.audit("export-cancel", f"export/{found.id}")
        return Response(outcome([Issue("the export is cancelled", "informational", severity="information")]), 202, media_type=FHIR_JSON)

    @router.get(f"/{FILE}/{{job:fhirid}}/{{name:fhirid}}", dependencies=asks)
    def export_file(job: str, name: str, request: Request, store: StoreReading) -> Response:
        found = _own(store, job)
        file = next((one for one in found.progress.files if one.name == name), None)
        path = _folder(request) / found.id / name
        if file is None or found.state != "done" or not path.is_file():
            raise NotFound("the export has no such file (any more)")
        _must_still_be_agreed(store, found)
        store.audit("export-file", f"export/{found.id}/{name}")
        return StreamingResponse(files.read(path, file.size, store.sealer), media_type=NDJSON)
