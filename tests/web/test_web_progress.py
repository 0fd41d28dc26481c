"""Long work on the pages: a bar that asks for itself anew, goes to what came of it, and can be left and called off."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from conftest import Site
from test_web_browser import look, page, sign_in  # noqa: F401 - page is a fixture
from test_web_pages import csrf
from test_web_pages import sign_in as enter

from healthsvc import clock
from healthsvc.dayplan.later import COMPILING
from healthsvc.store import Actor, Database, Store
from healthsvc.store.progress import State, find
from healthsvc.store.work import Report, Work, defer, run

COORDINATOR = Actor("user/coordinator1", "协调员", frozenset({"coordinator"}), "page")


def leave(site: Site, actor: Actor = COORDINATOR, kind: str = "dayplan-day") -> str:
    with site.database.writing(actor, at=clock.now()) as store:
        return defer(store, kind, {"on": "2031-03-04"}, about="2031-03-04")


def owner(client: httpx.Client, site: Site, login: str) -> Actor:
    """Whoever is signed in, as the pages know them."""
    with site.database.reading(COORDINATOR, at=clock.now()) as store:
        who = store.connection.exec_driver_sql("SELECT practitioner FROM access_user WHERE login = ?", (login,)).scalar()
    return Actor(who or f"user/{login}", login, frozenset({"coordinator"}), "page")


class Slowly:
    """Work that goes on when it is told to."""

    def __init__(self) -> None:
        self.on = threading.Event()

    def __call__(self, database: Database, work: Work, report: Callable[[int, int], None]) -> Callable[[Store], Mapping[str, Any]]:
        report(1, 4)
        while not self.on.wait(0.1):
            report(1, 4)
        return lambda _: {"on": "2031-03-04", "in_force": True}


@pytest.mark.browser
def test_the_bar_goes_on_by_itself_and_leads_to_the_result(page: Any, client: httpx.Client, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url, "coordinator1")
    id, slowly = leave(site, owner(client, site, "coordinator1")), Slowly()
    page.goto(f"{site.url}/progress/{id}?go=true")
    assert page.locator("#main .chip, main .chip").first.inner_text() == "排队中"
    working = threading.Thread(target=run, args=(site.database, id, {"dayplan-day": slowly}))
    working.start()
    page.wait_for_selector("progress[value='25']")
    look(page, "work-under-way")
    page.goto(f"{site.url}/progress")
    look(page, "work-list")
    page.goto(f"{site.url}/progress/{id}?go=true")
    slowly.on.set()
    working.join()
    page.wait_for_url("**/board?on=2031-03-04&done=planned")


def test_it_is_called_off_from_its_page_by_whoever_asked(client: httpx.Client, site: Site) -> None:
    enter(client, "coordinator1")
    id, slowly = leave(site, owner(client, site, "coordinator1")), Slowly()
    working = threading.Thread(target=run, args=(site.database, id, {"dayplan-day": slowly}))
    working.start()
    assert "取消任务" in client.get(f"/progress/{id}").text
    assert client.post(f"/progress/{id}/cancel", data={"csrf": csrf(client)}).status_code == 303
    working.join(timeout=10)
    assert not working.is_alive(), "whoever was at it has stopped"
    seen = client.get(f"/api/progress/{id}", headers={"accept": "application/json"}).json()
    assert seen["state"] == "cancelled"
    assert "已取消" in client.get(f"/progress/{id}", headers={"hx-request": "true"}).text
    again = client.post(f"/progress/{id}/cancel", data={"csrf": csrf(client)})
    assert again.status_code == 422
    assert "已经结束" in again.text


@pytest.mark.browser
def test_a_machine_that_compiles_first_says_so_on_the_bar(page: Any, client: httpx.Client, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url, "coordinator1")
    id, go_on = leave(site, owner(client, site, "coordinator1")), threading.Event()

    def compiles(database: Database, work: Work, report: Report) -> Any:
        report(0, 4, COMPILING)
        go_on.wait(20)
        report(1, 4)
        while True:
            report(1, 4)
            time.sleep(0.05)

    working = threading.Thread(target=run, args=(site.database, id, {"dayplan-day": compiles}), daemon=True)
    working.start()
    page.goto(f"{site.url}/progress/{id}")
    page.wait_for_selector("main p:has-text('正在编译排班程序')")
    assert page.locator("main progress").get_attribute("value") is None, "nobody knows how far it has come"
    look(page, "work-compiles")
    go_on.set()
    page.wait_for_selector("main progress[value='25']")
    assert "正在编译" not in page.locator("main").inner_text()
    page.get_by_role("button", name="取消任务").click()
    working.join()


def test_others_see_what_concerns_them_and_no_more(client: httpx.Client, site: Site) -> None:
    other = Actor("Practitioner/other", "王协调", frozenset({"coordinator"}), "page")
    shared, own = leave(site, other), leave(site, other, "roster-import")
    enter(client, "coordinator1")
    seen = client.get(f"/api/progress/{shared}").json()
    assert (seen["by"], seen["about"], seen["state"]) == ("王协调", "2031-03-04", "waiting")
    assert client.get(f"/api/progress/{own}").status_code == 404
    assert "取消任务" not in client.get(f"/progress/{shared}").text
    assert client.post(f"/api/progress/{shared}/cancel", headers={"x-csrf-token": csrf(client)}).status_code == 403
    assert shared not in [one["id"] for one in client.get("/api/progress").json()]
    enter(client, "auditor1")
    assert client.get(f"/api/progress/{shared}").status_code == 404
    enter(client, "operator1")
    assert {shared, own} <= {one["id"] for one in client.get("/api/progress").json()}
    assert client.post(f"/api/progress/{own}/cancel", headers={"x-csrf-token": csrf(client)}).json()["state"] == "cancelled"
    with site.database.reading(other, at=clock.now()) as store:
        found = find(store, own)
    assert found is not None
    assert found.state is State.CANCELLED
