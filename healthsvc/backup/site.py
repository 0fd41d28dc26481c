"""What lies beside the database: which file goes with which part, and what is left out and why."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from healthsvc.config import Settings

ALARMS: Final = "alarms"
"""Folder of the journal of alarms (``emergency/journal.py``)."""
SIGNING, SEALING = "signing-keys", "sealing-keys"
_SECRETS: Final = frozenset({"healthsvc.toml"})
"""Settings may carry passwords, so they go with the keys."""
_MADE_AGAIN: Final = frozenset({"exports", "audit-witness", ALARMS, SIGNING, SEALING})
LEFT_OUT: Final = {
    "audit-witness": "the witness of the audit belongs to the running database; after a restore a new one begins",
    "exports": "files of bulk exports are made again from the database",
    "tls": "certificates and keys of TLS stay where the site keeps them",
}
KEYS_LEFT_OUT: Final = "no --keys-to was named: keys never lie beside the data they open; copy the folders of keys yourself"


def alarms(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The journal of alarms: what may not be in the database yet."""
    yield from _files(settings.data / ALARMS, ALARMS, skip=frozenset({"watch.lock"}))


def site(settings: Settings) -> Iterator[tuple[str, Path]]:
    """What the site has set: policy, hospitals' lines, clients, the road network."""
    for path in sorted(settings.data.iterdir()):
        if path.name.startswith(".") or path.name in _MADE_AGAIN or _is_database(path, settings) or is_secret(path):
            continue
        yield from _files(path, path.name)


def keys(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The keys, and what else may open something; never in the same place as the data."""
    yield from _files(settings.signing_keys or settings.data / SIGNING, SIGNING)
    yield from _files(settings.sealing_folder, SEALING)
    for path in sorted(settings.data.iterdir()):
        if is_secret(path) and path.name not in _MADE_AGAIN:
            yield from _files(path, path.name)


def is_secret(path: Path) -> bool:
    """Whether something in the data directory belongs with the keys: folders and files that say so by their name."""
    return path.name in _SECRETS or path.name.endswith(("-keys", ".key", ".pem"))


def key_names(folder: Path) -> list[str]:
    """The ids of the keys in a folder, as its files tell them; never a key."""
    found = []
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.key")]):
        try:
            found.append(str(json.loads(path.read_text(encoding="utf-8"))["kid"]))
        except (ValueError, KeyError, TypeError, OSError):
            found.append(path.name)
    return sorted(found)


def keys_there(settings: Settings) -> dict[str, list[str]]:
    """Ids of the keys by the folder they are in."""
    return {SIGNING: key_names(settings.signing_keys or settings.data / SIGNING), SEALING: key_names(settings.sealing_folder)}


def _files(path: Path, name: str, skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield name, path
    elif path.is_dir():
        for below in sorted(path.rglob("*")):
            if below.is_file() and not below.name.startswith(".") and below.name not in skip:
                yield f"{name}/{below.relative_to(path).as_posix()}", below


def _is_database(path: Path, settings: Settings) -> bool:
    own = settings.database_url.removeprefix("sqlite:///") if settings.database_url.startswith("sqlite") else ""
    names = {Path(own).name} if own else {"healthsvc.sqlite"}
    return any(path.name in (name, f"{name}-wal", f"{name}-shm", f"{name}-journal") for name in names)
