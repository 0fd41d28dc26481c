"""五必到 from a real database: put on the list once, called off when the cause is gone, done with who, when and how, whatever the door."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from roomserver import room_client

from healthsvc.emergency import service as alarms
from healthsvc.emergency.rules import Act, Line
from healthsvc.errors import NotFound, RuleViolation
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.healthfile.rules import Category, Person
from healthsvc.healthfile.service import register
from healthsvc.mustvisit import service
from healthsvc.mustvisit.endpoints import router
from healthsvc.mustvisit.rules import Occasion
from healthsvc.store import SYSTEM, Database, Store
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit, Window

AT = datetime(2026, 3, 4, 1, 0, tzinfo=UTC)
ON = date(2026, 3, 4)


def world(store: Store) -> str:
    known = Person("测试甲", category=Category.LIXIU, birth=date(1930, 3, 10), doctor="Practitioner/d1")
    store.put({"resourceType": "Practitioner", "id": "d1"})
    patient = str(register(store, known, "urn:test").patient["id"])
    register(store, Person("外人", birth=date(1930, 3, 10)), "urn:test")
    subject = {"reference": f"Patient/{patient}"}
    stay = {"resourceType": "Encounter", "id": "stay-1", "status": "in-progress", "class": {"system": V3_ACT_CODE, "code": "IMP"}}
    store.put(stay | {"subject": subject, "period": {"start": "2026-03-03T20:00:00+08:00"}, "serviceProvider": {"display": "某医院"}})
    window = Window(AT - timedelta(days=2), AT + timedelta(days=20))
    visits.request(store, Visit("checkup-1", "quarterly-checkup", patient, window, 30))
    alarms.raise_alarm(store, patient, "fall", "81890", AT - timedelta(hours=1))
    return patient


def shown(store: Store, on: date = ON) -> set[tuple[str, str]]:
    return {(one.occasion.value, one.last.isoformat()) for one in service.listed(store, on)}


def test_the_five_are_put_on_the_list_once(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        world(store)
        assert len(service.refresh(store, ON)) == 4
        assert service.refresh(store, ON) == []
        assert shown(store) == {
            ("birthday", "2026-03-10"), ("admission", "2026-03-06"), ("checkup", "2026-03-24"), ("trouble", "2026-03-05"),
        }  # fmt: skip
        checkup = next(one for one in service.listed(store, ON) if one.occasion is Occasion.CHECKUP)
        assert (checkup.who, checkup.owner) == ("community-doctor", "Practitioner/d1")
        (trouble,) = service.listed(store, date(2026, 3, 6), occasion=Occasion.TROUBLE)
        assert trouble.overdue(date(2026, 3, 6))
        assert not trouble.overdue(date(2026, 3, 5))
    with database.writing(SYSTEM, at=AT + timedelta(days=1)) as store:
        assert service.refresh(store, ON + timedelta(days=1)) == []


def test_what_is_no_longer_asked_for_is_called_off(database: Database) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        patient = world(store)
        service.refresh(store, ON)
        store.put(store.read("Encounter", "stay-1") | {"status": "cancelled"})
        service.refresh(store, ON)
        assert "admission" not in {occasion for occasion, _ in shown(store)}
        alarm = alarms.open_alarms(store, patient)[0]
        alarms.act(store, alarm.id, Line(Act.CLOSE, AT, "x", text="false-alarm"))
    with database.writing(SYSTEM, at=AT + timedelta(days=1)) as store:
        store.put(store.read("Patient", patient) | {"deceasedDateTime": "2026-03-04T20:00:00+08:00"})
        service.refresh(store, ON + timedelta(days=1))
        assert shown(store) == set()


def test_done_once_with_who_and_how(database: Database, tmp_path: Path) -> None:
    with database.writing(SYSTEM, at=AT) as store:
        world(store)
        service.refresh(store, ON)
        birthday = next(one for one in service.listed(store, ON) if one.occasion is Occasion.BIRTHDAY)
        for wrong in ({"by": " "}, {"by": "老周", "mode": "owl"}, {"by": "老周", "at": AT + timedelta(hours=1)}):
            with pytest.raises(RuleViolation):
                service.come(store, birthday.id, **wrong)  # type: ignore[arg-type]
        with pytest.raises(NotFound):
            service.come(store, "nothing", "老周")
        first = service.come(store, birthday.id, "老周", mode="phone", note="送了蛋糕")
        assert service.come(store, birthday.id, "别人") == first
        with pytest.raises(RuleViolation), store.savepoint():
            store.put(first | {"status": "requested"})
        with pytest.raises(RuleViolation), store.savepoint():
            store.delete("Task", birthday.id)
        open_one = store.read("Task", next(one.id for one in service.listed(store, ON)))
        with pytest.raises(RuleViolation), store.savepoint():
            store.put(open_one | {"status": "completed"})
    with room_client(database, tmp_path, router) as client:
        everything = client.get("/api/mustvisit", params={"on": ON.isoformat(), "all": True}).json()
        done = next(one for one in everything if one["id"] == birthday.id)
        assert (done["came"]["by"], done["came"]["mode"], done["came"]["note"]) == ("老周", "phone", "送了蛋糕")
        rest = client.get("/api/mustvisit", params={"on": ON.isoformat()}).json()
        assert len(rest) == 3
        came = client.post(f"/api/mustvisit/{rest[0]['id']}/come", json={"by": "社工小何"})
        assert came.status_code == 200, came.text
        assert came.json()["status"] == "completed"
        assert client.post("/api/mustvisit/refresh").status_code == 201
    with room_client(database, tmp_path, router, "hospital-window") as window:
        assert window.get("/api/mustvisit").status_code == 403
