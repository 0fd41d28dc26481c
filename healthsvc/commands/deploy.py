"""Write out what a deployment needs."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from healthsvc.commands.shape import err, out
from healthsvc.errors import Conflict

deploy = typer.Typer(no_args_is_help=True, help="Files for running it: systemd units, a container, compose, an offline wheelhouse.")

Out = Annotated[Path, typer.Option("--out", help="Folder to write to; what is there already is never overwritten")]


@deploy.command("systemd")
def systemd(
    to: Out,
    prefix: Annotated[Path, typer.Option("--prefix", help="Virtual environment that it runs from")] = Path("/opt/healthsvc/venv"),
    data: Annotated[Path, typer.Option("--data", help="Data directory")] = Path("/var/lib/healthsvc"),
) -> None:
    """Hardened units: healthsvc.service for everything in one, or healthsvc.target with one service a role."""
    from healthsvc.deploy.units import units

    _write(to, list(units(prefix, data)))
    err.print(
        "useradd --system healthsvc; units to /etc/systemd/system, healthsvc.env to /etc/healthsvc (mode 0600); then\n"
        "systemctl enable --now healthsvc.service   or, with PostgreSQL, healthsvc.target and its services",
        markup=False,
    )


@deploy.command("container")
def container(to: Out) -> None:
    """A Containerfile: non-root, made from a wheelhouse that lies beside it as `wheelhouse`."""
    _write(to, [("Containerfile", _file("Containerfile"))])


@deploy.command("compose")
def compose(to: Out) -> None:
    """A Containerfile, a compose file (PostgreSQL, two APIs, feeds, worker, timers) and its settings with a new random password."""
    password = secrets.token_urlsafe(24)
    settings = (
        "POSTGRES_USER=healthsvc\nPOSTGRES_DB=healthsvc\n"
        f"POSTGRES_PASSWORD={password}\nHEALTHSVC_DATABASE=postgresql://healthsvc:{password}@postgres/healthsvc\n"
        "HEALTHSVC_BACKUP_TO=/backups\nHEALTHSVC_BACKUP_KEYS_TO=/keys\n"
    )
    _write(to, [("Containerfile", _file("Containerfile")), ("compose.yaml", _file("compose.yaml")), ("healthsvc.env", settings)])


@deploy.command("wheelhouse")
def wheelhouse(
    to: Out,
    source: Annotated[Path, typer.Option("--source", help="Source tree, after `make setup`")] = Path(),
    platform: Annotated[list[str] | None, typer.Option("--platform", help="Tag of another target platform; repeat it")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would be run")] = False,
) -> None:
    """Everything for a closed network in one folder: wheels, page assets and fonts, hashes, and install.sh, which needs no network."""
    from healthsvc.deploy import wheelhouse as house

    if plan:
        for words in house.plan(to, source, platform or ()):
            out.print(" ".join(words), markup=False)
        return
    names = house.make(to, source, platform or ())
    out.print(f"{to}: {len(names)} files; SHA-256 of SHA256SUMS {house.sha256(to / 'SHA256SUMS')}", markup=False)
    err.print(f"carry it over, compare that number, then: sh {to.name}/install.sh /opt/healthsvc/venv", markup=False)


def _file(name: str) -> str:
    from healthsvc import deploy as package

    return (Path(package.__file__).parent / "files" / name).read_text(encoding="utf-8")


def _write(to: Path, files: list[tuple[str, str]]) -> None:
    there = [name for name, _ in files if (to / name).exists()]
    if there:
        raise Conflict(f"{', '.join(there)} is already in {to}; name another folder, or remove it first")
    to.mkdir(parents=True, exist_ok=True)
    for name, text in files:
        (to / name).touch(mode=0o600 if name.endswith(".env") else 0o644)
        (to / name).write_text(text, encoding="utf-8")
        out.print(str(to / name), markup=False)
