"""systemd units: the whole in one service for the embedded database, or one service a role on PostgreSQL."""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

_TEMPLATE: Final = Path(__file__).parent / "files" / "service.in"


class Unit(NamedTuple):
    """One service: its file's name, what it is, and the words after ``healthsvc serve`` (``$http``, ``$mllp``: where it listens)."""

    name: str
    title: str
    words: str


UNITS: Final = (
    Unit("healthsvc.service", "community care: everything in one process, embedded database", "--http $http --mllp $mllp"),
    Unit("healthsvc-api@.service", "community care: API and pages on port %i", "--only api --http 127.0.0.1:%i"),
    Unit("healthsvc-feeds.service", "community care: hospital lines", "--only feeds --mllp $mllp --probes 127.0.0.1:9101"),
    Unit("healthsvc-worker@.service", "community care: worker, probes on port %i", "--only worker --probes 127.0.0.1:%i"),
    Unit("healthsvc-timers.service", "community care: timers", "--only timers --probes 127.0.0.1:9103"),
)
HTTP: Final = "127.0.0.1:8000"
MLLP: Final = "127.0.0.1:2575"
"""Where the built-in link profile answers; any other address wants a profile of the hospital that may come in there."""
_PRIVILEGED: Final = 1024
"""Ports below are bound with a capability only (ip_unprivileged_port_start of the kernel, unless the machine sets another)."""
_TARGET: Final = """[Unit]
Description=community care, one service a role (PostgreSQL)
Conflicts=healthsvc.service
Wants=healthsvc-api@8001.service healthsvc-api@8002.service healthsvc-feeds.service healthsvc-worker@9102.service healthsvc-timers.service

[Install]
WantedBy=multi-user.target
"""
_ENVIRONMENT: Final = """# settings of healthsvc: see `healthsvc settings --reference`; mode 0600, it may hold passwords
# NAME=VALUE as it stands, without quotes
# HEALTHSVC_DATABASE=postgresql://healthsvc:PASSWORD@HOST/healthsvc
HEALTHSVC_LOG_JSON=true
HEALTHSVC_DRAIN_SECONDS=5
"""
_NO_BACKUP: Final = """# backups by the clock: write the units with --backup-to FOLDER, since they let the service write nowhere else
"""


def units(
    prefix: Path,
    data: Path,
    *,
    user: str = "healthsvc",
    http: str = HTTP,
    mllp: str = MLLP,
    backup_to: Path | None = None,
    backup_keys_to: Path | None = None,
) -> Iterator[tuple[str, str]]:
    """Name and text of every file.

    Args:
        prefix: where the virtual environment lies.
        data: the data directory.
        user: who runs it; a group of the same name is there, too.
        http: where API and pages listen where everything is in one process, HOST:PORT.
        mllp: where hospitals connect, HOST:PORT.
        backup_to: folder of the backups by the clock; the service may write there.
        backup_keys_to: folder of the keys' backups, likewise.
    """
    files = _TEMPLATE.parent
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    named = {"HEALTHSVC_BACKUP_TO": backup_to, "HEALTHSVC_BACKUP_KEYS_TO": backup_keys_to}
    backups = {name: folder for name, folder in named.items() if folder is not None}
    words = {"prefix": str(prefix), "data": str(data), "user": user, "writes": " ".join(f"-{one}" for one in (data, *backups.values()))}
    for unit in UNITS:
        role = "" if unit.name == "healthsvc.service" else "PartOf=healthsvc.target\n"
        wanted = "multi-user.target" if not role else "healthsvc.target"
        told = Template(unit.words).substitute(http=http, mllp=mllp)
        low = any(int(port) < _PRIVILEGED for port in re.findall(r":(\d+)", told))
        words |= {"capabilities": "CAP_NET_BIND_SERVICE" if low else "", "users": "no" if low else "yes"}
        yield unit.name, template.substitute(words, title=unit.title, words=told, part=role, wanted=wanted)
    yield "healthsvc.target", _TARGET
    yield "healthsvc.env", _ENVIRONMENT + ("".join(f"{name}={folder}\n" for name, folder in backups.items()) or _NO_BACKUP)
    yield "healthsvc-admin", Template((files / "healthsvc-admin.in").read_text(encoding="utf-8")).substitute(words)
