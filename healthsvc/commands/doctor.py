"""Check an installation and say how to mend what is missing."""

import shutil
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from sqlalchemy.exc import SQLAlchemyError

from healthsvc import __version__
from healthsvc.commands.shape import Data, Json, installation, show_json, table
from healthsvc.errors import Refusal

if TYPE_CHECKING:
    from healthsvc.installation import Installation

ENOUGH_DISK = 1 << 30
FURTHER: "dict[str, Callable[[Installation], str]]" = {}
"""Checks of parts that this one may not know (the hospital side), by name; each says how it stands, or refuses."""


def doctor(data: Data = None, json: Json = False) -> None:
    """Check the installation and say how to mend what is wrong: program, settings, disk, database and its settings, schema, partitions,
    address, journals of lines, clock, keys, seals of documents, certificate, retention, backups, audit, sealing, policy, roads, link
    profiles.

    Exit code 1 if anything is wrong."""
    from healthsvc.commands import checks
    from healthsvc.logs import settings_for

    findings: list[tuple[str, bool, str]] = []

    def look(name: str, finder: Callable[[], str]) -> None:
        try:
            findings.append((name, True, finder()))
        except (Refusal, OSError, RuntimeError, SQLAlchemyError) as error:
            amiss(name, type(error).__name__ if isinstance(error, SQLAlchemyError) else str(error))

    def amiss(name: str, says: str) -> None:
        """The same is said once: what a wrong setting keeps from being looked at names the row that has it."""
        first = next((row for row, _, said in findings if said == says), None)
        findings.append((name, False, f"not looked at: see {first}" if first else says))

    look("python", _python)
    look("packages", lambda: f"healthsvc {__version__}, fhir.resources {version('fhir.resources')}, hl7apy {version('hl7apy')}")
    look("settings", lambda: checks.settings(settings_for(data)))
    look("disk", lambda: _disk(settings_for(data).data))
    look("page assets", _assets)
    try:
        with installation(data) as here:
            look("database", lambda: _database(here))
            look("engine", lambda: checks.engine(here))
            look("migrations", lambda: checks.migrations(here))
            look("partitions", lambda: checks.partitions(here))
            look("address", lambda: checks.address(here))
            look("write-ahead log", lambda: checks.log_size(here))
            look("line journals", lambda: checks.line_journals(here))
            look("clock", lambda: checks.clocks(here))
            look("keys", lambda: checks.keys(here))
            look("signing keys", lambda: checks.seals(here))
            look("certificates", lambda: checks.certificates(here))
            look("retention", lambda: checks.retention(here))
            look("backups", lambda: checks.backup_age(here))
            look("audit", lambda: _audit(here))
            look("sealing", lambda: _sealing(here))
            look("policy", lambda: f"{len(here.policy.names())} parameters")
            look("roads", lambda: _roads(here))
            for part, check in FURTHER.items():
                look(part, partial(check, here))
    except Refusal as refusal:
        amiss("database", refusal.text)
    if json:
        show_json([{"part": name, "ok": ok, "says": says} for name, ok, says in findings])
    else:
        table(("part", "", "says"), [(name, "ok" if ok else "MEND", says) for name, ok, says in findings])
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(1)


def _python() -> str:
    if sys.version_info[:2] != (3, 11):
        raise RuntimeError(f"Python {sys.version.split()[0]} runs; healthsvc is tested with 3.11: make PYTHON=/path/to/python3.11")
    return sys.version.split()[0]


def _disk(where: Path) -> str:
    there = next(folder for folder in (where, *where.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < ENOUGH_DISK:
        raise RuntimeError(f"only {free >> 20} MiB are free where the data lives; free some or move the data directory")
    return f"{free >> 30} GiB free"


def _assets() -> str:
    from healthsvc.web.assets import missing

    lacking = missing()
    if lacking:
        raise RuntimeError(f"{', '.join(lacking)} not there: install healthsvc again (in a source tree: `make setup`)")
    return "all there"


def _database(here: "Installation") -> str:
    from sqlalchemy import text

    with here.database.engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM resource")).scalar_one()
    return f"{here.database.engine.dialect.name}, {count} resources"


def _audit(here: "Installation") -> str:
    from healthsvc.access.audit import verify

    found = verify(here.database, here.witness).faults
    if found:
        raise RuntimeError(f"{len(found)} findings: run `healthsvc audit verify`")
    return "intact"


def _sealing(here: "Installation") -> str:
    from healthsvc.store.sealing.facts import facts
    from healthsvc.store.sealing.reseal import COMPACT, DUE, left

    sealer = here.database.sealer
    with here.database.engine.connect() as connection:
        waiting, known = left(connection, sealer), facts(connection)
    if waiting:
        raise RuntimeError(f"{', '.join(waiting)} not all under the newest key: run `healthsvc keys reseal`, or let the service go on")
    if known.get(COMPACT) == DUE:
        raise RuntimeError("free pages may hold what stood there unsealed: run `healthsvc keys reseal --compact` at a quiet hour")
    return f"{len(sealer.kids)} keys, {sealer.kid.hex()} closes; back up {sealer.folder} apart from the database"


def _roads(here: "Installation") -> str:
    from healthsvc.circle.providers import travel_times

    return str(travel_times(here.settings.data).status())
