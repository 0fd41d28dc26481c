"""What suites of the hospital's story share: one database for a module, and a hospital of its own for each test."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hospital import Hospital

from healthsvc.rooms import ROOMS
from healthsvc.store import Database


@pytest.fixture(scope="module")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An embedded database for all tests of a module; each asserts on its own persons alone."""
    opened = Database.open(f"sqlite:///{tmp_path_factory.mktemp('one')}/healthsvc.sqlite", rooms=ROOMS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def another_hospital(one_database: Database) -> Iterator[Callable[[], Hospital]]:
    """Makes hospitals on it. What one numbers is no other's, so every test may have its own C1, V1 and F1."""
    turns = count(1)
    made: list[Hospital] = []

    def make() -> Hospital:
        made.append(Hospital(one_database, f"H{next(turns)}"))
        return made[-1]

    yield make
    for one in made:
        one.inbox.stop()


@pytest.fixture
def own_hospital(another_hospital: Callable[[], Hospital]) -> Hospital:
    """A hospital of which no other test has heard."""
    return another_hospital()
