"""An infusion recorded at the bedside from the page: step by step, nothing out of order, nothing past a gate."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import embedded
import httpx
import pytest
import time_machine
from serving import NO_TLS, serving
from world import PASSWORD

from healthsvc.access import accounts
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import code_system
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.homebed import service as homebeds
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.infusion import service as infusions
from healthsvc.infusion.rules.order import Approval, FirstDose, Order, SkinTest
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Store
from healthsvc.visit.service import open_visits

AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
CSRF = re.compile(r'name="csrf" value="([^"]+)"')
OFFERED = re.compile(r'name="act" value="([a-z]+)"')
KIT_ITEMS = (
    "adrenaline", "antihistamine", "dexamethasone", "oxygen-or-bag", "tourniquet", "bp-cuff", "spare-infusion-set", "disinfectant",
    "sharps-box",
)  # fmt: skip
VITALS = {"systolic": "135", "diastolic": "75", "pulse": "72", "temperature": "36.6", "spo2": "97"}
KIT = {f"kit_{item}": "1" for item in KIT_ITEMS} | {"expires": "2027-06-30"}


@dataclass(slots=True)
class Bed:
    """A browser of the nurse, standing at one visit."""

    client: httpx.Client
    task: str

    def look(self) -> str:
        """The page."""
        return self.client.get(f"/visits/{self.task}/bedside").text

    def offered(self) -> list[str]:
        """The steps that the page offers."""
        return OFFERED.findall(self.look())

    def take(self, act: str, **fields: str) -> httpx.Response:
        """Press a button."""
        token = CSRF.search(self.client.get("/help").text)
        assert token is not None
        return self.client.post(f"/visits/{self.task}/bedside", data={"act": act, "by": "Practitioner/nu-1", "csrf": token[1], **fields})


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with time_machine.travel(AT, tick=True):
        embedded.made(tmp_path)
        installation = open_installation(settings=Settings(data=tmp_path))
        with installation.database.writing(SYSTEM, at=AT) as store:
            task = _dose(store)
            accounts.create_user(store, "nurse1", "nurse", name="苏念安", practitioner="Practitioner/nu-1", password=PASSWORD)
            for doctor in ("dr-1", "dr-2"):
                accounts.create_user(store, doctor, "doctor", name=doctor, practitioner=f"Practitioner/{doctor}", password=PASSWORD)
        with serving(create_app(installation)) as url, httpx.Client(base_url=url, verify=NO_TLS, timeout=60) as client:
            client.post("/sign-in", data={"login": "nurse1", "password": PASSWORD})
            yield Bed(client, task)
        installation.close()


def test_a_dose_that_was_missed_says_so_and_keeps_no_record(bed: Bed) -> None:
    with time_machine.travel(AT + timedelta(minutes=5), tick=True):
        token = CSRF.search(bed.client.get("/help").text)
        assert token is not None
        assert bed.client.post(f"/visits/{bed.task}/miss", data={"reason": "other", "csrf": token[1]}).status_code == 303
        page = bed.look()
    assert "本次未输" in page
    assert "记录已保存到个人档案" not in page
    assert "从“到达”开始" not in page


def test_the_steps_follow_one_another_and_the_visit_is_completed(bed: Bed) -> None:
    assert bed.client.get(f"/visits/{bed.task}").headers["location"].endswith("/bedside")
    with time_machine.travel(AT + timedelta(minutes=5), tick=True):
        assert bed.offered() == ["arrive"]
        assert "过敏" not in bed.look()
        assert bed.take("puncture").status_code == 422
        assert bed.take("arrive").status_code == 303
        assert bed.take("identify", matched_name="1").status_code == 422
        assert bed.take("identify", matched_name="1", **{"matched_birth-date": "1"}).status_code == 303
        shut = bed.take("clear", companion="1", second="Practitioner/dr-1")
        assert shut.status_code == 422
        assert 'role="alert"' in shut.text
        assert bed.take("clear", companion="1", second="Practitioner/dr-1", **KIT).status_code == 303
        assert bed.take("measure", pulse="72").status_code == 422
        assert bed.take("measure", **VITALS).status_code == 303
        assert bed.take("puncture").status_code == 303
        assert sorted(bed.offered()) == ["check", "end", "react"]
        assert "下次巡视" in bed.look()
    with time_machine.travel(AT + timedelta(minutes=60), tick=True):
        bed.client.post("/sign-in", data={"login": "nurse1", "password": PASSWORD})
        assert bed.take("end", **VITALS).status_code == 303
        assert bed.take("observe").status_code == 422
    with time_machine.travel(AT + timedelta(minutes=100), tick=True):
        bed.client.post("/sign-in", data={"login": "nurse1", "password": PASSWORD})
        assert bed.take("observe").status_code == 303
        assert bed.take("leave").status_code == 303
        assert bed.offered() == []
        assert "135/75 mmHg" in bed.look()


def test_a_reaction_is_guided_to_its_report(bed: Bed) -> None:
    with time_machine.travel(AT + timedelta(minutes=5), tick=True):
        bed.take("arrive")
        bed.take("identify", matched_name="1", **{"matched_birth-date": "1"})
        shut = bed.take("clear", second="Practitioner/dr-1", **KIT)
        assert "当日须有成年家属陪护" in shut.text
        assert "可由具名医生说明理由后放行" in shut.text
        said = {"override_companion_doctor": "Practitioner/dr-2", "override_companion_reason": "女儿十分钟后到"}
        assert bed.take("clear", second="Practitioner/dr-1", **KIT, **said).status_code == 303
        bed.take("measure", **VITALS)
        bed.take("puncture")
        assert bed.take("react").status_code == 422
        assert bed.take("react", danger="皮疹").status_code == 303
        assert bed.offered() == ["stop"]
        link = re.search(r"/infusions/([^\"]+)", bed.look())
        assert link is not None
        report = re.search(r"/infusions/reactions/([^\"]+)", bed.client.get(link[0]).text)
        assert report is not None
        page = bed.client.get(report[0])
        assert page.status_code == 200
        assert "皮疹" in page.text
        assert "尚未上报" in bed.client.get("/").text, "who stood at the bed"
        for act, words in (("stop", ""), ("alarm", ""), ("refer", "示范医院急诊"), ("report", "已停药观察"), ("leave", "")):
            assert bed.take(act, text=words).status_code == 303, act
        assert "成年陪护 · dr-2：女儿十分钟后到" in bed.client.get(f"/visits/{bed.task}/bedside/record").text
        assert "人工放行" in bed.client.get("/infusions/overrides").text
        for doctor, way, told in (("dr-2", "/mine/day", False), ("dr-1", "/mine/day", True), ("dr-1", "/", True)):
            bed.client.post("/sign-in", data={"login": doctor, "password": PASSWORD})
            today = bed.client.get(way).text
            assert (report[0] in today, "已上报" in today) == (told, told), (doctor, way)
        assert report[0] not in bed.client.get("/?on=2026-11-24").text, "of another day only its visits are shown"
    for days, told in ((7, True), (8, False)):
        with time_machine.travel(AT + timedelta(days=days), tick=True):
            bed.client.post("/sign-in", data={"login": "dr-1", "password": PASSWORD})
            assert (report[0] in bed.client.get("/").text) is told, days


def _staff(id: str, *codes: str, title: str = "") -> Resource:
    held = [
        {
            "code": {"coding": [{"system": code_system("staff-qualification"), "code": code}], "text": title or code},
            "period": {"start": "2010-07-01"},
        }
        for code in codes
    ]
    return {"resourceType": "Practitioner", "id": id, "active": True, "name": [{"text": id}], "qualification": held}


def _dose(store: Store) -> str:
    for one in (_staff("dr-1", "doctor"), _staff("dr-2", "doctor"), _staff("nu-1", "nurse", "infusion", title="主管护师")):
        store.once(one)
    patient = str(register(store, Person("测试甲", category=Category.LIXIU, birth=date(1930, 1, 1)), "urn:test").patient["id"])
    pneumonia = Diagnosis("J15.900", "肺炎恢复期")
    found = Assessment(patient, "dr-1", ON, pneumonia, frozenset({"recurrent-infection"}), frozenset(), True, 20, True, True, "建床")
    agreed = SignedConsent("agreed", patient, "home-bed", AT - timedelta(hours=2), risks_told=True, fees_told=True, copies=3)
    homebeds.establish(store, patient, found, agreed, "dr-1", "nu-1", ON)
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}
    about = {"code": {"text": "无"}, "patient": {"reference": f"Patient/{patient}"}}
    store.create({"resourceType": "AllergyIntolerance", "clinicalStatus": active, **about})
    order = Order(patient, "dr-1", "ceftriaxone", "头孢曲松钠", "2.0 g", "0.9%氯化钠", 100, 120, ON, 1, indication="不能口服", batch="B1")
    infusions.order_course(
        store,
        order,
        consent=SignedConsent("c-1", patient, "infusion", AT - timedelta(hours=1), risks_told=True),
        approval=Approval("dr-2", AT - timedelta(hours=1), "同意"),
        first_dose=FirstDose(date(2026, 11, 22), "示范医院", "ceftriaxone"),
        skin_test=SkinTest(AT - timedelta(hours=20), "ceftriaxone", "B1", True),
        nurse="nu-1",
    )
    return open_visits(store, patient, "home-infusion")[0].id
