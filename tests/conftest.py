"""What all tests share: the test input that nobody here wrote, and real databases."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import embedded
import postgres
import pytest
from hypothesis import HealthCheck, settings

from healthsvc.store import Database

if TYPE_CHECKING:
    from hospital import Hospital

_SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
_skipped: list[str] = []

# a busy machine is no failure: properties are judged by what they find, pytest-timeout ends what hangs
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "house")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--pictures`` writes the README's pictures anew (healthsvc/docs/pictures); ``--engine`` tries a suite on another."""
    parser.addoption("--engine", default="sqlite", help="sqlite, postgresql or partitions: of suites that run on one engine alone")
    parser.addoption("--pictures", action="store_true", help="write the README's pictures anew from the pages")
    parser.addoption("--shots", action="store_true", help="keep pictures of the pages in artifacts/screenshots, to look at")


def pytest_configure(config: pytest.Config) -> None:
    """Files of tests lie in memory where there is plenty of it, as their PostgreSQL does: thousands of commits would wait for the disk."""
    if config.option.basetemp is None and (folder := postgres.memory()):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", folder)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes never name a test: a gzip holds the second it was made in, so two workers would collect different names and none would run."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session", autouse=True)
def shipped_hasher() -> Iterator[Any]:
    """How passwords are kept. Everywhere else in the tests it is argon2id of the least cost: as shipped each costs a fifth of a second."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    from healthsvc.access import accounts

    shipped = accounts._HASHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_HASHER", PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)))
        yield shipped


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test input beside the project; CI has it."""
    if not _SHARED.is_dir():
        pytest.skip("needs the test input: put it at ../shared/data beside the project")
    return _SHARED


LONGEST_FIRST = (
    "web/test_web_every_page.py",
    "paths/test_demo.py",
    "paths/test_chaos_postgres.py",
    "paths/test_stop.py",
    "paths/test_chaos_embedded.py",
    "paths/test_real_input.py",
    "paths/test_main_job.py",
    "wire/test_hl7_faults.py",
    "wire/test_schemathesis.py",
    "wire/test_rest_subscriptions.py",
    "paths/test_roles.py",
    "wire/test_role_matrix.py",
    "web/test_web_browser.py",
    "web/test_web_pocket_browser.py",
    "web/test_web_progress.py",
    "rooms/test_checkup_year.py",
    "rooms/test_tenancy.py",
    "rooms/test_tenancy_trouble.py",
    "test_bandit.py",
)
"""What takes longest, before all else: what is left at the end is short, and no core waits for the other one's last file."""
_TESTS = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; everything else in its order."""
    places = {_TESTS / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


ON_BOTH_ENGINES = frozenset(
    {
        "test_inbox_story",
        "test_inbox_turns",
        "test_inbox_worker",
        "test_inbox_families",
        "test_inbox_found",
        "test_retiring",
        "test_greenchannel_room",
        "test_healthfile_room",
        "test_rest_interactions",
        "test_rest_bundles",
        "test_rest_search",
        "test_rest_strangers",
        "test_rest_subscriptions",
        "test_hl7_telling",
        "test_hl7_outbox",
        "test_hl7_owed_answers",
        "test_hl7_persons",
        "test_hl7_refiling",
    }
)
"""Suites whose ``database`` is an embedded one and then a PostgreSQL one."""
LAID_OUT_TOO = frozenset(
    {"test_healthfile_room", "test_inbox_families", "test_retiring", "test_rest_bundles", "test_rest_search", "test_rest_strangers"}
)
"""Those that run once more on one whose tables are laid out in partitions, the persons scattered over them; the others do with ``long``."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The suites that run on both engines."""
    if "engine_of_the_database" in metafunc.fixturenames and metafunc.module.__name__ in ON_BOTH_ENGINES:
        engines = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
        is_long = () if metafunc.module.__name__ in LAID_OUT_TOO else (pytest.mark.long,)
        engines.append(pytest.param("partitions", marks=(pytest.mark.postgres, *is_long)))
        metafunc.parametrize("engine_of_the_database", engines, scope="module", indirect=True)


@pytest.fixture(scope="module")
def engine_of_the_database(request: pytest.FixtureRequest) -> str:
    """On which engine ``database`` is."""
    engine = str(getattr(request, "param", request.config.getoption("--engine")))
    if engine == "partitions":
        request.getfixturevalue("scattered")
    return engine


