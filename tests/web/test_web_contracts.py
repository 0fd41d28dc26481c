"""A contract is drafted, signed on the screen and kept, at a desk with the mouse and on a phone with a finger, under the strict policy."""

from datetime import timedelta
from typing import Any

import pytest
from conftest import Site, sign_in
from playwright.sync_api import expect
from test_web_browser import look, page
from world import PASSWORD

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.checkup.ladder import escalate
from healthsvc.contract import service as contracts
from healthsvc.contract.resources import to_agreement
from healthsvc.contract.rules import Side
from healthsvc.documents import Drawing
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM
from healthsvc.visit.service import open_visits

__all__ = ["page"]
pytestmark = pytest.mark.browser


def draw(page: Any, form: Any) -> None:
    """Two strokes inside the pad."""
    pad = form.locator("canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    for points in (((0.2, 0.3), (0.4, 0.7), (0.5, 0.3)), ((0.6, 0.4), (0.8, 0.6))):
        (x, y), *rest = points
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        for x, y in rest:
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        page.mouse.up()


def test_a_contract_is_signed_on_the_screen_and_frozen(page: Any, site: Site) -> None:
    wide = page.viewport_size["width"] > 800
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        person = register(store, Person("测试" + ("甲" if wide else "乙"), doctor="Practitioner/doctor-1"), "urn:test").patient["id"]
    sign_in(page, site.url, "doctor1")
    page.goto(f"{site.url}/people/{person}")
    page.get_by_text("签约", exact=True).last.click()
    page.get_by_label("责任医生").select_option("Practitioner/doctor-1")
    page.get_by_role("button", name="起草并签字").click()
    page.wait_for_url("**/contracts/**")
    mine, theirs = page.locator("form[data-sign]").nth(0), page.locator("form[data-sign]").nth(1)
    assert mine.get_by_role("button", name="确认签字").is_disabled(), "nothing has been drawn yet"
    mine.get_by_label("谁签字").select_option("proxy")
    mine.get_by_label("代签人姓名").fill("测试女")
    mine.get_by_label("与本人关系").fill("女儿")
    draw(page, mine)
    mine.get_by_role("button", name="重写").click()
    assert mine.get_by_role("button", name="确认签字").is_disabled()
    draw(page, mine)
    look(page, "contract-signing")
    mine.get_by_role("button", name="确认签字").click()
    page.wait_for_load_state()
    draw(page, theirs := page.locator("form[data-sign]").first)
    theirs.get_by_role("button", name="确认签字").click()
    page.get_by_text("未被改动").first.wait_for()
    look(page, "contract-signed")
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        signed = to_agreement(store.read("Contract", page.url.rpartition("/")[2]))
        for one in signed.signatures:
            drawn = Drawing.of_svg(one.data.decode())
            assert drawn is not None
            assert len(drawn.strokes) == 2
        assert {one.side for one in signed.signatures} == {Side.PROXY, Side.DOCTOR}
    answer = page.request.get(f"{site.url}{page.get_by_role('link', name='打印协议').get_attribute('href')}")
    assert answer.body().startswith(b"%PDF")


def test_who_is_owed_most_stands_first(page: Any, site: Site) -> None:
    sign_in(page, site.url, "doctor1")
    page.goto(f"{site.url}/contracts")
    assert "履约率" in page.locator(".figures").inner_text()
    look(page, "contracts")
    page.goto(f"{site.url}/contracts?all=true")
    look(page, "contracts-all")
    page.locator(".rows .who").first.click()
    page.get_by_role("heading", name="约定与兑现").wait_for()
    look(page, "contract")
    page.goto(f"{site.url}/cards")
    look(page, "card-scan")
    page.get_by_label("二维码内容").fill("nobody")
    page.get_by_role("button", name="查找", exact=True).click()
    page.get_by_text("没有这张联系卡").wait_for()


def test_another_doctor_cannot_draw_but_records_paper(page: Any, site: Site) -> None:
    name = f"测试丙{page.viewport_size['width']}"
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        person = register(store, Person(name), "urn:test").patient["id"]
    sign_in(page, site.url, "coordinator1")
    page.goto(f"{site.url}/people/{person}")
    page.get_by_text("签约", exact=True).last.click()
    page.get_by_label("生效日").fill((clock.today() + timedelta(days=1)).isoformat())
    page.get_by_role("button", name="起草并签字").click()
    page.wait_for_url("**/contracts/**")
    doctors = page.locator("form[data-sign]").nth(1)
    assert doctors.locator("canvas").is_hidden()
    doctors.get_by_role("button", name="确认签字").click()
    page.wait_for_load_state()
    mine = page.locator("form[data-sign]").first
    mine.get_by_label("签字方式").select_option("wet-scan")
    mine.get_by_role("button", name="确认签字").click()
    page.get_by_text("未被改动").first.wait_for()


def test_a_doctor_leaves_and_everybody_is_drafted_to_another(page: Any, site: Site) -> None:
    wide = page.viewport_size["width"]
    leaver, successor = f"离岗{wide}", f"接手{wide}"
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        for id, name in ((f"leaver-{wide}", leaver), (f"successor-{wide}", successor)):
            store.put({"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": name}]})
        people = [register(store, Person(f"转签{name}{wide}"), "urn:test").patient["id"] for name in "天地"]
        for one in people:
            contracts.sign(store, one, f"Practitioner/leaver-{wide}", None, clock.today())
    sign_in(page, site.url, "coordinator1")
    page.goto(f"{site.url}/contracts?all=true")
    page.get_by_text("整体转签", exact=True).click()
    page.get_by_label("离岗医生").select_option(label=leaver)
    page.get_by_label("接手医生").select_option(label=successor)
    look(page, "contracts-leaving")
    page.get_by_role("button", name="全部起草").click()
    page.get_by_role("status").get_by_text("已起草 2 份转签协议").wait_for()
    expect(page.locator(".rows .who", has_text=f"转签天{wide}")).to_have_count(1)
    look(page, "contracts-taken-over")
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        owners = {visit.owner for one in people for visit in open_visits(store, one)}
        accounts.create_user(store, f"takes{wide}", "doctor", practitioner=f"Practitioner/successor-{wide}", password=PASSWORD)
    assert owners == {f"Practitioner/successor-{wide}"}
    page.get_by_role("link", name="打印告知书，核对待签").click()
    page.get_by_role("link", name="打印告知书").click()
    letters = page.locator(".letter")
    text = letters.filter(has_text=f"转签天{wide}").inner_text()
    assert all(word in text for word in (f"您的家庭医生{leaver}", f"由{successor}接手", "签字之前，原协议约定的服务不变"))
    look(page, "contracts-notices")
    sign_in(page, site.url, f"takes{wide}")
    page.goto(f"{site.url}/contracts/taking-over")
    page.get_by_label(f"为 转签地{wide} 签字").uncheck()
    draw(page, page.locator("form[data-sign]"))
    look(page, "contracts-one-list")
    page.get_by_role("button", name="签勾选的协议").click()
    page.get_by_role("status").get_by_text("已在 1 份协议上签字").wait_for()
    for name, said in (("天", "医生已签"), ("地", "待医生签字")):
        chips = page.locator(".rows > li", has_text=f"转签{name}{wide}").locator(".chip")
        expect(chips).to_have_text([said, "待本人签字"], use_inner_text=True)


def test_a_reminder_is_seen_and_gone(page: Any, site: Site) -> None:
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        escalate(store, clock.today() + timedelta(days=20))
    sign_in(page, site.url, "doctor1")
    page.goto(f"{site.url}/reminders")
    rows = page.locator(".rows > li")
    before = rows.count()
    assert before > 0
    look(page, "reminders")
    name = rows.first.locator(".who").inner_text()
    rows.first.get_by_role("button").click()
    page.wait_for_url("**/reminders")
    expect(rows).to_have_count(before - 1)
    assert name


def test_whoever_goes_away_is_not_late_and_comes_back(page: Any, site: Site) -> None:
    sign_in(page, site.url, "doctor1")
    page.goto(f"{site.url}/people/{site.world.first}")
    page.get_by_text("外出", exact=True).click()
    page.get_by_role("button", name="登记外出").click()
    page.get_by_text("暂停", exact=True).first.wait_for()
    page.get_by_text("外出", exact=True).click()
    page.get_by_role("button", name="已返回").click()
    page.wait_for_load_state()
    expect(page.get_by_text("暂停", exact=True)).to_have_count(0)
