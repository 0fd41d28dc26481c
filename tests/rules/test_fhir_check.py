"""``healthsvc fhir check``: what it reads, what it finds, and that it tells nobody's name."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from healthsvc.errors import Conflict
from healthsvc.fhir.check import check, differs
from healthsvc.fhir.json import loads

PATIENT: dict[str, Any] = {"resourceType": "Patient", "id": "p1", "name": [{"text": "单国强"}]}
WRONG: dict[str, Any] = {**PATIENT, "gender": "单国强", "name": [{}]}


def write(folder: Path, name: str, *documents: Any) -> Path:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in documents).encode()
    path = folder / name
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def test_files_folders_lines_and_gzip(tmp_path: Path) -> None:
    write(tmp_path, "a.json", PATIENT)
    write(tmp_path, "b.ndjson", PATIENT, "", PATIENT)
    write(tmp_path, "c.ndjson.gz", PATIENT)
    write(tmp_path, "d.json.gz", PATIENT)
    write(tmp_path, "e.txt", "not looked at")
    told: list[tuple[int, int]] = []
    report = check([tmp_path, tmp_path / "a.json"], progress=lambda done, total: told.append((done, total)))
    assert report.clean
    assert report.totals() == {
        "files": 4,
        "documents": 5,
        "resources": 5,
        "valid": 5,
        "invalid": 0,
        "unreadable": 0,
        "stored": 0,
        "identical": 0,
        "warnings": 0,
    }
    assert told[-1] == (4, 4)


def test_what_is_wrong_is_counted_and_placed_but_never_repeated(tmp_path: Path) -> None:
    write(tmp_path, "a.ndjson", WRONG, WRONG, '{"resourceType": "Patient", "name": [单国强]}')
    write(tmp_path, "b.json.gz", PATIENT).write_bytes(b"not gzip")
    report = check([tmp_path])
    assert not report.clean
    sums = report.totals()
    assert (sums["documents"], sums["invalid"], sums["unreadable"]) == (3, 2, 2)
    told = "\n".join(report.lines())
    assert "2 x Patient.name: is empty" in told
    assert "2 x Patient.gender" in told
    assert "line 3: the body is not JSON" in told
    assert "单国强" not in told + json.dumps(report.as_json(), ensure_ascii=False)


def test_nothing_to_check_is_not_clean(tmp_path: Path) -> None:
    report = check([tmp_path])
    assert not report.clean
    assert "no FHIR files here" in next(report.lines())


def test_bundles_are_stored_whole_and_one_by_one(tmp_path: Path) -> None:
    write(tmp_path, "a.json", {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}, {"resource": PATIENT}]})
    stored: list[Any] = []

    def store(resource: Any) -> Any:
        stored.append(resource["resourceType"])
        return {**copy.deepcopy(resource), "id": "new", "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"}}

    report = check([tmp_path], store)
    assert report.clean
    assert stored == ["Bundle", "Patient", "Patient"]
    assert report.totals()["identical"] == 3


def test_a_store_that_changes_or_refuses_is_found(tmp_path: Path) -> None:
    write(tmp_path, "a.json", PATIENT)

    def changes(resource: Any) -> Any:
        return {**resource, "name": [{"text": "x"}]}

    def refuses(resource: Any) -> Any:
        raise Conflict("it is there already")

    assert "Patient.name[0].text came back changed" in str(check([tmp_path], changes).as_json())
    assert "was refused by the store" in str(check([tmp_path], refuses).as_json())
    assert not check([tmp_path], refuses).clean


@pytest.mark.parametrize(
    ("one", "other", "where"),
    [
        ('{"a": 0.40}', '{"a": 0.4}', "x.a"),
        ('{"a": 1}', '{"a": true}', "x.a"),
        ('{"a": [1, 2]}', '{"a": [1]}', "x.a"),
        ('{"a": [1, 2]}', '{"a": [1, 3]}', "x.a[1]"),
        ('{"a": null}', "{}", "x.a"),
        ("{}", '{"b": 1}', "x.b"),
        ('{"a": 1.0E2}', '{"a": 1.0E2}', None),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', None),
    ],
)
def test_value_identity(one: str, other: str, where: str | None) -> None:
    assert differs(loads(one), loads(other), "x") == where
