"""The keys that seal what is at rest: how it stands, a new key, sealing under it, taking an old key out of use."""

from typing import Annotated, Any

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, err, installation, out, progress, show_json, table

keys = typer.Typer(no_args_is_help=True, help="The keys that seal persons' numbers, files and messages at rest.")


@keys.command("status")
def status(data: Data = None, json: Json = False) -> None:
    """Show the keys, since when each is used, and how many values are under it; walks the tables."""
    from healthsvc.store.sealing.facts import facts, held, key_fact
    from healthsvc.store.sealing.reseal import COMPACT, left, standing

    with installation(data) as here, here.database.engine.connect() as connection:
        known, stands, sealer = facts(connection), standing(connection), here.database.sealer
        waiting = left(connection, sealer)
    found: list[dict[str, Any]] = [
        {
            "key": kid,
            "since": known[key_fact(kid)],
            "closes": kid == sealer.kid.hex(),
            "values": {one.column: one.how_many for one in stands if one.kid == kid},
        }
        for kid in sorted(held(known), key=lambda kid: known[key_fact(kid)])
    ]
    plain = {one.column: one.how_many for one in stands if not one.kid}
    if json:
        show_json({"keys": found, "open": plain, "still_to_walk": waiting, "compact": known.get(COMPACT, "")})
        return
    rows = [(one["key"], one["since"], "closes" if one["closes"] else "opens", _counts(one["values"])) for one in found]
    table(("key", "since", "", "values under it"), [*rows, ("none", "", "", _counts(plain))])
    if waiting:
        out.print(f"not all under the newest key yet: {', '.join(waiting)}; the service goes on by itself, or run `healthsvc keys reseal`")


@keys.command("rotate")
def rotate(data: Data = None, json: Json = False) -> None:
    """Make a new key, which closes from now on; a running service takes notice by itself and seals what is there under it, bit by bit."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.store.sealing.facts import key_fact, put
    from healthsvc.store.sealing.keys import rotate as make

    with installation(data) as here:
        sealer = here.database.sealer
        assert sealer.folder is not None
        kid = make(sealer.folder)
        with here.database.writing(COMMAND, at=clock.now()) as store:
            put(store.connection, key_fact(kid), clock.utc_now().isoformat(timespec="seconds"))
            store.audit("key-new", f"key/{kid}")
    show_json({"key": kid}) if json else out.print(f"key {kid} closes from now on; back up {sealer.folder} now", markup=False)


@keys.command("reseal")
def reseal(
    data: Data = None,
    compact: Annotated[bool, typer.Option("--compact", help="Then rewrite the database: free pages forget what was there")] = False,
) -> None:
    """Seal everything that is not under the newest key yet. It can be interrupted and goes on where it stopped."""
    from healthsvc.store.sealing.reseal import compact as rewrite
    from healthsvc.store.sealing.reseal import steps

    with installation(data) as here:
        with progress() as bar:
            task = bar.add_task("sealing", total=None)
            for _ in steps(here.database):
                bar.advance(task)
        if compact:
            rewrite(here.database)
    out.print("everything that must be sealed is under the newest key")


@keys.command("retire")
def retire(kid: Annotated[str, typer.Argument(help="The key, as `keys status` shows it")], data: Data = None) -> None:
    """Take a key out of use with which nothing is sealed any more; its file is kept under retired/ beside the others."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.store.sealing.reseal import take_out_of_use

    with installation(data) as here:
        still = take_out_of_use(here.database, kid)
        if still:
            err.print(f"{still} values are still sealed with it: run `healthsvc keys reseal` first")
            raise typer.Exit(1)
        with here.database.writing(COMMAND, at=clock.now()) as store:
            store.audit("key-retired", f"key/{kid}")
    out.print("it is out of use; backups that were made before need it still")


def _counts(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in values.items()) or "nothing"
