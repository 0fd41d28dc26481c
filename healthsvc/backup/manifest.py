"""The manifest: what a backup holds, so exactly that nothing can be missing, changed or exchanged without being seen."""

import hashlib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from healthsvc.errors import Invalid, Malformed
from healthsvc.fhir.json import dumps, loads

NAME: Final = "manifest.json"
FORMAT: Final = 1
"""Version of the form of a backup; a later one is refused, because what it says cannot be understood."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup."""

    name: str
    holds: str
    """database, site, alarms or keys."""
    bytes: int
    sha256: str
    """Of the file as it lies there, so that it can be checked without any key."""
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Contents:
    """What the database held at the moment of the backup; read from the very snapshot that was copied."""

    migration: str
    rows: dict[str, int]
    audit_seq: int
    audit_head: str
    """Hash of the last row of the audit, hexadecimal; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup."""

    created: str
    """ISO 8601, UTC."""
    version: str
    """Version of healthsvc that made it."""
    engine: str
    """sqlite or postgresql."""
    engine_version: str
    contents: Contents
    parts: tuple[Part, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    """What is not part of it, each with the reason."""
    keys: dict[str, list[str]] = field(default_factory=dict)
    """Names of the key files that were there: without them what they closed cannot be opened."""
    format: int = FORMAT

    def is_of(self, keys: dict[str, list[str]]) -> bool:
        """Whether it is a backup of the installation that has these keys: what has no key in common is another's, whatever its name."""
        ours, theirs = _ids(self.keys), _ids(keys)
        return not ours or not theirs or not ours.isdisjoint(theirs)

    def part(self, holds: str) -> Part | None:
        """The part that holds something; None where there is none."""
        return next((part for part in self.parts if part.holds == holds), None)

    def write(self, folder: Path) -> None:
        """Put it into the folder of its parts; ``self_sha256`` seals it against a flipped byte."""
        told = asdict(self)
        told["self_sha256"] = _digest(told)
        with (folder / NAME).open("wb") as file:
            file.write(dumps(told, pretty=True))
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a backup.

        Raises:
            Invalid: there is none, it was changed, or it is of a later form than this program knows.
        """
        try:
            told: dict[str, Any] = loads((folder / NAME).read_bytes())
        except OSError:
            raise Invalid(f"{folder} is no backup: it has no readable {NAME}; name the folder of one backup") from None
        except (ValueError, Malformed):
            raise Invalid(f"{NAME} is damaged; take another backup") from None
        form = told.get("format") if isinstance(told, dict) else None
        if not isinstance(form, int) or not 1 <= form <= FORMAT:
            raise Invalid(f"the backup is of form {form!r}, this program knows {FORMAT}; restore it with the version that made it")
        if told.pop("self_sha256", None) != _digest(told):
            raise Invalid(f"{NAME} was changed after it was written; take another backup")
        contents = Contents(**told.pop("contents"))
        parts = tuple(Part(**part) for part in told.pop("parts"))
        return cls(**told, contents=contents, parts=parts)


def _digest(told: dict[str, Any]) -> str:
    return hashlib.sha256(dumps(told, sort_keys=True)).hexdigest()


def _ids(keys: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Each key's folder and id; a file that has none is told by its name, which is everybody's."""
    return {(folder, kid) for folder, kids in keys.items() for kid in kids if not kid.endswith((".json", ".key"))}
