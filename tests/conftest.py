"""What all tests share: the test input that nobody here wrote, and a real database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from healthsvc.store import Database

_SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test input beside the project; CI has it."""
    if not _SHARED.is_dir():
        pytest.skip("needs the test input: put it at ../shared/data beside the project")
    return _SHARED


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty embedded database with every room's rules in force."""
    from healthsvc.rooms import ROOMS

    opened = Database.open(f"sqlite:///{tmp_path}/healthsvc.sqlite", rooms=ROOMS)
    yield opened
    opened.close()
