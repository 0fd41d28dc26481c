"""The operator's pages: lines and messages without a word about a person, and every tool works from its form."""

import re
import time
from typing import Any

import httpx
import pytest
from conftest import Site
from test_web_browser import look, page, sign_in  # noqa: F401 - page is a fixture
from test_web_pages import sign_in as enter
from world import NAMES

from healthsvc import clock
from healthsvc.store import SYSTEM
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.mllp.server import LineState
from integrations.operating.open_lines import OpenLines
from integrations.outbox import send_later
from integrations.worker import Worker


@pytest.fixture(scope="module")
def letter(site: Site) -> int:
    """A message that waits for a review, one that broke, and one that no hospital took."""
    inbox = Inbox(site.database, shelf())
    inbox.start()
    for number, event in enumerate(("ADT^A01", "ADT^A31"), start=1):
        head = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||{event}|OP{number}|P|2.4\rEVN||20260105170124\r"
        pid = f"PID|1||K{number}^^^^IDCard||{NAMES[0]}||{'1930' if number == 1 else ''}|M\r"
        inbox.take_now(f"{head}{pid if number == 1 else pid.replace(NAMES[0], '')}".encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(site.database, shelf(), "test").drain()
    text = f"MSH|^~\\&|A|B|C|D|20260101||ADT^A31|1|P|2.4\rPID|1||1||{NAMES[0]}\r"
    OpenLines(site.database, "feeds1:4711", "10.1.9.2:2575", lambda: [LineState("10.1.9.4", 0.0, 12, 1)]).say()
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        send_later(store, "h1", "p", text, event="ADT^A31", problem="not sent: PID.PID_3")
    return 1


@pytest.mark.browser
def test_the_pages_are_fit_to_be_seen(page: Any, site: Site, letter: int) -> None:  # noqa: F811
    sign_in(page, site.url, "operator1")
    page.goto(f"{site.url}/operate")
    look(page, "operate-lines")
    page.goto(f"{site.url}/operate/messages/{letter}")
    look(page, "operate-message")


def test_an_operator_sees_lines_and_masked_messages_only(client: httpx.Client, site: Site, letter: int) -> None:
    enter(client, "operator1")
    listed = client.get("/operate").text
    assert "OP1" in listed
    assert all(word in listed for word in ("10.1.9.2:2575", "feeds1:4711", "10.1.9.4", "1 个连接")), "lines of another process"
    assert NAMES[0] not in listed
    seen = client.get(f"/operate/messages/{letter}").text
    assert "某某某" in seen
    assert "IDCard" in seen
    assert NAMES[0] not in seen
    sent = re.search(r"/operate/sent/(\d+)", listed)
    assert sent is not None
    assert NAMES[0] not in client.get(sent[0]).text
    assert client.get("/operate/messages/99999").status_code == 404


def test_the_tools_work_from_their_forms(client: httpx.Client, site: Site, letter: int) -> None:
    enter(client, "operator1")
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/operate").text)
    assert found is not None
    token = {"csrf": found[1]}
    assert client.post(f"/operate/messages/{letter}/edit", data={"position": "PID-8"}).status_code == 403, "without its token"
    edited = {**token, "position": ["MSH-9.2", "", ""], "value": ["A31", "", ""], "reason": "typing error"}
    there = client.post(f"/operate/messages/{letter}/edit", data=edited)
    assert there.status_code == 303
    assert "edited from message" in client.get(there.headers["location"]).text
    [two] = set(re.findall(r"/operate/messages/(\d+)/again", client.get("/operate").text))
    assert client.post(f"/operate/messages/{two}/close", data={**token, "reason": ""}).status_code == 422
    assert client.post(f"/operate/messages/{two}/close", data={**token, "reason": "test"}).status_code == 303
    sent = re.search(r"/operate/sent/(\d+)", client.get("/operate").text)
    assert sent is not None
    assert client.post(f"{sent[0]}/again", data=token).status_code == 303
    assert client.post(f"{sent[0]}/close", data={**token, "reason": "test"}).status_code == 303
    span = {"since": "2020-01-01T00:00", "until": "2099-01-01T00:00"}
    assert "条消息已重新排队" in client.post("/operate/replay", data={**token, **span}).text
    assert client.post("/operate/replay", data={**token, "since": "x", "until": "y"}).status_code == 422


def test_timers_are_seen_by_operators_and_run_by_the_system_administrator(client: httpx.Client, site: Site) -> None:
    enter(client, "operator1")
    seen = client.get("/operate/jobs").text
    assert "季度体检排期" in seen
    assert "立即运行" not in seen
    found = re.search(r'name="csrf" value="([^"]+)"', seen)
    assert found is not None
    assert client.post("/operate/jobs/risk-tags/run", data={"csrf": found[1]}).status_code == 403
    client.cookies.clear()
    enter(client, "system1")
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/operate/jobs").text)
    assert found is not None
    assert client.post("/operate/jobs/sessions-forget/run", data={"csrf": found[1]}).status_code == 303
    assert client.post("/operate/jobs/gossip/run", data={"csrf": found[1]}).status_code == 404
    for _ in range(100):
        row = client.get("/operate/jobs").text.partition("清理过期登录")[2].partition("</tr>")[0]
        if "正常" in row:
            break
        time.sleep(0.05)
    assert "正常" in row


def test_the_audit_is_searched_by_person_actor_act_and_day_and_notes_that(client: httpx.Client, site: Site) -> None:
    enter(client, "doctor1")
    client.get(f"/people/{site.world.first}")
    client.cookies.clear()
    enter(client, "auditor1")
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/audit").text)
    assert found is not None
    token = {"csrf": found[1]}
    site.database.reads.flush()
    for typed in (site.world.first, f"Patient/{site.world.first}", site.world.citizen_id):
        by_person = client.post("/audit", data={**token, "patient": typed, "action": "read"}).text
        assert "程致和" in by_person, typed
        assert NAMES[0] not in by_person
    assert "没有记录" in client.post("/audit", data={**token, "patient": site.world.first, "last": "2020-01-01"}).text
    assert client.post("/audit", data={**token, "first": "2026-02-02", "last": "2026-02-01"}).status_code == 422
    assert client.post("/audit", data={**token, "first": "yesterday"}).status_code == 422
    everything = client.post("/audit", data=token).text
    assert "更早的记录" in everything
    before = re.search(r'name="before" value="(\d+)"', everything)
    assert before is not None
    assert client.post("/audit", data={**token, "before": before[1]}).text != everything
    site.database.reads.flush()
    assert "查询审计" in client.post("/audit", data={**token, "actor": "user/auditor1"}).text


def test_the_bureau_has_ledgers_with_masked_names_and_a_doctor_may_name_the_purpose(client: httpx.Client, site: Site) -> None:
    enter(client, "bureau1")
    listed = client.get("/figures").text
    assert "/figures/ledgers/contracts" in listed
    seen = client.get("/figures/ledgers/contracts?first=2020-01-01&purpose=care").text
    assert "单**" in seen
    assert NAMES[0] not in seen
    by_doctor = client.get("/figures/ledgers/contracts?first=2020-01-01&by=doctor&value=Practitioner/doctor-1").text
    assert "程致和" in by_doctor
    assert by_doctor.count("<tr>") < seen.count("<tr>")
    assert client.get("/figures/ledgers/contracts?by=area&value=").status_code == 200
    assert client.get("/figures/ledgers/contracts?by=shoes").status_code == 422
    assert client.get("/figures/ledgers/gossip").status_code == 404
    for form, head in (("csv", b"\xef\xbb\xbf"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
        assert client.get(f"/figures/ledgers/contracts.{form}?first=2020-01-01").content.startswith(head)
    client.cookies.clear()
    enter(client, "doctor1")
    assert NAMES[0] not in client.get("/figures/ledgers/contracts?first=2020-01-01").text
    assert NAMES[0] in client.get("/figures/ledgers/contracts?first=2020-01-01&purpose=care").text
