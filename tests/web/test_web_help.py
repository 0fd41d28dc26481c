"""使用帮助: each role finds its own page first, in the words of the buttons, and every link leads to a page which that role may open."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conftest import Site
from serving import NO_TLS
from test_web_browser import look
from world import PASSWORD

from healthsvc import clock
from healthsvc.access import accounts
from healthsvc.access.rules import ROLE_TITLES, Role
from healthsvc.store import SYSTEM
from healthsvc.web import words
from healthsvc.web.help import CHINESE, DOCS, READERS, ROLES

LINK = re.compile(r'<a [^>]*href="(/[^"#]*)')
MAIN = re.compile(r"<main.*</main>", re.S)
SPOKEN = re.compile(r"\*\*([^*]+)\*\*|\[([^\]]+)\]\(/")
VISITING = {Role.DOCTOR: "Practitioner/doctor-2", Role.NURSE: "Practitioner/nurse-2"}


@pytest.fixture(scope="module")
def readers(site: Site) -> Iterator[dict[Role, httpx.Client]]:
    """One who is signed in for each role."""
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        for role in ROLES:
            accounts.create_user(store, f"help-{role}", role, name=role, practitioner=VISITING.get(role), password=PASSWORD)
    opened = {}
    for role in ROLES:
        client = opened[role] = httpx.Client(base_url=site.url, headers={"accept": "text/html"}, timeout=60, verify=NO_TLS)
        assert client.post("/sign-in", data={"login": f"help-{role}", "password": PASSWORD}).status_code == 303
    yield opened
    for client in opened.values():
        client.close()


def links(client: httpx.Client, path: str) -> list[str]:
    main = MAIN.search(client.get(path).text)
    assert main is not None
    return list(dict.fromkeys(LINK.findall(main[0])))


@pytest.mark.parametrize("role", ROLES)
def test_every_link_leads_to_a_page_which_that_role_may_open(readers: dict[Role, httpx.Client], role: Role) -> None:
    client = readers[role]
    found = links(client, "/help")
    named = re.findall(r"\]\((/[^)]*)\)", (DOCS / "roles" / f"{role}.md").read_text(encoding="utf-8"))
    assert named
    assert set(named) <= set(found), "its own page keeps every link"
    if role is not Role.DOCTOR:  # documents are open to everybody alike
        found = [path for path in found if not path.startswith("/help/")]
    for path in found:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.headers.get("location"))


def test_the_page_of_another_role_leads_nowhere_where_the_reader_may_not_go(readers: dict[Role, httpx.Client]) -> None:
    for reader in (Role.BUREAU, Role.NURSE):
        found = {path for role in ROLES for path in links(readers[reader], f"/help/role-{role}") if not path.startswith("/help")}
        assert found
        for path in found:
            assert readers[reader].get(path).status_code == 200, (reader, path)
    assert "运行维护" in readers[Role.BUREAU].get("/help/role-operator").text, "the words stay"


@pytest.mark.parametrize("role", ROLES)
def test_the_page_of_a_role_speaks_the_words_of_the_pages_and_is_short(role: Role) -> None:
    text = (DOCS / "roles" / f"{role}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {ROLE_TITLES[role]}：")
    assert len(text) < 1200, "one screen at most"
    known = words.english().keys() | {zh for zh, _ in words.codes().values()}
    spoken = {bold or link for bold, link in SPOKEN.findall(text)}
    assert spoken
    assert spoken - known == set(), "a word that is set off stands on a page"


def test_each_role_reads_its_own_page_first_and_its_own_documents_first(readers: dict[Role, httpx.Client]) -> None:
    window = readers[Role.HOSPITAL_WINDOW].get("/help").text
    assert window.index("医院窗口：怎样查") < window.index("其他岗位") < window.index("床旁与上门")
    operator = readers[Role.OPERATOR].get("/help").text
    assert operator.index("医院接口工程师</h3>") < operator.index("床旁与上门</h3>")
    doctor = readers[Role.DOCTOR].get("/help").text
    assert doctor.index("床旁与上门</h3>") < doctor.index("医院接口工程师</h3>")
    assert "医生：每天做什么" in doctor
    assert "护士：每天做什么" not in doctor


def test_every_document_stands_under_one_heading() -> None:
    listed = [name for _, _, names in READERS for name in names]
    assert sorted(listed) == sorted(one.stem for one in DOCS.glob("*.md"))
    assert {one.stem for one in (DOCS / "roles").glob("*.md")} == set(ROLES)


def test_whoever_cares_for_people_reads_chinese(readers: dict[Role, httpx.Client]) -> None:
    read = {name for _, roles, names in READERS if roles & {Role.DOCTOR, Role.NURSE, Role.COORDINATOR, Role.BUREAU} for name in names}
    assert {one.stem for one in CHINESE.glob("*.md")} == read
    for path in CHINESE.glob("*.md"):
        text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", path.read_text(encoding="utf-8"))
        assert re.findall(r"[A-Za-z]{2,}(?:[ ,.]+[A-Za-z]{2,}){3,}", text) == [], f"{path.name}: a sentence that is not Chinese"
    nurse = readers[Role.NURSE]
    page = nurse.get("/help/home-care").text
    assert "上门输液的十二道关" in page
    assert "asked again at the bedside" not in page
    assert 'href="/help/home-care?full=true"' in page
    assert "asked again at the bedside" in nurse.get("/help/home-care?full=true").text
    english = nurse.get("/help/home-care", headers={"cookie": f"healthsvc={nurse.cookies['healthsvc']}; lang=en"}).text
    assert "asked again at the bedside" in english


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_fit_to_be_seen(chromium: Any, site: Site, readers: dict[Role, httpx.Client], width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900})
    context.add_cookies([{"name": one.name, "value": one.value, "url": site.url} for one in readers[Role.DOCTOR].cookies.jar])
    page = context.new_page()
    page.keeps_pictures = False
    page.goto(f"{site.url}/help")
    look(page, "help")
    context.close()
