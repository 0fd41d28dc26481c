"""Published formats: read with care, written so that they read back, refused with the place of the fault."""

import copy
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from healthsvc.dayplan.formats import reading
from healthsvc.dayplan.instance import read_instance, solve_instance
from healthsvc.dayplan.watching import enough, watched
from healthsvc.errors import Invalid, Malformed, NotSupported, RuleViolation

INSTANCES = Path(__file__).resolve().parents[2] / "fixtures/instances"


def spoiled(name: str, tmp_path: Path, change: Any) -> Path:
    """A copy of an instance with a fault in it."""
    found = copy.deepcopy(json.loads((INSTANCES / name).read_text()))
    change(found)
    path = tmp_path / name
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("name", ["mankowska-12", "unified-15"])
def test_a_solution_is_solved_proved_and_written(name: str, tmp_path: Path) -> None:
    out = tmp_path / "solution.json"
    first = solve_instance(INSTANCES / f"{name}.json", iterations=40_000, out=out)
    written = out.read_text()
    again = solve_instance(INSTANCES / f"{name}.json", iterations=40_000, out=out)
    assert (first.cost, written) == (again.cost, out.read_text())
    assert first.lines()[0] == f"cost {first.cost:.3f}"
    assert first.as_json()["cost"] == first.cost
    assert json.loads(written)["routes"][0].keys() == {"caregiver_id", "locations"}


def two_of_a_kind(sync: dict[str, Any] | None) -> dict[str, Any]:
    """A unified instance whose only patient asks for the same service twice."""
    patient = {
        "id": "p",
        "distance_matrix_index": 1,
        "time_windows": [{"start": 0, "end": 50}],
        "required_services": [{"service": "s"}] * 2,
    }
    staff = [{"id": who, "abilities": ["s"], "departing_point": "o", "arrival_point": "o"} for who in "cd"]
    return {
        "metadata": {"cost_components": {"travel_time": 1}, "time_window_met": "at_service_start"},
        "terminal_points": [{"id": "o", "distance_matrix_index": 0}],
        "services": [{"id": "s", "default_duration": 10}],
        "distances": [[0, 7], [5, 0]],
        "patients": [patient | ({"synchronization": sync} if sync else {})],
        "caregivers": staff,
    }


@pytest.mark.parametrize(
    ("sync", "apart", "cost"),
    [
        ({"type": "simultaneous"}, 0, 24.0),
        ({"type": "sequential", "distance": {"min": 15, "max": 15}}, 15, 24.0),
        (None, 10, 12.0),
    ],
)
def test_the_same_service_is_asked_for_twice(sync: dict[str, Any] | None, apart: int, cost: float, tmp_path: Path) -> None:
    path, out = tmp_path / "twice.json", tmp_path / "solution.json"
    path.write_text(json.dumps(two_of_a_kind(sync)))
    assert solve_instance(path, iterations=5_000, out=out).cost == pytest.approx(cost)
    made = [stop for route in json.loads(out.read_text())["routes"] for stop in route["locations"]]
    assert [stop["service"] for stop in made] == ["s", "s"]
    one, two = sorted(stop["arrival_time"] for stop in made)
    assert two - one == apart


