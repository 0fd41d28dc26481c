"""Lay the hot tables of a PostgreSQL database out by county, add what is new, and say what is where."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from healthsvc.commands.shape import Data, Json, err, installation, out, progress, show_json, table

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from healthsvc.installation import Installation
    from healthsvc.store.tenancy.tend import Place


def partition(
    level: Annotated[
        str | None,
        typer.Option(help="Organization.type of those that get a partition. Default: database_partition_level", show_default=False),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Only say what is where; change nothing")] = False,
    check: Annotated[bool, typer.Option("--check", help="Also walk every row and see that it is where it belongs")] = False,
    give_up: Annotated[bool, typer.Option("--give-up", help="Throw away what a run that was not ended has left")] = False,
    dissolve: Annotated[
        str | None,
        typer.Option(help="Id of a county that was joined with another: its people go to the partition of the nearest county above"),
    ] = None,
    drop_before: Annotated[bool, typer.Option("--drop-before", help="Drop the tables of before the switch, which stay until then")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Lay the hot tables out by county, beside whoever serves; later runs add new counties and move the people of organizations that moved.

    PostgreSQL only. Every process must run this release. Killed, it goes on where it was; every row is compared before the tables are
    switched, which holds writers up for a moment; the tables of before stay until --drop-before, so the disk must hold both. Exit code 1
    if something is not where it belongs.
    """
    from healthsvc.store.tenancy import lay, tend

    with installation(data) as here:
        wanted = level or here.settings.database_partition_level
        faults: dict[str, int] = {}
        if not show:
            with lay.alone(here.settings.database_url) as engine:
                if give_up:
                    lay.give_up(engine)
                elif drop_before:
                    lay.drop_before(engine)
                else:
                    if dissolve is not None:
                        lay.in_turn(engine, lambda connection: tend.dissolve(connection, dissolve))
                    _do(here, engine, wanted)
        with here.database.engine.connect() as connection:
            found = tend.places(connection)
            if check and found:
                faults = tend.faults(connection)
        names = _names(here, found)
    if json:
        parts = [{**one._asdict(), "name": names.get(one.organization or "", "")} for one in found]
        show_json({"laid_out": bool(found), "parts": parts, "faults": faults})
    elif not found:
        out.print("the tables are not laid out by county")
    else:
        rows = [(one.part, one.organization, names.get(one.organization or "", ""), *_figures(one)) for one in found]
        table(("part", "organization", "name", "resources", "rows", "MiB"), rows)
        for said, count in faults.items():
            err.print(f"{count} {said}", markup=False)
    if faults:
        raise typer.Exit(1)


def _do(here: "Installation", engine: "Engine", level: str) -> None:
    """Lay out, or what a later run does."""
    from healthsvc.store.tenancy import lay, tend

    with here.database.engine.connect() as connection:
        laid = bool(tend.tenants(connection))
    with _told() as told:
        if not laid:
            lay.lay_out(engine, level, told)
            return
        with here.database.engine.connect() as connection:
            new = tend.without_partition(connection, level)
        for organization in new:
            lay.in_turn(engine, lambda connection, id=organization: tend.add(connection, id))  # type: ignore[misc]
        with here.database.engine.connect() as connection:
            left = tend.unsettled(here.database, connection)
        for number, (organization, part) in enumerate(left):
            told("move people", number, len(left))
            for _ in tend.settle(here.database, organization, part):
                told("move people", number, len(left))


@contextmanager
def _told() -> Iterator[Any]:
    with progress() as bar:
        tasks: dict[str, Any] = {}

        def told(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)

        yield told


def _figures(one: "Place") -> tuple[int, int, int]:
    return one.resources, one.rows, one.bytes >> 20


def _names(here: "Installation", places: "list[Place]") -> dict[str, str]:
    """Names of the organizations."""
    from healthsvc import clock
    from healthsvc.commands.actor import COMMAND

    with here.database.reading(COMMAND, at=clock.now()) as store:
        read = {one.organization: store.find("Organization", one.organization) for one in places if one.organization}
    return {id: str(resource.get("name", "")) for id, resource in read.items() if resource is not None}
