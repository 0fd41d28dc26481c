"""A file is opened on a page: by the rules of a roster, once for a number, and nothing typed is lost where something is wrong."""

import re
from typing import Any

import httpx
import pytest
from conftest import Site, sign_in
from test_web_browser import look
from test_web_pages import csrf
from test_web_pages import sign_in as enter
from world import citizen_id

from healthsvc.healthfile.roster_columns import COLUMNS
from healthsvc.web.newfile import CHOICES, GROUPS


def test_every_choice_is_one_that_a_roster_may_hold() -> None:
    known = {column.field: column for column in COLUMNS}
    assert all(known[name].read(word) is not None for name, words in CHOICES.items() for word in words)
    assert set(CHOICES) < {column.field for _title, group in GROUPS for column in group}


def test_a_file_is_opened_once_and_a_wrong_form_is_shown_again(client: httpx.Client) -> None:
    enter(client, "doctor1")
    token = csrf(client)
    wrong = client.post("/people/new", data={"csrf": token, "name": "𠮷田䶮", "birth": "1930-13-01", "phone": "没有"})
    assert wrong.status_code == 422
    assert "出生日期：不是日期" in wrong.text
    assert "联系电话：不是可拨打的电话号码" in wrong.text
    assert 'value="𠮷田䶮"' in wrong.text
    bare = client.post("/people/new", data={"csrf": token, "name": "𠮷田䶮"})
    assert "至少填一个" in bare.text
    asked = {"csrf": token, "name": "𠮷田䶮", "citizen_id": citizen_id(901), "category": "离休", "living": "独居"}
    mistyped = client.post("/people/new", data={**asked, "citizen_id": citizen_id(901)[:-1] + ("1" if citizen_id(901)[-1] != "1" else "2")})
    assert "末位校验不符" in mistyped.text
    made = client.post("/people/new", data=asked)
    assert made.status_code == 303
    assert "𠮷田䶮" in client.get(made.headers["location"]).text
    again = client.post("/people/new", data={**asked, "name": "别人"})
    assert again.status_code == 422
    assert f'href="{made.headers["location"]}"' in again.text
    assert "别人" not in client.get(made.headers["location"]).text
    enter(client, "window1")
    assert client.get("/people/new").status_code == 403


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_form_is_fit_to_be_seen(chromium: Any, site: Site, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    page.keeps_pictures = False
    sign_in(page, site.url)
    page.goto(f"{site.url}/people")
    page.get_by_role("link", name="建档").click()
    page.get_by_label("出生日期").fill("1930/1/5")
    page.get_by_label("姓名", exact=False).first.focus()
    assert page.get_by_label("出生日期").input_value() == "1930-01-05"
    look(page, "newfile")
    assert re.search("/people/new$", page.url)
    context.close()
