"""The operator's pages: lines and messages without a word about a person, and every tool works from its form."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Site
from hospital import cadre
from sqlalchemy import select
from test_web_browser import look, page, sign_in  # noqa: F401 - page is a fixture
from test_web_pages import sign_in as enter
from world import NAMES

import integrations
from healthsvc import clock
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import V3_ACT_CODE, hospital_number
from healthsvc.healthfile.rules import Person
from healthsvc.healthfile.service import update_demographics
from healthsvc.store import SYSTEM, Actor
from healthsvc.store.outbox import OUTBOX
from healthsvc.store.tables import AuditRow
from healthsvc.web import words
from integrations.answers import KIND, TAKEN
from integrations.effects.by_rule import closed_by_rule
from integrations.hospitals.shelf import shelf
from integrations.inbox import Inbox
from integrations.keep import INBOX
from integrations.mllp.state import LineState
from integrations.operating.desk import Desk
from integrations.operating.open_lines import OpenLines
from integrations.outbox import send_later
from integrations.refusals import Refusals
from integrations.worker import Worker

SAID_OF = "测试庚"
"""Who the waiting messages are about; nobody of the town, since a later test has the worker open their file."""
AUDIT = AuditRow.__table__  # type: ignore[attr-defined]
_REASON = re.compile(r'reason="([a-z-]+)"')
INBOX_REASONS = {
    code
    for place in ("effects/*.py", "arrival.py", "reading.py", "hl7v2/*.py", "operating/*.py")
    for file in Path(integrations.__path__[0]).glob(place)
    for code in _REASON.findall(file.read_text(encoding="utf-8"))
}
"""What the hospital line says of a message that it cannot take, as its own code has it."""


@pytest.fixture(scope="module")
def letter(site: Site) -> int:
    """A message that waits for a review, one that broke, and one that no hospital took."""
    inbox = Inbox(site.database, shelf())
    inbox.start()
    for number, event in enumerate(("ADT^A01", "ADT^A31"), start=1):
        head = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||{event}|OP{number}|P|2.4\rEVN||20260105170124\r"
        pid = f"PID|1||K{number}^^^^IDCard||{SAID_OF}||{'1930' if number == 1 else ''}|M\r"
        inbox.take_now(f"{head}{pid if number == 1 else pid.replace(SAID_OF, '')}".encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(site.database, shelf(), "test").drain()
    text = f"MSH|^~\\&|A|B|C|D|20260101||ADT^A31|1|P|2.4\rPID|1||1||{SAID_OF}\r"
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        send_later(store, "h1", "p", text, event="ADT^A31", problem="not sent: PID.PID_3")
        for name, is_told in (("无A03医院", False), ("有A03医院", True)):
            code = "ends-told" if is_told else "ends-never"
            store.put({"resourceType": "Organization", "id": code, "name": name})
            visit: Resource = {
                "resourceType": "Encounter", "id": f"stay-{code}", "status": "in-progress", "class": {"system": V3_ACT_CODE, "code": "AMB"},
                "serviceProvider": {"identifier": {"system": "urn:test", "value": code}},
            }  # fmt: skip
            ended = {"status": "finished", "period": {"end": store.at.isoformat()}}
            store.put(visit | ended if is_told else closed_by_rule(visit, store.at))
    return 1


def test_whatever_a_line_says_of_a_failed_delivery_has_chinese_words() -> None:
    source = (Path(integrations.__path__[0]) / "mllp/client.py").read_text(encoding="utf-8")
    said = re.findall(r'(?:return|NoAnswer\() ?f?"(?:\{noise\})?((?:the|TLS)[^"]*)"', source)
    assert len(said) >= 7
    gone = ("in the midst of its answer", "before it had answered")
    spoken = {text.replace("{error}", how).partition("{")[0] for text in said for how in gone}
    assert [text for text in spoken if not words.delivery_words(text)] == []
    assert "不是完整的 MLLP 应答" in words.delivery_words("what came is no framed answer (junk): the peer did not answer within 10 s")
    assert words.delivery_words("AE unknown patient") == ""


@pytest.mark.browser
def test_the_pages_are_fit_to_be_seen(page: Any, site: Site, letter: int) -> None:  # noqa: F811
    sign_in(page, site.url, "operator1")
    page.goto(f"{site.url}/operate")
    look(page, "operate-lines")
    page.goto(f"{site.url}/operate/messages/{letter}")
    look(page, "operate-message")


@pytest.mark.usefixtures("letter")
def test_a_control_id_that_was_used_again_for_other_content_is_said_on_the_message(client: httpx.Client, site: Site) -> None:
    inbox = Inbox(site.database, shelf())
    inbox.start()
    for birth in ("19300101", "19300102"):
        head = "MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A31|OP-AGAIN|P|2.4\rEVN||20260105170124\r"
        inbox.take_now(f"{head}PID|1||K9^^^^IDCard||{SAID_OF}||{birth}|M\r".encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    ours = INBOX.c.control_id == "OP-AGAIN"
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        ids = store.connection.execute(select(INBOX.c.id).where(ours).order_by(INBOX.c.id)).scalars().all()
        store.connection.execute(INBOX.update().where(ours).values(state="closed"))
    enter(client, "operator1")
    assert ["医院重用了控制号，内容不同" in client.get(f"/operate/messages/{id}").text for id in ids] == [False, True]


def test_an_operator_sees_lines_and_masked_messages_only(client: httpx.Client, site: Site, letter: int) -> None:
    enter(client, "operator1")
    away = Refusals()
    away.note("10.1.9.77", "TLS: peer did not return a certificate")
    OpenLines(site.database, "feeds1:4711", "10.1.9.2:2575", lambda: [LineState("10.1.9.4", 0.0, 12, 1)], refused=away.of_late).say()
    listed = client.get("/operate").text
    assert "OP1" in listed
    assert all(word in listed for word in ("10.1.9.2:2575", "feeds1:4711", "10.1.9.4", "1 个连接")), "lines of another process"
    assert all(word in listed for word in ("10.1.9.77", "对方没有出示证书", "1 次")), "and whom it has turned away"
    assert SAID_OF not in listed
    rows = {name: row for row in listed.split("<tr>") for name in ("无A03医院", "有A03医院") if name in row}
    marked = {name: ("未收到离院消息" in row, re.findall(r'"number">(\d+)<', row)) for name, row in rows.items()}
    assert marked == {"无A03医院": (True, ["0", "1"]), "有A03医院": (False, ["1", "0"])}
    seen = client.get(f"/operate/messages/{letter}").text
    assert "改过的线路配置几秒内自动生效" in seen
    assert "某某某" in seen
    assert "IDCard" in seen
    assert SAID_OF not in seen
    sent = re.search(r"/operate/sent/(\d+)", listed)
    assert sent is not None
    assert SAID_OF not in client.get(sent[0]).text
    assert all("没有发出：消息没有通过发送前校验" in shown for shown in (listed, client.get(sent[0]).text))
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
    assert f"由消息 {letter} 更正而来：MSH-9.2" in client.get(there.headers["location"]).text
    [two] = set(re.findall(r"/operate/messages/(\d+)/again", client.get("/operate").text))
    assert client.post(f"/operate/messages/{two}/close", data={**token, "reason": ""}).status_code == 422
    assert client.post(f"/operate/messages/{two}/close", data={**token, "reason": "test"}).status_code == 303
    sent = re.search(r"/operate/sent/(\d+)", client.get("/operate").text)
    assert sent is not None
    assert client.post(f"{sent[0]}/again", data=token).status_code == 303
    assert "立即发送" in client.get(sent[0]).text, "it waits, and may be hastened"
    hastened = client.post("/operate/send-now", data={**token, "link": "h1"})
    assert "1 条待发消息立即发送" in client.get(hastened.headers["location"]).text
    assert client.post(f"{sent[0]}/close", data={**token, "reason": "test"}).status_code == 303
    span = {"since": "2020-01-01 00:00", "until": "2099-01-01T00:00"}
    assert "将重放的消息" in client.post("/operate/replay", data={**token, **span}).text
    assert "条消息已重新排队" in client.post("/operate/replay", data={**token, **span, "run": "true"}).text
    assert client.post("/operate/replay", data={**token, "since": "x", "until": "y"}).status_code == 422
    backward = client.post("/operate/replay", data={**token, "since": span["until"], "until": span["since"]})
    assert (backward.status_code, "结束时间早于开始时间" in backward.text) == (422, True)


def test_a_replay_names_the_merges_that_it_left_out(client: httpx.Client, site: Site) -> None:
    inbox = Inbox(site.database, shelf())
    inbox.start()
    for number, (event, last) in enumerate((("ADT^A28", ""), ("ADT^A28", ""), ("ADT^A40", "MRG|KM1^^^^IDCard\r")), start=1):
        head = f"MSH|^~\\&|HIS|H1|C|C|20260106||{event}|MERGE{number}|P|2.4\rEVN||20260106\r"
        pid = f"PID|1||KM{min(number, 2)}^^^^IDCard||{SAID_OF}||19310101|M\r"
        inbox.take_now(f"{head}{pid}{last}".encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(site.database, shelf(), "test").drain()
    desk = Desk(shelf())
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        [merge] = desk.letters(store, 5, number="MERGE3")
    enter(client, "operator1")
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/operate").text)
    assert token is not None
    why = {"reason": "two people", "csrf": token[1]}
    parted = client.post(f"/operate/messages/{merge.id}/unmerge", data=why)
    assert "已撤销合并，1 份档案恢复独立" in client.get(parted.headers["location"]).text
    again = client.post(f"/operate/messages/{merge.id}/unmerge", data=why)
    assert (again.status_code, "合并已被撤销，无需再撤" in again.text) == (404, True)
    span = {"since": "2020-01-01T00:00", "until": "2099-01-01T00:00", "csrf": token[1]}
    for step in ({}, {"run": "true"}):
        told = client.post("/operate/replay", data=span | step).text
        assert "1 条合并消息未重放" in told
        assert f'href="/operate/messages/{merge.id}"' in told
    Worker(site.database, shelf(), "test").drain()


def corrected(site: Site, number: str) -> str:
    """Somebody whose telephone a hospital has told and a nurse has put right since; a message about them waits. Gives the Patient id."""
    inbox = Inbox(site.database, shelf())
    inbox.start()
    for event in ("ADT^A28", "ADT^A03"):
        head = f"MSH|^~\\&|HIS|H1|C|C|20260107||{event}|{number}{event[-3:]}|P|2.4\rEVN||20260107\r"
        pid = f"PID|1||{number}^^^^IDCard||{SAID_OF}||19320202|M|||||12000000001\r"
        inbox.take_now(f"{head}{pid}".encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(site.database, shelf(), "test").drain()
    with site.database.writing(Actor("Practitioner/operate-n", door="page"), at=clock.now()) as store:
        patient = store.first("Patient", identifier=f"{hospital_number('h1')}|{number}")
        assert patient is not None
        return str(update_demographics(store, patient["id"], Person("", phones=("12000000002",))).patient["id"])


def test_a_replay_tells_beforehand_what_was_corrected_and_asks_whether_the_hospitals_word_counts(client: httpx.Client, site: Site) -> None:
    patient = corrected(site, "KC1")

    def telephone() -> str:
        Worker(site.database, shelf(), "test").drain()
        with site.database.reading(SYSTEM, at=clock.now()) as store:
            return str(store.read("Patient", patient)["telecom"][0]["value"])

    enter(client, "operator1")
    token = re.search(r'name="csrf" value="([^"]+)"', client.get("/operate").text)
    assert token is not None
    asked = {"since": "2020-01-01T00:00", "until": "2099-01-01T00:00", "patient": patient, "csrf": token[1]}
    told = client.post("/operate/replay", data=asked).text
    assert all(word in told for word in ("Patient", "telecom", 'name="overrule"'))
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', told))
    assert asked.items() | {("link", ""), ("run", "true")} <= hidden.items()
    assert "2 条消息已重新排队" in client.post("/operate/replay", data=hidden).text
    assert telephone() == "12000000002"
    seen = client.get("/operate", params={"number": "KC1A03"}).text
    [waiting] = set(re.findall(r"/operate/messages/\d+", seen))
    assert "telecom" in client.get(waiting).text, "before one message is tried again, too"
    assert "以医院所述为准" in client.post("/operate/replay", data={**hidden, "overrule": "true"}).text
    assert telephone() == "12000000001"
    assert client.post(f"{waiting}/again", data={"csrf": token[1], "overrule": "true"}).status_code == 303
    assert client.post(f"{waiting}/close", data={"csrf": token[1], "reason": "test"}).status_code == 404, "it is queued"
    Worker(site.database, shelf(), "test").drain()
    assert client.post(f"{waiting}/close", data={"csrf": token[1], "reason": "test"}).status_code == 303


def test_a_message_of_the_wrong_person_is_found_by_its_number_and_moved_from_its_page(client: httpx.Client, site: Site) -> None:
    """By the operator, with a reason; no word of the person on the way, and what it wrote is withdrawn from the one and with the other."""
    inbox = Inbox(site.database, shelf())
    inbox.start()
    wrong, right = (cadre(site.database, f"MV{n}", 860 + n)[0] for n in (1, 2))
    head = "MSH|^~\\&|HIS|H1|C|C|20260105170124||{}|{}|P|2.4\rPID|1||MV1^^^^IDCard||测试甲||19300101|M\r"
    result = "OBR|1|P1|F1|BIO^生化|||20260105080000|||||||||||||||20260105090000|||F\rOBX|1|NM|K^钾||4.1|mmol/L|||||F\r"
    inbox.take_now((head.format("ORU^R01", "MOVE1") + result).encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    worker = Worker(site.database, shelf(), "test")
    worker.drain()
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        [written] = store.select("Observation", patient=wrong, category="laboratory")
    enter(client, "operator1")
    seen = client.get("/operate", params={"number": "MOVE1"}).text
    [there] = set(re.findall(r"/operate/messages/\d+", seen))
    assert f"{there}/again" not in seen, "it is done: nothing to try again"
    assert client.get("/operate", params={"number": "MOVE0"}).text.count("没有这个控制号的消息") == 1
    shown = client.get(there).text
    assert re.findall(r'name="position" value="([^"]+)"', shown) == ["PID-3(1).1"]
    assert not {"MV1", "测试甲", wrong} & set(re.findall(r"\w+", shown))
    found = re.search(r'name="csrf" value="([^"]+)"', shown)
    assert found is not None
    moved = {"csrf": found[1], "position": "PID-3(1).1", "value": "MV2", "reason": "told by the ward"}
    assert client.post(f"{there}/move", data={**moved, "reason": ""}).status_code == 422
    nobody = client.post(f"{there}/move", data={**moved, "value": " "})
    assert (nobody.status_code, "请至少写一个正确的号码" in nobody.text) == (422, True)
    assert client.post(f"{there}/part", data=moved).status_code == 404, "it is about one person"
    to = client.post(f"{there}/move", data=moved)
    assert to.status_code == 303
    assert "已撤回 2 条记录" in client.get(to.headers["location"]).text
    assert "move-title" not in client.get(there).text, "once"
    worker.drain()
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        assert store.select("Observation", patient=wrong, category="laboratory") == []
        [there_now] = store.select("Observation", patient=right, category="laboratory")
        acts = store.connection.execute(select(AUDIT.c.actor, AUDIT.c.purpose).where(AUDIT.c.action == "hl7-misfiled")).all()
    assert (written["subject"]["reference"], there_now["status"]) == (f"Patient/{wrong}", "final")
    assert acts
    assert {tuple(act) for act in acts} == {("user/operator1", "told by the ward")}
    client.cookies.clear()
    enter(client, "doctor1")
    assert client.post(f"{there}/move", data=moved).status_code == 403


def test_where_a_value_came_from_is_asked_by_a_click(client: httpx.Client, site: Site) -> None:
    inbox = Inbox(site.database, shelf())
    inbox.start()
    head = "MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A31|OR1|P|2.4\rEVN||20260105170124\r"
    inbox.take_now(f"{head}PID|1||K77^^^^IDCard||测试辛||19300101|M\r".encode(), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(site.database, shelf(), "test").drain()
    with site.database.reading(SYSTEM, at=clock.now()) as store:
        [file] = store.select("Patient", identifier=f"{hospital_number('h1')}|K77")
    enter(client, "doctor1")
    there = f"/origin/Patient/{file['id']}"
    whole = client.get(there).text
    assert f"{there}?element=birthDate" in whole
    asked = client.get(there, params={"element": "birthDate"}).text
    assert all(word in asked for word in ("出生日期", "PID-7", "19300101", "OR1"))
    assert "T" not in re.findall(r"版本 \d+ · ([^<]+) · ", asked)[0], "a moment as it is read, not as it is stored"


def test_a_message_without_a_chinese_word_is_edited_with_one(client: httpx.Client, site: Site) -> None:
    inbox = Inbox(site.database, shelf())
    inbox.start()
    for id, name in (("ASC1", ""), ("LAT1", "J\xf6rg")):
        text = f"MSH|^~\\&|HIS|H1|C|C|20260105170124||ADT^A31|{id}|P|2.4||||||8859/1\rEVN||1\rPID|1||||{name}||19300101|M\r"
        inbox.take_now(text.encode("latin-1"), "127.0.0.1:1", "127.0.0.1")
    inbox.stop()
    Worker(site.database, shelf(), "test").drain()
    enter(client, "operator1")
    answers = []
    for id in ("ASC1", "LAT1"):
        listed = client.get("/operate", params={"number": id}).text
        [there] = set(re.findall(r"/operate/messages/\d+(?=\")", listed))
        token = re.search(r'name="csrf" value="([^"]+)"', client.get(there).text)
        assert token is not None
        edited = {"csrf": token[1], "position": "PID-5.1", "value": "测试丁", "reason": "told by the ward"}
        answers.append(client.post(f"{there}/edit", data=edited))
    assert answers[0].status_code == 303
    assert "某某某" in client.get(answers[0].headers["location"]).text
    assert (answers[1].status_code, "字符集写不出这个值" in answers[1].text) == (422, True)


def test_what_waits_for_an_answer_is_listed_with_its_time(client: httpx.Client, site: Site) -> None:
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        send_later(store, "h9", "p9", "MSH|^~\\&|A|B|C|D|20260101||ADT^A31|T1|P|2.5\rPID|1||1\r", event="ADT^A31")
        taken = {"state": TAKEN, "attempts": 1, "error": "CA; waits for the application answer"}
        store.connection.execute(OUTBOX.update().where(OUTBOX.c.kind == f"{KIND}h9").values(**taken))
    enter(client, "operator1")
    listed = client.get("/operate?link=h9").text
    assert "等应用应答至" in listed
    [there] = set(re.findall(r"/operate/sent/\d+", listed))
    shown = client.get(there).text
    assert "对方已收妥（CA）" in shown
    assert "CA; waits" not in shown


def test_an_operator_reads_in_chinese_why_a_message_waits() -> None:
    assert len(INBOX_REASONS) > 30
    assert sorted(INBOX_REASONS - set(words.reasons())) == []


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
    for _ in range(600):
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


@pytest.mark.browser
def test_a_line_in_trouble_and_what_was_corrected_are_fit_to_be_seen(page: Any, site: Site) -> None:  # noqa: F811
    number, away, desk = f"KP{page.viewport_size['width']}", Refusals(), Desk(shelf())
    patient = corrected(site, number)
    away.note("10.1.9.78", "certificate: unable to get local issuer certificate")
    lines = OpenLines(site.database, "feeds1:4712", "10.1.9.3:2575", lambda: [LineState("10.1.9.4", 0.0, 12, 1)], refused=away.of_late)
    lines.say()
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        send_later(store, "h1", number, f"MSH|^~\\&|A|B|C|D|20260101||ADT^A31|{number}|P|2.4\rPID|1||1||{SAID_OF}\r", event="ADT^A31")
        [waiting] = desk.letters(store, 5, number=f"{number}A03")
        due = store.connection.execute(select(OUTBOX.c.id).where(OUTBOX.c.number == number)).scalar_one()
    sign_in(page, site.url, "operator1")
    page.goto(f"{site.url}/operate")
    look(page, "operate-trouble")
    for name, value in (("since", "2020-01-01 08:00"), ("until", "2099-01-01 08:00"), ("patient", patient)):
        page.fill(f"#replay-{name}", value)
    page.locator("form[action='/operate/replay'] button").click()
    page.wait_for_selector("[name=overrule]")
    look(page, "operate-replay")
    for path in (f"messages/{waiting.id}", f"sent/{due}"):
        page.goto(f"{site.url}/operate/{path}")
        look(page, f"operate-{path.partition('/')[0]}")
    with site.database.writing(SYSTEM, at=clock.now()) as store:
        desk.close(store, waiting.id, "test")
        desk.send_never(store, due, "test")
    lines.stop()
