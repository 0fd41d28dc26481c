"""The ten-minute circle measured: loading, matrices, memory, agreement with recorded Valhalla times, siting.

Times stand beside a yardstick of the same minute.

``make bench ARGS=circle``. Needs the test input beside the project (``../shared/data/osm``). Exit code 1 where a figure misses its target.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from datetime import date
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

OSM = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "osm"
EXTRACTS = {
    "shanghai": "shanghai_center_2025-08-09",
    "shenzhen_futian": "shenzhen_futian_from_transbigdata",
    "heidelberg": "heidelberg",
}
Row = dict[str, Any]


def row(city: str, what: str, value: float, unit: str, target: str = "", ok: bool = True, **more: Any) -> Row:
    """One line of the table."""
    return {"city": city, "what": what, "value": value, "unit": unit, "target": target, "ok": bool(ok), **more}


def yardstick() -> float:
    """Seconds that scipy's Dijkstra needs from 50 nodes of a grid of 70 x 70: what this machine can do in this minute."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    side = 70
    at = np.arange(side * side).reshape(side, side)
    start = np.concatenate([at[:, :-1].ravel(), at[:-1].ravel()])
    end = np.concatenate([at[:, 1:].ravel(), at[1:].ravel()])
    cost = np.random.default_rng(1).uniform(1, 2, len(start))
    graph = csr_matrix((np.r_[cost, cost], (np.r_[start, end], np.r_[end, start])), shape=(side * side, side * side))
    begun = perf_counter()
    dijkstra(graph, indices=np.arange(50) * 97)
    return perf_counter() - begun


def best(run: Any, times: int = 3) -> float:
    """The quickest of some runs, seconds."""
    found = []
    for _ in range(times):
        begun = perf_counter()
        run()
        found.append(perf_counter() - begun)
    return min(found)


def city(name: str) -> list[Row]:
    """Everything about one city, in a process of its own: its memory is its own."""
    from healthsvc import policy
    from healthsvc.circle.load import load
    from healthsvc.circle.policy import policy_values
    from healthsvc.circle.roads import Roads
    from healthsvc.circle.travel import NO_PATH, Estimate

    values = policy_values(policy.load(), date(2026, 1, 1))
    places = np.array(json.loads((OSM / f"pts_{name}.json").read_text()))
    recorded = {key: table.astype(float) for key, table in np.load(OSM / f"valhalla_{name}.npz").items()}
    unit = yardstick()
    rows = [row(name, "yardstick: scipy Dijkstra, 50 sources, grid 70 x 70", unit, "s")]
    central = name == "shanghai"
    with tempfile.TemporaryDirectory() as folder:
        begun = perf_counter()
        report = load(OSM / f"{EXTRACTS[name]}.osm.pbf", Path(folder), policy=values)
        seconds = perf_counter() - begun
        rows.append(row(name, "load", seconds, "s", "< 5" if central else "", not central or seconds < 5, ratio=seconds / unit))
        begun = perf_counter()
        engine = Roads.open(Path(folder) / "roads" / "network.npz", values)
        engine.layer("walk")
        seconds = perf_counter() - begun
        rows.append(row(name, "open what was loaded, one mode", seconds, "s", ratio=seconds / unit))
    rows.append(row(name, "road", report.road_km, "km"))
    for mode in ("walk", "ebike", "drive"):
        for some, others in ((5, 2_000), (100, 100), (1_000, 1_000)):
            engine.layer(mode)
            seconds = best(partial(engine.matrix, places[:some], places[:others], mode), 3 if some < 1_000 else 1)
            target = "< 1" if central and some < 1_000 else ""
            rows.append(row(name, f"{some} x {others} {mode}", seconds, "s", target, not target or seconds < 1, ratio=seconds / unit))
    seconds = best(lambda: engine.reach((float(places[0, 0]), float(places[0, 1])), "walk", 10.0))
    rows.append(row(name, "reach polygon, 10 min on foot", seconds, "s", ratio=seconds / unit))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.append(row(name, "peak memory of the process", peak, "MB", "< 300" if central else "", not central or peak < 300))
    for mode, key in (("walk", "walk"), ("ebike", "ebike"), ("drive", "car")):
        found = engine.matrix(places[:150], places[:150], mode)
        told = recorded[key]
        known = np.isfinite(told) & np.isfinite(found.seconds) & (told > 30)
        ratio = found.seconds[known] / told[known]
        middle, low, high = (float(np.quantile(ratio, share)) for share in (0.5, 0.05, 0.95))
        target = "0.97 .. 1.03" if mode == "walk" else ""
        what = f"{mode}: median ratio to Valhalla"
        rows.append(row(name, what, middle, "", target, not target or abs(middle - 1) <= 0.03, p5=low, p95=high))
        rows.append(row(name, f"{mode}: agree on which pairs have no path", float(((found.basis == NO_PATH) == np.isnan(told)).mean()), ""))
        guess = Estimate(values).matrix(places[:150], places[:150], mode).seconds[known]
        against, whose = (found.seconds[known], "our roads") if mode == "drive" else (told[known], "Valhalla")
        error = np.abs(guess / against - 1)
        what = f"{mode}: estimate's error, median, against {whose}"
        rows.append(row(name, what, float(np.median(error)), "", p95=float(np.quantile(error, 0.95))))
    return rows + siting(name, engine, places)


