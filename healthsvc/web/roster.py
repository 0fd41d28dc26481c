"""名册导入 bring in a roster: the good rows are kept, each bad row is told with line, column and how to mend it."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from healthsvc import clock
from healthsvc.access.door import needs
from healthsvc.errors import Malformed, Refusal, TooLarge
from healthsvc.healthfile.roster import import_roster
from healthsvc.healthfile.roster_files import write_template
from healthsvc.web.render import SignedPage

router = APIRouter(dependencies=[needs("write-clinical")])
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = (".csv", ".xlsx")


@router.get("/roster")
def roster(page: SignedPage) -> Response:
    """The form, and an empty roster to start from."""
    return page.show("roster.html", report=None, wrong="")


@router.get("/roster/template.xlsx")
def template() -> Response:
    """An empty roster with the headings and an explanation of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roster.xlsx"
        write_template(path)
        return Response(path.read_bytes(), media_type=_XLSX, headers={"content-disposition": 'attachment; filename="roster-template.xlsx"'})


@router.post("/roster")
def take(page: SignedPage, request: Request, file: Annotated[UploadFile, File()]) -> Response:
    """Import the file in the name of whoever sent it; sending it twice changes nothing."""
    assert page.who is not None
    state = request.app.state
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = _kept(file, Path(folder), state.settings.request_limit)
            report = import_roster(state.database, path, actor=page.who.actor, at=clock.now())
    except Refusal as refusal:
        return page.show("roster.html", status=refusal.status, report=None, wrong=refusal.text)
    return page.show("roster.html", report=report, wrong="")


def _kept(file: UploadFile, folder: Path, limit: int) -> Path:
    """The upload as a file of our own name; the sender's name is only asked for its ending."""
    ending = Path(file.filename or "").suffix.lower()
    if ending not in _KINDS:
        raise Malformed("a roster is a .csv or .xlsx file; save the list as one of them")
    if file.size is not None and file.size > limit:
        raise TooLarge(f"the file is larger than {limit >> 20} MiB; split it")
    path = folder / f"roster{ending}"
    with path.open("wb") as kept:
        shutil.copyfileobj(file.file, kept)
    return path
