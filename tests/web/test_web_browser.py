"""The pages in a real Chromium, at a desk and on a phone: no other host is asked, axe objects to nothing."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, SHOTS, Site, keep_shot, objections, sign_in, worker
from PIL import Image
from playwright.sync_api import expect

from healthsvc.web.help import DOCS

pytestmark = pytest.mark.browser
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PICTURES = {
    "today-1280.png": "today.png",
    "person-1280.png": "person.png",
    "planned-1280.png": "planned.png",
    "board-tried-1280.png": "board.png",
    "window-1280.png": "window.png",
    "figures-1280.png": "figures.png",
    "visit-390.png": "visit-phone.png",
    "today-390.png": "today-phone.png",
}
"""Screenshots that documents show, and under which name."""


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any, site: Site) -> Iterator[Any]:
    """A fresh browser; afterwards: no other host was asked, nothing stood on the console."""
    context = chromium.new_context(viewport=request.param, locale="zh-CN", timezone_id="America/New_York")
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.keeps_pictures = request.config.getoption("--pictures")
    foreign: list[str] = []
    complaints: list[str] = []
    opened.on("request", lambda asked: foreign.append(asked.url) if not asked.url.startswith((site.url, "data:", "blob:")) else None)
    # a refused form is answered 422, which Chromium writes on its console
    opened.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") and "status of 422" not in said.text else None,
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert foreign == []
    assert complaints == []


def look(page: Any, name: str) -> None:
    """Ask axe, see that nothing sticks out sideways, and keep a picture (with ``--shots``)."""
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"
    page.locator("h1").first.wait_for()  # a page of the phone is drawn by its script, a moment after it has come
    assert objections(page) == []
    shot = SHOTS / f"{name}-{width}.png"
    keep_shot(page, shot)
    if page.keeps_pictures and shot.name in PICTURES:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shot)
        keep_small(shot, DOCS / "pictures" / PICTURES[shot.name])


def keep_small(shot: Path, kept: Path) -> None:
    """A picture for the README: as many colours as it needs and no more."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(shot) as picture:
        picture.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(kept, optimize=True)
    assert kept.stat().st_size < 150_000


def test_what_a_page_lacks_is_told(chromium: Any) -> None:
    page = chromium.new_page()
    page.set_content(
        '<html lang="zh"><title>x</title><main><h1>x</h1><p style="color:#bbb">太浅</p><img src="data:,"><input></main></html>'
    )
    assert dict(objections(page)) == {"color-contrast": [["p"]], "image-alt": [["img"]], "label": [["input"]]}
    page.close()


def test_signing_in_shows_the_day_with_its_map(page: Any, site: Site) -> None:
    page.goto(site.url)
    assert page.url.endswith("/sign-in")
    look(page, "sign-in")
    sign_in(page, site.url)
    page.wait_for_selector("#map[data-drawn=true]")
    assert page.locator("#map .pin").count() == 8
    assert page.locator("#map .station").count() == 5
    assert page.locator(".lane").count() == 3
    assert page.get_by_text("澜湾镇：虚构城镇").is_visible()
    look(page, "today")
    page.locator("#map .pin").first.click()
    page.locator(".leaflet-popup a").first.wait_for()


def test_a_doctor_sees_only_the_own_day_until_all_is_asked_for(page: Any, site: Site) -> None:
    sign_in(page, site.url, "doctor1")
    assert page.locator(".lane").count() == 1
    page.get_by_role("link", name="看全部", exact=True).click()
    expect(page.locator(".lane")).to_have_count(3)


def test_times_are_the_site_s_and_not_the_browser_s(page: Any, site: Site) -> None:
    sign_in(page, site.url, "doctor1")
    assert page.locator(".stop time").first.inner_text() == "08:30"


