"""Tables for spreadsheets: CSV and XLSX in which no cell can become a formula."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

Cell = str | int | float | date | None
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full-width signs too: spreadsheets fold them


@dataclass(frozen=True, slots=True)
class Table:
    """A sheet: its name, its column heads, its rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def safe(cell: Cell) -> Cell:
    """A text that a spreadsheet would read as a formula gets an apostrophe in front; numbers and dates stay what they are."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_STARTS_A_FORMULA):
        return "'" + cell
    return cell


def to_csv(table: Table) -> bytes:
    """UTF-8 with a byte order mark, so that spreadsheets read the Chinese."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([safe(column) for column in table.columns])
    writer.writerows([_plain(safe(cell)) for cell in row] for row in table.rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def to_xlsx(tables: Sequence[Table]) -> bytes:
    """One sheet a table; texts are stored as texts whatever they begin with."""
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.worksheet.worksheet import Worksheet

    book = Workbook()
    for number, table in enumerate(tables):
        sheet = book.active if number == 0 else book.create_sheet()
        assert isinstance(sheet, Worksheet)
        sheet.title = "".join(char for char in table.name if char not in "[]:*?/\\")[:31] or f"Sheet{number + 1}"
        for row, cells in enumerate((table.columns, *table.rows), start=1):
            for column, value in enumerate(cells, start=1):
                _write(sheet, row, column, value)
        for head in sheet[1]:
            head.font = Font(bold=True)
        sheet.freeze_panes = "A2"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def to_pdf(table: Table, made: datetime, issuer: str) -> bytes:
    """A table on paper (PDF/A), with the moment of which it speaks and who issues it."""
    from healthsvc.documents.paper import Document, Paragraph, Section
    from healthsvc.documents.paper import Table as Printed
    from healthsvc.documents.render import to_pdf as set_document

    rows = tuple(tuple("" if cell is None else str(_plain(cell)) for cell in row) for row in table.rows)
    blocks = (Printed(table.columns, rows), Paragraph(f"共 {len(rows)} 行 {len(rows)} rows"))
    return set_document(Document(table.name, (Section("", blocks),), made, issuer=issuer))


def _write(sheet: "Worksheet", row: int, column: int, value: Cell) -> None:
    cell = sheet.cell(row, column)
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.replace(tzinfo=None)
    if isinstance(value, str):
        value = "".join(char for char in value if char >= " " or char in "\t\n")
        cell.value = value
        cell.data_type = "s"
        if safe(value) != value:
            cell.style = "Normal"
            cell.quotePrefix = True
    else:
        cell.value = value


def _plain(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="minutes")
    return cell.isoformat() if isinstance(cell, date) else cell
