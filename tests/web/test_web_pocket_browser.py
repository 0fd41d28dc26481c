"""Visits on the phone in a real Chromium: without network, killed, in two tabs, with both sides changed, locked, erased, updated."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import CHROMIUM, PATIENCE
from playwright.sync_api import Error, expect
from pocket_world import NAMES, OTHER, PASSWORD, Street, street
from sqlalchemy import select
from test_web_browser import DESK, PHONE, look
from test_web_pocket import finish, observed, round_of_a_bed

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.fhir.elements import derived_id
from healthsvc.homebed.notes import notes_of
from healthsvc.store import SYSTEM
from healthsvc.store.pocket_tables import PocketRecordRow
from healthsvc.visit import service as visits
from healthsvc.web import pocket_app

pytestmark = pytest.mark.browser
CODE = "482915"
NET_WORDS = ("ERR_INTERNET_DISCONNECTED", "ERR_FAILED", "status of 401", "status of 403", "ERR_CONNECTION")
"""What Chromium itself writes on its console where there is no network, or nobody signed in."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("lane") / "data") as found:
        yield found


@dataclass(slots=True)
class Handset:
    """A phone with its profile on disk."""

    context: Any
    page: Any
    url: str

    def sign_in(self, login: str = "nurse1") -> None:
        self.page.goto(f"{self.url}/sign-in?next=/pocket")
        self.page.get_by_label("账号").fill(login)
        self.page.get_by_label("密码").fill(PASSWORD)
        self.page.get_by_role("button", name="登录").click()

    def take_along(self, login: str = "nurse1") -> None:
        """Sign in, choose the code, have the days; and wait until the application is there without network too."""
        self.sign_in(login)
        self.page.get_by_label("开锁码").fill(CODE)
        self.page.get_by_label("再输一次").fill(CODE)
        self.page.get_by_role("button", name="带上三天的上门").click()
        self.page.get_by_text("取于").wait_for()
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    def unlock(self) -> None:
        self.page.get_by_label("开锁码").fill(CODE)
        self.page.get_by_role("button", name="开锁", exact=True).click()
        self.page.get_by_role("heading", name="我的三天").wait_for()

    def fill_in(self, name: str, systolic: str = "143") -> None:
        """Open a visit and write its findings down, up to the signature."""
        self.page.get_by_role("link", name=name).first.click()
        self.page.get_by_role("link", name="上门结果").click()
        self.page.get_by_label("收缩压").first.fill(systolic)
        self.page.get_by_label("舒张压").first.fill("82")
        self.page.get_by_label("心率").fill("71")
        self.page.get_by_text("已保存在手机上").wait_for()

    def sign(self) -> None:
        self.page.get_by_role("button", name="填好了").click()
        self.page.get_by_role("button", name="签发，完成上门").click()
        self.page.get_by_role("heading", name="我的三天").wait_for()

    def state(self, words: str) -> None:
        """Wait until the line on top says so."""
        self.page.locator("#state", has_text=re.compile(words)).wait_for()

    def online(self) -> None:
        """There is network again: what waits goes by itself."""
        self.context.set_offline(False)

    def look(self, name: str) -> None:
        """A picture on a phone and on a desk."""
        for view in (DESK, PHONE):
            self.page.set_viewport_size(view)
            look(self.page, name)


def is_complaint(said: Any) -> bool:
    """Whether something on the console is more than the network's absence."""
    return said.type in ("error", "warning") and not any(words in said.text for words in NET_WORDS)


@contextmanager
def handset(playwright: Any, url: str, profile: Path) -> Iterator[Handset]:
    context = playwright.launch_persistent_context(
        str(profile), executable_path=str(CHROMIUM), viewport=PHONE, locale="zh-CN", timezone_id="America/New_York",
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
    )  # fmt: skip
    page = context.pages[0]
    page.keeps_pictures = False
    foreign: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda asked: foreign.append(asked.url) if not asked.url.startswith((url, "data:", "blob:", "chrome:")) else None)
    page.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.set_default_timeout(PATIENCE)
    try:
        yield Handset(context, page, url)
    finally:
        with suppress(Error):  # it may have been killed
            context.close()
    assert foreign == []
    assert complaints == []


@pytest.fixture
def phone(here: Street, chromium: Any, tmp_path: Path) -> Iterator[Handset]:
    with handset(chromium.browser_type, here.url, tmp_path / "profile") as opened:
        yield opened


