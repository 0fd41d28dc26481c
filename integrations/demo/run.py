"""The demonstration from beginning to end: found, fill, serve, play the hospital's day, plan the week, make a few visits."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.progress import Progress

from healthsvc import clock, config, logs
from healthsvc.circle.providers import travel_times
from healthsvc.circle.town import town
from healthsvc.dayplan.day import DayPlan
from healthsvc.dayplan.service import accept_all, plan_day, propose_week
from healthsvc.dayplan.watching import compiling
from healthsvc.errors import Conflict
from healthsvc.installation import open_installation
from integrations.address import Address
from integrations.demo import story
from integrations.demo.accounts import Logins, let_in
from integrations.demo.hospital import play, settle_queue
from integrations.demo.visits import make_some
from integrations.serving import Serving

PLANNED_DAYS: Final = 5
PLAN_SECONDS: Final = 2.0
WEEK_SECONDS: Final = 10.0
LATE: Final = 15
"""From this hour on the first planned day is tomorrow: a round that begins now would not end within the shift."""


class Demonstration:
    """One run in one data directory."""

    def __init__(self, folder: Path, http: str, mllp: str, at: datetime, *, keep: bool) -> None:
        self.folder = folder
        self.at = at
        self.keep = keep
        settings = config.load(folder).model_copy(update={"log_level": "WARNING"})
        logs.configure(settings)  # what happens is told by the story; only trouble is logged
        self.here = open_installation(folder, settings=settings)
        self.serving = Serving(self.here, Address.of(http, "--http"), Address.of(mllp, "--mllp"))
        self.logins = Logins((), "")
        self.told = story.Told()

    def run(self, bar: Progress) -> story.Told:
        """Tell the whole story; gives its lines. It begins yesterday, so that today there is something to look back on."""
        here, told, places = self.here, self.told, town()
        with here.database.reading(story.DEMO, at=self.at) as store:
            if store.first("Patient") is not None:
                raise Conflict("this data directory already holds people; give the demonstration an empty one, or use healthsvc serve")
        began = (self.at - timedelta(days=1)).replace(hour=6, minute=0, second=0, microsecond=0)
        with _step(bar, "机构与人员 district", 1):
            staff = story.settle(here, places, began, told)
            with here.database.writing(story.DEMO, at=self.at) as store:
                self.logins = let_in(store, staff)
        with _step(bar, "健康档案 roster", story.PEOPLE) as step:
            story.bring_in(here, places, self.folder, began, told, step)
        with _step(bar, "家庭医生签约 contracts", story.PEOPLE) as step:
            story.sign_contracts(here, staff, began, told, step)
        with _step(bar, "绿色通道 green channel", 1):
            story.open_channels(here, began, told)
        with _step(bar, "家庭病床 home beds, 上门输液 infusions", story.BEDS):
            story.open_beds(here, staff, began, told)
        with compiling(_once(bar)), _step(bar, "昨日上门 yesterday's visits", None) as step:
            make_some(here, self._plan(began.date(), began), told, step)
        with _step(bar, "服务启动 service", 1):
            self.serving.start()
        with _step(bar, "医院一日 hospital day over MLLP", None) as step:
            play(here, self.serving.mllp, self.at, told, step)
        with _step(bar, "处理队列 effects", None) as step:
            settle_queue(here, told, step)
        with _step(bar, "周计划 the week's plan", PLANNED_DAYS) as step:
            self._plan_week(step)
        return told

    def where(self) -> list[str]:
        """Where to look."""
        return [
            *self.logins.lines(f"http://{self.serving.http}/"),
            f"FHIR R4       http://{self.serving.http}/fhir/metadata   token: healthsvc token --data {self.folder} --role doctor",
            f"HL7 v2 MLLP   {self.serving.mllp}   try: healthsvc hl7 send FILE --to {self.serving.mllp}",
        ]

    def stop(self) -> None:
        """Stop serving; remove the folder unless it was asked for."""
        self.serving.stop()
        self.here.close()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _plan(self, on: date, at: datetime) -> DayPlan:
        times = travel_times(self.here.settings.data, self.here.policy, on)
        return plan_day(self.here.database, story.DEMO, on, times, at=at, seconds=PLAN_SECONDS, seed=story.SEED)

    def _plan_week(self, step: story.Step) -> None:
        """The coming days at once; today too, unless its hours are nearly over."""
        now = self.at.astimezone(clock.zone(self.here.settings.zone))
        first = now.date() if now.hour < LATE else now.date() + timedelta(days=1)
        times = travel_times(self.here.settings.data, self.here.policy, first)
        week = propose_week(
            self.here.database, story.DEMO, first, times, at=clock.now(), days=PLANNED_DAYS, seconds=WEEK_SECONDS, seed=story.SEED
        )
        step(PLANNED_DAYS - 1, PLANNED_DAYS)
        with self.here.database.writing(story.DEMO, at=clock.now()) as store:
            accept_all(store, week.days)
        step(PLANNED_DAYS, PLANNED_DAYS)
        stops = [stop for plan in week.days for route in plan.routes for stop in route.stops]
        travel = sum(stop.travel_minutes for stop in stops) / max(1, len(stops))
        span = f"{week.days[0].on} to {week.days[-1].on}"
        self.told.say("周计划 week's plan", f"{len(stops)} visits from {span}, {travel:.1f} min of travel each")
        self.told.say("未排上 left over", f"{len(week.left_over)} found no place in the week, each with its reason")


def _once(bar: Progress) -> Callable[[bool], None]:
    """Say why the first plan of a machine takes longer."""
    said: list[bool] = []

    def compiles(at_it: bool) -> None:
        if at_it and not said:
            said.append(True)
            bar.console.print("首次运行，正在编译排班程序 · compiling the planner once on this machine, about half a minute", markup=False)

    return compiles


@contextmanager
def _step(bar: Progress, title: str, total: float | None) -> Iterator[Callable[[int, int | None], None]]:
    task = bar.add_task(title, total=total)

    def told(done: int, of: int | None) -> None:
        bar.update(task, completed=done, total=of if of is not None else total)

    yield told
    found = bar.tasks[task].total or 1
    bar.update(task, completed=found, total=found)
