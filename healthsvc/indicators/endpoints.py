"""Figures and ledgers over HTTP. Figures name nobody; of the people behind them the bureau sees masked names."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.errors import Invalid
from healthsvc.fhir.json import dumps
from healthsvc.healthfile.service import today
from healthsvc.indicators import service
from healthsvc.indicators.figure import By, Figure, Part
from healthsvc.indicators.ledgers import LEDGERS, ledger
from healthsvc.indicators.people import Standing, behind
from healthsvc.indicators.service import Asked
from healthsvc.indicators.sheets import people_of, table_of
from healthsvc.indicators.tables import Table, to_csv, to_pdf, to_xlsx
from healthsvc.store import Store

router = APIRouter(prefix="/api", tags=["考核、台账 Indicators and ledgers"])
Format = Literal["csv", "xlsx", "pdf"]
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


def asked_of(on: date | None = None, first: date | None = None, known: date | None = None) -> tuple[date | None, date | None, date | None]:
    """The days that figures are asked for."""
    return on, first, known


def part_of(by: By | None = None, value: str | None = None) -> Part:
    """Whom figures are asked for."""
    return service.part_of(by, value)


Days = Annotated[tuple[date | None, date | None, date | None], Depends(asked_of)]
Whom = Annotated[Part, Depends(part_of)]


@router.get("/indicators", dependencies=[needs("figures")])
def figures(store: StoreReading, days: Days, by: By | None = None) -> list[dict[str, Any]]:
    """All figures as of the end of a day (today unless told); ``by`` tells them apart by a trait; no people."""
    return [told(one) for one in _found(store, days, by)]


@router.get("/indicators.{form}", dependencies=[needs("figures")])
def exported(form: Format, request: Request, store: StoreReading, days: Days, by: By | None = None) -> Response:
    """All figures as a spreadsheet."""
    return file(f"indicators-{_asked(store, days).on.isoformat()}", form, table_of(_found(store, days, by)), request, store)


@router.get("/indicators/measure-reports", dependencies=[needs("figures")])
def measure_reports(store: StoreReading, days: Days) -> Response:
    """All figures as a collection Bundle of FHIR MeasureReports."""
    entries = [{"resource": one} for one in service.reports(store, _asked(store, days))]
    return Response(dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), media_type="application/fhir+json")


@router.get("/indicators/{code}", dependencies=[needs("figures")])
def explained(code: str, store: StoreReading, days: Days, whom: Whom) -> dict[str, Any]:
    """One figure with all that explains it: rule, version, parameters, period, exclusions by reason, its parts by every trait."""
    return service.explained(store, code, _asked(store, days), whom)


@router.get("/indicators/{code}/people", dependencies=[needs("figures")])
def people(code: str, store: StoreReading, days: Days, whom: Whom, standing: Standing | None = None) -> dict[str, Any]:
    """The people behind one figure: those who are missing first; masked for whoever may not read files."""
    one = service.figure(store, code, _asked(store, days), whom)
    return {**told(one), "people": [row.as_json() for row in behind(store, one, standing)]}


@router.get("/indicators/{code}/people.{form}", dependencies=[needs("figures")])
def people_exported(code: str, form: Format, request: Request, store: StoreReading, days: Days, whom: Whom) -> Response:
    """The people behind one figure as a spreadsheet; masked for whoever may not read files."""
    asked = _asked(store, days)
    return file(f"{code}-{asked.on.isoformat()}", form, people_of(store, service.figure(store, code, asked, whom)), request, store)


@router.get("/ledgers", dependencies=[needs("figures")])
def ledgers() -> list[dict[str, str]]:
    """Which ledgers there are."""
    return [{"name": name, "title": one.title} for name, one in LEDGERS.items()]


@router.get("/ledgers/{name}.{form}", dependencies=[needs("figures")])
def ledger_exported(name: str, form: Format, request: Request, store: StoreReading, first: date, last: date, whom: Whom) -> Response:
    """One ledger between two days, both included, of everybody or of one community, doctor, unit or centre; whoever may not read files
    gets masked names."""
    if last < first:
        raise Invalid("the ledger ends before it begins; swap first and last", path="last")
    return file(f"{name}-{first.isoformat()}-{last.isoformat()}", form, ledger(store, name, first, last, whom), request, store)


def told(one: Figure) -> dict[str, Any]:
    """A figure without people."""
    known = {"code": one.code, "name": one.measure.name_zh, "name_en": one.measure.name_en, "by": one.part.by, "value": one.part.value}
    counts = {"numerator": one.numerator, "denominator": one.denominator, "rate": one.rate, "excluded": one.excluded}
    return {**known, **counts, "unit": one.measure.unit_zh, "version": one.measure.version}


def file(name: str, form: Format, table: Table, request: Request, store: Store) -> Response:
    """A table to be saved: a spreadsheet, or paper."""
    if form == "pdf":
        content = to_pdf(table, store.at.astimezone(store.zone), request.app.state.settings.site_name)
    else:
        content = to_csv(table) if form == "csv" else to_xlsx([table])
    return Response(content, media_type=_TYPES[form], headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'})


def _asked(store: Store, days: tuple[date | None, date | None, date | None]) -> Asked:
    on, first, known = days
    return Asked(on or today(store), first, known)


def _found(store: Store, days: tuple[date | None, date | None, date | None], by: By | None) -> list[Figure]:
    asked = _asked(store, days)
    return service.figures(store, asked) if by is None else service.divided(store, asked, by)
