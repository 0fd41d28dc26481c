"""The window and the figures measured: how long a hospital waits for its answer, a bureau for its figures; beside /livez.

``make bench ARGS="window --people 600"``. Exit code 1 where the slowest of a hundred answers takes
200 ms (window) or 300 ms (figures).
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from statistics import quantiles
from time import perf_counter

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from serving import serving

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.circle.town import town
from healthsvc.config import Settings
from healthsvc.contract.service import sign
from healthsvc.demo.people import people, write_roster
from healthsvc.fhir.systems import CITIZEN_ID
from healthsvc.greenchannel.service import make_code, refresh
from healthsvc.healthfile.roster import import_roster
from healthsvc.installation import Installation, open_installation
from healthsvc.store import Actor
from integrations.demo.district import found

BENCH = Actor("command/bench", "bench", frozenset({"system"}), "command")
WINDOW_MS, FIGURES_MS = 200, 300
UNLIMITED = """
[[parameter]]
name = "access.window_per_minute"
value = 0
unit = "1/min"
title = "同一调用者每分钟窗口查询上限"
title_en = "Questions of one caller at the window within a minute"
source = "a bench asks faster than any hospital"
trust = "site"
effective_from = 2020-01-02
jurisdiction = "CN"
"""


def filled(folder: Path, count: int) -> Installation:
    """A district of so many people, signed and with their green channels."""
    (folder / "policy").mkdir()
    (folder / "policy" / "access.toml").write_text(UNLIMITED, encoding="utf-8")
    here = open_installation(settings=Settings(data=folder))
    at, place, chance = clock.now(), town(), Random(7)
    with here.database.writing(BENCH, at=at) as store:
        staff = [one.reference for one in found(store, place) if one.role == "doctor"]
    names = {community.id: community.name for community in place.communities}
    homes = [(home.lon, home.lat, names[home.community], home.address) for home in place.homes]
    roster = folder / "roster.csv"
    write_roster(people(count, 7, at.date(), homes), roster)
    import_roster(here.database, roster, BENCH, at=at, progress=lambda _done, _total: None)
    with here.database.reading(BENCH, at=at) as store:
        ids = sorted(str(one["id"]) for one in store.select("Patient", active="true"))
    for start in range(0, len(ids), 100):
        with here.database.writing(BENCH, at=at) as store:
            for id in ids[start : start + 100]:
                sign(store, id, chance.choice(staff), None, at.date() - timedelta(days=chance.randrange(200)))
    with here.database.writing(BENCH, at=at) as store:
        refresh(store, at.date())
    return here


def measured(call: Callable[[], httpx.Response], times: int) -> tuple[float, float]:
    """Median and slowest of a hundred (99th percentile), milliseconds."""
    took = []
    for _ in range(times):
        begun = perf_counter()
        answer = call()
        took.append(1000 * (perf_counter() - begun))
        assert answer.status_code == 200, answer.text
    cuts = quantiles(took, n=100)
    return cuts[49], cuts[98]


def main() -> int:
    """Print a table and JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=600)
    parser.add_argument("--times", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = filled(Path(folder), asked.people)
        with here.database.writing(BENCH, at=clock.now()) as store:
            tokens = {role: issue_token(store, role, "bench", 1) for role in ("hospital-window", "bureau")}
            flags = store.select("Flag", status="active")
            patient = str(flags[0]["subject"]["reference"]).rpartition("/")[2]
            code = make_code(store, patient, clock.now().date()).text
            numbers = [one["value"] for one in store.read("Patient", patient)["identifier"] if one["system"] == CITIZEN_ID]
        rows: dict[str, tuple[float, float]] = {}
        with serving(create_app(here)) as base, httpx.Client(base_url=base, timeout=60) as client:
            window, bureau = ({"authorization": f"Bearer {tokens[role]}"} for role in ("hospital-window", "bureau"))

            def ask(body: dict[str, str]) -> httpx.Response:
                return client.post("/api/greenchannel/answer", json=body, headers=window)

            hook = {"hook": "patient-view", "hookInstance": "x", "context": {"userId": "x", "patientId": "x"}}
            about = {"resourceType": "Patient", "identifier": [{"system": CITIZEN_ID, "value": numbers[0]}]}
            first, day = perf_counter(), date.today().isoformat()  # noqa: DTZ011 - any day will do
            client.get("/api/indicators", headers=bureau).raise_for_status()
            cold = 1000 * (perf_counter() - first)
            rows["livez (yardstick)"] = measured(lambda: client.get("/livez"), asked.times)
            rows["window by citizen id"] = measured(lambda: ask({"citizen_id": numbers[0]}), asked.times)
            rows["window by QR code"] = measured(lambda: ask({"code": code}), asked.times)
            url = "/cds-services/green-channel-patient-view"
            rows["CDS Hooks card"] = measured(
                lambda: client.post(url, json=hook | {"prefetch": {"patient": about}}, headers=window), asked.times
            )
            fewer = max(asked.times // 4, 20)
            rows["figures of today"] = measured(lambda: client.get("/api/indicators", headers=bureau), fewer)
            by_unit = {"by": "unit", "on": day}
            rows["figures by unit"] = measured(
                lambda: client.get("/api/indicators", params=by_unit, headers=bureau), max(asked.times // 4, 20)
            )
        here.close()
    yardstick = rows["livez (yardstick)"][0]
    sys.stdout.write(f"{asked.people} people; the first figures after a start took {cold:.0f} ms\n")
    for name, (middle, slowest) in rows.items():
        sys.stdout.write(f"{name:24} {middle:8.1f} ms median  {slowest:8.1f} ms p99  {middle / yardstick:6.1f} x livez\n")
    sys.stdout.write(json.dumps({"people": asked.people, "cold_ms": cold, "rows": rows}) + "\n")
    late = [name for name, (_, slowest) in rows.items() if slowest > (FIGURES_MS if name.startswith("figures") else WINDOW_MS)]
    for name in late:
        sys.stdout.write(f"{name} misses its target\n")
    return int(bool(late))


if __name__ == "__main__":
    sys.exit(main())
