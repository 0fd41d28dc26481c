"""Over a real line in the versions after 2.5, message by message and as a batch: each has its own answer, and its effect."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hospital import AT, cadre

from healthsvc import clock
from healthsvc.store import SYSTEM, Database
from integrations.feeds import Feeds
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.replies import belongs
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


def day(version: str) -> list[bytes]:
    """Admitted, changed, joined with a second number, and a report: as these versions write them."""
    pid = "PID|1||{}^^^H1^IDCard||测试甲^^^^^^L||19300101|M|||示例路七号^^宁波^^^CN^H"
    stay = "PV1|1|I|W1^^12^H1||||||||||||||||V1^^^H1^VN|||||||||||||||||||||||||20260302080000+0800"
    obr = "OBR|1|P1^HIS|F1^LIS|BIO^生化^L|||20260302083000+0800|||||||||||||||20260302100000+0800||LAB|F"
    told = (
        ("ADT^A01^ADT_A01", pid.format("C1"), stay),
        ("ADT^A08^ADT_A01", pid.format("C1") + "||^PRN^PH^^^^^^^^^05745550177", stay),
        ("ADT^A40^ADT_A39", pid.format("C1"), "MRG|C1B^^^H1^IDCard"),
        (
            "ORU^R01^ORU_R01",
            pid.format("C1"),
            obr,
            "OBX|1|NM|K^血钾^L||4.1|mmol/L^^UCUM|3.5-5.3|N^^HL70078|||F",
            "PRT|1|UC||PO^^HL70912|D7^章示例",
        ),
    )
    made = []
    for turn, (event, *segments) in enumerate(told):
        sent = AT + timedelta(minutes=30 * turn)
        head = f"MSH|^~\\&|HIS|H1|C|C|{sent:%Y%m%d%H%M%S}+0800||{event}|{version}-{turn}|P|{version}^CHN|||AL|NE|CHN|UNICODE UTF-8"
        evn = [f"EVN||{sent:%Y%m%d%H%M%S}+0800"] if event.startswith("ADT") else []
        made.append("\r".join((head, *evn, *segments, "")).encode())
    return made


def check(database: Database, feeds: Feeds, patient: str) -> None:
    Worker(database, feeds.inbox.shelf, "test").drain()
    with database.reading(SYSTEM, at=clock.now()) as store:
        rows = store.connection.execute(INBOX.select().order_by(INBOX.c.id)).all()
        assert [row.state for row in rows] == ["done"] * 4, [(row.event, row.reason, row.place) for row in rows]
        assert [one["class"]["code"] for one in store.select("Encounter", patient=patient)] == ["IMP"]
        [report] = store.select("DiagnosticReport", patient=patient)
        [result] = store.select("Observation", patient=patient, category="laboratory")
        assert (report["status"], str(result["valueQuantity"]["value"])) == ("final", "4.1")
        numbers = {one["value"] for one in store.read("Patient", patient)["identifier"]}
        assert {"C1", "C1B"} <= numbers
        assert "05745550177" in {one["value"] for one in store.read("Patient", patient)["telecom"]}


@pytest.mark.parametrize("version", ["2.6", "2.7", "2.7.1"])
def test_a_day_in_a_later_version(feeds: Feeds, database: Database, version: str) -> None:
    patient, _ = cadre(database)
    with Client("127.0.0.1", feeds.port, belongs) as client:
        answers = [Message(client.send(raw).decode()) for raw in day(version)]
    assert [(one["MSA"][1].text, one["MSA"][2].text) for one in answers] == [("AA", f"{version}-{turn}") for turn in range(4)]
    assert {one["MSH"][12].component(1).text for one in answers} == {version}
    check(database, feeds, patient)


@pytest.mark.parametrize("version", ["2.4", "2.6"])
def test_a_batch_in_one_frame_has_one_answer_for_each_of_its_messages(feeds: Feeds, database: Database, version: str) -> None:
    patient, _ = cadre(database)
    batch = b"FHS|^~\\&|HIS|H1\rBHS|^~\\&|HIS|H1\r" + b"".join(day(version)) + b"BTS|4\rFTS|1\r"
    with Client("127.0.0.1", feeds.port, lambda *_: True) as client:
        answer = Message(client.send(batch).decode())
    codes = [(one[1].text, one[2].text) for one in answer.all("MSA")]
    assert codes == [("AA", f"{version}-{turn}") for turn in range(4)]
    check(database, feeds, patient)
