"""Health files on a real database: one file for a person, merged and unmerged, read on one line of time."""

from datetime import UTC, date, datetime

import pytest

from healthsvc.contract import service as contracts
from healthsvc.errors import Conflict, Invalid, NotFound, RuleViolation
from healthsvc.fhir.systems import CITIZEN_ID, HEALTH_FILE_NUMBER, UNVERIFIED_CITIZEN_ID, hospital_number
from healthsvc.healthfile import merging, service
from healthsvc.healthfile.citizen_id import check_digit
from healthsvc.healthfile.resources import links, to_patient, to_person
from healthsvc.healthfile.rules import Contact, ContactRole, Identifier, Living, Person
from healthsvc.healthfile.timeline import timeline
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure

AT = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
FIRST = "33029919300101901"
CITIZEN = FIRST + check_digit(FIRST)
HOSPITAL = hospital_number("h1")


def filed(store: Store, name: str = "测试甲", *identifiers: Identifier) -> str:
    return str(service.register(store, Person(name, identifiers=identifiers), "urn:test").patient["id"])


def test_registering_twice_is_one_file_and_one_version(database: Database) -> None:
    person = Person(
        "测试 甲",
        identifiers=(Identifier(CITIZEN_ID, CITIZEN.lower()), Identifier(HOSPITAL, "0001")),
        contacts=(Contact(ContactRole.FAMILY, "某女", "0574-00000000", "女儿"),),
        living=Living.ALONE,
    )
    with database.writing(SYSTEM, at=AT) as store:
        first = service.register(store, person, "urn:test")
        again = service.register(store, person, "urn:other")
        assert (first.new, again.new, again.changed) == (True, False, False)
        assert again.patient["meta"]["versionId"] == "1"
        assert CITIZEN[6:14] not in first.patient["id"]
        known = to_person(first.patient)
        assert (known.name, known.birth, known.sex) == ("测试甲", date(1930, 1, 1), "male")
        assert [tag.code for tag in known.tags] == ["aged-90", "alone"]
        assert all(tag.reason for tag in known.tags)


def test_a_file_never_becomes_another_persons_by_a_shared_number(database: Database) -> None:
    other = "33029919350101901"
    with database.writing(SYSTEM, at=AT) as store:
        one = filed(store, "测试甲", Identifier(CITIZEN_ID, CITIZEN), Identifier(HEALTH_FILE_NUMBER, "33029900100100001"))
        with pytest.raises(Conflict) as refused, store.savepoint():
            filed(store, "测试乙", Identifier(CITIZEN_ID, other + check_digit(other)), Identifier(HEALTH_FILE_NUMBER, "33029900100100001"))
        assert refused.value.reason == "patient-citizen-id-differs"
        assert store.read("Patient", one)["name"][0]["text"] == "测试甲"


