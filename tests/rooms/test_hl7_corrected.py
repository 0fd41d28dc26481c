"""What somebody here has corrected stands against a hospital's older word and its old value told again, if no operator says otherwise."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hospital import AT, Hospital, segment
from typer.testing import CliRunner

from healthsvc import clock
from healthsvc.fhir.json import Resource
from healthsvc.fhir.systems import hospital_number
from healthsvc.healthfile.closing import record_death, take_back_death
from healthsvc.healthfile.rules import Identifier, Person
from healthsvc.healthfile.service import update_demographics
from healthsvc.installation import open_installation
from healthsvc.main import cli
from healthsvc.store import Actor, Database, Store
from healthsvc.store.audit import AUDIT
from integrations.operating.desk import Desk

NURSE = Actor("Practitioner/n1", "测试护士", frozenset({"nurse"}), "page")
OPERATOR = Actor("user/op", "测试运维", frozenset({"operator"}), "page")
LATER = timedelta(hours=1)


@pytest.fixture
def hospital(database: Database) -> Iterator[Hospital]:
    there = Hospital(database)
    yield there
    there.inbox.stop()


def by_hand(hospital: Hospital, act: Callable[[Store], Any]) -> Any:
    with hospital.database.writing(NURSE, at=clock.now()) as store:
        return act(store)


def correct(hospital: Hospital, number: str = "C1", **values: Any) -> None:
    patient = hospital.file(number)["id"]
    by_hand(hospital, lambda store: update_demographics(store, patient, Person(**{"name": "", **values})))


def replayed(hospital: Hospital, patient: str = "", *, overrule: bool = False) -> list[tuple[str, tuple[str, ...]]]:
    """Replay everything; gives what was said beforehand."""
    desk, now = Desk(hospital.inbox.shelf), clock.now()
    with hospital.database.reading(OPERATOR, at=now) as store:
        about = desk.to_replay(store, "", now - LATER, now + LATER, patient)
        said = [(one.subject.partition("/")[0], one.elements) for one in desk.corrections(store, about.ids)]
    desk.replay(hospital.database, OPERATOR, about, overrule=overrule)
    hospital.worker.drain()
    assert {row.state for row in hospital.rows()} == {"done"}
    return said


def phones(hospital: Hospital, number: str = "C1") -> list[str]:
    return [one["value"] for one in hospital.file(number).get("telecom", ())]


def audited(hospital: Hospital, action: str) -> list[tuple[str | None, str | None]]:
    with hospital.database.reading(OPERATOR, at=clock.now()) as store:
        rows = store.connection.execute(AUDIT.select().where(AUDIT.c.action == action).order_by(AUDIT.c.seq))
        return [(row.subject, row.purpose) for row in rows]


def test_a_replay_names_what_was_corrected_since_and_leaves_it(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001", address="样例路一号")
    correct(hospital, phones=("12000000002",))
    assert replayed(hospital) == [("Patient", ("telecom",))]
    assert phones(hospital) == ["12000000002"]
    assert hospital.file("C1")["address"][0]["text"] == "样例路一号"


def test_a_message_that_told_nothing_new_when_it_came_is_looked_at_too(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001")
    hospital.says("ADT^A08", "C1", phone="12000000001", at=AT + LATER)
    assert hospital.last().made == ""
    correct(hospital, phones=("12000000002",))
    assert replayed(hospital, hospital.file("C1")["id"]) == [("Patient", ("telecom",))]
    assert phones(hospital) == ["12000000002"]
    assert "telecom" in hospital.last().remark


def test_the_hospitals_word_counts_where_an_operator_says_so(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001")
    correct(hospital, phones=("12000000002",))
    replayed(hospital)
    replayed(hospital, overrule=True)
    assert phones(hospital) == ["12000000001"]
    assert hospital.last().remark is None
    assert audited(hospital, "hl7-replay")[1][1] == "against what was corrected here since"
    correct(hospital, phones=("12000000003",))
    replayed(hospital)
    assert phones(hospital) == ["12000000003"], "the operator's word was for one replay"


def test_results_and_stays_that_were_corrected_stay_so_and_what_is_mended_comes_in(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1")
    lines = [segment("OBX", _1=str(n), _2="NM", _3=f"T{n}^项目{n}", _5=f"{n}.50", _6="mmol/L", _11="F") for n in (1, 2)]
    hospital.says("ORU^R01", "C1", segment("OBR", _1="1", _3="F1", _4="BIO^生化"), *lines)
    one, two = sorted(hospital.select("Observation"), key=lambda result: str(result["code"]["text"]))

    def put(resource: Resource, **elements: Any) -> None:
        by_hand(hospital, lambda store: store.put(store.read(resource["resourceType"], resource["id"]) | elements))

    put(one, valueQuantity=one["valueQuantity"] | {"value": 7})
    with hospital.database.writing(Actor("system/timers", door="timer"), at=clock.now()) as store:
        store.put(two | {"valueQuantity": two["valueQuantity"] | {"value": 8}})
    assert replayed(hospital) == [("Observation", ("value",))]
    values = {result["id"]: result["valueQuantity"]["value"] for result in hospital.select("Observation")}
    assert (str(values[one["id"]]), str(values[two["id"]])) == ("7", "2.50"), "what a rule wrote gives way to the hospital's word"
    assert hospital.last().remark.endswith("left as corrected here since the message came: Observation value")
    assert audited(hospital, "hl7-kept") == [(f"Observation/{one['id']}", "value")]


def test_numbers_are_added_but_for_those_that_were_taken_out(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1")
    file = hospital.file("C1")
    wrong = {"system": hospital_number("h1"), "value": "C7"}
    hospital.says("ADT^A31", "C1~C7^^^^IDCard")
    assert wrong in [{key: one[key] for key in ("system", "value")} for one in hospital.file("C1")["identifier"]]

    def mend(store: Store) -> None:
        known = store.read("Patient", file["id"])
        left = [one for one in known["identifier"] if one["value"] != "C7"]
        store.put(known | {"identifier": [*left, {"system": "urn:oid:2.16.156.10011.1.2", "value": "33029900100100001"}]})

    by_hand(hospital, mend)
    assert replayed(hospital) == [("Patient", ("identifier",))]
    assert [one["value"] for one in hospital.file("C1")["identifier"]] == ["C1", "33029900100100001"]


@pytest.mark.parametrize("event", ["ADT^A08", "ADT^A31", "ADT^A04"])
def test_an_old_value_that_is_told_again_is_no_news_and_a_new_one_is(hospital: Hospital, event: str) -> None:
    visit = [segment("PV1", _2="O", _19="V1")] if event == "ADT^A04" else []
    hospital.says("ADT^A28", "C1", phone="12000000001", address="样例路一号")
    correct(hospital, phones=("12000000002",))
    hospital.says(event, "C1", *visit, phone="12000000001", address="样例路二号", at=AT + LATER)
    assert phones(hospital) == ["12000000002"]
    filled = event == "ADT^A04"  # which only fills what is empty
    assert hospital.file("C1")["address"][0]["text"] == ("样例路一号" if filled else "样例路二号")
    assert filled or "corrected here since, was left: telecom" in hospital.last().remark
    hospital.says("ADT^A08", "C1", phone="12000000003", at=AT + 2 * LATER)
    assert phones(hospital) == ["12000000003"]
    hospital.says("ADT^A08", "C1", phone="12000000001", at=AT + 3 * LATER)
    assert phones(hospital) == ["12000000001"], "nobody here has corrected the hospital's latest word"


def test_what_was_taken_out_is_not_filled_in_again(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001")
    patient = hospital.file("C1")["id"]
    by_hand(hospital, lambda store: store.put({k: v for k, v in store.read("Patient", patient).items() if k != "telecom"}))
    hospital.says("ADT^A04", "C1", segment("PV1", _2="O", _19="V1"), phone="12000000001", at=AT + LATER)
    assert phones(hospital) == []


def test_a_null_told_again_does_not_erase_what_was_entered_here(hospital: Hospital) -> None:
    hospital.says("ADT^A28", "C1", phone="12000000001")
    hospital.says("ADT^A31", "C1", phone='""', at=AT + LATER)
    assert phones(hospital) == []
    correct(hospital, phones=("12000000002",))
    hospital.says("ADT^A31", "C1", phone='""', at=AT + 2 * LATER)
    assert phones(hospital) == ["12000000002"]


def test_a_death_that_was_taken_back_is_not_recorded_again_by_the_same_word(hospital: Hospital) -> None:
    def says(died: str, at: int) -> None:
        text = hospital.message("ADT^A08", "C1", at=AT + at * LATER).splitlines()
        text[2] += "|" * (29 - text[2].count("|")) + f"{died}|Y"
        hospital.inbox.take_now("\r".join(text).encode(), "127.0.0.1:2575", "127.0.0.1")
        hospital.worker.drain()

    hospital.says("ADT^A28", "C1")
    patient = hospital.file("C1")["id"]
    says("20260301", 1)
    assert hospital.file("C1")["deceasedDateTime"] == "2026-03-01"
    by_hand(hospital, lambda store: take_back_death(store, patient))
    for again in ("20260301", ""):
        says(again, 2)
        assert not {"deceasedDateTime", "deceasedBoolean"} & hospital.file("C1").keys()
        assert "was left: deceased" in hospital.last().remark
    says("20260302", 3)
    assert hospital.file("C1")["deceasedDateTime"] == "2026-03-02"
    by_hand(hospital, lambda store: take_back_death(store, patient))
    by_hand(hospital, lambda store: record_death(store, patient, date(2026, 3, 3)))
    says("20260302", 4)
    assert hospital.file("C1")["deceasedDateTime"] == "2026-03-03"


def test_a_retry_of_one_message_and_the_commands(tmp_path: Path) -> None:
    here = open_installation(tmp_path)
    there = Hospital(here.database)
    there.says("ADT^A28", "C1", phone="12000000001")
    there.says("ADT^A03", "C1", phone="12000000001")
    assert there.last().state == "dead"
    correct(there, phones=("12000000002",), identifiers=(Identifier("urn:oid:2.16.156.10011.1.2", "33029900100100001"),))
    patient = there.file("C1")["id"]

    def told(*words: str) -> str:
        result = CliRunner().invoke(cli, ["hl7", *words, "--data", str(tmp_path)])
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    there.inbox.stop()
    here.close()
    dry = told("replay", "--since", "2020-01-01", "--dry-run")
    assert f"Patient/{patient} identifier, telecom" in dry
    assert "2 messages would be queued again" in dry
    assert [one["state"] for one in json.loads(told("letters", "--json"))] == ["dead"], "nothing was queued"
    retried = told("retry", "2")
    assert "left as it is" in retried
    assert "message 2 is queued again" in retried
    assert "counts all the same" in told("replay", "--since", "2020-01-01", "--overrule")
