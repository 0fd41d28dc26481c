"""Finding a person in a real Chromium: real composition by an input method, arrows and Enter, on every page and on its own."""

from typing import Any

import pytest
from conftest import Site, sign_in
from playwright.sync_api import expect
from test_web_browser import DESK, look, page  # noqa: F401 - page is a fixture

pytestmark = pytest.mark.browser
at_a_desk = pytest.mark.parametrize("page", [DESK], ids=["desk"], indirect=True)


def asked_by(page: Any, path: str) -> list[str]:  # noqa: F811
    """The searches that the page sends, as they come."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data) if request.url.endswith(path) and request.method == "POST" else None)
    return asked


def compose(page: Any, letters: str, characters: str) -> None:  # noqa: F811
    """Type pinyin letters into the focused field through an input method, wait longer than the rest, and choose the characters."""
    session = page.context.new_cdp_session(page)
    for length in range(1, len(letters) + 1):
        session.send("Input.imeSetComposition", {"text": letters[:length], "selectionStart": length, "selectionEnd": length})
        page.wait_for_timeout(60)
    page.wait_for_timeout(400)
    session.send("Input.insertText", {"text": characters})
    session.detach()


@at_a_desk
def test_an_input_method_composes_in_peace_and_the_person_is_found(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url)
    page.goto(f"{site.url}/people")
    asked = asked_by(page, "/people")
    page.locator("#q").focus()
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "shan", "selectionStart": 4, "selectionEnd": 4})
    page.wait_for_timeout(500)
    assert page.locator("#q").input_value() == "shan", "the letters are in the field"
    assert asked == [], "and were not asked for"
    session.send("Input.insertText", {"text": "单"})
    page.locator(f"a[href='/people/{site.world.first}']").wait_for()  # others may have their own person of that name
    assert len(asked) == 1
    assert page.url == f"{site.url}/people"


@at_a_desk
def test_a_composition_that_is_given_up_asks_for_what_is_left(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url)
    page.goto(f"{site.url}/people")
    asked = asked_by(page, "/people")
    page.locator("#q").focus()
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "ou", "selectionStart": 2, "selectionEnd": 2})
    session.send("Input.imeSetComposition", {"text": "", "selectionStart": 0, "selectionEnd": 0})
    page.wait_for_timeout(400)
    assert asked == []
    page.keyboard.type("oyjy", delay=20)
    page.get_by_role("link", name="欧阳静怡").wait_for()


def test_from_every_page_by_keyboard_alone(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url)
    page.goto(f"{site.url}/policy")
    asked = asked_by(page, "/people/suggest")
    page.keyboard.press("/")
    field = page.locator(".find-field")
    assert field.evaluate("one => one === document.activeElement")
    compose(page, "wei", "尉迟")
    page.locator("#find-list [role=option]").first.wait_for()
    assert len(asked) == 1
    assert field.get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#find-list [aria-selected=true]")
    assert "尉迟恭良" in chosen.inner_text()
    assert field.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    look(page, "search-list")
    page.keyboard.press("Escape")
    assert page.locator("#find-list").is_hidden()
    page.keyboard.press("Control+A")
    page.keyboard.type("wdq", delay=20)
    page.locator("#find-list [role=option]").get_by_text("王德全").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/*")
    assert "王德全" in page.locator("h1").inner_text()


@at_a_desk
def test_the_last_letters_win_over_a_slow_answer(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url)
    page.goto(f"{site.url}/people")
    held: list[Any] = []

    def slow(route: Any) -> None:
        if not held:
            held.append(route)  # the first answer never comes before the second
        else:
            route.continue_()

    page.route("**/people", slow)
    page.locator("#q").focus()
    page.keyboard.type("sgq", delay=10)
    page.wait_for_timeout(400)
    page.keyboard.press("Control+A")
    page.keyboard.type("wdq", delay=10)
    page.get_by_role("link", name="王德全").wait_for()
    expect(page.get_by_role("link", name="单国强")).to_have_count(0)


@at_a_desk
def test_rows_are_walked_with_the_arrows_and_nothing_found_is_said(page: Any, site: Site) -> None:  # noqa: F811
    sign_in(page, site.url)
    page.goto(f"{site.url}/people")
    page.locator("#q:focus").wait_for()
    page.keyboard.type("龘龘", delay=10)
    page.get_by_text("没有查到").wait_for()
    look(page, "people-none")
    page.keyboard.press("Control+A")
    page.keyboard.type("12", delay=10)
    page.get_by_text("再输入几位数字").wait_for()
    page.keyboard.press("Control+A")
    page.keyboard.type(site.world.citizen_id[-4:], delay=10)
    page.locator(f"a[href='/people/{site.world.first}']").wait_for()  # others may have their own person of that name
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "单国强"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("Enter")
    page.wait_for_url("**/people/*")


def test_without_scripts_the_form_still_finds(chromium: Any, site: Site) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="zh-CN")
    opened = context.new_page()
    sign_in(opened, site.url)
    opened.goto(f"{site.url}/people")
    opened.locator("#q").fill("尉")
    opened.keyboard.press("Enter")
    opened.get_by_role("link", name="尉迟恭良").wait_for()
    context.close()
