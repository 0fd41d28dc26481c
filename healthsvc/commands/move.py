"""Carry an embedded installation over to PostgreSQL."""

from typing import Annotated

import typer

from healthsvc.commands.shape import Data, Json, err, installation, out, progress, show_json
from healthsvc.errors import Invalid


def move(
    to: Annotated[str, typer.Option("--to", help="postgresql://USER@HOST/NAME, an empty database; the password: PGPASSWORD or ~/.pgpass")],
    data: Data = None,
    again: Annotated[bool, typer.Option("--again", help="Throw away what an earlier move has left in the target, and begin anew")] = False,
    json: Json = False,
) -> None:
    """Carry the embedded database over to PostgreSQL and compare every row. Killed, it goes on where it was; the source stays as it is.

    The installation must not be served meanwhile. Keys, documents' fonts, link profiles and policy stay in the data directory: every
    process needs that directory, or a copy. Exit code 1 if anything differs.
    """
    from healthsvc.logs import settings_for
    from healthsvc.occupancy import alone
    from healthsvc.store import moving
    from healthsvc.store.journals import carry_left

    settings = settings_for(data)
    if not settings.database_url.startswith("sqlite:///"):
        raise Invalid("this installation is not embedded any more: HEALTHSVC_DATABASE names a server", reason="move-source")
    source = settings.data / "healthsvc.sqlite" if settings.database is None else None
    if source is None or not source.is_file():
        raise Invalid(f"there is no embedded database in {settings.data}; name its directory with --data", reason="move-source")
    with alone(settings.data):
        with installation(data) as opened:  # as serving would: its schema is the newest, its keys are there
            carry_left(opened.database)
        with progress() as bar:
            tasks = {}

            def told(table: str, done: int, total: int) -> None:
                if table not in tasks:
                    tasks[table] = bar.add_task(table, total=total)
                bar.update(tasks[table], completed=done)

            found = moving.move(source, to, told, again=again)
    if json:
        rows = [{"table": one.table, "rows": one.rows, "digest": one.digest, "same": one.same} for one in found.tables]
        show_json({"sound": found.sound, "tables": rows, "audit": list(found.audit)})
    else:
        for one in found.tables:
            if not one.same:
                err.print(f"{one.table}: {one.rows_there} of {one.rows} rows, the first that differs is {one.first}", markup=False)
        for line in found.audit:
            err.print(line, markup=False)
        count = sum(one.rows for one in found.tables)
        if found.sound:
            out.print(f"{count} rows in {len(found.tables)} tables are over, each as it was; the audit is intact", markup=False)
            out.print(
                f"now set database in {settings.data}/healthsvc.toml (or HEALTHSVC_DATABASE) on every machine, then serve", markup=False
            )
    if not found.sound:
        raise typer.Exit(1)
