"""The pages of figures, green channels and must-visits in a real browser: fit to be seen, drilled into, worked."""

from datetime import timedelta
from typing import Any

import pytest
from conftest import Site, sign_in
from playwright.sync_api import expect
from test_web_browser import look, page  # noqa: F401 - the fixture

from healthsvc import clock
from healthsvc.greenchannel.honour import note_wait
from healthsvc.greenchannel.rules import Right
from healthsvc.greenchannel.waits import Told, Use
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register, today
from healthsvc.mustvisit.service import refresh
from healthsvc.store import SYSTEM


@pytest.mark.parametrize("path", ["/figures", "/figures?by=doctor", "/figures/fulfilment", "/figures/green-channel-honour"])
def test_figures_and_what_they_consist_of(page: Any, site: Site, path: str) -> None:  # noqa: F811
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        note_wait(store, Use(site.world.first, Right.CONSULTATION, store.at - timedelta(hours=1), "澜湾医院", None, 55, Told.EVENTS))
    sign_in(page, site.url)
    page.goto(site.url + path)
    look(page, path.strip("/").replace("/", "-").replace("?", "-").replace("=", "-"))


def test_from_a_figure_to_the_person_behind_it(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url)
    page.goto(f"{site.url}/figures")
    page.get_by_role("link", name="签约率").first.click()
    page.get_by_role("heading", name="口径").wait_for()
    expect(page.get_by_role("heading", name="各季度")).to_have_count(1)
    page.locator(".rows .who").first.click()
    page.wait_for_url("**/people/*")


def test_the_bureau_sees_masked_names_and_no_links(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url, "bureau1")
    page.goto(f"{site.url}/figures/signing")
    assert page.locator(".rows a.who").count() == 0
    assert "*" in page.locator(".rows .who").first.inner_text()
    look(page, "figure-bureau")


def test_channels_and_the_code_of_one(page: Any, site: Site) -> None:  # noqa: F811
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        note_wait(store, Use(site.world.first, Right.SETTLEMENT, store.at - timedelta(hours=2), "澜湾医院", None, 12, Told.EVENTS))
    sign_in(page, site.url)
    page.goto(f"{site.url}/channels")
    assert page.get_by_text("澜湾医院").count() >= 1
    look(page, "channels")
    page.goto(f"{site.url}/people/{site.world.first}")
    page.get_by_role("button", name="生成二维码").click()
    page.locator(".code-card svg").wait_for()
    look(page, "channel-code")


def test_somebody_came(page: Any, site: Site) -> None:  # noqa: F811
    width = page.viewport_size["width"]
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        on = today(store)
        register(store, Person(f"卫生日{width}", category=Category.LIXIU, birth=on.replace(year=1932)), "urn:test")
        refresh(store, on)
    sign_in(page, site.url)
    page.goto(f"{site.url}/mustvisits?occasion=birthday")
    look(page, "mustvisits")
    row = page.locator("li", has_text=f"卫生日{width}")
    row.get_by_text("登记到场").click()
    row.get_by_label("到场人").fill("社工小何")
    row.get_by_label("方式").select_option("phone")
    row.get_by_role("button", name="保存").click()
    page.wait_for_url("**/mustvisits?occasion=birthday")
    expect(page.locator("li", has_text=f"卫生日{width}")).to_have_count(0)
