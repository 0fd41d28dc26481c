"""The road graph behind the ten-minute circle."""

from pathlib import Path
from typing import Annotated

import typer

from healthsvc.commands.shape import Data, Json, out, progress, show_json
from healthsvc.logs import settings_for

roads = typer.Typer(no_args_is_help=True, help="The road graph behind the ten-minute circle.")


@roads.command("load")
def load_roads(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="OpenStreetMap extract: .osm.pbf, .osm, .osm.bz2, .osm.gz")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Build the road graph from an extract; travel times use it from then on."""
    from healthsvc.circle.load import load

    settings = settings_for(data)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with progress() as bar:
        task = bar.add_task("reading roads", total=None)
        report = load(file, settings.data, lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        show_json(report.as_json())
        return
    for line in report.lines():
        out.print(line, markup=False)
