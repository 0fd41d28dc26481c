"""The green channel on a real database: grant, renew, withdraw, answer; merges, death, other doors."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from healthsvc.errors import Invalid, RuleViolation
from healthsvc.fhir.systems import CITIZEN_ID, hospital_number
from healthsvc.greenchannel import service
from healthsvc.greenchannel.resources import flag_id
from healthsvc.greenchannel.rules import Reason, Right, Standing
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.merging import merge
from healthsvc.healthfile.rules import Category, Identifier, Person
from healthsvc.healthfile.service import register
from healthsvc.store import Actor, Database

AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
ON = date(2026, 11, 22)
NURSE = Actor("Practitioner/nu-1", "护士", frozenset({"nurse"}), "page")
NUMBER = "33029919300101901"
CITIZEN = NUMBER + check_digit(NUMBER)


def filed(store: Any, name: str, category: Category | None = Category.LIXIU, **values: Any) -> str:
    return str(register(store, Person(name=name, category=category, **values), "urn:test").patient["id"])


def test_the_window_is_answered_by_citizen_id_and_by_hospital_number(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        numbers = (Identifier(CITIZEN_ID, CITIZEN), Identifier(hospital_number("h1"), "000123"))
        patient = filed(store, "测试甲", identifiers=numbers)
        assert service.answer(store, CITIZEN_ID, CITIZEN).standing is Standing.NOT_ENTITLED
        flag = service.grant(store, patient, ON)
        assert service.grant(store, patient, ON)["meta"]["versionId"] == flag["meta"]["versionId"] == "1"
    with database.reading(NURSE, at=AT) as store:
        for system, value in ((CITIZEN_ID, CITIZEN), (CITIZEN_ID, CITIZEN.lower()), (hospital_number("h1"), " 000123 ")):
            told = service.answer(store, system, value)
            assert told.entitled
            assert told.rights == frozenset(Right)
            assert told.reason is Reason.LIXIU
            assert told.valid_to == date(2031, 11, 21)
        assert service.answer(store, hospital_number("h2"), "000123").standing is Standing.UNKNOWN
        assert service.answer(store, CITIZEN_ID, CITIZEN, date(2031, 11, 22)).standing is Standing.EXPIRED
        with pytest.raises(Invalid) as refused:
            service.answer(store, CITIZEN_ID, CITIZEN[:-1])
        assert CITIZEN[:-1] not in str(refused.value)


def test_every_question_is_audited_with_its_outcome_and_without_the_number(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        patient = filed(store, "测试甲", identifiers=(Identifier(CITIZEN_ID, CITIZEN),))
        service.grant(store, patient, ON)
        service.answer(store, CITIZEN_ID, CITIZEN)
        service.answer(store, hospital_number("h1"), "nobody")
        asked = [act for act in store.acts if act.action == "green-channel"]
    assert [(act.patient, act.outcome, act.purpose) for act in asked] == [
        (patient, "entitled", "hospital-window"),
        (None, "unknown-person", "hospital-window"),
    ]
    assert CITIZEN not in repr(asked)


def test_a_merged_file_leads_to_the_surviving_one(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        old = filed(store, "测试甲", identifiers=(Identifier(hospital_number("h1"), "1"),))
        kept = filed(store, "测试甲", identifiers=(Identifier(hospital_number("h1"), "2"),))
        service.grant(store, old, ON)
        merge(store, kept, old)
        told = service.answer(store, hospital_number("h1"), "1")
        assert told.entitled
        assert told.patient == kept


def test_death_closes_it_whoever_writes_the_death(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        patient = filed(store, "测试甲", identifiers=(Identifier(hospital_number("h1"), "1"),))
        service.grant(store, patient, ON)
        store.put(store.read("Patient", patient) | {"deceasedDateTime": "2026-11-21"})
        assert store.read("Flag", flag_id(patient))["status"] == "inactive"
        assert service.answer(store, hospital_number("h1"), "1").standing is Standing.DECEASED
        with pytest.raises(RuleViolation) as refused:
            service.grant(store, patient, ON)
        assert refused.value.reason == "greenchannel-deceased"


def test_withdraw_and_renew(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        patient = filed(store, "测试甲", identifiers=(Identifier(hospital_number("h1"), "1"),))
        service.grant(store, patient, ON)
        later = date(2031, 11, 1)
        renewed = service.renew(store, patient, later)
        assert renewed["period"] == {"start": "2026-11-22", "end": "2036-10-31"}
        assert service.withdraw(store, patient, later)["status"] == "inactive"
        assert service.withdraw(store, patient, later)["meta"]["versionId"] == "3"
        assert service.answer(store, hospital_number("h1"), "1", later).standing is Standing.WITHDRAWN
        with pytest.raises(RuleViolation) as refused:
            service.renew(store, patient, later)
        assert refused.value.reason == "greenchannel-withdrawn"
        assert service.grant(store, patient, later)["status"] == "active"


def test_what_no_rule_gives_needs_a_name(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        patient = filed(store, "测试乙", Category.TUIXIU, birth=date(1955, 1, 1))
        for given in ({}, {"rights": [Right.CONSULTATION]}):
            with pytest.raises(RuleViolation):
                service.grant(store, patient, ON, **given)
        store.put({"resourceType": "Practitioner", "id": "dr-1"})
        flag = service.grant(store, patient, ON, rights=[Right.CONSULTATION], by="dr-1")
        assert flag["author"] == {"reference": "Practitioner/dr-1"}
        assert service.answer_for(store, patient, ON).reason is Reason.OTHER


def test_the_same_rules_hold_for_a_flag_written_as_fhir(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        patient = filed(store, "测试甲")
        flag = service.grant(store, patient, ON)
        other = filed(store, "测试乙", Category.TUIXIU, birth=date(1955, 1, 1))
        theirs = flag | {"subject": {"reference": f"Patient/{other}"}}
        for changed, reason in (
            (theirs | {"id": flag_id(other)}, "greenchannel-not-entitled"),
            (theirs | {"id": "another"}, "greenchannel-one-flag"),
            (flag | {"period": {"start": "2026-11-22"}}, "greenchannel-too-long"),
            (flag | {"code": {"text": "x"}, "meta": {}}, "greenchannel-keep"),
        ):
            with pytest.raises(RuleViolation) as refused, store.savepoint():
                store.put(changed)
            assert refused.value.reason == reason
        with pytest.raises(RuleViolation), store.savepoint():
            store.delete("Flag", flag_id(patient))
        unrelated = {
            "resourceType": "Flag",
            "status": "active",
            "code": {"text": "跌倒风险"},
            "subject": {"reference": f"Patient/{patient}"},
        }
        assert store.create(unrelated)["status"] == "active"


def test_the_daily_look_grants_renews_and_withdraws_once(database: Database) -> None:
    with database.writing(NURSE, at=AT) as store:
        lixiu = filed(store, "测试甲")
        old = filed(store, "测试乙", Category.TUIXIU, birth=date(1940, 1, 1))
        young = filed(store, "测试丙", Category.TUIXIU, birth=date(1960, 1, 1))
        first = service.refresh(store, ON)
        assert set(first.granted) == {lixiu, old}
        assert young not in first.granted
        assert service.refresh(store, ON) == service.Refreshed()
        near = date(2027, 11, 1)
        assert service.refresh(store, near).renewed == (old,)
        assert service.refresh(store, near) == service.Refreshed()
        store.put(store.read("Patient", old) | {"birthDate": "1970-01-01"})
        assert service.refresh(store, near).withdrawn == (old,)
