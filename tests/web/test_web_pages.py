"""Pages on a real socket, without a browser: who gets what, and that nothing personal reaches an address or an error."""

import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from conftest import Site
from world import NAMES, PASSWORD, citizen_id

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM
from healthsvc.store.progress import State
from healthsvc.store.work import run
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Kind, Visit, Window
from integrations.longwork.kinds import kinds

CSRF = re.compile(r'name="csrf" value="([^"]+)"')
PAGES = (
    "/",
    "/people",
    "/referrals",
    "/contracts",
    "/reminders",
    "/glass",
    "/window",
    "/emergency",
    "/mustvisits",
    "/channels",
    "/roster",
    "/figures",
    "/operate",
    "/glass/review",
    "/users",
    "/audit",
    "/policy",
    "/help",
)
CARE = set(PAGES) - {"/operate", "/glass/review", "/users", "/audit"}
ALLOWED = {
    "doctor1": CARE,
    "coordinator1": CARE,
    "hotline1": {"/emergency", "/policy", "/help"},
    "window1": {"/window", "/policy", "/help"},
    "operator1": {"/operate", "/policy", "/help"},
    "auditor1": {"/glass/review", "/audit", "/policy", "/help"},
    "bureau1": {"/figures", "/policy", "/help"},
    "admin1": {"/users", "/policy", "/help"},
    "system1": {"/operate", "/policy", "/help"},
}


