"""The rules in force: every number that is policy, with its source."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, show_json, table
from healthsvc.logs import settings_for
from healthsvc.policy import load

policy = typer.Typer(no_args_is_help=True, help="The policy parameters in force, with source and date.")


@policy.command("list")
def list_parameters(
    data: Data = None,
    on: Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Day; default today")] = None,
    room: Annotated[str, typer.Option("--room", help="Only this room's parameters")] = "",
    json: Json = False,
) -> None:
    """List the values in force on a day."""
    settings = settings_for(data)
    known = load(Path(settings.data) / "policy", settings.jurisdiction)
    day = on.date() if on else clock.today()
    chosen = [known.parameter(name, day) for name in known.names() if name.startswith(room) and known.in_force(name, day)]
    if json:
        show_json(
            [
                {
                    "name": p.name,
                    "value": p.value,
                    "unit": p.unit,
                    "title": p.title,
                    "titleEn": p.title_en,
                    "source": p.source,
                    "trust": p.trust,
                    "effectiveFrom": p.effective_from.isoformat(),
                    "jurisdiction": p.jurisdiction,
                    "file": p.file,
                }
                for p in chosen
            ]
        )
        return
    table(
        ("parameter", "value", "unit", "title", "trust", "from", "where"),
        [(p.name, p.value, p.unit, p.title, p.trust, p.effective_from, p.jurisdiction) for p in chosen],
    )
