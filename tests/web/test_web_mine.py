"""One's own pages: the day in order, what is overdue, whom one has signed; in Chromium at a desk and on a phone, and on paper."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from conftest import PATIENCE
from playwright.sync_api import expect
from pocket_world import NAMES, PASSWORD, Street, street
from test_web_browser import DESK, PHONE, look

from healthsvc.contract import service as contracts
from healthsvc.fhir.systems import V3_ACT_CODE, extension
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Priority, Visit, Window

pytestmark = pytest.mark.browser
LATE = ((20, Priority.ROUTINE), (3, Priority.URGENT), (9, Priority.ROUTINE), (1, Priority.ROUTINE))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("mine") / "data") as found:
        with found.writing() as store:
            day = store.at.astimezone(store.zone).date()
            for person in found.people[:6]:
                contracts.sign(store, person, "Practitioner/dr-1", "Practitioner/nu-1", day - timedelta(days=30))
            for number, (late, priority) in enumerate(LATE):
                ends = store.at - timedelta(days=late)
                window, owner = Window(ends - timedelta(days=5), ends), "Practitioner/dr-1"
                asked = Visit(f"late-{number}", "follow-up", found.people[number], window, 20, owner=owner, priority=priority)
                visits.request(store, asked)
            for id, person, late, bed in (("ward", 5, 3, 12), ("ward-soon", 4, -2, 14)):
                expected = {"url": extension("expected-discharge"), "valueDateTime": (day - timedelta(days=late)).isoformat()}
                store.put(
                    {
                        "resourceType": "Encounter",
                        "id": id,
                        "status": "in-progress",
                        "class": {"system": V3_ACT_CODE, "code": "IMP"},
                        "subject": {"reference": f"Patient/{found.people[person]}"},
                        "period": {"start": (store.at - timedelta(days=12)).isoformat()},
                        "serviceProvider": {"display": "测试医院"},
                        "location": [{"location": {"display": f"老年医学科 {bed}床"}, "status": "active"}],
                        "extension": [expected],
                    }
                )
        found.visit(0, hour=10)
        found.visit(2, hour=9)
        yield found


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport=request.param, locale="zh-CN", timezone_id="America/New_York")
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.keeps_pictures = False
    yield opened
    context.close()


def enter(page: Any, here: Street, login: str) -> None:
    page.goto(f"{here.url}/sign-in")
    page.get_by_label("账号").fill(login)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_load_state("load")


def test_the_day_the_overdue_and_the_signed(page: Any, here: Street) -> None:
    enter(page, here, "nurse1")
    page.goto(f"{here.url}/mine/day")
    assert page.locator(".call .who").all_inner_texts() == [NAMES[2], NAMES[0]]
    assert page.locator(".call time").all_inner_texts() == ["09:00", "10:00"]
    assert page.get_by_role("link", name="导航").first.get_attribute("href").startswith("geo:29.")
    look(page, "mine-day")
    page.get_by_role("link", name="出诊单").click()
    expect(page.locator(".day-sheet tbody tr")).to_have_count(2)
    expect(page.locator(".day-sheet").get_by_text("0574-6666")).to_have_count(2)
    look(page, "mine-sheet")
    page.emulate_media(media="print")
    assert page.locator("nav.side").is_hidden()
    page.emulate_media(media="screen")
    enter(page, here, "doctor1")
    page.goto(f"{here.url}/mine/overdue")
    # the urgent one first with the other of that household, then by due day
    assert page.locator(".rows .who").all_inner_texts() == [NAMES[1], NAMES[0], NAMES[2], NAMES[3]]
    assert page.get_by_text("同住 2 项").count() == 2
    look(page, "mine-overdue")
    page.goto(f"{here.url}/mine/people")
    assert page.locator(".rows .who").count() == 6
    assert page.locator(".rows .who").all_inner_texts()[:4] == [NAMES[1], NAMES[0], NAMES[2], NAMES[3]]
    look(page, "mine-people")
    page.get_by_role("link", name="逾期 4").click()
    expect(page.locator(".rows .who")).to_have_count(4)


def test_who_lies_in_a_ward_stands_in_the_list_and_in_the_head_of_the_file(page: Any, here: Street) -> None:
    enter(page, here, "doctor1")
    page.goto(f"{here.url}/mine/people?only=ward")
    assert sorted(page.locator(".rows .who").all_inner_texts()) == sorted([NAMES[4], NAMES[5]])
    assert page.get_by_text("超过预计出院 3 天").is_visible()
    assert page.get_by_text(re.compile("预计 .+ 出院")).is_visible()
    look(page, "mine-ward")
    page.locator(".rows .who", has_text=NAMES[5]).click()
    page.wait_for_load_state("load")
    head = page.locator(".in-ward")
    said = head.inner_text()
    assert head.bounding_box()["y"] < page.viewport_size["height"], "seen without scrolling"
    assert said.startswith("在院 · 测试医院 老年医学科 12床")
    assert "出院" in said
    assert "已超过 3 天" in said
    look(page, "person-in-ward")
    page.goto(f"{here.url}/people/{here.people[1]}")
    assert page.locator(".in-ward").count() == 0


def test_who_is_expected_home_from_hospital_stands_on_the_doctors_first_pages(page: Any, here: Street) -> None:
    enter(page, here, "doctor1")
    for way in ("/mine/day", "/"):
        page.goto(f"{here.url}{way}")
        soon = page.get_by_role("region", name="预计出院")
        assert soon.locator(".who").all_inner_texts() == [NAMES[4]], "neither whose day has passed, nor on any other day"
        assert "测试医院 老年医学科 14床" in soon.inner_text()
    look(page, "today-homecoming")
    page.goto(f"{here.url}/mine/day?on=2030-01-01")
    assert page.get_by_role("region", name="预计出院").count() == 0
    enter(page, here, "nurse2")
    page.goto(f"{here.url}/mine/day")
    assert page.get_by_role("region", name="预计出院").count() == 0, "of those whose doctor one is"


def test_a_day_without_visits_leads_to_the_next_that_has_some(page: Any, here: Street) -> None:
    enter(page, here, "nurse1")
    with here.writing() as store:
        day = store.at.astimezone(store.zone).date()
    page.goto(f"{here.url}/mine/day?on={day - timedelta(days=2)}")
    page.get_by_role("link", name=re.compile("的安排")).click()
    page.wait_for_url(f"**/mine/day?on={day}")
    assert page.locator(".call").count() == 2


def test_who_visits_nobody_is_told_so(page: Any, here: Street) -> None:
    enter(page, here, "desk1")
    answer = page.goto(f"{here.url}/mine/people")
    assert answer.status == 422
    assert page.get_by_role("heading", name="此页面供上门的医生和护士使用").is_visible()
