"""The witness of the audit: now and then the ends of its chains are written down outside the database, so that a cut-off end shows, too.

Whoever can write into the database can take the newest rows away, or write a whole chain anew; its hashes and anchors alone do not tell.
The witness keeps number and hash of the last row of each chain in a file, each line under a code (keyed BLAKE2b) that depends on the line
before it. The file is best kept where the database's administrator cannot write; the newest line goes to the log, too.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from healthsvc.errors import Unavailable
from healthsvc.store.audit import AUDIT, forgotten, heads
from healthsvc.store.sealing.sealer import Sealer

Head = tuple[int, str]
"""Number and hash (hex) of the last row of a chain."""


class Testimony(NamedTuple):
    """Where the chains ended at a moment."""

    at: str
    heads: tuple[Head, ...]
    code: str


class Witness:
    """The file; many processes may write to it."""

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self.path = path
        self._key = sealer.derived("witness of the audit")

    def note(self, connection: Connection, at: datetime) -> Testimony | None:
        """Write down where the chains end; nothing where they still end there. It is on the disk when this returns.

        Raises:
            Unavailable: the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                seen = tuple((seq, hash.hex()) for _, seq, hash in heads(connection))
                known = [one for one, _ in map(_read, file.read().splitlines(keepends=True))]
                if not seen or (known and known[-1].heads == seen):
                    return None
                stands = at.isoformat(timespec="seconds")
                made = Testimony(stands, seen, self._code(known[-1].code if known else "", stands, seen))
                file.write(json.dumps({"at": made.at, "heads": made.heads, "code": made.code}).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(f"the witness of the audit cannot be written: {error.strerror}; look after HEALTHSVC_AUDIT_WITNESS") from None
        return made

    def faults(self, connection: Connection) -> Iterator[str]:
        """Say, one sentence each, what the audit does not have any more that the witness has seen.

        Raises:
            Unavailable: the file cannot be read.
        """
        before, kept = "", forgotten(connection).up_to
        for number, (told, is_whole) in enumerate(self._lines(), start=1):
            if not is_whole or told.code != self._code(before, told.at, told.heads):
                yield f"witness, line {number} ({told.at}): it was changed, or one before it was removed"
            before = told.code
            for seq, hash in told.heads:
                found = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.seq == seq)).scalar()
                if found is None and seq > kept:
                    yield f"audit row {seq} stood there at {told.at} and is gone: the end of the audit was cut off"
                elif found is not None and bytes(found).hex() != hash:
                    yield f"audit row {seq} was another one at {told.at}: the audit was written anew"

    def _lines(self) -> list[tuple[Testimony, bool]]:
        try:
            lines = self.path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unavailable(f"the witness of the audit cannot be read: {error.strerror}; look after HEALTHSVC_AUDIT_WITNESS") from None
        return [_read(line) for line in lines if line.endswith(b"\n")]  # what a power cut left half is not counted

    def _code(self, before: str, at: str, seen: Sequence[Head]) -> str:
        return hashlib.blake2b(json.dumps([before, at, list(seen)]).encode(), key=self._key, digest_size=16).hexdigest()


def _read(line: bytes) -> tuple[Testimony, bool]:
    try:
        told: dict[str, Any] = json.loads(line)
        return Testimony(str(told["at"]), tuple((int(seq), str(hash)) for seq, hash in told["heads"]), str(told["code"])), True
    except (ValueError, KeyError, TypeError):
        return Testimony("unreadable", (), ""), False
