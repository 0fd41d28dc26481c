"""A hospital's day over a real line: admitted and home again, an appointment, an order, its report, a letter, the bill; and questions."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hospital import AT, cadre, segment

from healthsvc import clock
from healthsvc.greenchannel.honour import to_use
from healthsvc.greenchannel.rules import Right
from healthsvc.greenchannel.service import grant
from healthsvc.store import SYSTEM, Database
from integrations.feeds import Feeds
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.replies import belongs, read_reply
from integrations.hospitals.shelf import shelf
from integrations.keep import INBOX
from integrations.mllp.client import Client
from integrations.worker import Worker


@pytest.fixture
def feeds(database: Database) -> Iterator[Feeds]:
    line = Feeds(database, shelf(), "127.0.0.1", 0)
    line.start()
    yield line
    line.stop()


class Line:
    """One open line on which messages are numbered."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.count = 0

    def asks(self, event: str, *segments: str, at: datetime = AT, version: str = "2.5") -> Message:
        self.count += 1
        head = f"MSH|^~\\&|HIS|H1|C|C|{at:%Y%m%d%H%M%S}||{event}|W{self.count}|P|{version}"
        raw = "\r".join((head, *segments, "")).encode()
        reply = self.client.send(raw)
        assert read_reply(reply).control_id == f"W{self.count}"
        return Message(reply.decode())

    def says(self, event: str, number: str, *segments: str, at: datetime = AT) -> str:
        pid = f"PID|1||{number}^^^^IDCard||测试甲||19300101|M"
        return str(self.asks(event, pid, *segments, at=at)["MSA"][1].text)


def test_a_hospitals_day_reaches_the_file(feeds: Feeds, database: Database) -> None:
    patient, _ = cadre(database)
    with database.writing(SYSTEM, at=AT - timedelta(days=1)) as store:
        grant(store, patient, AT.date())
    out, ward = segment("PV1", _2="O", _19="V1"), segment("PV1", _2="I", _3="W1^^12", _19="V2")
    later = [AT + timedelta(minutes=10 * n) for n in range(12)]
    visit = clock.now() + timedelta(days=2)
    span = f"^^^{visit:%Y%m%d%H%M%S}^{visit + timedelta(minutes=20):%Y%m%d%H%M%S}"
    appointment = segment("SCH", _2="A1", _7="复查", _11=span, _25="Booked")
    with Client("127.0.0.1", feeds.port, belongs) as client:
        line = Line(client)
        answers = [
            line.says("ADT^A04^ADT_A01", "C1", "EVN||" + f"{later[0]:%Y%m%d%H%M%S}", out, "AL1|1|DA|P1^青霉素|SV", at=later[0]),
            line.says("OML^O21^OML_O21", "C1", "ORC|NW|P1", "OBR|1|P1||BIO^生化", at=later[1]),
            line.says("ORU^R01^ORU_R01", "C1", "OBR|1|P1|F1|BIO^生化", "OBX|1|NM|K^血钾||6.9|mmol/L|3.5-5.3|HH|||F", at=later[2]),
            line.says("BAR^P01^BAR_P01", "C1", out, at=later[2]),
            line.says("DFT^P03^DFT_P03", "C1", out, f"FT1|1|T1||{later[3]:%Y%m%d%H%M%S}||PY|REG^挂号|||1|20", at=later[3]),
            line.says("SIU^S12^SIU_S12", "C1", appointment, at=later[4]),
            line.says("RDE^O11^RDE_O11", "C1", "ORC|NW|M1", "RXE||D1^示例片|1||片", "RXR|PO^口服", at=later[5]),
            line.says("ADT^A01^ADT_A01", "C1", "EVN||" + f"{later[6]:%Y%m%d%H%M%S}", ward, "DG1|1||J18.9^肺炎^I10", at=later[6]),
            line.says("MDM^T02^MDM_T02", "C1", ward, "TXA|1|DS^出院小结|TX|||||||||D1", "OBX|1|TX|T||好转出院||||||F", at=later[7]),
            line.says("PPR^PC1^PPR_PC1", "C1", "PRB|AD|20260302|I10^高血压^I10|PR1", at=later[8]),
            line.says("REF^I12^REF_I12", "C1", "RF1|P|R|MED|||R1|20260302|||康复", at=later[9]),
            line.says("ADT^A03^ADT_A03", "C1", "EVN||" + f"{later[10]:%Y%m%d%H%M%S}", ward, at=later[10]),
        ]
    assert answers == ["AA"] * 12
    Worker(database, feeds.inbox.shelf, "test").drain()
    with database.reading(SYSTEM, at=clock.now()) as store:
        rows = store.connection.execute(INBOX.select().order_by(INBOX.c.id)).all()
        assert [(row.event, row.state, row.remark) for row in rows if row.state != "done"] == []
        found = {
            type: [one["status"] for one in store.select(type, patient=patient)]
            for type in ("Appointment", "DiagnosticReport", "DocumentReference", "MedicationRequest", "ChargeItem", "Account")
        }
        assert found == {
            "Appointment": ["booked"], "DiagnosticReport": ["final"], "DocumentReference": ["current"], "MedicationRequest": ["active"],
            "ChargeItem": ["billed"], "Account": ["active"],
        }  # fmt: skip
        assert sorted(one["status"] for one in store.select("Encounter", patient=patient)) == ["finished", "in-progress"]
        assert len(store.select("Condition", patient=patient)) == 2
        assert len(store.select("ServiceRequest", patient=patient)) == 2
        assert len(store.select("AllergyIntolerance", patient=patient)) == 1
        uses = [to_use(one) for one in store.select("Observation", patient=patient) if one["id"].startswith("green-use-")]
        assert [one.wait_minutes for one in uses if one.right is Right.SETTLEMENT] == [10]
        for type in ("Appointment", "DocumentReference", "ChargeItem", "Account", "Condition"):
            [one, *_] = store.select(type, patient=patient)
            assert store.select("Provenance", target=f"{type}/{one['id']}"), type


def test_a_patient_index_gets_the_answer_that_it_waits_for(feeds: Feeds) -> None:
    with Client("127.0.0.1", feeds.port, belongs) as client:
        answer = Line(client).asks("ADT^ZP1", "PID|1||L1^^^^LocalID~X9^^^^IDCard||测试丁||19400101|M", version="2.4")
    assert (answer["MSH"][9].text, answer["MSA"][1].text) == ("RSP^K23", "AA")
    assert (answer["PID"][3].raw, answer["PID"][5].text) == ("L1^^^^LocalID~X9^^^^IDCard", "测试丁")


def test_every_question_gets_an_answer(feeds: Feeds, database: Database) -> None:
    cadre(database)
    with Client("127.0.0.1", feeds.port, belongs) as client:
        line = Line(client)
        numbers = line.asks("QBP^Q23^QBP_Q21", "QPD|IHEPIX|T1|C1^^^^IDCard", "RCP|I")
        assert (numbers["MSH"][9].raw, numbers["QAK"][2].text) == ("RSP^K23^RSP_K23", "OK")
        assert "C1^^^^IDCard" in numbers["PID"][3].raw
        assert line.asks("QBP^Q23^QBP_Q21", "QPD|IHEPIX|T2|C404^^^^IDCard", "RCP|I")["QAK"][2].text == "NF"
        for event in ("QBP^Q13^QBP_Q13", "QRY^A19", "QBP^Z99"):
            refused = line.asks(event, "QPD|X|T3|1")
            assert (refused["MSA"][1].text, refused["ERR"][3].component(1).text) == ("AR", "201"), event
