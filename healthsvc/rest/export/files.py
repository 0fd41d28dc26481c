"""The files of an export on the disk: sealed like the database, page by page, so that a page can be cut off and written again.

A file is a row of portions: four bytes say how long the portion is, then comes what :class:`healthsvc.store.sealing.Sealer` made of its
lines. Export, name and place in the file are bound to each, so that none can be moved. Files of releases before that were plain NDJSON,
which begins with a brace; they are handed out as they are until they are forgotten.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from healthsvc.errors import Unavailable
from healthsvc.store.sealing.sealer import Sealer

_HEAD: Final = 4
_PLAIN: Final = b"{"
_CHUNK: Final = 1 << 20


def append(path: Path, size: int, lines: bytes, sealer: Sealer) -> int:
    """Write a portion behind the first ``size`` bytes (whatever a crash left behind them goes); gives the size after it, once on disk."""
    kept = sealer.close(lines, _place(path, size))
    portion = len(kept).to_bytes(_HEAD, "big") + kept
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.truncate(size)
        file.seek(size)
        file.write(portion)
        file.flush()
        os.fsync(file.fileno())
    return size + len(portion)


def read(path: Path, size: int, sealer: Sealer) -> Iterator[bytes]:
    """The lines of a file, portion by portion.

    Raises:
        Unavailable: it was changed, cut or moved, or its key is lost.
    """
    with path.open("rb") as file:
        if is_plain(path):
            while chunk := file.read(_CHUNK):
                yield chunk
            return
        at = 0
        while at < size:
            length = int.from_bytes(file.read(_HEAD), "big")
            kept = file.read(length)
            if len(kept) < length or not length:
                raise Unavailable("a file of the export was cut; begin the export anew")
            yield sealer.open(kept, _place(path, at))
            at += _HEAD + length


def is_plain(path: Path) -> bool:
    """Whether a file was written before files were sealed."""
    try:
        with path.open("rb") as file:
            return file.read(1) == _PLAIN
    except FileNotFoundError:
        return False


def _place(path: Path, at: int) -> str:
    return f"export/{path.parent.name}/{path.name}/{at}"
