"""Try FHIR files: are they valid, and do they come back as they were? And index anew what is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, installation, out, progress, show_json
from healthsvc.fhir.json import Resource

if TYPE_CHECKING:
    from healthsvc.store import Store

fhir = typer.Typer(no_args_is_help=True, help="FHIR: validate files, prove that storing keeps them, index anew what is stored.")


@fhir.command("check")
def check_files(
    paths: Annotated[list[Path], typer.Argument(exists=True, help="JSON or NDJSON files (.gz too), or folders of them")],
    json: Json = False,
) -> None:
    """Validate, store in a scratch database and read back value-identical. Nothing is kept. Exit code 1 if anything is not."""
    from healthsvc.fhir.check import check

    with scratch_store() as store, progress() as bar:
        task = bar.add_task("checking", total=None)

        def store_and_read(resource: Resource) -> Resource:
            return store.create(resource) if "id" not in resource else store.put(resource)

        report = check(paths, store_and_read, progress=lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        show_json(report.as_json())
    else:
        for line in report.lines():
            out.print(line, markup=False)
    if not report.clean:
        raise typer.Exit(1)


@fhir.command("reindex")
def reindex(
    types: Annotated[list[str] | None, typer.Option("--type", help="Only these resource types; may be given several times")] = None,
    data: Data = None,
    anew: Annotated[bool, typer.Option("--anew", help="From the beginning, not where a run that was ended stopped")] = False,
    json: Json = False,
) -> None:
    """Index what is stored anew: after a search parameter was added, or where the index is not trusted.

    It runs beside a serving process, a few hundred resources in one short transaction; a run that was ended goes on where it stopped.
    """
    from healthsvc.errors import Invalid
    from healthsvc.store.reindex import how_many, steps

    with installation(data) as here:
        wanted = types or []
        if wrong := [one for one in wanted if not here.database.language.is_type(one)]:
            raise Invalid(f"{wrong[0]} is not an R4 resource type")
        done = 0
        with progress() as bar:
            task = bar.add_task("indexing", total=how_many(here.database, wanted))
            for portion in steps(here.database, wanted, anew=anew):
                done += portion.done
                bar.advance(task, portion.done)
    show_json({"indexed": done, "types": wanted}) if json else out.print(f"{done} resources indexed anew")


@contextmanager
def scratch_store() -> "Iterator[Store]":
    """A store in a temporary folder without rooms' rules: it answers only whether FHIR content survives."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.store import Database

    with TemporaryDirectory() as folder:
        database = Database.open(f"sqlite:///{folder}/scratch.sqlite", validate=lambda _: [])
        try:
            with database.writing(COMMAND, at=clock.now()) as store:
                yield store
        finally:
            database.close()
