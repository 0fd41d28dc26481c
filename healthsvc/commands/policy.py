"""The rules in force: every number that is policy, with its source, its history, and what changed between two days."""

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, installation, out, show_json, table
from healthsvc.logs import settings_for
from healthsvc.policy import Parameter, Policy, load

policy = typer.Typer(no_args_is_help=True, help="The policy parameters in force, with source, date and jurisdiction; what changed.")
Day = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="Day; default today")]
Where = Annotated[str, typer.Option("--jurisdiction", help="GB/T 2260 place such as CN-33 or CN-3302; default: the site's own")]


@policy.command("list")
def list_parameters(
    data: Data = None,
    on: Day = None,
    room: Annotated[str, typer.Option("--room", help="Only this room's parameters")] = "",
    jurisdiction: Where = "",
    json: Json = False,
) -> None:
    """List the values in force on a day, here or in another place."""
    known, day = _known(data, jurisdiction), on.date() if on else clock.today()
    chosen = [known.parameter(name, day) for name in known.names() if name.startswith(room) and known.in_force(name, day)]
    if json:
        show_json([_told(p) for p in chosen])
        return
    table(
        ("parameter", "value", "unit", "title", "trust", "from", "where"),
        [(p.name, p.value, p.unit, p.title, p.trust, p.effective_from, p.jurisdiction) for p in chosen],
    )


@policy.command("history")
def show_history(
    name: Annotated[str, typer.Argument(help="Parameter, for example checkup.old_age")],
    data: Data = None,
    jurisdiction: Where = "",
    json: Json = False,
) -> None:
    """Show which value of a parameter held from when until when, with its source, and what holds elsewhere."""
    known = _known(data, jurisdiction)
    if name not in known.names():
        raise typer.BadParameter(f"there is no parameter {name!r}; healthsvc policy list names them all")
    spells = known.history(name)
    if json:
        rows = [{**_told(one.parameter), "from": one.start.isoformat(), "until": _iso(one.until)} for one in spells]
        show_json({"name": name, "history": rows, "elsewhere": [_told(p) for p in known.elsewhere(name)]})
        return
    table(
        ("from", "until", "value", "unit", "where", "trust", "source", "file"),
        [
            (one.start, one.until or "", one.parameter.value, one.parameter.unit, one.parameter.jurisdiction, one.parameter.trust,
             one.parameter.source, one.parameter.file)
            for one in spells
        ]
        + [
            (p.effective_from, "", p.value, p.unit, f"{p.jurisdiction} (not here)", p.trust, p.source, p.file)
            for p in known.elsewhere(name)
        ],
    )  # fmt: skip


@policy.command("diff")
def show_changes(
    before: Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Earlier day")],
    after: Annotated[datetime | None, typer.Argument(formats=["%Y-%m-%d"], help="Later day; default today")] = None,
    data: Data = None,
    jurisdiction: Where = "",
    json: Json = False,
) -> None:
    """Show what changed between two days: parameters that came, went or have another value."""
    known = _known(data, jurisdiction)
    found = known.changes(before.date(), after.date() if after else clock.today())
    if json:
        show_json([{"name": one.name, "before": _maybe(one.before), "after": _maybe(one.after)} for one in found])
        return
    table(
        ("parameter", "before", "after", "since", "where", "source"),
        [
            (
                one.name,
                "–" if one.before is None else one.before.value,
                "–" if one.after is None else one.after.value,
                "" if one.after is None else one.after.effective_from,
                "" if one.after is None else one.after.jurisdiction,
                "" if one.after is None else one.after.source,
            )
            for one in found
        ],
    )


@policy.command("replay")
def replay_decisions(data: Data = None, json: Json = False) -> None:
    """Make every stored follow-up decision again from its record: same or different. Exit code 1 where one differs."""
    from healthsvc.checkup.deciding import replay_all
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here, here.database.reading(COMMAND, at=clock.now()) as store:
        found = list(replay_all(store))
    different = [one for one in found if not one.same]
    if json:
        show_json({"decisions": len(found), "same": len(found) - len(different), "different": [asdict(one) for one in different]})
    else:
        out.print(f"decisions {len(found)}, same {len(found) - len(different)}, different {len(different)}")
        if different:
            table(("decision", "rule", "what is different"), [(one.id, one.rule, "; ".join(one.differences)) for one in different])
    if different:
        raise typer.Exit(1)


def _known(data: Path | None, jurisdiction: str) -> Policy:
    settings = settings_for(data)
    return load(Path(settings.data) / "policy", jurisdiction or settings.jurisdiction)


def _told(p: Parameter) -> dict[str, Any]:
    return {
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


def _maybe(p: Parameter | None) -> dict[str, Any] | None:
    return None if p is None else _told(p)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
