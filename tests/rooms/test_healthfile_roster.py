"""Rosters: good rows kept, bad rows reported by line and column, the same file twice changes nothing, nothing runs in a spreadsheet."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from healthsvc.demo.people import people, write_roster
from healthsvc.errors import Malformed, NotFound, NotSupported
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.roster import import_roster
from healthsvc.healthfile.roster_columns import COLUMNS
from healthsvc.healthfile.roster_files import write_csv, write_template, write_xlsx
from healthsvc.healthfile.rules import Category, ContactRole, Living
from healthsvc.store import SYSTEM, Database

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
ROSTERS = Path(__file__).resolve().parents[2] / "fixtures" / "rosters"
GOOD = ["good-utf8.csv", "good-utf8-bom.csv", "good-gb18030.csv", "good.xlsx"]


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_file_gives_the_same_files(database: Database, name: str) -> None:
    report = import_roster(database, ROSTERS / name, SYSTEM, at=AT)
    assert (report.rows, report.created, report.refused, report.problems) == (12, 12, 0, [])
    with database.reading(SYSTEM, at=AT) as store:
        expected = people(12, 20261122, date(2026, 11, 22), [])
        for person in expected:
            citizen = next(one.value for one in person.identifiers if one.system == CITIZEN_ID)
            (patient,) = store.select("Patient", identifier=f"{CITIZEN_ID}|{citizen}")
            filed = to_person(patient)
            assert (filed.name, filed.contacts, filed.category) == (person.name, person.contacts, person.category)
            assert (filed.managing_unit, filed.living, filed.resettled) == (person.managing_unit, person.living, person.resettled)
            assert filed.residence_area == "示例社区"
            assert filed.position is not None


def test_the_same_list_in_whatever_file_changes_nothing(database: Database) -> None:
    import_roster(database, ROSTERS / GOOD[0], SYSTEM, at=AT)
    for name in GOOD:
        again = import_roster(database, ROSTERS / name, SYSTEM, at=AT.replace(hour=5))
        assert (again.created, again.changed, again.unchanged) == (0, 0, 12)
    with database.reading(SYSTEM, at=AT) as store:
        assert {one["meta"]["versionId"] for one in store.select("Patient")} == {"1"}


@pytest.mark.parametrize("name", ["mixed.csv", "mixed.xlsx"])
def test_bad_rows_are_reported_by_line_and_column_and_the_good_ones_kept(database: Database, name: str) -> None:
    report = import_roster(database, ROSTERS / name, SYSTEM, at=AT)
    wrong = [(one.line, one.column, one.reason) for one in report.problems if one.severity == "error"]
    shift = 1 if name.endswith("csv") else 0  # a cell with a line break takes two lines in a text file
    assert wrong == [
        (4, "身份证号", "citizen-id-check-digit"),
        (5, "姓名", "name-missing"),
        (6, "身份证号", "number-missing"),
        (7, "出生日期", "date"),
        (8, "联系电话", "phone"),
        (9, "干部类别", "category"),
        (10, "姓名", "formula"),
        (12, "身份证号", "repeated"),
        (13, "身份证号", "number-rounded"),
    ]
    assert [(one.line, one.severity) for one in report.problems if one.severity == "warning"] == [(14, "warning"), (15 + shift, "warning")]
    assert (report.rows, report.created, report.refused) == (13, 4, 9)
    assert report.unknown_columns == ("备注",)
    told = str(report.as_json())
    for row in csv.reader((ROSTERS / "mixed.csv").read_bytes().decode("gb18030").splitlines()):
        assert not any(cell in told for cell in row[2:3] if len(cell) > 8)
    with database.reading(SYSTEM, at=AT) as store:
        upgraded = [one for one in store.select("Patient") if to_person(one).name == "示例庚"]
        (number,) = to_person(upgraded[0]).identifiers
        assert (len(number.value), number.converted) == (18, True)
    again = import_roster(database, ROSTERS / name, SYSTEM, at=AT)
    assert (again.created, again.changed, again.unchanged, again.refused) == (0, 0, 4, 9)


def test_an_import_in_one_transaction_is_all_or_nothing(database: Database) -> None:
    def interrupted() -> None:
        with database.writing(SYSTEM, at=AT) as store:
            assert import_roster(store, ROSTERS / GOOD[0]).created == 12
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    with database.reading(SYSTEM, at=AT) as store:
        assert store.select("Patient") == []


def test_progress_is_told_and_changes_are_counted(database: Database, tmp_path: Path) -> None:
    persons = people(230, 7, AT.date())
    write_roster(persons, tmp_path / "many.csv")
    steps: list[tuple[int, int]] = []
    import_roster(database, tmp_path / "many.csv", SYSTEM, at=AT, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(100, 230), (200, 230), (230, 230)]
    text = (tmp_path / "many.csv").read_text("utf-8-sig").replace("独居", "与子女同住", 1)
    (tmp_path / "changed.csv").write_text(text, "utf-8")
    report = import_roster(database, tmp_path / "changed.csv", SYSTEM, at=AT)
    assert (report.changed, report.unchanged) == (1, 229)


def test_a_roster_survives_being_written_and_read(database: Database, tmp_path: Path) -> None:
    persons = people(20, 3, AT.date(), [(121.5, 29.5, "示例社区", "-示例路@1号")])
    write_roster(persons, tmp_path / "a.xlsx")
    assert import_roster(database, tmp_path / "a.xlsx", SYSTEM, at=AT).created == 20
    with database.reading(SYSTEM, at=AT) as store:
        found = [to_person(one) for one in store.select("Patient")]
    assert {one.name for one in found} == {one.name for one in persons}
    assert {one.living for one in found} <= set(Living)
    assert {one.category for one in found} <= set(Category)
    assert all([contact.role for contact in one.contacts] == list(ContactRole) for one in found)


@pytest.mark.parametrize("name", ["template.csv", "template.xlsx"])
def test_the_template_has_every_heading_and_its_example_is_refused_only_for_its_number(
    database: Database, tmp_path: Path, name: str
) -> None:
    write_template(tmp_path / name)
    report = import_roster(database, tmp_path / name, SYSTEM, at=AT)
    assert [(one.column, one.reason) for one in report.problems] == [("身份证号", "number-missing")]
    assert report.unknown_columns == ()


def test_nothing_that_is_written_runs(tmp_path: Path) -> None:
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "plain"]
    write_csv(tmp_path / "a.csv", [evil])
    assert (tmp_path / "a.csv").read_text("utf-8-sig").startswith("'=1+1,'+1,'-1,'@SUM(A1)")
    write_xlsx(tmp_path / "a.xlsx", [evil])
    page = load_workbook(tmp_path / "a.xlsx").worksheets[0]
    assert {cell.data_type for row in page.iter_rows() for cell in row} == {"s"}


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("absent.csv", None, NotFound),
        ("roster.xls", b"\xd0\xcf\x11\xe0", NotSupported),
        ("roster.xlsx", b"PK\x03\x04 broken", Malformed),
        ("roster.csv", b"", Malformed),
        ("roster.csv", '姓名,性别,身份证号\n"甲,男,1\n'.encode(), Malformed),
        ("roster.csv", b"\xff\xfe\x00", Malformed),
        ("roster.csv", b"\x81\x00\x81", Malformed),
        ("roster.csv", "性别,身份证号\n男,1\n".encode(), Malformed),
        ("roster.csv", "姓名,性别\n甲,男\n".encode(), Malformed),
        ("roster.csv", "姓名,身份证号,公民身份号码\n甲,1,2\n".encode(), Malformed),
        ("roster.csv", "甲,乙,丙\n1,2,3\n".encode(), Malformed),
    ],
)
def test_a_file_that_is_no_roster_gets_one_clear_error(
    database: Database, tmp_path: Path, name: str, content: bytes | None, error: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error) as refused:
        import_roster(database, tmp_path / name, SYSTEM, at=AT)
    assert len(str(refused.value)) > 15


def test_numbers_and_dates_that_a_spreadsheet_keeps_its_own_way(database: Database, tmp_path: Path) -> None:
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["姓名", "身份证号", "出生日期", "电话"])
    page.append(["示例甲", 330299193001019014, datetime(1930, 1, 1, tzinfo=UTC).replace(tzinfo=None), 57400000000.0])
    page.append(["示例乙", "=A1", None, None])
    page.append(["示例丙", "330299193001019014", datetime(1930, 1, 1, tzinfo=UTC).replace(tzinfo=None), 57400000000.0])
    book.save(tmp_path / "a.xlsx")
    report = import_roster(database, tmp_path / "a.xlsx", SYSTEM, at=AT)
    assert [(one.line, one.reason) for one in report.problems] == [(2, "number-rounded"), (3, "formula")]
    with database.reading(SYSTEM, at=AT) as store:
        (patient,) = store.select("Patient")
        assert (to_person(patient).birth, to_person(patient).phones) == (date(1930, 1, 1), ("57400000000",))


def test_the_fixtures_are_what_their_builder_writes() -> None:
    header = next(csv.reader((ROSTERS / "good-utf8.csv").read_text("utf-8").splitlines()))
    assert header == [column.heading for column in COLUMNS]
