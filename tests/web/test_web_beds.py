"""A bed from application to discharge, and a course of infusions from the order to its record, on the pages alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import embedded
import httpx
import pytest
import time_machine
from serving import NO_TLS, serving
from staffed import staffed
from test_web_browser import look
from world import PASSWORD

from healthsvc.access import accounts
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.healthfile.rules import Category, Contact, ContactRole, Person
from healthsvc.healthfile.service import register
from healthsvc.infusion import hospital
from healthsvc.infusion.hospital import HospitalDose, HospitalOrder
from healthsvc.installation import Installation, open_installation
from healthsvc.store import SYSTEM, Store

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-11-23", "2026-11-24"
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
ASSESSED = {
    "doctor": "Practitioner/dr-1", "code": "J15.900", "diagnosis": "肺炎恢复期", "self_care": "20", "criterion_recurrent-infection": "1",
    "stable": "yes", "home_suitable": "yes", "carer": "yes", "indication": "反复感染,同意建床",
}  # fmt: skip
AGREED = {
    "doctor": "Practitioner/dr-1", "nurse": "Practitioner/nu-1", "bed_kind": "treatment", "signer": "family", "relation": "女儿",
    "signature": "wet-scan", "risks_told": "1", "fees_told": "1", "copies": "1",
}  # fmt: skip
ORDERED = {
    "drug": "氨溴索", "dose": "30 mg", "solvent": "0.9%氯化钠", "volume_ml": "100", "rate_ml_h": "120", "start": TOMORROW, "days": "2",
    "times_a_day": "1", "batch": "B7", "prescriber": "Practitioner/dr-1", "nurse": "Practitioner/nu-1", "indication": "痰液黏稠,口服无效",
    "consented": "1", "risks_told": "1", "signer": "family", "relation": "女儿", "first_on": "2026-11-22", "first_at": "示范医院",
}  # fmt: skip


@dataclass(slots=True)
class Desk:
    """A browser of somebody who is signed in."""

    client: httpx.Client
    patient: str
    installation: Installation
    tokens: dict[str, str] = field(default_factory=dict)

    def see(self, path: str) -> str:
        answer = self.client.get(path, follow_redirects=True)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def press(self, path: str, **fields: str) -> httpx.Response:
        token = CSRF.search(self.client.get("/help").text)
        assert token is not None
        return self.client.post(path, data={"csrf": token[1], **fields})

    def sign_in(self, login: str) -> None:
        self.client.cookies.clear()
        assert self.client.post("/sign-in", data={"login": login, "password": PASSWORD}).status_code == 303


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with time_machine.travel(AT, tick=True):
        embedded.made(tmp_path)
        installation = open_installation(settings=Settings(data=tmp_path))
        with installation.database.writing(SYSTEM, at=AT) as store:
            patient = _people(store)
        with serving(create_app(installation)) as url, httpx.Client(base_url=url, timeout=30, verify=NO_TLS) as client:
            here = Desk(client, patient, installation)
            here.sign_in("doctor1")
            yield here
        installation.close()


def _people(store: Store) -> str:
    for one in (
        staffed("dr-1", "doctor"),
        staffed("dr-2", "doctor"),
        staffed("nu-1", "nurse", "infusion", text="主管护师"),
        {"resourceType": "Organization", "id": "h-1", "name": "示范医院"},
    ):
        store.put(one)
    child = Contact(ContactRole.FAMILY, "测试丁", "女儿", "0574-00009876")
    known = Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1), contacts=(child,))
    patient = str(register(store, known, "urn:test").patient["id"])
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
    store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, "code": {"text": "无"}, "patient": _ref(patient)})
    for login, role, who in (("doctor1", "doctor", "dr-1"), ("doctor2", "doctor", "dr-2"), ("nurse1", "nurse", "nu-1")):
        accounts.create_user(store, login, role, name=login, practitioner=f"Practitioner/{who}", password=PASSWORD)
    accounts.create_user(store, "head1", "centre-head", name="head", password=PASSWORD)
    return patient


def _ref(patient: str) -> dict[str, str]:
    return {"reference": f"Patient/{patient}"}


def established(desk: Desk) -> str:
    way = f"/people/{desk.patient}/bed"
    assert desk.press(f"{way}/assess", **ASSESSED).status_code == 303
    assert desk.press(way, **AGREED).status_code == 303
    return desk.client.get(way).headers["location"]


def test_a_bed_on_the_pages(desk: Desk) -> None:
    way = f"/people/{desk.patient}/bed"
    assert "测试丁" in desk.see(way), "the contact of the file is filled in"
    refused = desk.press(f"{way}/apply", contact="测试丁", phone="0574-00009876")
    assert refused.status_code == 422
    assert "病情摘要" in refused.text
    asked = {"contact": "测试丁", "relation": "女儿", "phone": "0574-00009876", "summary": "肺炎恢复期", "origin": "inpatient"}
    assert desk.press(f"{way}/apply", **asked).status_code == 303
    assert "已提交" in desk.see(way)
    assert "肺炎恢复期" in desk.see("/beds")
    assert desk.press(f"{way}/assess", **ASSESSED | {"carer": "no", "self_care": ""}).status_code == 303
    told = desk.see(way)
    assert "不宜建床" in told
    assert "家中无人照护" in told
    assert "自理能力评估表" in told
    assert desk.press(f"{way}/assess", **ASSESSED).status_code == 303
    nobody = desk.press(way, **AGREED | {"doctor": "Practitioner/nu-1"})
    assert nobody.status_code == 422
    assert 'role="alert"' in nobody.text
    assert desk.press(way, **AGREED).status_code == 303
    bed = desk.client.get(way).headers["location"]
    page = desk.see(bed)
    assert "缺少撤床诊断" not in page
    assert "可以撤床" in page
    assert desk.client.get(f"{bed}/papers/agreement.pdf").content.startswith(b"%PDF-")
    assert desk.client.get(f"{bed}/papers/application.pdf").status_code == 200
    plan = {"by": "Practitioner/dr-1", "rows": "2", "what_0": "换药", "frequency_0": "每日一次", "start_0": TODAY}
    assert desk.press(f"{bed}/plans/treatment", **plan).status_code == 303
    assert (
        desk.press(f"{bed}/plans/nursing", by="Practitioner/nu-1", rows="1", problem_0="清理呼吸道无效", goal_0="痰液变稀").status_code
        == 303
    )
    assert "诊疗计划中尚有未停的医嘱" in desk.see(bed)
    note = {
        "kind": "round",
        "by": "Practitioner/dr-1",
        "section_complaint": "咳嗽减轻",
        "section_talk": "家属同意",
        "in": "08:30",
        "out": "08:50",
    }
    assert desk.press(f"{bed}/notes", **note).status_code == 303
    assert desk.press(f"{bed}/notes", kind="nursing", by="Practitioner/nu-1").status_code == 422
    assert "咳嗽减轻" in desk.see(bed)
    closing = {"on": TODAY, "reason": "better", "outcome": "improved", "code": "J15.900", "diagnosis": "肺炎", "summary": "好转"}
    blocked = desk.press(f"{bed}/discharge", **closing)
    assert blocked.status_code == 422
    assert "诊疗计划中尚有未停的医嘱" in blocked.text
    assert desk.press(f"{bed}/plans/treatment", **plan, stopped_0="1").status_code == 303
    assert desk.press(f"{bed}/discharge", **closing).status_code == 303
    assert "已撤床" in desk.see(bed)
    assert desk.client.get(f"{bed}/papers/summary.pdf").content.startswith(b"%PDF-")
    assert "没有建过床" not in desk.see(way)


def test_a_round_that_is_overdue_is_told_in_the_list_with_the_way_to_it(desk: Desk) -> None:
    established(desk)
    assert "下次查床" in desk.see("/beds")
    assert "查床逾期 " not in desk.see("/beds")
    with time_machine.travel(AT + timedelta(days=4), tick=True):
        desk.sign_in("doctor1")
        told = desk.see("/beds")
    assert re.search(r"查床逾期 \d 天，应在 11月2\d日 前", told)
    assert "<b>1</b><span>查床逾期</span>" in told
    assert 'href="/visits/' in told


def test_a_course_on_the_pages(desk: Desk) -> None:
    bed = established(desk)
    form = f"/people/{desk.patient}/infusion"
    assert "示例药品目录" in desk.see(form)
    asked = desk.press(form, **ORDERED | {"first_on": "", "only_ask": "1"})
    assert asked.status_code == 200
    assert "缺少在医疗机构首次用药" in asked.text
    forbidden = desk.press(form, **ORDERED | {"drug": "青霉素钠"})
    assert forbidden.status_code == 422
    assert "禁止居家输注" in forbidden.text
    assert "任何人不得放行" in forbidden.text
    assert "有关口未通过" in forbidden.text
    made = desk.press(form, **ORDERED)
    assert made.status_code == 303, made.text
    course = made.headers["location"]
    page = desk.see(course)
    assert "40 滴/分" in page
    assert page.count("待输") == 2
    assert "尚有未停的输液医嘱" in desk.see(bed)
    dose = re.findall(r"/visits/([^/]+)/bedside", page)[0]
    assert "我已核对，签署" in desk.see(f"/visits/{dose}/bedside")
    assert desk.press(f"/visits/{dose}/sign").status_code == 303
    assert "输液记录单" in desk.see(f"/visits/{dose}/bedside/record")
    assert desk.press(f"{course}/stop", reason="patient-wish").status_code == 303
    ended = desk.see(course)
    assert "疗程停止后不恢复" in ended
    assert "待退药品" in ended
    supply = re.search(r'name="supply" value="([^"]+)"', ended)
    assert supply is not None
    assert desk.press(f"{course}/returned", supply=supply[1], by="Practitioner/nu-1").status_code == 303
    assert "待退药品" not in desk.see(course)


def test_a_hospital_order_is_taken_up_or_declined(desk: Desk) -> None:
    established(desk)
    with desk.installation.database.writing(SYSTEM, at=AT) as store:
        wanted = HospitalOrder(
            desk.patient, "h-1", "ORD-1", "氨溴索", "", "30 mg", "0.9%氯化钠", 100, 120, date(2026, 11, 24), 2, 1, "钱医生"
        )
        proposal = hospital.propose(store, wanted)["id"]
        other = hospital.propose(store, HospitalOrder(desk.patient, "h-1", "ORD-2", "某药", group="G7"))["id"]
        hospital.propose(store, HospitalOrder(desk.patient, "h-1", "ORD-3", "又一药", group="G7"))
        hospital.record_dose(store, HospitalDose(desk.patient, "h-1", "ORD-1/1", "氨溴索", AT - timedelta(days=1)))
    assert "钱医生" in desk.see("/infusions")
    assert desk.see("/infusions/running").startswith("<section"), "the part that asks again every half minute"
    filled = desk.see(f"/people/{desk.patient}/infusion?proposal={proposal}")
    assert 'value="30 mg"' in filled
    assert "组号 G7 有 2 条医嘱" in filled
    with desk.installation.database.writing(SYSTEM, at=AT) as store:
        hospital.withdraw(store, "h-1", "ORD-3")
    assert "可能是同一袋药液" not in desk.see(f"/people/{desk.patient}/infusion")
    given = {key: value for key, value in ORDERED.items() if not key.startswith("first")}
    made = desk.press(f"/people/{desk.patient}/infusion", **given, proposal=proposal)
    assert made.status_code == 303, made.text
    assert "医院医嘱" in desk.see(made.headers["location"])
    assert desk.press(f"/people/{desk.patient}/infusion/decline", proposal=other, reason="").status_code == 422
    assert desk.press(f"/people/{desk.patient}/infusion/decline", proposal=other, reason="本中心无此药").status_code == 303
    assert "没有待答复的医院医嘱" in desk.see("/infusions")


def test_an_override_is_shown_and_confirmed_by_its_doctor_alone(desk: Desk) -> None:
    established(desk)
    restricted = ORDERED | {"drug": "多索茶碱"}
    said = {"override_drug-restricted_doctor": "Practitioner/dr-2", "override_drug-restricted_reason": "电话同意"}
    assert desk.press(f"/people/{desk.patient}/infusion", **restricted).status_code == 422
    assert desk.press(f"/people/{desk.patient}/infusion", **restricted | said).status_code == 303
    listed = desk.see("/infusions/overrides")
    assert "待医生本人确认" in listed
    assert "确认是我放行" not in listed
    desk.sign_in("doctor2")
    issue = re.search(r'action="/infusions/overrides/([^"]+)"', desk.see("/infusions/overrides"))
    assert issue is not None
    assert desk.press(f"/infusions/overrides/{issue[1]}").status_code == 303
    assert "医生已确认" in desk.see("/infusions/overrides")


def test_the_drug_list_is_imported_by_whoever_may(desk: Desk) -> None:
    csv = "code,names,verdict,classes,skin_test\nambroxol,氨溴索,forbidden,,否\nx,某药;药某,allowed,quinolone,yes\n"
    assert "示例目录" in desk.see("/infusions/drugs")
    desk.sign_in("head1")
    page = desk.see("/infusions/drugs")
    token = CSRF.search(page)
    assert token is not None
    fields = {"csrf": token[1], "version": "2026-12", "approver": "药事会"}

    def send(text: str, **change: str) -> httpx.Response:
        return desk.client.post("/infusions/drugs", data=fields | change, files={"file": ("list.csv", text.encode("gb18030"), "text/csv")})

    wrong = send("code,names,verdict\na,A,maybe\n")
    assert wrong.status_code == 422
    assert "line 2" in wrong.text
    assert send(csv, approver="").status_code == 422
    assert send(csv).status_code == 303
    imported = desk.see("/infusions/drugs")
    assert "示例目录" not in imported
    assert "药事会" in imported
    assert "药某" in imported
    assert send(csv.replace("allowed", "restricted")).status_code == 422, "another content needs another version"
    assert "ambroxol,氨溴索,forbidden,,no" in desk.client.get("/infusions/drugs.csv").content.decode("utf-8-sig")
    desk.sign_in("doctor1")
    token = CSRF.search(desk.see("/help"))
    assert token is not None
    fields["csrf"] = token[1]
    assert "导入新目录" not in desk.see("/infusions/drugs")
    assert send(csv, version="9").status_code == 403
    established(desk)
    assert "禁止居家输注" in desk.press(f"/people/{desk.patient}/infusion", **ORDERED).text


def test_a_round_leads_to_its_note(desk: Desk) -> None:
    bed = established(desk)
    task = re.findall(r'href="/visits/(round-[^"]+)"', desk.see(bed))[0]
    made = {"day": TODAY, "start": "08:30", "end": "08:55", "mode": "home", "by": "Practitioner/dr-1", "pulse": "78"}
    with time_machine.travel(AT + timedelta(minutes=30), tick=True):
        assert desk.press(f"/visits/{task}/complete", **made).status_code == 303
        link = re.search(r'href="(/beds/[^"]+visit=[^"]+)"', desk.see(f"/visits/{task}"))
        assert link is not None
        page = desk.see(link[1].replace("&amp;", "&"))
        assert 'value="08:30"' in page
        note = {"kind": "round", "by": "Practitioner/dr-1", "visit": task, "in": "08:30", "out": "08:55", "section_exam": "肺部湿啰音减少"}
        assert desk.press(f"{bed}/notes", **note).status_code == 303
        assert "肺部湿啰音减少" in desk.see(bed)
        assert desk.client.get(f"{bed}/papers/rounds.pdf").content.startswith(b"%PDF-")


def test_a_hand_over_is_drafted_from_the_record(desk: Desk) -> None:
    bed = established(desk)
    assert desk.press(f"/people/{desk.patient}/infusion", **ORDERED).status_code == 303
    goal = {"by": "Practitioner/nu-1", "rows": "1", "problem_0": "清理呼吸道无效", "measures_0": "拍背"}
    assert desk.press(f"{bed}/plans/nursing", **goal).status_code == 303
    page = desk.see(bed)
    assert "输液：氨溴索 30 mg，余 2 次" in page
    assert "清理呼吸道无效：拍背" in page
    assert "建议 11-24 前查床" in page


def test_a_nurse_neither_orders_nor_establishes(desk: Desk) -> None:
    desk.press(f"/people/{desk.patient}/bed/assess", **ASSESSED)
    desk.sign_in("nurse1")
    assert desk.press(f"/people/{desk.patient}/bed", **AGREED).status_code == 403
    desk.sign_in("doctor1")
    established(desk)
    desk.sign_in("nurse1")
    refused = desk.press(f"/people/{desk.patient}/infusion", **ORDERED)
    assert refused.status_code == 403
    assert "输液医嘱须由医生账号开立" in refused.text


@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_are_fit_to_be_seen(desk: Desk, chromium: Any, width: int) -> None:
    way, bed = f"/people/{desk.patient}/bed", ""
    desk.press(f"{way}/assess", **ASSESSED | {"carer": "no"})
    with chromium.new_context(viewport={"width": width, "height": 844}) as context:
        page = context.new_page()
        page.keeps_pictures = False
        page.goto(f"{desk.client.base_url}/sign-in")
        page.get_by_label("账号").fill("doctor1")
        page.get_by_label("密码").fill(PASSWORD)
        page.get_by_role("button", name="登录").click()
        page.wait_for_load_state("load")

        def seen(path: str) -> None:
            page.goto(f"{desk.client.base_url}{path}")
            look(page, f"{path.strip('/').replace('/', '-')[:40]}-{width}")

        seen(way)
        bed = established(desk)
        course = desk.press(f"/people/{desk.patient}/infusion", **ORDERED).headers["location"]
        dose = re.findall(r"/visits/([^/]+)/bedside", desk.see(course))[0]
        for path in ("/beds", bed, "/infusions", f"/people/{desk.patient}/infusion", course, "/infusions/drugs", "/infusions/overrides"):
            seen(path)
        seen(f"/visits/{dose}/bedside")