def test_a_visit_without_network_survives_a_killed_browser_and_is_stored_once(here: Street, chromium: Any, tmp_path: Path) -> None:
    name = "丁香圃"
    task, bed, person = round_of_a_bed(here, NAMES.index(name))
    profile = tmp_path / "profile"
    with handset(chromium.browser_type, here.url, profile) as phone:
        phone.sign_in()
        phone.page.get_by_label("再输一次").wait_for()
        look(phone.page, "pocket-code")
        phone.take_along()
        phone.look("pocket-days")
        assert phone.page.get_by_role("link", name="导航").first.get_attribute("href").startswith("geo:29.")
        assert phone.page.get_by_role("link", name="拨打").first.get_attribute("href").startswith("tel:0574-5555")
        phone.context.set_offline(True)
        phone.fill_in(name)
        phone.look("pocket-findings")
        phone.page.reload()
        look(phone.page, "pocket-locked")
        kill(profile)
    with handset(chromium.browser_type, here.url, profile) as phone:
        phone.context.set_offline(True)
        phone.page.goto(f"{here.url}/pocket")
        phone.unlock()
        phone.state("1 条待同步")
        expect(phone.page.get_by_role("img", name="草稿，未签发")).to_have_count(1)
        phone.page.get_by_role("link", name=name).click()
        phone.page.get_by_role("link", name="上门结果").click()
        expect(phone.page.get_by_label("收缩压").first).to_have_value("143")
        phone.page.get_by_role("button", name="填好了").click()
        phone.page.get_by_role("link", name="查床记录").click()
        phone.page.get_by_label("主诉").fill("夜间咳嗽减轻")
        phone.page.get_by_text("已保存在手机上").wait_for()
        look(phone.page, "pocket-note")
        phone.page.get_by_role("button", name="填好了").click()
        phone.page.get_by_role("link", name="本人或家属签字").click()
        box = phone.page.locator("canvas").bounding_box()
        phone.page.mouse.move(box["x"] + 20, box["y"] + 30)
        phone.page.mouse.down()
        for step in range(8):
            phone.page.mouse.move(box["x"] + 20 + 14 * step, box["y"] + 30 + step % 3 * 20)
        phone.page.mouse.up()
        look(phone.page, "pocket-signature")
        phone.page.get_by_role("button", name="签好了").click()
        look(phone.page, "pocket-visit")
        phone.page.get_by_role("button", name="签发，完成上门").click()
        phone.page.get_by_role("img", name="等待同步").wait_for()
        assert here.read("Task", task)["status"] == "accepted"
        _lose_the_answer(phone)
        phone.context.set_offline(False)
        phone.sign_in()  # a browser that was killed has forgotten its session
        _wait(phone, lambda: here.read("Task", task)["status"] == "completed")
        with here.database.reading(SYSTEM, at=clock.now()) as store:
            assert [one.text("complaint") for one in notes_of(store, bed, person)] == ["夜间咳嗽减轻"]
        phone.page.unroute_all(behavior="wait")
        phone.page.get_by_role("button", name="同步").first.click()
        phone.page.get_by_role("img", name="等待同步").wait_for(state="detached")
        look(phone.page, "pocket-sent")
    assert len([one for one in _records(here) if one == task]) == 1
    assert {one["meta"]["versionId"] for one in observed(here, task)} == {"1"}
    assert here.read("Provenance", derived_id("confirmed", task)) is not None