def test_numbers_that_name_two_people_are_not_guessed_at(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        one = filed(store, "测试甲", Identifier(CITIZEN_ID, CITIZEN))
        two = filed(store, "测试乙", Identifier(HOSPITAL, "0002"))
        assert service.identify(store, [(HOSPITAL, "0002")])["id"] == two  # type: ignore[index]
        assert service.identify(store, [(HOSPITAL, "9999"), (HOSPITAL, "")]) is None
        with pytest.raises(Conflict) as refused:
            service.identify(store, [(CITIZEN_ID, CITIZEN), (HOSPITAL, "0002")])
        assert refused.value.reason == "patient-identifiers-disagree"
        merging.merge(store, one, two)
        assert service.identify(store, [(CITIZEN_ID, CITIZEN), (HOSPITAL, "0002")])["id"] == one  # type: ignore[index]


def test_two_files_never_share_a_citizen_id_through_any_door(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        one = filed(store, "测试甲", Identifier(CITIZEN_ID, CITIZEN), Identifier(HEALTH_FILE_NUMBER, "33029900100100001"))
        twin = to_patient(Person("测试乙", identifiers=(Identifier(CITIZEN_ID, CITIZEN),)), "")
        with pytest.raises(Conflict) as refused:
            store.create(twin)
        assert refused.value.reason == "patient-duplicate"
        assert CITIZEN not in refused.value.text
        store.delete("Patient", one)
        store.create(twin)
        assert not any(CITIZEN in key for (key,) in store.connection.exec_driver_sql("SELECT key FROM claim"))


def test_a_wrong_citizen_id_is_refused_through_rest_and_set_aside_by_a_feed(database: Database) -> None:
    wrong = CITIZEN[:-1] + ("0" if CITIZEN[-1] != "0" else "1")
    with database.writing(SYSTEM, at=AT) as store:
        with pytest.raises(Invalid) as refused:
            store.create(to_patient(Person("测试甲", identifiers=(Identifier(CITIZEN_ID, wrong),)), ""))
        assert refused.value.reason == "citizen-id-check-digit"
        told = service.register(store, Person("测试甲", identifiers=(Identifier(CITIZEN_ID, wrong),)), "urn:test")
        assert to_person(told.patient).identifiers[0].system == UNVERIFIED_CITIZEN_ID
        assert told.warnings
        mended = service.update_demographics(store, told.patient["id"], Person("", identifiers=(Identifier(CITIZEN_ID, CITIZEN),)))
        assert [one.system for one in to_person(mended.patient).identifiers] == [CITIZEN_ID]


def test_what_is_not_told_stays(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = filed(store, "测试甲")
        stored = store.read("Patient", patient)
        store.put(stored | {"maritalStatus": {"text": "丧偶"}})
        service.update_demographics(store, patient, Person("", phones=("0574-00000009",), address="某路1号"))
        after = store.read("Patient", patient)
        assert after["name"][0]["text"] == "测试甲"
        assert after["maritalStatus"] == {"text": "丧偶"}
        assert to_person(after).phones == ("0574-00000009",)
        with pytest.raises(Invalid):
            service.register(store, Person(""), "urn:test")


def test_a_merge_is_done_once_followed_and_undone(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        a, b, c = (filed(store, name) for name in ("测试甲", "测试乙", "测试丙"))
        merging.merge(store, b, c)
        merging.merge(store, a, b)
        assert service.follow(store, c)["id"] == a
        assert sorted(service.replaced(store, a)) == sorted([b, c])
        before = [len(store.history("Patient", one)) for one in (a, b, c)]
        merging.merge(store, a, b)
        merging.merge(store, a, c)
        merging.merge(store, b, c)
        assert [len(store.history("Patient", one)) for one in (a, b, c)] == before
        with pytest.raises(RuleViolation) as refused:
            merging.merge(store, c, a)
        assert refused.value.reason == "patient-merge-self"
        d = filed(store, "测试丁")
        with pytest.raises(RuleViolation) as refused:
            merging.merge(store, d, c)
        assert refused.value.reason == "patient-merged-elsewhere"
        assert store.read("Patient", c)["active"] is False
        merging.unmerge(store, b)
        assert service.follow(store, c)["id"] == b
        assert store.read("Patient", b)["active"] is True
        assert links(store.read("Patient", a), "replaces") == []
        merging.unmerge(store, b)
        with pytest.raises(NotFound):
            service.follow(store, "nobody")


def test_everything_stands_on_one_line_of_time(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        store.put({"resourceType": "Practitioner", "id": "d1"})
        survivor, retired = filed(store), filed(store, "测试乙")
        store.put(
            {
                "resourceType": "Condition",
                "id": "c1",
                "subject": {"reference": f"Patient/{retired}"},
                "code": {"text": "高血压"},
                "onsetDateTime": "1998",
            }
        )
        merging.merge(store, survivor, retired)
        contracts.sign(store, survivor, "Practitioner/d1", None, AT.date())
        first = visits.open_visits(store, survivor)[0]
        visits.complete(store, first.id, Findings(AT, AT, bp_left=Pressure(130, 70)), "Practitioner/d1")
        events = timeline(store, retired)
        assert events[-1].title == "高血压"
        assert events[-1].patient == retired
        assert {one.type for one in events} == {"Task", "Contract", "Encounter", "Observation", "Condition"}
        assert "血压（左臂）" in {one.title for one in events}
        assert events[0].at > events[-1].at
        assert len(timeline(store, survivor, 3)) == 3


def test_birthdays_change_the_tags(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = service.register(store, Person("测试甲", birth=date(1936, 12, 1)), "urn:test").patient["id"]
        assert [tag.code for tag in to_person(store.read("Patient", patient)).tags] == ["aged-80"]
        assert service.refresh_tags(store) == 0
    with database.writing(SYSTEM, at=datetime(2026, 12, 2, tzinfo=UTC)) as store:
        assert service.refresh_tags(store) == 1
        assert [tag.code for tag in to_person(store.read("Patient", patient)).tags] == ["aged-90"]


def test_completeness_of_a_file(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = filed(store, "测试甲", Identifier(CITIZEN_ID, CITIZEN))
        found = service.completeness_of(store, patient)
        assert 0 < found.score < 50
        assert "phones" in found.missing
        assert "birth" not in found.missing