def sign_in(client: httpx.Client, login: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("/sign-in", data={"login": login, "password": password})


def csrf(client: httpx.Client) -> str:
    found = CSRF.search(client.get("/help").text)
    assert found is not None
    return found[1]


def test_an_outsider_is_shown_to_the_door(client: httpx.Client, site: Site) -> None:
    for path in (*PAGES, f"/people/{site.world.first}", "/map/day.json", "/map/roads.json"):
        answer = client.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path
    assert client.post("/people", data={"q": "单"}).status_code == 401
    assert client.get("/sign-in").status_code == 200


@pytest.mark.parametrize("login", sorted(ALLOWED))
def test_each_role_opens_its_pages_and_no_others(client: httpx.Client, login: str) -> None:
    assert sign_in(client, login).status_code == 303
    opened = {path for path in PAGES if client.get(path).status_code == 200}
    assert opened == ALLOWED[login]
    refused = {client.get(path).status_code for path in PAGES if path not in ALLOWED[login]}
    assert refused <= {403}


def test_sign_in_goes_where_one_wanted_and_never_elsewhere(client: httpx.Client) -> None:
    for wanted, leads in (("/policy", "/policy"), ("//evil.example", "/start"), ("https://evil.example", "/start")):
        answer = client.post("/sign-in", data={"login": "doctor1", "password": PASSWORD, "back": wanted})
        assert answer.headers["location"] == leads
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_wrong_password_says_so_and_nothing_more(client: httpx.Client) -> None:
    known, unknown = (client.post("/sign-in", data={"login": login, "password": "wrong-wrong-9"}) for login in ("auditor1", "nobody"))
    assert known.status_code == unknown.status_code == 422
    assert "账号或密码不正确" in known.text
    assert known.text.replace("auditor1", "") == unknown.text.replace("nobody", "")


def test_another_site_can_neither_sign_in_nor_write(client: httpx.Client) -> None:
    foreign = {"origin": "http://evil.example"}
    assert client.post("/sign-in", data={"login": "doctor1", "password": PASSWORD}, headers=foreign).status_code == 403
    sign_in(client, "doctor1")
    assert client.post("/people", data={"q": "单"}).status_code == 403
    assert client.post("/people", data={"q": "单", "csrf": csrf(client)}, headers=foreign).status_code == 403
    assert client.post("/people", data={"q": "单", "csrf": csrf(client)}).status_code == 200


@pytest.mark.parametrize("q", ["单", "国强", "shanguoqiang", "SGQ", "shan", citizen_id(0)[-6:], "12340000"])
def test_a_person_is_found_by_whatever_is_known(client: httpx.Client, site: Site, q: str) -> None:
    sign_in(client, "coordinator1")
    answer = client.post("/people", data={"q": q, "csrf": csrf(client)})
    assert f"/people/{site.world.first}" in answer.text


@pytest.mark.parametrize("q", ["%", "_", "'; drop table resource; --", "<script>", "没有此人"])
def test_odd_words_find_nobody_and_break_nothing(client: httpx.Client, q: str) -> None:
    sign_in(client, "coordinator1")
    answer = client.post("/people", data={"q": q, "csrf": csrf(client)})
    assert answer.status_code == 200
    assert "没有查到" in answer.text
    assert "<script>" not in answer.text.replace("<script src", "")


def test_too_few_digits_are_told_so_and_an_empty_list_while_typing_too(client: httpx.Client) -> None:
    sign_in(client, "coordinator1")
    for q, told in (("12", "再输入几位数字"), ("没有此人", "没有查到")):
        for head in ({}, {"HX-Request": "true"}):
            assert told in client.post("/people", data={"q": q, "csrf": csrf(client)}, headers=head).text


def test_while_typing_only_the_list_comes_back(client: httpx.Client) -> None:
    sign_in(client, "coordinator1")
    part = client.post("/people", data={"q": "单", "csrf": csrf(client)}, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="found"')


def test_the_window_answers_by_citizen_id_file_number_and_unknown(client: httpx.Client, site: Site) -> None:
    sign_in(client, "window1")
    token = csrf(client)
    entitled = client.post("/window", data={"number": site.world.citizen_id, "csrf": token}).text
    assert "享有绿色通道" in entitled
    assert "优先就诊" in entitled
    assert "单*强" in entitled
    assert "单国强" not in entitled
    assert "享有绿色通道" in client.post("/window", data={"number": "33029900100100000", "csrf": token}).text
    assert "查无此人" in client.post("/window", data={"number": "H999", "csrf": token}).text
    by_name = client.post("/window", data={"number": "单国强", "csrf": token})
    assert by_name.status_code == 422
    assert "窗口只按号码查询" in by_name.text
    assert "查无此人" not in by_name.text, "a name says nothing of whether somebody is entitled"
    wrong = client.post(
        "/window", data={"number": site.world.citizen_id[:-1] + ("0" if site.world.citizen_id[-1] != "0" else "1"), "csrf": token}
    )
    assert wrong.status_code == 422
    assert "请核对" in wrong.text


def test_refusals_are_pages_without_a_word_about_persons(client: httpx.Client) -> None:
    sign_in(client, "doctor1")
    for path, status in (
        ("/people/nobody", 404),
        ("/visits/none", 404),
        ("/operate", 403),
        ("/?on=yesterday", 400),
        ("/help/none", 404),
        ("/help/..%2f..%2fLICENSE", 404),
    ):
        answer = client.get(path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"].startswith("text/html"), path
        assert not any(name in answer.text for name in NAMES), path


def test_every_page_carries_the_headers_and_no_inline_code(client: httpx.Client, site: Site) -> None:
    files = {"doctor1": [f"/people/{site.world.first}", f"/visits/{site.world.due}"]}
    for login, opened in ALLOWED.items():
        sign_in(client, login)
        for path in [*sorted(opened), *files.get(login, [])]:
            answer = client.get(path)
            assert answer.status_code == 200, path
            _check_page(answer, path)


def _check_page(answer: httpx.Response, path: str) -> None:
    assert "unsafe" not in answer.headers["content-security-policy"], path
    assert answer.headers["cache-control"] == "no-store", path
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", answer.text), path
    assert not re.search(r"<script(?![^>]*src=)", answer.text), path
    assert not re.search(r"""(src|href|action)=["'](https?:)?//""", answer.text), path


def test_a_roster_is_taken_with_a_report_of_its_rows(client: httpx.Client, tmp_path: Path) -> None:
    sign_in(client, "coordinator1")
    token = csrf(client)
    roster = "姓名,身份证号,性别,居住社区\n贺晓东," + citizen_id(77) + ",男,拾光社区\n无证件,33029919300101900,女,拾光社区\n"
    sent = {"file": ("名册.csv", roster.encode("gb18030"), "text/csv")}
    for created in ("1", "0"):
        answer = client.post("/roster", data={"csrf": token}, files=sent)
        assert answer.status_code == 200
        assert f"<b>{created}</b><span>新建档案" in answer.text
    assert "需要处理的行" in answer.text
    assert client.post("/roster", data={"csrf": token}, files={"file": ("x.exe", b"MZ")}).status_code == 400
    assert client.post("/roster", files=sent).status_code == 403
    assert client.get("/roster/template.xlsx").content.startswith(b"PK")


def test_a_long_roster_is_left_to_a_worker_and_its_report_can_be_come_back_to(client: httpx.Client, site: Site, tmp_path: Path) -> None:
    sign_in(client, "coordinator1")
    token = csrf(client)
    people = "".join(f"测试{number},{citizen_id(number)},男\n" for number in range(500, 510))
    doubled = people * 31  # the file is long, the people are few
    sent = {"file": ("名册.csv", ("姓名,身份证号,性别\n" + doubled).encode(), "text/csv")}
    left = client.post("/roster", data={"csrf": token}, files=sent)
    assert left.status_code == 303, left.text
    waiting = client.get(left.headers["location"])
    assert "排队中" in waiting.text
    id = re.findall(r"/progress/([0-9a-f-]{36})", left.headers["location"])[0]
    assert run(site.database, id, kinds(tmp_path)) is State.DONE
    bar = client.get(left.headers["location"], headers={"hx-request": "true"})
    assert bar.headers["hx-redirect"] == f"/roster?work={id}"
    assert "310 / 310 条" in bar.text
    report = client.get(bar.headers["hx-redirect"]).text
    assert "<b>10</b><span>新建档案" in report
    assert "<b>300</b><span>未导入" in report
    assert client.post("/roster", data={"csrf": token}, files={"file": ("x.csv", b"a,b\n" * 400)}).status_code == 400


def test_an_administrator_makes_an_account_whose_owner_must_choose_a_password(client: httpx.Client, site: Site) -> None:
    sign_in(client, "admin1")
    made = client.post("/users", data={"login": "nurse9", "role": "nurse", "name": "新护士", "csrf": csrf(client)})
    password = re.search(r'class="mono">([^<]+)</strong>', made.text)
    assert password is not None
    with httpx.Client(base_url=site.url) as nurse:
        assert sign_in(nurse, "nurse9", password[1]).headers["location"] == "/account/password"
        assert nurse.get("/").headers["location"] == "/account/password"
        page = CSRF.search(nurse.get("/account/password").text)
        assert page is not None
        changed = nurse.post(
            "/account/password", data={"old": password[1], "new": "quiet-river-12", "again": "quiet-river-12", "csrf": page[1]}
        )
        assert changed.status_code == 303
        assert sign_in(nurse, "nurse9", "quiet-river-12").headers["location"] == "/start"
    assert client.post("/users/nurse9/active", data={"active": "false", "csrf": csrf(client)}).status_code == 303
    with httpx.Client(base_url=site.url) as nurse:
        assert sign_in(nurse, "nurse9", "quiet-river-12").status_code == 422


def test_a_token_made_on_the_page_opens_the_api_until_it_is_revoked(client: httpx.Client, site: Site) -> None:
    sign_in(client, "admin1")
    made = client.post("/tokens", data={"role": "doctor", "name": "脚本", "csrf": csrf(client)})
    secret = re.search(r'class="mono">(hs_[^<]+)</strong>', made.text)
    assert secret is not None
    bearer = {"authorization": f"Bearer {secret[1]}"}
    assert httpx.get(f"{site.url}/fhir/Patient/{site.world.first}", headers=bearer).status_code == 200
    revoke = re.search(r'action="(/tokens/\d+/revoke)"', made.text)
    assert revoke is not None
    client.post(revoke[1], data={"csrf": csrf(client)})
    assert httpx.get(f"{site.url}/fhir/Patient/{site.world.first}", headers=bearer).status_code == 401


def test_looking_at_a_file_leaves_a_trace_that_the_auditor_sees(client: httpx.Client, site: Site) -> None:
    sign_in(client, "doctor1")
    client.get(f"/people/{site.world.first}")
    sign_in(client, "auditor1")
    trace = client.post("/audit", data={"patient": site.world.first, "csrf": csrf(client)}).text
    assert f"Patient/{site.world.first}" in trace
    assert "Practitioner/doctor-1" in trace
    assert "单国强" not in trace
    assert "完整：共" in client.post("/audit/verify", data={"csrf": csrf(client)}).text


def test_a_file_leads_to_all_its_visits_however_many_wait(client: httpx.Client, site: Site) -> None:
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        patient = str(register(store, Person("多访测试"), "urn:test").patient["id"])
        for number in range(8):
            begins = store.at + timedelta(days=200 + number)
            visits.request(store, Visit(f"many-{number}", Kind.FOLLOW_UP, patient, Window(begins, begins + timedelta(days=9)), 20))
    sign_in(client, "doctor1")
    page = client.get(f"/people/{patient}").text
    assert set(re.findall(r'href="/visits/(many-\d)"', page)) == {f"many-{number}" for number in range(8)}
    shown, _, unfolded = page.partition("另有 2 项")
    assert ("many-5" in shown, "many-6" in shown, "many-6" in unfolded) == (True, False, True)


def test_a_visit_after_a_stay_shows_the_stay_and_its_diagnoses_but_none_that_was_taken_back(client: httpx.Client, site: Site) -> None:
    verification = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        patient = str(register(store, Person("出院测试"), "urn:test").patient["id"])
        subject = {"reference": f"Patient/{patient}"}
        for id, words, state in (("home-1", "脑梗死恢复期", "confirmed"), ("home-2", "误诊肺炎", "entered-in-error")):
            known = {"verificationStatus": {"coding": [{"system": verification, "code": state}]}, "code": {"text": words}}
            store.put({"resourceType": "Condition", "id": id, "subject": subject, **known})
        role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": "DD"}]}
        store.put(
            {
                "resourceType": "Encounter",
                "id": "stay-home",
                "status": "finished",
                "class": {"system": V3_ACT_CODE, "code": "IMP"},
                "subject": subject,
                "period": {"start": "2026-03-02", "end": "2026-03-09"},
                "serviceProvider": {"display": "测试医院"},
                "diagnosis": [{"condition": {"reference": f"Condition/home-{n}"}, "use": role} for n in (1, 2)],
            }
        )
        done = {"subject": subject, "encounter": {"reference": "Encounter/stay-home"}, "performedDateTime": "2026-03-03"}
        for id, words, state in (("home-op", "髋关节置换", "completed"), ("home-not", "误记手术", "entered-in-error")):
            store.put({"resourceType": "Procedure", "id": id, "status": state, "code": {"text": words}, **done})
        window = Window(store.at, store.at + timedelta(days=7))
        visits.request(store, Visit("home-visit", Kind.FOLLOW_UP, patient, window, 20, sources=("Encounter/stay-home",)))
    sign_in(client, "doctor1")
    page = client.get("/visits/home-visit").text
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page))
    assert facts["住院"].startswith("测试医院")
    assert (facts["出院诊断"], facts["诊断"]) == ("脑梗死恢复期", "脑梗死恢复期")
    assert facts["手术操作"] == "髋关节置换 2026-03-03"
    assert "误诊肺炎" not in page
    assert "误记手术" not in page
    assert "误诊肺炎" not in client.get(f"/people/{patient}").text


def test_the_pages_speak_english_too(client: httpx.Client) -> None:
    client.post("/language", data={"to": "en", "back": "/sign-in"})
    sign_in(client, "coordinator1")
    page = client.get("/").text
    assert '<html lang="en">' in page
    assert "Plan the day" in page
    assert "窗口期内待访" not in page


def test_a_contract_and_a_green_channel_are_opened_from_the_file(client: httpx.Client) -> None:
    sign_in(client, "coordinator1")
    token = csrf(client)
    found = re.search(r'/people/([0-9a-f-]+)"', client.post("/people", data={"q": NAMES[21], "csrf": token}).text)
    assert found is not None
    file = f"/people/{found[1]}"
    assert "未签约" in client.get(file).text
    refused = client.post(f"{file}/contract", data={"doctor": "Practitioner/doctor-1", "start": "someday", "csrf": token})
    assert refused.status_code == 422
    wanted = {"doctor": "Practitioner/doctor-1", "nurse": "Practitioner/nurse-1", "start": clock.today().isoformat(), "csrf": token}
    first = client.post(f"{file}/contract", data=wanted)
    second = client.post(f"{file}/contract", data={**wanted, "doctor": "Practitioner/doctor-2"})
    assert (first.status_code, second.status_code) == (303, 303)
    pads = client.get(first.headers["location"]).text
    assert "甲方签字" in pads
    assert "乙方签字" in pads
    assert client.get(f"{first.headers['location']}/paper.pdf").content.startswith(b"%PDF")
    empty = client.post(f"{first.headers['location']}/signature", data={"side": "resident", "csrf": token})
    assert empty.status_code == 400
    for side in ("resident", "doctor"):
        for draft in (first, second):
            paper = {"side": side, "kind": "wet-scan", "csrf": token}
            answer = client.post(f"{draft.headers['location']}/signature", data=paper)
            wins = side == "resident" or draft is first
            assert answer.status_code == (303 if wins else 409)
    assert "已有生效的签约" in answer.text
    signed = client.get(first.headers["location"]).text
    assert "未被改动" in signed
    assert "履约率" in signed
    document = re.search(r"/documents/[0-9a-f-]+\.pdf", signed)
    assert document is not None
    assert client.get(document[0]).content.startswith(b"%PDF")
    assert "每季上门体检" in client.get(file).text
    assert client.post(f"{file}/green-channel", data={"csrf": token}).status_code in (303, 422)


def test_a_doctor_of_another_area_finds_nobody_until_they_break_the_glass(site: Site) -> None:
    west = "Organization/a-centre-without-people"
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        accounts.create_user(store, "far", "doctor", areas=[west], password=PASSWORD)
    with httpx.Client(base_url=site.url, headers={"accept": "text/html"}) as far:
        sign_in(far, "far")
        token = csrf(far)
        found = far.post("/people", data={"q": NAMES[0][0], "csrf": token})
        assert found.status_code == 200
        assert NAMES[0] not in found.text
        assert NAMES[0] not in far.get("/?all=true").text
        assert far.get(f"/people/{site.world.first}").status_code == 404
        assert far.get(f"/fhir/Patient/{site.world.first}", headers={"accept": "application/fhir+json"}).status_code == 404
        number = {"number": site.world.citizen_id, "csrf": token}
        assert far.post("/glass", data={**number, "reason": "急"}).status_code == 422
        opened = far.post("/glass", data={**number, "reason": "家属来电称昏倒在家"})
        assert opened.headers["location"] == f"/people/{site.world.first}"
        assert NAMES[0] in far.get(f"/people/{site.world.first}").text
    with httpx.Client(base_url=site.url, headers={"accept": "text/html"}) as auditor:
        sign_in(auditor, "auditor1")
        listed = auditor.get("/glass/review").text
        assert "家属来电称昏倒在家" in listed
        assert NAMES[0] not in listed
        number = re.search(r"/glass/review/(\d+)", listed)
        assert number is not None
        answer = auditor.post(f"/glass/review/{number[1]}", data={"justified": "true", "csrf": csrf(auditor)})
        assert answer.headers["location"] == "/glass/review"
        assert "家属来电称昏倒在家" not in auditor.get("/glass/review").text


def test_the_map_draws_ways_along_the_roads(client: httpx.Client) -> None:
    sign_in(client, "coordinator1")
    lanes = [lane for lane in client.get("/map/day.json", params={"all": "true"}).json()["lanes"] if len(lane["stops"]) > 1]
    assert lanes
    for lane in lanes:
        at = [[stop["lat"], stop["lon"]] for stop in lane["stops"] if "lat" in stop]
        assert [(leg["line"][0], leg["line"][-1]) for leg in lane["legs"]] == list(pairwise(at))
        assert all(leg["road"] for leg in lane["legs"])
    assert any(len(leg["line"]) > 3 for lane in lanes for leg in lane["legs"]), "a street has bends"
