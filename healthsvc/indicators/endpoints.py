"""Figures and ledgers over HTTP. Figures name nobody; the people behind them need the right to read files."""

from datetime import date
from typing import Any, Literal

from fastapi import APIRouter, Response

from healthsvc.access.door import StoreReading, needs
from healthsvc.errors import Invalid
from healthsvc.fhir.json import dumps
from healthsvc.healthfile.service import today
from healthsvc.indicators import service
from healthsvc.indicators.ledgers import LEDGERS, ledger, people_of, table_of
from healthsvc.indicators.rules import Figure, Group
from healthsvc.indicators.tables import Table, to_csv, to_xlsx

router = APIRouter(prefix="/api", tags=["考核、台账 Indicators and ledgers"])
Format = Literal["csv", "xlsx"]
_TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@router.get("/indicators", dependencies=[needs("figures")])
def figures(store: StoreReading, on: date | None = None) -> list[dict[str, Any]]:
    """All figures as of the end of a day (today unless told); no people."""
    return [told(one) for one in service.figures(store, on or today(store))]


@router.get("/indicators.{form}", dependencies=[needs("figures")])
def exported(form: Format, store: StoreReading, on: date | None = None) -> Response:
    """All figures as a spreadsheet."""
    day = on or today(store)
    return file(f"indicators-{day.isoformat()}", form, [table_of(service.figures(store, day))])


@router.get("/indicators/measure-reports", dependencies=[needs("figures")])
def measure_reports(store: StoreReading, on: date | None = None) -> Response:
    """All figures as a collection Bundle of FHIR MeasureReports."""
    entries = [{"resource": one} for one in service.measure_reports(store, on or today(store))]
    return Response(dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}), media_type="application/fhir+json")


@router.get("/indicators/{code}/people")
def people(code: str, store: StoreReading, on: date | None = None, group: Group = Group.ALL) -> dict[str, Any]:
    """The people behind one figure: those counted and those missing."""
    one = service.figure(store, code, on or today(store), group)
    return {**told(one), "people": one.people, "missing": one.missing}


@router.get("/indicators/{code}/people.{form}")
def people_exported(code: str, form: Format, store: StoreReading, on: date | None = None, group: Group = Group.ALL) -> Response:
    """The people behind one figure as a spreadsheet."""
    day = on or today(store)
    return file(f"{code}-{day.isoformat()}", form, [people_of(store, service.figure(store, code, day, group))])


@router.get("/ledgers", dependencies=[needs("figures")])
def ledgers() -> list[dict[str, str]]:
    """Which ledgers there are."""
    return [{"name": name, "title": title} for name, (title, _, _) in LEDGERS.items()]


@router.get("/ledgers/{name}.{form}")
def ledger_exported(name: str, form: Format, store: StoreReading, first: date, last: date) -> Response:
    """One ledger between two days, both included."""
    if last < first:
        raise Invalid("the ledger ends before it begins; swap first and last", path="last")
    return file(f"{name}-{first.isoformat()}-{last.isoformat()}", form, [ledger(store, name, first, last)])


def told(one: Figure) -> dict[str, Any]:
    """A figure without people."""
    known = {"code": one.code, "name": one.name_zh, "name_en": one.name_en, "group": one.group.value}
    return {**known, "numerator": one.numerator, "denominator": one.denominator, "rate": one.rate}


def file(name: str, form: Format, tables: list[Table]) -> Response:
    """A spreadsheet to be saved."""
    content = to_csv(tables[0]) if form == "csv" else to_xlsx(tables)
    return Response(content, media_type=_TYPES[form], headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'})
