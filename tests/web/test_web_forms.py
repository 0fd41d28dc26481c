"""Forms on pages: filled in, sent back with what is wrong, unusual numbers confirmed, amended; in a real browser on two widths."""

import re
from typing import Any

import httpx
import pytest
from conftest import SHOTS, Site, keep_shot, sign_in
from playwright.sync_api import expect
from test_web_pages import csrf
from test_web_pages import sign_in as sign_in_plainly
from world import NAMES

WIDTHS = (1280, 390)


@pytest.fixture
def doctor(client: httpx.Client) -> httpx.Client:
    sign_in_plainly(client, "doctor1")
    return client


def someone(client: httpx.Client, name: str) -> str:
    found = client.post("/people", data={"q": name, "csrf": csrf(client)})
    return re.findall(r'href="/people/([0-9a-f-]{36})"', found.text)[0]


def send(client: httpx.Client, path: str, **answers: Any) -> httpx.Response:
    return client.post(path, data={"csrf": csrf(client), **{f"q-{link.replace('_', '-')}": value for link, value in answers.items()}})


def test_a_form_is_filled_in_looked_at_and_amended(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[10])
    path = f"/people/{patient}/forms/health-check-basic"
    assert "季度基础" in doctor.get(path).text
    kept = send(doctor, path, systolic_left="136", diastolic_left="82", symptom=["02", "04"], weight="61,5", advice="按时服药")
    assert kept.status_code == 303, kept.text
    seen = doctor.get(kept.headers["location"]).text
    for text in ("136 mmHg", "头痛、心悸", "61.5 kg", "按时服药"):
        assert text in seen
    open_again = doctor.get(kept.headers["location"] + "/amend").text
    assert 'value="136"' in open_again
    amended = send(doctor, kept.headers["location"] + "/amend", systolic_left="146", diastolic_left="82")
    assert amended.status_code == 303
    after = doctor.get(amended.headers["location"]).text
    assert "146 mmHg" in after
    assert "已修订" in after
    assert "61.5" not in after
    assert "健康体检表（季度基础）" in doctor.get(f"/people/{patient}/forms").text


def test_a_draft_is_kept_and_gone_on_with(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[16])
    path = f"/people/{patient}/forms/cognition-screen"
    kept = doctor.post(path, data={"csrf": csrf(doctor), "draft": "1", "q-cognition-now": "3"})
    assert kept.status_code == 303, "what is required may be missing from a draft"
    assert "填写中" in doctor.get(kept.headers["location"]).text
    going_on = kept.headers["location"] + "/amend"
    assert send(doctor, going_on, cognition_now="3").status_code == 422
    done = send(doctor, going_on, cognition_now="3", cognition_later="2", mmse="24")
    assert done.status_code == 303
    page = doctor.get(done.headers["location"]).text
    assert "填写中" not in page
    assert "说出两个" in page


def test_what_is_wrong_is_marked_and_what_was_typed_stays(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[11])
    path = f"/people/{patient}/forms/health-check-basic"
    for typed, told in (
        ({"systolic_left": "abc"}, "左臂收缩压"),
        ({"systolic_left": "1520", "diastolic_left": "88"}, "左臂收缩压"),
        ({"glucose": "6.5"}, "血糖时点"),
        ({"next_on": "31.12.2026"}, "下次随访日期"),
    ):
        refused = send(doctor, path, **typed, advice="按时服药")
        assert refused.status_code == 422
        assert told in refused.text.partition("<form method")[0] + refused.text
        assert 'role="alert"' in refused.text
        assert "按时服药" in refused.text
    unusual = send(doctor, path, systolic_left="215", diastolic_left="100")
    assert unusual.status_code == 200
    assert "再次保存" in unusual.text
    assert 'name="sure"' in unusual.text
    sure = doctor.post(path, data={"csrf": csrf(doctor), "sure": "1", "q-systolic-left": "215", "q-diastolic-left": "100"})
    assert sure.status_code == 303


def test_what_nobody_asked_for_is_left_out(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[12])
    kept = send(doctor, f"/people/{patient}/forms/mood-screen", mood_sad="false", mood_poor="false", mood_hopeless="yes")
    assert kept.status_code == 303
    assert "盼头" not in doctor.get(kept.headers["location"]).text


def test_the_file_is_edited_by_its_form(doctor: httpx.Client) -> None:
    patient = someone(doctor, NAMES[13])
    path = f"/people/{patient}/forms/personal-information"
    page = doctor.get(path).text
    assert f'value="{NAMES[13]}"' in page
    values = {m[1]: m[2] for m in re.finditer(r'<input id="(q-[\w-]+)" name="q-[\w-]+"[^>]* value="([^"]*)"', page)}
    values |= {
        m[1]: m[2] for m in re.finditer(r'<select id="(q-[\w-]+)".*?<option value="([^"]+)"[^>]* selected', page) if "\n" not in m[0]
    }
    given = {"csrf": csrf(doctor), **values, "q-sex": "2", "q-former-unit": "市第三纺织厂", "q-living": "alone", "q-phone": "0574-87650000"}
    kept = doctor.post(path, data=given)
    assert kept.status_code == 303, re.findall(r'role="alert".*?</div></div>', kept.text, re.S)
    file = doctor.get(f"/people/{patient}").text
    assert "0574-87650000" in file
    assert "独居" in file
    wrong = doctor.post(path, data=given | {"q-citizen-id": "330299193001019010"})
    assert wrong.status_code == 422
    assert "330299193001019010" not in wrong.text.partition("<form method")[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_forms_are_fit_to_be_seen(chromium: Any, site: Site, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    sign_in(page, site.url, "doctor1")
    for name in ("health-check-full", "personal-information", "mood-screen"):
        page.goto(f"{site.url}/people/{site.world.first}/forms/{name}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
        keep_shot(page, SHOTS / f"form-{name}-{width}.png", full_page=True)
    assert page.locator("#q-mood-satisfied").is_hidden()
    page.select_option("#q-mood-sad", "true")
    assert page.locator("#q-mood-satisfied").is_visible()
    page.goto(f"{site.url}/people/{site.world.first}/forms/self-care")
    for link, value in (
        ("eating", "moderate"),
        ("grooming", "light"),
        ("dressing", "independent"),
        ("toilet", "light"),
        ("moving", "light"),
    ):
        page.select_option(f"#q-{link}", value)
    assert page.locator("output.total").inner_text() == "6"
    assert broken == []
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_visit_is_made_with_its_form(chromium: Any, site: Site, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, locale="zh-CN")
    sign_in(page, site.url, "doctor1")
    visit = {1280: "late-2", 390: "late-4"}[width]
    page.goto(f"{site.url}/visits/{visit}/form")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.fill("#q-systolic-left", "135")
    page.fill("#q-diastolic-left", "80")
    keep_shot(page, SHOTS / f"form-visit-{width}.png")
    page.get_by_role("button", name="完成上门").click()
    expect(page.locator("#late_reason"), "the visit is late and asks why").to_have_count(1)
    expect(page.locator("#q-systolic-left")).to_have_value("135")
    page.select_option("#late_reason", "no-staff")
    page.get_by_role("button", name="完成上门").click()
    page.wait_for_url("**/forms/*")
    assert "135" in page.inner_text("main")
    page.goto(f"{site.url}/visits/{visit}")
    assert "已完成" in page.inner_text("main")
    page.close()
