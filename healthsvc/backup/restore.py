"""Bring a backup back into an empty place, and prove that it is what was saved."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyrage
from sqlalchemy import create_engine

from healthsvc import clock, config
from healthsvc.backup import embedded, postgresql, site
from healthsvc.backup.contents import contents_of_file, differences
from healthsvc.backup.manifest import Manifest
from healthsvc.backup.parts import check, opened, unpack
from healthsvc.config import Settings
from healthsvc.errors import Conflict, Invalid, Refusal, Unavailable
from healthsvc.installation import open_installation
from healthsvc.store import SYSTEM
from healthsvc.store.audit import verify as verify_audit
from healthsvc.store.migrate import revisions
from healthsvc.store.sealing.proof import shut

_FILE = "healthsvc.sqlite"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back."""

    manifest: Manifest
    findings: tuple[str, ...]
    """What is not as it was saved; empty where everything is."""
    documents: int
    """Frozen documents that were checked."""
    rows: int


def restore(
    folder: Path,
    data: Path,
    *,
    database: str | None = None,
    keys: Path | None = None,
    identity: pyrage.x25519.Identity | None = None,
    verify: bool = True,
    keep: bool = True,
) -> Restored:
    """Restore a backup into a data directory that is not there yet or empty (and, of PostgreSQL, into an empty database).

    Args:
        folder: the backup.
        database: url of the empty PostgreSQL database, for a backup of PostgreSQL.
        keys: the archive of keys that was put elsewhere; without it documents cannot be verified, and nothing that is sealed can be read.
        identity: what opens the parts of a backup that was closed.
        verify: compare with the manifest, walk the audit, open everything that is sealed and check every frozen document.
        keep: False: a rehearsal; everything is thrown away afterwards.

    Raises:
        Invalid: a part is missing or was changed, or the backup is of a version that this program cannot read.
        Conflict: the target holds something.
        Unavailable: a disk, the database or a program of it does not answer.
    """
    manifest = Manifest.read(folder)
    _must_know(manifest)
    check(folder, manifest)
    if (manifest.engine == "postgresql") != (database is not None):
        raise Invalid(
            "a backup of PostgreSQL needs --database with an empty database"
            if database is None
            else "this is a backup of SQLite: leave --database out"
        )
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise Conflict(f"{data} is not empty; a backup is only restored into an empty or new directory", reason="backup-target")
    if database is not None:
        postgresql.must_be_empty(database)
    try:
        with _beside(data) as made:
            _put_back(folder, manifest, made, database, keys, identity)
            findings, documents = _verified(manifest, made, database) if verify else ((), 0)
            if keep:
                findings += _settings(made)
                if data.exists():
                    data.rmdir()
                os.rename(made, data)
            elif database is not None:
                postgresql.clear(database)
    except PermissionError:
        raise Unavailable(
            f"the backup cannot be restored: it is unpacked beside {data}, and this user may not write in {data.absolute().parent} (or not "
            "read the backup); name a new directory inside one that they may write"
        ) from None
    except OSError as error:
        raise Unavailable(f"the backup cannot be restored: {error.strerror}") from None
    return Restored(manifest, findings, documents, sum(manifest.contents.rows.values()))


def _must_know(manifest: Manifest) -> None:
    if manifest.contents.migration not in revisions():
        raise Invalid(
            f"the backup has schema {manifest.contents.migration!r}, which this version does not know; restore it with healthsvc "
            f"{manifest.version} or later",
            reason="backup-version",
        )


def _put_back(
    folder: Path, manifest: Manifest, made: Path, database: str | None, keys: Path | None, identity: pyrage.x25519.Identity | None
) -> None:
    if keys is not None:
        if not keys.is_file():
            raise Unavailable(f"the archive of keys {keys} is not there")
        from healthsvc.backup.manifest import Part

        part = Part(keys.name, "keys", 0, "", encrypted=keys.suffix == ".age")
        with opened(keys.parent, part, identity) as source:
            unpack(source, made)
    for part in manifest.parts:
        with opened(folder, part, identity) as source:
            if part.holds != "database":
                unpack(source, made)
            elif database is None:
                embedded.put_back(source, made / _FILE)
            else:
                postgresql.restore(database, source)


def _verified(manifest: Manifest, made: Path, database: str | None) -> tuple[tuple[str, ...], int]:
    """What is not as it was saved; how many documents were checked."""
    from healthsvc.documents.service import verify_all

    found = contents_of_file(made / _FILE) if database is None else postgresql.contents_of(database)
    findings = differences(manifest.contents, found)
    lacking = {name: [kid for kid in kids if kid not in site.key_names(made / name)] for name, kids in manifest.keys.items()}
    findings += [f"{len(kids)} of the {name} are not there: give the archive of keys with --keys" for name, kids in lacking.items() if kids]
    url = database or f"sqlite:///{(made / _FILE).resolve()}"
    findings += _sound(url)
    if any(lacking.values()):
        return tuple(findings), 0  # without its keys nothing that is sealed can be opened
    # not by what its healthsvc.toml says: that may name certificates, a standby and folders of the machine that is gone
    settings = Settings.model_construct(data=made, database=url, signing_keys=made / site.SIGNING, sealing_keys=made / site.SEALING)
    try:
        here = open_installation(settings=settings)
    except Refusal as refusal:
        return (*findings, f"what came back does not open: {refusal.text}"), 0
    try:
        with here.database.engine.connect() as connection:
            findings += shut(connection, here.database.sealer)
        with here.database.reading(SYSTEM, at=clock.now()) as store:
            verdicts = verify_all(store)
    except Refusal as refusal:
        return (*findings, f"documents cannot be verified: {refusal.text}"), 0
    finally:
        here.close()
    findings += [f"document {one.id}: {said}" for one in verdicts for said in one.findings]
    return tuple(findings), len(verdicts)


def _settings(made: Path) -> tuple[str, ...]:
    """What of the settings that came back does not fit this machine: a certificate, a folder that is not here."""
    try:
        config.load(made)
    except Refusal as refusal:
        return (f"before it can serve here: {refusal.text}",)
    return ()


def _sound(url: str) -> list[str]:
    """Where the file or the audit's chain is broken, one sentence each."""
    engine = create_engine(url if url.startswith("sqlite") else postgresql.driver(url), hide_parameters=True)
    try:
        with engine.connect() as connection:
            return [*embedded.faults(connection), *verify_audit(connection)]
    finally:
        engine.dispose()


@contextmanager
def _beside(data: Path) -> Iterator[Path]:
    """A folder beside the target, which takes its name when everything is in it; removed where it has not, at the latest by the next."""
    data.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{data.name}.restore-"
    for left in data.parent.glob(f"{prefix}*"):
        with _held(left) as free:
            if free:  # of one that was killed: it holds keys beside what they open
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=data.parent))
    try:
        with _held(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """A folder is somebody's for as long as their process lives; gives whether it was nobody's."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(handle)
