"""Staff as the planner sees them: who is on duty, enrol somebody, duty of a day, leave, cars. The API does the same."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, installation, out, show_json, table

staff = typer.Typer(no_args_is_help=True, help="Staff as the planner sees them: duty, leave, qualifications, cars.")

Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day")]
Who = Annotated[str, typer.Argument(help="Practitioner id")]
Station = Annotated[str, typer.Option("--station", help="Location id of the station")]
Stretches = Annotated[
    list[str] | None, typer.Option("--hours", help="08:00-12:00; several times for several stretches; 20:00-08:00 is a night")
]


@staff.command("list")
def list_duty(day: Day, data: Data = None, json: Json = False) -> None:
    """Who is on duty on a day: skills that hold, station, hours, how they travel."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.service import policy_of
    from healthsvc.dayplan.staffing import on_duty

    on = day.date()
    with installation(data) as here, here.database.reading(COMMAND, at=clock.now()) as store:
        found = on_duty(store, on, policy_of(store.policy, on))
    rows = [(one.practitioner, one.name, " ".join(sorted(one.skills)), one.station, _span(one.starts, one.ends), one.mode) for one in found]
    if json:
        show_json([dict(zip(("practitioner", "name", "skills", "station", "hours", "mode"), row, strict=True)) for row in rows])
        return
    table(("practitioner", "name", "skills", "station", "hours", "mode"), rows, title=f"on duty {on}")


@staff.command("add")
def add(
    id: Who,
    name: Annotated[str, typer.Argument(help="As people call them")],
    station: Station,
    skill: Annotated[list[str], typer.Option("--skill", help="doctor or nurse, infusion ...; infusion:2027-06-30 holds until that day")],
    hours: Stretches = None,
    days: Annotated[str, typer.Option("--days", help="Days of the week, with commas")] = "mon,tue,wed,thu,fri",
    mode: Annotated[str | None, typer.Option("--mode", help="walk, ebike or drive")] = None,
    data: Data = None,
) -> None:
    """Enrol somebody at a station, or change what is known of them."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.roster import enrol, hours_of

    skills = {name: datetime.strptime(last, "%Y-%m-%d").date() if last else None for name, _, last in (s.partition(":") for s in skill)}  # noqa: DTZ007
    stretches = tuple(hours_of(one) for one in hours or ["08:00-17:00"])
    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        role = enrol(store, id, name, station, skills, stretches, tuple(days.split(",")), mode)
    out.print(f"PractitionerRole/{role['id']}", markup=False)


@staff.command("duty")
def duty(
    id: Who,
    day: Day,
    hours: Stretches = None,
    station: Annotated[str | None, typer.Option("--station", help="Another station than usual")] = None,
    data: Data = None,
) -> None:
    """Set somebody's duty on a day, over the usual week; without hours it is a day off."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.roster import give_duty, hours_of

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        made = give_duty(store, id, day.date(), tuple(hours_of(one) for one in hours or ()), station)
    out.print(f"Schedule/{made['id']}", markup=False)


@staff.command("leave")
def leave(
    id: Who,
    start: Annotated[datetime, typer.Argument(formats=["%Y-%m-%dT%H:%M"], help="From, for example 2026-11-23T08:00")],
    end: Annotated[datetime, typer.Argument(formats=["%Y-%m-%dT%H:%M"], help="Until")],
    reason: Annotated[str, typer.Option("--reason")] = "",
    cancel: Annotated[bool, typer.Option("--cancel", help="Take the leave back")] = False,
    data: Data = None,
) -> None:
    """Note leave (or take it back) and name the planned visits that it touches: plan those days again."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.board.leave import end_leave, take_leave, touched

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        zone: ZoneInfo = store.zone
        span = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
        roles = end_leave(store, id, *span) if cancel else take_leave(store, id, *span, reason)
        hit = [] if cancel else touched(store, id, *span)
    out.print(f"{'taken back from' if cancel else 'noted on'} {', '.join(roles)}", markup=False)
    for one in hit:
        out.print(f"touches {one['task']} at {one['start']}", markup=False)


@staff.command("car")
def car(
    id: Annotated[str, typer.Argument(help="Device id")],
    station: Station,
    out_of_use: Annotated[bool, typer.Option("--out", help="It cannot be used for the time being")] = False,
    data: Data = None,
) -> None:
    """Note a station's car; where a station names its cars, no more people drive than it has."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.dayplan.roster import note_car

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        made = note_car(store, id, station, usable=not out_of_use)
    out.print(f"Device/{made['id']} {made['status']}", markup=False)


def _span(starts: float, ends: float) -> str:
    return f"{int(starts) // 60:02d}:{int(starts) % 60:02d}-{int(ends) // 60:02d}:{int(ends) % 60:02d}"
