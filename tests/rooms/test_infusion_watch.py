"""A late look is told, then alarmed, once; a reaction brings alarm, referral and report about; overrides are confirmed and counted."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from test_infusion_room import AT, DOCTOR, START, brought, go, of_the_day, order_of, person

from healthsvc.emergency.service import open_alarms
from healthsvc.errors import RuleViolation
from healthsvc.fhir.json import Resource
from healthsvc.infusion import bedside, overrides, service
from healthsvc.infusion.rules.bedside import Act
from healthsvc.infusion.rules.gates import Gate
from healthsvc.infusion.rules.order import DoubleCheck, Override
from healthsvc.infusion.signatures import sign, signatures
from healthsvc.infusion.watch import Level, at_work, remind
from healthsvc.referral.service import open_referrals
from healthsvc.store import Actor, Database, Store
from healthsvc.visit.service import open_visits
from integrations.alarms.watch import Watch
from integrations.notify import Notice, NotReached

NOW = AT + timedelta(hours=1)
NURSE = Actor("Practitioner/nu-1", "护士", frozenset({"nurse"}), "page")
OTHER = Actor("Practitioner/dr-2", "医生", frozenset({"doctor"}), "page")


class Postbox:
    """Takes notices, or is out of order."""

    def __init__(self, broken: int = 0) -> None:
        self.taken: list[Notice] = []
        self.broken = broken

    def send(self, notice: Notice) -> None:
        if self.broken:
            self.broken -= 1
            raise NotReached("down")
        self.taken.append(notice)


def phoned(store: Store) -> None:
    nurse: Resource = store.read("Practitioner", "nu-1")
    store.put(nurse | {"telecom": [{"system": "phone", "value": "0574-00001234"}]})


def running(database: Database) -> tuple[str, str]:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        phoned(store)
        service.order_course(store, order_of(patient), **brought(patient))
        task = open_visits(store, patient, "home-infusion")[0].id
    with database.writing(NURSE, at=NOW + timedelta(minutes=12)) as store:
        go(store, task, NOW, *START)
    return patient, task


def test_a_late_look_is_told_once_and_then_the_chain_is_called(database: Database, tmp_path: Path) -> None:
    patient, task = running(database)
    for minute, level, sent in (
        (24, Level.IN_TIME, 0),
        (26, Level.IN_TIME, 0),
        (28, Level.LATE, 1),
        (30, Level.LATE, 0),
        (36, Level.ALARM, 1),
    ):
        with database.writing(DOCTOR, at=NOW + timedelta(minutes=minute)) as store:
            (one,) = at_work(store)
            assert (one.given.task, one.due.act, one.level) == (task, Act.CHECK, level)
            assert len(remind(store)) == sent
            assert remind(store) == []
    box = Postbox(broken=1)
    moment = [NOW + timedelta(minutes=36, seconds=2)]
    watch = Watch(database, box, tmp_path, lambda: moment[0])
    watch.turn()
    assert [one.role for one in box.taken if one.role == "staff"] == []
    moment[0] += timedelta(seconds=6)
    watch.turn()
    assert [one.to for one in box.taken if one.role == "staff"] == ["0574-00001234"]
    assert patient not in box.taken[0].text
    with database.reading(DOCTOR, at=moment[0]) as store:
        (alarm,) = open_alarms(store, patient)
        assert alarm.kind == "infusion-unattended"
        assert {one["category"][0]["coding"][0]["code"] for one in store.select("Communication", patient=patient)} == {"late", "alarm"}
    with database.writing(NURSE, at=NOW + timedelta(minutes=40)) as store:
        go(store, task, NOW, (Act.CHECK, 39))
        assert remind(store) == []
        (one,) = at_work(store)
        assert one.due.at == NOW + timedelta(minutes=54)


def test_an_observation_that_nobody_ends_is_told_and_alarms_nobody(database: Database, tmp_path: Path) -> None:
    patient, task = running(database)
    with database.writing(NURSE, at=NOW + timedelta(minutes=61)) as store:
        go(store, task, NOW, (Act.CHECK, 25), (Act.CHECK, 40), (Act.CHECK, 55), (Act.END, 60))
    for minute, level, sent in ((91, Level.IN_TIME, 0), (93, Level.LATE, 1), (180, Level.LATE, 0)):
        with database.writing(DOCTOR, at=NOW + timedelta(minutes=minute)) as store:
            (one,) = at_work(store)
            assert (one.due.act, one.level) == (Act.OBSERVE, level)
            assert len(remind(store)) == sent
    Watch(database, Postbox(), tmp_path, lambda: NOW + timedelta(minutes=181)).turn()
    with database.reading(DOCTOR, at=NOW + timedelta(minutes=182)) as store:
        assert open_alarms(store, patient) == []


def test_a_reaction_without_its_alarm_raises_it_by_itself(database: Database, tmp_path: Path) -> None:
    patient, task = running(database)
    with database.writing(NURSE, at=NOW + timedelta(minutes=20)) as store:
        go(store, task, NOW, (Act.REACT, 20), text="寒战")
        assert remind(store) == []
    with database.writing(NURSE, at=NOW + timedelta(minutes=24)) as store:
        assert len(remind(store)) == 2
    Watch(database, Postbox(), tmp_path, lambda: NOW + timedelta(minutes=24, seconds=1)).turn()
    with database.reading(DOCTOR, at=NOW + timedelta(minutes=25)) as store:
        assert [one.kind for one in open_alarms(store, patient)] == ["infusion-unattended"]


def test_every_follow_on_of_a_reaction_really_happens(database: Database, tmp_path: Path) -> None:
    patient, task = running(database)
    with database.writing(NURSE, at=NOW + timedelta(minutes=30)) as store:
        go(store, task, NOW, (Act.REACT, 20), (Act.STOP, 20), (Act.ALARM, 21), (Act.REFER, 25), (Act.REPORT, 29), text="皮疹")
        (referral,) = open_referrals(store, patient)
        assert (referral.reason, referral.urgent, referral.stage) == ("adverse-reaction", True, "requested")
        assert [one.title for one in open_visits(store, patient, "follow-up") if one.title] == ["转诊随访"]
        event = store.first("AdverseEvent", subject=f"Patient/{patient}")
        assert event is not None
        assert event["recordedDate"] == (NOW + timedelta(minutes=29)).isoformat()
    Watch(database, Postbox(), tmp_path, lambda: NOW + timedelta(minutes=31)).turn()
    with database.writing(DOCTOR, at=NOW + timedelta(hours=2)) as store:
        assert [one.kind for one in open_alarms(store, patient)] == ["infusion-reaction"]
        ward = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
        stay = {"resourceType": "Encounter", "id": "stay", "status": "in-progress", "class": ward}
        store.put(stay | {"subject": {"reference": f"Patient/{patient}"}})
        assert open_referrals(store, patient)[0].stage == "admitted"


def test_an_override_by_telephone_waits_for_the_doctor(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        service.order_course(store, order_of(patient), **brought(patient))
        task = open_visits(store, patient, "home-infusion")[0].id
    said = Override(Gate.COMPANION, "dr-2", "女儿十分钟后到", NOW)
    with database.writing(NURSE, at=NOW + timedelta(minutes=12)) as store:
        go(store, task, NOW, *START, day=of_the_day(NOW, companion=None, overrides=(said,)))
        (issue,) = overrides.overridden(store, patient)
        assert issue["status"] == "preliminary"
        for bad in (issue | {"status": "final"}, issue | {"detail": "x"}):
            with pytest.raises(RuleViolation), store.savepoint():
                store.put(bad)
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            overrides.confirm(store, issue["id"])
        assert refused.value.reason == "infusion-override-other-doctor"
    with database.writing(OTHER, at=NOW + timedelta(hours=1)) as store:
        before = overrides.count(store, date(2026, 11, 1), date(2026, 11, 30))
        assert (before.total, before.unconfirmed, before.by_doctor) == (1, 1, {"dr-2": 1})
        overrides.confirm(store, issue["id"])
        assert overrides.confirm(store, issue["id"])["status"] == "final"
        after = overrides.count(store, date(2026, 11, 1), date(2026, 11, 30))
        assert (after.by_gate, after.unconfirmed) == ({"infusion-no-companion": 1}, 0)
        assert overrides.count(store, date(2026, 12, 1), date(2026, 12, 31)).total == 0


def test_two_sign_for_themselves_and_the_record_says_so(database: Database) -> None:
    with database.writing(DOCTOR, at=AT) as store:
        patient = person(store)
        service.order_course(store, order_of(patient), **brought(patient))
        task = open_visits(store, patient, "home-infusion")[0].id
        sign(store, task)
    with database.writing(NURSE, at=NOW) as store:
        forged = store.read("Provenance", next(iter(store.select("Provenance", target=f"Task/{task}")))["id"]) | {"id": "forged"}
        with pytest.raises(RuleViolation) as refused, store.savepoint():
            store.put(forged)
        assert refused.value.reason == "infusion-signature-other"
        sign(store, task)
        assert [one.by for one in signatures(store, task)] == ["nu-1", "dr-1"]
    with database.writing(NURSE, at=NOW + timedelta(minutes=12)) as store:
        go(store, task, NOW, *START, day=of_the_day(NOW, double_check=None))
        check = bedside.where(store, task).evidence.double_check
        assert check == DoubleCheck("nu-1", "dr-1", AT, signed=True)
