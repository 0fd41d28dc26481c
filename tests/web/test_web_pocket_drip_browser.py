"""A drip on the phone in a real Chromium: steps without network with their times, what needs the server says so."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import embedded
import pytest
import time_machine
from playwright.sync_api import expect
from pocket_world import PASSWORD
from serving import serving
from test_web_bedside import AT, _dose
from test_web_pocket_browser import Handset, handset

from healthsvc.access import accounts
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.infusion import bedside
from healthsvc.infusion.rules.bedside import Act
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM
from healthsvc.visit import service as visits

pytestmark = pytest.mark.browser


def press(phone: Handset, act: str) -> None:
    """Press the button of a step."""
    phone.page.locator(f'form[data-act="{act}"] button.big').click()


def test_a_drip_without_network(chromium: Any, tmp_path: Path) -> None:
    at = AT + timedelta(minutes=5)
    with time_machine.travel(at, tick=True):
        embedded.made(tmp_path / "data")
        installation = open_installation(settings=Settings(data=tmp_path / "data"))
        with installation.database.writing(SYSTEM, at=AT) as store:
            task = _dose(store)
            window = visits.read(store, task).window
            visits.plan(store, task, window.start, window.start + timedelta(minutes=60), ["Practitioner/nu-1"])
            accounts.create_user(store, "nurse1", "nurse", name="苏念安", practitioner="Practitioner/nu-1", password=PASSWORD)
        with serving(create_app(installation)) as url, handset(chromium.browser_type, url, tmp_path / "profile") as phone:
            phone.page.clock.install(time=at)
            phone.take_along()
            phone.context.set_offline(True)
            phone.page.get_by_role("link", name="测试甲").click()
            press(phone, "arrive")
            phone.page.get_by_role("checkbox", name="姓名").check()
            press(phone, "identify")
            phone.page.get_by_text("至少两项相符。").nth(1).wait_for()
            phone.page.get_by_role("checkbox", name="出生日期").check()
            phone.look("pocket-drip")
            press(phone, "identify")
            phone.page.get_by_text("这一步要联网办理").wait_for()
            expect(phone.page.locator('form[data-act="clear"]')).to_have_count(0)
            expect(phone.page.get_by_role("img", name="等待同步")).to_have_count(2)
            phone.look("pocket-drip-gates")
            phone.online()
            phone.page.get_by_role("img", name="等待同步").first.wait_for(state="detached")
            with installation.database.reading(SYSTEM, at=AT) as store:
                log = bedside.where(store, task).bedside.log
            assert [entry.act for entry in log] == [Act.ARRIVE, Act.IDENTIFY]
            assert all(abs(entry.at - at) < timedelta(minutes=2) for entry in log)
            phone.page.get_by_role("link", name="打开床旁页面").click()
            phone.page.get_by_role("heading", name="输液前把关").first.wait_for()
        installation.close()
