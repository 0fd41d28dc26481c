"""The health file over HTTP, for what plain FHIR does not say: the line of time, completeness, merging, rosters."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, File, Header, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from healthsvc.access.door import StoreReading, StoreWriting
from healthsvc.errors import TooLarge
from healthsvc.fhir.json import Resource
from healthsvc.healthfile import later, merging, service
from healthsvc.healthfile.duplicates import duplicates
from healthsvc.healthfile.freshness import freshness_of
from healthsvc.healthfile.roster import import_roster, length
from healthsvc.healthfile.roster_files import write_template
from healthsvc.healthfile.timeline import timeline

router = APIRouter(prefix="/api/healthfile", tags=["健康档案 Health file"])
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Merge(BaseModel):
    """Two files of one person."""

    model_config = ConfigDict(extra="forbid")

    survivor: str
    retired: str
    by: str = Field(default="", max_length=80, description="Who decides; needed where the citizen ids differ")
    reason: str = Field(default="", max_length=500, description="Why; needed where the citizen ids differ")


class Unmerge(BaseModel):
    """The file to be put in force again."""

    model_config = ConfigDict(extra="forbid")

    retired: str
    by: str = Field(default="", max_length=80)
    reason: str = Field(default="", max_length=500)


@router.get("/roster-template.xlsx")
def template(_store: StoreReading) -> Response:
    """An empty roster with all headings."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "roster-template.xlsx"
        write_template(path)
        return Response(path.read_bytes(), media_type=_XLSX)


@router.post("/roster", response_model=None)
def roster(
    file: Annotated[UploadFile, File()], request: Request, store: StoreWriting, prefer: Annotated[str | None, Header()] = None
) -> dict[str, Any] | JSONResponse:
    """Import a roster: what became of it, by line and column.

    With ``Prefer: respond-async`` a worker does it: 202, and Content-Location says where to see how far it has come.
    """
    most = request.app.state.settings.request_limit
    if (file.size or 0) > most:
        raise TooLarge(f"the roster is larger than {most} bytes; split it, or raise HEALTHSVC_REQUEST_LIMIT")
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("roster" + Path(file.filename or "").suffix.lower())
        path.write_bytes(file.file.read())
        if prefer is not None and "respond-async" in prefer:
            length(path)  # a file that cannot be read is refused now
            id = later.ask_for_import(store, path)
            return JSONResponse({"id": id}, status_code=202, headers={"content-location": f"/api/progress/{id}"})
        return import_roster(store, path).as_json()


@router.post("/merge")
def merge(files: Merge, store: StoreWriting) -> Resource:
    """Join two files; gives the surviving one."""
    return merging.merge(store, files.survivor, files.retired, by=files.by, reason=files.reason)


@router.post("/unmerge")
def unmerge(file: Unmerge, store: StoreWriting) -> dict[str, Any]:
    """Undo a merge; gives the file that is in force again, what went back to it and what has been changed since."""
    return asdict(merging.unmerge(store, file.retired, by=file.by, reason=file.reason))


@router.get("/{patient}/timeline")
def line(patient: str, store: StoreReading, limit: int = 200) -> list[dict[str, Any]]:
    """Everything in a person's file on one line of time, newest first."""
    store.audit("read", f"Patient/{patient}", patient=patient)
    return [asdict(event) for event in timeline(store, patient, limit)]


@router.get("/{patient}/completeness")
def complete(patient: str, store: StoreReading) -> dict[str, Any]:
    """How complete a file is, and what is missing."""
    store.audit("read", f"Patient/{patient}", patient=patient)
    return asdict(service.completeness_of(store, patient))


@router.get("/{patient}/freshness")
def fresh(patient: str, store: StoreReading) -> dict[str, Any]:
    """How recent a file is: each part with the day on which it was last looked at."""
    store.audit("read", f"Patient/{patient}", patient=patient)
    return asdict(freshness_of(store, patient))


@router.get("/{patient}/duplicates")
def alike(patient: str, store: StoreReading) -> list[dict[str, Any]]:
    """Other files that may be the same person, with the reasons."""
    store.audit("read", f"Patient/{patient}", patient=patient)
    return [asdict(one) for one in duplicates(store, patient)]
