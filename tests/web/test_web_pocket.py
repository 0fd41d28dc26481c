"""Records of a phone over HTTP: once whatever is sent how often, asked about where both sides have changed, never lost."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pocket_world import NURSE, OTHER, PASSWORD, Phone, Street, record, street

from healthsvc import clock
from healthsvc.access import accounts, session_list
from healthsvc.fhir.consent import SignedConsent
from healthsvc.fhir.systems import V3_ACT_CODE
from healthsvc.homebed.notes import notes_of
from healthsvc.homebed.rules.bed import Diagnosis
from healthsvc.homebed.rules.eligibility import Assessment
from healthsvc.homebed.service import establish
from healthsvc.store import SYSTEM, Actor
from healthsvc.visit import service as visits
from healthsvc.visit.findings import Findings, Pressure

STROKES = [[[10, 10], [40, 60], [90, 20]], [[120, 30], [150, 80]]]
HAND = {"name": "甘棠", "relation": "", "drawing": {"width": 300, "height": 120, "strokes": STROKES}}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("street") / "data") as found:
        yield found


@pytest.fixture
def phone(here: Street) -> Iterator[Phone]:
    with httpx.Client(base_url=here.url, timeout=30) as client:
        yield Phone(client).sign_in("nurse1")


def observed(here: Street, task: str) -> list[Any]:
    with here.database.reading(SYSTEM, at=clock.now()) as store:
        encounter = visits.read(store, task).encounter
        return list(store.select("Observation", encounter=encounter)) if encounter else []


def finish(here: Street, task: str) -> None:
    with here.writing() as store:
        at = store.at - timedelta(minutes=20)
        visits.complete(store, task, Findings(at, at + timedelta(minutes=10), bp_left=Pressure(150, 90)), OTHER)


def test_what_goes_along_is_my_own_and_little(here: Street, phone: Phone) -> None:
    mine, other, later = here.visit(0), here.visit(1, staff=OTHER), here.visit(2, day=5)
    days = phone.client.get("/api/pocket/days").json()["days"]
    tasks = [one["task"] for day in days for one in day["visits"]]
    assert len(days) == 3
    assert mine in tasks
    assert other not in tasks
    assert later not in tasks
    visit = phone.carried(mine)
    assert visit["person"]["phones"] == ["0574-55550000"]
    assert "birth" not in visit["person"]
    assert 'name="systolic_left"' in visit["findings"]
    assert visit["limits"]["pulse"] == [20, 260, 45, 120]
    assert visit["reports"] == []
    with here.writing() as store:
        person = store.read("Task", mine)["for"]["reference"]
        for number in range(5):
            taken = {"code": {"text": "胸片"}, "conclusion": "双肺未见异常", "effectiveDateTime": f"2026-0{number + 1}-01"}
            store.put(
                {"resourceType": "DiagnosticReport", "id": f"shot-{number}", "status": "final", "subject": {"reference": person}, **taken}
            )
        store.put(store.read("DiagnosticReport", "shot-4") | {"status": "entered-in-error"})
    visit = phone.carried(mine)
    names = [(one["id"], one["title"], one["on"]) for one in visit["reports"]]
    assert names == [(f"shot-{number}", "胸片", f"2026-0{number + 1}-01") for number in (3, 2, 1)], "the latest that stand"
    assert "双肺" not in str(visit), "what they say is read with network and stays nowhere"


def test_a_visit_is_stored_once_and_says_by_which_clock(here: Street, phone: Phone) -> None:
    task = here.visit(0)
    sent = record(phone.carried(task), signature=HAND)
    first = phone.send(sent)[0]
    assert first["outcome"] == "store"
    assert phone.send(sent | {"sent": clock.now().isoformat()})[0] == first
    assert phone.send(sent, sent) == [first, first]
    stored = here.read("Task", task)
    assert stored["status"] == "completed"
    mark = next(one for one in stored["extension"] if one["url"].endswith("pocket-record"))
    parts = {one["url"]: one for one in mark["extension"]}
    assert parts["key"]["valueString"] == sent["key"]
    assert {"device", "received", "offset"} <= set(parts)
    assert [one["meta"]["versionId"] for one in observed(here, task) if one["id"] in (f"bp-left-{task}", f"pulse-{task}")] == ["1", "1"]
    signed = here.read("Provenance", f"confirmed-{task}")
    assert signed["signature"][0]["who"]["display"] == "甘棠"
    with here.writing() as store, pytest.raises(Exception, match="kept as it was given"):
        store.put(signed | {"signature": [signed["signature"][0] | {"data": "AAAA"}]})
    changed = sent | {"reason": "x"}
    assert phone.send(changed)[0]["reason"] == "pocket-key-used"


def test_the_same_record_at_the_same_moment_is_stored_once(here: Street, phone: Phone) -> None:
    task = here.visit(0)
    sent = record(phone.carried(task))
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.extend(phone.send(sent))) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {one["outcome"] for one in answers} == {"store"}
    assert len(here.read("Task", task)["output"]) == 3


def test_a_checkup_brings_its_form_and_the_others(here: Street, phone: Phone) -> None:
    task = here.visit(3, "quarterly-checkup", subtype="quarterly-basic")
    visit = phone.carried(task)
    assert [(one["name"], one["main"]) for one in visit["forms"]] == [("health-check-basic", True)]
    base = record(visit)
    basics = [one for one in base["fields"] if one[0] in ("day", "start", "end", "by")]
    answers = [*basics, ["q-systolic-left", "9999"]]
    bare = base | {"main": "health-check-basic", "fields": [], "forms": [{"name": "health-check-basic", "fields": answers}]}
    refused = phone.send(bare)[0]
    assert refused["outcome"] == "refused"
    assert refused["told"]
    assert here.read("Task", task)["status"] == "accepted"


def test_who_finished_it_meanwhile_is_shown_and_mine_may_stand_beside(here: Street, phone: Phone) -> None:
    task = here.visit(4)
    sent = record(phone.carried(task))
    finish(here, task)
    asked = phone.send(sent)[0]
    assert asked["outcome"] == "ask"
    assert asked["clashes"] == ["finished"]
    assert asked["choices"] == ["mine", "theirs", "desk"]
    row = next(one for one in asked["sides"] if one["label"] == "血压（左臂）")
    assert (row["mine"], row["theirs"]) == ("142/81 mmHg", "150/90 mmHg")
    decided = sent | {"key": record({"task": task, "then": {}})["key"], "decision": {"choice": "mine", "seen": asked["seen"]}}
    answer = phone.send(decided)[0]
    assert (answer["outcome"], answer["way"]) == ("store", "beside")
    assert [one["component"][0]["valueQuantity"]["value"] for one in observed(here, task) if "component" in one] == [150]
    beside = here.read("Task", f"beside-{decided['key']}")
    assert beside["status"] == "completed"
    assert phone.send(decided)[0] == answer


def test_theirs_stands_and_mine_is_kept_readable(here: Street, phone: Phone) -> None:
    task = here.visit(4)
    sent = record(phone.carried(task))
    finish(here, task)
    asked = phone.send(sent)[0]
    assert phone.send(sent | {"decision": {"choice": "theirs", "seen": asked["seen"]}})[0]["outcome"] == "keep"
    with httpx.Client(base_url=here.url) as desk:
        desk.post("/sign-in", data={"login": "desk1", "password": PASSWORD})
        assert sent["key"] not in desk.get("/pocket/desk").text
        assert sent["key"] in desk.get("/pocket/desk?all=true").text
        assert "142/81" in desk.get(f"/pocket/desk/{sent['key']}").text


@pytest.mark.parametrize(("change", "clash", "mine"), [
    ("cancelled", "cancelled", True), ("admitted", "admitted", False), ("moved", "moved", True), ("missed", "missed", True),
])  # fmt: skip
def test_what_changed_meanwhile_is_asked_about(here: Street, phone: Phone, change: str, clash: str, mine: bool) -> None:
    task = here.visit(5)
    sent = record(phone.carried(task))
    with here.writing() as store:
        person = visits.read(store, task).person
        if change == "cancelled":
            visits.cancel(store, task, "other")
        elif change == "missed":
            visits.miss(store, task, "not-at-home")
        elif change == "moved":
            at = store.at + timedelta(days=2)
            visits.plan(store, task, at, at + timedelta(minutes=30), [OTHER])
        else:
            stay = {"resourceType": "Encounter", "status": "in-progress", "class": {"system": V3_ACT_CODE, "code": "IMP"}}
            begun = (store.at - timedelta(days=1)).isoformat()
            store.create(stay | {"subject": {"reference": f"Patient/{person}"}, "period": {"start": begun}})
            visits.suspend(store, person, "admitted")
    asked = phone.send(sent)[0]
    assert asked["outcome"] == "ask"
    assert clash in asked["clashes"]
    assert ("mine" in asked["choices"]) is mine
    choice = "mine" if mine else "desk"
    answer = phone.send(sent | {"decision": {"choice": choice, "seen": asked["seen"]}})[0]
    assert answer["outcome"] == ("store" if mine else "desk")
    if not mine:
        with httpx.Client(base_url=here.url) as desk:
            desk.post("/sign-in", data={"login": "desk1", "password": PASSWORD})
            page = desk.get(f"/pocket/desk/{sent['key']}").text
            assert "142/81" in page
            token = page.partition('name="csrf" value="')[2].partition('"')[0]
            assert desk.post(f"/pocket/desk/{sent['key']}", data={"csrf": token, "note": ""}).status_code == 409
            assert desk.post(f"/pocket/desk/{sent['key']}", data={"csrf": token, "note": "已电话核实，住院前一天上门"}).status_code == 303
            assert sent["key"] not in desk.get("/pocket/desk").text


def test_a_decision_on_another_state_is_asked_again(here: Street, phone: Phone) -> None:
    task = here.visit(6)
    sent = record(phone.carried(task))
    with here.writing() as store:
        visits.cancel(store, task, "other")
    asked = phone.send(sent)[0]
    with here.writing() as store:
        visits.reopen(store, task)
    finish(here, task)
    again = phone.send(sent | {"decision": {"choice": "mine", "seen": asked["seen"]}})[0]
    assert again["outcome"] == "ask"
    assert again["clashes"] == ["finished"]


def test_a_clock_that_was_moved_is_asked_about(here: Street, phone: Phone) -> None:
    task = here.visit(7)
    sent = record(phone.carried(task), sent=(clock.now() - timedelta(hours=3)).isoformat())
    asked = phone.send(sent)[0]
    assert asked["clashes"] == ["clock"]
    assert here.read("Task", task)["status"] == "accepted"
    steady = record(phone.carried(task), sent=(clock.now() - timedelta(hours=3)).isoformat(), offset_then=3 * 3600)
    assert phone.send(steady)[0]["outcome"] == "store"


def test_nobody_at_home_is_written_off_once(here: Street, phone: Phone) -> None:
    task = here.visit(8)
    sent = record(phone.carried(task), kind="miss", fields=[], reason="not-at-home")
    assert [one["outcome"] for one in phone.send(sent, sent)] == ["store", "store"]
    assert here.read("Task", task)["status"] == "failed"


def test_batches_are_bounded_and_need_a_phone_that_may(here: Street, phone: Phone) -> None:
    task = here.visit(9)
    visit = phone.carried(task)
    many = phone.post("/api/pocket/records", {"grant": phone.grant, "records": [record(visit) for _ in range(21)]})
    assert many.status_code == 422
    other = phone.post("/api/pocket/records", {"grant": "0" * 32, "records": [record(visit)]})
    assert other.status_code == 403
    assert here.read("Task", task)["status"] == "accepted"


def test_a_phone_is_called_off_with_its_account(here: Street) -> None:
    with httpx.Client(base_url=here.url, timeout=30) as client:
        phone = Phone(client).sign_in("nurse2")
        first = phone.key
        assert phone.standing()
        with here.writing() as store:
            accounts.set_active(store, "nurse2", False)
        assert not phone.standing()
        assert client.get("/api/pocket/days").status_code == 401
        with here.writing() as store:
            accounts.set_active(store, "nurse2", True)
        assert phone.sign_in("nurse2").key == first
        with here.writing() as store:
            accounts.set_password(store, "nurse2", PASSWORD)
        assert not phone.standing()
        assert phone.sign_in("nurse2").key == first
        with here.writing() as store:
            session_list.end_others(store, "nurse2", "another browser")
        assert not phone.standing()
        assert phone.sign_in("nurse2").key == first
        assert phone.post("/api/pocket/end", {"grant": phone.grant, "forget": True}).status_code == 204
        assert not phone.standing()
        assert phone.sign_in("nurse2").key != first
        stranger = Phone(client, grant=phone.grant, token="x" * 43)
        assert stranger.sign_in("nurse1").grant != phone.grant


def test_the_application_is_the_same_for_everybody(here: Street) -> None:
    with httpx.Client(base_url=here.url) as nobody:
        shell, worker = nobody.get("/pocket"), nobody.get("/worker.js")
        assert shell.status_code == worker.status_code == 200
        assert NURSE not in shell.text
        version = worker.text.partition('"version": "')[2].partition('"')[0]
        assert version.endswith("-zh")
        for address in worker.text.partition('"files": [')[2].partition("]")[0].replace('"', "").split(", "):
            assert nobody.get(address).status_code == 200, address
        assert nobody.get("/api/pocket/days").status_code == 401
        assert nobody.post("/api/pocket/standing", json={"grant": "x", "token": "y"}).json() == {"holds": False}


def round_of_a_bed(here: Street, number: int) -> tuple[str, str, str]:
    """A bed with its first round planned for the nurse today: Task, bed, person."""
    person, illness = here.people[number], Diagnosis("I69.300", "脑梗死后遗症")
    with here.database.writing(Actor("Practitioner/dr-1", "程致和", frozenset({"doctor"}), "page"), at=clock.now()) as store:
        on = store.at.astimezone(store.zone).date()
        found = Assessment(person, "dr-1", on, illness, frozenset({"hemiplegia"}), frozenset(), True, 20, True, True, "同意建床")
        signed = SignedConsent("agreement-round", person, "home-bed", store.at, risks_told=True, fees_told=True, copies=3)
        bed = str(establish(store, person, found, signed, "dr-1", "nu-1", on)["id"])
        task = visits.open_visits(store, person, "home-bed-round")[0].id
        visits.plan(store, task, store.at, store.at + timedelta(minutes=30), [NURSE])
    return task, bed, person


def test_the_note_of_a_round_is_written_at_the_bed_without_network(here: Street, phone: Phone) -> None:
    task, bed, person = round_of_a_bed(here, 8)
    plain = here.visit(9)
    assert phone.carried(plain)["note"] == ""
    visit = phone.carried(task)
    assert 'name="section_complaint"' in visit["note"]
    note = [["section_complaint", "夜间咳嗽减轻"], ["section_orders", "继续雾化"], ["section_talk", " "]]
    sent = record(visit, note=note)
    assert [one["outcome"] for one in phone.send(sent, sent)] == ["store", "store"]
    with here.database.reading(SYSTEM, at=clock.now()) as store:
        (kept,) = notes_of(store, bed, person)
    assert kept.sections == (("complaint", "夜间咳嗽减轻"), ("orders", "继续雾化"))
    assert (kept.author, kept.visit) == ("nu-1", task)
    refused = phone.send(record(phone.carried(plain), note=note))[0]
    assert (refused["outcome"], refused["reason"]) == ("refused", "homebed-note-bed")
    assert here.read("Task", plain)["status"] != "completed", "nothing is half done"
