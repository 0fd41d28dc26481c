"""Schema steps: which have run, which wait, and the word that lets the old ones go."""

from typing import Annotated

import typer

from healthsvc.commands.shape import Data, Json, installation, out, show_json


def migrate(
    contract: Annotated[
        bool, typer.Option("--contract", help="Also take away what only processes of the release before still use: stop those first")
    ] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring the schema up to date and say which steps still wait. Every start does the same, without --contract."""
    from healthsvc.store.migrate import head, pending, upgrade
    from healthsvc.store.work_queue import prepare

    with installation(data) as here:
        if contract:
            upgrade(here.database.engine, contract=True)
        prepare(here.database.engine, contract=contract)
        _, waiting = pending(here.database.engine)
    if json:
        show_json({"newest": head(), "waiting": waiting})
    elif waiting:
        out.print(f"waiting for --contract, once no process of the release before runs: {', '.join(waiting)}", markup=False)
    else:
        out.print(f"up to date: {head()}", markup=False)
