"""Clients: programs that ask for tokens by OAuth (SMART on FHIR)."""

from pathlib import Path
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.commands.access import Areas, Certificate, certificate_of
from healthsvc.commands.shape import Data, Json, installation, out, show_json, table
from healthsvc.errors import Unavailable

clients = typer.Typer(no_args_is_help=True, help="Programs that are let in by OAuth (SMART on FHIR).")


@clients.command("add")
def add(
    id: Annotated[str, typer.Argument(help="Client id: letters, digits, dots, dashes")],
    scope: Annotated[list[str], typer.Option("--scope", help="What it may ever ask for, such as patient/*.rs; repeat it")],
    name: Annotated[str, typer.Option("--name", help="Name shown to whoever lets it in")] = "",
    redirect: Annotated[list[str] | None, typer.Option("--redirect", help="Address that an answer may go to; repeat it")] = None,
    confidential: Annotated[bool, typer.Option("--confidential", help="Give it a secret (a server that can keep one)")] = False,
    jwks: Annotated[Path | None, typer.Option("--jwks", help="File with its public keys as a JWK set")] = None,
    certificate: Certificate = None,
    role: Annotated[str | None, typer.Option("--role", help="Role of a backend service; needs --jwks or --certificate")] = None,
    areas: Areas = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Register a client. Its secret, where it gets one, is shown once."""
    from healthsvc.access.smart.clients import register
    from healthsvc.commands.actor import COMMAND

    try:
        keys = None if jwks is None else jwks.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"the file of keys cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        secret = register(
            store, id, name=name, redirects=redirect or (), scopes=scope, role=role, areas=areas, jwks=keys, confidential=confidential,
            certificate=certificate_of(certificate),
        )  # fmt: skip
    if json:
        show_json({"client_id": id, "client_secret": secret})
    else:
        out.print(f"{id}: {secret or 'registered; it has no secret'}", markup=False)


@clients.command("list")
def listed(data: Data = None, json: Json = False) -> None:
    """All clients, without their secrets."""
    from healthsvc.access.smart.clients import clients as known
    from healthsvc.store import SYSTEM

    with installation(data) as here, here.database.reading(SYSTEM, at=clock.now()) as store:
        found = known(store)
    if json:
        shown = ("id", "name", "scopes", "redirects", "role", "closed")
        show_json([{field: getattr(one, field) for field in shown} for one in found])
    else:
        table(
            ("id", "name", "scopes", "redirects", "role", "closed"),
            [(one.id, one.name, " ".join(one.scopes), " ".join(one.redirects), one.role, one.closed) for one in found],
        )


@clients.command("close")
def close(id: Annotated[str, typer.Argument(help="Client id")], data: Data = None) -> None:
    """Close a client; its tokens end at once."""
    from healthsvc.access.smart.clients import close as end
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        end(store, id)
    out.print(f"{id} is closed", markup=False)
