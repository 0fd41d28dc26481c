"""名册导入 bring in a roster: the good rows are kept, each bad row is told with line, column and how to mend it."""

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from healthsvc import clock
from healthsvc.access.door import StoreReading, needs
from healthsvc.errors import Malformed, Refusal, TooLarge
from healthsvc.healthfile import later
from healthsvc.healthfile.roster import Report, import_roster
from healthsvc.healthfile.roster_files import write_template
from healthsvc.rest.progress.seen import seen
from healthsvc.web.render import Page, SignedPage
from healthsvc.web.words import row_words

router = APIRouter(dependencies=[needs("write-clinical")])
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KINDS = (".csv", ".xlsx")


@router.get("/roster")
def roster(page: SignedPage, store: StoreReading, work: str = "") -> Response:
    """The form, and an empty roster to start from; with ``work`` what became of a roster that a worker has imported."""
    found = seen(store, work) if work else None
    if found is None or found.result is None:
        return _show(page, None)
    return _show(page, Report.of_json(found.result), more=int(found.result["moreProblems"]))


@router.get("/roster/template.xlsx")
def template() -> Response:
    """An empty roster with the headings and an explanation of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "roster.xlsx"
        write_template(path)
        return Response(path.read_bytes(), media_type=_XLSX, headers={"content-disposition": 'attachment; filename="roster-template.xlsx"'})


@router.post("/roster")
def take(page: SignedPage, request: Request, file: Annotated[UploadFile, File()]) -> Response:
    """Import the file in the name of whoever sent it; sending it twice changes nothing. A long one is left to a worker."""
    assert page.who is not None
    state = request.app.state
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = _kept(file, Path(folder), state.settings.request_limit)
            if later.is_long(state.policy, clock.today(clock.zone(state.database.zone)), path):
                with state.database.writing(page.who.actor, at=clock.now()) as store:
                    id = later.ask_for_import(store, path)
                return RedirectResponse(f"/progress/{id}?go=true", status_code=303)
            report = import_roster(state.database, path, actor=page.who.actor, at=clock.now())
    except Refusal as refusal:
        return _show(page, None, status=refusal.status, wrong=page.told(refusal))
    return _show(page, report)


def _show(page: Page, report: Report | None, *, status: int = 200, wrong: str = "", more: int = 0) -> Response:
    told = [(one, row_words(one.reason, one.text, page.language)) for one in report.problems] if report else []
    return page.show("roster.html", status=status, report=report, told=told, wrong=wrong, more=more)


def _kept(file: UploadFile, folder: Path, limit: int) -> Path:
    """The upload as a file of our own name; the sender's name is only asked for its ending."""
    ending = Path(file.filename or "").suffix.lower()
    if ending not in _KINDS:
        raise Malformed("a roster is a .csv or .xlsx file; save the list as one of them", reason="roster-kind")
    if file.size is not None and file.size > limit:
        raise TooLarge(f"the file is larger than {limit >> 20} MiB; split it", reason="roster-long")
    path = folder / f"roster{ending}"
    with path.open("wb") as kept:
        shutil.copyfileobj(file.file, kept)
    return path