@pytest.fixture(scope="module")
def scattered() -> Iterator[None]:
    """Persons go to one of three parts by their ids, whatever their organization; of every organization it is known that they do."""
    from zlib import crc32

    from healthsvc.store.tenancy import home

    def part_of_person(connection: Any, _terms: Any, person: Any) -> int:
        part = crc32(str(person["id"]).encode()) % 3 + 1
        if id := str((person.get("managingOrganization") or {}).get("reference", "")).removeprefix("Organization/"):
            known = "INSERT INTO tenant_home VALUES (%s, %s, FALSE) ON CONFLICT DO NOTHING"
            connection.exec_driver_sql(known, (id, part))
        return part

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home, "part_of_person", part_of_person)
        yield


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path, engine_of_the_database: str) -> Iterator[Database]:
    """An empty database with every room's rules in force; embedded, unless its suite runs on both engines."""
    from healthsvc.rooms import ROOMS

    is_embedded = engine_of_the_database == "sqlite"
    server = {"postgresql": "migrated_url", "partitions": "laid_out_url"}
    url = embedded.made(tmp_path) if is_embedded else request.getfixturevalue(server[engine_of_the_database])
    opened = Database.open(url, rooms=ROOMS, signing_keys=None if is_embedded else tmp_path / "signing-keys")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a real PostgreSQL server, started for this run."""
    if postgres.programs() is None:
        pytest.skip(postgres.REMEDY)
    with postgres.server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """URL of an empty database of its own on the real server."""
    return postgres.made(postgres_server)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    """Name of a database with all tables and no row, to be copied."""
    url = postgres.made(postgres_server)
    Database.open(url, validate=lambda _: []).close()
    return url.rpartition("/")[2]


@pytest.fixture
def migrated_url(postgres_server: str, migrated_template: str) -> str:
    """URL of a database of its own with all tables on the real server: a copy, which is cheaper than migrating each."""
    return postgres.made(postgres_server, migrated_template)


@pytest.fixture(scope="session")
def laid_out_template(postgres_server: str, migrated_template: str) -> str:
    """Name of a database whose tables are laid out for three counties and have no row, to be copied."""
    from healthsvc.store.tenancy import lay

    url = postgres.made(postgres_server, migrated_template)
    with pytest.MonkeyPatch.context() as patch, lay.alone(url) as engine:
        patch.setattr(lay, "counties", lambda *_: ["t1", "t2", "t3"])
        lay.lay_out(engine, "county")
        lay.drop_before(engine)
    return url.rpartition("/")[2]


@pytest.fixture
def laid_out_url(postgres_server: str, laid_out_template: str) -> str:
    """URL of a database of its own whose tables are laid out."""
    return postgres.made(postgres_server, laid_out_template)


@pytest.fixture(scope="module")
def new_database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, engine_of_the_database: str
) -> Callable[[], str]:
    """Gives URLs of empty databases on the engine of the suite, for suites that open theirs themselves."""
    if engine_of_the_database == "sqlite":
        return lambda: embedded.made(tmp_path_factory.mktemp("database"))
    names = {"postgresql": "migrated_template", "partitions": "laid_out_template"}
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue(names[engine_of_the_database])
    return lambda: postgres.made(server, template)


BOTH_ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(params=BOTH_ENGINES)
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database with all tables and no row, once on each engine: a copy, which is cheaper than migrating each."""
    if request.param == "sqlite":
        return embedded.made(tmp_path)
    url: str = request.getfixturevalue("migrated_url")
    return url


@pytest.fixture(params=BOTH_ENGINES)
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database in which nothing is, once on each engine, for suites of what makes its tables."""
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


@pytest.fixture(scope="module")
def one_database(new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database for all tests of a module, on the engine of its suite; each asserts on its own persons alone."""
    from healthsvc.rooms import ROOMS

    url = new_database_url()
    keys = None if url.startswith("sqlite") else tmp_path_factory.mktemp("one") / "signing-keys"
    opened = Database.open(url, rooms=ROOMS, signing_keys=keys)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def another_hospital(one_database: Database) -> Iterator[Callable[[], "Hospital"]]:
    """Makes hospitals on it. What one numbers is no other's, so every test may have its own C1, V1 and F1."""
    from hospital import Hospital  # most tests need none of it

    turns = count(1)
    made: list[Hospital] = []

    def make() -> "Hospital":
        made.append(Hospital(one_database, f"H{next(turns)}"))
        return made[-1]

    yield make
    for one in made:
        one.inbox.stop()


@pytest.fixture
def own_hospital(another_hospital: Callable[[], "Hospital"]) -> "Hospital":
    """A hospital of which no other test has heard."""
    return another_hospital()