def test_two_processes_search_side_by_side_and_end_together(tmp_path: Path) -> None:
    path, out = INSTANCES / "mankowska-12.json", tmp_path / "o.json"
    summary = solve_instance(path, iterations=20_000, jobs=2, out=out)
    assert summary.evaluations > 30_000
    before = signal.getsignal(signal.SIGTERM)

    def end() -> None:
        while signal.getsignal(signal.SIGTERM) is before:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)  # to this process alone, as a supervisor does

    ending = threading.Thread(target=end)
    ending.start()
    ended = solve_instance(path, seconds=600.0, jobs=2, out=out)
    ending.join()
    assert (ended.ended_early, ended.seconds < 300.0) == (True, True)
    assert json.loads(out.read_text())["routes"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("distances"), "distances is missing"),
        (lambda d: d["distances"].pop(), "square matrix"),
        (lambda d: d["distances"][1].__setitem__(2, "far"), r"distances\[1\]\[2\] is not a number"),
        (lambda d: d["distances"][1].__setitem__(2, "5"), r"distances\[1\]\[2\] is not a number"),
        (lambda d: d["distances"][1].__setitem__(2, True), r"distances\[1\]\[2\] is not a number"),
        (lambda d: d["distances"][1].__setitem__(2, None), r"distances\[1\]\[2\] is not a number"),
        (lambda d: d["distances"][1].__setitem__(2, -1), r"distances\[1\]\[2\] is a negative"),
        (lambda d: d["distances"][2].__setitem__(2, 7), r"distances\[2\]\[2\] is the way from a place to itself; it has to be 0"),
        (lambda d: d["patients"][3]["required_caregivers"][0].__setitem__("duration", -1), "less than no time"),
        (lambda d: d["distances"][1].__setitem__(2, 1e300), "too long"),
        (lambda d: d["patients"][3]["time_window"].__setitem__(1, 1e300), "larger than any time"),
        (lambda d: d.__setitem__("central_offices", []), "exactly one office"),
        (lambda d: d["patients"].append(d["patients"][0]), "rows"),
        (lambda d: d["patients"][3].__setitem__("time_window", [5]), r"patients\[3\].time_window"),
        (lambda d: d["patients"][3].__setitem__("time_window", [9, 5]), "ends before it begins"),
        (lambda d: d["patients"][3].__setitem__("id", d["patients"][2]["id"]), "appears twice"),
        (lambda d: d["patients"][3].__setitem__("required_caregivers", []), "one or two services"),
        (lambda d: d["patients"][6]["synchronization"].__setitem__("type", "sometimes"), "simultaneous, or sequential"),
        (lambda d: d["caregivers"][0].__setitem__("abilities", "s1"), "list of texts"),
    ],
)
def test_a_garbled_mankowska_instance_says_where(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=said):
        read_instance(spoiled("mankowska-12.json", tmp_path, change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["metadata"].pop("cost_components"), "cost_components is missing"),
        (lambda d: d["metadata"].__setitem__("time_window_met", "whenever"), "time_window_met"),
        (lambda d: d["patients"][0].__setitem__("distance_matrix_index", 99), "row of the distance matrix"),
        (lambda d: d["patients"][0].__setitem__("time_windows", []), "windows in order"),
        (lambda d: d["caregivers"][0].__setitem__("departing_point", "moon"), "not a terminal point"),
        (lambda d: d["caregivers"][0].__setitem__("working_shift", {"start": 1320, "end": 480}), r"past midnight \(1920 for 480\)"),
        (lambda d: d["caregivers"][0].__setitem__("lunch_break", "no"), r"caregivers\[0\].lunch_break has to be true or false"),
        (lambda d: d["patients"][0].__setitem__("optional", 1), r"patients\[0\].optional has to be true or false"),
        (lambda d: d["lunch_breaks"].__setitem__("end", 100), "end before they begin"),
        (lambda d: d["lunch_breaks"].__setitem__("min_duration", -30), "less than no time"),
        (lambda d: d["terminal_points"].append(d["terminal_points"][0]), "terminal point d0 appears twice"),
        (lambda d: d["patients"][2].__setitem__("id", "d0"), r"patients\[2\].id d0 is that of a terminal point"),
        (lambda d: d["patients"][2]["required_services"][0].__setitem__("service", "lunch_break"), "as breaks are; rename"),
        (lambda d: d["metadata"]["cost_components"].__setitem__("travel_time", -1), "negative"),
    ],
)
def test_a_garbled_unified_instance_says_where(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed, match=said):
        read_instance(spoiled("unified-15.json", tmp_path, change))


def test_an_objective_that_we_do_not_know_is_not_guessed(tmp_path: Path) -> None:
    path = spoiled("unified-15.json", tmp_path, lambda d: d["metadata"]["cost_components"].__setitem__("happiness", 3))
    with pytest.raises(NotSupported, match="happiness"):
        read_instance(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"[1]", "one JSON object"),
        (b"{}", "neither"),
        (b'{"a": NaN}', "NaN"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "deep"),
    ],
)
def test_what_is_no_instance_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "garbled.json"
    path.write_bytes(content)
    with pytest.raises(Malformed, match=said):
        read_instance(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="cannot read"):
        reading.load(tmp_path / "missing.json")


