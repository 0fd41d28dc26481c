"""Make a backup beside a serving process: whole under its name, or not there at all."""

import fcntl
import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyrage
import structlog
from sqlalchemy.engine import make_url

from healthsvc import __version__
from healthsvc.backup import embedded, postgresql, site
from healthsvc.backup.manifest import Contents, Manifest, Part
from healthsvc.backup.parts import blocks_of, pack, write
from healthsvc.config import Settings
from healthsvc.config_values import inside
from healthsvc.errors import Conflict, Invalid, Unavailable

log = structlog.get_logger()

PREFIX: Final = "healthsvc-"
_PARTIAL: Final = ".partial"
_WORK: Final = ".backup-"
_LOCK: Final = ".backup.lock"


@dataclass(frozen=True, slots=True)
class BackupPolicy:
    """How many backups are kept, and when the newest is too old."""

    keep: int
    stale_hours: int


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is whole."""

    folder: Path
    manifest: Manifest
    keys: Path | None
    """Where the keys were put; None where they were left out."""
    removed: tuple[str, ...]
    """Names of older backups that were removed."""


def make(
    settings: Settings, target: Path, at: datetime, *, keep: int, keys_to: Path | None = None, to: pyrage.x25519.Recipient | None = None
) -> Made:
    """Back an installation up, whatever else is writing to it.

    The journal of alarms is copied before the database and the keys after it: an alarm that moves from one to the other meanwhile is in
    both and not in neither, and every key that the database needs is there.

    Args:
        target: folder of the backups; this one becomes a folder in it.
        at: now, aware of its zone.
        keep: how many backups stay there.
        keys_to: where the keys go, another place than the data; None: they are left out and the manifest says so.
        to: public key to which every part is closed.

    Raises:
        Invalid: the keys would lie with the data.
        Conflict: another backup of this installation is being made.
        Unavailable: the database or a disk does not answer, or a program that is needed is not installed.
    """
    if keys_to is not None and inside(keys_to, target):
        raise Invalid("keys never lie beside the data they open: name another folder, best on another medium, with --keys-to")
    name, mark = f"{PREFIX}{at.astimezone(UTC):%Y%m%dT%H%M%SZ}", mark_of(settings.data)
    if (target / name).exists():  # another installation's, made in the same second
        name = f"{name}-{mark}"
    try:
        for folder in (target, *([keys_to] if keys_to else [])):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(settings.data), _work(settings.data) as work:
            for folder in (target, *([keys_to] if keys_to else [])):
                _sweep(folder, mark)
            partial = target / f".{name}.{mark}{_PARTIAL}"
            partial.mkdir(mode=0o700)
            keys: Path | None = None
            try:
                manifest, written = _fill(settings, partial, work, at, name, keys_to, to)
                _sync(partial)
                if written is not None:  # before the backup has its name: without its keys it is not whole
                    keys = written.rename(written.parent.parent / written.name)
                    written.parent.rmdir()
                    _sync(keys.parent)
                os.rename(partial, target / name)
                _sync(target)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                if keys is not None:
                    keys.unlink(missing_ok=True)
                if keys_to is not None:
                    _sweep(keys_to, mark)
                raise
            removed = _retain(target, keep, name, mark, manifest.keys)
    except OSError as error:
        raise Unavailable(f"the backup cannot be written: {error.strerror}; look after {target}") from None
    log.info("backup made", name=name, parts=len(manifest.parts), removed=len(removed))
    return Made(target / name, manifest, keys, removed)


def _fill(
    settings: Settings, partial: Path, work: Path, at: datetime, name: str, keys_to: Path | None, to: pyrage.x25519.Recipient | None
) -> tuple[Manifest, Path | None]:
    parts = [_packed(partial, work, "alarms", site.alarms(settings), to)]
    database, contents, engine, version = _database(settings, partial, work, to)
    parts += [database, _packed(partial, work, "site", site.site(settings), to)]
    left_out, keys = dict(site.LEFT_OUT), None
    if keys_to is None:
        left_out["keys"] = site.KEYS_LEFT_OUT
    else:
        packed = pack(site.keys(settings), work / "keys.tar.gz")
        apart = keys_to / partial.name
        apart.mkdir(mode=0o700)
        keys = apart / write(apart, f"{name}.keys.tar.gz", "keys", blocks_of(packed), to).name
    there = site.keys_there(settings)
    manifest = Manifest(at.isoformat(), __version__, engine, version, contents, tuple(parts), left_out, there)
    manifest.write(partial)
    return manifest, keys


def _database(settings: Settings, partial: Path, work: Path, to: pyrage.x25519.Recipient | None) -> tuple[Part, Contents, str, str]:
    url = settings.database_url
    if url.startswith("sqlite"):
        copied = work / "database.sqlite"
        contents = embedded.copy(Path(make_url(url).database or ""), copied)
        part = write(partial, embedded.PART, "database", embedded.compressed(copied), to)
        copied.unlink()
        return part, contents, "sqlite", embedded.version()
    with postgresql.reading(url) as connection:
        snapshot, contents, version = postgresql.snapshot(connection)
        part = write(partial, postgresql.PART, "database", postgresql.dump(url, snapshot), to)
    return part, contents, "postgresql", version


def _packed(partial: Path, work: Path, holds: str, entries: Iterator[tuple[str, Path]], to: pyrage.x25519.Recipient | None) -> Part:
    archive = pack(entries, work / f"{holds}.tar.gz")
    return write(partial, archive.name, holds, blocks_of(archive), to)


def backups(target: Path, keys: dict[str, list[str]] | None = None) -> list[tuple[Path, Manifest]]:
    """The whole backups of a folder, newest first; ``keys``: only those of the installation that has these (``site.keys_there``)."""
    found = []
    for folder in target.glob(f"{PREFIX}*") if target.is_dir() else ():
        try:
            found.append((folder, Manifest.read(folder)))
        except Invalid:
            continue  # nothing of ours, or damaged: restoring it says so, and no retention removes it
    found = [one for one in found if keys is None or one[1].is_of(keys)]
    return sorted(found, key=lambda one: datetime.fromisoformat(one[1].created), reverse=True)


def mark_of(data: Path) -> str:
    """What stands in the names of backups that are not whole yet: installations that share a folder of backups leave each other's alone."""
    return hashlib.blake2b(f"{socket.gethostname()}:{data.resolve()}".encode(), digest_size=4).hexdigest()


def _retain(target: Path, keep: int, newest: str, mark: str, keys: dict[str, list[str]]) -> tuple[str, ...]:
    """Remove what is more than is kept of this installation's; where others put theirs is none of our business."""
    removed = []
    for folder, _ in backups(target, keys)[max(keep, 1) :]:
        if folder.name == newest:
            continue
        going = folder.with_name(f".{folder.name}.{mark}{_PARTIAL}")
        os.rename(folder, going)
        shutil.rmtree(going, ignore_errors=True)
        removed.append(folder.name)
    return tuple(removed)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One backup of an installation at a time on this machine."""
    with (data / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict("another backup of this installation is being made; wait for it") from None
        yield


@contextmanager
def _work(data: Path) -> Iterator[Path]:
    """A folder beside the database for what is not closed yet, so that plain data touches no other disk; gone afterwards."""
    for left in data.glob(f"{_WORK}*"):
        if left.is_dir():  # of a backup that was killed; the lock says that none is under way
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=data))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(target: Path, mark: str) -> None:
    """Remove what a backup of ours that did not come to its end has left."""
    for left in target.glob(f".{PREFIX}*.{mark}{_PARTIAL}"):
        shutil.rmtree(left, ignore_errors=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
