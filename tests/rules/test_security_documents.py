"""The documents on safety are true: every table stands among the classes of data, every test that is named exists."""

import re
from importlib import import_module
from pathlib import Path

import healthsvc.store
from healthsvc.rooms import ROOMS
from healthsvc.store.tables import metadata

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "healthsvc" / "docs"


def rows(name: str) -> list[list[str]]:
    """The rows of all tables of a document, as cells."""
    lines = (DOCS / name).read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|") and not line.startswith("| ---")
    ]


def test_every_table_of_the_store_has_a_class() -> None:
    for path in Path(healthsvc.store.__file__).parent.glob("*_tables.py"):
        import_module(f"healthsvc.store.{path.stem}")
    classified = {name: row for row in rows("data-classes.md") if len(row) == 6 for name in re.findall(r"`(\w+)`", row[0])}
    assert set(metadata.tables) - {"alembic_version"} == set(classified), "say of a new table what is in it, who sees it and for how long"
    for name, row in classified.items():
        assert re.fullmatch(r"S[1-4](, S[1-4])?", row[1]), name
        assert all(row[1:]), name


def test_every_resource_that_a_room_admits_has_a_class() -> None:
    told = "\n".join(row[0] for row in rows("data-classes.md") if len(row) == 4)
    assert {one for room in ROOMS for one in room.types if not re.search(rf"\b{one}\b", told)} == set()


def test_every_test_that_is_named_exists() -> None:
    for name in ("threat-model.md", "claims.md", "access.md"):
        for path in set(re.findall(r"`(tests/[\w/]+\.py)`", (DOCS / name).read_text(encoding="utf-8"))):
            assert (ROOT / path).is_file(), f"{name} names {path}"


def test_every_threat_has_a_measure_and_a_test() -> None:
    threats = [row for row in rows("threat-model.md") if len(row) == 4 and row[0] in ("S", "T", "R", "I", "D", "E")]
    assert {row[0] for row in threats} == set("STRIDE")
    assert len(threats) > 25
    assert [row[1] for row in threats if not row[2] or "`tests/" not in row[3]] == []