def siting(name: str, engine: Any, places: Any) -> list[Row]:
    """2,000 homes, 200 candidates drawn among them; one to twenty further stations."""
    from healthsvc.circle.siting import choose

    drawn = np.random.default_rng(1).choice(len(places), 200, replace=False)
    rows = []
    for mode in ("walk", "ebike"):
        reached = engine.matrix(places[drawn], places, mode, 600.0).seconds <= 600.0
        for count in (1, 3, 5, 10, 20):
            found = choose(reached, count, 30.0)
            covered = int(reached[list(found.places)].any(axis=0).sum())
            nobody = int((~reached.any(axis=0)).sum())
            figures = {"inside": covered, "outside": len(places) - covered - nobody, "unreachable": nobody, "gap": found.gap}
            told = found.seconds <= 31 and (found.proven or found.gap > 0)
            what = f"siting 2,000 x 200 {mode}, {count} stations"
            rows.append(row(name, what, found.seconds, "s", "proven or a gap, <= 30", told, proven=found.proven, **figures))
    return rows


def main() -> int:
    """All cities, a table and the same as JSON."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--city", choices=list(EXTRACTS), help="only this one, as JSON (used by the bench itself)")
    asked.add_argument("--json", type=Path, help="write the figures here as well")
    options = asked.parse_args()
    if options.city:
        sys.stdout.write(json.dumps(city(options.city)))
        return 0
    if not OSM.is_dir():
        sys.stdout.write("circle: needs the test input ../shared/data/osm beside the project\n")
        return 2
    rows: list[Row] = []
    for name in EXTRACTS:
        done = subprocess.run([sys.executable, __file__, "--city", name], capture_output=True, check=False, text=True)
        if done.returncode:
            sys.stderr.write(done.stderr)
            return done.returncode
        rows += json.loads(done.stdout)
    sys.stdout.write(f"{'city':16} {'what':52} {'value':>10} {'':3} {'yardsticks':>10}  target\n")
    for one in rows:
        extra = " ".join(f"{key}={one[key]:.4g}" for key in ("p5", "p95", "gap", "inside", "outside", "unreachable") if key in one)
        ratio = f"{one['ratio']:10.2f}" if "ratio" in one else " " * 10
        proven = "" if "proven" not in one else "proven " if one["proven"] else "NOT PROVEN "
        missed = "" if one["ok"] else "  MISSED"
        head = f"{one['city']:16} {one['what']:52} {one['value']:10.4g} {one['unit']:3} {ratio}"
        sys.stdout.write(f"{head}  {one['target']}{missed} {proven}{extra}".rstrip() + "\n")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.stdout.write(json.dumps({"circle": rows}) + "\n")
    return int(not all(one["ok"] for one in rows))


if __name__ == "__main__":
    sys.exit(main())
