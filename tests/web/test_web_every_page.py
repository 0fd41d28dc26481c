"""Every page that has a route, by every role that may open it; one town, one browser, a time zone that is not China's.

A new page is looked at without anybody thinking of it: it only has to say under which address it can be seen (:data:`EXAMPLES`).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pytest
import time_machine
from conftest import NO_FACTOR, SHOTS, keep_shot, objections
from fastapi.routing import APIRoute
from serving import serving
from sqlalchemy import select
from test_web_bedside import _dose
from test_web_forms import send
from test_web_pages import csrf
from world import DOCTORS, NURSES, PASSWORD, World, build

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.access.door import session_life
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.emergency import service as emergency
from healthsvc.installation import Installation, open_installation
from healthsvc.jobs_desk import Timetable
from healthsvc.store import SYSTEM
from healthsvc.store.outbox import OUTBOX
from healthsvc.timetable import jobs
from healthsvc.web import words
from healthsvc.web.router import _PAGES
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.operating.desk import Desk
from integrations.outbox import send_later
from integrations.worker import Worker

pytestmark = pytest.mark.browser
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
LOGINS = ("doctor1", "coordinator1", "nurse1", "head1", "bureau1", "window1", "hotline1", "operator1", "system1", "admin1", "auditor1")
"""One of each role; the first who may open a page looks at it in the browser, all others ask for it."""
LIGHT, WITH_MAP = 200, 450
"""Kilobytes as they come over the line, with and without a map or charts."""
NO_PAGE = {
    "/start", "/sign-in/provider", "/sign-in/provider/back", "/auth/authorize", "/map/roads.json", "/map/circles.json", "/map/day.json",
    "/contracts/{id}/paper.pdf", "/documents/{id}.pdf", "/cards/{token}", "/beds/{bed}/papers/{name}.pdf", "/infusions/drugs.csv",
    "/roster/template.xlsx", "/figures/ledgers/{name}.{form}", "/help/pictures/{name}", "/api/hl7/origin/{type}/{id}",
    "/people/{id}/story", "/infusions/running", "/emergency/list", "/emergency/{alarm}/course", "/account/code",
    "/infusions/reactions/{event}", "/worker.js", "/api/pocket/hello", "/api/pocket/days", "/pocket", "/pocket/desk/{key}",
    "/map/siting.json", "/board/week/proposal", "/progress/{id}",
    "/attachments/{type}/{id}/{turn}", "/progress/open", "/board/{on}/visits/{task}", "/board/{on}/visits/{task}/why", "/board/{on}/risk",
    "/board/{on}/proposal", "/board/{on}/what-if",
}  # fmt: skip
"""Routes that answer with something else than a whole page (a file, a part of a page, the way to another page), or with one that only
stands after somebody has planned, reacted or come back from a round; those have tests of their own."""


@dataclass(slots=True)
class Town:
    """A served town at a fixed moment, and what stands where."""

    url: str
    world: World
    installation: Installation
    ids: dict[str, str]
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    data = tmp_path_factory.mktemp("every-page")
    (data / "policy").mkdir()
    (data / "policy" / "access.toml").write_text(NO_FACTOR, encoding="utf-8")
    with time_machine.travel(AT, tick=True):
        installation = open_installation(settings=Settings(data=data))
        world = build(installation.database, AT.astimezone(clock.zone(installation.settings.zone)))
        ids = _scene(installation, world)
        timetable = Timetable(installation.database, jobs(session_life(installation.settings), data))
        with serving(create_app(installation, wiring={"desk": Desk(shelf()), "timetable": timetable, "origin": _no_origin})) as url:
            here = Town(url, world, installation, ids)
            for login in LOGINS:
                with httpx.Client(base_url=url) as client:
                    assert client.post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 303, login
                    here.cookies[login] = dict(client.cookies)
            yield here
        installation.close()


def _no_origin(*_: object) -> list[object]:
    return []


def _scene(installation: Installation, world: World) -> dict[str, str]:
    """A bed with a dose, an alarm, a referral, a form, a message of each kind."""
    with installation.database.writing(SYSTEM, at=AT) as store:
        dose = _dose(store)
        store.put({"resourceType": "Organization", "id": "lanwan", "name": "澜湾医院"})
        for login, role, who in (("nurse1", "nurse", "Practitioner/nurse-1"), ("head1", "centre-head", None)):
            accounts.create_user(
                store, login, role, name={"nurse1": "苏念安", "head1": "沈主任"}[login], practitioner=who, password=PASSWORD
            )
        alarm = emergency.raise_alarm(store, world.first, "fall", "operator", AT)
        send_later(
            store, "h1", "p", "MSH|^~\\&|A|B|C|D|20260101||ADT^A31|1|P|2.4\rPID|1||1||某\r", event="ADT^A31", problem="not sent: PID-3"
        )
        found = {
            "dose": dose,
            "sent": str(store.connection.execute(select(OUTBOX.c.id).where(OUTBOX.c.kind == "hl7:h1")).scalars().first()),
            "alarm": alarm.id,
            "contract": store.select("Contract", patient=world.first)[0]["id"],
            "bed": store.select("EpisodeOfCare")[0]["id"],
            "course": next(one["id"] for one in store.select("MedicationRequest") if one["status"] == "active"),
            "in-bed": store.select("EpisodeOfCare")[0]["patient"]["reference"].rpartition("/")[2],
        }
    inbox = Inbox(installation.database, shelf())
    inbox.start()
    message = "MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A01|OP1|P|2.4\rEVN||20260105170124\rPID|1||K1^^^^IDCard||某某||1930|M\r"
    inbox.take_now(message.encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(installation.database, shelf(), "test").drain()
    return found


def _by_hand(town: Town) -> None:
    """What a doctor writes from the pages: a form, a referral."""
    first = town.world.first
    with httpx.Client(base_url=town.url, cookies=town.cookies["doctor1"], timeout=30) as client:
        form = send(client, f"/people/{first}/forms/hypertension-follow-up", systolic_left="168", diastolic_left="88")
        assert form.status_code == 303
        given = {"csrf": csrf(client), "summary": "复查", "hospital": "Organization/lanwan"}
        options = re.findall(r'<option value="([a-z-]+)"', client.get(f"/people/{first}/referral").text)
        reason = next(one for one in options if one)
        made = client.post(f"/people/{first}/referral", data=given | {"reason": reason, "requester": "Practitioner/doctor-1"})
        assert made.status_code == 303, made.text
        town.ids["referral"] = made.headers["location"].rpartition("/")[2]
    with town.installation.database.reading(SYSTEM, at=AT) as store:
        town.ids["response"] = store.select("QuestionnaireResponse", patient=first)[0]["id"]


def examples(path: str, town: Town) -> list[str]:
    """Where the pages of a route can be seen.

    Raises:
        KeyError: a new route; say here where it can be seen, or list it among NO_PAGE.
    """
    first, ids = town.world.first, town.ids
    if "{" not in path:
        return [path]
    known = {
        "/visits/{id}": [f"/visits/{town.world.due}", "/visits/past-0"],
        "/visits/{id}/form": [f"/visits/{town.world.due}/form"],
        "/visits/{id}/bedside": [f"/visits/{ids['dose']}/bedside"],
        "/visits/{id}/bedside/record": [f"/visits/{ids['dose']}/bedside/record"],
        "/people/{id}/forms/{name}": [
            f"/people/{first}/forms/{name}" for name in ("self-care", "personal-information", "health-check-basic")
        ],
        "/people/{id}/bed": [f"/people/{first}/bed"],
        "/people/{id}/infusion": [f"/people/{ids['in-bed']}/infusion"],
        "/forms/{response}": [f"/forms/{ids['response']}"],
        "/forms/{response}/amend": [f"/forms/{ids['response']}/amend"],
        "/referrals/{id}": [f"/referrals/{ids['referral']}"],
        "/contracts/{id}": [f"/contracts/{ids['contract']}"],
        "/beds/{bed}": [f"/beds/{ids['bed']}"],
        "/infusions/{course}": [f"/infusions/{ids['course']}"],
        "/emergency/{alarm}": [f"/emergency/{ids['alarm']}"],
        "/figures/ledgers/{name}": ["/figures/ledgers/contracts?first=2026-01-01"],
        "/figures/{code}": ["/figures/fulfilment", "/figures/overdue"],
        "/operate/messages/{id}": ["/operate/messages/1"],
        "/operate/sent/{id}": [f"/operate/sent/{ids['sent']}"],
        "/help/{name}": ["/help/health-file", "/help/role-nurse"],
        "/reports/{id}": ["/reports/report-1"],
        "/origin/{type}/{id}": [f"/origin/Patient/{first}"],
    }
    if path not in known and path.startswith("/people/{id}"):
        return [path.replace("{id}", first)]
    return known[path]


def pages(town: Town) -> list[str]:
    """Every address that is a page."""
    paths = [route.path for module in _PAGES for route in module.router.routes if isinstance(route, APIRoute) and "GET" in route.methods]
    return [one for path in dict.fromkeys(paths) if path not in NO_PAGE for one in examples(path, town)]


def told_wrong(html: str, url: str) -> list[str]:
    """What may not stand in any page, whoever reads it."""
    found = []
    if re.search(r"<script(?![^>]*\bsrc=)|\son[a-z]+=\"|\sstyle=\"|<style", html):
        found.append("an inline script or style")
    found += [
        one for one in re.findall(r'(?:src|href|action)="(https?://[^"]+)"', html) if not one.startswith(url) and "openstreetmap" not in one
    ]
    if html.count("<h1") != 1:
        found.append(f"{html.count('<h1')} first headings")
    if not re.search(r'<a class="skip" href="#main"', html) or 'id="main"' not in html:
        found.append("no way past the menu")
    return found


@pytest.fixture(scope="module")
def readers(town: Town) -> dict[str, list[str]]:
    """Page -> who may open it; each was asked for by everybody, and what came is sound."""
    _by_hand(town)
    found: dict[str, list[str]] = {page: [] for page in pages(town)}
    wrong: list[tuple[str, str, object]] = []
    for login in LOGINS:
        with httpx.Client(base_url=town.url, cookies=town.cookies[login], timeout=60, headers={"accept": "text/html"}) as client:
            for page in found:
                answer = client.get(page)
                if answer.status_code == 200 and "text/html" not in answer.headers["content-type"]:
                    continue  # drawings of a map, files
                if answer.status_code == 200:
                    found[page].append(login)
                    wrong += [(login, page, one) for one in told_wrong(answer.text, town.url)]
                elif answer.status_code == 422 and page.startswith("/mine/"):
                    continue  # one's own pages, asked for by an account that stands for nobody who makes visits; their menu has none
                elif answer.status_code not in (303, 403):
                    wrong.append((login, page, answer.status_code))
    assert wrong == [], "\n".join(map(str, wrong))
    return found


def test_every_page_has_a_reader(readers: dict[str, list[str]]) -> None:
    unread = {page for page, who in readers.items() if not who}
    assert unread - {"/sign-in", "/account/second-factor"} == set()
    assert len(readers) > 55


def test_every_page_is_sound_in_a_browser_far_away(town: Town, readers: dict[str, list[str]], chromium: Any) -> None:
    """axe, weight, nothing asked of others, nothing on the console, nothing sticking out at 390 pixels. Pictures with ``--shots``."""
    folder = SHOTS / "every"
    folder.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    weights: dict[str, int] = {}
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-US", timezone_id="America/Los_Angeles")
    opened = context.new_page()
    session = context.new_cdp_session(opened)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[int] = []
    now = [""]
    session.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    opened.on(
        "request",
        lambda asked: faults.append(f"{now[0]}: asks {asked.url}") if not asked.url.startswith((town.url, "data:", "blob:")) else None,
    )
    opened.on("console", lambda said: faults.append(f"{now[0]}: {said.text}") if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: faults.append(f"{now[0]}: {error}"))
    last = ""
    for page, who in sorted(readers.items(), key=lambda one: LOGINS.index(one[1][0]) if one[1] else 99):
        if not who:
            continue
        if who[0] != last:
            last = who[0]
            context.clear_cookies()
            context.add_cookies([{"name": name, "value": value, "url": town.url} for name, value in town.cookies[last].items()])
        now[0] = page
        sizes.clear()
        opened.set_viewport_size({"width": 1280, "height": 900})
        opened.goto(town.url + page, wait_until="load")
        if opened.locator("#map").count():
            opened.wait_for_selector("#map[data-drawn=true]")
        weights[page] = sum(sizes) // 1024
        if weights[page] > (WITH_MAP if opened.locator("#map, svg.trend").count() else LIGHT):
            faults.append(f"{page}: weighs {weights[page]} KB")
        faults += [f"{page}: {rule} {places}" for rule, places in objections(opened)]
        name = re.sub(r"[^a-z0-9]+", "-", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", page)).strip("-") or "today"
        keep_shot(opened, folder / f"{name[:60]}-1280.png")
        opened.set_viewport_size({"width": 390, "height": 844})
        wide = opened.evaluate("document.documentElement.scrollWidth")
        if wide > 390:
            faults.append(f"{page}: {wide} pixels wide on a phone")
        keep_shot(opened, folder / f"{name[:60]}-390.png")
    (SHOTS / "weights.json").write_text(json.dumps(weights, indent=1), encoding="utf-8")
    context.close()
    assert faults == [], "\n".join(faults)


def test_dates_are_the_site_s_wherever_the_browser_is(town: Town, chromium: Any) -> None:
    """The same words in Shanghai and in Los Angeles, where it is still the day before."""
    told: dict[str, list[str]] = {}
    for zone in ("Asia/Shanghai", "America/Los_Angeles"):
        context = chromium.new_context(timezone_id=zone, locale="zh-CN")
        context.add_cookies([{"name": name, "value": value, "url": town.url} for name, value in town.cookies["doctor1"].items()])
        opened = context.new_page()
        for page in ("/", f"/people/{town.world.first}", "/contracts", "/reminders", f"/visits/{town.world.due}", "/figures"):
            opened.goto(town.url + page)
            if opened.locator("#map").count():
                opened.wait_for_selector("#map[data-drawn=true]")
            told.setdefault(page, []).append(opened.locator("main").inner_text())
        context.close()
    assert {page: both for page, both in told.items() if both[0] != both[1]} == {}
    assert "11月23日 周一" in told["/"][0] or "2026年11月23日" in told["/"][0]


def test_by_keyboard_the_way_past_the_menu_and_a_visible_focus(town: Town, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": name, "value": value, "url": town.url} for name, value in town.cookies["doctor1"].items()])
    opened = context.new_page()
    opened.goto(f"{town.url}/contracts")
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    assert opened.locator(".skip").bounding_box()["y"] >= 0, "seen when it has the focus"
    opened.keyboard.press("Enter")
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.getElementById('main').contains(document.activeElement)")
    seen = []
    opened.goto(f"{town.url}/contracts")
    for _ in range(40):
        opened.keyboard.press("Tab")
        seen.append(opened.evaluate(
            """() => { const one = document.activeElement, look = getComputedStyle(one), box = one.getBoundingClientRect();
                return [one.tagName, look.outlineStyle !== 'none' || look.boxShadow !== 'none', box.width > 0]; }"""
        ))  # fmt: skip
    unseen = [one for one in seen if one[0] != "BODY" and not (one[1] and one[2])]
    assert unseen == []
    context.close()


PAPER = {"/": 3, "/contracts": 3, "/figures": 3, "/reminders": 2, "/help/health-file": 8}


def test_paper_fits_the_page(town: Town, chromium: Any, tmp_path: Path) -> None:
    """Printed on A4 nothing is cut at the side, and a list does not spread over more sheets than it has rows for."""
    context = chromium.new_context(viewport={"width": 794, "height": 1123})
    context.add_cookies([{"name": name, "value": value, "url": town.url} for name, value in town.cookies["doctor1"].items()])
    opened = context.new_page()
    first = town.world.first
    for page, most in {**PAPER, f"/people/{first}": 4, f"/people/{first}/card": 1, f"/visits/{town.ids['dose']}/bedside/record": 2}.items():
        opened.goto(town.url + page)
        opened.emulate_media(media="print")
        beyond = opened.evaluate(
            """() => [...document.querySelectorAll('main *')].filter(one => {
                const box = one.getBoundingClientRect();
                return box.width > 0 && box.right > document.documentElement.clientWidth + 1 && !one.closest('svg, .sr'); })
                .slice(0, 3).map(one => one.tagName + '.' + one.className)"""
        )
        assert beyond == [], f"{page}: cut at the side"
        for part in (".top", ".side", "#notice"):
            assert opened.locator(part).count() == 0 or not opened.locator(part).first.is_visible(), f"{page}: {part} on paper"
        paper = tmp_path / "page.pdf"
        opened.pdf(path=paper, format="A4", prefer_css_page_size=True)
        with pikepdf.open(paper) as sheets_of:
            sheets = len(sheets_of.pages)
        assert 1 <= sheets <= most, f"{page}: {sheets} sheets"
        opened.emulate_media(media="screen")
    context.close()


class Recorder(dict[str, str]):
    """The catalogue, which remembers what it was asked for in vain."""

    missed: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        """As a dictionary's."""
        if key not in self and re.search(r"[\u4e00-\u9fff]", key):
            self.missed.add(key)
        return super().get(key, default)


