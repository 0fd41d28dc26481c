"""The command line and composition root: the only module that knows every room and the integrations."""

import sys

import typer
from typer import Abort, Exit, TyperException

from healthsvc import __version__
from healthsvc.commands import (
    access,
    backup,
    circle,
    client,
    deploy,
    doctor,
    documents,
    fhir,
    keys,
    migrate,
    move,
    partition,
    plan,
    policy,
    roads,
    roster,
    settings,
    staff,
)
from healthsvc.commands.shape import err, explain, out
from healthsvc.errors import Refusal
from integrations import commands as hospital
from integrations.demo.command import demo
from integrations.operating.commands import check_profiles

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="healthsvc: community-care follow-up for retired cadres 离退休干部. Every command has --help.",
)
cli.command("serve")(hospital.serve)
cli.command("demo")(demo)
cli.command("token")(access.token)
cli.command("move")(move.move)
cli.command("partition")(partition.partition)
cli.command("doctor")(doctor.doctor)
doctor.FURTHER["link profiles"] = check_profiles
cli.command("settings")(settings.settings)
cli.command("migrate")(migrate.migrate)
cli.command("backup")(backup.backup)
cli.command("restore")(backup.restore)
cli.add_typer(roster.imports, name="import")
cli.add_typer(hospital.hl7, name="hl7")
cli.add_typer(fhir.fhir, name="fhir")
cli.add_typer(plan.plan, name="plan")
cli.add_typer(roads.roads, name="roads")
cli.add_typer(circle.circle, name="circle")
cli.add_typer(staff.staff, name="staff")
cli.add_typer(access.users, name="user")
cli.add_typer(client.clients, name="client")
cli.add_typer(access.audit, name="audit")
cli.add_typer(deploy.deploy, name="deploy")
cli.add_typer(documents.documents, name="documents")
cli.add_typer(policy.policy, name="policy")
cli.add_typer(keys.keys, name="keys")


@cli.command("version")
def version() -> None:
    """Print the version."""
    out.print(__version__)


def app() -> None:
    """Run the command line: 0 done, 1 done with findings, 2 refused or wrongly called, 78 `serve` wants mending first, 130 interrupted."""
    try:
        code = cli(standalone_mode=False)
    except Refusal as refusal:
        explain(refusal)
        code = refusal.exit_code
    except TyperException as error:
        if hasattr(error, "show"):
            error.show()
        else:
            err.print(f"healthsvc: {error.format_message()}", markup=False)
        code = error.exit_code
    except (Abort, KeyboardInterrupt):
        code = 130
    except Exit as end:
        code = end.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    app()
