"""No export lets a spreadsheet run what somebody has typed: every module that writes one disarms its cells."""

import csv
import io
import re
from pathlib import Path

import pytest

import healthsvc
import integrations
from healthsvc import clock
from healthsvc.errors import Invalid
from healthsvc.healthfile.roster_files import harmless
from healthsvc.indicators.tables import Table, to_csv
from healthsvc.infusion import druglist
from healthsvc.infusion.rules.drugs import Drug, DrugList, Verdict
from healthsvc.store import SYSTEM, Database

EVIL = ("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")')
_WRITES = re.compile(r"csv\.(writer|DictWriter)\(|Workbook\(|xlsxwriter")
WRITERS = {"healthfile/roster_files.py": "harmless(", "indicators/tables.py": "safe(", "infusion/druglist.py": "harmless("}


def test_whoever_writes_a_table_is_known_and_disarms_it() -> None:
    found = {}
    for package in (healthsvc, integrations):
        root = Path(str(package.__file__)).parent
        for path in root.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if _WRITES.search(text):
                found[path.relative_to(root).as_posix()] = text
    assert found.keys() == WRITERS.keys(), "a new writer of tables: disarm its cells and name it here"
    assert all(WRITERS[name] in text for name, text in found.items())


@pytest.mark.parametrize("evil", EVIL)
def test_every_writer_puts_an_apostrophe_before_a_formula(evil: str) -> None:
    assert harmless(evil) == f"'{evil}"
    rows = list(csv.reader(io.StringIO(to_csv(Table("x", ("a",), ((evil,),))).decode("utf-8-sig"), newline="")))
    assert rows[1][0].startswith("'")
    written = druglist.to_csv(DrugList("1", "x", False, (Drug("ok", (evil,), Verdict.ALLOWED),)))
    cells = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_drug_list_with_a_formula_is_not_taken(database: Database) -> None:
    text = "code,names,verdict,classes,skin_test\nok,=1+1,allowed,,no\n"
    known = DrugList("0", "x", False, ())
    with database.writing(SYSTEM, at=clock.now()) as store, pytest.raises(Invalid, match="line 2"):
        druglist.keep_list(store, text, "1", "x", None, known)
