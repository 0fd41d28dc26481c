"""The commands on input that nobody here wrote: messages, records, roads and planning instances, as a new user would try them."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from served import run, served

from healthsvc.dayplan.checker import check
from healthsvc.dayplan.formats import mankowska
from healthsvc.demo.people import people, write_roster
from integrations.demo import district

pytestmark = pytest.mark.shared
ZONE = ZoneInfo("Asia/Shanghai")


def test_every_well_formed_message_is_read_and_the_named_families_are_mapped(shared: Path) -> None:
    told = json.loads(run("hl7", "check", str(shared / "hl7"), "--json"))
    counts = told.get("counts", told)
    assert counts["read"] == counts["identical"]
    assert counts["read"] >= 819
    assert counts["mapped"] >= 576


def test_records_come_back_value_identical(shared: Path) -> None:
    told = json.loads(run("fhir", "check", str(shared / "fhir" / "synthea-bundles-smart"), "--json"))
    assert "4264" in json.dumps(told)


def test_an_instance_is_solved_to_the_best_known_and_the_answer_holds(shared: Path, tmp_path: Path) -> None:
    instance = shared / "hhcrsp" / "mankowska" / "instances" / "InstanzCPLEX_HCSRP_10_1.json"
    told = json.loads(run("plan", "solve", str(instance), "--seconds", "2", "--seed", "1", "--out", str(tmp_path / "out.json"), "--json"))
    problem = mankowska.read(json.loads(instance.read_text()), instance.name)
    verdict = check(problem, mankowska.read_plan(problem, json.loads((tmp_path / "out.json").read_text()), "out.json"))
    assert verdict.violations == ()
    assert verdict.cost == pytest.approx(told["cost"], abs=0.005)
    assert verdict.cost == pytest.approx(218.199, abs=0.005)


def test_a_garbled_instance_gets_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"patients": 3}')
    run("plan", "solve", str(tmp_path / "bad.json"), "--seconds", "1", "--out", str(tmp_path / "out.json"), expect=2)
    assert not (tmp_path / "out.json").exists()


def test_a_day_is_planned_on_the_roads_of_shanghai(shared: Path, tmp_path: Path) -> None:
    """Forty people at recorded points, two stations among them, the road graph of the extract."""
    data = tmp_path / "data"
    told = json.loads(run("roads", "load", str(shared / "osm" / "shanghai_center_2025-08-09.osm.pbf"), "--data", str(data), "--json"))
    assert told["data_date"] == "2025-08-09"
    points = json.loads((shared / "osm" / "pts_shanghai.json").read_text())
    homes = [(lon, lat, "外滩社区", f"示例路{n}号") for n, (lon, lat) in enumerate(points[:40])]
    on = datetime.now(ZONE).date()
    write_roster(people(40, 3, on, homes), tmp_path / "roster.csv")
    run("import", "roster", str(tmp_path / "roster.csv"), "--data", str(data))
    with served(data) as here, here.client("coordinator") as client, here.client("doctor") as doctor:
        for n, (lon, lat) in enumerate((points[100], points[140]), 1):
            kind = {"coding": [{"system": "https://healthsvc.example/fhir/CodeSystem/location-type", "code": "station"}]}
            place = {"longitude": lon, "latitude": lat}
            station = {"resourceType": "Location", "id": f"s{n}", "status": "active", "type": [kind], "position": place}
            staff = district.Staff(f"d{n}", f"医生{n}", "doctor", f"s{n}")
            for resource in (station, district.practitioner(staff, n), district.role(staff)):
                answer = client.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)
                assert answer.status_code in (200, 201), answer.text
        for entry in doctor.get("/fhir/Patient?_count=60").json()["entry"]:
            _ask(doctor, entry["resource"]["id"], on)
    plan = json.loads(run("plan", "day", on.isoformat(), "--data", str(data), "--seconds", "1", "--json"))
    stops = [stop for route in plan["routes"] for stop in route["stops"]]
    assert len(stops) + len(plan["left_over"]) >= 20
    assert {stop["basis"] for stop in stops} <= {"road", "estimate"}
    assert sum(stop["basis"] == "road" for stop in stops) >= 0.8 * len(stops)
    assert all(left["reason"] for left in plan["left_over"])
    circle = json.loads(run("circle", "coverage", "--data", str(data), "--mode", "walk", "--json"))
    assert circle["total"]["people"] + circle["unlocated"] == 40
    assert circle["provenance"]["data_date"] == "2025-08-09"
    assert json.loads(run("circle", "siting", "--data", str(data), "--mode", "walk", "--json"))["proven"]


def _ask(doctor, patient: str, on: date) -> None:  # type: ignore[no-untyped-def]
    start = datetime.combine(on, datetime.min.time(), tzinfo=ZONE)
    system = "https://healthsvc.example/fhir/CodeSystem"
    task = {
        "resourceType": "Task",
        "id": f"visit-{patient[:40]}",
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": f"{system}/visit-kind", "code": "follow-up"}]},
        "for": {"reference": f"Patient/{patient}"},
        "restriction": {"period": {"start": start.isoformat(), "end": (start + timedelta(days=1)).isoformat()}},
        "input": [
            {
                "type": {"coding": [{"system": f"{system}/visit-input", "code": "duration"}]},
                "valueDuration": {"value": 20, "system": "http://unitsofmeasure.org", "code": "min"},
            },
            {"type": {"coding": [{"system": f"{system}/visit-input", "code": "skill"}]}, "valueCode": "doctor"},
        ],
    }
    answer = doctor.put(f"/fhir/Task/{task['id']}", json=task)
    assert answer.status_code == 201, answer.text