def test_every_page_speaks_english(town: Town, readers: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pages say in Chinese and the catalogue lacks: only what people and hospitals have written."""
    catalogue = Recorder(words.english())
    catalogue.missed = set()
    monkeypatch.setattr(words, "english", lambda: catalogue)
    for page, who in readers.items():
        if who:
            cookies = {**town.cookies[who[0]], words.COOKIE: "en"}
            with httpx.Client(base_url=town.url, cookies=cookies, timeout=60) as client:
                assert '<html lang="en">' in client.get(page).text
    missed = sorted(one for one in catalogue.missed - WRITTEN if "**" not in one)
    assert missed == [], "\n".join(missed)


WRITTEN = {
    "生化全套",
    "市纺织机械厂",
    "拾光社区",
    "肌酐",
    "钾",
    "血红蛋白",
    "头孢曲松钠",
    "澜湾医院",
    "澜湾医院 老干部病房 3 床",
    "低盐饮食，按时服药。",
    "慢性阻塞性肺疾病急性加重",
    "示范医院",
    "某某",
    "肺炎恢复期",
    *DOCTORS,
    *NURSES,
    "绿色通道:优先就诊、优先结算、优先取药(离休干部)",
    "高血压随访分类",
    "2型糖尿病随访分类",
}
"""What stands in the files of this town, in the words of whoever wrote it."""
