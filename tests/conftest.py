"""What all tests share: the test input that nobody here wrote, and real databases."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import postgres
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine

from healthsvc.store import Database

_SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
_skipped: list[str] = []

# a busy machine is no failure: properties are judged by what they find, pytest-timeout ends what hangs
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--pictures`` writes the README's pictures anew (healthsvc/docs/pictures)."""
    parser.addoption("--pictures", action="store_true", help="write the README's pictures anew from the pages")


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL server, started for this run."""
    if postgres.programs() is None:
        pytest.skip(postgres.REMEDY)
    with postgres.server() as url:
        yield url


_databases = count(1)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """URL of an empty database of its own on the real server."""
    name = f"t{next(_databases)}"
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return postgres_server.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/healthsvc.sqlite"
    url: str = request.getfixturevalue("postgres_url")
    return url


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be skipped: a machine that lacks something is a failure there."""
    if os.environ.get("HEALTHSVC_TESTS_SKIP_NOTHING") and _skipped and not hasattr(session.config, "workerinput"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"{len(_skipped)} skipped, and nothing may be skipped here", red=True)
