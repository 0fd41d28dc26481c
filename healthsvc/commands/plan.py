"""Plan a day; solve published instances. What only one command needs is imported by it: the others start at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, err, installation, out, show_json, table

if TYPE_CHECKING:
    from healthsvc.dayplan.day import DayPlan

plan = typer.Typer(no_args_is_help=True, help="The planner: the routes of a day or a week, and published instances.")

Seconds = Annotated[float, typer.Option("--seconds", min=0.1, help="How long to search")]
Seed = Annotated[int, typer.Option("--seed", help="Same input, seed and iterations give the same plan")]


@contextmanager
def _busy(doing: str) -> "Iterator[None]":
    """Say on standard error what goes on; where the search has to be compiled first, why it takes longer, once."""
    from healthsvc.dayplan.watching import compiling

    said = False

    def compiles(at_it: bool) -> None:
        nonlocal said
        if at_it and not said:
            said = True
            err.print("首次运行，正在编译 · compiling once on this machine, about half a minute", markup=False)

    with err.status(doing), compiling(compiles):
        yield


@plan.command("day")
def plan_one_day(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day to plan")],
    data: Data = None,
    seconds: Seconds = 5.0,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Route all due visits of a day for the staff on duty; name what was left over and why. The plan is stored."""
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.service import plan_day

    with installation(data) as here:
        travel = travel_times(here.settings.data, here.policy, day.date())
        with _busy("planning"):
            planned = plan_day(here.database, COMMAND, day.date(), travel, at=clock.now(), seconds=seconds, seed=seed)
    if json:
        show_json(planned.as_json())
        return
    for route in planned.routes:
        table(("arrive", "start", "end", "visit"), route.rows(), title=route.title())
    for left in planned.left_over:
        out.print(f"left over {left.visit}: {left.reason} ({left.code})", markup=False)
    _total([planned])


@plan.command("week")
def plan_days(
    first: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The first day")],
    days: Annotated[int, typer.Option("--days", min=1, max=7, help="How many days are planned at once")] = 5,
    data: Data = None,
    seconds: Seconds = 10.0,
    seed: Seed = 1,
    json: Json = False,
) -> None:
    """Plan several days at once: which day for which visit, then everybody's routes. The plans are stored and in force."""
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.service import accept_all, propose_week

    with installation(data) as here:
        travel = travel_times(here.settings.data, here.policy, first.date())
        with _busy("planning"):
            week = propose_week(here.database, COMMAND, first.date(), travel, at=clock.now(), days=days, seconds=seconds, seed=seed)
        with here.database.writing(COMMAND, at=clock.now()) as store:
            accept_all(store, week.days)
    if json:
        show_json({"days": [plan.as_json() for plan in week.days]})
        return
    for of_day in week.days:
        for route in of_day.routes:
            table(("arrive", "start", "end", "visit"), route.rows(), title=f"{of_day.on} {route.title()}")
    for left in week.left_over:
        out.print(f"left over {left.visit}: {left.reason} ({left.code})", markup=False)
    _total(week.days)


@plan.command("risk")
def risk(
    day: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="A day that is planned")],
    data: Data = None,
    slack: Annotated[float, typer.Option("--slack", min=0, max=120, help="Minutes to spare on every way at least")] = 0.0,
    runs: Annotated[int | None, typer.Option("--runs", min=1, max=10_000, help="How often the day is lived through")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same plan, seed and runs give the same chances")] = 1,
    json: Json = False,
) -> None:
    """How well a planned day holds when ways and visits take longer than planned: who may be late and why, who may come home late.

    With --slack the starts move back until every way has so many minutes to spare; nothing is stored.
    """
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.risk import day_risk

    with installation(data) as here:
        travel = travel_times(here.settings.data, here.policy, day.date())
        found = day_risk(here.database, COMMAND, day.date(), travel, at=clock.now(), slack=slack, runs=runs, seed=seed)
    if json:
        show_json(found.as_json())
        return
    shown = [
        (f"{one.start:%H:%M}", f"{one.usually:%H:%M}", f"{one.late:.0%}", f"{one.past:.0%}", f"{one.title} {one.task}", one.words[1])
        for one in found.risky
    ]
    if shown:
        late = f"> {found.minutes:.0f} min late"
        table(("start", "9 of 10 by", late, "after window", "visit", "most of all"), shown, title="visits at risk")
    table(
        ("person", "shift ends", "back", "9 of 10 by", "after the shift", "no break"),
        [
            (one.name, f"{one.ends:%H:%M}", f"{one.back:%H:%M}", f"{one.usually:%H:%M}", f"{one.overtime:.0%}", f"{one.no_break:.0%}")
            for one in found.staff
        ],
    )
    if found.moved:
        out.print(f"{len(found.moved)} visits begin up to {max(one.moved for one in found.moved):.0f} minutes later for it", markup=False)
    out.print(
        f"all is kept in {found.all_kept:.0%} of {found.runs} runs (visits {found.visits_kept:.0%}, shifts {found.shifts_kept:.0%}, "
        f"breaks {found.breaks_kept:.0%}); {found.late_visits:.1f} of {len(found.visits)} visits late in the mean",
        markup=False,
    )


@plan.command("warm")
def warm_up() -> None:
    """Compile the search ahead of its first use, once a machine: else the first plan waits for it, about half a minute."""
    from healthsvc.dayplan import warm

    with _busy("compiling the search"):
        seconds = warm()
    out.print(f"the search is compiled ({seconds:.1f} s)", markup=False)


@plan.command("solve")
def solve(
    instance: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A published instance: Mankowska or unified, JSON")],
    out_file: Annotated[Path, typer.Option("--out", help="Where to write the solution, in the published solutions' format")],
    seconds: Seconds = 10.0,
    seed: Seed = 1,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that search side by side")] = 1,
    iterations: Annotated[int | None, typer.Option("--iterations", min=1, help="So many proposals instead of seconds")] = None,
    json: Json = False,
) -> None:
    """Solve a published instance, prove the answer with the strict checker, print its cost by the published objective."""
    from healthsvc.dayplan.instance import solve_instance

    with _busy(f"searching for {seconds:g} s" if iterations is None else f"searching, {iterations} proposals"):
        summary = solve_instance(instance, seconds=seconds, seed=seed, jobs=jobs, out=out_file, iterations=iterations)
    if json:
        show_json(summary.as_json())
        return
    for line in summary.lines():
        out.print(line, markup=False)


def _total(plans: "Sequence[DayPlan]") -> None:
    """One line that says what came of it, also where that is nothing."""
    visits, left = sum(len(plan.stops()) for plan in plans), sum(len(plan.left_over) for plan in plans)
    waits = sum(plan.later for plan in plans)
    out.print(f"{visits} visits planned, {left} left over, {waits} can wait for a later day", markup=False)