def test_a_person_is_found_while_typing_and_an_input_method_is_left_in_peace(page: Any, site: Site) -> None:
    sign_in(page, site.url)
    page.goto(f"{site.url}/people")
    look(page, "people")
    field = page.locator("#q")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method) if request.url.endswith("/people") else None)
    field.evaluate(
        """field => {
            field.dispatchEvent(new CompositionEvent("compositionstart"));
            field.value = "shan"; field.dispatchEvent(new InputEvent("input", { isComposing: true }));
        }"""
    )
    page.wait_for_timeout(500)
    assert asked == []
    field.evaluate(
        """field => {
            field.value = "单"; field.dispatchEvent(new CompositionEvent("compositionend", { data: "单" }));
        }"""
    )
    page.locator(f"a[href='/people/{site.world.first}']").wait_for()
    assert asked == ["POST"]
    assert page.url == f"{site.url}/people"
    look(page, "people-found")


def test_a_file_tells_its_story(page: Any, site: Site) -> None:
    sign_in(page, site.url)
    page.goto(f"{site.url}/people/{site.world.first}")
    titles = page.locator("#story h3").all_inner_texts()
    assert any("入院" in title for title in titles)
    assert any("生化全套" in title for title in titles)
    assert any("家庭医生签约" in title for title in titles)
    assert page.locator("svg.trend").count() >= 3
    look(page, "person")
    page.get_by_role("link", name="检查结果").click()
    page.locator("#story-sheet [aria-current]", has_text="检查结果").wait_for()
    expect(page.locator("#story .event:visible")).to_have_count(1)
    page.get_by_text("数据表").first.click()
    assert page.locator(".numbers tbody tr").first.is_visible()
    page.goto(f"{site.url}/people/{site.world.first}/card")
    look(page, "card")


def test_a_visit_is_completed_and_stands_in_the_file(page: Any, site: Site) -> None:
    sign_in(page, site.url, "doctor1")
    width = page.viewport_size["width"]
    mine = page.locator(".stop:not(.finished) a.who")
    task = re.search(r"/visits/(.+)$", mine.first.get_attribute("href"))
    assert task is not None
    page.goto(f"{site.url}/visits/{task[1]}")
    look(page, "visit")
    page.get_by_label("收缩压").first.fill("1430")
    page.get_by_label("收缩压").first.fill("143")
    page.get_by_label("舒张压").first.fill("200")
    page.get_by_label("心率").fill("71")
    page.get_by_role("button", name="完成上门").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_label("心率").input_value() == "71"
    look(page, "visit-refused")
    page.get_by_label("舒张压").first.fill("82")
    page.get_by_label("建议").fill("继续服药，两周后复测。")
    page.get_by_role("button", name="完成上门").click()
    page.get_by_text("143/82").first.wait_for()
    look(page, "visit-done")
    page.get_by_role("link", name="回到个人档案").click()
    expect(page.locator("#story").get_by_text("143/82")).to_have_count(1)
    assert width in (1280, 390)


def test_an_overdue_visit_asks_for_its_reason(page: Any, site: Site) -> None:
    sign_in(page, site.url)
    page.goto(f"{site.url}/day/list?what=overdue&all=true")
    look(page, "overdue")
    page.locator("ul.rows a.button").first.click()
    page.get_by_role("button", name="完成上门").click()
    assert "延迟原因" in page.get_by_role("alert").inner_text()


def test_the_coordinator_plans_a_day_and_sees_what_was_left_over(page: Any, site: Site) -> None:
    sign_in(page, site.url)
    page.get_by_role("link", name="后一天").click()
    page.wait_for_url("**/?on=*")
    day = page.url
    page.get_by_role("button", name="安排当天").click()
    page.get_by_text("排队中").first.wait_for()
    with worker(site):
        page.wait_for_url(re.compile(r"/board(\?on=.*done=planned|/.*/proposal)$"), timeout=60_000)
    if page.url.endswith("/proposal"):  # another window planned it before: what would change is shown first
        page.get_by_role("button", name="应用", exact=True).click()
        page.wait_for_url("**/board?on=*done=planned")
    page.goto(day)
    page.get_by_role("button", name="重新安排当天").wait_for()
    page.wait_for_selector("#map[data-drawn=true]")
    assert page.locator(".stop").count() > 0
    assert page.get_by_role("heading", name="当天未能排入").is_visible()
    first = page.locator(".stop .who").first.inner_text()
    page.get_by_role("button", name="确认", exact=True).first.click()
    page.get_by_role("button", name="已确认").first.wait_for()
    assert page.locator(".stop .who").first.inner_text() == first
    look(page, "planned")


