"""The files that are tried or sent: single ones, folders, and archives (zip, tar, gzip) whose files are read as if they lay in a folder.

What cannot be opened is told as such, never passed over in silence.
"""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from healthsvc.errors import Invalid, TooLarge

_NOT_MESSAGES: Final = frozenset({".md", ".json", ".toml", ".csv", ".xml", ".py"})
_TARS: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_CLOSED: Final = (".rar", ".7z")
LONGEST: Final = 512 << 20
"""Bytes of one file in an archive that are unpacked; more is no file of messages but an attack, or a job for ``split``."""
PIECE: Final = 1 << 20
_UTF8_NAME: Final = 0x800


@dataclass(frozen=True, slots=True)
class Source:
    """One file to be read, in a folder or in an archive."""

    name: str
    pieces: Callable[[], Iterator[bytes]]
    """Gives its bytes piece by piece, so that a long one needs no memory.

    Raises:
        Refusal: it cannot be read, or not further; the text says why.
    """
    packed: bool = False

    def read(self) -> bytes:
        """All its bytes.

        Raises:
            Refusal: it cannot be read; the text says why.
        """
        held = bytearray()
        for piece in self.pieces():
            held += piece
            if self.packed and len(held) > LONGEST:
                raise TooLarge(f"unpacked it is longer than {LONGEST >> 20} MB; unpack it first", reason="archive")
        return bytes(held)


def sources(paths: Iterable[Path]) -> Iterator[Source]:
    """Every file of these paths in order; folders and archives are searched."""
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file() and _may_hold_messages(file.name):
                    yield from _opened(file, file.relative_to(path).as_posix())
        else:
            yield from _opened(path, path.name)


def _may_hold_messages(name: str) -> bool:
    pure = PurePosixPath(name)
    return pure.suffix.lower() not in _NOT_MESSAGES and not pure.name.startswith(".") and not name.startswith("__MACOSX/")


def _opened(file: Path, name: str) -> Iterator[Source]:
    kind = file.name.lower()
    try:
        if kind.endswith(".zip"):
            yield from _zipped(file, name)
        elif kind.endswith(_TARS):
            yield from _tarred(file, name)
        elif kind.endswith(".gz"):
            yield Source(name.removesuffix(file.name) + file.stem, lambda: _unpacked(lambda: gzip.GzipFile(file)), packed=True)
        elif kind.endswith(_CLOSED):
            yield _closed(name, "this kind of archive cannot be opened here; unpack it, or use zip, tar or gzip")
        else:
            yield Source(name, lambda: _plain(file))
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, zlib.error):
        yield _closed(name, "the archive is damaged or none; nothing more of it was read")


def _zipped(file: Path, name: str) -> Iterator[Source]:
    with zipfile.ZipFile(file) as archive:
        for one in archive.infolist():
            inside = _name_of(one)
            if not one.is_dir() and _may_hold_messages(inside):
                yield Source(f"{name}/{inside}", lambda one=one: _unpacked(lambda: archive.open(one)), packed=True)  # type: ignore[misc]


def _tarred(file: Path, name: str) -> Iterator[Source]:
    with tarfile.open(file) as archive:
        for one in archive:
            if one.isfile() and _may_hold_messages(one.name):
                yield Source(f"{name}/{one.name}", lambda one=one: _unpacked(lambda: archive.extractfile(one)), packed=True)  # type: ignore[misc]


def _name_of(one: zipfile.ZipInfo) -> str:
    """A name in a zip; Chinese Windows writes it in GBK without saying so."""
    if one.flag_bits & _UTF8_NAME:
        return one.filename
    try:
        return one.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return one.filename


def _plain(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        yield from iter(lambda: opened.read(PIECE), b"")


def _unpacked(begin: Callable[[], Any]) -> Iterator[bytes]:
    try:
        with begin() as packed:
            yield from iter(lambda: packed.read(PIECE), b"")
    except RuntimeError:  # zipfile has no other word for a file under a password
        raise Invalid("it is under a password; unpack it first", reason="archive") from None
    except (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, tarfile.TarError, zlib.error):
        raise Invalid("it is damaged or packed in a way that cannot be read here; unpack it first", reason="archive") from None


def _closed(name: str, why: str) -> Source:
    def pieces() -> Iterator[bytes]:
        raise Invalid(why, reason="archive")

    return Source(name, pieces)
