"""The hospital window asks by citizen id or hospital number over MLLP and hears the rights with their reason; every question is audited."""

from collections.abc import Iterator
from datetime import date, datetime

import pytest

from healthsvc import clock
from healthsvc.fhir.systems import CITIZEN_ID, hospital_number
from healthsvc.greenchannel.service import grant
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.store import SYSTEM, Database
from healthsvc.store.tables import AuditRow
from integrations.feeds import Feeds
from integrations.hl7v2.er7 import Message
from integrations.hl7v2.replies import belongs
from integrations.hospitals.shelf import shelf
from integrations.mllp.client import Client

_FIRST = "33029919300101901"
NUMBER = _FIRST + check_digit(_FIRST)
AUDIT = AuditRow.__table__  # type: ignore[attr-defined]


@pytest.fixture
def feeds(database: Database) -> Iterator[Feeds]:
    at = clock.now()
    person = Person(
        name="测试甲",
        sex="male",
        birth=date(1930, 1, 1),
        identifiers=(Identifier(CITIZEN_ID, NUMBER), Identifier(hospital_number("h1"), "C1"), Identifier(hospital_number("h2"), "Z9")),
        category=Category.LIXIU,
    )
    with database.writing(SYSTEM, at=at) as store:
        patient = register(store, person, "urn:healthsvc:test").patient["id"]
        grant(store, patient, at.date())
        register(store, Person(name="测试乙", identifiers=(Identifier(hospital_number("h1"), "C2"),)), "urn:healthsvc:test")
    line = Feeds(database, shelf(), "127.0.0.1", 0)
    line.start()
    yield line
    line.stop()


def ask(feeds: Feeds, parameters: str, codec: str = "utf-8", number: str = "Q1") -> Message:
    text = (
        f"MSH|^~\\&|WIN|H1|C|C|20260105170124||QBP^Q22^QBP_Q21|{number}|P|2.5\r"
        f"QPD|Q22^Find Candidates^HL7nnnn|TAG7|{parameters}\rRCP|I|5^RD\r"
    )
    with Client("127.0.0.1", feeds.port, belongs) as client:
        return Message(client.send(text.encode(codec)).decode(codec))


@pytest.mark.parametrize(
    "parameters",
    [
        f"@PID.3.1^{NUMBER}~@PID.3.5^IdentifyNO",
        f"@PID.3.1^{NUMBER}",
        f"@PID.19^{NUMBER}",
        "@PID.3.1^C1~@PID.3.5^IDCard",
        "@PID.3.1^C1",
        "C1^^^^IDCard",
        "@PID.5.1^测试甲~@PID.7^19300101",
    ],
)
def test_the_answer_has_the_person_the_rights_and_the_reason(feeds: Feeds, parameters: str) -> None:
    told = ask(feeds, parameters)
    assert told["MSH"][9].raw == "RSP^K22^RSP_K21"
    assert (told["MSA"][1].text, told["MSA"][2].text) == ("AA", "Q1")
    assert (told["QAK"][1].text, told["QAK"][2].text) == ("TAG7", "OK")
    assert told["QPD"][2].text == "TAG7"
    assert told["PID"][5].text == "测试甲"
    assert told["PID"][7].text == "19300101"
    zgc = told["ZGC"]
    assert [zgc[n].text for n in (2, 3, 4)] == ["Y", "Y", "Y"]
    assert zgc[7].component(1).text == "lixiu"
    assert zgc[7].component(2).text == "离休干部"
    assert zgc[5].text == clock.today().strftime("%Y%m%d")
    assert datetime.strptime(zgc[6].text, "%Y%m%d").date() > clock.today()  # noqa: DTZ007
    assert (zgc[8].text, zgc[9].text) == ("lixiu", "entitled")


def test_other_hospitals_numbers_are_not_told(feeds: Feeds) -> None:
    told = ask(feeds, "@PID.3.1^C1~@PID.3.5^IDCard")
    assert {cx.component(1).text for cx in told["PID"][3].repetitions} == {"C1", NUMBER}


def test_on_file_but_not_entitled_and_not_on_file_are_different_answers(feeds: Feeds) -> None:
    told = ask(feeds, "@PID.3.1^C2~@PID.3.5^IDCard")
    assert [told["ZGC"][n].text for n in (2, 3, 4)] == ["N", "N", "N"]
    assert told["ZGC"][9].text == "not-entitled"
    told = ask(feeds, "@PID.3.1^NOBODY~@PID.3.5^IDCard")
    assert told["QAK"][2].text == "NF"
    assert "PID" not in told


def test_a_question_that_asks_nothing_is_refused_with_the_reason(feeds: Feeds) -> None:
    told = ask(feeds, "@PID.8^M")
    assert (told["MSA"][1].text, told["QAK"][2].text) == ("AE", "AE")
    assert "@PID.3.1" in told["ERR"][8].text


def test_the_answer_comes_in_the_windows_own_characters(feeds: Feeds) -> None:
    told = ask(feeds, "@PID.5.1^测试甲~@PID.7^19300101", codec="gb18030")
    assert told["PID"][5].text == "测试甲"


def test_every_question_is_in_the_audit(feeds: Feeds, database: Database) -> None:
    ask(feeds, "@PID.3.1^C1~@PID.3.5^IDCard")
    ask(feeds, "@PID.3.1^NOBODY~@PID.3.5^IDCard")
    feeds.stop()
    database.reads.close()
    with database.engine.connect() as connection:
        noted = [(row.actor, row.outcome, row.purpose) for row in connection.execute(AUDIT.select()) if row.action == "green-channel"]
    assert noted == [("link/default", "entitled", "hospital-window"), ("link/default", "unknown-person", "hospital-window")]
