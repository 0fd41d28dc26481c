"""The shapes that Chinese hospitals really send, over a real socket: taken, read, answered in their own characters."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from healthsvc import clock
from healthsvc.fhir.systems import UNVERIFIED_CITIZEN_ID, hospital_number
from healthsvc.store import SYSTEM, Database
from integrations.feeds import Feeds
from integrations.hl7v2.batch import split
from integrations.hl7v2.check import check
from integrations.hl7v2.replies import belongs, read_reply
from integrations.hospitals.shelf import Shelf, shelf
from integrations.keep import INBOX
from integrations.mllp.client import Client
from integrations.worker import Worker

pytestmark = pytest.mark.shared


@pytest.fixture
def feeds(database: Database) -> Iterator[Feeds]:
    line = Feeds(database, shelf(), "127.0.0.1", 0)
    line.start()
    yield line
    line.stop()


def test_every_shape_is_taken_and_answered_under_its_own_number(shared: Path, feeds: Feeds, database: Database) -> None:
    files = sorted((shared / "hl7/chinese-shapes").glob("*.hl7"))
    assert files
    with Client("127.0.0.1", feeds.port, belongs) as client:
        for file in files:
            for message in split(file.read_bytes()).messages:
                reply = read_reply(client.send(message))
                assert reply.code == "AA", (file.name, reply)
    worker = Worker(database, feeds.inbox.shelf, "test")
    worker.drain()
    with database.reading(SYSTEM, at=clock.now()) as store:
        rows = list(store.connection.execute(INBOX.select()))
        assert {row.state for row in rows} <= {"done", "ignored", "review"}, [(r.event, r.state, r.reason, r.remark) for r in rows]
        # six writings of one admission, one person, one stay
        [person] = store.select("Patient", identifier=f"{hospital_number('default')}|0000000001")
        stays = store.select("Encounter", patient=person["id"])
        assert [stay["status"] for stay in stays] == ["in-progress"]
        [result] = store.select("DiagnosticReport")
        flags = {
            one["code"]["text"]: one["interpretation"][0]["coding"][0]["code"]
            for one in store.select("Observation", subject=result["subject"]["reference"])
        }
        assert flags == {"糖化血清蛋白(果糖胺)": "H", "*总胆红素": "N", "溶血程度": "N"}


@pytest.mark.parametrize("name", ["gb18030_label", "gbk_label", "gb18030_undeclared", "gb18030_4byte_name", "utf8", "utf8_lying_gbk_label"])
def test_the_name_is_whole_whatever_the_characters(shared: Path, feeds: Feeds, database: Database, name: str) -> None:
    raw = (shared / f"hl7/chinese-shapes/his_eai_adt_a01_v24.{name}.hl7").read_bytes()
    with Client("127.0.0.1", feeds.port, belongs) as client:
        client.send(raw)
    Worker(database, feeds.inbox.shelf, "test").drain()
    with database.reading(SYSTEM, at=clock.now()) as store:
        [person] = store.select("Patient")
        assert person["name"][0]["text"] == ("测试𠮷㐂" if "4byte" in name else "测试患者甲")
        assert person["birthDate"] == "1940-01-01"
        systems = {one["system"] for one in person["identifier"]}
        assert hospital_number("default") in systems
        assert hospital_number("default/inpatient") in systems
        assert systems & {UNVERIFIED_CITIZEN_ID, "urn:oid:2.16.156.10011.1.3"}
        assert person["telecom"][0]["value"] == "00000000000"
        assert person["address"][0]["text"] == "某省某市某区"
        assert person["contact"][0]["name"]["text"] == "测试家属"


def test_the_dry_run_reads_every_published_message(shared: Path) -> None:
    report = check([shared / "hl7"])
    counts = report.counts()
    assert counts["identical"] == counts["read"] >= 815
    unread = [one for one in report.messages if not one.read]
    assert all(one.reason in ("charset", "no-message") for one in unread), unread
    assert len(unread) <= 2
    named = {one.event for one in report.messages if one.mapped}
    assert {f"ADT^{event}" for event in ("A01", "A03", "A04", "A08", "A11", "A28", "A31", "A40")} | {"ORU^R01"} <= named


def test_the_dry_run_names_the_shapes_charset_and_family(shared: Path) -> None:
    report = check([shared / "hl7/chinese-shapes"], "his-eai")
    assert report.counts()["rejected"] == 0
    assert {one.charset for one in report.messages} == {"ascii", "utf-8", "gb18030"} - (
        {"ascii"} if all(one.charset != "ascii" for one in report.messages) else set()
    )


def test_a_site_with_its_own_profile_keeps_its_own_numbers_apart(shared: Path, database: Database) -> None:
    from integrations.hospitals.shelf import load

    line = Feeds(database, Shelf([load("lis-esb")], load("default")), "127.0.0.1", 0)
    line.start()
    with Client("127.0.0.1", line.port, belongs) as client:
        client.send((shared / "hl7/chinese-shapes/lis_esb_oul_r24_v251.utf8.hl7").read_bytes())
    line.stop()
    with database.reading(SYSTEM, at=clock.now()) as store:
        [row] = store.connection.execute(INBOX.select())
        assert row.link == "lis-esb"
    Worker(database, line.inbox.shelf, "test").drain()
    with database.reading(SYSTEM, at=clock.now()) as store:
        [row] = store.connection.execute(INBOX.select())
        assert (row.state, row.raw) == ("forgotten", None), "the example profile forgets people who are none of ours"
        assert store.select("Patient") == []
