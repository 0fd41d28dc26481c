"""The planner on published instances: `python tests/bench/bench_plan.py --seconds 60`; prints instance, cost, best known, gap, seconds.

Seconds are processor seconds of one core (``--wall``: of the clock), so that a busy machine does not change the figures. Classes: A to G
(Mankowska), validation, bazirha, bazirha-caie (unified). ``--starts 2`` keeps the better of two seeds. ``--into FILE`` writes every row
as soon as it is there; a row that the file already has is not run again, so a bench that was broken off goes on.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from healthsvc.dayplan import warm
from healthsvc.dayplan.checker import check
from healthsvc.dayplan.formats import reading
from healthsvc.dayplan.instance import read_instance
from healthsvc.dayplan.solve import StopRule, solve

DATA = Path(__file__).resolve().parents[2].parent / "shared/data/hhcrsp"
SIZES = {10: "A", 25: "B", 50: "C", 75: "D", 100: "E", 200: "F", 300: "G"}


@dataclass(frozen=True, slots=True)
class Row:
    """One instance to be run."""

    group: str
    name: str
    path: Path
    best: float


def rows() -> Iterator[Row]:
    """All instances with a best known value."""
    for line in (DATA / "mankowska/mankowska_best.md").read_text().splitlines()[2:]:
        cells = [cell.strip() for cell in line.split("|")]
        size, number = cells[1].removesuffix(".json").split("_")[-2:]
        group = SIZES[int(size)]
        yield Row(group, f"{group}{number}", DATA / "mankowska/instances" / cells[1], float(cells[5]))
    known = {row["instance"]: float(row["best"]) for row in json.loads((DATA / "uhhc/uhhc_best.json").read_text())["rows"]}
    for found in sorted((DATA / "uhhc").glob("*/sa_solutions/*.json")):
        group, name = found.parents[1].name, found.name.removeprefix("sol-").rsplit("-", 1)[0]
        best = known.get(f"{group}/{name}", float(reading.load(found)["cost"]["objective"]))
        yield Row(group, name, found.parents[1] / "instances" / f"{name}.json", best)


def run(row: Row, stop: StopRule, starts: int, jobs: int) -> tuple[float, float]:
    """Cost and seconds of one instance; every answer has passed the strict checker."""
    _, problem, _ = read_instance(row.path)
    begun = stop.clock()
    plans = [solve(problem, stop, seed, jobs) for seed in range(1, starts + 1)]
    took = stop.clock() - begun
    best = min(plans, key=lambda plan: plan.cost)
    verdict = check(problem, best)
    assert verdict.good
    return verdict.cost, took


def done(into: Path | None, seconds: float, starts: int, jobs: int) -> dict[str, tuple[float, float]]:
    """Cost and seconds of the rows that a file already has for this budget."""
    if into is None or not into.exists():
        return {}
    kept = [json.loads(line) for line in into.read_text().splitlines()]
    wanted = (seconds, starts, jobs)
    return {one["row"]: (one["cost"], one["took"]) for one in kept if (one["seconds"], one["starts"], one["jobs"]) == wanted}


def main() -> None:
    """Run what was asked for and print the table and the mean of each class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--only", default="", help="classes (A, validation) or instances (C3, i-167), with commas between")
    parser.add_argument("--starts", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--wall", action="store_true", help="count seconds of the clock; always so with --jobs above 1")
    parser.add_argument("--into", type=Path, help="append every row to this file, and skip those that it has")
    asked = parser.parse_args()
    only = set(filter(None, asked.only.split(",")))
    warm()
    stop = StopRule(seconds=asked.seconds, cpu=not asked.wall and asked.jobs == 1)
    gaps: dict[str, list[float]] = {}
    begun = time.perf_counter()
    known = done(asked.into, asked.seconds, asked.starts, asked.jobs)
    for row in rows():
        if only and not only & {row.group, row.name, f"{row.group}/{row.name}"}:
            continue
        key = f"{row.group}/{row.name}"
        if key not in known:
            cost, took = run(row, stop, asked.starts, asked.jobs)
            known[key] = (cost, took)
            if asked.into:
                kept = {"row": key, "seconds": asked.seconds, "starts": asked.starts, "jobs": asked.jobs, "cost": cost, "took": took}
                with asked.into.open("a") as file:
                    file.write(json.dumps(kept) + "\n")
        cost, took = known[key]
        gap = (cost / row.best - 1.0) * 100.0
        gaps.setdefault(row.group, []).append(gap)
        print(f"{row.group:13} {row.name:8} {cost:11.3f} {row.best:11.3f} {gap:+7.2f} % {took:6.1f} s", flush=True)  # noqa: T201
    for group, found in gaps.items():
        print(f"{group:13} mean {mean(found):+6.2f} %  worst {max(found):+6.2f} %  of {len(found)}")  # noqa: T201
    print(f"{time.perf_counter() - begun:.0f} s in all")  # noqa: T201


if __name__ == "__main__":
    main()
