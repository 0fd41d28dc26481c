"""The ten-minute circle by command: what answers, who lives inside, where to put one more station, the ground reached. Counts only."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healthsvc import clock
from healthsvc.circle.rules import Mode
from healthsvc.commands.shape import Data, Json, err, installation, out, show_json, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healthsvc.circle.coverage import Count

circle = typer.Typer(no_args_is_help=True, help="The ten-minute circle: who lives inside, the gaps, where one more station should stand.")

Way = Annotated[Mode | None, typer.Option("--mode", help="walk, ebike or drive; default: the policy's mode")]


@circle.command("status")
def status(data: Data = None, json: Json = False) -> None:
    """Which roads answer, from when, for which modes; the limit in force."""
    from healthsvc.circle import service
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here, here.database.reading(COMMAND, at=clock.now()) as store:
        told, policy = travel_times(here.settings.data, here.policy).status(), service.policy_of(store)
        if json:
            show_json({**told.as_json(), "limit_minutes": policy.limit_minutes, "mode": policy.mode})
            return
        out.print(str(told), markup=False)
        out.print(f"limit {policy.limit_minutes:g} minutes by {policy.mode}; {len(service.stations(store))} stations on the map")


@circle.command("coverage")
def coverage(
    mode: Way = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the answers (FHIR Observation, MeasureReport)")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure every home: people inside and outside, by community and by risk group, and the gaps."""
    from healthsvc.circle import service, shapes
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here:
        times = travel_times(here.settings.data, here.policy)
        opened = here.database.writing if keep else here.database.reading
        with opened(COMMAND, at=clock.now()) as store:
            found = (service.measure if keep else service.coverage_now)(store, times, mode)
    if json:
        show_json(shapes.coverage_told(found, homes=False))
        return
    _counts(f"{found.limit_seconds / 60:g} minutes by {found.mode}", "all", [found.total])
    _counts("communities", "community", found.by_community)
    _counts("risk groups", "group", found.by_group)
    rows = [
        (gap.community, gap.people, gap.not_inside, "" if gap.median_seconds is None else f"{gap.median_seconds / 60:.1f}")
        for gap in found.gaps
    ]
    table(("community", "people", "not inside", "median minutes of those"), rows, title="gaps")
    if found.unlocated:
        out.print(f"{found.unlocated} people have no position")


@circle.command("siting")
def siting(
    count: Annotated[int, typer.Option("--count", min=1, max=50, help="How many further stations")] = 1,
    mode: Way = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the study (FHIR List)")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Where further stations bring most people inside: the proven optimum, or the gap to it."""
    from healthsvc.circle import service, shapes
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here:
        times = travel_times(here.settings.data, here.policy)
        with here.database.reading(COMMAND, at=clock.now()) as store, err.status("studying"):
            found = service.study(store, times, count, mode)
        if keep:
            with here.database.writing(COMMAND, at=clock.now()) as store:
                service.keep_study(store, found, times)
    figures = {
        "mode": found.mode,
        "places": [shapes.station_told(one) for one in found.places],
        "already_inside": found.already_inside,
        "gained": len(found.gained),
        "gained_by_estimate_only": len(found.estimated),
        "outside": len(found.outside),
        "unreachable": len(found.unreachable),
        "proven": found.proven,
        "gap": found.gap,
        "seconds": round(found.seconds, 2),
        "provenance": found.provenance,
    }
    if json:
        show_json(figures)
        return
    table(("place", "longitude", "latitude"), [(one.name, f"{one.lon:.6f}", f"{one.lat:.6f}") for one in found.places])
    proof = "proven: no choice brings more inside" if found.proven else f"not proven: at most {found.gap:.1%} more is possible"
    guessed = f" ({len(found.estimated)} of them by estimate only)" if found.estimated else ""
    out.print(f"{found.already_inside} people are inside already, {len(found.gained)} more come inside{guessed}; {proof}")
    out.print(f"{len(found.outside)} stay outside, {len(found.unreachable)} are reached from no place studied; {found.seconds:.1f} s")


@circle.command("reach")
def reach(
    station: Annotated[str, typer.Argument(help="Id of the station's Location")],
    mode: Way = None,
    minutes: Annotated[float | None, typer.Option("--minutes", min=1.0, max=120.0, help="Default: the policy's limit")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Write the GeoJSON Feature here instead of printing it", dir_okay=False)] = None,
    data: Data = None,
) -> None:
    """The ground reached from a station, as GeoJSON: a drawing; whoever lives inside is decided by travel time alone."""
    from healthsvc.circle import service
    from healthsvc.circle.providers import travel_times
    from healthsvc.commands.actor import COMMAND
    from healthsvc.fhir.json import dumps

    with installation(data) as here, here.database.reading(COMMAND, at=clock.now()) as store:
        drawn = service.drawn_reach(store, travel_times(here.settings.data, here.policy), station, mode, minutes)
    if to is None:
        show_json(drawn)
        return
    to.write_bytes(dumps(drawn, pretty=True))
    out.print(f"{to}: {drawn['properties']['square_km']:.2f} km² in {drawn['properties']['minutes']:g} minutes", markup=False)


def _counts(title: str, first: str, counts: "Sequence[Count]") -> None:
    """Measured and estimated side by side, never added up."""
    rows = [
        (
            one.key or "-",
            one.people,
            one.inside,
            "" if one.share_inside is None else f"{one.share_inside:.0%}",
            one.outside,
            f"~{one.estimated_inside}",
            f"~{one.estimated_outside}",
            one.ask,
        )
        for one in counts
    ]
    table((first, "people", "inside", "share", "outside", "~inside", "~outside", "to be looked at"), rows, title=title)
