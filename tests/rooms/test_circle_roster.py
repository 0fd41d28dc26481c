"""A roster's coordinates: converted once on entry, origin kept; without a declared datum the person comes in and the place does not."""

from datetime import UTC, datetime
from pathlib import Path

from healthsvc.circle import service
from healthsvc.healthfile.datum import Datum, distance, from_wgs84
from healthsvc.healthfile.positions import GEOLOCATION, to_coordinate
from healthsvc.healthfile.resources import to_person
from healthsvc.healthfile.roster import import_roster
from healthsvc.store import SYSTEM, Database

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
LON, LAT = 121.6, 30.45


def roster(path: Path, *rows: tuple[object, ...]) -> Path:
    head = "姓名,健康档案号,家庭住址,经度,纬度,坐标系"
    lines = [",".join(str(cell) for cell in (f"测试{i}", f"3302990010010000{i}", "示例路1号", *row)) for i, row in enumerate(rows, start=1)]
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_roster_in_any_datum_gives_the_same_home(database: Database, tmp_path: Path) -> None:
    rows = [(LON, LAT, "WGS-84"), (*from_wgs84(LON, LAT, Datum.GCJ02), "gcj02"), (*from_wgs84(LON, LAT, Datum.BD09), "BD-09")]
    report = import_roster(database, roster(tmp_path / "r.csv", *rows), at=AT)
    assert (report.created, report.refused, report.problems) == (3, 0, [])
    with database.reading(SYSTEM, at=AT) as store:
        found, unlocated = service.homes(store)
        assert unlocated == 0
        assert all(distance(home.lon, home.lat, LON, LAT) < 0.02 for home in found)
        for patient in store.select("Patient"):
            (element,) = (one for one in patient["address"][0]["extension"] if one["url"] == GEOLOCATION)
            at = to_coordinate(element)
            assert at is not None
            assert at.source == "花名册"
            index = int(patient["name"][0]["text"][-1]) - 1
            assert (at.given_lon, at.given_lat) == rows[index][:2]
            assert at.datum is (Datum.WGS84, Datum.GCJ02, Datum.BD09)[index]
            position = to_person(patient).position
            assert position is not None
            assert position.source == "花名册"
    again = import_roster(database, tmp_path / "r.csv", at=AT)
    assert (again.created, again.changed, again.unchanged) == (0, 0, 3)


def test_a_coordinate_without_a_datum_is_left_out_and_said(database: Database, tmp_path: Path) -> None:
    report = import_roster(
        database, roster(tmp_path / "r.csv", (LON, LAT, ""), (LON, "", "WGS-84"), ("", "", ""), (LON, LAT, "mars")), at=AT
    )
    assert (report.created, report.refused) == (3, 1)
    told = [(one.line, one.column, one.reason, one.severity) for one in report.problems]
    assert told == [
        (2, "坐标系", "datum-undeclared", "warning"),
        (3, "纬度", "position-incomplete", "warning"),
        (5, "坐标系", "datum", "error"),
    ]
    assert not any("121" in one.text for one in report.problems)
    with database.reading(SYSTEM, at=AT) as store:
        assert service.homes(store) == ([], 3)