def test_the_window_is_worked_by_keyboard_alone(page: Any, site: Site) -> None:
    sign_in(page, site.url, "window1")
    page.wait_for_url("**/window")
    page.locator("input[name=number]:focus").wait_for()
    page.keyboard.type(site.world.citizen_id)
    page.keyboard.press("Enter")
    page.get_by_text("享有绿色通道").wait_for()
    look(page, "window")
    page.locator("input[name=number]:focus").wait_for()
    page.keyboard.type("H404")
    page.keyboard.press("Enter")
    page.get_by_text("查无此人").wait_for()
    assert site.world.citizen_id not in page.url


@pytest.mark.parametrize(("login", "path"), [
    ("coordinator1", "/roster"), ("operator1", "/operate"), ("admin1", "/users"), ("auditor1", "/audit"), ("bureau1", "/policy"),
    ("bureau1", "/figures"), ("coordinator1", "/help"), ("doctor1", "/account/password"),
])  # fmt: skip
def test_each_other_page_is_fit_to_be_seen(page: Any, site: Site, login: str, path: str) -> None:
    sign_in(page, site.url, login)
    page.goto(site.url + path)
    look(page, path.strip("/").replace("/", "-"))


def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing_that_was_typed(page: Any, site: Site) -> None:
    sign_in(page, site.url)
    page.goto(f"{site.url}/account/password")
    fields = page.locator("main input[type=password]")
    for number in range(fields.count()):
        fields.nth(number).fill("not-the-old-one")
    kept = page.context.cookies()
    page.context.clear_cookies()
    page.evaluate("() => { const late = Date.now() + 3600000; Date.now = () => late; }")
    page.locator("main form button").click()
    page.get_by_role("alert").get_by_text("填写的内容还在本页").wait_for()
    assert page.get_by_role("link", name="在新窗口登录").get_attribute("target") == "_blank"
    assert fields.first.input_value() == "not-the-old-one"
    look(page, "session-ended")
    page.context.add_cookies(kept)
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.locator("main form button").click()


def test_a_day_and_a_time_are_taken_as_one_types_them(page: Any, site: Site) -> None:
    sign_in(page, site.url)
    page.goto(f"{site.url}/policy")
    day = page.locator("main input[pattern]").first
    for typed, kept in (("2026/1/5", "2026-01-05"), ("20260105", "2026-01-05"), ("2026年11月5日", "2026-11-05"), ("2026115", "2026115")):
        day.fill(typed)
        day.blur()
        assert day.input_value() == kept
    day.evaluate("one => { one.pattern = '\\\\d{1,2}:\\\\d{2}'; }")
    for typed, kept in (("9：05", "09:05"), ("0905", "09:05"), ("9点05", "09:05"), ("99", "99")):
        day.fill(typed)
        day.blur()
        assert day.input_value() == kept


def test_a_file_is_chosen_in_the_language_of_the_page(page: Any, site: Site, tmp_path: Path) -> None:
    sign_in(page, site.url)
    page.goto(f"{site.url}/roster")
    roster = tmp_path / "名册.txt"
    roster.write_text("姓名")
    field = page.get_by_label("名册文件")
    assert page.get_by_text("未选择文件").is_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_text("选择文件", exact=True).click()
    chooser.value.set_files(roster)
    assert page.locator(".file-name").inner_text() == "名册.txt"
    field.focus()
    look(page, "roster-chosen")


def test_pages_are_light(chromium: Any, site: Site) -> None:
    context = chromium.new_context(viewport=DESK)
    opened = context.new_page()
    weights: dict[str, int] = {}
    for path, most in (("/people", 200), (f"/people/{site.world.first}", 200), ("/", 450)):
        sign_in(opened, site.url)
        session = context.new_cdp_session(opened)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[int] = []
        session.on("Network.loadingFinished", lambda event, sizes=sizes: sizes.append(int(event["encodedDataLength"])))
        opened.goto(site.url + path, wait_until="networkidle")
        weights[path] = sum(sizes) // 1024
        assert weights[path] <= most, weights
        session.detach()
    SHOTS.mkdir(parents=True, exist_ok=True)
    (SHOTS / "weights.json").write_text(json.dumps(weights), encoding="utf-8")
    context.close()
