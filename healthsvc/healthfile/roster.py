"""花名册导入: a list of people becomes health files; good rows are kept, bad rows are reported, the same list twice changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self

from healthsvc.errors import Invalid, Malformed, Refusal
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, LIXIU_CERTIFICATE
from healthsvc.healthfile.datum import Datum, place
from healthsvc.healthfile.roster_columns import BY_HEADING, COLUMNS, FHIR_SEX, NUMBERS, BadCell, Column, heading
from healthsvc.healthfile.roster_files import Row, header, rows
from healthsvc.healthfile.rules import Contact, ContactRole, Identifier, Person, Position, RiskTag
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Actor, Database, Store

SOURCE: Final = "urn:healthsvc:roster"
_BATCH: Final = 100
_SYSTEMS: Final = {"citizen_id": CITIZEN_ID, "file_number": HEALTH_FILE_NUMBER, "certificate": LIXIU_CERTIFICATE}
_CONTACTS: Final = (
    (ContactRole.FAMILY, "family", "family_phone"),
    (ContactRole.FORMER_UNIT, "unit_contact", "unit_phone"),
    (ContactRole.COMMUNITY_WORKER, "worker", "worker_phone"),
    (ContactRole.COMMUNITY_DOCTOR, "community_doctor", "doctor_phone"),
)
Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong or odd: in which line, in which column (by its heading), a stable reason and how to mend it."""

    line: int
    column: str
    reason: str
    text: str
    severity: str = "error"
    """error: the row was not taken; warning: it was."""


