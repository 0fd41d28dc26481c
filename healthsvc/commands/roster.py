"""Import people from the lists that a bureau keeps."""

from pathlib import Path
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, err, installation, out, progress, show_json

imports = typer.Typer(no_args_is_help=True, help="Bring in lists: rosters of people.")


@imports.command("roster")
def roster(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV (UTF-8 or GB18030) or XLSX with Chinese headers")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Import a roster: good rows are kept, bad ones reported with line, column and reason; again changes nothing.

    Exit code 1 if any row was bad.
    """
    from healthsvc.commands.actor import COMMAND
    from healthsvc.healthfile.roster import import_roster

    with installation(data) as here, progress() as bar:
        task = bar.add_task("importing rows", total=None)
        report = import_roster(
            here.database, file, COMMAND, at=clock.now(), progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    if json:
        show_json(report.as_json())
    else:
        for problem in report.problems:
            err.print(f"line {problem.line}, {problem.column}: {problem.text} ({problem.reason})", markup=False)
        out.print(f"{report.created} created, {report.changed} changed, {report.unchanged} unchanged, {report.refused} refused")
    if report.refused:
        raise typer.Exit(1)


@imports.command("template")
def template(file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write it: .xlsx or .csv")]) -> None:
    """Write an empty roster with all headings and one example row."""
    from healthsvc.healthfile.roster_files import write_template

    write_template(file)
    out.print(f"written: {file.name}", markup=False)