def kill(profile: Path) -> None:
    """The battery is empty: the browser of this profile ends at once, with nothing put in order."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if f"--user-data-dir={profile}\0".encode() in found.read_bytes():
                os.kill(int(found.parent.name), signal.SIGKILL)


def _lose_the_answer(phone: Handset) -> None:
    """What is handed in arrives, but its answer does not."""

    def lost(route: Any) -> None:
        route.fetch()
        route.abort()

    phone.page.route("**/api/pocket/records", lost)


def _records(here: Street) -> list[str]:
    with here.writing() as store:
        return list(store.connection.execute(select(PocketRecordRow.__table__.c.task)).scalars())  # type: ignore[attr-defined]


def _wait(phone: Handset, true: Any) -> None:
    for _ in range(600):
        if true():
            return
        phone.page.wait_for_timeout(100)
    raise AssertionError("it has not come about")


def test_both_sides_are_shown_and_whoever_made_the_visit_decides(here: Street, phone: Handset) -> None:
    first, second = here.visit(1), here.visit(2)
    phone.take_along()
    phone.context.set_offline(True)
    for name in ("蒲月华", "景行之"):
        phone.fill_in(name)
        phone.sign()
    finish(here, first)
    with here.writing() as store:
        at = store.at + timedelta(days=6)
        visits.plan(store, second, at, at + timedelta(minutes=30), [OTHER])
    phone.online()
    phone.page.get_by_role("heading", name="要处理的记录").wait_for()
    phone.page.get_by_role("img", name="两边有出入，请决定").nth(1).wait_for()
    phone.page.get_by_role("link", name="蒲月华").first.click()
    phone.page.get_by_text("此次上门已由他人登记完成").wait_for()
    row = phone.page.get_by_role("row", name=re.compile("血压（左臂）"))
    assert "143/82 mmHg" in row.inner_text()
    assert "150/90 mmHg" in row.inner_text()
    phone.look("pocket-both-sides")
    phone.page.get_by_role("button", name="另记一次上门，两份都保留").click()
    phone.state("1 条待同步")
    phone.page.get_by_role("link", name="景行之").first.click()
    phone.page.get_by_text("此次上门已改期或换人").wait_for()
    phone.page.get_by_role("button", name="交协调员处理").click()
    phone.page.locator("#state", has_not_text="待同步").wait_for()
    assert here.read("Task", second)["status"] == "accepted"
    with here.writing() as store:
        mine = [one for one in store.select("Task", patient=here.people[1]) if one["id"].startswith("beside-")]
    assert [one["status"] for one in mine] == ["completed"]


def test_two_tabs_do_not_write_over_one_another(here: Street, phone: Handset) -> None:
    here.visit(3)
    phone.take_along()
    phone.context.set_offline(True)
    phone.fill_in("谷雨声")
    other = phone.context.new_page()
    other.goto(phone.page.url.partition("#")[0])
    other.get_by_label("开锁码").fill(CODE)
    other.get_by_role("button", name="开锁", exact=True).click()
    other.get_by_role("link", name="谷雨声").click()
    other.get_by_text("此次上门正在另一个页面填写").wait_for()
    phone.sign()
    other.get_by_role("link", name="我的三天").click()
    other.get_by_role("img", name="等待同步").wait_for()


def test_wrong_codes_close_it_and_the_server_opens_it_again(here: Street, phone: Handset) -> None:
    here.visit(4)
    phone.take_along()
    phone.context.set_offline(True)
    phone.fill_in("云长青")
    stored = phone.page.evaluate(DUMP)
    assert "云长青" not in stored
    assert "143" not in stored or "systolic" not in stored
    phone.page.goto(f"{here.url}/pocket")
    for number in range(5):
        phone.page.get_by_label("开锁码").fill(f"00000{number}")
        phone.page.get_by_role("button", name="开锁", exact=True).click()
        if number < 4:
            expect(phone.page.get_by_label("开锁码")).to_have_value("")
            phone.page.get_by_text("开锁码不对。").wait_for()
    phone.page.get_by_text("没有网络时打不开").wait_for()
    phone.context.set_offline(False)
    phone.page.get_by_role("button", name="联网打开").click()
    phone.page.get_by_label("再输一次").fill(CODE)
    phone.page.get_by_label("开锁码").fill(CODE)
    phone.page.get_by_role("button", name="带上三天的上门").click()
    phone.state("1 条待同步")
    phone.page.get_by_role("link", name="云长青").click()
    filled = phone.page.get_by_text(re.compile("已填 [0-9]+ 项"))
    expect(filled).to_have_count(1)
    visit = phone.page.url.partition("#")[2]
    phone.page.get_by_role("link", name="我的三天").click()
    phone.page.get_by_role("heading", name="我的三天").wait_for()
    # it is opened, and a sync that ends in the same moment shows it, too
    at_once = "way => { location.hash = way; for (const _ of [1, 2]) window.dispatchEvent(new HashChangeEvent('hashchange')); }"
    phone.page.evaluate(at_once, visit)
    expect(filled).to_have_count(1)
    expect(phone.page.get_by_text("正在另一个页面填写")).to_have_count(0)


DUMP = """async () => {
    const asked = request => new Promise(done => { request.onsuccess = () => done(request.result); });
    const db = await asked(indexedDB.open("healthsvc-pocket"));
    const all = name => asked(db.transaction(name).objectStore(name).getAll());
    const bytes = value => value instanceof ArrayBuffer || ArrayBuffer.isView(value);
    const text = value => bytes(value) ? new TextDecoder().decode(value)
        : value instanceof CryptoKey ? "A KEY"
        : value && typeof value === "object" ? Object.entries(value).map(one => one[0] + text(one[1])).join(" ")
        : String(value);
    const told = text([...await all("meta"), ...await all("records")]) + JSON.stringify(localStorage) + JSON.stringify(sessionStorage);
    db.close();
    return told;
}"""
"""Everything that lies on the phone, as text."""


def test_an_account_that_is_closed_erases_the_phone_and_loses_nothing(here: Street, phone: Handset) -> None:
    task = here.visit(5, staff=OTHER)
    phone.take_along("nurse2")
    phone.context.set_offline(True)
    phone.fill_in("柏寿松")
    phone.sign()
    with here.writing() as store:
        accounts.set_active(store, "nurse2", False)
    phone.online()
    phone.page.get_by_text("账号已停用、锁定或改了密码").wait_for()
    assert "A KEY" not in phone.page.evaluate(DUMP)
    expect(phone.page.get_by_label("开锁码")).to_have_count(0)
    with here.writing() as store:
        accounts.set_active(store, "nurse2", True)
    phone.take_along("nurse2")
    _wait(phone, lambda: here.read("Task", task)["status"] == "completed")


def test_time_erases_it_also_without_network_and_the_lock_takes_the_key(here: Street, phone: Handset) -> None:
    here.visit(6)
    phone.page.clock.install()
    phone.take_along()
    phone.context.set_offline(True)
    phone.fill_in("水木清")
    phone.page.clock.run_for(11 * 60 * 1000)
    phone.page.get_by_role("heading", name="随身资料已上锁").wait_for()
    phone.page.get_by_label("开锁码").fill(CODE)
    phone.page.get_by_role("button", name="开锁", exact=True).click()
    phone.page.get_by_label("心率").wait_for()
    expect(phone.page.get_by_label("心率")).to_have_value("71")
    phone.page.clock.fast_forward(15 * 3600 * 1000)
    phone.page.clock.run_for(20_000)
    phone.page.get_by_text("太久没有联系或使用").wait_for()
    phone.page.get_by_text("没有网络时打不开").wait_for()
    phone.page.get_by_text("手机上有 1 条未同步的记录").wait_for()


def test_signing_out_asks_about_what_waits_and_then_erases_everything(here: Street, phone: Handset) -> None:
    task = here.visit(7)
    phone.take_along()
    phone.context.set_offline(True)
    phone.fill_in("石敬安")
    phone.sign()
    phone.context.set_offline(False)
    phone.page.route("**/api/pocket/records", lambda route: route.abort())
    phone.page.goto(f"{here.url}/help")
    phone.page.get_by_role("img", name="1 条未同步").first.wait_for()
    phone.page.locator("details.account summary").click()
    phone.page.get_by_role("button", name="退出登录").click()
    phone.page.get_by_role("heading", name="还有 1 条记录没有同步").wait_for()
    look(phone.page, "pocket-leaving")
    assert here.read("Task", task)["status"] == "accepted"
    phone.page.unroute_all(behavior="wait")
    phone.page.get_by_role("button", name="现在同步").click()
    phone.page.get_by_role("button", name="清除并退出").click()
    phone.page.get_by_label("密码").wait_for()
    assert here.read("Task", task)["status"] == "completed"
    names = phone.page.evaluate("indexedDB.databases().then(all => all.map(one => one.name))")
    assert names == [] or "石敬安" not in phone.page.evaluate(DUMP)
    assert phone.page.evaluate("localStorage.length") == 0


def test_an_update_leaves_the_queue_as_it_is(here: Street, phone: Handset, monkeypatch: pytest.MonkeyPatch) -> None:
    here.visit(8)
    phone.take_along()
    phone.context.set_offline(True)
    phone.fill_in("江晚晴")
    phone.sign()
    phone.context.set_offline(False)
    phone.page.route("**/api/pocket/records", lambda route: route.abort())
    before = phone.page.evaluate(VERSION)
    monkeypatch.setattr(pocket_app, "version", lambda: "0123456789ab")
    phone.page.evaluate("navigator.serviceWorker.getRegistration().then(found => found.update())")
    phone.page.get_by_role("button", name="现在更新").click()
    phone.page.wait_for_function(f"async () => (await ({VERSION})()) === '0123456789ab-zh'")
    phone.state("1 条待同步")
    assert before != "0123456789ab-zh"
    assert phone.page.evaluate("caches.keys()") == ["healthsvc-pocket-0123456789ab-zh"]


VERSION = """() => new Promise(done => {
    const channel = new MessageChannel();
    channel.port1.onmessage = event => done(event.data);
    navigator.serviceWorker.controller.postMessage("version", [channel.port2]);
})"""


def test_a_page_that_cannot_be_had_leads_to_the_visit_on_the_phone(here: Street, phone: Handset) -> None:
    task = here.visit(9)
    phone.take_along()
    phone.page.reload()
    phone.page.get_by_text("取于").wait_for()
    phone.context.set_offline(True)
    phone.page.goto(f"{here.url}/visits/{task}")
    assert phone.page.url == f"{here.url}/pocket#/visit/{task}"
    phone.page.get_by_label("开锁码").fill(CODE)
    phone.page.get_by_role("button", name="开锁", exact=True).click()
    phone.page.get_by_role("heading", name="方正平").wait_for()
