"""Try FHIR files: are they valid, and do they come back as they were?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Json, out, progress, show_json
from healthsvc.fhir.json import Resource

if TYPE_CHECKING:
    from healthsvc.store import Store

fhir = typer.Typer(no_args_is_help=True, help="FHIR files: validate, prove that storing keeps them.")


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
