"""一键通 The journal: alarms and what was done about them, on disk before anybody is answered, whatever the database does.

One file an alarm, one sealed JSON object a line, written through to the disk. What stands in the database is taken out of the journal; what
cannot be written there (it is read-only, or gone) waits here, and the chain goes on by what the two together say.
"""

import fcntl
import os
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from healthsvc.emergency.rules import Act, Line
from healthsvc.errors import NotFound, Unavailable
from healthsvc.fhir.json import dumps, loads
from healthsvc.store.sealing.sealer import OPEN, Sealer

_ENDING = ".jsonl"
_ID = re.compile(r"[A-Za-z0-9\-]{1,64}")
_PUZZLING = ".puzzling"
"""Ending of what cannot be taken in (a device that nobody has registered): it stays until somebody has looked at it."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls for help: a person, or a device by its number."""

    kind: str
    source: str
    at: datetime
    patient: str | None = None
    device: str | None = None
    device_system: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the journal holds of one alarm: the call, unless the database has it, and the lines that it does not have."""

    alarm: str
    call: Call | None
    lines: tuple[Line, ...]
    size: int
    """Bytes of the file when it was read; what is added afterwards stays when the rest is taken out."""


class Journal:
    """The folder of the journal; many processes may write to it."""

    def __init__(self, folder: Path, sealer: Sealer = OPEN) -> None:
        self.folder = folder
        self._sealer = sealer

    def open(self, alarm: str, call: Call) -> None:
        """Write a call down. It is on the disk when this returns.

        Raises:
            Unavailable: the disk does not take it; then nobody may be told that help is under way.
        """
        self._append(alarm, [{"call": _as_json(call)}])

    def add(self, alarm: str, lines: Sequence[Line]) -> None:
        """Write down what was done."""
        if lines:
            self._append(alarm, [{"line": _line_as_json(line)} for line in lines])

    def kept(self, alarm: str) -> Kept | None:
        """What stands here of an alarm."""
        try:
            raw = self._path(alarm).read_bytes()
        except FileNotFoundError:
            return None
        return self._read(alarm, raw) if raw else None

    def waiting(self, rested: float = 0.0) -> list[str]:
        """Alarms of which something stands here; only those that nobody has touched for ``rested`` seconds."""
        found = []
        with suppress(FileNotFoundError):
            for path in sorted(self.folder.glob(f"*{_ENDING}")):
                with suppress(FileNotFoundError):  # taken out this moment
                    if time.time() - path.stat().st_mtime >= rested:
                        found.append(path.stem)
        return found

    @contextmanager
    def watched(self) -> Iterator[bool]:
        """Whether this process alone watches the journal, for as long as the block lasts (the database may not be there to ask)."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / "watch.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True

    def puzzling(self) -> list[Kept]:
        """What nobody could take in."""
        found = sorted(self.folder.glob(f"*{_PUZZLING}")) if self.folder.is_dir() else []
        return [self._read(path.stem, path.read_bytes()) for path in found]

    def take_out(self, kept: Kept) -> None:
        """Forget what the database has now; what was added since it was read stays."""
        path = self._path(kept.alarm)
        with self._locked(path) as file:
            rest = file.read()[kept.size :]
            if rest:
                file.seek(0)
                file.write(rest)
                file.truncate()
                _sync(file)
            else:
                path.unlink(missing_ok=True)

    def set_aside(self, alarm: str) -> None:
        """Keep what cannot be taken in where somebody will look at it."""
        path = self._path(alarm)
        path.rename(path.with_suffix(_PUZZLING))

    def settle(self, alarm: str) -> None:
        """Somebody has looked at what was set aside."""
        self._path(alarm).with_suffix(_PUZZLING).unlink(missing_ok=True)

    def _path(self, alarm: str) -> Path:
        if not _ID.fullmatch(alarm):
            raise NotFound("there is no alarm of this id")
        return self.folder / f"{alarm}{_ENDING}"

    def _append(self, alarm: str, entries: Sequence[dict[str, Any]]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked(self._path(alarm)) as file:
                file.seek(0, os.SEEK_END)
                file.write(b"".join(self._closed(alarm, entry) + b"\n" for entry in entries))
                _sync(file)
        except OSError as error:
            raise Unavailable(f"the journal of alarms cannot be written: {error.strerror}") from None

    def _closed(self, alarm: str, entry: dict[str, Any]) -> bytes:
        """One line: sealed, in base64, where there are keys; else the JSON itself."""
        plain = dumps(entry)
        closed = self._sealer.close(plain, f"alarm/{alarm}")
        return plain if closed is plain else b64encode(closed)

    def _read(self, alarm: str, raw: bytes) -> Kept:
        """What was written whole; a line that a power cut left half is not counted."""
        whole = raw[: raw.rfind(b"\n") + 1]
        call, lines = None, []
        for line in whole.splitlines():
            entry = loads(line if line.startswith(b"{") else self._sealer.open(b64decode(line), f"alarm/{alarm}"))
            if "call" in entry:
                told = entry["call"]
                call = Call(**{**told, "at": datetime.fromisoformat(told["at"])})
            else:
                told = entry["line"]
                lines.append(Line(Act(told["act"]), datetime.fromisoformat(told["at"]), told["who"], told["round"], told["text"]))
        return Kept(alarm, call, tuple(lines), len(whole))

    @contextmanager
    def _locked(self, path: Path) -> Iterator[BinaryIO]:
        """The file, by this process alone; opened anew where another has taken it out meanwhile."""
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(handle, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if path.exists() and os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                    yield file
                    return


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _as_json(call: Call) -> dict[str, Any]:
    named = {"patient": call.patient, "device": call.device, "device_system": call.device_system}
    return {**named, "kind": call.kind, "source": call.source, "at": call.at.isoformat(), "text": call.text}


def _line_as_json(line: Line) -> dict[str, Any]:
    return {"act": line.act.value, "at": line.at.isoformat(), "who": line.who, "round": line.round, "text": line.text}
