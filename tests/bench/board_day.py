"""The coordinator's day measured: a board of fifteen people with a hundred visits; what ``bench_web`` prints beside its other pages."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from os import cpu_count, getloadavg
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time

import httpx
from serving import serving

from healthsvc import clock
from healthsvc.access.tokens import issue_token
from healthsvc.app import create_app
from healthsvc.circle.providers import travel_times
from healthsvc.circle.town import town
from healthsvc.config import Settings
from healthsvc.dayplan import service as dayplan
from healthsvc.dayplan.roster import enrol
from healthsvc.demo.people import people, write_roster
from healthsvc.healthfile.roster import import_roster
from healthsvc.installation import Installation, open_installation
from healthsvc.store import Actor
from healthsvc.visit import service as visits
from healthsvc.visit.rules import Visit, Window
from integrations.demo.district import found

BENCH = Actor("command/bench", "bench", frozenset({"system"}), "command")
PAGE_MS = 100
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩"
Ask = Callable[[httpx.Client], httpx.Response]


@contextmanager
def opened(folder: Path, count: int) -> Iterator[Installation]:
    """A town of so many people; nobody is signed yet."""
    here = open_installation(settings=Settings(data=folder))
    try:
        place = town()
        with here.database.writing(BENCH, at=clock.now()) as store:
            found(store, place)
        names = {community.id: community.name for community in place.communities}
        homes = [(home.lon, home.lat, names[home.community], home.address) for home in place.homes]
        roster = folder / "roster.csv"
        write_roster(people(count, 7, clock.now().date(), homes), roster)
        import_roster(here.database, roster, BENCH, at=clock.now(), progress=lambda _done, _total: None)
        yield here
    finally:
        here.close()


def planned_day(here: Installation, visits_of_day: int = 100, staff: int = 15, waiting: int = 200) -> date:
    """A day with so many planned visits of so many people, and as many again that wait; gives the day (the next one)."""
    on = clock.now().astimezone(clock.zone(here.database.zone)).date() + timedelta(days=1)
    stations = [place.id for place in town().stations]
    with here.database.writing(BENCH, at=clock.now()) as store:
        for number in range(len(found(store, town())), staff):
            skills: dict[str, date | None] = {"doctor": None} if number % 2 else {"nurse": None, "infusion": None}
            hours = ((time(8), time(11, 30)), (time(13), time(17, 30)))
            days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
            name, station = SURNAMES[number] + "同行", stations[number % len(stations)]
            enrol(store, f"bench-{number:02}", name, station, skills, hours, days)
        ids = sorted(str(one["id"]) for one in store.select("Patient", active="true"))
        dawn = datetime.combine(on, time(), store.zone)
        for number in range(visits_of_day + waiting):
            later, morning = number >= visits_of_day, number % 5 < 3
            closes = dawn + timedelta(days=(0 if not later else number % 25 + 2), hours=18)
            nurse = number % 2 == 0
            kind, skill = ("home-nursing", "nurse") if nurse else ("home-bed-round", "doctor")
            window = Window(dawn - timedelta(days=5), closes)
            earliest, latest = (None, time(11, 30)) if morning else (time(13), None)
            visit = Visit(f"bench-visit-{number:03}", kind, ids[number], window, 25, frozenset({skill}), earliest=earliest, latest=latest)
            visits.request(store, visit)
    dayplan.plan_day(here.database, BENCH, on, travel_times(here.settings.data, here.database.policy, on), at=clock.now(), seconds=3.0)
    return on


def asked_of_a_day(here: Installation) -> Iterator[tuple[str, Ask]]:
    """The day board, as lanes and as a list, its map, and the first page."""
    on = planned_day(here)
    with here.database.reading(BENCH, at=clock.now()) as store:
        plan = dayplan.read_plan(store, on)
    assert plan is not None
    day = {"on": on.isoformat()}
    yield f"day board, {len(plan.stops())} visits, 15 staff", lambda client: client.get("/board", params=day)
    yield "the same as a list", lambda client: client.get("/board", params=day | {"view": "list"})
    yield "its map", lambda client: client.get("/map/day.json", params=day | {"all": "true", "board": "true"})
    yield "the same day as first page", lambda client: client.get("/", params=day | {"all": "true"})
    stop = plan.stops()[0]
    move = day | {"task": stop.task, "staff": stop.staff[0], "start": "16:00"}
    waits = next(task for number in range(100, 300) if (task := f"bench-visit-{number:03}") not in {one.task for one in plan.stops()})
    yield "one more visit ranked in (no target)", lambda client: client.get(f"/api/dayplan/{on}/places", params={"task": waits})
    yield "a change by hand tried (no target)", lambda client: client.post("/board/try", data=move)


def measured(client: httpx.Client, ask: Ask, times: int) -> tuple[float, float, float]:
    """Median and 95th percentile of the time that an answer takes, and the processor time of one (this client's too), milliseconds."""
    took = []
    for _ in range(3):  # what a process loads once is loaded before
        answer = ask(client)
        assert answer.status_code == 200, answer.text[:400]
    busy = process_time()
    for _ in range(times):
        begun = perf_counter()
        ask(client)
        took.append(1000 * (perf_counter() - begun))
    busy = 1000 * (process_time() - busy) / times
    cuts = quantiles(took, n=20)
    return cuts[9], cuts[18], busy


def report(times: int) -> list[str]:
    """Print the table; gives the names of those that miss their target."""
    late = []
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), 400) as here:
        asks = list(asked_of_a_day(here))
        with here.database.writing(BENCH, at=clock.now()) as store:
            token = issue_token(store, "coordinator", "bench", 1)
        with (
            serving(create_app(here)) as base,
            httpx.Client(base_url=base, timeout=60, headers={"authorization": f"Bearer {token}"}) as client,
        ):
            sys.stdout.write(f"load of the machine {getloadavg()[0]:.1f} on {cpu_count()} cores\n")
            yardstick = measured(client, lambda client: client.get("/livez"), times)[0]
            for name, ask in asks:
                middle, slow, busy = measured(client, ask, times)
                told = f"{middle:8.1f} ms median  {slow:8.1f} ms p95  {middle / yardstick:6.1f} x livez  {busy:6.1f} ms of processor"
                sys.stdout.write(f"{name:36} {told}\n")
                sys.stdout.flush()
                late += [name] if slow > PAGE_MS and "no target" not in name else []
    return late