@dataclass(slots=True)
class Report:
    """What an import has done."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    unknown_columns: tuple[str, ...] = ()

    @property
    def refused(self) -> int:
        """Rows that were not taken."""
        return len({one.line for one in self.problems if one.severity == "error"})

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """Back from what :meth:`as_json` gave."""
        problems = [Problem(one["line"], one["column"], one["reason"], one["text"], one["severity"]) for one in told["problems"]]
        counts = {name: int(told[name]) for name in ("rows", "created", "changed", "unchanged")}
        return cls(**counts, problems=problems, unknown_columns=tuple(told["unknownColumns"]))

    def as_json(self) -> dict[str, Any]:
        """The report as plain values (no personal data: lines, columns and reasons only)."""
        return {
            "rows": self.rows,
            "created": self.created,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "unknownColumns": list(self.unknown_columns),
            "problems": [
                {"line": one.line, "column": one.column, "reason": one.reason, "severity": one.severity, "text": one.text}
                for one in self.problems
            ],
        }


def import_roster(
    target: Database | Store,
    path: Path,
    actor: Actor = SYSTEM,
    *,
    at: datetime | None = None,
    progress: Progress | None = None,
    centre: str | None = None,
) -> Report:
    """Read a roster into health files.

    Args:
        target: a database (rows are written in transactions of a hundred, so that others can work meanwhile), or an open writing
            transaction (all in one).
        path: .csv or .xlsx with Chinese headings (:func:`healthsvc.healthfile.roster_files.write_template` writes an empty one).
        actor: in whose name; only used with a database.
        at: the moment; needed with a database.
        progress: called with rows done and rows in all.
        centre: ``Organization/x`` that keeps the new files.

    Raises:
        Refusal: the file as a whole cannot be read; nothing has been written.
    """
    found = rows(path)
    top = header(found)
    columns, unknown = _columns(found[top])
    people = found[top + 1 :]
    report = Report(rows=len(people), unknown_columns=unknown)
    seen: dict[tuple[str, str], int] = {}
    done = 0
    for batch in _batches(people):
        if isinstance(target, Store):
            _take(target, batch, columns, report, seen, centre)
        else:
            if at is None:
                raise TypeError("an import into a database needs the moment: at=")
            with target.writing(actor, at=at) as store:
                _take(store, batch, columns, report, seen, centre)
        done += len(batch)
        if progress is not None:
            progress(done, len(people))
    report.problems.sort(key=lambda one: (one.line, one.column))
    return report


def length(path: Path) -> int:
    """How many rows of people a roster has.

    Raises:
        Refusal: the file as a whole cannot be read, or lacks the columns without which nobody is recognised.
    """
    found = rows(path)
    top = header(found)
    _columns(found[top])
    return len(found) - top - 1


def read_person(cells: Sequence[Any], columns: dict[int, Column]) -> tuple[Person | None, list[tuple[str, BadCell]]]:
    """Read one row; gives the person (with what is odd about the row), or None and what is wrong in which column."""
    values: dict[str, Any] = {}
    wrong: list[tuple[str, BadCell]] = []
    for index, column in columns.items():
        try:
            values[column.field] = column.read(cells[index] if index < len(cells) else None)
        except BadCell as bad:
            wrong.append((column.heading, bad))
    if not values.get("name") and not any(name == "姓名" for name, _ in wrong):
        wrong.append(("姓名", BadCell("name-missing", "the row has no name")))
    if not any(values.get(name) for name in NUMBERS) and not wrong:
        wrong.append(("身份证号", BadCell("number-missing", "the row has no number by which the person can be recognised again")))
    if wrong:
        return None, wrong
    position, odd = _position(values)
    return _person(values, position), odd


def _position(values: dict[str, Any]) -> tuple[Position | None, list[tuple[str, BadCell]]]:
    """Where the person lives, in WGS-84; a coordinate whose datum nobody declares is left out: it could be half a kilometre off."""
    lon, lat, system = values.get("longitude"), values.get("latitude"), values.get("datum")
    if lon is None and lat is None:
        return None, []
    if lon is None or lat is None:
        return None, [("经度" if lon is None else "纬度", BadCell("position-incomplete", "the other half of the coordinate is missing"))]
    if system is None:
        text = "the coordinate was left out: its datum is not declared; write WGS-84, GCJ-02 or BD-09 into the column 坐标系"
        return None, [("坐标系", BadCell("datum-undeclared", text))]
    try:
        at = place(lon, lat, system, "花名册")
    except Invalid as refusal:
        return None, [("经度", BadCell(refusal.reason or "degrees", refusal.text))]
    given = None if system is Datum.WGS84 else (lon, lat)
    return Position(at.lat, at.lon, str(at.datum), at.source, given), []


def _person(values: dict[str, Any], position: Position | None) -> Person:
    sex = values.get("sex_code") or ""
    contacts = [
        Contact(role, values.get(name) or "", values.get(phone) or "", (values.get("relation") or "") if role is ContactRole.FAMILY else "")
        for role, name, phone in _CONTACTS
        if values.get(name) or values.get(phone)
    ]
    return Person(
        name=values["name"],
        sex=FHIR_SEX.get(sex, "unknown"),
        sex_code=sex,
        birth=values.get("birth"),
        identifiers=tuple(Identifier(system, values[name]) for name, system in _SYSTEMS.items() if values.get(name)),
        phones=(values["phone"],) if values.get("phone") else (),
        address=values.get("address") or "",
        position=position,
        contacts=tuple(contacts),
        category=values.get("category"),
        managing_unit=values.get("managing_unit") or "",
        residence_area=values.get("residence_area") or "",
        resettled=values.get("resettled"),
        living=values.get("living"),
        tags=tuple(RiskTag(word, "花名册", by_hand=True) for word in values.get("tags") or ()),
    )


def _take(
    store: Store, batch: list[Row], columns: dict[int, Column], report: Report, seen: dict[tuple[str, str], int], centre: str | None
) -> None:
    for line, cells in batch:
        person, wrong = read_person(cells, columns)
        grave = "error" if person is None else "warning"
        report.problems += [Problem(line, column, bad.reason or "cell", bad.text, grave) for column, bad in wrong]
        if person is None:
            continue
        keys = [(one.system, one.value.upper()) for one in person.identifiers]
        earlier = next((seen[key] for key in keys if key in seen), None)
        if earlier is not None:
            report.problems.append(Problem(line, "身份证号", "repeated", f"the same person already stands in line {earlier}"))
            continue
        try:
            with store.savepoint():
                filed = register(store, replace(person, centre=centre), SOURCE, strict=True)
        except Refusal as refusal:
            report.problems.append(Problem(line, _column_of(refusal), refusal.reason or refusal.issue_code, refusal.text))
            continue
        seen |= dict.fromkeys(keys, line)
        report.problems += [Problem(line, "身份证号", "citizen-id-warning", text, "warning") for text in filed.warnings]
        report.created += filed.new
        report.changed += filed.changed and not filed.new
        report.unchanged += not filed.changed


def _columns(row: Row) -> tuple[dict[int, Column], tuple[str, ...]]:
    line, cells = row
    columns: dict[int, Column] = {}
    unknown = []
    for index, cell in enumerate(cells):
        column = BY_HEADING.get(heading(cell))
        if column is None:
            if cell not in (None, ""):
                unknown.append(str(cell).strip())
        elif column in columns.values():
            raise Malformed(f"line {line}: two columns mean {column.heading}; rename or remove one", reason="roster-column-twice")
        else:
            columns[index] = column
    there = {column.field for column in columns.values()}
    if "name" not in there:
        raise Malformed(f"line {line}: there is no column 姓名", reason="roster-no-name")
    if not there & set(NUMBERS):
        raise Malformed(
            f"line {line}: there is no column 身份证号, 健康档案号 or 离休证号; people are recognised by one of them",
            reason="roster-no-number",
        )
    return columns, tuple(unknown)


def _column_of(refusal: Refusal) -> str:
    reason = refusal.reason or ""
    for start, name in (("citizen-id", "citizen_id"), ("patient-", "citizen_id"), ("birth", "birth"), ("name", "name")):
        if reason.startswith(start):
            return next(column.heading for column in COLUMNS if column.field == name)
    return ""


def _batches(found: Iterable[Row]) -> Iterator[list[Row]]:
    source = iter(found)
    while batch := list(islice(source, _BATCH)):
        yield batch
