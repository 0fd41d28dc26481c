"""The pages of a small town, served on a real socket, and a real Chromium to look at them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from serving import NO_TLS, serving
from world import PASSWORD, World, build

from healthsvc import clock
from healthsvc.access.door import session_life
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.installation import open_installation
from healthsvc.jobs_desk import Timetable
from healthsvc.store import Database
from healthsvc.timetable import jobs
from healthsvc.web import assets
from integrations.hospitals.shelf import shelf
from integrations.longwork.kinds import kinds
from integrations.longwork.runner import Looking
from integrations.operating.desk import Desk
from integrations.origin import origin

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 60_000
"""Milliseconds for which a page is waited for: where others work, too, it may take more than the thirty seconds of Playwright."""
SHOTS = Path(__file__).resolve().parents[2] / "artifacts" / "screenshots"
_KEEPS_SHOTS: list[bool] = []
NO_FACTOR = """
[[parameter]]
name = "access.second_factor_roles"
value = []
unit = "role codes"
title = "必须使用第二因素登录的角色"
title_en = "Roles that must sign in with a second factor"
source = "tests of the pages sign in with a password; the second factor has tests of its own"
trust = "site"
effective_from = 2020-01-02
jurisdiction = "CN"
"""


def pytest_configure(config: pytest.Config) -> None:
    """Whether pictures are wanted."""
    if config.getoption("--shots"):
        _KEEPS_SHOTS.append(True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """A failed test of a page tells what stood on the page."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and report.when == "call" and page is not None and not page.is_closed():
        report.sections.append((f"page {page.url}", page.locator("body").inner_text(timeout=2000)[:3000]))
    return report


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], "resultTypes": ["violations"]}
"""What axe looks at. It describes what it objects to and not what it found well, which takes it several times as long as looking does."""


def objections(page: Any) -> list[tuple[str, list[Any]]]:
    """What somebody with a screen reader or a keyboard would stumble over: axe's rule, and the first three places."""
    script = assets.TEST_PARTS / "axe.min.js"
    if not script.is_file():
        pytest.fail(f"{script} is not there: `python -m healthsvc.web.assets` fetches it", pytrace=False)
    # evaluated by the browser's debugger, which the page's policy does not concern
    page.evaluate(script.read_text(encoding="utf-8"))
    found = page.evaluate("options => axe.run(document, options).then(all => all.violations)", RULES)
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


def keep_shot(page: Any, path: Path, **how: Any) -> None:
    """A picture of the page, or of a part of it, for somebody to look at, with ``--shots``; without it nobody waits for pictures."""
    if _KEEPS_SHOTS:
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path, **how)


@dataclass(frozen=True, slots=True)
class Site:
    """A served town."""

    url: str
    world: World
    database: Database


@contextmanager
def worker(site: Site) -> Iterator[None]:
    """Whoever does long work in a serving process, while a test waits for it."""
    looking = Looking(site.database, kinds(Path(str(site.database.engine.url.database)).parent))
    looking.start()
    try:
        yield
    finally:
        looking.stop()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The town, written once for all tests of the pages; tests that change something make their own people."""
    data = tmp_path_factory.mktemp("town")
    (data / "policy").mkdir()
    (data / "policy" / "access.toml").write_text(NO_FACTOR, encoding="utf-8")
    installation = open_installation(settings=Settings(data=data))
    world = build(installation.database, clock.now())
    timetable = Timetable(installation.database, jobs(session_life(installation.settings), data))
    with serving(
        create_app(installation, wiring={"desk": Desk(shelf()), "timetable": timetable, "origin": partial(origin, shelf=shelf())})
    ) as url:
        yield Site(url, world, installation.database)
    installation.close()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """A browser without scripts, not signed in."""
    with httpx.Client(base_url=site.url, follow_redirects=False, headers={"accept": "text/html"}, timeout=60, verify=NO_TLS) as opened:
        yield opened


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium that may talk to nobody but us."""
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium: apt-get install chromium fonts-noto-cjk")
    if assets.missing():
        pytest.skip("needs the pages' scripts: .venv/bin/python -m healthsvc.web.assets")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
        )
        yield browser
        browser.close()


_COOKIES: dict[str, list[Any]] = {}


def sign_in(page: Any, url: str, login: str = "coordinator1", password: str = PASSWORD) -> None:
    """Sign in as a person does, and stand on the first page; a session is used again, since signing in is made to be slow."""
    if login in _COOKIES:
        page.context.clear_cookies()
        page.context.add_cookies(_COOKIES[login])
        page.goto(f"{url}/start")
        return
    page.goto(f"{url}/sign-in")
    page.get_by_label("账号").fill(login)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()
    page.wait_for_load_state("load")
    _COOKIES[login] = page.context.cookies()
