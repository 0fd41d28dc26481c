"""A drip whose steps come from a phone: what runs is recorded without network and walked through the protocol later; what begins is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import embedded
import httpx
import pytest
import time_machine
from pocket_world import PASSWORD, Phone, record
from serving import NO_TLS, serving
from test_web_bedside import AT, CSRF, KIT, VITALS, _dose

from healthsvc.access import accounts
from healthsvc.app import create_app
from healthsvc.config import Settings
from healthsvc.infusion import bedside
from healthsvc.infusion.records import Given
from healthsvc.infusion.rules.bedside import Act
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM, Database
from healthsvc.visit import service as visits

SIGNS = {"systolic": 135, "diastolic": 75, "pulse": 72, "temperature": "36.6", "spo2": 97}


@dataclass(slots=True)
class Bed:
    """A nurse at one bed, with the phone's page and the bedside page."""

    phone: Phone
    database: Database
    task: str

    def steps(self, *taken: tuple[str, int, dict[str, Any]], then: Any = None) -> dict[str, Any]:
        """A record of steps: act, minutes after the beginning, and what else belongs to it."""
        visit = self.phone.carried(self.task)
        steps = [{"act": act, "at": (AT + timedelta(minutes=minute)).isoformat(), **more} for act, minute, more in taken]
        return record(visit, kind="drip", fields=[], steps=steps) | ({"then": then} if then else {})

    def online(self, act: str, **fields: str) -> int:
        """Take a step on the bedside page, with network."""
        token = CSRF.search(self.phone.client.get("/help").text)
        assert token is not None
        said = {"act": act, "by": "Practitioner/nu-1", "csrf": token[1], **fields}
        return self.phone.client.post(f"/visits/{self.task}/bedside", data=said).status_code

    def where(self) -> Given:
        """What stands on file."""
        with self.database.reading(SYSTEM, at=AT) as store:
            return bedside.where(store, self.task)


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    with time_machine.travel(AT, tick=True):
        embedded.made(tmp_path)
        installation = open_installation(settings=Settings(data=tmp_path))
        with installation.database.writing(SYSTEM, at=AT) as store:
            task = _dose(store)
            window = visits.read(store, task).window
            visits.plan(store, task, window.start, window.start + timedelta(minutes=60), ["Practitioner/nu-1"])
            accounts.create_user(store, "nurse1", "nurse", name="苏念安", practitioner="Practitioner/nu-1", password=PASSWORD)
        with serving(create_app(installation)) as url, httpx.Client(base_url=url, timeout=30, verify=NO_TLS) as client:
            yield Bed(Phone(client), installation.database, task)
        installation.close()


def test_what_runs_is_recorded_without_network_and_what_begins_is_not(bed: Bed) -> None:
    with time_machine.travel(AT + timedelta(minutes=5), tick=True):
        bed.phone.sign_in("nurse1")
        carried = bed.phone.carried(bed.task)["drip"]
        assert carried["step"] == "planned"
        assert set(carried["server"]) == {"clear", "puncture"}
        met = bed.steps(("arrive", 2, {}), ("identify", 3, {"matched": ["name", "birth-date"]}))
        first = bed.phone.send(met)[0]
        assert first["outcome"] == "store"
        assert bed.phone.send(met)[0] == first
        assert [entry.at for entry in bed.where().bedside.log] == [AT + timedelta(minutes=2), AT + timedelta(minutes=3)]
        for act in ("clear", "puncture"):
            refused = bed.phone.send(bed.steps((act, 4, {})))[0]
            assert (refused["outcome"], refused["reason"]) == ("refused", "pocket-needs-server")
        assert bed.online("clear", companion="1", second="Practitioner/dr-1", **KIT) == 303
        assert bed.online("measure", **VITALS) == 303
        assert bed.online("puncture") == 303
        running = bed.phone.carried(bed.task)
        assert running["drip"]["step"] == "running"
    with time_machine.travel(AT + timedelta(minutes=110), tick=True):
        bed.phone.sign_in("nurse1")
        looked = ("check", 25, {"text": "无不适"})
        assert bed.phone.send(bed.steps(looked, then=running["then"]))[0]["outcome"] == "store"
        # the answer was lost, and the phone has gone on: everything since the last contact is sent again
        rest = (("check", 45, {}), ("end", 62, {"vitals": SIGNS}), ("observe", 100, {}), ("leave", 102, {}))
        assert bed.phone.send(bed.steps(looked, *rest, then=running["then"]))[0]["outcome"] == "store"
    log = bed.where().bedside.log
    assert [entry.act for entry in log[-5:]] == [Act.CHECK, Act.CHECK, Act.END, Act.OBSERVE, Act.LEAVE]
    assert [int((entry.at - AT).total_seconds() // 60) for entry in log[-5:]] == [25, 45, 62, 100, 102]
    with bed.database.reading(SYSTEM, at=AT) as store:
        task = store.read("Task", bed.task)
    assert task["status"] == "completed"
    assert datetime.fromisoformat(task["executionPeriod"]["end"]) == AT + timedelta(minutes=102)


def test_too_short_an_observation_is_refused_whole_and_two_logs_are_not_mixed(bed: Bed) -> None:
    with time_machine.travel(AT + timedelta(minutes=5), tick=True):
        bed.phone.sign_in("nurse1")
        before = bed.phone.carried(bed.task)["then"]
        assert bed.online("arrive") == 303
        clash = bed.phone.send(bed.steps(("arrive", 2, {}), then=before))[0]
        assert (clash["outcome"], clash["clashes"], clash["choices"]) == ("ask", ["steps"], ["theirs", "desk"])
        assert any(row["label"] == "步骤 1" and row["mine"] and row["theirs"] for row in clash["sides"])
        assert bed.online("identify", matched_name="1", **{"matched_birth-date": "1"}) == 303
        assert bed.online("clear", companion="1", second="Practitioner/dr-1", **KIT) == 303
        assert bed.online("measure", **VITALS) == 303
        assert bed.online("puncture") == 303
        known = len(bed.where().bedside.log)
    with time_machine.travel(AT + timedelta(minutes=80), tick=True):
        bed.phone.sign_in("nurse1")
        hasty = bed.steps(("end", 60, {"vitals": SIGNS}), ("observe", 61, {}), ("leave", 62, {}))
        answer = bed.phone.send(hasty)[0]
        assert (answer["outcome"], answer["reason"]) == ("refused", "infusion-observation-too-short")
        assert len(bed.where().bedside.log) == known
        reacted = bed.steps(("react", 40, {"text": "皮疹"}), ("stop", 41, {}), ("alarm", 41, {}))
        assert bed.phone.send(reacted)[0]["outcome"] == "store"
        assert bed.where().bedside.step == "alarmed"
