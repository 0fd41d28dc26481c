"""花名册文件: read rows from CSV (UTF-8, UTF-8 with BOM, UTF-16, GB18030) and XLSX; write rows that no spreadsheet will run."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from healthsvc.errors import Malformed, NotFound, NotSupported, TooLarge
from healthsvc.healthfile.roster_columns import BY_HEADING, COLUMNS, Formula, heading

_HEADER_WITHIN: Final = 10
"""A title and remarks may stand above the headings, in so many rows at most."""
_MOST_UNPACKED: Final = 128 << 20
"""Bytes of a workbook once it is unpacked: some hundred thousand rows."""
_MOST_ROWS: Final = 200_000
_NO_WORKBOOK: Final = "the file is not a readable Excel workbook; open it and save it again as .xlsx"
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r")
Row = tuple[int, list[Any]]
"""Line (or sheet row) number from 1, and the cells."""


def rows(path: Path) -> list[Row]:
    """All rows of a roster file with their line numbers; empty rows are left out.

    Raises:
        NotFound, NotSupported, Malformed: the file is absent, of a kind that is not read, or damaged; the text says how to mend it.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path.name}")
    kind = path.suffix.lower()
    if kind in (".xlsx", ".xlsm"):
        found = _workbook_rows(path)
    elif kind in (".csv", ".txt", ".tsv"):
        found = _text_rows(path)
    else:
        raise NotSupported(f"a roster is a .csv or .xlsx file; save {kind or 'the file'} as one of these", reason="roster-kind")
    return [(line, cells) for line, cells in found if any(cell not in (None, "") for cell in cells)]


def header(found: Sequence[Row]) -> int:
    """Index of the row that holds the headings: the one among the first ten with most known ones (a name among them)."""
    known = [sum(heading(cell) in BY_HEADING for cell in cells) for _, cells in found[:_HEADER_WITHIN]]
    if not known or max(known) < 2:
        raise Malformed(
            "no row of headings was found in the first ten rows; write 姓名, 身份证号 ... above the columns (see the template)",
            reason="roster-headings",
        )
    return known.index(max(known))


def decode(raw: bytes) -> str:
    """Text of a CSV file: by its byte order mark, else strictly UTF-8, else strictly GB18030."""
    for mark, charset in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(mark):
            return _strictly(raw, charset)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _strictly(raw, "gb18030")


def write_csv(path: Path, table: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV (UTF-8 with BOM, as spreadsheets in China open it); a text that would run is written with an apostrophe."""
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        csv.writer(out).writerows([harmless(cell) for cell in row] for row in table)


def write_xlsx(path: Path, table: Iterable[Sequence[str]], sheet: str = "花名册") -> None:
    """Write rows as a workbook in which every cell is text, so that long numbers keep their digits and nothing runs."""
    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    page.freeze_panes = "A2"
    for index in range(len(COLUMNS)):
        page.column_dimensions[get_column_letter(index + 1)].width = 16
    for number, row in enumerate(table):
        cells = []
        for value in row:
            cell = WriteOnlyCell(page, value="")
            cell.value = harmless(value)
            cell.data_type = "s"
            cell.number_format = "@"
            cell.font = Font(bold=number == 0)
            cells.append(cell)
        page.append(cells)
    book.save(path)


def write_template(path: Path) -> None:
    """Write an empty roster with all headings and one example row, as .xlsx or .csv by the name of the file."""
    table = [[column.heading for column in COLUMNS], [column.example for column in COLUMNS]]
    if path.suffix.lower() == ".xlsx":
        write_xlsx(path, table)
    elif path.suffix.lower() == ".csv":
        write_csv(path, table)
    else:
        raise NotSupported("a template is written as .xlsx or .csv")


def harmless(value: str) -> str:
    """A text that a spreadsheet will show and not run."""
    return f"'{value}" if value.startswith(_RUNS) else value


def _text_rows(path: Path) -> Iterator[Row]:
    text = decode(path.read_bytes())
    if "\0" in text:
        raise Malformed("the file holds zero bytes; it is not a text file", reason="roster-text")
    first = "\n".join(text.splitlines()[:_HEADER_WITHIN])
    delimiter = max(",\t;|", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, list(cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise Malformed(f"the CSV file is damaged in line {line}: {error}", reason="roster-csv") from None


def _workbook_rows(path: Path) -> Iterator[Row]:
    _must_unpack(path)
    try:
        book = load_workbook(path, read_only=True, data_only=False)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError, ParseError, AttributeError, TypeError):
        raise Malformed(_NO_WORKBOOK, reason="roster-workbook") from None
    try:
        page = book.worksheets[0]
        for line, row in enumerate(page.iter_rows(), start=1):
            if line > _MOST_ROWS:
                raise TooLarge(
                    f"the workbook has more than {_MOST_ROWS} rows; split it, or delete the empty ones below the list", reason="roster-long"
                )
            yield line, [Formula() if cell.data_type == "f" else cell.value for cell in row]
    finally:
        book.close()


def _must_unpack(path: Path) -> None:
    """Refuse a workbook that would fill the memory once it is unpacked (a zip bomb), before anything of it is."""
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(one.file_size for one in packed.infolist())
    except (zipfile.BadZipFile, OSError, ValueError):
        raise Malformed(_NO_WORKBOOK, reason="roster-workbook") from None
    if unpacked > _MOST_UNPACKED:
        raise TooLarge(
            f"the workbook unpacks to more than {_MOST_UNPACKED >> 20} MiB; keep one sheet with the list and save it again",
            reason="roster-long",
        )


def _strictly(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except UnicodeDecodeError as error:
        raise Malformed(
            f"the file is neither UTF-8 nor GB18030 (byte {error.start} cannot be read); save it as CSV UTF-8 or as .xlsx",
            reason="roster-charset",
        ) from None