def test_no_time_is_no_search() -> None:
    with pytest.raises(Invalid):
        solve_instance(INSTANCES / "mankowska-12.json", seconds=0)


def one_patient(**more: Any) -> dict[str, Any]:
    """A unified instance of one patient, whom two people could visit at a quarter of an hour's distance; all limits are hard."""
    whole = two_of_a_kind(None)
    whole["distances"] = [[0, 15], [15, 0]]
    whole["metadata"]["cost_components"] |= {"total_tardiness": "HARD", "total_extra_time": "HARD"}
    whole["patients"][0] |= {"required_services": [{"service": "s"}]} | more.pop("patient", {})
    for person in whole["caregivers"]:
        person |= {"working_shift": {"start": 0, "end": 60}} | more.get("staff", {})
    return whole


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"patient": {"required_services": [{"service": "s9", "duration": 1}]}}, r"visit p: nobody can do what it needs \(s9\)"),
        ({"patient": {"incompatible_caregivers": ["c", "d"]}}, "must not come; allow one of 2"),
        ({"patient": {"time_windows": [{"start": 0, "end": 14}]}}, "within its windows"),
        ({"staff": {"working_shift": {"start": 0, "end": 39}}}, "the shifts"),
        (
            {
                "patient": {
                    "required_services": [{"service": "s"}] * 2,
                    "synchronization": {"type": "simultaneous"},
                    "incompatible_caregivers": ["c"],
                }
            },
            "needs 2 different people",
        ),
    ],
)
def test_what_nobody_can_do_is_said_at_once(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(one_patient(**more)))
    with pytest.raises(RuleViolation, match=said):
        solve_instance(path)
    path.write_text(json.dumps(one_patient()))
    assert solve_instance(path, iterations=2_000).cost == 30.0


def test_odd_but_legal_instances_are_solved_and_read_back(tmp_path: Path) -> None:
    path, out = tmp_path / "odd.json", tmp_path / "o.json"
    swapped = two_of_a_kind({"type": "sequential", "distance": {"min": -30, "max": -20}})
    swapped["patients"][0]["required_services"] = [{"service": "s", "duration": 5}, {"service": "s", "duration": 3}]
    for whole, cost in (
        (swapped, 24.0),
        (one_patient(patient={"required_services": [{"service": "s", "duration": 0}], "time_windows": [{"start": 15, "end": 15}]}), 30.0),
        (one_patient(patient={"distance_matrix_index": 0}), 0.0),
        (one_patient() | {"patients": []}, 0.0),
        (
            one_patient(staff={"working_shift": {"start": 1320, "end": 1920}}, patient={"time_windows": [{"start": 1440, "end": 1441}]}),
            30.0,
        ),
        (one_patient() | {"patients": [], "caregivers": []}, 0.0),
        (one_patient() | {"distances": [[0, 3], [20_000, 0]], "metadata": two_of_a_kind(None)["metadata"]}, 20_003.0),
    ):
        path.write_text(json.dumps(whole))
        assert solve_instance(path, iterations=2_000, out=out).cost == cost


def test_the_answer_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    for out in (tmp_path, tmp_path / "no-folder" / "o.json"):
        with pytest.raises(Invalid, match="cannot be written"):
            solve_instance(INSTANCES / "mankowska-12.json", out=out)
    solve_instance(INSTANCES / "mankowska-12.json", iterations=2_000, out=tmp_path / "o.json")
    assert [path.name for path in tmp_path.iterdir()] == ["o.json"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_search_with_the_best_so_far(ending: signal.Signals, tmp_path: Path) -> None:
    before = signal.getsignal(ending)

    def interrupt(_: int) -> None:
        if signal.getsignal(ending) is not before and not enough():
            signal.raise_signal(ending)

    with watched(interrupt):
        summary = solve_instance(INSTANCES / "mankowska-12.json", seconds=600.0, out=tmp_path / "o.json")
    assert summary.ended_early
    assert summary.seconds < 60.0
    assert "ended early" in summary.lines()[4]
    assert len(json.loads((tmp_path / "o.json").read_text())["routes"]) > 0
    assert signal.getsignal(ending) is before
    assert not solve_instance(INSTANCES / "mankowska-12.json", iterations=2_000).ended_early
