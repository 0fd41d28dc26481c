"""The operator's desk in a real browser: a call by telephone, who comes, handed over, closed; the list comes by itself."""

from typing import Any

import httpx
from conftest import Site, sign_in
from playwright.sync_api import expect
from test_web_browser import look, page  # noqa: F401 - the fixture
from world import PASSWORD

from healthsvc import clock
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM


def somebody(site: Site, name: str, phone: str) -> str:
    contacts = (
        Contact(ContactRole.FAMILY, "家属甲", "0574-22990001", "女儿"),
        Contact(ContactRole.COMMUNITY_WORKER, "社区乙", "0574-22990002"),
    )
    known = Person(name, category=Category.LIXIU, contacts=contacts, phones=(phone,), address="测试路1号")
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        return str(register(store, known, "urn:test").patient["id"])


def test_a_call_by_telephone_is_worked_to_its_end(page: Any, site: Site) -> None:  # noqa: F811
    width = page.viewport_size["width"]
    phone = f"0574-5599{width:04d}"
    somebody(site, f"冯测试{width}", phone)
    sign_in(page, site.url, "hotline1")
    assert page.url.endswith("/emergency")
    page.get_by_label("设备号").fill("0000000")
    page.get_by_role("button", name="立即呼叫").click()
    page.get_by_role("alert").wait_for()
    look(page, "emergency-nobody")
    page.get_by_label("设备号").fill(phone)
    page.get_by_label("类型").select_option("fall")
    page.get_by_label("情况").fill("卫生间")
    page.get_by_role("button", name="立即呼叫").click()
    page.get_by_role("heading", name=f"冯测试{width}").wait_for()
    page.get_by_text("测试路1号").wait_for()
    expect(page.get_by_text("已呼叫，等待应答")).to_have_count(1)
    look(page, "emergency-alarm")
    page.get_by_role("button", name="来不了").click()
    page.get_by_text("社区乙").first.wait_for()
    page.get_by_text("未接通").first.wait_for()
    page.locator("li", has_text="社区乙").get_by_role("button", name="前往").click()
    page.get_by_role("status").get_by_text("已有人处置").wait_for()
    page.get_by_label("交接给").select_option("120")
    page.get_by_role("button", name="交接").click()
    page.get_by_label("处置结果").select_option("taken-to-hospital")
    page.get_by_role("button", name="结束求助").click()
    page.get_by_role("status").get_by_text("已结束").wait_for()
    look(page, "emergency-closed")


def test_the_list_comes_by_itself_and_masks_the_name(page: Any, site: Site) -> None:  # noqa: F811
    from healthsvc.emergency import service

    width = page.viewport_size["width"]
    patient = somebody(site, f"褚求助{width}", f"0574-5588{width:04d}")
    sign_in(page, site.url, "hotline1")
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        alarm = service.raise_alarm(store, patient, "help", "81890", store.at)
    row = page.locator(f'#ringing li:has(a[href="/emergency/{alarm.id}"])')
    row.wait_for(timeout=60_000)
    assert "褚*" in row.inner_text()
    assert "求助1" not in row.inner_text().replace(" ", "")
    look(page, "emergency")


def test_whoever_may_open_the_file_is_led_to_the_latest_reports(client: httpx.Client, site: Site) -> None:
    from healthsvc.emergency import service

    patient = somebody(site, "卫报告", "0574-55770001")
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        for number, status in enumerate(("final", "entered-in-error")):
            told = {"status": status, "code": {"text": f"血常规{number}"}, "effectiveDateTime": "2026-01-05T08:00:00+08:00"}
            store.put({"resourceType": "DiagnosticReport", "id": f"wei-{number}", "subject": {"reference": f"Patient/{patient}"}, **told})
        alarm = service.raise_alarm(store, patient, "help", "81890", store.at)
    seen = {}
    for login in ("doctor1", "hotline1"):
        client.cookies.clear()
        client.post("/sign-in", data={"login": login, "password": PASSWORD})
        answer = client.get(f"/emergency/{alarm.id}")
        assert answer.status_code == 200
        assert "卫报告" in answer.text
        seen[login] = [one for one in ("wei-0", "wei-1") if f'href="/reports/{one}"' in answer.text]
    assert seen == {"doctor1": ["wei-0"], "hotline1": []}
