"""Tokens for programs, accounts for people, and the audit."""

from pathlib import Path
from typing import Annotated

import typer

from healthsvc import clock
from healthsvc.access.rules import Role
from healthsvc.commands.shape import Data, Json, err, installation, out, show_json

users = typer.Typer(no_args_is_help=True, help="Accounts of people who sign in to the pages.")
audit = typer.Typer(no_args_is_help=True, help="The record of who did what.")

Roles = Annotated[str, typer.Option("--role", help="One of: " + ", ".join(sorted(str(role) for role in Role)))]

Areas = Annotated[list[str] | None, typer.Option("--area", help="Organization/ID whose people it sees; repeat it; default: everybody")]


Certificate = Annotated[
    str | None, typer.Option("--certificate", help="Client certificate it is bound to: a PEM file, sha256:FINGERPRINT or subject:NAME")
]


def certificate_of(told: str | None) -> str | None:
    """What a certificate option means: the text of the file that it names, or what it says itself."""
    if told is None or not Path(told).is_file():
        return told
    return Path(told).read_text(encoding="utf-8", errors="replace")


def token(
    role: Roles,
    data: Data = None,
    name: Annotated[str, typer.Option("--name", help="What it is for; shown in lists and in the audit")] = "",
    days: Annotated[int | None, typer.Option("--days", help="Life in days; default: the policy's")] = None,
    areas: Areas = None,
    certificate: Certificate = None,
    json: Json = False,
) -> None:
    """Print a bearer token for the API. It is shown once; what is stored is its hash."""
    from healthsvc.access.tokens import issue_token
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        secret = issue_token(store, role, name, days, areas, certificate_of(certificate))
    show_json({"token": secret, "role": role}) if json else typer.echo(secret)


@users.command("add")
def add_user(
    login: Annotated[str, typer.Argument(help="Sign-in name")],
    role: Roles,
    data: Data = None,
    name: Annotated[str, typer.Option("--name", help="Name shown on pages")] = "",
    practitioner: Annotated[str | None, typer.Option("--practitioner", help="Practitioner/ID of a doctor or nurse")] = None,
    areas: Areas = None,
    json: Json = False,
) -> None:
    """Make an account and print its first password, which must be changed at the first sign-in."""
    from healthsvc.access.accounts import create_user
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        password = create_user(store, login, role, name=name, practitioner=practitioner, areas=areas)
    show_json({"login": login, "password": password}) if json else out.print(f"{login}: {password}", markup=False)


@users.command("expect")
def expect(
    login: Annotated[str, typer.Argument(help="Sign-in name here")],
    name: Annotated[str | None, typer.Argument(help="Their name at the identity provider; none: nobody may take the account")] = None,
    data: Data = None,
) -> None:
    """Say whose account it is at the site's identity provider; whoever had taken it is let go of, and signed out."""
    from healthsvc.access.provider.service import expect as expects
    from healthsvc.commands.actor import COMMAND

    with installation(data) as here, here.database.writing(COMMAND, at=clock.now()) as store:
        expects(store, login, name)


@audit.command("verify")
def verify_audit(data: Data = None, json: Json = False) -> None:
    """Walk the hash chains and compare the witness; say which rows were changed, removed, moved or cut off. Exit code 1 if any."""
    from healthsvc.access.audit import verify

    with installation(data) as here:
        found = verify(here.database, here.witness).faults
    if json:
        show_json({"intact": not found, "findings": found})
    else:
        for line in found:
            err.print(line, markup=False)
        out.print("the audit is intact" if not found else f"{len(found)} findings")
    if found:
        raise typer.Exit(1)
