"""Write out what a deployment needs."""

import re
import secrets
from pathlib import Path
from typing import Annotated

import typer

from healthsvc.commands.shape import Data, err, out
from healthsvc.errors import Conflict, Invalid

deploy = typer.Typer(no_args_is_help=True, help="Files for running it: units, a container, compose, alert rules, a wheelhouse.")

Out = Annotated[Path, typer.Option("--out", help="Folder to write to; what is there already is never overwritten")]


@deploy.command("systemd")
def systemd(
    to: Out,
    prefix: Annotated[Path, typer.Option("--prefix", help="Virtual environment that it runs from")] = Path("/opt/healthsvc/venv"),
    data: Annotated[Path, typer.Option("--data", help="Data directory")] = Path("/var/lib/healthsvc"),
    user: Annotated[str, typer.Option("--user", help="Who runs it: a user with a group of the same name")] = "healthsvc",
    http: Annotated[str, typer.Option("--http", help="Where API and pages listen (healthsvc.service), HOST:PORT")] = "127.0.0.1:8000",
    mllp: Annotated[
        str, typer.Option("--mllp", help="Where hospitals connect, HOST:PORT; beyond this machine a link profile must allow it")
    ] = "127.0.0.1:2575",
    backup_to: Annotated[Path | None, typer.Option("--backup-to", help="Folder of the nightly backups; may be written")] = None,
    backup_keys_to: Annotated[Path | None, typer.Option("--backup-keys-to", help="Folder of the keys' backups; may be written")] = None,
) -> None:
    """Hardened units: healthsvc.service for everything in one, or healthsvc.target with one service a role; and healthsvc-admin."""
    from healthsvc.deploy.units import units

    there = [prefix, data, *(one for one in (backup_to, backup_keys_to) if one is not None)]
    odd = [str(one) for one in there if not one.is_absolute() or set(str(one)) & set(" %'\"$\\")]
    if odd:
        raise Invalid(f"{', '.join(odd)}: a unit names whole paths, beginning with /, without spaces, quotes, % or $")
    for what, address in (("--http", http), ("--mllp", mllp)):
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}", address):
            raise Invalid(f"{what} is HOST:PORT such as 127.0.0.1:8000, not {address!r}")
    _write(to, list(units(prefix, data, user=user, http=http, mllp=mllp, backup_to=backup_to, backup_keys_to=backup_keys_to)))
    own = f"install -d -o {user} -g {user} -m 0700"
    folders = "".join(f"{own} {one}\n" for one in there[1:])
    lines = f"{data}/hospitals"
    profile = f'{own} {lines}\ninstall -o {user} -g {user} -m 0600 HOSPITAL.toml {lines}/   # a link profile with listen = ["{mllp}"]\n'
    err.print(
        "then, as root:\n"
        f"id -u {user} >/dev/null 2>&1 ||\\\n"
        f"  useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin {user}\n"
        f"{folders}{'' if mllp.startswith(('127.', 'localhost:', '[::1]:')) else profile}"
        f"install -D -m 0600 {to}/healthsvc.env /etc/healthsvc/healthsvc.env\n"
        f"install -m 0755 {to}/healthsvc-admin /usr/local/sbin/healthsvc-admin\n"
        f"install -m 0644 {to}/healthsvc*.service {to}/healthsvc.target /etc/systemd/system/\n"
        "systemctl daemon-reload\n"
        "systemctl enable --now healthsvc.service   # or, with HEALTHSVC_DATABASE set there: healthsvc.target\n"
        "healthsvc-admin doctor; healthsvc-admin user add LOGIN --role security-admin",
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


@deploy.command("alerts")
def alerts(to: Out, data: Data = None) -> None:
    """Alert rules for Prometheus: lines, waiting work, leases, backups, disks, certificates. The age of a backup is that of the policy."""
    from healthsvc import clock
    from healthsvc.backup.make import BackupPolicy
    from healthsvc.config import load
    from healthsvc.policy import load as load_policy

    settings = load(data)
    policy = load_policy(settings.data / "policy", settings.jurisdiction).fill(BackupPolicy, "backup", clock.today())
    _write(to, [("healthsvc-alerts.yaml", _file("alerts.yaml").replace("BACKUP_HOURS", str(policy.stale_hours)))])


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
        (to / name).touch(mode={".env": 0o600, "": 0o755}.get(Path(name).suffix, 0o644))
        (to / name).write_text(text, encoding="utf-8")
        out.print(str(to / name), markup=False)
