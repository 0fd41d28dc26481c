"""Frozen documents: whether they are still what was sealed, and the keys that seal them."""

from dataclasses import asdict
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.commands.shape import Data, Json, err, installation, out, show_json

documents = typer.Typer(no_args_is_help=True, help="Frozen documents (contracts, cards, agreements) and the keys that seal them.")


@documents.command("verify")
def verify(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of DocumentReferences; all frozen documents unless told")] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Check bytes, SHA-256, seal and entry of frozen documents; say which were changed. Exit code 1 if any."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.documents import service

    with installation(data) as here, here.database.reading(COMMAND, at=clock.now()) as store:
        found = [service.verify(store, one) for one in ids] if ids else service.verify_all(store)
    if json:
        show_json([asdict(one) | {"intact": one.intact} for one in found])
    else:
        for one in found:
            for finding in one.findings:
                err.print(f"{one.id}: {finding}", markup=False)
        out.print(f"{len(found)} documents, {sum(one.intact for one in found)} as they were sealed")
    if not all(one.intact for one in found):
        raise typer.Exit(1)


@documents.command("keys")
def keys(data: Data = None) -> None:
    """Print the public keys as a JWK set, newest first; the first one seals."""
    from healthsvc.commands.actor import COMMAND
    from healthsvc.documents.service import keyring

    with installation(data) as here, here.database.reading(COMMAND, at=clock.now()) as store:
        show_json(keyring(store).public())


@documents.command("rotate")
def rotate(data: Data = None) -> None:
    """Make a new key that seals from now on. Old keys stay and go on verifying what they sealed; back the folder up."""
    from healthsvc.documents.keys import rotate as make

    with installation(data) as here:
        assert here.database.signing_keys is not None
        out.print(make(here.database.signing_keys, clock.now()), markup=False)
