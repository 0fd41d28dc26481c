"""What a page cannot read is told by the label of the field, in the reader's language, and on the form where the form can show it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Site
from conftest import sign_in as sign_in_page
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from test_web_browser import page  # noqa: F401 - the fixture
from test_web_pages import csrf, sign_in

from healthsvc import clock
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register, today
from healthsvc.store import SYSTEM
from healthsvc.web import words
from healthsvc.web.router import _PAGES
from healthsvc.web.wrong_input import label_of

TEMPLATES = "".join(one.read_text(encoding="utf-8") for one in sorted((Path(words.__file__).parent / "templates").glob("*.html")))
UNSEEN = {
    "accept", "act", "active", "all", "away", "back", "batch", "before", "board", "drawing", "ended", "error", "expected", "force", "form",
    "go", "id", "justified", "key", "kind", "known", "logout_token", "iss", "months", "next", "one", "other", "permits", "pinned",
    "position", "proposal", "slack", "staff", "state", "supply", "task", "there", "told", "value", "version", "versions", "view", "what",
    "who", "withdrawn", "areas", "occasion", "full", "left", "taken", "contract", "parted", "signed", "link", "now", "overrule", "run",
}  # fmt: skip
"""Carried along by a form or an address, pressed as a button or picked from a list that is shown: nobody types them."""


def _fields(dependant: Dependant) -> Iterator[Any]:
    yield from (*dependant.query_params, *dependant.body_params)
    for one in dependant.dependencies:
        yield from _fields(one)


def test_every_field_that_can_be_refused_has_its_label() -> None:
    lacking = set()
    for module in _PAGES:
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            for one in _fields(route.dependant):
                able = one.field_info.is_required() or one.field_info.metadata or one.field_info.annotation is not str
                if able and not label_of(route.path, one.alias) and one.alias not in UNSEEN:
                    lacking.add((route.path, one.alias))
    assert lacking == set()


@pytest.mark.parametrize("field", sorted(words.labels()))
def test_a_label_is_one_that_stands_on_a_page_and_has_its_english(field: str) -> None:
    label = words.labels()[field]
    assert f"t('{label}')" in TEMPLATES
    assert label in words.english()


def unsigned(site: Site, name: str) -> str:
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        return str(register(store, Person(name, category=Category.LIXIU), "urn:test").patient["id"])


@pytest.mark.parametrize(
    ("given", "field", "told"),
    [
        ({"start": "2026-02-30"}, "start", "生效日不是日历上的一天"),
        ({"start": "明天"}, "start", "生效日不是日历上的一天"),
        ({"start": ""}, "start", "生效日不是日历上的一天"),
        ({"start": "9999-12-31"}, "start", "签约起始日太远"),
        ({"doctor": ""}, "doctor", "请选择责任医生"),
        ({"package": "gold"}, "package", "没有这个服务包"),
        ({"months": "x"}, "", "签约月数请填数字"),
    ],
)  # fmt: skip
def test_a_contract_that_cannot_be_drafted_stays_on_its_form(
    client: httpx.Client, site: Site, given: dict[str, str], field: str, told: str
) -> None:
    id = unsigned(site, "起草甲")
    sign_in(client, "coordinator1")
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        start = (today(store) + timedelta(days=2)).isoformat()
    typed = {"doctor": "Practitioner/doctor-2", "nurse": "Practitioner/nurse-2", "start": start, "package": "chronic"} | given
    answer = client.post(f"/people/{id}/contract", data={"csrf": csrf(client)} | typed)
    assert answer.status_code == 422
    assert told in answer.text
    form = re.search(r'<details class="no-print" open>.*?</form>', answer.text, re.S)
    assert form is not None
    assert told in form[0]
    assert ('aria-describedby="' in form[0]) == bool(field)
    if field:
        assert re.search(rf'name="{field}"[^>]* aria-invalid="true"', form[0])
        assert f'id="{field}-wrong"' in form[0]
    for name in {"nurse", "start"} - {field}:
        assert typed[name] in form[0], "what was typed stands there again"


def test_a_field_is_named_by_its_label_in_the_language_of_the_reader(client: httpx.Client, site: Site) -> None:
    sign_in(client, "coordinator1")
    token = csrf(client)

    def told(**fields: str) -> str:
        answer = client.post("/circle/siting", data={"csrf": token, "mode": "walk", **fields})
        assert answer.status_code == 400
        return answer.text

    assert "增设几处：不能大于 10" in told(count="99")
    assert "增设几处：请填整数" in told(count="很多")
    assert "增设几处：没有填写" in told()
    assert "很多" not in told(count="很多")
    assert "怎样到达：请从列出的项目中选择" in told(count="1", mode="fly")
    part = client.post("/circle/siting", data={"csrf": token, "mode": "walk", "count": "99"}, headers={"hx-request": "true"})
    assert "增设几处：不能大于 10" in part.text
    unseen = client.post("/board/week/proposal", data={"csrf": token, "on": "2026-02-30"})
    assert "日期：不是日历上的一天" in unseen.text
    assert "页面内容已变化或不完整" in unseen.text
    client.cookies.set("lang", "en")
    assert "Further stations" in told(count="99") or "at most 10" in told(count="99")


def test_a_day_that_the_calendar_lacks_is_not_sent(page: Any, site: Site) -> None:  # noqa: F811
    id = unsigned(site, "起草乙")
    sign_in_page(page, site.url)
    page.goto(f"{site.url}/people/{id}")
    assert page.locator(".columns.file").evaluate("one => getComputedStyle(one).display") == "grid", "the columns of a file stand in a grid"
    page.locator("details", has=page.locator('form[action$="/contract"]')).locator("summary").click()
    field = page.get_by_label("生效日")
    field.fill("2026/2/30")
    page.get_by_role("button", name="起草并签字").click()
    assert page.url.endswith(f"/people/{id}")
    assert field.evaluate("one => one.validationMessage") == "日历上没有这一天，请核对。"
    field.fill("2026/2/28")
    field.blur()
    assert field.evaluate("one => [one.validationMessage, one.value]") == ["", "2026-02-28"]


def test_a_form_that_was_refused_stays_on_its_page_with_what_was_typed(client: httpx.Client, site: Site) -> None:
    sign_in(client, "admin1")
    typed = {"csrf": csrf(client), "login": "doctor1", "name": "<留守>甲", "role": "coordinator"}
    there = {"referer": f"{site.url}/users"}
    refused = client.post("/users", data=typed, headers=there)
    assert refused.status_code == 409
    told = refused.text.index("已有这个账号")
    form = refused.text[refused.text.rindex("<form", 0, refused.text.index("新建账号</h3>")) :].partition("</form>")[0]
    assert told < refused.text.index("新建账号</h3>")
    assert 'value="&lt;留守&gt;甲"' in form
    assert re.search(r'<option value="coordinator" selected>', form)
    assert re.search(r'name="login"[^>]*value="doctor1"[^>]*aria-invalid="true"', form)
    for elsewhere in ({}, {"referer": "https://elsewhere.example/users"}, {"referer": f"{site.url}/policy"}):
        alone = client.post("/users", data=typed, headers=elsewhere)
        assert alone.status_code == 409
        assert "返回修改" in alone.text, "where the form does not stand the refusal is a page of its own"
        assert "留守" not in alone.text
    unread = client.post("/tokens", data={"csrf": csrf(client), "name": "月报"}, headers=there)
    assert unread.status_code == 400
    assert 'value="月报"' in unread.text
    assert "角色：没有填写" in unread.text


def test_a_refused_form_is_mended_where_it_stands(chromium: Any, site: Site) -> None:
    opened = chromium.new_page(viewport={"width": 390, "height": 844}, locale="zh-CN")
    sign_in_page(opened, site.url, "admin1")
    opened.goto(f"{site.url}/users")
    form = opened.locator('form[action="/users"]')
    form.get_by_label("账号").fill("doctor1")
    form.get_by_label("姓名").fill("留守乙")
    for _ in range(2):  # the second time it is sent from the page that the refusal was
        form.get_by_role("button", name="新建").click()
        opened.get_by_role("alert").get_by_text("已有这个账号").wait_for()
        assert opened.url == f"{site.url}/users"
        assert form.get_by_label("姓名").input_value() == "留守乙"
        assert form.get_by_label("账号").evaluate("one => one === document.activeElement")
    opened.reload()
    assert opened.get_by_role("alert").count() == 0, "looking again asks for the page and sends nothing"
    opened.close()
